"""Regressions of a mean, linear or logit, and what a change in the exposure does to that mean.

A regression with inverse link ``g`` says ``E[y | row] = g(row @ b)``. The average marginal effect
is the mean over the rows at hand of the change in ``g``: from one value of the exposure to another,
everything else left as it is, or per unit at the row's own exposure. Errors are by the delta
method, with rows (so the covariates) taken as given, as statsmodels and Stata have it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import statsmodels.api as sm
from scipy import optimize, special
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    cluster_codes,
    numeric_columns,
)
from pooledtrials.clusters import cluster_sums, small_sample_factor
from pooledtrials.coding import labelled
from pooledtrials.panels.independence import independent, variation
from pooledtrials.results import Estimate

Contrast = tuple[float, float] | None
"""From one value of the exposure to another, or None for the effect per unit."""

_EDGE: Final = 1e-6
"""Predicted shares this near 0 or 1 raise the suspicion that they are on their way there."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of a regression: intercept, indicators of strata, controls, the exposure last.

    Attributes
    ----------
    matrix : (n, p) array
    names : of the p columns
    clusters : (n,) codes, or None
    """

    matrix: Matrix
    names: tuple[str, ...]
    clusters: Codes | None

    @property
    def covariance(self) -> str:
        """``"clustered"`` or ``"robust"``."""
        return "robust" if self.clusters is None else "clustered"

    @property
    def dof(self) -> int:
        """Clusters less one, or rows less columns."""
        n, p = self.matrix.shape
        return n - p if self.clusters is None else int(self.clusters.max())

    def at(self, exposure: float) -> Matrix:
        """The columns with the exposure of every row set to one value."""
        moved = self.matrix.copy()
        moved[:, -1] = exposure
        return moved

    def estimate(self, method: str, value: float, influence: Vector) -> Estimate:
        """An estimate with the error that its rows' influences give, HC1 or CR1."""
        sums, n, p = influence, *self.matrix.shape
        if self.clusters is not None:
            sums = cluster_sums(influence[:, None], self.clusters)[:, 0]
        groups = None if self.clusters is None else int(self.clusters.max()) + 1
        factor = small_sample_factor(self.covariance, n, p, groups, debiased=True)
        error = float(np.sqrt(factor * sums @ sums))
        return Estimate(method, value, error, self.covariance, n, self.dof)


def regression_rows(
    n: int, x: Columns, controls: Columns | None, clusters: Columns | None, strata: Columns | None
) -> Rows:
    """Check the arguments of a regression of n rows and lay out its columns."""
    exposure, exposure_names = numeric_columns(x, "x", n)
    if exposure.shape[1] != 1:
        raise ValueError(f"x has {exposure.shape[1]} columns: give one exposure")
    covariates, names = (
        (np.empty((n, 0)), ()) if controls is None else numeric_columns(controls, "controls", n)
    )
    groups = cluster_codes(clusters, n)
    cells, labels = labelled(strata, "strata", n)
    indicators = np.eye(len(labels))[cells][:, 1:]
    return Rows(
        np.column_stack([np.ones(n), indicators, covariates, exposure]),
        (
            "intercept",
            *(f"stratum {label}" for label in labels[1:]),
            *(f"controls column {name}" for name in names),
            "x" if exposure_names == ("x0",) else exposure_names[0],
        ),
        groups,
    )


@dataclass(frozen=True, eq=False)
class Regression:
    """Fitted coefficients and each row's influence on them.

    Attributes
    ----------
    coefficients : (p,) array
    influence : (n, p) array; 0 for rows that were left out of the fit
    logit : whether the inverse link is logistic, else the identity
    """

    coefficients: Vector
    influence: Matrix
    logit: bool

    def mean(self, matrix: Matrix) -> tuple[Vector, Vector, Vector]:
        """g, g' and g'' at each row."""
        index = matrix @ self.coefficients
        if not self.logit:
            return index, np.ones_like(index), np.zeros_like(index)
        share = special.expit(index)
        slope = share * (1 - share)
        return share, slope, slope * (1 - 2 * share)


@dataclass(frozen=True, eq=False)
class Moved:
    """A mean at each row, half-way through a contrast, and its change along it.

    With ``level`` the mid-point, the change of a product of two means is exactly
    ``change_1 level_2 + level_1 change_2``, for a step as for a derivative.

    Attributes
    ----------
    level, change : (n,) arrays
    level_gradient, change_gradient : (n, p) arrays, derivatives in the coefficients
    """

    level: Vector
    change: Vector
    level_gradient: Matrix
    change_gradient: Matrix


def moved(regression: Regression, rows: Rows, contrast: Contrast) -> Moved:
    """Level and change of a regression's mean at each row."""
    if contrast is None:
        level, slope, bend = regression.mean(rows.matrix)
        own = regression.coefficients[-1]
        gradient = (bend * own)[:, None] * rows.matrix
        gradient[:, -1] += slope
        return Moved(level, slope * own, slope[:, None] * rows.matrix, gradient)
    low, high = rows.at(contrast[0]), rows.at(contrast[1])
    before, before_slope, _ = regression.mean(low)
    after, after_slope, _ = regression.mean(high)
    before_gradient, after_gradient = before_slope[:, None] * low, after_slope[:, None] * high
    return Moved(
        (before + after) / 2,
        after - before,
        (before_gradient + after_gradient) / 2,
        after_gradient - before_gradient,
    )


def least_squares(y: Vector, rows: Rows) -> Regression:
    """Linear regression of all rows."""
    everyone = np.ones(y.size, dtype=bool)
    _refuse_dependent(rows, everyone, "y")
    coefficients = np.asarray(np.linalg.lstsq(rows.matrix, y, rcond=None)[0], dtype=float)
    residual = y - rows.matrix @ coefficients
    return Regression(
        coefficients, _influence(rows.matrix, np.ones(y.size), residual, everyone), logit=False
    )


def fractional_logit(
    y: Vector, rows: Rows, used: npt.NDArray[np.bool_], name: str, remedy: str
) -> Regression:
    """Quasi-likelihood logit of a share on the rows used [papke1996econometric].

    Consistent for the mean if it is logistic in the index, whatever the distribution: the errors
    are sandwich ones.

    Raises
    ------
    ValueError
        For collinear columns, or columns that separate shares of 0 or 1 from the others; it calls
        the outcome ``name`` and offers ``remedy``.
    """
    _refuse_dependent(rows, used, name)
    matrix, share = rows.matrix[used], y[used]
    with warnings.catch_warnings():
        # _separating, below, says it with the columns' names
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        fit = sm.GLM(share, matrix, family=sm.families.Binomial()).fit(tol=1e-10)
    mean = np.asarray(fit.fittedvalues)
    if np.any((mean < _EDGE) | (mean > 1 - _EDGE)):
        columns = _separating(share, matrix, rows.names)
        if columns:
            raise ValueError(
                f"{name} is separated: {', '.join(columns)} tell the rows in which it is at a"
                " bound, in full or in part, so that no logit fits best; merge strata in which it"
                f" does not vary, leave those columns out, or {remedy}"
            )
    if not fit.converged:
        raise ValueError(f"{name} has no logit fit that converges: use fewer columns, or {remedy}")
    slope = mean * (1 - mean)
    coefficients = np.asarray(fit.params)
    return Regression(coefficients, _influence(matrix, slope, share - mean, used), logit=True)


def _influence(
    matrix: Matrix, slope: Vector, residual: Vector, used: npt.NDArray[np.bool_]
) -> Matrix:
    """Rows' influence on coefficients, ``(sum slope x x')^-1 x residual``."""
    bread = np.linalg.inv((slope[:, None] * matrix).T @ matrix)
    influence = np.zeros((used.size, matrix.shape[1]))
    influence[used] = residual[:, None] * matrix @ bread
    return influence


def _refuse_dependent(rows: Rows, used: npt.NDArray[np.bool_], name: str) -> None:
    matrix = rows.matrix[used]
    n, p = matrix.shape
    if n <= p:
        raise ValueError(f"{name} has {n} rows for {p} columns: use fewer columns or more rows")
    kept = independent(matrix[:, 1:] - matrix[:, 1:].mean(axis=0), variation(rows.matrix[:, 1:]))
    dependent = [column for column, keep in zip(rows.names[1:], kept, strict=True) if not keep]
    if dependent:
        raise ValueError(
            f"{', '.join(dependent)} is constant, or a combination of the columns before it, in the"
            f" {n} rows of {name}: drop it, or merge strata"
        )


def _separating(share: Vector, matrix: Matrix, names: tuple[str, ...]) -> list[str]:
    """Columns of a direction along which the likelihood never falls, if there is one."""
    sizes = np.abs(matrix).max(axis=0)
    scaled = matrix / np.where(sizes > 0, sizes, 1.0)
    zero, one = share == 0, share == 1
    between = ~zero & ~one
    gain = scaled[one].sum(axis=0) - scaled[zero].sum(axis=0)
    found = optimize.linprog(
        -gain,
        A_ub=np.vstack([scaled[zero], -scaled[one]]),
        b_ub=np.zeros(int(zero.sum() + one.sum())),
        A_eq=scaled[between],
        b_eq=np.zeros(int(between.sum())),
        bounds=(-1, 1),
        method="highs",
    )
    if -found.fun <= _EDGE * share.size:
        return []
    return [name for name, size in zip(names, np.abs(found.x), strict=True) if size > _EDGE]
