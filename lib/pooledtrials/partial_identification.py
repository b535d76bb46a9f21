"""Confidence intervals for an effect that is only known to lie between two estimated bounds.

Such an interval must cover the effect, wherever between the bounds it is, not both bounds. When the
bounds are far apart it cannot be at both, and one-sided critical values do (1.64 for 95 %); when
they meet, two-sided ones are needed (1.96) [imbens2004confidence] [stoye2009more]. Both intervals
here take bounds that are asymptotically normal. A largest or smallest of several estimates is not:
see `intersection_bounds`.
"""

from __future__ import annotations

import math

from scipy import optimize, special, stats

from pooledtrials.arguments import finite, fraction
from pooledtrials.confidence_set import ConfidenceSet

_FAR = 38.0  # standard errors beyond which a normal probability is 0 or 1 to the last digit
_WIDEST = 8.0  # a margin as wide as this misses once in a thousand million million times


def imbens_manski_interval(
    lower: float, lower_error: float, upper: float, upper_error: float, *, level: float = 0.95
) -> ConfidenceSet:
    """Imbens and Manski's interval, ``[lower - C se_lower, upper + C se_upper]``.

    C solves ``Phi(C + width / max(se)) - Phi(-C) = level`` [imbens2004confidence]. Its coverage is
    uniform in the width if the estimated bounds cannot cross, as worst-case bounds cannot
    [stoye2009more]. Bounds that cross are taken to have width zero, which makes C largest; the set
    is empty if they cross by more than sampling error.

    Parameters
    ----------
    lower, upper : estimated bounds
    lower_error, upper_error : their standard errors, 0 for a bound that is known
    level : confidence level, above one half, for the effect and not for the identified set

    Raises
    ------
    ValueError
        For bounds that are not finite, errors that are negative, or a level of at most one half.
    """
    _check(lower, lower_error, upper, upper_error)
    _check_level(level)
    largest = max(lower_error, upper_error)
    if largest == 0:
        return _interval(lower, upper, level)
    width = max(upper - lower, 0.0) / largest

    def excess(c: float) -> float:
        return float(special.ndtr(c + width) - special.ndtr(-c)) - level

    c = float(optimize.brentq(excess, 0.0, _FAR))
    return _interval(lower - c * lower_error, upper + c * upper_error, level)


def stoye_interval(
    lower: float,
    lower_error: float,
    upper: float,
    upper_error: float,
    correlation: float,
    *,
    level: float = 0.95,
    threshold: float = 0.0,
) -> ConfidenceSet:
    """Stoye's interval, the shortest that covers at both ends given the bounds' correlation.

    ``[lower - c se_lower, upper + d se_upper]`` with (c, d) least in total length such that the
    effect is covered with the given probability both when it equals the lower bound and when it
    equals the upper one, the two estimates being jointly normal. An estimated width of at most
    ``threshold`` is taken to be zero, which keeps coverage where the bounds can cross (his third
    interval: the threshold must shrink with the sample, but more slowly than the errors). Empty if
    its ends cross [stoye2009more].

    Parameters
    ----------
    lower, lower_error, upper, upper_error : as in `imbens_manski_interval`
    level : confidence level for the effect, above one half
    correlation : of the two estimates, -1 to 1
    threshold : widths not told apart from zero, in units of the bounds

    Raises
    ------
    ValueError
        For unusable numbers.
    """
    _check(lower, lower_error, upper, upper_error)
    _check_level(level)
    if not -1 <= finite(correlation, "correlation") <= 1:
        raise ValueError(f"correlation is {correlation!r}: give a number from -1 to 1")
    if finite(threshold, "threshold") < 0:
        raise ValueError(f"threshold is {threshold!r}: give a number of at least 0")
    width = upper - lower if upper - lower > threshold else 0.0
    one_sided = float(stats.norm.ppf(level))
    if lower_error == 0 or upper_error == 0:
        # the known bound always covers, which leaves a one-sided problem for the other
        return _interval(lower - one_sided * lower_error, upper + one_sided * upper_error, level)

    def covered(c: float, d: float) -> float:
        """Least probability of covering the effect, at either bound, with margins c and d."""
        at_lower = _both_below(c, d + width / upper_error, -correlation)
        at_upper = _both_below(d, c + width / lower_error, -correlation)
        return min(at_lower, at_upper)

    def least(c: float) -> float:
        """The smallest upper margin that a lower margin of ``c`` allows, infinite if none does."""
        if covered(c, one_sided) >= level:
            return one_sided
        if covered(c, _FAR) < level:
            return math.inf
        return float(optimize.brentq(lambda d: covered(c, d) - level, one_sided, _FAR))

    def length(c: float) -> float:
        return lower_error * c + upper_error * min(least(c), _FAR)

    found = optimize.minimize_scalar(
        length, bounds=(one_sided, _WIDEST), method="bounded", options={"xatol": 1e-9}
    )
    c = min((float(found.x), one_sided), key=length)
    return _interval(lower - c * lower_error, upper + least(c) * upper_error, level)


def _both_below(h: float, k: float, correlation: float) -> float:
    """P(X <= h, Y <= k) of standard normals, h and k positive, by Owen's T function."""
    if abs(correlation) > 1 - 1e-12:
        a, b = special.ndtr(h), special.ndtr(k)
        return float(min(a, b) if correlation > 0 else a + b - 1)
    root = math.sqrt(1 - correlation**2)
    tail = special.owens_t(h, (k / h - correlation) / root)
    tail += special.owens_t(k, (h / k - correlation) / root)
    return float((special.ndtr(h) + special.ndtr(k)) / 2 - tail)


def _check(lower: float, lower_error: float, upper: float, upper_error: float) -> None:
    for name, value in (("lower", lower), ("upper", upper)):
        finite(value, name)
    for name, value in (("lower_error", lower_error), ("upper_error", upper_error)):
        if finite(value, name) < 0:
            raise ValueError(f"{name} is {value!r}: give a standard error of at least 0")


def _check_level(level: float) -> None:
    if fraction(level, "level") <= 0.5:
        raise ValueError(f"level is {level!r}: give a confidence level above one half")


def _interval(low: float, high: float, level: float) -> ConfidenceSet:
    return ConfidenceSet(((low, high),) if low <= high else (), level)
