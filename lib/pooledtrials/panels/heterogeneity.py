"""Heterogeneity of trials: the variance tau^2 of their true effects, from estimates and errors.

Trial i estimates ``y_i ~ N(mu_i, v_i)`` with v_i known, and ``mu_i ~ N(mu, tau^2)``. With weights
``w_i = 1 / (v_i + tau^2)`` and their weighted mean m, every estimator here is a root in tau^2 of
something decreasing, or the first step towards one:

- Q(tau^2) = sum w (y - m)^2, whose expectation is k - 1 at the true tau^2 [paule1982consensus];
- at tau^2 = 0 it is Cochran's Q, and one moment step from there is [dersimonian1986meta];
- the score of the likelihood, restricted or not [viechtbauer2005bias].

A few trials say little about tau^2: `q_profile` is the interval that says how little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import optimize, stats

from pooledtrials.arguments import Vector, choice
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.results import Test

METHODS: Final = ("REML", "ML", "DL", "PM")
"""Restricted maximum likelihood, maximum likelihood, DerSimonian-Laird, Paule-Mandel."""

_GRID: Final = 400
"""Points at which a likelihood, which may have several peaks, is looked at before its climb."""


def inverse_variance_mean(effects: Vector, variances: Vector) -> tuple[float, float]:
    """Mean weighted by inverse variances, and its variance ``1 / sum(1 / v)``."""
    weights = 1 / variances
    total = float(weights.sum())
    return float(weights @ effects) / total, 1 / total


def generalized_q(effects: Vector, variances: Vector, tau_squared: float = 0.0) -> float:
    """Q(tau^2), weighted squares about the weighted mean; Cochran's Q at tau^2 = 0."""
    marginal = variances + tau_squared
    mean, _ = inverse_variance_mean(effects, marginal)
    return float(np.sum((effects - mean) ** 2 / marginal))


def cochran_q_test(effects: Vector, variances: Vector) -> Test:
    """Test that all trials have one effect, ``Q ~ chi2(k - 1)``; weak with few trials."""
    dof = effects.size - 1
    statistic = generalized_q(effects, variances)
    return Test(
        name="Cochran's Q",
        statistic=statistic,
        p_value=float(stats.chi2.sf(statistic, dof)),
        distribution=f"chi2({dof})",
        dof=(float(dof),),
        null="all trials have the same effect",
    )


def estimate_tau_squared(effects: Vector, variances: Vector, method: str) -> float:
    """Variance of true effects between trials, never negative.

    Parameters
    ----------
    effects, variances : (k,) arrays, k of at least two
        Estimate and squared standard error of each trial.
    method : one of `METHODS`
        ``"REML"`` and ``"ML"`` take the highest peak of the likelihood, wherever it is.

    Returns
    -------
    float
        In squared units of the effects; 0 where the estimates differ no more than their errors let
        them.
    """
    choice(method, "method", METHODS)
    if method == "DL":
        return _dersimonian_laird(effects, variances)
    if method == "PM":
        return _q_root(effects, variances, effects.size - 1)
    return _likelihood_peak(effects, variances, restricted=method == "REML")


def q_profile(effects: Vector, variances: Vector, level: float) -> ConfidenceSet:
    """Interval of tau^2: the values at which Q(tau^2) is no surprise [viechtbauer2007confidence].

    ``{t >= 0 : chi2 quantiles of (1 - level) / 2 and (1 + level) / 2 enclose Q(t)}``, k - 1 degrees
    of freedom: exact for normal estimates with known errors. It is empty when the estimates agree
    better than chance lets them.
    """
    tail = (1 - level) / 2
    highest, lowest = stats.chi2.isf(tail, effects.size - 1), stats.chi2.ppf(tail, effects.size - 1)
    if generalized_q(effects, variances) < lowest:
        return ConfidenceSet((), level)
    ends = tuple(_q_root(effects, variances, float(q)) for q in (highest, lowest))
    return ConfidenceSet(((ends[0], ends[1]),), level)


def typical_variance(variances: Vector) -> float:
    """Sampling variance of a typical trial, ``(k - 1) sum w / ((sum w)^2 - sum w^2)``, w = 1 / v.

    [higgins2002quantifying] With it ``I^2 = tau^2 / (tau^2 + typical)`` for any estimate of tau^2;
    with DerSimonian and Laird's it is ``(Q - (k - 1)) / Q``.
    """
    weights = 1 / variances
    total = weights.sum()
    return float((variances.size - 1) * total / (total**2 - weights @ weights))


def _dersimonian_laird(effects: Vector, variances: Vector) -> float:
    weights = 1 / variances
    excess = generalized_q(effects, variances) - (effects.size - 1)
    return max(0.0, excess / float(weights.sum() - weights @ weights / weights.sum()))


def _q_root(effects: Vector, variances: Vector, target: float) -> float:
    """Where the decreasing Q(tau^2) meets its target, or 0 if it starts below."""
    if generalized_q(effects, variances) <= target:
        return 0.0
    spread = float(np.sum((effects - effects.mean()) ** 2))
    # Q(t) < spread / t, so this is an end where Q is below the target
    return _root(lambda t: generalized_q(effects, variances, t) - target, 0.0, spread / target)


def _likelihood_peak(effects: Vector, variances: Vector, restricted: bool) -> float:
    """Highest peak in tau^2, found on a grid and refined as a root of the score."""
    k = effects.size
    spread = float(np.sum((effects - effects.mean()) ** 2))
    # Past `last` no weight is more than twice another, and the score is negative: its positive part
    # is at most spread / t^2, its negative part at least (k - 1) / (4 t).
    last = max(float(variances.max()), 4 * spread / (k - 1))
    grid = np.concatenate([[0.0], np.geomspace(float(variances.min()) / 1000, last, _GRID)])
    best = int(np.argmax([_log_likelihood(effects, variances, t, restricted) for t in grid]))

    def score(t: float) -> float:
        return _score(effects, variances, t, restricted)

    peak = float(grid[best])
    rising = score(peak) > 0
    if best == 0 and not rising:
        return 0.0
    if rising:
        return _root(score, peak, float(grid[best + 1]))
    return _root(score, float(grid[best - 1]), peak)


def _log_likelihood(effects: Vector, variances: Vector, t: float, restricted: bool) -> float:
    marginal = variances + t
    value = -np.sum(np.log(marginal)) - generalized_q(effects, variances, t)
    return float(value - restricted * np.log(np.sum(1 / marginal))) / 2


def _score(effects: Vector, variances: Vector, t: float, restricted: bool) -> float:
    """Derivative of the log-likelihood in tau^2, times two."""
    weights = 1 / (variances + t)
    mean, variance = inverse_variance_mean(effects, variances + t)
    squares = float(np.sum((weights * (effects - mean)) ** 2))
    return squares - float(weights.sum()) + restricted * float(weights @ weights) * variance


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high, xtol=1e-14 * high, rtol=1e-14))
