"""How large a direct effect of facilitation the conclusion survives: the breakdown point.

At an effect ``null`` of the exposure, everything else that the instrument does to the outcome is
its direct effect, estimated by ``m(null) = rho - null pi``. The Anderson-Rubin test of ``null``
that allows for a direct effect gamma rejects exactly if gamma is outside the confidence interval of
m(null), whatever the strength of the instrument. So the conclusion "not ``null``" stands up to the
nearer end of that interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from pooledtrials.arguments import finite
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.selection.just_identified import JustIdentified, refuse_other_fits


def direct_effects(
    fit: JustIdentified, null: float = 0.0, *, level: float = 0.95, reference: str = "t"
) -> ConfidenceSet:
    """Direct effects that would explain the data if the effect of the exposure were ``null``.

    The interval ``rho - null pi +- c sqrt(V(null))`` of gamma: a test of ``null`` still rejects at
    every direct effect outside of it, whatever the instrument's strength.
    """
    refuse_other_fits(fit)
    half = fit.critical_value(level, reference) * math.sqrt(fit.variance(finite(null, "null")))
    return ConfidenceSet(((fit.moment(null) - half, fit.moment(null) + half),), level)


@dataclass(frozen=True)
class ExclusionBreakdown:
    """The largest direct effect that a conclusion survives.

    Attributes
    ----------
    value : |direct effect| up to which ``null`` stays rejected, outcome units per unit of
        instrument; 0 if it is not rejected in the first place, ``inf`` if no direct effect that
        was looked up lets it in
    direction : sign of the direct effects that hurt, 0 if all do or it is not known
    share : of the reduced form's size, ``nan`` if that is not known
    null : effect that the conclusion excludes
    level : confidence level
    """

    value: float
    direction: int
    share: float
    null: float
    level: float

    def describe(self) -> str:
        """What the number says, in words."""
        if self.value == 0:
            return (
                f"An effect of {self.null:g} is not rejected even without a direct effect of the"
                " instrument: there is no conclusion to break down."
            )
        if math.isinf(self.value):
            return f"An effect of {self.null:g} stays rejected at every direct effect looked up."
        side = {1: "positive ", -1: "negative ", 0: ""}[self.direction]
        part = "" if math.isnan(self.share) else f", {100 * self.share:.3g} % of the reduced form"
        return (
            f"An effect of {self.null:g} stays rejected at the {100 * (1 - self.level):.3g} % level"
            f" unless one unit of the instrument has a {side}direct effect on the outcome of"
            f" {self.value:.4g} or more{part}."
        )


def exclusion_breakdown(
    fit: JustIdentified, null: float = 0.0, *, level: float = 0.95, reference: str = "t"
) -> ExclusionBreakdown:
    """``|rho - null pi| - c sqrt(V(null))``, not below 0: right at any strength.

    Parameters
    ----------
    fit : JustIdentified
    null : effect that the conclusion excludes
    level, reference : of the test

    Raises
    ------
    ValueError
        For another kind of fit, a null that is no number, or unknown words.
    """
    low, high = direct_effects(fit, null, level=level, reference=reference).intervals[0]
    value = max(low, -high, 0.0)
    direction = int(np.sign(fit.moment(null))) if value else 0
    share = value / abs(fit.reduced_form) if fit.reduced_form else math.nan
    return ExclusionBreakdown(value, direction, share, null, level)


def breakdown_of(
    set_at: Callable[[float], ConfidenceSet],
    largest: float,
    null: float = 0.0,
    *,
    points: int = 201,
) -> ExclusionBreakdown:
    """Breakdown point of sets that a function gives, see `union_over`.

    Direct effects of both signs are looked up at ``points`` sizes from 0 to ``largest``, and the
    first that lets ``null`` in is refined by bisection. ``inf`` if none does.

    Raises
    ------
    ValueError
        If ``largest`` is not positive.
    """
    if finite(largest, "largest") <= 0:
        raise ValueError(f"largest is {largest:g}: give a positive number")
    level = set_at(0.0).level

    def broken(size: float) -> bool:
        return bool(set_at(size).contains(null) or set_at(-size).contains(null))

    if broken(0.0):
        return ExclusionBreakdown(0.0, 0, math.nan, null, level)
    sizes = np.linspace(0.0, largest, points)
    first = next((i for i, size in enumerate(sizes) if broken(float(size))), None)
    if first is None:
        return ExclusionBreakdown(math.inf, 0, math.nan, null, level)
    low, high = float(sizes[first - 1]), float(sizes[first])
    root = float(optimize.bisect(lambda size: 0.5 - broken(size), low, high, xtol=1e-12 * largest))
    sides = [sign for sign in (1, -1) if set_at(sign * high).contains(null)]
    return ExclusionBreakdown(root, sides[0] if len(sides) == 1 else 0, math.nan, null, level)
