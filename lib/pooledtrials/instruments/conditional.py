"""The conditional null distribution of the likelihood ratio statistic [moreira2003conditional].

With ``S`` the k-vector that is standard normal under the null and ``T`` the independent vector
that carries the strength of the instruments, the statistic is ::

    LR = (QS - QT + sqrt((QS - QT)^2 + 4 QST^2)) / 2

and given ``QT = q`` its null distribution depends on k alone [andrews2007performance]: with W the
share of S along T, ``LR > m`` exactly when ``S'S > (q + m) / (1 + q W^2 / m)``. Hence ::

    P(LR > m | q) = 2 c int_0^{pi/2} P(chi2_k > (q + m) / (1 + q sin^2(a) / m)) cos(a)^(k-2) da,

``c = Gamma(k/2) / (sqrt(pi) Gamma((k-1)/2))``. It runs from the law of chi2(k) at q = 0 to that
of chi2(1) as q grows. With one instrument it is chi2(1) whatever q.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from pooledtrials.arguments import Vector

Array = npt.NDArray[np.float64]

_NODES = 48  # and one more for each instrument: the cosine's power sharpens with k
_LOGARITHMIC_NODES = 192
_SMALL = 0.05
_NO_FINER = 60.0  # beyond it the tail of chi2 is negligible: strength adds no finer scale


def chi2_or_f_sf(
    statistic: npt.ArrayLike, k: float, dof: float | None = None
) -> npt.NDArray[np.float64]:
    """P(X > statistic) for chi2(k), or for k times F(k, dof) where ``dof`` is given."""
    value = np.maximum(np.asarray(statistic, dtype=float), 0.0)
    if dof is None or math.isinf(dof):
        return np.asarray(special.chdtrc(k, value))
    return np.asarray(special.fdtrc(k, dof, value / k))


@lru_cache(maxsize=1024)
def chi2_or_f_isf(alpha: float, k: float, dof: float | None = None) -> float:
    """The value that chi2(k), or k times F(k, dof), exceeds with probability ``alpha``."""
    if dof is None or math.isinf(dof):
        return float(special.chdtri(k, alpha))
    return float(k * special.fdtri(k, dof, 1 - alpha))


def conditional_p_value(
    statistic: npt.ArrayLike, strength: npt.ArrayLike, k: int, dof: float | None = None
) -> npt.NDArray[np.float64]:
    """P(LR > statistic | QT = strength) under the null, by quadrature.

    Parameters
    ----------
    statistic, strength : arrays that broadcast
        LR and QT (in the robust form the rank statistic), both at least 0.
    k : int
        Instruments.
    dof : float, optional
        If given, chi2_k is replaced by k F(k, dof). That is exact for one instrument and for
        Anderson-Rubin's statistic (QT = 0) with normal errors of equal variance, and a conservative
        approximation between; without it the reference is asymptotic.

    Notes
    -----
    The angle is mapped so that both scales of the integrand, sqrt(m / q) and sqrt(m), are
    resolved. Against adaptive integration, q from 0 to 1e6 and k from 2 to 50, the error is below
    1e-9.
    """
    m = np.maximum(np.asarray(statistic, dtype=float), 0.0)
    q = np.maximum(np.asarray(strength, dtype=float), 0.0)
    if k == 1:
        return chi2_or_f_sf(m + 0 * q, 1, dof)
    if (m >= _SMALL).all():
        return _tilted(m[..., None], q[..., None], k, dof)
    m, q = np.broadcast_arrays(m, q)
    out = np.ones(m.shape)
    for rows, rule in ((m >= _SMALL, _tilted), ((m > 0) & (m < _SMALL), _logarithmic)):
        if rows.any():
            out[rows] = rule(m[rows, None], q[rows, None], k, dof)
    return out


def _tilted(m: Array, q: Array, k: int, dof: float | None) -> Array:
    """The integral over angles ``a`` with ``tan a = s tan b``, b on Gauss-Legendre nodes."""
    sine2, cosine2, density = _angles(k)
    tilted = np.sqrt(m / (m + np.minimum(q, _NO_FINER))) * sine2
    norm = cosine2 + tilted
    # sin(a)^2 = tilted / norm, multiplied through
    tail = chi2_or_f_sf((q + m) * m * norm / (m * cosine2 + (q + m) * tilted), k, dof)
    return _mean(tail, density * norm ** (-k / 2))


def _logarithmic(m: Array, q: Array, k: int, dof: float | None) -> Array:
    """The same on a logarithmic scale of angles, for statistics so small that scales lie apart."""
    nodes, weights = quarter_legendre(_LOGARITHMIC_NODES + k)
    finest = np.minimum(q, _NO_FINER)
    low = np.log(1e-3 * np.sqrt(np.maximum(m, 1e-30) / (m + finest + 1)))
    high = math.log(math.pi / 2)
    angle = np.exp(low + (high - low) * nodes * 2 / math.pi)
    weight = weights * 2 / math.pi * (high - low) * angle
    # below the first angle nothing changes: that stretch is one more node
    angle = np.concatenate([np.exp(low) / 2, angle], axis=1)
    weight = np.concatenate([np.exp(low), weight], axis=1)
    tail = chi2_or_f_sf((q + m) * m / (m + q * np.sin(angle) ** 2), k, dof)
    return _mean(tail, np.cos(angle) ** (k - 2) * weight)


def _mean(tail: Array, density: Array) -> Array:
    """Mean of the tail under the law of the angle, normalized by its own sum."""
    return np.asarray(np.vecdot(tail, density) / density.sum(axis=-1))


@lru_cache(maxsize=64)
def _angles(k: int) -> tuple[Vector, Vector, Vector]:
    """Squared sines and cosines of the nodes, and ``cos(b)^(k-2)`` times the weights."""
    nodes, weights = quarter_legendre(_NODES + k)
    cosine2 = np.cos(nodes) ** 2
    return np.sin(nodes) ** 2, cosine2, cosine2 ** ((k - 2) / 2) * weights


def critical_value(alpha: float, strength: float, k: int, dof: float | None = None) -> float:
    """The value that LR exceeds with probability ``alpha`` given QT = ``strength``."""
    if k == 1:
        return chi2_or_f_isf(alpha, 1, dof)
    low, high = chi2_or_f_isf(alpha, 1, dof), chi2_or_f_isf(alpha, k, dof)
    return float(
        optimize.brentq(
            lambda m: float(conditional_p_value(m, strength, k, dof)) - alpha,
            0.5 * low,
            1.5 * high,
            xtol=1e-13,
            rtol=1e-14,
        )
    )


@lru_cache(maxsize=64)
def quarter_legendre(order: int) -> tuple[Vector, Vector]:
    """Gauss-Legendre nodes and weights on [0, pi / 2]."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return (nodes + 1) * math.pi / 4, weights * math.pi / 4
