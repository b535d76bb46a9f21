"""One stage: all interviews of all trials in one model, beside the two stages of a meta-analysis.

Both ask for one slope, or for the mean of slopes that differ between trials. If what else is in the
model (cells of trial x wave, controls, patients) has coefficients of its own in each trial, the two
differ in three things only [burke2017meta]:

- the common slope in one stage is the mean of the trials' slopes weighted by the variation of the
  exposure they have, as if all had one error variance; two stages weigh by each trial's own error;
- random slopes in one stage share error variances too, and their likelihood knows that these are
  estimated;
- errors of the two stages are clustered where the trials' own are, those of random slopes in one
  stage rest on the model.

The slopes of one regression with ``x`` interacted with trials are the trials' own, and the Wald
test that they are equal is Cochran's Q.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import linalg

from pooledtrials.arguments import Codes, Columns, Matrix, Vector, choice, fraction
from pooledtrials.panels.design import design, quasi_demeaned
from pooledtrials.panels.estimate import PanelEstimate
from pooledtrials.panels.independence import centred
from pooledtrials.panels.layout import Layout, layout, several_trials
from pooledtrials.panels.meta_analysis import MetaAnalysis
from pooledtrials.panels.regressions import fit
from pooledtrials.panels.trial_estimates import by_trial
from pooledtrials.panels.trial_slopes import trial_slopes
from pooledtrials.results import Estimate

STAGE_METHODS: Final = ("within", "mixed")
"""Patients' own effects, or random ones."""


@dataclass(frozen=True, eq=False)
class OneStage:
    """Slopes of an exposure in several trials, from all interviews at once.

    Attributes
    ----------
    method : one of `STAGE_METHODS`
    trials : each trial's slope, estimated alone; what `meta_analysis` takes
    weights : share of each trial in the common slope, by its variation of the exposure
    common : one slope for all trials, errors clustered
    random : mean of slopes that differ at random between trials (REML), t with trials less one
        degrees of freedom, errors by the model
    tau_squared : variance of these slopes
    """

    method: str
    trials: dict[Hashable, PanelEstimate]
    weights: pd.Series
    common: PanelEstimate
    random: Estimate
    tau_squared: float

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Trials' slopes and their weights, the common slope, the mean of random slopes."""
        fraction(level, "level")
        rows = {name: _row(found, level) for name, found in self.trials.items()}
        rows |= {
            "common slope": _row(self.common, level),
            "random slopes": _row(self.random, level) | {"tau": math.sqrt(self.tau_squared)},
        }
        frame = pd.DataFrame.from_dict(rows, orient="index")
        return frame.assign(weight=self.weights.reindex(frame.index))

    def describe(self) -> str:
        """What was found, in plain words."""
        return (
            f"{len(self.trials)} trials in one model ({self.method}). One slope for all is"
            f" {self.common.coefficient:.3g} (s.e. {self.common.standard_error:.2g}); if slopes"
            f" differ between trials their mean is {self.random.coefficient:.3g} (s.e."
            f" {self.random.standard_error:.2g}) and their standard deviation is estimated as"
            f" {math.sqrt(self.tau_squared):.2g}. The common slope takes"
            f" {100 * self.weights.max():.0f} % from {self.weights.idxmax()}, whose exposure varies"
            " most."
        )


def one_stage(
    y: Columns,
    x: Columns,
    patients: Columns,
    waves: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    trials: Columns | None = None,
    *,
    method: str = "within",
) -> OneStage:
    """Common slope and random slopes from individual rows, and each trial's slope.

    ``y = b x + cells of trial x wave + controls, by trial + patient + e``; with random slopes
    ``b + v_trial``, ``v ~ N(0, tau^2)``.

    Parameters
    ----------
    y, x, patients, waves, controls, clusters, trials
        As in `layout`; two trials or more. Controls have coefficients of their own in each trial.
    method : {"within", "mixed"}
        ``"within"``: each patient has a fixed effect; random slopes are fitted to the orthonormal
        deviations of a patient's interviews from one another, which is REML with these effects.
        ``"mixed"``: patients' effects are random, see `fit`.

    Returns
    -------
    OneStage

    Raises
    ------
    ValueError
        As `fit`, for all rows and for those of each trial: a trial whose slope cannot be estimated
        alone is named.
    """
    choice(method, "method", STAGE_METHODS)
    data = layout(y, x, patients, waves, controls, clusters, trials)
    several_trials(data, "one_stage")
    alone = by_trial(partial(fit, method=method), trials=_labels(data), **_arguments(data))
    joint = _arguments(data) | {"controls": _controls_by_trial(data)}
    every = partial(fit, **joint, trials=data.trials, method=method)
    common = every()
    columns = layout(**joint, trials=data.trials)
    if method == "within":
        random, tau_squared = _within_slopes(columns)
    else:
        random = every(covariance="classical", slopes="trials")
        tau_squared = random.variance_components["slope"]
    return OneStage(
        method=method,
        trials=alone,
        weights=_weights(columns, common, list(alone)),
        common=common,
        random=random,
        tau_squared=tau_squared,
    )


def compare_stages(one: OneStage, two: MetaAnalysis) -> pd.DataFrame:
    """The same questions answered in one stage and in two.

    Parameters
    ----------
    one : what `one_stage` returns
    two : ``meta_analysis(one.trials)``, or a pooling of other estimates of the same trials

    Returns
    -------
    DataFrame
        Index: what is supposed of the trials' slopes, ``"common"`` or ``"random"``, and the stages.
        Columns ``estimate``, ``se``, ``low``, ``high`` at the level of ``two``, ``tau``.

    Raises
    ------
    ValueError
        If the two are of different trials.
    """
    if set(one.trials) != set(two.trials.index):
        raise ValueError(
            f"two pools {len(two.trials)} trials that are not the {len(one.trials)} of one: pass"
            " meta_analysis(one.trials)"
        )
    rows = {
        ("common", "one"): _row(one.common, two.level),
        ("common", "two"): _row(two.common, two.level),
        ("random", "one"): _row(one.random, two.level) | {"tau": math.sqrt(one.tau_squared)},
        ("random", "two"): _row(two.random, two.level) | {"tau": math.sqrt(two.tau_squared)},
    }
    index = pd.MultiIndex.from_tuples(rows, names=["slopes", "stages"])
    return pd.DataFrame(list(rows.values()), index=index)


def _row(found: Estimate, level: float) -> dict[str, float]:
    low, high = found.interval(level, "t").end_points
    return {
        "estimate": found.coefficient,
        "se": found.standard_error,
        "low": low,
        "high": high,
    }


def _arguments(data: Layout) -> dict[str, Any]:
    return {
        "y": data.y,
        "x": pd.Series(data.x, name=data.names[0]),
        "patients": data.patients,
        "waves": data.waves,
        "controls": pd.DataFrame(data.controls, columns=list(data.names[1:]))
        if data.controls.shape[1]
        else None,
        "clusters": data.clusters if data.coarser else None,
    }


def _labels(data: Layout) -> list[Hashable]:
    return [data.trial_labels[t] for t in data.trials]


def _controls_by_trial(data: Layout) -> pd.DataFrame | None:
    """A column for each control in each trial, 0 elsewhere."""
    columns = {
        f"{name} in {label}": np.where(data.trials == t, control, 0.0)
        for t, label in enumerate(data.trial_labels)
        for name, control in zip(data.names[1:], centred(data.controls).T, strict=True)
    }
    return pd.DataFrame(columns) if columns else None


def _weights(data: Layout, common: PanelEstimate, names: list[Hashable]) -> pd.Series:
    """Variation of the exposure in each trial that cells, controls and patients leave."""
    shares = np.array([common.theta.get(size, 1.0) for size in data.sizes])

    def transform(values: Matrix) -> Matrix:
        return quasi_demeaned(data, values, shares)

    columns = design(data, "trial-wave", "within", transform=transform, intercept=False)
    rest = _residual_exposure(columns.columns, columns.reported[data.names[0]])
    variation = np.bincount(data.trials, rest**2)
    return pd.Series(
        variation / variation.sum(), index=pd.Index(names, name="trial"), name="weight"
    )


def _residual_exposure(matrix: Matrix, at: int) -> Vector:
    others = np.delete(matrix, at, axis=1)
    basis = np.linalg.qr(others)[0]
    return np.asarray(matrix[:, at] - basis @ (basis.T @ matrix[:, at]))


def _within_slopes(data: Layout) -> tuple[Estimate, float]:
    """Random slopes with fixed patient effects, by REML of orthonormal deviations.

    These have independent errors, so that each is a patient of its own to `trial_slopes`.
    """
    blocks = _patients_by_size(data)
    trials = np.concatenate([np.repeat(data.trials[b[:, 0]], b.shape[1] - 1) for b in blocks])

    def transform(values: Matrix) -> Matrix:
        return np.concatenate([_deviations(values[rows]) for rows in blocks])

    columns = design(data, "trial-wave", "within", transform=transform, intercept=False)
    at = columns.reported[data.names[0]]
    found = trial_slopes(
        transform(centred(data.y)[:, None])[:, 0],
        columns.columns,
        columns.columns[:, at],
        np.arange(trials.size),
        trials,
    )
    estimate = Estimate(
        "within, random slopes",
        float(found.coefficients[at]),
        math.sqrt(float(found.covariance[at, at])),
        "classical",
        data.nobs,
        data.n_trials - 1,
    )
    return estimate, found.slope_variance


def _patients_by_size(data: Layout) -> list[Codes]:
    """Rows of the patients with T interviews, (patients, T), for each T of two or more."""
    order = np.argsort(data.patients, kind="stable")
    first = np.cumsum(data.sizes) - data.sizes
    return [
        order[np.add.outer(first[data.sizes == size], np.arange(size))]
        for size in np.unique(data.sizes)
        if size > 1
    ]


def _deviations(values: Matrix) -> Matrix:
    """(patients, T, columns) to (patients * (T - 1), columns), by Helmert contrasts."""
    contrasts = linalg.helmert(values.shape[1])
    return np.asarray(np.einsum("st,ptc->psc", contrasts, values).reshape(-1, values.shape[2]))
