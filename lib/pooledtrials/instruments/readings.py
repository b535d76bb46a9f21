"""How far to trust a just-identified t-test: two readings for one instrument.

In the limit experiment the first-stage t is N(mu, 1) and the Anderson-Rubin t is N(0, 1) at the
true effect, with correlation rho, and the 2SLS t-statistic is a function of the two alone::

    t^2 = t_AR^2 / (1 - 2 rho r + r^2),   r = t_AR / t_1

[angristkolesar2024one] turns this around: whatever mu, a nominal 5 % test rejects a true null less
than 10 % of the time if |rho| < 0.76, and 5 % at most if |rho| <= 0.565. [keaneneal2024power] shows
the other side: the estimate's standard error is smallest when the estimate errs towards OLS, so
nearly all false rejections, and most of the power, are on that side.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, special, stats

from pooledtrials.arguments import Columns, Vector, finite, fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.conditional import quarter_legendre
from pooledtrials.instruments.moments import Moments, joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.unmoved import refuse_unmoved

SAFE_RHO: Final = 0.76
"""|rho| up to which the worst-case size of the nominal 5 % test stays near 10 % or less."""


@dataclass(frozen=True)
class EndogeneityReading:
    """Angrist and Kolesar's reading.

    Attributes
    ----------
    rho : correlation of the reduced-form and first-stage errors at the 2SLS estimate
    worst_case_size : largest size of the nominal test over all strengths, at that rho
    harmless_effects : true effects for which |rho| is at most 0.76
    """

    rho: float
    worst_case_size: float
    harmless_effects: ConfidenceSet

    def describe(self) -> str:
        """The reading, as sentences."""
        low, high = self.harmless_effects.intervals[0]
        return (
            f"At the 2SLS estimate the correlation of the errors is {self.rho:.2f}; with it a"
            f" nominal 5 % t-test rejects a true null at most {100 * self.worst_case_size:.1f} % of"
            f" the time, however weak the instrument. That stays below about 10 % for any true"
            f" effect between {low:.4g} and {high:.4g}."
        )


@dataclass(frozen=True)
class AsymmetryReading:
    """Keane and Neal's reading, at the estimated strength and correlation.

    Attributes
    ----------
    rho, strength : correlation at the estimate, first-stage t in absolute value
    size : rejection rate of the nominal t-test under a true null
    towards_ols : share of those rejections in which 2SLS errs towards OLS
    t_power, ar_power : power of t-test and AR test against a zero effect when the true one is
        ``effect`` with the sign of OLS's bias, and with the opposite sign
    effect : size of that effect, in standard errors of the reduced form
    """

    rho: float
    strength: float
    size: float
    towards_ols: float
    t_power: tuple[float, float]
    ar_power: tuple[float, float]
    effect: float

    def describe(self) -> str:
        """The reading, as sentences."""
        return (
            f"With a first-stage t of {self.strength:.2f} and correlation {self.rho:.2f}, a true"
            f" null is rejected {100 * self.size:.1f} % of the time, and in"
            f" {100 * self.towards_ols:.0f} % of these cases the estimate errs towards OLS. Against"
            f" an effect of {self.effect:g} standard errors the t-test has power"
            f" {self.t_power[0]:.2f} in the direction of OLS's bias and {self.t_power[1]:.2f} in"
            f" the other; Anderson-Rubin's has {self.ar_power[0]:.2f} in both."
        )


def t_test_rejection(
    mean_first_stage: float,
    rho: float,
    *,
    critical: float = 1.959963984540054,
    mean_anderson_rubin: float = 0.0,
    first_stage_critical: float = 0.0,
) -> tuple[float, float]:
    """P(|t| > critical) of the just-identified t-test, and the part with r of the sign of rho.

    Parameters
    ----------
    mean_first_stage : mean mu of the first-stage t
    rho : correlation of the two t-statistics, at the null tested
    critical : critical value of |t|, 0 or more
    mean_anderson_rubin : mean of the Anderson-Rubin t, 0 under the null
    first_stage_critical : count only cases with first-stage |t| above it, 0 or more

    Returns
    -------
    total, towards : float
        ``towards`` counts rejections in which 2SLS errs towards OLS.

    Raises
    ------
    ValueError
        For a number that is not finite, a correlation beyond 1, or a critical value below 0.
    """
    mu, rho = finite(mean_first_stage, "mean_first_stage"), finite(rho, "rho")
    if not -1 <= rho <= 1:
        raise ValueError(f"rho is {rho}: a correlation is between -1 and 1")
    mean_anderson_rubin = finite(mean_anderson_rubin, "mean_anderson_rubin")
    for name, value in (("critical", critical), ("first_stage_critical", first_stage_critical)):
        if finite(value, name) < 0:
            raise ValueError(f"{name} is {value!r}: give 0 or more, |t| is compared with it")
    rho = math.copysign(min(abs(rho), 1 - 1e-12), rho)
    if abs(rho) > 0.99:  # nearly a step in the first-stage t: cells rather than a smooth rule
        first, weights = _cells(mu, first_stage_critical)
    else:
        first, weights = _nodes(mu, critical, first_stage_critical)
    centre, spread = mean_anderson_rubin + rho * (first - mu), math.sqrt(1 - rho**2)
    c2 = critical**2
    lead, half = first**2 - c2, c2 * rho
    # reject where lead r^2 + 2 half r - c2 > 0
    discriminant = half**2 + lead * c2
    real = np.sqrt(np.maximum(discriminant, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (-half - real) / lead, (-half + real) / lead
    low, high = np.minimum(one, two), np.maximum(one, two)

    def below(r: Vector) -> Vector:  # P(r-ratio <= r | first stage)
        edge = special.ndtr((r * first - centre) / spread)
        return np.asarray(np.where(first > 0, edge, 1 - edge))

    strong = lead > 0
    inside = np.where(discriminant > 0, below(high) - below(low), 0.0)
    total = np.where(strong, 1 - below(high) + below(low), inside)
    # strong: the roots have opposite signs; weak: both the sign of rho, or there are none
    towards = np.where(strong, (1 - below(high)) if rho >= 0 else below(low), inside)
    return float(total @ weights), float(towards @ weights)


def worst_case_size(rho: float, alpha: float = 0.05) -> float:
    """Largest rejection rate of the nominal t-test over all strengths, for a given ``rho``.

    Five per cent up to |rho| = 0.565, ten at 0.76 [angristkolesar2024one].
    """
    fraction(alpha, "alpha")
    critical = float(stats.norm.isf(alpha / 2))
    grid = np.concatenate([np.arange(0.0, 8.0, 0.25), np.geomspace(8.0, 200.0, 10)])
    sizes = [t_test_rejection(mu, rho, critical=critical)[0] for mu in grid]
    i = int(np.argmax(sizes))
    bounds = (grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(
        lambda mu: -t_test_rejection(mu, rho, critical=critical)[0], bounds=bounds, method="bounded"
    )
    return max(-float(found.fun), float(max(sizes)), alpha)


def endogeneity_reading(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
) -> EndogeneityReading:
    """Angrist and Kolesar's diagnostic for one instrument [angristkolesar2024one].

    Parameters
    ----------
    y, x, z, controls, clusters, strata, covariance
        As everywhere; ``z`` has one column.

    Raises
    ------
    ValueError
        With several instruments, one that does not move x at all, or unusable arguments.
    """
    return endogeneity_from(_one_instrument(y, x, z, controls, clusters, strata, covariance))


def endogeneity_from(moments: Moments) -> EndogeneityReading:
    """`endogeneity_reading` of the moments of one instrument."""
    rho, _ = _rho_at_estimate(moments)
    w = moments.omega[:, :, 0, 0]
    middle = float(w[0, 1] / w[1, 1])
    left = float(np.sqrt(w[0, 0] / w[1, 1] - middle**2))
    # rho(b) = (w12 - b w22) / sqrt(w22 V(b)) falls from 1 to -1: |rho| <= s within this of middle
    half = left * SAFE_RHO / math.sqrt(1 - SAFE_RHO**2)
    harmless = ConfidenceSet(((middle - half, middle + half),), 0.95)
    return EndogeneityReading(rho, worst_case_size(rho), harmless)


def asymmetry_reading(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    effect: float = 2.8,
) -> AsymmetryReading:
    """Keane and Neal's power asymmetry for one instrument [keaneneal2024power].

    Parameters
    ----------
    y, x, z, controls, clusters, strata, covariance
        As everywhere; ``z`` has one column.
    effect : float
        Effect for the power, in standard errors of the reduced form (2.8: power 0.8 for AR).

    Raises
    ------
    ValueError
        With several instruments, one that does not move x at all, or unusable arguments.
    """
    effect = finite(effect, "effect")
    moments = _one_instrument(y, x, z, controls, clusters, strata, covariance)
    return asymmetry_from(moments, effect)


def asymmetry_from(moments: Moments, effect: float = 2.8) -> AsymmetryReading:
    """`asymmetry_reading` of the moments of one instrument."""
    rho, strength = _rho_at_estimate(moments)
    size, towards = t_test_rejection(strength, rho)
    side = math.copysign(1.0, rho)
    power = tuple(
        t_test_rejection(strength, rho, mean_anderson_rubin=s * side * effect)[0] for s in (1, -1)
    )
    c = float(stats.norm.isf(0.025))
    ar = float(stats.norm.sf(c - effect) + stats.norm.cdf(-c - effect))
    return AsymmetryReading(
        rho, strength, size, towards / size, (power[0], power[1]), (ar, ar), effect
    )


def _one_instrument(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    strata: Columns | None,
    covariance: str,
) -> Moments:
    data = partial_out(y, x, z, controls, clusters, strata)
    if data.n_instruments != 1:
        raise ValueError(
            f"z has {data.n_instruments} columns, but this reading is derived for one instrument:"
            " give one, or read the effective F"
        )
    return joint_moments(data, covariance)


def _rho_at_estimate(moments: Moments) -> tuple[float, float]:
    refuse_unmoved(moments)
    w = moments.omega[:, :, 0, 0]
    pi = float(moments.first_stage[0])
    b = float(moments.reduced_form[0]) / pi
    variance = w[0, 0] - 2 * b * w[0, 1] + b * b * w[1, 1]
    rho = float((w[0, 1] - b * w[1, 1]) / np.sqrt(variance * w[1, 1]))
    return rho, abs(pi) / float(np.sqrt(w[1, 1]))


def _nodes(mu: float, critical: float, cut: float) -> tuple[Vector, Vector]:
    """Quadrature for N(mu, 1), broken where the integrand is not smooth: 0, +-c, the cut."""
    breaks = sorted({mu - 9.0, mu + 9.0, 0.0, -critical, critical, -cut, cut, mu})
    breaks = [b for b in breaks if mu - 9.0 <= b <= mu + 9.0]
    angle, weight = quarter_legendre(120)
    unit, weight = angle * 2 / math.pi, weight * 2 / math.pi
    nodes, weights = [np.empty(0)], [np.empty(0)]  # all of it may be below the cut
    for a, b in itertools.pairwise(breaks):
        if a >= -cut and b <= cut:
            continue
        # squared ends: half-power behaviour at the breaks
        nodes.append(a + (b - a) * (3 * unit**2 - 2 * unit**3))
        weights.append(weight * (b - a) * 6 * unit * (1 - unit))
    x = np.concatenate(nodes)
    return x, np.concatenate(weights) * np.exp(-((x - mu) ** 2) / 2) / math.sqrt(2 * math.pi)


def _cells(mu: float, cut: float) -> tuple[Vector, Vector]:
    """Midpoints and masses of fine cells of N(mu, 1)."""
    edges = np.linspace(mu - 9.0, mu + 9.0, 40001)
    middle = (edges[1:] + edges[:-1]) / 2
    return middle, np.where(np.abs(middle) > cut, np.diff(special.ndtr(edges - mu)), 0.0)
