"""What functions return: a test, an estimate. Frozen, unrounded, readable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scipy import stats

from pooledtrials.arguments import choice, fraction
from pooledtrials.confidence_set import ConfidenceSet


@dataclass(frozen=True)
class Test:
    """The result of one test, or the reason there is none.

    Attributes
    ----------
    name : what was tested with
    statistic : the statistic, ``nan`` if the test does not apply
    p_value : probability of a larger statistic under the null (survival function)
    distribution : null distribution in words, such as ``"F(2, 419)"``
    dof : its degrees of freedom
    null : the hypothesis in words
    covariance : ``"classical"``, ``"robust"``, ``"HC3"`` or ``"clustered"``
    reason : why the test does not apply, empty if it does
    """

    __test__: ClassVar[bool] = False  # not a pytest class, whatever its name

    name: str
    statistic: float
    p_value: float
    distribution: str
    dof: tuple[float, ...]
    null: str
    covariance: str = ""
    reason: str = ""

    @classmethod
    def not_applicable(cls, name: str, null: str, reason: str) -> Test:
        """The test that does not exist here, and why."""
        return cls(name, math.nan, math.nan, "none", (), null, reason=reason)

    @property
    def applicable(self) -> bool:
        """Whether there is a statistic at all."""
        return not self.reason

    def __str__(self) -> str:
        if self.reason:
            return f"{self.name}: does not apply ({self.reason})"
        return (
            f"{self.name}: {self.statistic:.6g}, p = {self.p_value:.4g}, {self.distribution};"
            f" null: {self.null}"
        )


@dataclass(frozen=True)
class Estimate:
    """One coefficient of the exposure with its standard error.

    Attributes
    ----------
    method : name of the estimator as in the literature
    coefficient, standard_error : in outcome units per unit of exposure
    covariance : how the standard error was formed
    nobs : rows
    dof : degrees of freedom of the t reference (``n - K``, or clusters less one)
    kappa : k-class parameter, ``nan`` where there is none
    """

    method: str
    coefficient: float
    standard_error: float
    covariance: str
    nobs: int
    dof: float
    kappa: float = math.nan

    @property
    def t_value(self) -> float:
        """Coefficient over standard error."""
        return self.coefficient / self.standard_error

    @property
    def p_value(self) -> float:
        """Two-sided p-value of a zero coefficient, normal reference.

        It is not to be trusted when the instruments are weak.
        """
        return float(2 * stats.norm.sf(abs(self.t_value)))

    def interval(self, level: float = 0.95, reference: str = "normal") -> ConfidenceSet:
        """Wald interval, estimate plus and minus a quantile times the standard error.

        It undercovers when the instruments are weak: see `anderson_rubin_set`.

        Parameters
        ----------
        level : confidence level
        reference : ``"normal"`` or ``"t"`` with ``dof`` degrees of freedom
        """
        fraction(level, "level")
        choice(reference, "reference", ("normal", "t"))
        tail = (1 - level) / 2
        quantile = stats.norm.isf(tail) if reference == "normal" else stats.t.isf(tail, self.dof)
        half = float(quantile) * self.standard_error
        return ConfidenceSet(((self.coefficient - half, self.coefficient + half),), level)

    def __str__(self) -> str:
        return (
            f"{self.method}: {self.coefficient:.6g} (s.e. {self.standard_error:.4g},"
            f" {self.covariance})"
        )
