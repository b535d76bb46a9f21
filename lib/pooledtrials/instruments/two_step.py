"""Andrews' two-step set: the Wald interval if instruments look strong, a robust set if not.

[andrews2018valid]. With K and AR at b (K in 2SLS's direction) and c the 1 - alpha point of chi2(1):

- preliminary set ``CS_P(g) = {K + a AR <= c}``, ``a`` such that it covers with 1 - alpha - g;
- robust set ``CS_R(g) = {K + a AR <= H}``, H such that it covers with 1 - alpha;
- the two-step set is the Wald interval if CS_P(g) lies inside it, else CS_R(g), and covers with at
  least 1 - alpha - g.

The *distortion cutoff* is the smallest g at which CS_P lies inside the Wald interval: by how much
its coverage may fall short of nominal. A cutoff below 5 % is commonly read as "not weak"; one near
1 - alpha as no protection at all. Under the null K and AR - K are independent chi2(1), chi2(k - 1)
whatever the strength, so the law of ``(1 + a) chi2(1) + a chi2(k - 1)`` is all that is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from pooledtrials.arguments import Columns, fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.conditional import quarter_legendre
from pooledtrials.instruments.estimators import k_class_estimate
from pooledtrials.instruments.inversion import accepted_on_circle
from pooledtrials.instruments.largest import largest_value
from pooledtrials.instruments.moments import Moments, joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.robust_panel import Circle, on_circle
from pooledtrials.results import Estimate

_ANGLES = 2001


@dataclass(frozen=True)
class TwoStep:
    """A two-step set with its parts.

    Attributes
    ----------
    wald : 2SLS interval, normal quantile
    preliminary, robust : CS_P and CS_R at ``distortion``
    distortion : tolerated loss of coverage, gamma
    distortion_cutoff : smallest gamma at which the Wald interval holds CS_P
    chosen : ``wald`` if the cutoff is at most ``distortion``, else ``robust``
    """

    wald: ConfidenceSet
    preliminary: ConfidenceSet
    robust: ConfidenceSet
    distortion: float
    distortion_cutoff: float

    @property
    def weak(self) -> bool:
        """Whether the instruments look weak at the tolerated distortion."""
        return self.distortion_cutoff > self.distortion

    @property
    def chosen(self) -> ConfidenceSet:
        """The two-step set."""
        return self.robust if self.weak else self.wald


def two_step_set(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    distortion: float = 0.05,
    covariance: str = "robust",
    debiased: bool = True,
) -> TwoStep:
    """Two-step set around 2SLS and its distortion cutoff [andrews2018valid].

    Chi-square references throughout, as in the paper.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere.
    level : nominal confidence level, 1 - alpha
    distortion : tolerated loss of coverage gamma, below ``level``
    covariance : ``"robust"`` or ``"classical"``; clustered with ``clusters``
    debiased : small-sample factors of `moments`

    Raises
    ------
    ValueError
        For unusable arguments, instruments that do not move x at all, or a distortion of
        ``level`` or more.
    """
    level, distortion = fraction(level, "level"), fraction(distortion, "distortion")
    if distortion >= level:
        raise ValueError(
            f"distortion is {distortion} and level {level}: no coverage would be left, give less"
        )
    data = partial_out(y, x, z, controls, clusters, strata)
    estimate = k_class_estimate(data, 1.0, "2SLS", covariance, debiased)
    moments = joint_moments(data, covariance, debiased=debiased)
    return two_step_from(moments, estimate, level, distortion)


def two_step_from(
    moments: Moments, estimate: Estimate, level: float, distortion: float = 0.05
) -> TwoStep:
    """`two_step_set` of moments and the 2SLS estimate that goes with them."""
    k, wald, circle = moments.n_instruments, estimate.interval(level), on_circle(moments)
    critical = float(stats.chi2.isf(1 - level, 1))
    a = combination_weight(level - distortion, critical, k)
    robust_bound = combination_quantile(level, a, k)
    sets = []
    for bound in (critical, robust_bound):

        def margin(angle: npt.NDArray[np.float64], bound: float = bound) -> npt.NDArray[np.float64]:
            at = circle.at(angle)
            return np.asarray(bound - at.tsls_score - a * at.anderson_rubin)

        sets.append(accepted_on_circle(circle, margin, level))
    needed = _weight_to_fit(circle, wald, critical)
    cutoff = level - float(combination_cdf(critical, needed, k))
    return TwoStep(wald, sets[0], sets[1], distortion, min(max(cutoff, 0.0), level))


def combination_cdf(value: float, a: float, k: int) -> float:
    """P((1 + a) chi2(1) + a chi2(k - 1) <= value)."""
    if math.isinf(a):
        return 0.0
    if k == 1 or a == 0:
        return float(stats.chi2.cdf(value / (1 + a), 1))
    angle, weights = quarter_legendre(120)
    top = math.sqrt(value / (1 + a))
    # z = top sin(t): the cosine takes the root out of the far end
    z = top * np.sin(angle)
    mass = 2 * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * top * np.cos(angle)
    inner = special.chdtr(k - 1, np.maximum(value - (1 + a) * z**2, 0.0) / a)
    return float((mass * inner) @ weights)


def combination_weight(coverage: float, critical: float, k: int) -> float:
    """The ``a`` at which the combination stays below ``critical`` with probability ``coverage``."""
    high = 1.0
    while combination_cdf(critical, high, k) > coverage:
        high *= 2
    return float(
        optimize.brentq(lambda a: combination_cdf(critical, a, k) - coverage, 0.0, high, xtol=1e-14)
    )


def combination_quantile(probability: float, a: float, k: int) -> float:
    """The value that ``(1 + a) chi2(1) + a chi2(k - 1)`` does not exceed with ``probability``."""
    high = (1 + a) * float(stats.chi2.ppf(probability, k)) * 2 + 1
    return float(
        optimize.brentq(lambda v: combination_cdf(v, a, k) - probability, 1e-12, high, xtol=1e-12)
    )


def _weight_to_fit(circle: Circle, wald: ConfidenceSet, critical: float) -> float:
    """The smallest ``a`` with CS_P inside the Wald interval: sup of (c - K) / AR outside it."""
    low, high = (float(circle.to_angle(v)) for v in wald.intervals[0])

    def need(angle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        at = circle.at(angle)
        with np.errstate(divide="ignore"):
            return np.asarray((critical - at.tsls_score) / at.anderson_rubin)

    return max(largest_value(need, high, low + math.pi, _ANGLES), 0.0)
