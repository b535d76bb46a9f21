"""Anderson-Rubin with an instrument that may be invalid, a little [small2007sensitivity].

The direct effect of one unit of the instrument is known only to be within ``+- delta`` standard
deviations of the null residual (of ``y - beta0 x`` given instrument and controls). Under the null
with the worst such effect, the Anderson-Rubin F with one instrument is noncentral F(1, dof) with
noncentrality ``delta^2`` times the instrument's sum of squares, exactly for normal homoskedastic
errors, so that quantile is the critical value [wang2018sensitivity].

Compared with the union of Anderson-Rubin sets over a range in outcome units
(`plausibly_exogenous`): the direct effect is measured against the noise here, and the test has its
size at the worst effect exactly. The union's falls to half of that as the range grows beyond a
standard error, since one of its two tails then never rejects. So these sets are shorter for the
same direct effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, stats

from pooledtrials.arguments import finite, fraction
from pooledtrials.confidence_set import ConfidenceSet, from_boundaries
from pooledtrials.results import Test
from pooledtrials.selection.just_identified import JustIdentified, boundaries, refuse_other_fits


@dataclass(frozen=True)
class AndersonRubinSensitivity:
    """A test and a set that allow for a direct effect, and how large one the test survives.

    Attributes
    ----------
    test : of no effect beyond ``beta0``, at the worst direct effect allowed
    effects : effects not rejected at the worst direct effect allowed
    delta : largest direct effect allowed, in standard deviations of the null residual per unit of
        the instrument
    breakdown : largest delta at which ``beta0`` is still rejected, 0 if it is not at delta 0
    beta0 : effect under the null
    """

    test: Test
    effects: ConfidenceSet
    delta: float
    breakdown: float
    beta0: float

    def describe(self) -> str:
        """What the numbers say, in words."""
        if self.breakdown == 0:
            survives = f"An effect of {self.beta0:g} is not rejected even with a valid instrument."
        else:
            survives = (
                f"An effect of {self.beta0:g} stays rejected as long as one unit of the instrument"
                f" moves the outcome directly by less than {self.breakdown:.3g} standard"
                " deviations."
            )
        return (
            f"{survives} Allowing for up to {self.delta:.3g} standard deviations:"
            f" {self.effects.describe()}"
        )


def anderson_rubin_sensitivity(
    fit: JustIdentified, delta: float, *, beta0: float = 0.0, level: float = 0.95
) -> AndersonRubinSensitivity:
    """The Anderson-Rubin test and set for a direct effect of up to ``delta``.

    Parameters
    ----------
    fit : JustIdentified
        With a classical covariance and ``instrument_variation``.
    delta : largest |direct effect|, standard deviations of the null residual per unit of instrument
    beta0 : effect under the null of the test
    level : confidence level

    Raises
    ------
    ValueError
        For a negative delta, another kind of fit, or one without the two numbers.
    """
    refuse_other_fits(fit)
    delta, beta0, alpha = (
        finite(delta, "delta"),
        finite(beta0, "beta0"),
        1 - fraction(level, "level"),
    )
    if delta < 0:
        raise ValueError(f"delta is {delta:g}: give the largest absolute direct effect")
    if fit.kind != "classical" or fit.instrument_variation is None:
        raise ValueError(
            f"fit has a {fit.kind} covariance and instrument_variation"
            f" {fit.instrument_variation}: the noncentral F needs a classical one and the"
            " instrument's sum of squares; use plausibly_exogenous or exclusion_breakdown otherwise"
        )
    variation, dof, statistic = fit.instrument_variation, fit.dof, fit.t_value(beta0) ** 2
    noncentrality = delta**2 * variation
    bound = _isf(alpha, dof, noncentrality)
    test = Test(
        "Anderson-Rubin, direct effect allowed",
        statistic,
        _sf(statistic, dof, noncentrality),
        f"noncentral F(1, {dof:g}), noncentrality {noncentrality:.4g}",
        (1.0, dof),
        f"the effect is {beta0:g}, the direct effect within {delta:g} s.d.",
        fit.kind,
    )
    effects = from_boundaries(
        boundaries(fit, bound, fit.covariance), lambda b: fit.t_value(b) ** 2 <= bound, level
    )
    return AndersonRubinSensitivity(
        test, effects, delta, _breakdown(statistic, dof, variation, alpha), beta0
    )


def _breakdown(statistic: float, dof: float, variation: float, alpha: float) -> float:
    """The delta at which the p-value is alpha."""
    if _sf(statistic, dof, 0.0) >= alpha:
        return 0.0
    # noncentrality far above the statistic makes the p-value one
    high = 4 * (statistic + 10)
    root = optimize.brentq(
        lambda noncentrality: _sf(statistic, dof, noncentrality) - alpha, 0.0, high, xtol=1e-12
    )
    return math.sqrt(float(root) / variation)


def _sf(value: float, dof: float, noncentrality: float) -> float:
    # scipy's noncentral F is wrong at a noncentrality of exactly zero
    if noncentrality == 0:
        return float(stats.f.sf(value, 1, dof))
    return float(stats.ncf.sf(value, 1, dof, noncentrality))


def _isf(alpha: float, dof: float, noncentrality: float) -> float:
    if noncentrality == 0:
        return float(stats.f.isf(alpha, 1, dof))
    return float(stats.ncf.isf(alpha, 1, dof, noncentrality))
