"""Rubin's rules: one estimate from the estimates of several imputations [rubin1987multiple]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from pooledtrials.arguments import numeric_columns
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.results import Estimate


@dataclass(frozen=True, kw_only=True)
class ImputedEstimate(Estimate):
    """An estimate over m imputations; ``dof`` is that of Barnard and Rubin [barnard1999small].

    Attributes
    ----------
    within : mean of the m variances, U
    between : variance of the m estimates, B
    imputations : m
    """

    within: float
    between: float
    imputations: int

    @property
    def relative_increase(self) -> float:
        """``r = (1 + 1/m) B / U``, by how much missing values increase the variance."""
        return (1 + 1 / self.imputations) * self.between / self.within

    @property
    def fraction_missing(self) -> float:
        """``(r + 2 / (dof + 3)) / (r + 1)``, the fraction of missing information."""
        r = self.relative_increase
        return (r + 2 / (self.dof + 3)) / (r + 1)

    @property
    def monte_carlo_error(self) -> float:
        """``sqrt(B / m)``, what the estimate would vary by between sets of m imputations."""
        return math.sqrt(self.between / self.imputations)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of a zero coefficient, t reference."""
        return float(2 * stats.t.sf(abs(self.t_value), self.dof))

    def interval(self, level: float = 0.95, reference: str = "t") -> ConfidenceSet:
        """Estimate plus and minus a quantile of t with ``dof`` times the standard error."""
        return super().interval(level, reference)

    def describe(self) -> str:
        """The estimate, and what the imputation costs, in words."""
        return (
            f"{self}: over {self.imputations} imputations, 95 % interval {self.interval()} with"
            f" {self.dof:.4g} degrees of freedom. About {100 * self.fraction_missing:.0f} % of the"
            f" information is missing; other imputations would move the estimate by about"
            f" {self.monte_carlo_error:.2g}."
        )


def rubin(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    dof_complete: float = math.inf,
    *,
    method: str = "Rubin's rules",
    covariance: str = "Rubin",
    nobs: int = 0,
) -> ImputedEstimate:
    """Combine estimates from m imputations.

    ``Q = mean(Q_i)``, ``T = U + (1 + 1/m) B`` with U the mean variance and B the variance of the
    estimates. With ``lambda = (1 + 1/m) B / T``, degrees of freedom are ``1 / (1/a + 1/b)``,
    ``a = (m - 1) / lambda^2`` and ``b = (1 - lambda) v (v + 1) / (v + 3)``, v those that the
    complete data have [barnard1999small]. They presume imputations that vary as the missing values
    could (proper ones), and an analysis that the imputation model can accommodate.

    Parameters
    ----------
    estimates, variances : (m,)
        Of each completed data set, m of two or more; variances are squared standard errors.
    dof_complete : float
        Degrees of freedom of the analysis without missing values, ``n - K`` or clusters less one.
    method, covariance, nobs
        What the result says of itself.

    Raises
    ------
    ValueError
        For fewer than two imputations, a variance that is not positive, or
        degrees of freedom that are not.
    """
    q = numeric_columns(np.asarray(estimates), "estimates")[0].ravel()
    m = q.size
    u = np.asarray(variances, dtype=float).ravel()
    if m < 2:
        raise ValueError(f"estimates has {m} imputation: give two or more, or nothing varies")
    if u.size != m:
        raise ValueError(f"variances has {u.size} values but estimates has {m}: give one each")
    bad = int((~(u > 0) | np.isinf(u)).sum())
    if bad:
        raise ValueError(f"variances is not positive and finite in {bad} of {m} imputations")
    if not dof_complete > 0:
        raise ValueError(f"dof_complete is {dof_complete!r}: give a positive number")
    within, between = float(u.mean()), float(q.var(ddof=1))
    total = within + (1 + 1 / m) * between
    missing = (1 + 1 / m) * between / total
    # reciprocals, so that infinite degrees of freedom and no variation need no case of their own
    of_imputations = missing**2 / (m - 1)
    of_data = (1 + 3 / dof_complete) / ((1 - missing) * (dof_complete + 1))
    reciprocal = of_imputations + of_data
    return ImputedEstimate(
        method, float(q.mean()), math.sqrt(total), covariance, nobs,
        1 / reciprocal if reciprocal > 0 else math.inf,
        within=within, between=between, imputations=m,
    )  # fmt: skip


def pool_estimates(estimates: Sequence[Estimate]) -> ImputedEstimate:
    """Combine `Estimate` results by Rubin's rules, with the smallest of their ``dof``."""
    return rubin(
        [e.coefficient for e in estimates],
        [e.standard_error**2 for e in estimates],
        min(e.dof for e in estimates),
        method=estimates[0].method,
        covariance=f"Rubin, {estimates[0].covariance}",
        nobs=estimates[0].nobs,
    )
