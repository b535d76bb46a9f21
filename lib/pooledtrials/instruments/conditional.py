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
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import interpolate, optimize, special

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
    m, q = np.broadcast_arrays(
        np.maximum(np.asarray(statistic, dtype=float), 0.0),
        np.maximum(np.asarray(strength, dtype=float), 0.0),
    )
    if k == 1:
        return chi2_or_f_sf(m, 1, dof)
    shape = m.shape
    m, q = m.reshape(-1), q.reshape(-1)
    out = np.ones(m.shape)
    for rows, rule in ((m >= _SMALL, _tilted), ((m > 0) & (m < _SMALL), _logarithmic)):
        if rows.any():
            out[rows] = rule(m[rows, None], q[rows, None], k, dof)
    return out.reshape(shape)


def _tilted(m: Array, q: Array, k: int, dof: float | None) -> Array:
    """The integral over angles ``a`` with ``tan a = s tan b``, b on Gauss-Legendre nodes."""
    sine2, cosine2, weights = _squares(_NODES + k)
    tilt2 = np.sqrt(m / (m + np.minimum(q, _NO_FINER)))
    norm = cosine2 + tilt2 * sine2
    return _mean_tail(m, q, k, dof, tilt2 * sine2 / norm, cosine2 / norm, weights / norm)


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
    return _mean_tail(m, q, k, dof, np.sin(angle) ** 2, np.cos(angle) ** 2, weight)


def _mean_tail(
    m: Array, q: Array, k: int, dof: float | None, sine2: Array, cosine2: Array, weight: Array
) -> Array:
    """Mean of the tail under the law of the angle, normalized by its own sum."""
    tail = chi2_or_f_sf((q + m) * m / (m + q * sine2), k, dof)
    density = cosine2 ** ((k - 2) / 2) * weight
    return np.asarray(np.sum(tail * density, axis=-1) / np.sum(density, axis=-1))


@lru_cache(maxsize=64)
def _squares(order: int) -> tuple[Vector, Vector, Vector]:
    nodes, weights = quarter_legendre(order)
    return np.sin(nodes) ** 2, np.cos(nodes) ** 2, weights


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


def acceptance_strength(largest: float, alpha: float, k: int, dof: float | None = None) -> float:
    """The q* with ``q* + c(q*) = largest``, for the conditional critical value c.

    In the homoskedastic case LR = M - QT with M the larger root, the same for every null, so that
    the test accepts exactly when QT is at least q*. Zero if M is below the critical value at q = 0
    (then every null is accepted).
    """
    if largest <= chi2_or_f_isf(alpha, k, dof):
        return 0.0

    low = max(0.0, largest - 1.001 * chi2_or_f_isf(alpha, k, dof))
    high = largest - 0.999 * chi2_or_f_isf(alpha, 1, dof)
    if k == 1:
        return largest - chi2_or_f_isf(alpha, 1, dof)

    def excess(q: float) -> float:
        m = np.array([largest - q])
        if m[0] >= _SMALL:  # the same rule without the bookkeeping of arrays
            return float(_tilted(m, np.array([q]), k, dof)) - alpha
        return float(conditional_p_value(m, q, k, dof)[0]) - alpha

    # the chi-square law's answer, by a table, is close: two or three secant steps end the search
    guess = min(max(float(_rough_table(alpha, k)(np.array([largest]))[0]), low), high)
    other = min(guess * (1 + 1e-4) + 1e-4, high)
    f_guess, f_other = excess(guess), excess(other)
    for _ in range(12):
        if f_other == f_guess:
            break
        step = f_other * (other - guess) / (f_other - f_guess)
        guess, f_guess, other = other, f_other, other - step
        if not low <= other <= high:
            break
        if abs(step) <= 1e-13 * max(1.0, largest):
            return other
        f_other = excess(other)
        if abs(f_other) < 1e-15:
            return other
    return float(optimize.brentq(excess, low, high, xtol=1e-13 * max(1.0, largest), rtol=1e-14))


@lru_cache(maxsize=64)
def quarter_legendre(order: int) -> tuple[Vector, Vector]:
    """Gauss-Legendre nodes and weights on [0, pi / 2]."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return (nodes + 1) * math.pi / 4, weights * math.pi / 4


@lru_cache(maxsize=32)
def acceptance_table(
    alpha: float, k: int, dof: float | None = None
) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """`acceptance_strength` for arrays, by a table; its error is below 1e-6.

    What is interpolated is ``c = M - q*``, smooth between the critical values of chi2(k) and
    chi2(1), against 1 / M.
    """
    if k == 1:
        only = chi2_or_f_isf(alpha, 1, dof)
        return lambda largest: np.maximum(largest - only, 0.0)
    q = np.concatenate([np.linspace(0, 40, 321)[:-1], np.geomspace(40, 1e5, 80)])
    return _tabulated(q, alpha, k, dof)


@lru_cache(maxsize=64)
def _rough_table(alpha: float, k: int) -> Callable[[Vector], Vector]:
    """A start for `acceptance_strength`, a few milliseconds to make."""
    return _tabulated(
        np.concatenate([np.linspace(0, 8, 9)[:-1], np.geomspace(8, 1e5, 16)]), alpha, k
    )


def _tabulated(
    q: Vector, alpha: float, k: int, dof: float | None = None
) -> Callable[[Vector], Vector]:
    start = chi2_or_f_isf(alpha, k, dof)
    c = np.array([start, *(critical_value(alpha, s, k, dof) for s in q[1:])])
    # against 1 / M, with the limit of strong instruments at its end, nothing is extrapolated
    inverse = np.concatenate([[0.0], 1 / (q + c)[::-1]])
    curve = interpolate.CubicSpline(
        inverse, np.concatenate([[chi2_or_f_isf(alpha, 1, dof)], c[::-1]])
    )

    def strength(largest: Vector) -> Vector:
        inside = np.maximum(largest, start)
        return np.asarray(np.where(largest > start, largest - curve(1 / inside), 0.0))

    return strength
