"""The panel kernel, homoskedastic: from two 2 x 2 matrices to every estimator, test and set.

Inputs are arrays with any leading axes: ``gram`` is A, the cross products of (y, x) projected on
the k instruments, and ``residual`` is S, those of the residuals. One data set, a bootstrap draw, an
imputation and a Monte Carlo replication all come through here; the public functions call the same
lines with no leading axis.

With ``sigma = S / dof`` (or another estimate of the errors' covariance) the statistics at ``b`` are
``QS = a'Aa / a'sigma a`` with ``a = (1, -b)``, and since ``QS + QT`` and ``QS QT - QST^2`` do not
depend on b (they are trace and determinant of ``sigma^-1 A``), ::

    AR = QS,   K = QS - det / QT,   J = det / QT,   LR = M - QT,   QT = trace - QS

with M the larger eigenvalue of ``sigma^-1 A`` [andrews2007performance]. Every set is therefore a
union of sets {QS <= c} or {QS >= c}, each a quadratic inequality in b.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pooledtrials.confidence_set import ConfidenceSet

Array = npt.NDArray[np.float64]

EMPTY: Final = 0
INTERVAL: Final = 1
TWO_RAYS: Final = 2
WHOLE_LINE: Final = 3

_ROUNDING: Final = 4 * float(np.finfo(float).eps)

# by whether the quadratic has real roots, opens upwards, and is positive where it has none
_CODES: Final = np.array(
    [WHOLE_LINE, EMPTY, WHOLE_LINE, EMPTY, TWO_RAYS, TWO_RAYS, INTERVAL, INTERVAL], dtype=np.int8
)


@dataclass(frozen=True, eq=False)
class QuadraticSets:
    """Many sets of the form {b: quadratic <= 0}: a code each, and two end points.

    ``code`` is EMPTY, INTERVAL [lower, upper], TWO_RAYS (-inf, lower] and [upper, inf), or
    WHOLE_LINE; end points of sets that have none are nan. A half line, which has probability zero,
    comes as INTERVAL with one infinite end.
    """

    code: npt.NDArray[np.int8]
    lower: Array
    upper: Array

    def contains(self, value: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each set holds ``value``."""
        at = np.asarray(value, dtype=float)
        with np.errstate(invalid="ignore"):
            between = (self.lower <= at) & (at <= self.upper)
            outside = (at <= self.lower) | (self.upper <= at)
        return np.asarray(
            (self.code == WHOLE_LINE)
            | ((self.code == INTERVAL) & between)
            | ((self.code == TWO_RAYS) & outside)
        )

    def confidence_set(self, level: float) -> ConfidenceSet:
        """The set of one data set (no leading axis)."""
        lower, upper = float(self.lower), float(self.upper)
        pairs = {
            EMPTY: (),
            INTERVAL: ((lower, upper),),
            TWO_RAYS: ((-np.inf, lower), (upper, np.inf)),
            WHOLE_LINE: ((-np.inf, np.inf),),
        }
        return ConfidenceSet(pairs[int(self.code)], level)


@dataclass(frozen=True, eq=False)
class KClass:
    """k-class estimates: coefficient, classical standard error, kappa."""

    coefficient: Array
    standard_error: Array
    kappa: Array


@dataclass(frozen=True, eq=False)
class Invariants:
    """Eigenvalues of ``sigma^-1 A``, larger and smaller (0 with one instrument)."""

    larger: Array
    smaller: Array

    @property
    def trace(self) -> Array:
        """QS + QT at any b."""
        return self.larger + self.smaller

    @property
    def determinant(self) -> Array:
        """QS QT - QST^2 at any b."""
        return self.larger * self.smaller


def invariants(gram: Array, sigma: Array, k: int) -> Invariants:
    """What does not depend on the null: the roots of ``det(A - m sigma) = 0``."""
    det_sigma = _determinant(sigma)
    (a11, a12, a22), (s11, s12, s22) = _entries(gram), _entries(sigma)
    trace = (a11 * s22 + a22 * s11 - 2 * a12 * s12) / det_sigma
    if k == 1:  # A has rank one: rounding must not give it a second root
        return Invariants(trace, np.zeros_like(trace))
    determinant = np.maximum(_determinant(gram) / det_sigma, 0.0)
    larger = trace / 2 + np.sqrt(np.maximum(trace**2 / 4 - determinant, 0.0))
    return Invariants(larger, determinant / larger)


def score_statistic(gram: Array, sigma: Array, beta0: npt.ArrayLike) -> Array:
    """QS at ``beta0``: the Anderson-Rubin statistic on the chi-square scale."""
    b = np.asarray(beta0, dtype=float)
    return np.asarray(_form(gram, b) / _form(sigma, b))


def strength_statistic(gram: Array, sigma: Array, beta0: npt.ArrayLike) -> Array:
    """QT at ``beta0``: T is the combination of (y, x) independent of the null residual."""
    b = np.asarray(beta0, dtype=float)
    (a11, a12, a22), (s11, s12, s22) = _entries(gram), _entries(sigma)
    # direction sigma^-1 (b, 1)', times det sigma, which is divided out below
    w0, w1 = s22 * b - s12, s11 - s12 * b
    top = a11 * w0**2 + 2 * a12 * w0 * w1 + a22 * w1**2
    return np.asarray(top / (w0 * b + w1) / _determinant(sigma))


def lower_set(gram: Array, sigma: Array, bound: npt.ArrayLike) -> QuadraticSets:
    """{b: QS(b) <= bound}, by the roots of ``a'(A - bound sigma)a = 0``."""
    return quadratic_sets(gram - np.asarray(bound, dtype=float)[..., None, None] * sigma)


def upper_set(gram: Array, sigma: Array, bound: npt.ArrayLike) -> QuadraticSets:
    """{b: QS(b) >= bound}."""
    return quadratic_sets(np.asarray(bound, dtype=float)[..., None, None] * sigma - gram)


def k_class(gram: Array, residual: Array, kappa: npt.ArrayLike, nobs: int, lost: int) -> KClass:
    """The k-class estimate ``x'(I - kappa M)y / x'(I - kappa M)x`` with classical error.

    Parameters
    ----------
    gram, residual : (..., 2, 2)
        A and S.
    kappa : (...)
        0 is OLS, 1 is 2SLS.
    nobs, lost : int
        The error variance is RSS / (nobs - lost).
    """
    kappa = np.asarray(kappa, dtype=float)
    weight = 1 - kappa
    top = gram[..., 0, 1] + weight * residual[..., 0, 1]
    bottom = gram[..., 1, 1] + weight * residual[..., 1, 1]
    b = top / bottom
    variance = _form(gram + residual, b) / (nobs - lost) / bottom
    # Under weak identification a Fuller or LIML bread can turn negative: no standard error then.
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.where(variance > 0, variance, np.nan))
    return KClass(b, error, kappa + np.zeros_like(b))


def liml_kappa(gram: Array, residual: Array, k: int) -> Array:
    """One plus the smaller root of ``det(A - m S) = 0``; 1 with one instrument."""
    return 1 + invariants(gram, residual, k).smaller


def first_stage_f(gram: Array, residual: Array, k: int, dof: float) -> Array:
    """The classical first-stage F."""
    return np.asarray(gram[..., 1, 1] / k / (residual[..., 1, 1] / dof))


def lm_bounds(roots: Invariants, critical: float) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """The QS bounds (low, high) with {K <= critical} = {QS <= low} or {QS >= high}.

    ``K <= c`` is ``QT^2 - (trace - c) QT + det >= 0``. The third array says where the two roots are
    not real: there every b has K <= c.
    """
    middle = (roots.trace - critical) / 2
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(middle**2 - roots.determinant)
    everywhere = ~(spread >= 0) | (middle < 0)
    larger = middle + spread
    with np.errstate(invalid="ignore", divide="ignore"):
        smaller = np.where(larger > 0, roots.determinant / larger, 0.0)
    return roots.trace - larger, roots.trace - smaller, everywhere


def quadratic_sets(m: Array) -> QuadraticSets:
    """{b: (1, -b) m (1, -b)' <= 0}."""
    c0, off, c2 = _entries(m)
    half, c2 = -off, c2 + 0.0  # no negative zero
    # The sign of the discriminant decides between whole line and two rays; a double root that
    # rounding makes real (k = 1: A has rank one) is a hole of no width, not a piece.
    discriminant = half * half - c0 * c2
    real = discriminant > _ROUNDING * (half * half + np.abs(c0 * c2))
    with np.errstate(invalid="ignore", divide="ignore"):
        pivot = -(half + np.copysign(np.sqrt(np.where(real, discriminant, np.nan)), half))
        one, two = pivot / c2, c0 / pivot
        lower, upper = np.minimum(one, two), np.maximum(one, two)
    # linear (c2 = 0): a half line, whose other root is infinite on the right side; or constant
    never = (c2 > 0) | ((c2 == 0) & (c0 > 0))
    return QuadraticSets(_CODES[4 * real + 2 * (c2 >= 0) + never], lower, upper)


def _form(matrix: Array, b: npt.ArrayLike) -> Array:
    """a'Ma with a = (1, -b)."""
    at: Array = np.asarray(b, dtype=float)[()]
    first, off, last = _entries(matrix)
    return first - 2 * at * off + at * at * last


def _determinant(m: Array) -> Array:
    first, off, last = _entries(m)
    return first * last - off * off


def _entries(m: Array) -> tuple[Array, Array, Array]:
    """The three entries of symmetric 2 x 2 matrices; numbers, ten times faster, of a single one."""
    return m[..., 0, 0][()], m[..., 0, 1][()], m[..., 1, 1][()]
