"""The panel kernel for any joint covariance: every test from the same three arrays.

They are the reduced form, the first stage and their covariance ``omega``.

At ``b`` the moment is ``m = reduced_form - b first_stage`` with variance ``V(b)``, and ``D`` is the
part of the first stage that is uncorrelated with m [kleibergen2005testing]::

    AR = m'V^-1 m
    D  = first_stage - cov(first_stage, m) V^-1 m
    K  = (D'V^-1 m)^2 / D'V^-1 D,   J = AR - K
    rk = D' var(D)^-1 D = W - AR
    LR = (AR - rk + sqrt((AR - rk)^2 + 4 K rk)) / 2

with W the joint Wald statistic of reduced form and first stage, which does not depend on b: m and D
are uncorrelated, and together as good as the two (classical, ``QT = trace - QS``).

With the classical omega these are the statistics of `homoskedastic_panel`. Everything is written
for a point on the circle, ``b = centre + scale tan(angle)``, so that infinity is a point like any
other: multiplying m by a constant changes none of the statistics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize

from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.moments import Moments

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistics:
    """The statistics of ``m = cosine * reduced_form - sine * first_stage``.

    All on the chi-square scale, at one point or many, for the moments of one data set or of many
    (axes broadcast). Each is computed when it is asked for.
    """

    moments: Moments
    cosine: Array
    sine: Array

    @cached_property
    def moment(self) -> Array:
        """m."""
        c, s = self.cosine[..., None], self.sine[..., None]
        return np.asarray(c * self.moments.reduced_form - s * self.moments.first_stage)

    @cached_property
    def variance(self) -> Array:
        """V, the covariance of m."""
        c, s = self.cosine[..., None, None], self.sine[..., None, None]
        o11, o12, o21, o22 = _blocks(self.moments)
        return np.asarray(c * c * o11 - c * s * (o12 + o21) + s * s * o22)

    @cached_property
    def weighted(self) -> Array:
        """``V^-1 m``."""
        return _solve(self.variance, self.moment)

    @cached_property
    def direction(self) -> Array:
        """D, up to a factor that no statistic sees.

        The part of ``t = sine * reduced_form + cosine * first_stage`` uncorrelated with m.
        """
        c, s = self.cosine[..., None], self.sine[..., None]
        t = s * self.moments.reduced_form + c * self.moments.first_stage
        c, s = c[..., None], s[..., None]
        o11, o12, o21, o22 = _blocks(self.moments)
        covariance = c * s * (o11 - o22) - s * s * o12 + c * c * o21
        return np.asarray(t - _apply(covariance, self.weighted))

    @cached_property
    def anderson_rubin(self) -> Array:
        """AR."""
        return _dot(self.moment, self.weighted)

    @cached_property
    def score(self) -> Array:
        """Kleibergen's K; AR with one instrument, without rounding between."""
        if self.moments.n_instruments == 1:
            return self.anderson_rubin
        d = self.direction
        with np.errstate(invalid="ignore", divide="ignore"):
            score = _dot(d, self.weighted) ** 2 / _dot(d, _solve(self.variance, d))
        return np.minimum(score, self.anderson_rubin)

    @cached_property
    def tsls_score(self) -> Array:
        """K with 2SLS's direction (D times 2SLS's weights) instead of the efficient one.

        The K of Andrews' two-step set for 2SLS.
        """
        if self.moments.n_instruments == 1:
            return self.anderson_rubin
        d = self.direction
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(_dot(d, self.moment) ** 2 / _dot(d, _apply(self.variance, d)))

    @cached_property
    def rank(self) -> Array:
        """The rank statistic, by its identity with W."""
        return np.asarray(np.maximum(self.moments.joint_wald - self.anderson_rubin, 0.0))

    @cached_property
    def likelihood_ratio(self) -> Array:
        """LR."""
        if self.moments.n_instruments == 1:
            return self.anderson_rubin
        gap, product = self.anderson_rubin - self.rank, self.score * self.rank
        root = np.sqrt(gap**2 + 4 * product)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(gap > 0, (gap + root) / 2, 2 * product / (root - gap))
        return np.where(product + np.maximum(gap, 0.0) > 0, ratio, 0.0)

    @property
    def overidentification(self) -> Array:
        """J = AR - K."""
        return np.maximum(self.anderson_rubin - self.score, 0.0)


@dataclass(frozen=True, eq=False)
class Circle:
    """``b = centre + scale * tan(angle)``, and the moments in that coordinate."""

    moments: Moments
    centre: float
    scale: float

    def to_line(self, angle: npt.ArrayLike) -> Array:
        """Angles to effects."""
        return np.asarray(self.centre + self.scale * np.tan(angle))

    def to_angle(self, b: npt.ArrayLike) -> Array:
        """Effects, also infinite, to angles in [-pi/2, pi/2]."""
        return np.asarray(np.arctan((np.asarray(b, dtype=float) - self.centre) / self.scale))

    def at(self, angle: npt.ArrayLike) -> Statistics:
        """The statistics at many angles of one data set."""
        angle = np.asarray(angle, dtype=float)
        return Statistics(self.moments, np.cos(angle), np.sin(angle))


def on_circle(moments: Moments) -> Circle:
    """Centre and scale at which the moment's total variance is the same in every direction."""
    trace = np.trace(moments.omega, axis1=-2, axis2=-1)
    centre = float((trace[0, 1] + trace[1, 0]) / 2 / trace[1, 1])
    shifted = _transformed(moments, centre, 1.0)
    total = np.trace(shifted.omega, axis1=-2, axis2=-1)
    scale = math.sqrt(float(total[0, 0] / total[1, 1]))
    return Circle(_transformed(moments, centre, scale), centre, scale)


def statistics_at(moments: Moments, b: npt.ArrayLike) -> Statistics:
    """The statistics at effects ``b``; ``b`` and the leading axes of the moments broadcast.

    An infinite ``b`` tests a zero first stage: AR there is k times the first-stage F.
    """
    b = np.asarray(b, dtype=float)
    angle = np.arctan(b)
    finite = np.isfinite(b)
    cosine = np.where(finite, np.cos(angle), 0.0)
    sine = np.where(finite, np.where(finite, b, 0.0) * cosine, 1.0)
    return Statistics(moments, cosine, sine)


def anderson_rubin_roots(moments: Moments, bound: float) -> ConfidenceSet | None:
    """{b: AR(b) <= bound}, exactly; the level recorded is for the caller to replace.

    ``AR = bound`` where ``bound V(b) - m(b) m(b)'`` is singular, a quadratic matrix polynomial in
    b: its 2k roots are the eigenvalues of a pencil of twice its size, and the real ones are the end
    points. No polynomial coefficients are formed, which keeps the roots accurate for many
    instruments. At infinity AR is k F of the first stage, so the set is bounded exactly when that
    F rejects at the same critical value.

    None if the roots do not check out (one where AR does not cross the bound, or neighbouring arcs
    on the same side of it), as can happen when two nearly coincide: search then.
    """
    circle = on_circle(moments)
    one = circle.moments
    delta, pi = one.reduced_form, one.first_stage
    o11, o12, o22 = one.omega[0, 0], one.omega[0, 1] + one.omega[1, 0], one.omega[1, 1]
    cross = np.outer(delta, pi)
    quadratic = [
        bound * o11 - np.outer(delta, delta),
        -bound * o12 + cross + cross.T,
        bound * o22 - np.outer(pi, pi),
    ]
    angles = [float(a) for a in _pencil_angles(quadratic)]
    polished = [_polish(circle, a, bound) for a in angles]
    if any(a is None for a in polished):
        return None
    # a half turn is the point at infinity, where pieces join: cut the circle at the end points
    edges = sorted({a for a in polished if a is not None})
    if not edges:
        inside = float(circle.at(0.0).anderson_rubin) <= bound
        return ConfidenceSet(((-math.inf, math.inf),) if inside else (), 0.5)
    arcs = list(zip(edges, [*edges[1:], edges[0] + math.pi], strict=True))
    middles = np.array([(start + stop) / 2 for start, stop in arcs])
    kept = circle.at(middles).anderson_rubin <= bound
    if np.any(kept == np.roll(kept, 1)):
        return None
    lines = [arc_to_line(circle, *arc) for arc, keep in zip(arcs, kept, strict=True) if keep]
    return ConfidenceSet(tuple(piece for pieces in lines for piece in pieces), 0.5)


def arc_to_line(circle: Circle, start: float, stop: float) -> list[tuple[float, float]]:
    """An arc from ``start`` in (-pi/2, pi/2] to ``stop`` as one interval, or as two rays."""
    lower = float(circle.to_line(start))
    if stop <= math.pi / 2:
        return [(lower, math.inf if stop == math.pi / 2 else float(circle.to_line(stop)))]
    return [(lower, math.inf), (-math.inf, float(circle.to_line(stop - math.pi)))]


def _transformed(moments: Moments, centre: float, scale: float) -> Moments:
    """The moments of (y - centre x) / scale and x."""
    to = np.array([[1 / scale, -centre / scale], [0.0, 1.0]])
    pair = to @ np.stack([moments.reduced_form, moments.first_stage])
    omega = np.einsum("ac,bd,cdij->abij", to, to, moments.omega)
    gram = to @ moments.residual_gram @ to.T
    return replace(
        moments, reduced_form=pair[0], first_stage=pair[1], omega=omega, residual_gram=gram
    )


def _pencil_angles(quadratic: list[Array]) -> Array:
    """Angles of the real points where ``q0 c^2 + q1 c s + q2 s^2`` is singular."""
    q0, q1, q2 = quadratic
    k = q0.shape[0]
    zero, eye = np.zeros((k, k)), np.eye(k) * np.abs(q0).max()
    left = np.block([[zero, eye], [-q0, -q1]])
    right = np.block([[eye, zero], [zero, q2]])
    alpha, beta = linalg.eig(left, right, right=False, homogeneous_eigvals=True)
    size = np.sqrt(np.abs(alpha) ** 2 + np.abs(beta) ** 2)
    # alpha / beta = tan(angle); rounding gives real roots, double ones above all, imaginary parts
    aligned = alpha * np.exp(-1j * np.angle(beta))
    real = np.abs(aligned.imag) <= 1e-6 * size
    angle = np.arctan2(aligned.real[real], np.abs(beta)[real])
    return np.asarray(np.where(angle <= -math.pi / 2, angle + math.pi, angle))


def _polish(circle: Circle, angle: float, bound: float) -> float | None:
    """The root next to ``angle``, to the last digits, or None where AR only comes near."""
    one = circle.moments
    o11, o12, o22 = one.omega[0, 0], one.omega[0, 1] + one.omega[1, 0], one.omega[1, 1]

    def excess(at: float) -> float:
        c, s = math.cos(at), math.sin(at)
        m = c * one.reduced_form - s * one.first_stage
        variance = c * c * o11 - c * s * o12 + s * s * o22
        return float(m @ np.linalg.solve(variance, m)) / bound - 1.0

    for width in (1e-10, 1e-8, 1e-6, 1e-5):
        if excess(angle - width) * excess(angle + width) <= 0:
            root = float(optimize.brentq(excess, angle - width, angle + width, xtol=1e-16))
            return root if root <= math.pi / 2 else root - math.pi
    return None


def _blocks(moments: Moments) -> tuple[Array, Array, Array, Array]:
    """The four blocks of ``omega``."""
    omega = moments.omega
    return (
        omega[..., 0, 0, :, :],
        omega[..., 0, 1, :, :],
        omega[..., 1, 0, :, :],
        omega[..., 1, 1, :, :],
    )


def _solve(matrix: Array, vector: Array) -> Array:
    return np.asarray(np.linalg.solve(matrix, vector[..., None])[..., 0], dtype=float)


def _apply(matrix: Array, vector: Array) -> Array:
    return np.asarray((matrix @ vector[..., None])[..., 0])


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.vecdot(a, b))
