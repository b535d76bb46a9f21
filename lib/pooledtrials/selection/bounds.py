"""Bounds on an effect under named assumptions, and several of them as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from pooledtrials.arguments import fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.partial_identification import imbens_manski_interval
from pooledtrials.resampling import Seed
from pooledtrials.selection.intersection_bounds import Candidates, largest, smallest


@dataclass(frozen=True, eq=False)
class Bounds:
    """What the data and some assumptions leave of an effect.

    Attributes
    ----------
    estimand : what is bounded, in words
    assumptions : short names of what is assumed, none for the worst case
    reasons : the same as sentences
    lower_candidates, upper_candidates : the bound is the largest, or smallest, of these; one each
        where it is a plain mean
    seed : of the simulation that corrects the choice among several
    lower, upper : the bounds; where they are the largest or smallest of several candidates they are
        half-median unbiased [chernozhukov2013intersection], hence wider than `plug_in`

    Bounds that cross (``refuted``) contradict the assumptions; `interval` says whether by more than
    sampling error.
    """

    estimand: str
    assumptions: tuple[str, ...]
    reasons: tuple[str, ...]
    lower_candidates: Candidates
    upper_candidates: Candidates
    seed: Seed = 0
    lower: float = field(init=False)
    upper: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lower", largest(self.lower_candidates, 0.5, self.seed))
        object.__setattr__(self, "upper", smallest(self.upper_candidates, 0.5, self.seed))

    @property
    def plug_in(self) -> tuple[float, float]:
        """Largest lower and smallest upper candidate, biased inwards if there are several."""
        low = float(self.lower_candidates.values.max())
        return low, float(self.upper_candidates.values.min())

    @property
    def name(self) -> str:
        """The assumptions in one line."""
        return " + ".join(self.assumptions) or "no assumption"

    @property
    def refuted(self) -> bool:
        """Whether the bounds cross."""
        return self.lower > self.upper

    @property
    def lower_error(self) -> float:
        """Standard error of the lower bound, ``nan`` if it is the largest of several."""
        return _error(self.lower_candidates)

    @property
    def upper_error(self) -> float:
        """Standard error of the upper bound, ``nan`` if it is the smallest of several."""
        return _error(self.upper_candidates)

    @property
    def correlation(self) -> float:
        """Of the two estimated bounds (for `stoye_interval`); ``nan`` if one is no estimate."""
        errors = self.lower_error * self.upper_error
        if math.isnan(errors) or errors == 0:
            return math.nan
        return float(self.lower_candidates.root[0] @ self.upper_candidates.root[0]) / errors

    def interval(self, level: float = 0.95) -> ConfidenceSet:
        """Confidence interval for the effect, empty if the assumptions are rejected.

        Imbens and Manski's where both bounds are means; otherwise each bound with half of the
        remaining probability [chernozhukov2013intersection], which covers the whole identified set
        and is conservative for the effect.
        """
        fraction(level, "level")
        low_error, high_error = self.lower_error, self.upper_error
        if not (math.isnan(low_error) or math.isnan(high_error)):
            return imbens_manski_interval(
                self.lower, low_error, self.upper, high_error, level=level
            )
        one_sided = (1 + level) / 2
        low = largest(self.lower_candidates, one_sided, self.seed)
        high = smallest(self.upper_candidates, one_sided, self.seed)
        return ConfidenceSet(((low, high),) if low <= high else (), level)

    def describe(self, level: float = 0.95) -> str:
        """What the bounds say, and on what they rest."""
        given = (
            "Assuming only that the outcome has the stated range"
            if not self.reasons
            else "Assuming that " + ", and that ".join(self.reasons)
        )
        found = self.interval(level)
        share = f"{100 * level:g} %"
        if not found.intervals:
            return (
                f"{given}, the bounds on the {self.estimand} cross ({self.lower:.4g} above"
                f" {self.upper:.4g}) by more than sampling error ({share} level): the data reject"
                " the assumptions."
            )
        if self.refuted:
            return (
                f"{given}, the bounds on the {self.estimand} cross ({self.lower:.4g} above"
                f" {self.upper:.4g}), though not by more than sampling error; {share} confidence"
                f" interval {found}."
            )
        return (
            f"{given}, the {self.estimand} lies in [{self.lower:.4g}, {self.upper:.4g}] ({share}"
            f" confidence interval {found}): {self._reading(found)}."
        )

    def _reading(self, found: ConfidenceSet) -> str:
        """What is left to say of the sign."""
        if "monotone response" in self.assumptions and (self.lower == 0 or self.upper == 0):
            return "its direction was assumed, not found"
        if self.lower <= 0 <= self.upper:
            return "its sign stays open"
        sign = "positive" if self.lower > 0 else "negative"
        if found.contains(0.0):
            return f"it is {sign} but for sampling error"
        return f"it is {sign}, sampling error included"


def bounds_table(
    bounds: Iterable[Bounds] | Mapping[str, Bounds], level: float = 0.95
) -> pd.DataFrame:
    """Bounds side by side, a row each in the order given.

    Parameters
    ----------
    bounds
        Named by their assumptions, or by the keys of a mapping. Two bounds may have the same
        assumptions in different directions: a mapping tells them apart.
    level : of the confidence intervals

    Returns
    -------
    DataFrame
        Index: the names. ``lower`` and ``upper``, their ``width``, ``low`` and ``high`` of the
        confidence interval (missing if it is empty), ``plug_in_lower`` and ``plug_in_upper``, all
        in outcome units; bounds that cross have a negative width.
    """
    named = bounds.items() if isinstance(bounds, Mapping) else [(b.name, b) for b in bounds]
    names, rows = [], []
    for name, found in named:
        interval = found.interval(level).intervals
        low, high = interval[0] if interval else (math.nan, math.nan)
        plug_low, plug_high = found.plug_in
        names.append(name)
        rows.append(
            {
                "lower": found.lower,
                "upper": found.upper,
                "width": found.upper - found.lower,
                "low": low,
                "high": high,
                "plug_in_lower": plug_low,
                "plug_in_upper": plug_high,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(names, name="assumptions"))


def _error(candidates: Candidates) -> float:
    return float(candidates.errors[0]) if candidates.values.size == 1 else math.nan
