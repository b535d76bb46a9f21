"""If facilitation acts on the outcome by itself: sets that allow for a direct effect.

With a direct effect ``gamma`` of the instrument, ``y = beta x + gamma z + ...``, the reduced form
of what the exposure does is ``rho - gamma``. Two ways to be plausibly, not perfectly, exogenous
[conley2012plausibly]:

- a range of gamma: the union of the sets at each of its values;
- a prior, gamma normal and of the order of sampling error ("local to zero"): the estimate moves by
  its mean over the first stage, and its variance grows by the prior's.

The union of Wald intervals inherits their fault: it is too short when the instrument is weak. That
of Anderson-Rubin sets is right at any strength. For the question the other way round, how large a
direct effect the conclusion survives, see `exclusion_breakdown`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from scipy import stats

from pooledtrials.arguments import choice, finite, fraction
from pooledtrials.confidence_set import ConfidenceSet, from_boundaries
from pooledtrials.selection.just_identified import (
    JustIdentified,
    anderson_rubin_set,
    boundaries,
    refuse_other_fits,
)

METHODS: Final = ("anderson-rubin", "wald")


@dataclass(frozen=True)
class PlausiblyExogenous:
    """Effects consistent with the data and a direct effect in a range.

    Attributes
    ----------
    union : effects in the set at some direct effect of the range
    gammas : direct effects at which ``sets`` were formed, outcome units per unit of instrument
    sets : the set at each of them
    method : ``"anderson-rubin"``, ``"wald"`` or ``"given"``
    exact : whether ``union`` is that over the whole range, not just over ``gammas``
    """

    union: ConfidenceSet
    gammas: tuple[float, ...]
    sets: tuple[ConfidenceSet, ...]
    method: str
    exact: bool

    def describe(self) -> str:
        """What the union says, in words."""
        low, high = self.gammas[0], self.gammas[-1]
        how = "" if self.exact else f" (looked up at {len(self.gammas)} values)"
        return (
            f"If one unit of the instrument moves the outcome by {low:.4g} to {high:.4g} of its"
            f" own{how}: {self.union.describe()}"
        )


def plausibly_exogenous(
    fit: JustIdentified,
    low: float,
    high: float,
    *,
    level: float = 0.95,
    method: str = "anderson-rubin",
    reference: str = "t",
    points: int = 41,
) -> PlausiblyExogenous:
    """Union of confidence sets over direct effects from ``low`` to ``high``, exactly.

    Anderson-Rubin: ``{b: rho - b pi within c sqrt(V(b)) of [low, high]}``, roots of two quadratics.
    Wald: since ``sqrt(V(b))`` is convex in b, the union's ends are those at ``low`` and ``high``.

    Parameters
    ----------
    fit : JustIdentified
    low, high : range of the direct effect, outcome units per unit of instrument
    level : confidence level of each set, and so of the union at least
    method : ``"anderson-rubin"``, right at any strength, or ``"wald"``, 2SLS intervals
    reference : ``"t"`` with the fit's dof, or ``"normal"``
    points : direct effects at which sets are kept for a figure

    Raises
    ------
    ValueError
        For another kind of fit, a range that is none, or unknown words.
    """
    refuse_other_fits(fit)
    choice(method, "method", METHODS)
    gammas = _range(low, high, points)

    def set_at(gamma: float) -> ConfidenceSet:
        if method == "wald":
            return _wald(fit, gamma, level, reference)
        return anderson_rubin_set(fit, level, reference=reference, shift=gamma)

    sets = tuple(set_at(gamma) for gamma in gammas)
    if method == "wald":
        # both ends and the path of estimates between them: one interval
        ends = [v for gamma in (low, high) for v in set_at(gamma).end_points]
        union = ConfidenceSet(((min(ends), max(ends)),), level)
    else:
        union = _anderson_rubin_union(fit, low, high, level, reference)
    return PlausiblyExogenous(union, gammas, sets, method, exact=True)


def union_over(
    set_at: Callable[[float], ConfidenceSet], low: float, high: float, *, points: int = 201
) -> PlausiblyExogenous:
    """Union of sets that a function gives, such as with several instruments or another test.

    For instance ``lambda g: instruments.conditional_lr_set(y - z @ (g * direction), x, z)``. The
    union is over ``points`` equally spaced values: a lower bound of the one over the range, by less
    than a step's movement of the ends where sets move continuously.

    Parameters
    ----------
    set_at : function of the direct effect
    low, high : range of the direct effect
    points : values looked up, 2 or more

    Raises
    ------
    ValueError
        For a range that is none.
    """
    gammas = _range(low, high, points)
    sets = tuple(set_at(gamma) for gamma in gammas)
    union = reduce(ConfidenceSet.union, sets)
    return PlausiblyExogenous(union, gammas, sets, "given", exact=False)


@dataclass(frozen=True)
class LocalToZero:
    """An instrumental variables estimate that believes in a direct effect with a normal prior.

    Attributes
    ----------
    coefficient, standard_error : in outcome units per unit of exposure
    prior_mean, prior_sd : of the direct effect, outcome units per unit of instrument
    """

    coefficient: float
    standard_error: float
    prior_mean: float
    prior_sd: float

    def interval(self, level: float = 0.95) -> ConfidenceSet:
        """Normal interval; it needs a strong instrument, like any Wald interval."""
        half = float(stats.norm.isf((1 - fraction(level, "level")) / 2)) * self.standard_error
        return ConfidenceSet(((self.coefficient - half, self.coefficient + half),), level)

    def describe(self) -> str:
        """What the numbers say, in words."""
        return (
            f"With a direct effect believed to be around {self.prior_mean:.4g} (s.d."
            f" {self.prior_sd:.4g}), the estimate is {self.coefficient:.4g} (s.e."
            f" {self.standard_error:.3g}, sampling and belief together)."
        )


def local_to_zero(fit: JustIdentified, mean: float, sd: float) -> LocalToZero:
    """Estimate under ``gamma ~ N(mean, sd^2)``: ``b - mean / pi``, variance ``se^2 + (sd / pi)^2``.

    The approximation takes gamma to shrink with the sample like sampling error does, so that one
    may be added to the other.

    Parameters
    ----------
    fit : JustIdentified
    mean, sd : of the prior, outcome units per unit of instrument

    Raises
    ------
    ValueError
        For another kind of fit, or a prior that is none.
    """
    refuse_other_fits(fit)
    mean, sd = finite(mean, "mean"), finite(sd, "sd")
    if sd < 0:
        raise ValueError(f"sd is {sd:g}: a standard deviation is not negative")
    error = math.hypot(fit.standard_error, sd / fit.first_stage)
    return LocalToZero(fit.coefficient - mean / fit.first_stage, error, mean, sd)


def _wald(fit: JustIdentified, gamma: float, level: float, reference: str) -> ConfidenceSet:
    b = (fit.reduced_form - gamma) / fit.first_stage
    half = fit.critical_value(level, reference) * math.sqrt(fit.variance(b)) / abs(fit.first_stage)
    return ConfidenceSet(((b - half, b + half),), level)


def _anderson_rubin_union(
    fit: JustIdentified, low: float, high: float, level: float, reference: str
) -> ConfidenceSet:
    c = fit.critical_value(level, reference)

    def accepts(b: float) -> bool:
        half = c * math.sqrt(fit.variance(b))
        return low - half <= fit.moment(b) <= high + half

    edges = [b for gamma in (low, high) for b in boundaries(fit, c * c, fit.covariance, gamma)]
    return from_boundaries(edges, accepts, level)


def _range(low: float, high: float, points: int) -> tuple[float, ...]:
    if finite(low, "low") > finite(high, "high"):
        raise ValueError(f"low is {low:g} and high {high:g}: give low <= high")
    if points < 2:
        raise ValueError(f"points is {points}: give 2 or more")
    return tuple(np.linspace(low, high, points).tolist())
