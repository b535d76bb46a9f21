"""Sensitivity of M-statistics to hidden bias, for matched pairs and sets with several controls.

Differences within a set are bounded by a psi function, so outliers count for no more than others,
and the permutation distribution of their sum is bounded for each Gamma [rosenbaum2007sensitivity].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from pooledtrials.arguments import Columns, Matrix, Vector, choice, fraction, numeric_columns
from pooledtrials.selection.rosenbaum import DEFAULT_GAMMAS, SensitivityBounds, bounds_at


def m_statistic_bounds(
    outcomes: Columns,
    gammas: Sequence[float] = DEFAULT_GAMMAS,
    *,
    inner: float = 0.0,
    trim: float = 2.5,
    quantile: float = 0.5,
    alternative: str = "greater",
) -> SensitivityBounds:
    """Bounds on the one-sided p-value of Huber's M-statistic in matched sets of one size.

    Each member's score is the mean over its set of ``psi((own - other) / h)``, h the ``quantile``
    of all absolute differences within sets, ``psi(a) = sign(a) clip(|a| - inner, 0, trim - inner)``
    over ``trim - inner``. The statistic is the sum of the exposed members' scores. In each set the
    largest expectation under Gamma comes from giving the a lowest scores odds 1 and the others
    odds Gamma, for the best a; among equal expectations the largest variance is taken (asymptotic
    separability [gastwirth2000asymptotic]). Normal approximation: sets should be many.

    Parameters
    ----------
    outcomes : (n,) or (n, J)
        Differences exposed less unexposed, one per pair; or outcomes, a row per set, the exposed
        member's first.
    gammas : each at least 1
    inner, trim : where psi starts and stops growing, in units of h; ``inner=0, trim=inf`` permutes
        the differences themselves
    quantile : which quantile of absolute differences is the unit h; the median by default
    alternative : ``"greater"`` (exposure raises the outcome) or ``"less"``

    Raises
    ------
    ValueError
        For unusable arguments, or a unit h of zero.
    """
    choice(alternative, "alternative", ("greater", "less"))
    if not 0 <= inner < trim:
        raise ValueError(f"inner is {inner!r} and trim {trim!r}: give 0 <= inner < trim")
    values, _ = numeric_columns(outcomes, "outcomes")
    if values.shape[1] == 1:
        values = np.column_stack([values / 2, -values / 2])
    if alternative == "less":
        values = -values
    scores = _scores(values, inner, trim, fraction(quantile, "quantile"))
    if not scores.any():
        raise ValueError(
            f"outcomes have no difference within a set that counts with inner={inner:g}: give sets"
            " that differ, or a smaller inner"
        )
    statistic = float(scores[:, 0].sum())
    ordered = np.sort(scores, axis=1)

    def tail(gamma: float) -> float:
        # the smallest expectation is the largest one of the scores turned round
        if gamma < 1:
            mean, variance = _largest(-ordered[:, ::-1], 1 / gamma)
            mean = -mean
        else:
            mean, variance = _largest(ordered, gamma)
        return float(stats.norm.sf((statistic - mean) / math.sqrt(variance)))

    size = values.shape[1]
    units = f"{values.shape[0]} pairs" if size == 2 else f"{values.shape[0]} sets of {size}"
    return bounds_at("M-statistic", gammas, statistic, units, tail)


def _scores(values: Matrix, inner: float, trim: float, quantile: float) -> Matrix:
    """Each member's score against the others of its set, (n, J); the scores of a set sum to 0."""
    gaps = values[:, :, None] - values[:, None, :]
    off = ~np.eye(values.shape[1], dtype=bool)
    if math.isinf(trim) and inner == 0:
        return np.asarray(gaps.sum(axis=2) / values.shape[1])
    unit = float(np.quantile(np.abs(gaps[:, off]), quantile))
    if unit == 0:
        raise ValueError(
            f"outcomes differ by 0 within sets at quantile {quantile:g}: raise the quantile"
        )
    size = np.clip(np.abs(gaps) / unit - inner, 0.0, trim - inner)
    if math.isfinite(trim):
        size = size / (trim - inner)
    return np.asarray((np.sign(gaps) * size).sum(axis=2) / values.shape[1])


def _largest(ordered: Matrix, gamma: float) -> tuple[float, float]:
    """Largest expectation of the sum, and its variance; scores ascend within rows."""
    n, size = ordered.shape
    best_mean, best_variance = np.full(n, -np.inf), np.zeros(n)
    for low in range(1, size):
        odds = np.where(np.arange(size) < low, 1.0, gamma)
        weights: Vector = odds / odds.sum()
        mean = ordered @ weights
        variance = ordered**2 @ weights - mean**2
        tie = np.isclose(mean, best_mean, rtol=1e-12, atol=1e-12 * float(np.abs(ordered).max()))
        better = np.where(tie, variance > best_variance, mean > best_mean)
        best_mean = np.where(better, mean, best_mean)
        best_variance = np.where(better, variance, best_variance)
    return float(best_mean.sum()), float(best_variance.sum())
