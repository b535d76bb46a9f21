"""Rosenbaum bounds for matched pairs: how far from randomized the choice in a pair may be.

Two matched people may differ in an unobserved covariate, so that the odds of exposure of one are at
most Gamma times those of the other. Gamma = 1 is a randomized experiment within pairs. For each
Gamma the p-value of a rank or sign test lies between two bounds, and so does the estimate
[rosenbaum1987sensitivity] [rosenbaum1993hodges] [rosenbaum2002observational].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from pooledtrials.arguments import Columns, Vector, choice, finite, fraction, one_column

DEFAULT_GAMMAS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
_LARGEST = 1e6  # a conclusion that survives a larger Gamma is said to survive any


@dataclass(frozen=True, eq=False)
class SensitivityBounds:
    """Bounds on a one-sided p-value, one pair per Gamma.

    Attributes
    ----------
    test : what was tested with, and how p-values were computed
    gammas, lower, upper : arrays of one length; ``upper`` is the p-value in the worst case
    statistic : the test's statistic
    units : pairs or sets that count, in words
    bound : the worst-case p-value as a function of Gamma
    """

    test: str
    gammas: Vector
    lower: Vector
    upper: Vector
    statistic: float
    units: str
    bound: Callable[[float], float]

    def tolerated(self, alpha: float = 0.05) -> float:
        """The largest Gamma at which the worst-case p-value is still at most ``alpha``.

        1 or more; ``nan`` if there is no significance even at Gamma = 1; infinite if no Gamma up to
        a million undoes it.
        """
        fraction(alpha, "alpha")
        if self.bound(1.0) > alpha:
            return math.nan
        if self.bound(_LARGEST) <= alpha:
            return math.inf
        root = optimize.brentq(
            lambda log_gamma: self.bound(math.exp(log_gamma)) - alpha, 0.0, math.log(_LARGEST)
        )
        return math.exp(float(root))

    def to_frame(self) -> pd.DataFrame:
        """p-value bounds, a row per Gamma."""
        columns = {"p_lower": self.lower, "p_upper": self.upper}
        return pd.DataFrame(columns, index=pd.Index(self.gammas, name="gamma"))

    def describe(self, alpha: float = 0.05) -> str:
        """What the bounds mean, as a sentence."""
        gamma = self.tolerated(alpha)
        if math.isnan(gamma):
            return (
                f"{self.test}, {self.units}: not significant at {alpha:g} even if exposure were as"
                f" good as randomized among matched people (p = {self.bound(1.0):.3g}): there is no"
                " finding for hidden bias to explain away."
            )
        if math.isinf(gamma):
            return f"{self.test}, {self.units}: no hidden bias of this kind undoes the finding."
        return (
            f"{self.test}, {self.units}: significant at {alpha:g} as long as no unobserved"
            f" covariate multiplies the odds of exposure by more than {gamma:.3g} between matched"
            " people; a larger one that also predicts the outcome almost perfectly could explain"
            " the finding away."
        )


def signed_rank_bounds(
    differences: Columns,
    gammas: Sequence[float] = DEFAULT_GAMMAS,
    *,
    alternative: str = "greater",
    zeros: str = "dropped",
    method: str = "normal",
) -> SensitivityBounds:
    """Bounds on the p-value of Wilcoxon's signed-rank test of no effect.

    Under Gamma the statistic, the sum of the ranks of positive differences, is at most a sum of
    independent ranks that count with probability ``Gamma / (1 + Gamma)`` and at least one with
    ``1 / (1 + Gamma)`` [rosenbaum1987sensitivity].

    Parameters
    ----------
    differences : (n,)
        Exposed less unexposed, one per pair, in outcome units. Equal absolute differences share
        their mean rank.
    gammas : each at least 1
    alternative : ``"greater"`` (exposure raises the outcome) or ``"less"``
    zeros : what to do with differences of zero: ``"dropped"``, they are left out before ranking
        (Wilcoxon, R's rbounds); ``"pratt"``, they are ranked and then left out [pratt1959remarks],
        as in Rosenbaum's book
    method : ``"normal"``, without continuity correction, or ``"exact"``, the exact distribution
        given the (tied) ranks

    Raises
    ------
    ValueError
        For unusable arguments, or differences that are all zero.
    """
    choice(zeros, "zeros", ("dropped", "pratt"))
    choice(method, "method", ("normal", "exact"))
    values = _differences(differences, alternative)
    if zeros == "dropped":
        values = values[values != 0]
    ranks = stats.rankdata(np.abs(values))
    statistic = float(ranks[values > 0].sum())
    if zeros == "pratt":
        ranks = ranks[values != 0]
    tail = _normal_tail if method == "normal" else _exact_tail
    return bounds_at(
        f"signed-rank test ({method})",
        gammas,
        statistic,
        f"{ranks.size} pairs",
        lambda gamma: tail(statistic, ranks, gamma / (1 + gamma)),
    )


def mcnemar_bounds(
    exposed_only: int, unexposed_only: int, gammas: Sequence[float] = DEFAULT_GAMMAS
) -> SensitivityBounds:
    """Bounds on the exact p-value of McNemar's test for pairs with a binary outcome.

    Only discordant pairs count: the number in which the exposed one has the event is at most
    binomial with probability ``Gamma / (1 + Gamma)`` [rosenbaum2002observational].

    Parameters
    ----------
    exposed_only, unexposed_only : discordant pairs in which only that member has the event
    gammas : each at least 1

    Raises
    ------
    ValueError
        For counts that are not whole numbers of at least 0, or no discordant pair.
    """
    for name, count in (("exposed_only", exposed_only), ("unexposed_only", unexposed_only)):
        if finite(count, name) < 0 or count != int(count):
            raise ValueError(f"{name} is {count!r}: give a number of pairs")
    pairs = int(exposed_only) + int(unexposed_only)
    if pairs == 0:
        raise ValueError("exposed_only and unexposed_only are 0: no pair is discordant")
    return bounds_at(
        "McNemar's test (exact)",
        gammas,
        float(exposed_only),
        f"{pairs} discordant pairs",
        lambda gamma: float(stats.binom.sf(exposed_only - 1, pairs, gamma / (1 + gamma))),
    )


def hodges_lehmann_bounds(
    differences: Columns, gammas: Sequence[float] = DEFAULT_GAMMAS
) -> pd.DataFrame:
    """Bounds on the Hodges-Lehmann estimate of a constant effect [rosenbaum1993hodges].

    The estimate is the shift at which the signed-rank statistic meets its expectation, which under
    Gamma is anything between ``m / (1 + Gamma)`` and ``m Gamma / (1 + Gamma)``, with
    ``m = n (n + 1) / 2`` Walsh averages. Its bounds are therefore quantiles of the Walsh averages,
    found by sorting. Differences of zero are data like others here. R's rbounds starts from an
    estimate without them and steps by 0.1 until it has passed the bound, so it can differ by a
    step, and more at Gamma = 1.

    Parameters
    ----------
    differences : (n,)
        Exposed less unexposed, one per pair, in outcome units.
    gammas : each at least 1

    Returns
    -------
    DataFrame
        ``lower`` and ``upper`` in outcome units, a row per Gamma; equal at Gamma = 1.

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    values = _differences(differences, "greater", zero_allowed=True)
    first, second = np.triu_indices(values.size)
    walsh = np.sort((values[first] + values[second]) / 2)
    levels = checked_gammas(gammas)
    columns = {
        "lower": [_crossing(walsh, walsh.size * g / (1 + g)) for g in levels],
        "upper": [_crossing(walsh, walsh.size / (1 + g)) for g in levels],
    }
    return pd.DataFrame(columns, index=pd.Index(levels, name="gamma"))


def amplification(gamma: float, with_exposure: float) -> float:
    """The Delta that makes (Lambda, Delta) equivalent to Gamma [rosenbaum2009amplification].

    A covariate that multiplies the odds of exposure by Lambda and the odds of a positive pair
    difference by Delta is as bad as ``Gamma = (Lambda Delta + 1) / (Lambda + Delta)``; solved,
    ``Delta = (Gamma Lambda - 1) / (Lambda - Gamma)``.

    Parameters
    ----------
    gamma : above 1
    with_exposure : Lambda, above gamma

    Raises
    ------
    ValueError
        Otherwise: a Lambda of at most Gamma needs an infinite Delta.
    """
    if finite(gamma, "gamma") <= 1:
        raise ValueError(f"gamma is {gamma!r}: give a number above 1")
    if finite(with_exposure, "with_exposure") <= gamma:
        raise ValueError(
            f"with_exposure is {with_exposure!r}: give a number above gamma ({gamma:g}); at or"
            " below it no association with the outcome is strong enough"
        )
    return (gamma * with_exposure - 1) / (with_exposure - gamma)


def _differences(values: Columns, alternative: str, zero_allowed: bool = False) -> Vector:
    choice(alternative, "alternative", ("greater", "less"))
    array = one_column(values, "differences", "give one difference per pair")
    if not zero_allowed and not array.any():
        raise ValueError("differences are all 0: there is nothing to rank")
    return array if alternative == "greater" else -array


def checked_gammas(gammas: Sequence[float]) -> Vector:
    """Values of Gamma as an array, each at least 1."""
    given = np.asarray(gammas)
    if given.dtype.kind not in "iuf":
        raise ValueError(f"gammas is {gammas!r}: give a list of numbers of at least 1")
    levels = np.atleast_1d(given.astype(float))
    if levels.ndim != 1 or levels.size == 0:
        raise ValueError(f"gammas has shape {levels.shape}: give a list of numbers of at least 1")
    bad = levels[~(np.isfinite(levels) & (levels >= 1))]
    if bad.size:
        raise ValueError(f"gammas holds {bad[0]:g}: give numbers of at least 1")
    return levels


def bounds_at(
    test: str,
    gammas: Sequence[float],
    statistic: float,
    units: str,
    tail: Callable[[float], float],
) -> SensitivityBounds:
    """Evaluate a p-value that grows with the odds of a positive pair, at odds Gamma and 1/Gamma."""
    levels = checked_gammas(gammas)
    lower = np.array([tail(1 / g) for g in levels])
    upper = np.array([tail(g) for g in levels])
    return SensitivityBounds(test, levels, lower, upper, statistic, units, tail)


def _normal_tail(statistic: float, ranks: Vector, probability: float) -> float:
    mean = probability * float(ranks.sum())
    variance = probability * (1 - probability) * float(ranks @ ranks)
    return float(stats.norm.sf((statistic - mean) / math.sqrt(variance)))


def _exact_tail(statistic: float, ranks: Vector, probability: float) -> float:
    """P(sum of ranks that count >= statistic), adding one pair at a time to its distribution."""
    doubled = np.rint(2 * ranks).astype(int)  # mean ranks of ties are half-integers
    distribution = np.zeros(int(doubled.sum()) + 1)
    distribution[0] = 1.0
    reached = 0
    for rank in doubled:
        shifted = probability * distribution[: reached + 1]
        distribution[: reached + 1] *= 1 - probability
        distribution[rank : reached + 1 + rank] += shifted
        reached += int(rank)
    return float(min(1.0, distribution[round(2 * statistic) :].sum()))


def _crossing(walsh: Vector, above: float) -> float:
    """The shift that leaves ``above`` Walsh averages above it, the middle one if many do."""
    place = walsh.size - above
    near = round(place)
    if abs(place - near) < 1e-9 * walsh.size and 0 < near < walsh.size:
        return float((walsh[near - 1] + walsh[near]) / 2)
    return float(walsh[min(max(math.ceil(place), 1), walsh.size) - 1])
