"""The probability of a yes, such as an interview held, given what was known before.

A logistic regression, ``log(p / (1 - p)) = a_cell + w'b``, with an intercept for each trial and
wave. It has no maximum where a combination of predictors tells yes from no without error, also if
only in part (separation) [albert1984existence]; then some patients have no counterpart who was
seen, and no weight can make up for them. Separation is found exactly, by a linear programme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import optimize, stats

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    cluster_codes,
    numeric_columns,
    same_index,
    zero_one,
)
from pooledtrials.panels.independence import COLLINEAR, independent
from pooledtrials.panels.interview_rows import cell_codes, patient_codes, refuse_no_columns
from pooledtrials.results import Test

_ROUNDING = 1e-6  # of linear programmes, in standard deviations
_CONVERGED = 1e-12  # of the deviance, so that coefficients do not depend on where the search began


@dataclass(frozen=True, eq=False)
class FollowUpPredictors:
    """What predicts that an interview is held, other things equal.

    Attributes
    ----------
    frame : one row per predictor: ``coefficient`` (log odds per unit), ``standard_error``,
        ``odds_ratio`` per unit, and ``odds_ratio_per_sd``
    test : Wald test that no predictor matters
    rows, held : planned interviews that the model describes, and how many were held
    certain : planned interviews in cells in which all or none were held, left out
    """

    frame: pd.DataFrame
    test: Test
    rows: int
    held: int
    certain: int

    def describe(self) -> str:
        """What the model says, in words."""
        strongest = self.frame["odds_ratio_per_sd"].map(np.log).abs().idxmax()
        ratio = self.frame.loc[strongest, "odds_ratio_per_sd"]
        left = f" ({self.certain} in cells without contrast left out)" if self.certain else ""
        return (
            f"{self.held} of {self.rows} planned interviews were held{left}. The strongest"
            f" predictor is {strongest}: one standard deviation more multiplies the odds of an"
            f" interview by {ratio:.3g}. {self.test}."
        )


def follow_up_predictors(
    observed: Columns,
    predictors: Columns,
    patients: Columns,
    waves: Columns | None = None,
    clusters: Columns | None = None,
    trials: Columns | None = None,
) -> FollowUpPredictors:
    """Logistic regression of being interviewed on baseline covariates and arm.

    Slopes are common to all rows, intercepts differ by trial and wave. Leave out the baseline
    interview, which all randomized patients gave.

    Parameters
    ----------
    observed : (n,) of 0 and 1, or bool
        Whether the planned interview was held, a row per patient and planned interview.
    predictors : (n, p)
        Known at randomization, without gaps.
    patients : (n,) labels
        Errors are clustered by patient (CR1) unless ``clusters`` are coarser.
    waves, clusters, trials : (n,) labels, optional

    Raises
    ------
    ValueError
        For unusable arguments, a predictor that is constant or a combination of others, separation,
        or if all or none of the interviews were held.
    """
    same_index(
        observed=observed, predictors=predictors, patients=patients, waves=waves,
        clusters=clusters, trials=trials,
    )  # fmt: skip
    event = zero_one(observed, "observed", may_be_constant=True)
    n = event.size
    matrix, names = numeric_columns(predictors, "predictors", n)
    refuse_no_columns(names, "predictors")
    cells, cell_names = cell_codes(trials, waves, n)
    groups = cluster_codes(clusters, n)
    groups = patient_codes(patients, trials, n) if groups is None else groups
    share = cell_shares(event, cells)
    open_rows = (share > 0) & (share < 1)
    if not open_rows.any():
        raise ValueError(
            "observed does not vary within any trial and wave: there is nothing to predict"
        )
    design = _design(matrix[open_rows], names, cells[open_rows], cell_names)
    if design.left_out:
        raise ValueError(
            f"predictors column {design.left_out[0]} is constant, or a linear combination of other"
            " columns and of trials and waves: leave it out"
        )
    fit = _fit(
        event[open_rows], design, "", cov_type="cluster", cov_kwds={"groups": groups[open_rows]}
    )
    k, spread = design.cells, design.spread
    slopes = fit.params[k:]
    covariance = fit.cov_params()[k:, k:]
    frame = pd.DataFrame(
        {
            "coefficient": slopes / spread,
            "standard_error": np.sqrt(np.diag(covariance)) / spread,
            "odds_ratio": np.exp(slopes / spread),
            "odds_ratio_per_sd": np.exp(slopes),
        },
        index=pd.Index(names, name="predictor"),
    )
    statistic = float(slopes @ np.linalg.solve(covariance, slopes))
    test = Test(
        "Wald test of the predictors",
        statistic,
        float(stats.chi2.sf(statistic, slopes.size)),
        f"chi2({slopes.size})",
        (float(slopes.size),),
        "no predictor changes the odds of an interview",
        "clustered",
    )
    rows, held = int(open_rows.sum()), int(event[open_rows].sum())
    return FollowUpPredictors(frame, test, rows, held, n - rows)


def response_probability(
    event: Vector,
    predictors: Matrix,
    names: Sequence[str],
    cells: Codes,
    cell_names: Sequence[str],
    where: str = "",
) -> tuple[Vector, tuple[str, ...]]:
    """Fitted probability of the event by row, and the predictors that carried no information.

    Where all rows of a cell have the event its probability is 1 and the cell is left out of the
    fit. Columns that are constant or dependent are left out too: fitted values stay the same.
    """
    share = cell_shares(event, cells)
    never = share == 0
    if never.any():
        cell = int(cells[never][0])
        whose = "" if len(cell_names) == 1 else f" of {cell_names[cell]}"
        raise ValueError(
            f"no row{whose} has the event: none stands for the others, so leave its"
            f" {int((cells == cell).sum())} rows out"
        )
    probability = np.ones(event.size)
    left_out: tuple[str, ...] = ()
    rows = share < 1
    if rows.any():
        design = _design(predictors[rows], names, cells[rows], cell_names, where)
        probability[rows] = _fit(event[rows], design, where).fittedvalues
        left_out = design.left_out
    return probability, left_out


def cell_shares(event: Vector, cells: Codes) -> Vector:
    """Each row's cell mean of the event; codes may have gaps."""
    return np.asarray(np.bincount(cells, event)[cells] / np.bincount(cells)[cells])


@dataclass(frozen=True, eq=False)
class Design:
    """Indicators of cells, then predictors centred and in standard deviations."""

    matrix: Matrix
    columns: tuple[str, ...]
    cells: int
    spread: Vector
    left_out: tuple[str, ...]


def _design(
    predictors: Matrix,
    names: Sequence[str],
    cells: Codes,
    cell_names: Sequence[str],
    where: str = "",
) -> Design:
    present, own = np.unique(cells, return_inverse=True)
    indicators = (own.reshape(-1)[:, None] == np.arange(present.size)).astype(float)
    spread = predictors.std(axis=0)
    # of a constant column only rounding is left after its mean
    varies = spread > COLLINEAR * np.abs(predictors).max(axis=0, initial=0.0)
    scaled = np.where(varies, predictors - predictors.mean(axis=0), 0.0)
    scaled = scaled / np.where(varies, spread, 1.0)
    matrix = np.column_stack([indicators, scaled])
    needed = present.size + int(varies.sum())
    if matrix.shape[0] <= needed:
        raise ValueError(
            f"predictors has {needed} columns with the intercepts, for {matrix.shape[0]}"
            f" rows{where}: give fewer"
        )
    scales = np.linalg.norm(matrix, axis=0)
    kept = independent(matrix, np.where(scales > 0, scales, 1.0))
    words = [cell_names[c] for c in present]
    return Design(
        matrix[:, kept],
        tuple(name for name, keep in zip([*words, *names], kept, strict=True) if keep),
        present.size,
        spread[kept[present.size :]],
        tuple(name for name, keep in zip(names, kept[present.size :], strict=True) if not keep),
    )


def _fit(event: Vector, design: Design, where: str, **covariance: Any) -> Any:
    responsible = _separating(event, design)
    if responsible:
        listed = ", ".join(responsible)
        raise ValueError(
            f"predictors separate the rows with the event from those without it{where}, in full or"
            f" in part, by {listed}: leave those out, merge rare categories, or model trials"
            " together"
        )
    model = sm.GLM(event, design.matrix, family=sm.families.Binomial())
    return model.fit(tol=_CONVERGED, **covariance)


def _separating(event: Vector, design: Design) -> tuple[str, ...]:
    """Columns of a combination that is never below 0 with the event and never above it without."""
    signed = np.where(event > 0, 1.0, -1.0)[:, None] * design.matrix
    n, k = signed.shape
    total, nothing = signed.sum(axis=0), np.zeros(n)
    found = optimize.linprog(-total, A_ub=-signed, b_ub=nothing, bounds=(-1, 1), method="highs")
    if -found.fun <= _ROUNDING * n:
        return ()
    # of all such combinations the one with the smallest sum of coefficients, which has few columns
    price = np.where(np.arange(k) < design.cells, 0.0, 1.0)
    smallest = optimize.linprog(
        np.tile(price, 2),
        A_ub=np.hstack([-signed, signed]),
        b_ub=nothing,
        A_eq=[[*total, *-total]],
        b_eq=[-found.fun],
        method="highs",
    )
    size = np.abs(smallest.x[:k] - smallest.x[k:])
    used = (size > _ROUNDING * size.max()) & (price > 0)
    return tuple(name for name, use in zip(design.columns, used, strict=True) if use)
