"""Several randomized trials at once: trial x arm instruments, trial fixed effects inside.

Randomization holds within a trial, so the instruments are arm indicators of each trial and the
trials get an intercept each; without these, differences between trials would pass for effects of
arms. With one instrument per arm, each trial's first stage is its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import (
    Columns,
    choice,
    cluster_codes,
    fraction,
    label_codes,
    numeric_columns,
    one_column,
    same_index,
)
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.moments import COVARIANCES
from pooledtrials.instruments.strength import FirstStage, first_stage
from pooledtrials.instruments.wald_ratio import wald_ratio


@dataclass(frozen=True, eq=False)
class ByTrial:
    """First stage and Wald ratio of every trial x arm contrast.

    Attributes
    ----------
    frame : one row per contrast: n, first stage, its standard error and F, intention to treat,
        Wald ratio and its standard error
    sets : Anderson-Rubin set of each contrast
    """

    frame: pd.DataFrame
    sets: dict[str, ConfidenceSet]


def trial_instruments(arm: Columns, trial: Columns, *, control: object) -> pd.DataFrame:
    """One indicator per trial and per arm other than ``control``.

    Use it as ``z`` together with ``strata=trial`` in any function of this package.

    Parameters
    ----------
    arm, trial : (n,) labels
    control : the label of the comparison arm, present in every trial

    Returns
    -------
    DataFrame
        Columns named ``"trial: arm"``, index of ``arm`` or ``trial`` if they have one.

    Raises
    ------
    ValueError
        For labels missing or not one per row, or a trial without the control arm or any other.
    """
    same_index(arm=arm, trial=trial)
    arm_labels = _labels(arm, "arm")
    trial_labels = _labels(trial, "trial", arm_labels.size, "arm")
    arm_codes, arms = pd.factorize(arm_labels)
    trial_codes, trials = pd.factorize(trial_labels)
    columns: dict[str, np.ndarray] = {}
    for t, trial_label in enumerate(trials):
        here = trial_codes == t
        present = sorted(set(arm_codes[here].tolist()))
        if not any(arms[a] == control for a in present):
            raise ValueError(
                f"arm has no {control!r} in trial {trial_label!r}: name the comparison arm with"
                " control=, one label for all trials"
            )
        if len(present) < 2:
            raise ValueError(
                f"arm has 1 value in trial {trial_label!r}: a trial without a contrast brings no"
                " instrument; leave its rows out"
            )
        for a in present:
            if arms[a] != control:
                columns[f"{trial_label}: {arms[a]}"] = (here & (arm_codes == a)).astype(float)
    return pd.DataFrame(columns, index=_index(arm, trial))


def by_trial(
    y: Columns,
    x: Columns,
    arm: Columns,
    trial: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    *,
    control: object,
    level: float = 0.95,
    covariance: str = "robust",
    reference: str = "F",
) -> ByTrial:
    """Each trial alone: first stage, intention to treat, Wald ratio and Anderson-Rubin set.

    Every arm is compared with its trial's control arm only, on those rows.

    Parameters
    ----------
    y, x, controls, clusters : as everywhere
    arm, trial, control : as in `trial_instruments`
    level, covariance, reference : as in `anderson_rubin_set`

    Raises
    ------
    ValueError
        For unusable arguments, also within one trial.
    """
    level = fraction(level, "level")
    choice(covariance, "covariance", COVARIANCES)
    choice(reference, "reference", ("F", "chi2"))
    same_index(y=y, x=x, arm=arm, trial=trial, controls=controls, clusters=clusters)
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.size
    exposure = one_column(x, "x", "give one exposure at a time", n)
    arms, trials = _labels(arm, "arm", n), _labels(trial, "trial", n)
    covariates = None if controls is None else _named(controls, n)
    groups = cluster_codes(clusters, n)
    rows, sets = [], {}
    for name, column in trial_instruments(arms, trials, control=control).items():
        treated = column.to_numpy() > 0
        keep = treated | ((trials == trials[treated][0]) & (arms == control))
        try:
            found = wald_ratio(
                outcome[keep],
                exposure[keep],
                treated[keep],
                None if covariates is None else covariates[keep],
                None if groups is None else groups[keep],
                level=level,
                covariance=covariance,
                reference=reference,
            )
        except ValueError as error:
            raise ValueError(
                f"in trial {trials[treated][0]!s}, arm {arms[treated][0]!s} against {control}:"
                f" {error}"
            ) from None
        stage, effect = found.first_stage, found.intention_to_treat
        rows.append(
            {
                "contrast": str(name),
                "n": int(keep.sum()),
                "first_stage": stage.coefficient,
                "first_stage_se": stage.standard_error,
                "F": stage.t_value**2,
                "intention_to_treat": effect.coefficient,
                "intention_to_treat_se": effect.standard_error,
                "wald_ratio": found.ratio.coefficient,
                "wald_ratio_se": found.ratio.standard_error,
            }
        )
        sets[str(name)] = found.fieller
    return ByTrial(pd.DataFrame(rows).set_index("contrast"), sets)


def pooled_first_stage(
    y: Columns,
    x: Columns,
    arm: Columns,
    trial: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    *,
    control: object,
    covariance: str = "robust",
) -> FirstStage:
    """First stage on all trials: trial x arm instruments with trial fixed effects.

    Parameters and errors as in `by_trial`. For estimators, tests and sets pass
    ``z=trial_instruments(...)`` and ``strata=trial`` to them.
    """
    same_index(y=y, x=x, arm=arm, trial=trial, controls=controls, clusters=clusters)
    n = one_column(y, "y", "give one outcome at a time").size
    arms, trials = _labels(arm, "arm", n), _labels(trial, "trial", n)
    z = trial_instruments(arms, trials, control=control)
    # arrays are matched by position: the instruments take the index of what has one
    index = _index(y, x, controls, clusters)
    z = z if index is None or len(index) != n else z.set_axis(index)
    return first_stage(y, x, z, controls, clusters, trials, covariance=covariance)


def _labels(
    labels: Columns, name: str, n: int | None = None, of: str = "y"
) -> npt.NDArray[np.object_]:
    """Labels one per row, none missing, as they are."""
    array = np.asarray(labels, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}: give one label per row, (n,)")
    label_codes(labels, name, array.size if n is None else n, of=of)
    return array


def _named(controls: Columns, n: int) -> pd.DataFrame:
    matrix, names = numeric_columns(controls, "controls", n)
    return pd.DataFrame(matrix, columns=names)


def _index(*arguments: Columns) -> pd.Index[Any] | None:
    """The index of the first argument that has one."""
    frames = (a for a in arguments if isinstance(a, pd.Series | pd.DataFrame))
    return next((a.index for a in frames), None)
