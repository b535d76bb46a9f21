"""Sharp bounds for a binary outcome and exposure with an instrument of a few levels.

With exclusion and a randomized instrument, and nothing else, people differ in how their exposure
responds to the instrument and their outcome to the exposure: ``2^K`` times 4 response types for an
instrument of K levels. Their shares are not known, but they must add up to the probabilities that
are, so the smallest and largest effect are the two ends of a linear program [balke1997bounds]. If
no shares do, the data contradict the instrument.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

from pooledtrials.arguments import (
    Columns,
    Matrix,
    Vector,
    fraction,
    one_column,
    same_index,
    zero_one,
)
from pooledtrials.confidence_set import ConfidenceSet

Table = npt.NDArray[np.float64]

_MOST_LEVELS = 6
_TOLERANCE = 1e-6  # probabilities typed with few digits need not add up to one any better


@dataclass(frozen=True, eq=False)
class BalkePearl:
    """Bounds on the effect and on the mean outcome under either exposure.

    Attributes
    ----------
    probabilities : (K, 2, 2) array, P(x, y | z) indexed [z, x, y]
    counts : the same as numbers of people, None if only probabilities were given
    monotone : whether nobody was allowed to be exposed less at a higher z
    effect : bounds on E[y(1)] - E[y(0)], ``nan`` if refuted
    mean_unexposed, mean_exposed : bounds on E[y(0)] and E[y(1)]
    """

    probabilities: Table
    counts: Table | None
    monotone: bool
    effect: tuple[float, float] = field(init=False)
    mean_unexposed: tuple[float, float] = field(init=False)
    mean_exposed: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        program = _program(self.probabilities.shape[0], self.monotone)
        p = self.probabilities.reshape(-1)
        for name, weights in (
            ("effect", program.exposed - program.unexposed),
            ("mean_unexposed", program.unexposed),
            ("mean_exposed", program.exposed),
        ):
            object.__setattr__(self, name, _extremes(program, weights, p, p))

    @property
    def refuted(self) -> bool:
        """Whether no response types give these probabilities."""
        return math.isnan(self.effect[0])

    def interval(self, level: float = 0.95) -> ConfidenceSet:
        """Confidence interval for the effect, valid in any sample; empty if the data reject.

        Exact limits for each of the 4K probabilities [clopper1934use], together of the level asked
        for (Bonferroni), and the linear program over all probabilities within them. It covers the
        whole identified set, so it is conservative for the effect. It assumes independent people.

        Raises
        ------
        ValueError
            If only probabilities are known.
        """
        if self.counts is None:
            raise ValueError(
                "probabilities alone have no sampling error: give y, x and z to balke_pearl_bounds"
            )
        program = _program(self.probabilities.shape[0], self.monotone)
        share = (1 - fraction(level, "level")) / self.counts.size
        total = np.broadcast_to(self.counts.sum(axis=(1, 2), keepdims=True), self.counts.shape)
        low, high = clopper_pearson(self.counts, total, share)
        ends = _extremes(
            program, program.exposed - program.unexposed, low.reshape(-1), high.reshape(-1)
        )
        return ConfidenceSet((ends,) if not math.isnan(ends[0]) else (), level)

    def to_frame(self) -> pd.DataFrame:
        """Lower and upper bounds, a row per quantity."""
        rows = {
            "E[y(1)] - E[y(0)]": self.effect,
            "E[y(0)]": self.mean_unexposed,
            "E[y(1)]": self.mean_exposed,
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["lower", "upper"])

    def describe(self) -> str:
        """What the bounds say, and on what they rest."""
        given = "With a randomized instrument that acts only through the exposure"
        if self.monotone:
            given += " and never lowers it"
        if self.refuted:
            return (
                f"{given}, no mix of people gives these frequencies: the instrument's assumptions"
                " fail in this sample (whether by more than chance, `instrumental_inequality` and"
                " `interval` say)."
            )
        low, high = self.effect
        verdict = "its sign stays open" if low <= 0 <= high else "its sign is known"
        return (
            f"{given}, the exposure changes the probability of the outcome by {low:.4g} to"
            f" {high:.4g} on average over everybody, compliers or not: {verdict}, and no further"
            " assumption was made."
        )


def balke_pearl_bounds(y: Columns, x: Columns, z: Columns, *, monotone: bool = False) -> BalkePearl:
    """Sharp bounds on the mean effect of a binary exposure, with a discrete instrument.

    Parameters
    ----------
    y, x : (n,) of 0 and 1
        Outcome and exposure.
    z : (n,)
        Instrument with 2 to 6 distinct values; assumed independent of response types (randomized)
        and without direct effect on y.
    monotone : whether a higher z never lowers anyone's exposure

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    same_index(y=y, x=x, z=z)
    outcome = zero_one(y, "y", may_be_constant=True)
    n = outcome.size
    exposure = zero_one(x, "x", n, may_be_constant=True)
    values = one_column(z, "z", "give one instrument", n)
    levels = np.unique(values)
    if not 2 <= levels.size <= _MOST_LEVELS:
        raise ValueError(f"z has {levels.size} distinct values: give 2 to {_MOST_LEVELS}")
    counts = np.zeros((levels.size, 2, 2))
    place = np.searchsorted(levels, values)
    np.add.at(counts, (place, exposure.astype(int), outcome.astype(int)), 1.0)
    return BalkePearl(counts / counts.sum(axis=(1, 2), keepdims=True), counts, monotone)


def balke_pearl_from_probabilities(
    probabilities: npt.ArrayLike, *, monotone: bool = False
) -> BalkePearl:
    """The same from P(x, y | z), an array (K, 2, 2) indexed [z, x, y].

    Raises
    ------
    ValueError
        If they are not probabilities that add up to one for each z.
    """
    table = np.asarray(probabilities, dtype=float)
    if table.ndim != 3 or table.shape[1:] != (2, 2) or not 2 <= table.shape[0] <= _MOST_LEVELS:
        raise ValueError(
            f"probabilities has shape {table.shape}: give (K, 2, 2), indexed [z, x, y], with K from"
            f" 2 to {_MOST_LEVELS}"
        )
    sums = table.sum(axis=(1, 2))
    if not np.all(table >= 0) or np.abs(sums - 1).max() > _TOLERANCE:
        raise ValueError(
            f"probabilities add up to {sums} for each z: give numbers that add up to 1"
        )
    return BalkePearl(table / sums[:, None, None], None, monotone)


def clopper_pearson(counts: Table, totals: Table, alpha: float) -> tuple[Table, Table]:
    """Exact two-sided limits of binomial probabilities, each with error ``alpha``."""
    low = stats.beta.ppf(alpha / 2, counts, totals - counts + 1)
    high = stats.beta.isf(alpha / 2, counts + 1, totals - counts)
    return np.where(counts == 0, 0.0, low), np.where(counts == totals, 1.0, high)


@dataclass(frozen=True, eq=False)
class _Program:
    """Response types: what each contributes to the probabilities and to the two means."""

    rows: Matrix  # (4K, types)
    unexposed: Vector
    exposed: Vector


def _program(levels: int, monotone: bool) -> _Program:
    responses = [
        r for r in itertools.product((0, 1), repeat=levels) if not monotone or list(r) == sorted(r)
    ]
    types = list(itertools.product(responses, itertools.product((0, 1), repeat=2)))
    rows = np.zeros((levels, 2, 2, len(types)))
    for j, (exposures, outcomes) in enumerate(types):
        for z, x in enumerate(exposures):
            rows[z, x, outcomes[x], j] = 1.0
    means = np.array([outcomes for _, outcomes in types], dtype=float)
    return _Program(rows.reshape(4 * levels, -1), means[:, 0], means[:, 1])


def _extremes(program: _Program, weights: Vector, low: Vector, high: Vector) -> tuple[float, float]:
    """Least and largest value over shares of types that give probabilities within limits."""
    ends = []
    for sign in (1.0, -1.0):
        if np.array_equal(low, high):
            constraints = {"A_eq": program.rows, "b_eq": low}
        else:
            constraints = {
                "A_ub": np.vstack([program.rows, -program.rows]),
                "b_ub": np.concatenate([high, -low]),
                "A_eq": np.ones((1, weights.size)),
                "b_eq": np.ones(1),
            }
        found = optimize.linprog(sign * weights, bounds=(0, None), method="highs", **constraints)
        if found.status == 2:
            return math.nan, math.nan
        if found.status != 0:
            raise RuntimeError(f"the linear program failed: {found.message}")
        ends.append(sign * float(found.fun))
    return ends[0], ends[1]
