"""Robustness values: the least confounding that changes a conclusion, as one number or two."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pooledtrials.arguments import finite
from pooledtrials.selection.short_regression import Fit, short_regression


@dataclass(frozen=True)
class RobustnessValue:
    """The least strength that changes a conclusion.

    Attributes
    ----------
    value : a confounder that explains less than this share of what is left of exposure *and* of
        outcome cannot change the conclusion
    extreme : the same for the exposure alone, whatever the confounder does to the outcome
    q : share of the estimate that would have to be explained away
    level : confidence level, None if the conclusion is about the point estimate
    covariance : of the error used, if there is a level
    """

    value: float
    extreme: float
    q: float
    level: float | None
    covariance: str = "classical"

    def __str__(self) -> str:
        about = "point estimate" if self.level is None else f"{100 * self.level:g} % interval"
        return f"robustness value ({about}, q = {self.q:g}): {self.value:.4g}"

    def describe(self) -> str:
        """What the two numbers say, in words."""
        part = "the whole estimate" if self.q == 1 else f"{100 * self.q:g} % of the estimate"
        end = "to zero" if self.q == 1 else f"{100 * self.q:g} % of the way to zero"
        if self.level is None:
            goal = f"explain away {part}"
        else:
            goal = f"bring an end of the {100 * self.level:g} % interval {end}"
        if self.value == 0:
            return f"No confounder is needed to {goal}: chance alone may be enough."
        return (
            f"A confounder that explains less than {100 * self.value:.3g} % of what is left of the"
            f" exposure and of the outcome cannot {goal}; one that explains {100 * self.value:.3g}"
            f" % of both can. If it explained as much of the outcome as it liked, it would still"
            f" have to explain {100 * self.extreme:.3g} % of the exposure."
        )


def robustness_value(fit: Fit, *, q: float = 1.0, level: float | None = None) -> RobustnessValue:
    """Robustness values RV and XRV of a coefficient [cinelli2020making] [cinelli2025omitted].

    With ``f = q |t| / sqrt(dof)``, ``f*`` of the level (0 without) and ``g = f - f*``::

        RV  = (sqrt(g^4 + 4 g^2) - g^2) / 2   if f f* < 1, else XRV
        XRV = (f^2 - f*^2) / (1 + f^2)

    and both are 0 when g is not positive. The second case of RV is that of a confounder that would
    help its cause by explaining *less* of the outcome than it may, since that keeps the error long.

    Parameters
    ----------
    fit : see `short_regression`; bring a clustered error with ``short_regression(fit, inference)``
    q : share of the estimate to explain away, 1 for all of it
    level : confidence level, or None for the point estimate (there is no default to forget: R and
        Python peers differ in theirs)

    Raises
    ------
    ValueError
        For an unusable fit, ``q`` not positive, or a level outside (0, 1).
    """
    short = short_regression(fit)
    q = positive_share(q)
    value, extreme = robustness_of(q * short.f, short.critical_f(level))
    return RobustnessValue(value, extreme, q, level, short.covariance)


def robustness_of(f: float, critical: float) -> tuple[float, float]:
    """RV and XRV from partial f and f*, see `robustness_value`."""
    if f <= critical:
        return 0.0, 0.0
    extreme = (f**2 - critical**2) / (1 + f**2)
    if f * critical >= 1:
        return extreme, extreme
    gap = (f - critical) ** 2
    # (sqrt(g^4 + 4 g^2) - g^2) / 2 without its cancellation for large g
    return 2 * gap / (gap + math.sqrt(gap**2 + 4 * gap)), extreme


def positive_share(q: float) -> float:
    """A positive share of the estimate, 1 or more for all of it and beyond."""
    number = finite(q, "q")
    if number <= 0:
        raise ValueError(f"q is {number:g}: give a positive share of the estimate, 1 for all of it")
    return number
