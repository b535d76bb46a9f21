"""Montiel Olea and Pflueger's effective F and its critical values [montielolea2013robust].

With orthonormal partialled instruments, ``F_eff = pi'pi / tr(W2)`` where W2 is the robust or
clustered covariance of the first stage: the F one would have to see under homoskedasticity for
the same bias. The instruments must have intercept and controls partialled out *before* the
quadratic form: two published packages do not do so and report 1.006 for 4.552 on Mroz's data.

The Nagar bias of 2SLS or LIML, relative to a worst-case benchmark, exceeds ``tau`` only if the
concentration is below ``B / tau``, with B the largest ratio of the two over all effects and
directions; the critical value is a noncentral chi-square quantile (Patnaik's approximation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import stats

from pooledtrials.arguments import Matrix, Vector, choice, fraction
from pooledtrials.instruments.largest import largest_value
from pooledtrials.instruments.moments import Moments

_ANGLES = 361


@dataclass(frozen=True, eq=False)
class EffectiveF:
    """The effective F with what its critical values need.

    Attributes
    ----------
    statistic : effective F
    moments : the moments it was computed from
    """

    statistic: float
    moments: Moments

    @cached_property
    def tsls_bias(self) -> float:
        """Largest Nagar bias B of 2SLS relative to the benchmark, times the concentration."""
        return _worst_ratio(self.moments.omega, None)

    @cached_property
    def liml_bias(self) -> float:
        """The same of LIML."""
        return _worst_ratio(self.moments.omega, self.moments.residual_gram)

    def critical_value(
        self, tau: float = 0.10, alpha: float = 0.05, estimator: str = "tsls"
    ) -> float:
        """The value to exceed for a worst-case relative bias of at most ``tau``.

        Parameters
        ----------
        tau : tolerated bias as a share of the worst case
        alpha : level of the test that the bias is larger
        estimator : ``"tsls"``, ``"liml"`` or ``"simplified"`` (B = 1, an upper bound for 2SLS)
        """
        fraction(tau, "tau")
        fraction(alpha, "alpha")
        choice(estimator, "estimator", ("tsls", "liml", "simplified"))
        bias = 1.0
        if estimator != "simplified":
            bias = self.tsls_bias if estimator == "tsls" else self.liml_bias
        return patnaik_critical_value(self.moments.omega[1, 1], bias / tau, alpha)


def effective_f(moments: Moments) -> EffectiveF:
    """Effective F from the moments of one data set.

    Classical, it is the ordinary F and its critical values those of homoskedasticity.
    """
    return EffectiveF(float(effective_f_statistic(moments)), moments)


def effective_f_statistic(moments: Moments) -> npt.NDArray[np.float64]:
    """``pi'pi / tr(W2)``, with any leading axes."""
    pi = moments.first_stage
    top = np.einsum("...i,...i->...", pi, pi)
    return np.asarray(top / np.trace(moments.omega[..., 1, 1, :, :], axis1=-2, axis2=-1))


def patnaik_critical_value(w2: Matrix, x: float, alpha: float = 0.05) -> float:
    """Upper ``alpha`` point of the effective F when the concentration is ``x``.

    The weighted sum of noncentral chi-squares is matched by one with
    ``K = tr(W)^2 (1 + 2x) / (tr(W'W) + 2 x tr(W) max eig W)`` degrees of freedom.
    """
    trace, largest = float(np.trace(w2)), float(np.linalg.eigvalsh(w2)[-1])
    k = trace**2 * (1 + 2 * x) / (float(np.sum(w2 * w2)) + 2 * x * trace * largest)
    return float(stats.ncx2.isf(alpha, k, x * k) / k)


def _worst_ratio(omega: npt.NDArray[np.float64], sigma: Matrix | None) -> float:
    """B: the supremum over effects and directions of Nagar bias over benchmark.

    At effect b, ``S1 = W1 - b(W12 + W12') + b^2 W2`` and ``S12 = W12 - b W2``. The bias is
    ``tr N - 2 c'N c`` over tr W2 with N = S12 for 2SLS, and for LIML ``tr N - c'(N + S12) c`` with
    N = S12 - r S1 and r = cov(u, v) / var(u); the worst unit vector c is an eigenvector. The
    benchmark is ``sqrt(tr S1 / tr W2)``. For LIML ``c'(2 S12 - r S1)c``.
    """
    w1, w12, w2 = omega[0, 0], omega[0, 1], omega[1, 1]
    trace2 = float(np.trace(w2))
    middle = float(np.trace(w12)) / trace2
    scale = math.sqrt(max(float(np.trace(w1)) / trace2 - middle**2, 1e-300))

    def ratio(angles: Vector) -> Vector:
        # effect b = middle + scale tan(angle), multiplied through by the cosine so that infinity
        # is a point like any other
        c = np.cos(angles)[:, None, None]
        b = middle * c + scale * np.sin(angles)[:, None, None]
        s1 = c * c * w1 - c * b * (w12 + w12.T) + b * b * w2
        s12 = c * w12 - b * w2
        trace_n, form = np.trace(s12, axis1=1, axis2=2), 2 * s12
        if sigma is not None:
            var_u = c * c * sigma[0, 0] - 2 * c * b * sigma[0, 1] + b * b * sigma[1, 1]
            slope = (c * sigma[0, 1] - b * sigma[1, 1]) / var_u
            trace_n = trace_n - slope[:, 0, 0] * np.trace(s1, axis1=1, axis2=2)
            form = form - slope * s1
        roots = np.linalg.eigvalsh((form + np.swapaxes(form, 1, 2)) / 2)
        worst = np.maximum(np.abs(trace_n - roots[:, 0]), np.abs(trace_n - roots[:, -1]))
        return np.asarray(worst / np.sqrt(np.trace(s1, axis1=1, axis2=2) * trace2))

    return largest_value(ratio, -math.pi / 2, math.pi / 2, _ANGLES)
