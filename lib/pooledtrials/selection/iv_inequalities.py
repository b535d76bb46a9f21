"""What an instrument's assumptions rule out in the data, and tests of it.

Exclusion and randomization of z cannot be verified, but they have consequences. Pearl's
instrumental inequality needs no more than those two [pearl1995testability]; with monotonicity
besides, nobody may have an outcome and an exposure together that become rarer where they should
become commoner [kitagawa2015test]. Data that pass prove nothing: many invalid instruments do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, stats

from pooledtrials.arguments import Columns, Matrix, finite, one_column, same_index, whole, zero_one
from pooledtrials.resampling import Seed, generator_of
from pooledtrials.results import Test

_MOST_CELLS: Final = 200
_SMALLEST_P: Final = 1e-12
_BINS: Final = 40


@dataclass(frozen=True)
class InstrumentValidity:
    """A test of what an instrument's assumptions imply.

    Attributes
    ----------
    test : statistic and p-value
    assumptions : what is rejected if it is, in words
    where : which part of the data comes nearest to contradicting them
    violated : whether this sample does, whatever its sampling error
    """

    test: Test
    assumptions: str
    where: str
    violated: bool

    def describe(self, alpha: float = 0.05) -> str:
        """What the test says, as a sentence."""
        p = f"p = {self.test.p_value:.3g}"
        if not self.violated:
            return (
                f"Nothing in this sample contradicts {self.assumptions}. That is no proof: many"
                " invalid instruments pass."
            )
        if self.test.p_value > alpha:
            return (
                f"This sample contradicts {self.assumptions} ({self.where}), but by no more than"
                f" chance can explain ({p})."
            )
        return (
            f"The data reject {self.assumptions} ({p}; {self.where}): at least one of them fails,"
            " and an effect estimated from this instrument is not to be believed."
        )


def instrumental_inequality(y: Columns, x: Columns, z: Columns) -> InstrumentValidity:
    """Exact test of Pearl's inequality, ``sum_y max_z P(y, x | z) <= 1`` at every exposure x.

    Exact lower confidence limits of every probability [clopper1934use], jointly valid (Bonferroni),
    are put into the sums; the p-value is the smallest level at which one of them exceeds 1. It
    keeps its size in any sample of independent people and is conservative.

    Parameters
    ----------
    y, x, z : (n,)
        Outcome, exposure and instrument, each with few distinct values.

    Raises
    ------
    ValueError
        For unusable arguments, or more than 200 combinations of values.
    """
    same_index(y=y, x=x, z=z)
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.size
    exposure = one_column(x, "x", "give one exposure", n)
    values = one_column(z, "z", "give one instrument", n)
    codes = [np.unique(v, return_inverse=True) for v in (values, exposure, outcome)]
    shape = tuple(levels.size for levels, _ in codes)
    if shape[0] < 2:
        raise ValueError("z is constant: an instrument must vary")
    cells = int(np.prod(shape))
    if cells > _MOST_CELLS:
        raise ValueError(
            f"y, x and z have {cells} combinations of values: group them into at most {_MOST_CELLS}"
        )
    counts = np.zeros(shape)
    np.add.at(counts, tuple(code for _, code in codes), 1.0)
    totals = np.broadcast_to(counts.sum(axis=(1, 2), keepdims=True), shape)
    sums = (counts / totals).max(axis=0).sum(axis=1)
    worst = int(sums.argmax())

    def excess(log_alpha: float) -> float:
        alpha = np.exp(log_alpha) / cells
        low = np.where(counts == 0, 0.0, stats.beta.ppf(alpha, counts, totals - counts + 1))
        return float(low.max(axis=0).sum(axis=1).max()) - 1

    p_value = 1.0
    if excess(np.log(_SMALLEST_P)) > 0:
        p_value = _SMALLEST_P
    elif excess(0.0) > 0:
        p_value = float(np.exp(optimize.brentq(excess, np.log(_SMALLEST_P), 0.0)))
    test = Test(
        "Pearl's instrumental inequality",
        float(sums[worst]),
        p_value,
        f"exact binomial limits, Bonferroni over {cells}",
        (float(cells),),
        "z is randomized and acts only through x",
    )
    level = codes[1][0][worst]
    return InstrumentValidity(
        test,
        "randomization and exclusion of the instrument",
        f"the sum is {sums[worst]:.4g} at exposure {level:g}, and may be at most 1",
        bool(sums[worst] > 1),
    )


def kitagawa_test(
    y: Columns, x: Columns, z: Columns, *, trim: float = 0.07, draws: int = 499, seed: Seed
) -> InstrumentValidity:
    """Kitagawa's test of exclusion, randomization and monotonicity of a binary instrument.

    For every interval B of outcomes ``P(y in B, x = 1 | z = 1)`` is at least that given z = 0, and
    ``P(y in B, x = 0 | z = 0)`` at least that given z = 1. The statistic is the largest violation
    over intervals, each over its standard error or ``trim`` if that is smaller; p-values by
    resampling both arms from the pooled sample, where the inequalities bind [kitagawa2015test].
    Assumes independent people. Outcomes with more than 40 distinct values are grouped by quantiles.

    Parameters
    ----------
    y : (n,)
        Outcome, of any kind.
    x, z : (n,) of 0 and 1
        Exposure and assignment; assignment raises the exposure.
    trim : least standard error of ``sqrt(n)`` times a difference, which keeps rare intervals quiet
    draws : resamples
    seed : of the resamples

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    if finite(trim, "trim") <= 0:
        raise ValueError(f"trim is {trim!r}: give a number above 0")
    draws = whole(draws, "draws", 1)
    same_index(y=y, x=x, z=z)
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.size
    exposure = zero_one(x, "x", n)
    assigned = zero_one(z, "z", n)
    edges = np.unique(outcome)
    if edges.size > _BINS:
        edges = np.unique(np.quantile(outcome, np.linspace(0, 1, _BINS + 1)[:-1]))
    bins = np.searchsorted(edges, outcome, side="right") - 1
    cell = (exposure * edges.size + bins).astype(int)
    sizes = (int(assigned.sum()), int(n - assigned.sum()))
    arms = [
        np.bincount(cell[assigned == a], minlength=2 * edges.size).astype(float).reshape(1, 2, -1)
        for a in (1, 0)
    ]
    gap = _violations(arms[0], arms[1], sizes, trim)[0]
    statistic = float(max(gap.max(), 0.0))
    pooled = np.bincount(cell, minlength=2 * edges.size) / n
    generator = generator_of(seed)
    drawn = [
        generator.multinomial(size, pooled, draws).astype(float).reshape(draws, 2, -1)
        for size in sizes
    ]
    gaps = _violations(drawn[0], drawn[1], sizes, trim).reshape(draws, -1)
    resampled = np.maximum(gaps.max(axis=1), 0.0)
    p_value = (1 + int((resampled >= statistic).sum())) / (draws + 1)
    d, first, last = np.unravel_index(int(gap.argmax()), gap.shape)
    top = outcome[bins == last - 1].max()
    test = Test(
        "Kitagawa's test",
        statistic,
        p_value,
        f"{draws} resamples of the pooled arms",
        (),
        "z is randomized, acts only through x, and never lowers it",
    )
    return InstrumentValidity(
        test,
        "randomization, exclusion and monotonicity of the instrument",
        f"outcomes from {edges[first]:.4g} to {top:.4g} with exposure {1 - d} are too rare where"
        f" z = {1 - d}",
        statistic > 0,
    )


def _violations(one: Matrix, zero: Matrix, sizes: tuple[int, int], trim: float) -> Matrix:
    """Standardized violations, (draws, exposure 1 then 0, first bin, last bin + 1); -inf if none.

    ``one`` and ``zero`` are counts (draws, exposure, bins) in the arms with z = 1 and z = 0.
    """
    m, n = sizes
    rate = np.sqrt(m * n / (m + n))
    found = []
    for exposure in (1, 0):
        p, q = (_interval_shares(arm[:, exposure], size) for arm, size in ((one, m), (zero, n)))
        gap = rate * (q - p) * (1 if exposure == 1 else -1)
        spread = np.sqrt(n / (m + n) * p * (1 - p) + m / (m + n) * q * (1 - q))
        found.append(gap / np.maximum(spread, trim))
    violations = np.stack(found, axis=1)
    bins = one.shape[2]
    empty = np.tril(np.ones((bins + 1, bins + 1), dtype=bool))
    violations[:, :, empty] = -np.inf
    return violations


def _interval_shares(counts: Matrix, size: int) -> Matrix:
    """Share of an arm in every run of bins, (draws, first, last + 1)."""
    below = np.zeros((counts.shape[0], counts.shape[1] + 1))
    below[:, 1:] = np.cumsum(counts, axis=1) / size
    return np.asarray(np.clip(below[:, None, :] - below[:, :, None], 0.0, 1.0))
