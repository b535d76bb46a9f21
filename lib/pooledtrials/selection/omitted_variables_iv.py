"""How much confounding of the instrument, or side effect, would it take? [cinelli2025omitted].

What was omitted, w, confounds the instrument or carries a side effect of it. At an effect b the
Anderson-Rubin regression of ``y - b x`` on z is a regression like any other, so omitted variable
bias has the formulas of `omitted_variables` with z for the exposure:

- ``r2_instrument``: share of z given controls that w explains;
- ``r2_outcome``: share of ``y - b x`` given z and controls that w explains; at the true effect this
  is the untreated outcome, with effects the same for everyone.

The test of b rejects, despite any w this strong, if its classical |t| exceeds
``t+ = sqrt(dof) worst_f(r2_outcome, r2_instrument, f*)``, and the set inverts it: what
Anderson-Rubin accepts with t+ for the critical value. With a classical covariance t+ is one number.

The robustness value at b is that of the coefficient of z in the regression at b. From some b on,
away from the estimate, the least is at b itself or at infinity, where the regression is the first
stage: ``f - f*`` is a concave function of b over a convex one there, so it has no minimum between.

Robust and clustered errors follow the convention of `omitted_variables`, with the design effect of
the regression at each b. f* then depends on b, and the sets are bounded by roots of a quartic and
a quadratic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from scipy import optimize

from pooledtrials.arguments import finite, fraction
from pooledtrials.confidence_set import ConfidenceSet, from_boundaries
from pooledtrials.selection.just_identified import (
    Covariance,
    JustIdentified,
    boundaries,
    evaluate,
    refuse_other_fits,
)
from pooledtrials.selection.omitted_variables import adjusted_critical_value, worst_f
from pooledtrials.selection.robustness import positive_share, robustness_of
from pooledtrials.selection.short_regression import ShortRegression, t_quantile

_NEAR = 1e-6


@dataclass(frozen=True)
class InstrumentRobustness:
    """The least confounding of an instrument, or side effect, that changes a conclusion.

    Attributes
    ----------
    value : what explains less than this share of what is left of the instrument *and* of the
        untreated outcome cannot change the conclusion
    extreme : the same for the instrument alone, whatever it does to the outcome
    q : share of the estimate that would have to be explained away
    at_least : whether by ``q`` or more, or by exactly that
    level : confidence level, None if the conclusion is about the point estimate
    weakest : ``"reduced form"`` if the regression at the null is what breaks first, ``"first
        stage"`` if the instrument's strength is
    kind : covariance used, if there is a level
    """

    value: float
    extreme: float
    q: float
    at_least: bool
    level: float | None
    weakest: str
    kind: str

    def describe(self) -> str:
        """What the numbers say, in words."""
        part = "the whole estimate" if self.q == 1 else f"{100 * self.q:g} % of the estimate"
        more = " or more" if self.at_least else ""
        goal = f"explain away {part}{more}"
        if self.level is not None:
            end = "an effect of zero" if self.q == 1 else f"an effect {100 * self.q:g} % smaller"
            goal = f"bring {end}{more and ' or beyond'} into the {100 * self.level:g} % set"
        if self.value == 0:
            return f"Nothing needs to be wrong with the instrument to {goal}."
        return (
            f"A confounder or side effect that explains less than {100 * self.value:.3g} % of what"
            f" is left of the instrument and of the untreated outcome cannot {goal}. If it"
            f" explained as much of the outcome as it liked, it would still have to explain"
            f" {100 * self.extreme:.3g} % of the instrument. The {self.weakest} gives way first."
        )


def instrument_robustness(
    fit: JustIdentified, *, q: float = 1.0, level: float | None = None, at_least: bool = True
) -> InstrumentRobustness:
    """Robustness value and extreme robustness value of an instrumental variables estimate.

    Parameters
    ----------
    fit : JustIdentified
    q : share of the estimate to explain away: the null is ``(1 - q)`` times it
    level : confidence level, or None for the point estimate
    at_least : whether a null beyond counts too: zero *or of the other sign*, for ``q = 1``

    Returns
    -------
    InstrumentRobustness

    Raises
    ------
    ValueError
        For a q that is not positive, a level outside (0, 1), another kind of fit, or one without
        its classical covariance.
    """
    refuse_other_fits(fit)
    q = positive_share(q)
    null = (1 - q) * fit.coefficient
    found = {"reduced form": robustness_of(*_f_at(fit, null, level))}
    if at_least:
        found["first stage"] = robustness_of(*_f_at(fit, math.inf, level))
    weakest = min(found, key=lambda name: found[name][0])
    extreme = min(pair[1] for pair in found.values())
    return InstrumentRobustness(found[weakest][0], extreme, q, at_least, level, weakest, fit.kind)


def regression_at(fit: JustIdentified, b: float) -> ShortRegression:
    """The Anderson-Rubin regression of ``y - b x`` on z, for everything of `omitted_variables`.

    At 0 it is the reduced form, at infinity the first stage (with the sign of z's effect on x).
    """
    classical, residual_dof = _classical(fit)
    if math.isinf(b):
        coefficient, variances = fit.first_stage, (classical[1][1], fit.covariance[1][1])
    else:
        coefficient = fit.moment(finite(b, "b"))
        variances = (evaluate(classical, b), fit.variance(b))
    own, other = (math.sqrt(v) for v in variances)
    return ShortRegression(coefficient, own, residual_dof, other, fit.dof, fit.kind)


def adjusted_anderson_rubin_set(
    fit: JustIdentified, r2_outcome: float, r2_instrument: float, *, level: float = 0.95
) -> ConfidenceSet:
    """Effects consistent with the data and some confounder or side effect no stronger than this.

    The Anderson-Rubin set with the critical value t+ of the module; with both shares 0 the
    Anderson-Rubin set but for one degree of freedom. It may be of any kind.

    Parameters
    ----------
    fit : JustIdentified
    r2_outcome : share of the untreated outcome given instrument and controls, at most, in [0, 1]
    r2_instrument : share of the instrument given controls, at most, in [0, 1)
    level : confidence level

    Raises
    ------
    ValueError
        For shares out of range, or a fit without its classical covariance.
    """
    y, z = finite(r2_outcome, "r2_outcome"), finite(r2_instrument, "r2_instrument")
    if not 0 <= y <= 1:
        raise ValueError(f"r2_outcome is {y:g}: a share is between 0 and 1")
    if not 0 <= z < 1:
        raise ValueError(f"r2_instrument is {z:g}: give a share from 0 to below 1")
    fraction(level, "level")
    classical, dof = _classical(fit)

    def margin(b: float) -> float:
        f, critical = _f_at(fit, b, level)
        return float(worst_f(y, z, critical)) - f

    def accepts(b: float) -> bool:
        return margin(b) >= 0

    if fit.kind == "classical":
        multiple = dof * float(worst_f(y, z, _f_at(fit, 0.0, level)[1])) ** 2
        return from_boundaries(boundaries(fit, multiple, classical), accepts, level)
    edges = [_polished(margin, b) for b in _scaled_boundaries(fit, y, z, level)]
    return from_boundaries(edges, accepts, level)


def adjusted_anderson_rubin_critical_value(
    fit: JustIdentified,
    r2_outcome: float,
    r2_instrument: float,
    *,
    b: float = 0.0,
    level: float = 0.95,
) -> float:
    """What the classical Anderson-Rubin |t| at b must exceed, despite any w this strong: t+.

    It does not depend on b with a classical covariance. Parameters and errors as in
    `adjusted_anderson_rubin_set`.
    """
    return adjusted_critical_value(regression_at(fit, b), r2_outcome, r2_instrument, level=level)


def _classical(fit: JustIdentified) -> tuple[Covariance, float]:
    refuse_other_fits(fit)
    if fit.classical is None or fit.residual_dof is None:
        raise ValueError(
            f"fit has a {fit.kind} covariance only, but bias is read off the classical one: give"
            " classical and residual_dof too"
        )
    return fit.classical, fit.residual_dof


def _f_at(fit: JustIdentified, b: float, level: float | None) -> tuple[float, float]:
    """Partial f of the regression at b, and f*."""
    regression = regression_at(fit, b)
    return regression.f, regression.critical_f(level)


def _centre(fit: JustIdentified) -> tuple[float, float]:
    """The effect at which the moment's variance is least, and a scale on which it doubles."""
    (_, v12), (_, v22) = fit.covariance
    centre = v12 / v22
    return centre, math.sqrt(fit.variance(centre) / v22)


def _scaled_boundaries(
    fit: JustIdentified, r2_outcome: float, r2_instrument: float, level: float
) -> list[float]:
    """Where acceptance can change when f* depends on b.

    With ``C`` and ``V`` the classical and the inference variance at b: while the worst r2_outcome
    is the bound, ``m^2 = A C + B V + 2 sqrt(A B C V)``, squared once more a quartic; where it is
    inside, ``m^2 = a C + B' V``. Where one gives way to the other, the bound on m is continuous.
    """
    classical, dof = _classical(fit)
    centre, scale = _centre(fit)
    # the unit circle of effects: coefficients of like size, whatever the units
    to = Polynomial([centre, scale])
    moment = fit.reduced_form - fit.first_stage * to
    own, other = _variance_of(classical, to), _variance_of(fit.covariance, to)
    quantile = t_quantile(level, regression_at(fit, centre).long_dof)
    y, z = r2_outcome, r2_instrument
    lost = dof / (1 - z)
    spread = quantile**2 / (dof - 1)
    at_bound = lost * (y * z * own + (1 - y) * spread * other)
    product = 4 * lost**2 * y * z * (1 - y) * spread * own * other
    gap = moment**2 - at_bound
    equations = [
        moment**2 - lost * (z * own + spread * other),
        gap**2 - product if y * z * (1 - y) > 0 else gap,
    ]
    roots = np.concatenate([equation.roots() for equation in equations])
    # a root too many is no harm, one lost to rounding is
    real = roots.real[np.abs(roots.imag) <= _NEAR * (1 + np.abs(roots))]
    return [float(b) for b in centre + scale * real]


def _polished(margin: Callable[[float], float], b: float) -> float:
    """The root next to ``b`` to the last digits, ``b`` itself where there is no change of sign."""
    for width in (1e-10, 1e-8, 1e-6):
        low, high = b - width * (1 + abs(b)), b + width * (1 + abs(b))
        if margin(low) * margin(high) < 0:
            return float(optimize.brentq(margin, low, high, xtol=1e-15))
    return b


def _variance_of(covariance: Covariance, b: Polynomial) -> Polynomial:
    return covariance[0][0] - 2 * covariance[0][1] * b + covariance[1][1] * b**2
