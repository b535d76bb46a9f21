"""E-values: how strong one unmeasured confounder must be to explain an association away.

The E-value is the smallest risk ratio that a confounder must have with the exposure *and* with the
outcome, both, beyond the measured covariates, to move an observed risk ratio to the null
[ding2016sensitivity] [vanderweele2017sensitivity]. Other measures are first turned into an
approximate risk ratio. It asks nothing of the data that the estimate and its interval do not hold,
so it says how strong confounding would have to be, never how strong it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pooledtrials.arguments import Number, choice, finite, fraction
from pooledtrials.results import Estimate

MEASURES = (
    "risk ratio",
    "odds ratio, rare outcome",
    "odds ratio, common outcome",
    "hazard ratio, rare outcome",
    "hazard ratio, common outcome",
)

_LARGEST = 350.0  # log risk ratio whose square is still a number
_PER_SD = 0.91  # log risk ratio per standard deviation [vanderweele2017sensitivity]


@dataclass(frozen=True)
class EValue:
    """The E-value of an estimate and of the confidence limit nearer to the null.

    Attributes
    ----------
    point : E-value of the estimate, 1 if it is at the null
    limit : E-value of the limit nearer to the null, 1 if the interval holds the null, ``nan``
        without an interval
    risk_ratio, lower, upper : the (approximate) risk ratio and its limits, against the null
    measure : what the risk ratio was made from
    """

    point: float
    limit: float
    risk_ratio: float
    lower: float
    upper: float
    measure: str

    def describe(self) -> str:
        """What the E-values mean, in two sentences."""
        made = "observed" if self.measure == "risk ratio" else f"approximate (from {self.measure})"
        text = (
            f"An unmeasured confounder could explain the {made} risk ratio of {self.risk_ratio:.3g}"
            f" away only if it were associated with both the exposure and the outcome by risk"
            f" ratios of at least {self.point:.3g} each, beyond the measured covariates"
        )
        if self.point == 1:
            text = f"The {made} risk ratio is at the null: there is nothing to explain away"
        if math.isnan(self.limit):
            return f"{text}."
        if self.limit == 1:
            return f"{text}; its confidence interval already holds the null."
        return f"{text}; to move the confidence interval to the null takes {self.limit:.3g} each."


def e_value(
    estimate: float,
    lower: float = math.nan,
    upper: float = math.nan,
    *,
    measure: str = "risk ratio",
    null: float = 1.0,
) -> EValue:
    """E-value of a ratio: ``RR + sqrt(RR (RR - 1))``, of ``1 / RR`` if RR is below the null.

    Odds and hazard ratios of a rare outcome (below 15 % at the end of follow-up) stand for the risk
    ratio. Of a common one the risk ratio is about ``sqrt(OR)`` [vanderweele2017square], and
    ``(1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR))`` [vanderweele2017sensitivity].

    Parameters
    ----------
    estimate : ratio, above 0
    lower, upper : its confidence limits, either or both; a missing one is not used
    measure : one of `MEASURES`
    null : the ratio to be explained away to, on the same scale; 1 is no effect

    Raises
    ------
    ValueError
        For a ratio that is not positive, or limits that do not bracket the estimate.
    """
    choice(measure, "measure", MEASURES)
    for name, value in (("estimate", estimate), ("null", null)):
        if finite(value, name) <= 0:
            raise ValueError(f"{name} is {value!r}: give a ratio above 0")
    for name, value in (("lower", lower), ("upper", upper)):
        if not isinstance(value, Number) or value < 0:
            raise ValueError(f"{name} is {value!r}: give a number of at least 0, or leave it out")
    if lower > estimate or upper < estimate:
        raise ValueError(
            f"lower is {lower!r} and upper {upper!r}, but the estimate is {estimate!r}: give limits"
            " on both sides of it, on the ratio's own scale (not logarithms)"
        )
    against = _risk_ratio(null, measure)
    ratio, low, high = (_risk_ratio(v, measure) / against for v in (estimate, lower, upper))
    nearer = low if ratio > 1 else high
    if math.isnan(nearer):
        limit = math.nan
    elif ratio == 1 or (nearer - 1) * (ratio - 1) <= 0:
        limit = 1.0
    else:
        limit = _e_value(nearer)
    words = measure if null == 1 else f"{measure} against {null:g}"
    return EValue(_e_value(ratio), limit, ratio, low, high, words)


def e_value_difference(
    estimate: Estimate | float,
    standard_error: float = math.nan,
    *,
    sd: float,
    change: float = 1.0,
    null: float = 0.0,
    level: float = 0.95,
) -> EValue:
    """E-value of a difference of means or a regression coefficient.

    The standardized effect ``d = coefficient * change / sd`` corresponds to a risk ratio of about
    ``exp(0.91 d)``, with limits ``exp(0.91 (d -+ z se))`` [vanderweele2017sensitivity]
    [chinn2000simple]; at 95 % that is the published ``exp(0.91 d -+ 1.78 se)``, the product not
    rounded. It assumes a roughly normal outcome; a standardized mean difference has ``sd=1``.

    Parameters
    ----------
    estimate : `Estimate`, or a coefficient with its ``standard_error``
    standard_error : of a bare coefficient; without it there is no limit
    sd : standard deviation of the outcome (given covariates, or marginal), in its units
    change : difference in exposure to speak of, in its units, such as 30 days of attendance
    null : coefficient to be explained away to
    level : confidence level

    Raises
    ------
    ValueError
        For an ``sd`` that is not positive, or far too small for the estimate, a ``change`` of zero,
        a negative standard error, or a standard error beside an `Estimate`.
    """
    if isinstance(estimate, Estimate):
        if not math.isnan(standard_error):
            raise ValueError(
                f"standard_error is {standard_error!r}, but the estimate brings its own: leave it"
                " out"
            )
        coefficient, error = estimate.coefficient, estimate.standard_error
    else:
        coefficient, error = finite(estimate, "estimate"), standard_error
    if finite(sd, "sd") <= 0:
        raise ValueError(f"sd is {sd!r}: give the outcome's standard deviation, above 0")
    if finite(change, "change") == 0:
        raise ValueError("change is 0: give a difference in exposure to speak of")
    if not isinstance(error, Number) or error < 0:
        raise ValueError(
            f"standard_error is {error!r}: give a number of at least 0, or leave it out"
        )
    scale = _PER_SD * change / sd
    centre = scale * (coefficient - finite(null, "null"))
    if abs(centre) > _LARGEST:
        raise ValueError(
            f"sd is {sd!r}: the difference would be {centre / _PER_SD:.3g} of it, too many for a"
            " risk ratio; check that estimate, change and sd are in the same units"
        )
    half = abs(scale) * error * float(stats.norm.isf((1 - fraction(level, "level")) / 2))
    with np.errstate(over="ignore"):  # a limit may be infinite
        ratios = np.exp([centre, centre - half, centre + half]).tolist()
    found = e_value(*ratios)
    words = f"a difference of {coefficient * change / sd:.3g} standard deviations"
    return EValue(found.point, found.limit, found.risk_ratio, found.lower, found.upper, words)


def bounding_factor(with_exposure: float, with_outcome: float) -> float:
    """Largest factor by which a confounder can shift a risk ratio [ding2016sensitivity].

    ``a b / (a + b - 1)``, for risk ratios a with the exposure and b with the outcome; both equal to
    the E-value give the observed risk ratio.

    Raises
    ------
    ValueError
        If one is below 1.
    """
    for name, value in (("with_exposure", with_exposure), ("with_outcome", with_outcome)):
        if finite(value, name) < 1:
            raise ValueError(f"{name} is {value!r}: give a risk ratio of at least 1 (invert it)")
    return with_exposure * with_outcome / (with_exposure + with_outcome - 1)


def _e_value(ratio: float) -> float:
    away = ratio if ratio >= 1 else 1 / ratio
    return away + math.sqrt(away * (away - 1))


def _risk_ratio(value: float, measure: str) -> float:
    """The approximate risk ratio; 0 and infinity stay what they are."""
    if measure == "odds ratio, common outcome":
        return math.sqrt(value)
    if measure == "hazard ratio, common outcome" and 0 < value < math.inf:
        return (1 - 2 ** -math.sqrt(value)) / (1 - 2 ** -math.sqrt(1 / value))
    return value
