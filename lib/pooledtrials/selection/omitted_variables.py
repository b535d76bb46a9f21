"""How much confounding would it take? Omitted variable bias in partial R2 [cinelli2020making].

A confounder u, linear in whatever way, is described by two shares: ``r2_exposure``, of the variance
of x left by the controls that u explains (their R2 of D with Z given X), and ``r2_outcome``, of the
variance of y left by x and controls that u explains (their R2 of Y with Z given D, X). With
``se`` and ``dof`` of the short regression, exactly and in any sample::

    |bias|  = se sqrt(dof) sqrt(r2_outcome r2_exposure / (1 - r2_exposure))
    se long = se sqrt((1 - r2_outcome) / (1 - r2_exposure)) sqrt(dof / (dof - 1))

For several confounders the two shares are those of all of them together; the bias then is an upper
bound.

Robust and clustered errors
---------------------------
The first formula holds as it is, with the *classical* ``se``, and so do partial R2 and the
robustness value of a point estimate. The second is about classical errors. The authors' R package
takes classical errors throughout: robust ones, it notes, belong into inference only, where they
would need a delta method. Here, a convention of this library: the *design effect* (inference over
classical error) of the short regression is taken to be that of the long one. It is right if the
confounder is as alike within clusters as are exposure and outcome after the controls; if it is more
so, the error is too long, if less, too short (tests/selection measures both).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from scipy import stats

from pooledtrials.arguments import choice, finite, fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.selection.short_regression import Fit, ShortRegression, short_regression

DIRECTIONS: Final = ("towards zero", "away from zero")

Shares: TypeAlias = Any
"""A number or an array of them."""


def partial_r2(fit: Fit) -> float:
    """Share of the outcome's variance left by the controls that the exposure explains.

    ``t^2 / (t^2 + dof)`` with the classical t. It is also the extreme robustness value: a
    confounder that explained *all* that is left of the outcome would have to explain this share
    of the exposure to account for the whole estimate.

    Parameters
    ----------
    fit : see `short_regression`

    Raises
    ------
    ValueError
        For an unusable fit.
    """
    f2 = partial_f2(fit)
    return f2 / (1 + f2)


def partial_f2(fit: Fit) -> float:
    """Cohen's partial f2, ``R2 / (1 - R2) = t^2 / dof``; see `partial_r2`."""
    return short_regression(fit).f ** 2


def group_partial_r2(f_statistic: float, group_size: int, dof: float) -> float:
    """Partial R2 of several covariates together, from the F test that they are jointly zero.

    Parameters
    ----------
    f_statistic : classical F
    group_size : covariates tested
    dof : residual degrees of freedom

    Raises
    ------
    ValueError
        If a number is negative, or a count not positive.
    """
    value, rest = finite(f_statistic, "f_statistic"), finite(dof, "dof")
    size = finite(group_size, "group_size")
    for number, name, least in ((value, "f_statistic", 0), (size, "group_size", 1)):
        if number < least:
            raise ValueError(f"{name} is {number:g}: give {least} or more")
    if rest <= 0:
        raise ValueError(f"dof is {rest:g}: give a positive number")
    return value * size / (value * size + rest)


@dataclass(frozen=True)
class AdjustedEstimate:
    """The coefficient that a regression with the confounder in it would have shown.

    Attributes
    ----------
    coefficient, standard_error : of the long regression, in outcome units per unit of exposure
    dof : of its t reference, one less than the short one's, or clusters less one
    bias : short less long coefficient
    r2_outcome, r2_exposure : strength of the confounder
    covariance : of the standard error
    """

    coefficient: float
    standard_error: float
    dof: float
    bias: float
    r2_outcome: float
    r2_exposure: float
    covariance: str

    @property
    def t_value(self) -> float:
        """Coefficient over standard error; infinite if the confounder leaves no outcome to err."""
        if self.standard_error == 0:
            return math.copysign(math.inf, self.coefficient) if self.coefficient else math.nan
        return self.coefficient / self.standard_error

    @property
    def p_value(self) -> float:
        """Two-sided p-value of a zero coefficient, t reference."""
        return float(2 * stats.t.sf(abs(self.t_value), self.dof))

    def interval(self, level: float = 0.95) -> ConfidenceSet:
        """Interval of the long regression, t reference."""
        tail = (1 - fraction(level, "level")) / 2
        half = float(stats.t.isf(tail, self.dof)) * self.standard_error
        return ConfidenceSet(((self.coefficient - half, self.coefficient + half),), level)

    def describe(self) -> str:
        """What the numbers say, in words."""
        return (
            f"Had a confounder been adjusted for that explains {100 * self.r2_exposure:.3g} % of"
            f" what is left of the exposure and {100 * self.r2_outcome:.3g} % of what is left of"
            f" the outcome, the estimate would have been {self.coefficient:.4g}"
            f" ({self.covariance} s.e. {self.standard_error:.3g}) rather than"
            f" {self.coefficient + self.bias:.4g}."
        )


def adjusted_estimate(
    fit: Fit, r2_outcome: float, r2_exposure: float, *, direction: str = "towards zero"
) -> AdjustedEstimate:
    """Estimate, error and t of the regression with the confounder in it; see the module.

    With both shares 0 the coefficient is unadjusted, and the error longer by sqrt(dof / (dof - 1)),
    for the one more parameter.

    Parameters
    ----------
    fit : see `short_regression`
    r2_outcome : share of y given x and controls that the confounder explains, in [0, 1]
    r2_exposure : share of x given controls that it explains, in [0, 1)
    direction : ``"towards zero"`` if adjusting moves the estimate to zero and beyond, or
        ``"away from zero"``

    Raises
    ------
    ValueError
        For an unusable fit, or shares out of range.
    """
    short = short_regression(fit)
    y, x = _shares(r2_outcome, r2_exposure)
    choice(direction, "direction", DIRECTIONS)
    sign = math.copysign(1.0, short.coefficient) * (1 if direction == DIRECTIONS[0] else -1)
    bias, error = sign * float(bias_size(short, y, x)), float(long_error(short, y, x))
    return AdjustedEstimate(
        short.coefficient - bias, error, short.long_dof, bias, y, x, short.covariance
    )


def bias_size(short: ShortRegression, r2_outcome: Shares, r2_exposure: Shares) -> Any:
    """|Bias|, elementwise; see the module."""
    return short.residual_ratio * np.sqrt(r2_outcome * r2_exposure / (1 - r2_exposure))


def long_error(short: ShortRegression, r2_outcome: Shares, r2_exposure: Shares) -> Any:
    """Standard error of the long regression, elementwise; see the module."""
    added = short.dof / (short.dof - 1)
    return short.inference_error * np.sqrt((1 - r2_outcome) / (1 - r2_exposure) * added)


def adjusted_critical_value(
    fit: Fit, r2_outcome: float, r2_exposure: float, *, level: float = 0.95
) -> float:
    """What the classical |t| must exceed to be significant despite *any* confounder this strong.

    The largest, over ``r <= r2_outcome``, of
    ``sqrt(dof) (sqrt(r r2_exposure) + f* sqrt(1 - r)) / sqrt(1 - r2_exposure)``
    [cinelli2025omitted]; a confounder that explains less of the outcome biases less but leaves the
    error longer, so the largest may be inside.

    Parameters
    ----------
    fit, r2_outcome, r2_exposure
        As in `adjusted_estimate`; the shares are upper bounds here.
    level : confidence level

    Raises
    ------
    ValueError
        As `adjusted_estimate`, or for a level outside (0, 1).
    """
    short = short_regression(fit)
    y, x = _shares(r2_outcome, r2_exposure)
    critical = short.critical_f(fraction(level, "level"))
    return math.sqrt(short.dof) * float(worst_f(y, x, critical))


def worst_f(r2_outcome: Shares, r2_exposure: Shares, critical: Shares) -> Any:
    """`adjusted_critical_value` over sqrt(dof), from f* > 0, elementwise."""
    x = r2_exposure
    worst = np.minimum(r2_outcome, x / (x + critical**2))
    return (np.sqrt(worst * x) + critical * np.sqrt(1 - worst)) / np.sqrt(1 - x)


def adjusted_interval(
    fit: Fit, r2_outcome: float, r2_exposure: float, *, level: float = 0.95
) -> ConfidenceSet:
    """Effects consistent with the data and some confounder no stronger than this, of either sign.

    ``estimate +- adjusted_critical_value * se``: it holds the interval of every such long
    regression. Parameters and errors as in `adjusted_critical_value`.
    """
    short = short_regression(fit)
    half = short.standard_error * adjusted_critical_value(
        short, r2_outcome, r2_exposure, level=level
    )
    return ConfidenceSet(((short.coefficient - half, short.coefficient + half),), level)


def _shares(r2_outcome: float, r2_exposure: float) -> tuple[float, float]:
    y, x = finite(r2_outcome, "r2_outcome"), finite(r2_exposure, "r2_exposure")
    if not 0 <= y <= 1:
        raise ValueError(f"r2_outcome is {y:g}: a share is between 0 and 1")
    if not 0 <= x < 1:
        raise ValueError(
            f"r2_exposure is {x:g}: give a share from 0 to below 1 (at 1 the confounder would leave"
            " nothing of the exposure, and no effect could be estimated)"
        )
    return y, x
