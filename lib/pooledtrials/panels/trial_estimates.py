"""One estimate and standard error per trial: made by any estimator, or given in any form."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from pooledtrials.arguments import Columns, one_column, same_index
from pooledtrials.coding import labelled
from pooledtrials.panels.interview_rows import used_rows
from pooledtrials.results import Estimate

E = TypeVar("E", bound=Estimate)


def by_trial(
    estimator: Callable[..., E], trials: Columns, **arguments: Columns | None
) -> dict[Hashable, E]:
    """Estimate in each trial alone: the first of two stages.

    Parameters
    ----------
    estimator
        Any function that takes the arguments by name and returns an `Estimate`, such as `fit`, or
        ``functools.partial(fit, method="pooled")``.
    trials : (n,) labels
    **arguments : (n,) or (n, columns), or None
        What the estimator takes, such as ``y=, x=, patients=, waves=``; each trial's rows of it are
        passed on.

    Returns
    -------
    dict
        Trial to estimate, in order of appearance; `meta_analysis` takes it.

    Raises
    ------
    ValueError
        For mismatched lengths or indexes, missing labels, and whatever the estimator refuses in a
        trial, which the message names.
    """
    same_index(trials=trials, **arguments)
    codes, labels = labelled(trials, "trials", np.asarray(trials).size)
    found = {}
    for t, label in enumerate(labels):
        rows = {
            name: values if values is None else used_rows(values, codes == t, name)
            for name, values in arguments.items()
        }
        try:
            found[label] = estimator(**rows)
        except ValueError as error:
            raise ValueError(f"in trial {label!r}: {error}") from error
    return found


def trial_estimates(
    estimates: Columns | Mapping[Any, Estimate] | Sequence[Estimate],
    standard_errors: Columns | None = None,
) -> pd.DataFrame:
    """Check per-trial estimates and put them into one frame.

    Parameters
    ----------
    estimates : (k,) array or Series, with ``standard_errors``
        Or, without, a frame with columns ``estimate`` and ``standard_error``, a mapping of trials'
        names to `Estimate`, or a sequence of `Estimate`. An index names the trials, which are
        numbered from 1 otherwise.
    standard_errors : (k,) array or Series, optional

    Returns
    -------
    DataFrame
        Index ``trial``; columns ``estimate`` and ``standard_error``.

    Raises
    ------
    ValueError
        For fewer than two trials, a trial named twice, errors that are not positive, missing
        values, lengths or indexes that differ.
    """
    values: Any = estimates
    if isinstance(values, Mapping):
        values = pd.DataFrame([_numbers(e) for e in values.values()], index=list(values))
    elif isinstance(values, Sequence) and any(isinstance(e, Estimate) for e in values):
        frame = pd.DataFrame([_numbers(e) for e in values])
        values = frame.set_axis(range(1, len(frame) + 1))
    if standard_errors is None:
        if not {"estimate", "standard_error"} <= set(getattr(values, "columns", ())):
            raise ValueError(
                "standard_errors is None: give one per trial, or a frame with columns 'estimate'"
                " and 'standard_error', or results.Estimate objects"
            )
        values, standard_errors = values["estimate"], values["standard_error"]
    same_index(estimates=values, standard_errors=standard_errors)
    effects = one_column(values, "estimates", "give one estimate per trial")
    errors = one_column(standard_errors, "standard_errors", "give one error per trial")
    k = effects.size
    if errors.size != k:
        raise ValueError(
            f"standard_errors has {errors.size} rows but estimates has {k}: give one per trial"
        )
    if k < 2:
        raise ValueError(f"estimates has {k} trial: at least 2 are needed to pool")
    bad = int((errors <= 0).sum())
    if bad:
        raise ValueError(
            f"standard_errors is not positive in {bad} of {k} trials: an estimate without error"
            " would take all the weight; correct it or leave the trial out"
        )
    index = values.index if isinstance(values, pd.Series) else pd.RangeIndex(1, k + 1)
    repeated = int(index.duplicated().sum())
    if repeated:
        raise ValueError(
            f"estimates repeats {repeated} of {k} trials' names: give one row per trial"
        )
    return pd.DataFrame(
        {"estimate": effects, "standard_error": errors}, index=index.rename("trial")
    )


def _numbers(found: Any) -> dict[str, float]:
    if not isinstance(found, Estimate):
        raise ValueError(
            f"estimates holds a {type(found).__name__} where a results.Estimate belongs: give one"
            " Estimate per trial"
        )
    return {"estimate": found.coefficient, "standard_error": found.standard_error}
