"""Inverting a test whose statistic is no polynomial, without a grid that could miss a piece.

The function is replaced, panel by panel on the circle, by a Chebyshev interpolant; a panel is
halved until the interpolant has converged (its last coefficients and its error at points between
the nodes are negligible) or until its constant term outweighs all others, which proves that the
interpolant has no root there. Roots are then the roots of polynomials, found all at once and
refined on the function itself. Panels stop halving at a stated width, the resolution.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev

from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.robust_panel import Circle, arc_to_line

Array = npt.NDArray[np.float64]

RESOLUTION: Final = math.pi / 2**22
"""Narrowest panel, in radians of the circle."""

_DEGREE = 14
_FIRST_PANELS = 16
_CONVERGED = 1e-7


def accepted_on_circle(
    circle: Circle,
    margin: Callable[[Array], Array],
    level: float,
    resolution: float = RESOLUTION,
) -> ConfidenceSet:
    """{b: margin >= 0} for a function of the angle with period pi, such as p-value less alpha.

    Parameters
    ----------
    circle : Circle
        Maps angles to effects.
    margin : vectorised function of angles
        Non-negative where the null is accepted, and smooth but for isolated points.
    level : confidence level to record
    resolution : narrowest panel in radians; pieces narrower than this may be missed

    Returns
    -------
    ConfidenceSet
        With ``resolution`` set to the width of the narrowest panel that had to be examined without
        the interpolant having converged, or 0 if every panel's did.
    """
    roots, unresolved = circle_roots(margin, resolution)
    if not roots:
        inside = bool(margin(np.array([0.1]))[0] >= 0)
        return ConfidenceSet(((-math.inf, math.inf),) if inside else (), level, unresolved)
    pieces: list[tuple[float, float]] = []
    for start, stop in zip(roots, [*roots[1:], roots[0] + math.pi], strict=True):
        if margin(np.array([(start + stop) / 2]))[0] >= 0:
            pieces += arc_to_line(circle, start, stop)
    return ConfidenceSet(tuple(pieces), level, unresolved)


def circle_roots(
    function: Callable[[Array], Array], resolution: float = RESOLUTION
) -> tuple[list[float], float]:
    """Sign changes in (-pi/2, pi/2] of a function with period pi, and the width left unresolved."""
    nodes = -np.cos(np.pi * np.arange(_DEGREE + 1) / _DEGREE)
    between = -np.cos(np.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE)
    to_coefficients = np.linalg.inv(chebyshev.chebvander(nodes, _DEGREE))
    to_between = chebyshev.chebvander(between, _DEGREE)
    edges = np.linspace(-math.pi / 2, math.pi / 2, _FIRST_PANELS + 1)
    low, high = edges[:-1], edges[1:]
    brackets: list[tuple[float, float]] = []
    unresolved = 0.0
    while low.size:
        middle, half = (low + high) / 2, (high - low) / 2
        points = middle[:, None] + half[:, None] * np.concatenate([nodes, between])
        values = function(points.ravel()).reshape(points.shape)
        at_nodes, at_between = values[:, : _DEGREE + 1], values[:, _DEGREE + 1 :]
        coefficients = at_nodes @ to_coefficients.T
        error = np.abs(coefficients @ to_between.T - at_between).max(axis=1)
        error = np.maximum(error, np.abs(coefficients[:, -2:]).max(axis=1))
        size = np.abs(values).max(axis=1)
        others = np.abs(coefficients[:, 1:]).sum(axis=1)
        without_root = np.abs(coefficients[:, 0]) > others + 4 * error
        converged = error <= _CONVERGED * size
        too_narrow = 2 * half <= resolution
        for i in np.flatnonzero(~without_root & (converged | too_narrow)):
            if not converged[i]:
                unresolved = max(unresolved, float(2 * half[i]))
            brackets += _panel_roots(coefficients[i], values[i], points[i])
        split = ~without_root & ~converged & ~too_narrow
        low, high = (
            np.concatenate([low[split], middle[split]]),
            np.concatenate([middle[split], high[split]]),
        )
    roots = _refined(function, np.array(brackets)) if brackets else np.empty(0)
    return sorted({float(r) if r <= math.pi / 2 else float(r) - math.pi for r in roots}), unresolved


def _panel_roots(coefficients: Array, values: Array, points: Array) -> list[tuple[float, float]]:
    """Brackets of the sign changes on one panel, from sampled values and from the interpolant."""
    order = np.argsort(points)
    points, values = points[order], values[order]
    low, high = points[0], points[-1]
    roots = chebyshev.chebroots(chebyshev.chebtrim(coefficients, 0.0))
    real = np.real(roots[np.abs(np.imag(roots)) < 1e-6])
    real = np.sort(real[np.abs(real) <= 1]) / 2 * (high - low) + (low + high) / 2
    # samples and midpoints of neighbouring roots: every root of the interpolant is separated
    extra = (real[1:] + real[:-1]) / 2
    at = np.concatenate([points, extra])
    scaled = (extra - (low + high) / 2) / ((high - low) / 2)
    sign = np.sign(np.concatenate([values, chebyshev.chebval(scaled, coefficients)])) >= 0
    order = np.argsort(at)
    at, sign = at[order], sign[order]
    change = np.flatnonzero(sign[1:] != sign[:-1])
    return [(float(at[i]), float(at[i + 1])) for i in change]


def _refined(function: Callable[[Array], Array], brackets: Array) -> Array:
    """The root in each of many brackets, by the Illinois rule for all at once."""
    low, high = brackets[:, 0], brackets[:, 1]
    f_low, f_high = function(low), function(high)
    # no change of sign: that of the interpolant, at a point between near-double roots, was wrong
    settled = np.where(np.abs(f_low) < np.abs(f_high), low, high)
    wrong = f_low * f_high > 0
    best = settled
    for _ in range(60):
        flat = f_high == f_low
        step = (high - low) / np.where(flat, 1.0, f_high - f_low)
        middle = np.where(flat, (low + high) / 2, high - f_high * step)
        moved, best = np.abs(middle - best), middle
        if np.all((moved <= 1e-15) | wrong):
            break
        f_middle = function(middle)
        crossed = f_middle * f_high <= 0
        # the end that stays has its value halved, or it would stay for ever
        low, f_low = np.where(crossed, high, low), np.where(crossed, f_high, f_low / 2)
        high, f_high = middle, f_middle
    return np.asarray(np.where(wrong, settled, best))


def accepted_steps(
    circle: Circle,
    test: Callable[[float], tuple[float, float]],
    level: float,
    points: int,
) -> ConfidenceSet:
    """{b: p-value > 1 - level} for a p-value that moves in steps, on a grid and by bisection.

    Parameters
    ----------
    circle : Circle
    test : function of b
        Gives (p-value, statistic); small statistics speak for b.
    level : float
    points : int
        Equally spaced angles examined; ever closer ones are added around the one with the smallest
        statistic, so that the piece around the estimate is found however narrow.

    Returns
    -------
    ConfidenceSet
        Crossings between neighbouring angles are bisected to rounding. Other pieces within one
        step, pi / points radians, may be missed: that is the resolution recorded. Beyond the
        outermost angles the answer is that of the outermost.
    """
    alpha, step = 1 - level, math.pi / points
    angles = -math.pi / 2 + step * (np.arange(points) + 0.5)
    found = [test(float(circle.to_line(a))) for a in angles]
    best, width = float(angles[int(np.argmin([f[1] for f in found]))]), step
    for _ in range(8):
        near = best + width * np.linspace(-1, 1, 9)
        near = near[np.abs(near) < math.pi / 2]
        close = [test(float(circle.to_line(a))) for a in near]
        best = float(near[int(np.argmin([f[1] for f in close]))])
        angles, found, width = np.concatenate([angles, near]), found + close, width / 4
    order = np.argsort(angles, kind="stable")
    at = [float(circle.to_line(angles[i])) for i in order]
    inside = [found[i][0] > alpha for i in order]
    edges: list[float] = []
    for i in range(len(at) - 1):
        if inside[i] == inside[i + 1]:
            continue
        low, high = at[i], at[i + 1]
        for _ in range(60):
            middle = low + (high - low) / 2
            if abs(high - low) <= 1e-12 * max(abs(low), abs(high)):
                break
            if (test(middle)[0] > alpha) == inside[i]:
                low = middle
            else:
                high = middle
        edges.append((low + high) / 2)
    pairs = list(itertools.pairwise([-math.inf, *edges, math.inf]))
    return ConfidenceSet(tuple(pairs[0 if inside[0] else 1 :: 2]), level, step)
