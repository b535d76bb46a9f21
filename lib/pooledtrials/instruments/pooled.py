"""Several randomized trials at once: trial x arm instruments, trial fixed effects inside.

Randomization holds within a trial, so the instruments are arm indicators of each trial and the
trials get an intercept each; without these, differences between trials would pass for effects of
arms. With one instrument per arm, each trial's first stage is its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import Columns, label_codes, numeric_columns
from pooledtrials.confidence_set import ConfidenceSet
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
        Columns named ``"trial: arm"``, index of ``arm`` if it has one.

    Raises
    ------
    ValueError
        If a trial lacks the control arm or has no other.
    """
    labels = np.asarray(arm)
    if labels.ndim != 1:
        raise ValueError(f"arm has shape {labels.shape}: give one label per row, (n,)")
    n = labels.shape[0]
    arm_codes, trial_codes = label_codes(arm, "arm", n), label_codes(trial, "trial", n)
    assert arm_codes is not None
    assert trial_codes is not None
    arms, trials = pd.unique(pd.Series(labels)), pd.unique(pd.Series(np.asarray(trial)))
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
    index = arm.index if isinstance(arm, pd.Series | pd.DataFrame) else None
    return pd.DataFrame(columns, index=index)


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
    indicators = trial_instruments(arm, trial, control=control)
    outcome, exposure = numeric_columns(y, "y")[0][:, 0], numeric_columns(x, "x")[0][:, 0]
    covariates = None if controls is None else numeric_columns(controls, "controls")[0]
    groups = None if clusters is None else label_codes(clusters, "clusters", outcome.shape[0])
    arms, trials = np.asarray(arm), np.asarray(trial)
    rows, sets = [], {}
    for name, column in indicators.items():
        treated = column.to_numpy() > 0
        keep = treated | ((trials == trials[treated][0]) & (arms == control))
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
    z = trial_instruments(arm, trial, control=control)
    if isinstance(y, pd.Series | pd.DataFrame) and len(y) == len(z):
        z = z.set_axis(y.index)
    return first_stage(y, x, z, controls, clusters, trial, covariance=covariance)
