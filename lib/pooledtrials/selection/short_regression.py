"""The regression at hand, short of the confounder: its coefficient and the two errors it may have.

How far a confounder can move a coefficient depends on two residual standard deviations, whose ratio
is the *classical* standard error times the root of the residual degrees of freedom:
``sd(y given x, controls) / sd(x given controls) = se * sqrt(dof)``. So the classical error is
needed whatever the data's dependence, also for partial R2 and robustness values of a point
estimate, which stay as they are when errors are clustered. Statements about significance need a
second error that fits the data, robust or clustered, and its reference degrees of freedom.

With fixed effects (or strata) everything is about what they leave: partial R2 are *within* effects,
``dof`` is rows less absorbed effects less regressors, and a confounder that does not vary within
them needs no thought, since they have already taken it out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, TypeAlias, runtime_checkable

from scipy import stats

from pooledtrials.arguments import finite, fraction

_SAME: Final = 1e-6
"""Two coefficients closer than this, relative to the standard error, are of one regression."""


@runtime_checkable
class Fitted(Protocol):
    """A fitted coefficient: what `results.Estimate` has."""

    @property
    def coefficient(self) -> float:
        """Estimate in outcome units per unit of exposure."""

    @property
    def standard_error(self) -> float:
        """Its standard error."""

    @property
    def dof(self) -> float:
        """Residual degrees of freedom."""


Fit: TypeAlias = Fitted | tuple[float, float, float]
"""A fitted result, or its estimate, classical standard error and residual degrees of freedom."""


@dataclass(frozen=True)
class ShortRegression:
    """One coefficient of a regression that omits a confounder.

    Attributes
    ----------
    coefficient : in outcome units per unit of exposure
    standard_error : the classical one, ``sd(y | x, controls) / sd(x | controls) / sqrt(dof)``
    dof : residual degrees of freedom, rows less parameters (absorbed effects among them)
    inference_error : the standard error for tests and intervals
    inference_dof : degrees of freedom of their t reference: ``dof``, or clusters less one
    covariance : ``"classical"``, ``"robust"`` or ``"clustered"``, of ``inference_error``
    """

    coefficient: float
    standard_error: float
    dof: float
    inference_error: float
    inference_dof: float
    covariance: str = "classical"

    @property
    def t_value(self) -> float:
        """Coefficient over the inference error."""
        return self.coefficient / self.inference_error

    @property
    def f(self) -> float:
        """|Partial f| of exposure and outcome: classical |t| over the root of ``dof``."""
        return abs(self.coefficient / self.standard_error) / math.sqrt(self.dof)

    @property
    def residual_ratio(self) -> float:
        """sd(y given x and controls) over sd(x given controls)."""
        return self.standard_error * math.sqrt(self.dof)

    @property
    def long_dof(self) -> float:
        """Reference degrees of freedom once the confounder is in: one less, or clusters less one.

        Clustered degrees of freedom do not change with one more regressor.
        """
        return self.inference_dof - (self.covariance != "clustered")

    def critical_f(self, level: float | None) -> float:
        """f* of [cinelli2020making]: the t quantile over ``sqrt(dof - 1)``, at no level 0.

        With a robust or clustered error times the root of the design effect, inference over
        classical error: the convention that the confounder would leave their ratio alone.
        """
        if level is None:
            return 0.0
        quantile = t_quantile(fraction(level, "level"), self.long_dof)
        return quantile * self.inference_error / self.standard_error / math.sqrt(self.dof - 1)


def short_regression(fit: Fit, inference: Fit | None = None) -> ShortRegression:
    """Check a fit, and give it the standard error its tests should use.

    Parameters
    ----------
    fit : fitted result, or ``(estimate, standard_error, dof)``
        With the classical standard error and the residual degrees of freedom. Generalized least
        squares (random effects) count as regressions on their transformed rows, and partial R2 are
        then of transformed variables.
    inference : likewise, optional
        The same coefficient with a robust or clustered error; ``dof`` then is that of its t
        reference, clusters less one if clustered. Bare numbers count as clustered.

    Returns
    -------
    ShortRegression

    Raises
    ------
    ValueError
        If numbers are not usable, the error of ``fit`` is not classical, ``fit`` is an instrumental
        variables estimate, or the two coefficients differ.
    """
    if isinstance(fit, ShortRegression) and inference is None:
        return fit
    coefficient, error, dof = _numbers(fit, "fit")
    covariance = getattr(fit, "covariance", "classical")
    if covariance != "classical" and not isinstance(fit, ShortRegression):
        raise ValueError(
            f"fit has a {covariance} standard error, but the bias is read off the classical one:"
            " fit with covariance='classical' and give the other as inference"
        )
    kappa = getattr(fit, "kappa", 0.0)
    if math.isfinite(kappa) and kappa != 0:
        raise ValueError(
            f"fit is {getattr(fit, 'method', 'a k-class estimate')}, and a partial R2 of its"
            " exposure would mean nothing: use instrument_sensitivity for instruments"
        )
    if dof <= 1:
        raise ValueError(f"fit has {dof:g} degrees of freedom: a confounder would leave none")
    if inference is None:
        return ShortRegression(coefficient, error, dof, error, dof)
    other, inference_error, inference_dof = _numbers(inference, "inference")
    if abs(other - coefficient) > _SAME * error:
        raise ValueError(
            f"inference has the coefficient {other:.6g} and fit {coefficient:.6g}: give two errors"
            " of one regression"
        )
    label = str(getattr(inference, "covariance", "clustered"))
    return ShortRegression(coefficient, error, dof, inference_error, inference_dof, label)


@lru_cache(maxsize=64)
def t_quantile(level: float, dof: float) -> float:
    """Two-sided quantile; kept, since contours ask for the same one at every point."""
    return float(stats.t.isf((1 - level) / 2, dof))


def _numbers(fit: Fit, name: str) -> tuple[float, float, float]:
    if isinstance(fit, tuple):
        if len(fit) != 3:
            raise ValueError(f"{name} has {len(fit)} numbers: give (estimate, standard_error, dof)")
        coefficient, error, dof = fit
    elif isinstance(fit, Fitted):
        coefficient, error, dof = fit.coefficient, fit.standard_error, fit.dof
    else:
        raise ValueError(
            f"{name} is {type(fit).__name__}: give a result with coefficient, standard_error and"
            " dof, or a tuple of these three"
        )
    coefficient = finite(coefficient, f"{name}'s estimate")
    error, dof = finite(error, f"{name}'s standard error"), finite(dof, f"{name}'s dof")
    for value, what in ((error, "standard error"), (dof, "dof")):
        if value <= 0:
            raise ValueError(f"{name}'s {what} is {value:g}: give a positive number")
    return coefficient, error, dof
