"""A confidence set as it is: empty, an interval, two rays, the whole line, any union.

A test that keeps its size with weak instruments must be able to say "any effect at all"
[dufour1997impossibility], so the set it inverts to cannot always be an interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pooledtrials.arguments import fraction

Interval = tuple[float, float]


@dataclass(frozen=True)
class ConfidenceSet:
    """A union of disjoint closed intervals, end points possibly infinite.

    Parameters
    ----------
    intervals : pairs (lower, upper)
        Touching or overlapping pairs are joined, and they are sorted.
    level : confidence level, such as 0.95
    resolution : float
        0 if the end points are roots of a polynomial, or of an interpolant that converged
        everywhere. Otherwise pieces narrower than this, as an angle in radians on the circle
        ``effect = centre + scale * tan(angle)``, could have been missed.
    """

    intervals: tuple[Interval, ...]
    level: float
    resolution: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        fraction(self.level, "level")
        joined: list[Interval] = []
        for lower, upper in sorted((float(a), float(b)) for a, b in self.intervals):
            if math.isnan(lower) or math.isnan(upper) or lower > upper:
                raise ValueError(
                    f"intervals holds ({lower}, {upper}): give numbers with lower <= upper"
                )
            if joined and lower <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(upper, joined[-1][1]))
            else:
                joined.append((lower, upper))
        object.__setattr__(self, "intervals", tuple(joined))

    @property
    def kind(self) -> str:
        """``empty``, ``interval``, ``half line``, ``two rays``, ``whole line`` or ``union``."""
        if not self.intervals:
            return "empty"
        left, right = self.intervals[0][0] == -math.inf, self.intervals[-1][1] == math.inf
        if len(self.intervals) == 1:
            return ("interval", "half line", "whole line")[left + right]
        return "two rays" if len(self.intervals) == 2 and left and right else "union"

    @property
    def bounded(self) -> bool:
        """Whether no end point is infinite (the empty set is bounded)."""
        return all(math.isfinite(v) for pair in self.intervals for v in pair)

    @property
    def end_points(self) -> tuple[float, ...]:
        """The finite end points in ascending order."""
        return tuple(v for pair in self.intervals for v in pair if math.isfinite(v))

    @property
    def length(self) -> float:
        """Total length, infinite if unbounded."""
        return math.fsum(b - a for a, b in self.intervals)

    def contains(self, value: npt.ArrayLike) -> Any:
        """Whether the set holds ``value``: a bool, or an array of them for an array."""
        points = np.asarray(value, dtype=float)
        inside = np.zeros(points.shape, dtype=bool)
        for lower, upper in self.intervals:
            inside |= (points >= lower) & (points <= upper)
        return inside if points.ndim else bool(inside)

    def union(self, other: ConfidenceSet) -> ConfidenceSet:
        """Values in either set, at this set's level."""
        return self._with((*self.intervals, *other.intervals), other)

    def intersection(self, other: ConfidenceSet) -> ConfidenceSet:
        """Values in both sets, at this set's level."""
        pairs = [
            (max(a, c), min(b, d))
            for a, b in self.intervals
            for c, d in other.intervals
            if max(a, c) <= min(b, d)
        ]
        return self._with(pairs, other)

    def is_subset(self, other: ConfidenceSet) -> bool:
        """Whether every value of this set is in the other."""
        return all(any(c <= a and b <= d for c, d in other.intervals) for a, b in self.intervals)

    def complement(self) -> ConfidenceSet:
        """The closure of what the set leaves out."""
        edges = [-math.inf, *(v for pair in self.intervals for v in pair), math.inf]
        gaps = zip(edges[::2], edges[1::2], strict=True)
        return self._with([(a, b) for a, b in gaps if a < b], self)

    def shifted_and_scaled(self, shift: float, scale: float) -> ConfidenceSet:
        """The set of ``shift + scale * value``, with ``scale`` not zero."""
        moved = ((shift + scale * a, shift + scale * b) for a, b in self.intervals)
        return self._with([(min(pair), max(pair)) for pair in moved], self)

    def _with(self, intervals: Iterable[Interval], other: ConfidenceSet) -> ConfidenceSet:
        resolution = max(self.resolution, other.resolution)
        return ConfidenceSet(tuple(intervals), self.level, resolution)

    def __str__(self) -> str:
        if not self.intervals:
            return "empty"
        return " and ".join(_bracket(pair, "{:.4g}") for pair in self.intervals)

    def describe(self) -> str:
        """What the set says, as a sentence."""
        share = f"{100 * self.level:g} %"
        match self.kind:
            case "empty":
                return (
                    f"No effect is consistent with the data at the {share} level: the model itself"
                    " (such as the exclusion restriction) is rejected."
                )
            case "whole line":
                return (
                    f"At the {share} level the data are consistent with any effect at all: the"
                    " instruments say nothing about its size."
                )
            case "interval":
                return f"At the {share} level the data are consistent with effects in {self}."
            case "half line":
                lower, upper = self.intervals[0]
                side = f"from {lower:.4g} up" if math.isfinite(lower) else f"up to {upper:.4g}"
                return (
                    f"At the {share} level the data are consistent with any effect {side}: they"
                    " bound it on one side only."
                )
            case "two rays":
                lower, upper = self.intervals[0][1], self.intervals[1][0]
                return (
                    f"At the {share} level the data exclude only effects between {lower:.4g} and"
                    f" {upper:.4g}: any large effect, of either sign, is consistent with them."
                )
            case _:
                words = "unbounded" if not self.bounded else "bounded"
                return (
                    f"At the {share} level the data are consistent with effects in {self}: a"
                    f" {words} set of {len(self.intervals)} separate pieces."
                )


def whole_line(level: float) -> ConfidenceSet:
    """Every effect."""
    return ConfidenceSet(((-math.inf, math.inf),), level)


def from_boundaries(
    boundaries: Iterable[float],
    accepts: Any,
    level: float,
    resolution: float = 0.0,
) -> ConfidenceSet:
    """The set whose boundary is known: each piece between boundary points is kept or left whole.

    Parameters
    ----------
    boundaries : finite candidate end points, in any order
    accepts : function of a float, True inside the set; asked once between two boundaries
    level, resolution : as in `ConfidenceSet`
    """
    points = sorted({float(b) for b in boundaries if math.isfinite(b)})
    edges = [-math.inf, *points, math.inf]
    kept = [(a, b) for a, b in itertools.pairwise(edges) if accepts(_between(a, b))]
    return ConfidenceSet(tuple(kept), level, resolution)


def _between(lower: float, upper: float) -> float:
    """A point well inside, also of a ray."""
    if math.isinf(lower) and math.isinf(upper):
        return 0.0
    if math.isinf(lower):
        return upper - 1.0 - abs(upper)
    if math.isinf(upper):
        return lower + 1.0 + abs(lower)
    return lower + (upper - lower) / 2


def _bracket(pair: Interval, number: str) -> str:
    lower = "(-inf" if pair[0] == -math.inf else "[" + number.format(pair[0])
    upper = "inf)" if pair[1] == math.inf else number.format(pair[1]) + "]"
    return f"{lower}, {upper}"
