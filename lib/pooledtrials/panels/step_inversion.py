"""Exact inversion of a resampling t test, whose p-value moves in steps.

Every draw b has a statistic ``N_b(d)^2 / D_b(d)`` and the data have ``N(d)^2 / D(d)``, where d is
the effect under the null, measured from the estimate in standard errors; the numerators N are
linear in d, the denominators D quadratic and not negative. "At least as large as the data's" is
then an inequality of degree four,

    N_b(d)^2 D(d) - N(d)^2 D_b(d) >= 0,

and the number of draws for which it holds changes at real roots of these polynomials only. All
roots of all draws, sorted, give the p-value everywhere: no grid, and no piece that is missed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pooledtrials.arguments import Matrix, Vector
from pooledtrials.confidence_set import ConfidenceSet

_CANCELLED = 1e-12  # relative: what is left of two equal coefficients after subtraction
_NEGLIGIBLE = 1e-14  # of the largest coefficient: a root this far out, 1e7 errors, is none
_SAME = 1e-11  # roots closer than this are one, such as those of mirrored draws


def accepted_effects(
    numerators: Matrix,
    denominators: Matrix,
    own_numerator: Vector,
    own_denominator: Vector,
    *,
    centre: float,
    scale: float,
    level: float,
    count_ties: bool,
    add_own: bool,
) -> ConfidenceSet:
    """Effects whose resampling p-value exceeds ``1 - level``.

    Parameters
    ----------
    numerators : (draws, 2) array
        Coefficients of 1 and d.
    denominators : (draws, 3) array
        Coefficients of 1, d and d squared.
    own_numerator, own_denominator : (2,) and (3,) arrays
        The same of the data.
    centre, scale : the effect is ``centre + scale * d``
    level : confidence level
    count_ties : whether a draw that always equals the data's statistic counts
    add_own : whether the data count as one draw more (random draws, not an enumeration)

    Returns
    -------
    ConfidenceSet
        Its end points are roots. End points beyond about 1e7 ``scale`` count as infinite.
    """
    own = np.broadcast_to(_square(own_numerator[None]), (len(numerators), 3))
    above = _times(_square(numerators), np.broadcast_to(own_denominator, (len(numerators), 3)))
    below = _times(own, denominators)
    polynomials = above - below
    size = np.abs(above) + np.abs(below)
    polynomials[np.abs(polynomials) <= _CANCELLED * size] = 0.0
    polynomials[np.abs(polynomials) <= _NEGLIGIBLE * size.max(axis=1, keepdims=True)] = 0.0
    start, at, change = sign_changes(polynomials)
    count = start + (int((~polynomials.any(axis=1)).sum()) if count_ties else 0)
    order = np.argsort(at, kind="stable")
    at, counts = at[order], count + np.cumsum(change[order])
    last = np.append(np.diff(at) > _SAME * np.maximum(1.0, np.abs(at[:-1])), True)[: at.size]
    edges, counts = at[last], np.concatenate([[count], counts[last]])
    draws = len(numerators) + add_own
    inside = counts + add_own > (1 - level) * draws * (1 + 1e-12)
    bounds = np.concatenate([[-np.inf], centre + scale * edges, [np.inf]])
    pieces = [(float(bounds[i]), float(bounds[i + 1])) for i in np.flatnonzero(inside)]
    return ConfidenceSet(tuple(pieces), level)


def sign_changes(polynomials: Matrix) -> tuple[int, Vector, npt.NDArray[np.int_]]:
    """Where polynomials become positive or stop being so.

    Parameters
    ----------
    polynomials : (m, degree + 1) array
        Coefficients in ascending order; leading ones may be 0.

    Returns
    -------
    start : how many are positive near minus infinity
    at : (roots,) real roots of all of them
    change : (roots,) 1 where one becomes positive, -1 where one stops
    """
    start, places, changes = 0, [np.empty(0)], [np.empty(0, dtype=int)]
    nonzero = polynomials != 0
    degree = np.where(
        nonzero.any(axis=1), polynomials.shape[1] - 1 - nonzero[:, ::-1].argmax(axis=1), -1
    )
    for k in range(polynomials.shape[1]):
        rows = polynomials[degree == k, : k + 1]
        positive = rows[:, k] * (-1) ** k > 0
        start += int(positive.sum())
        if k == 0 or not rows.size:
            continue
        roots = _real_roots(rows)
        flips = np.where(positive, -1, 1)[:, None] * (-1) ** np.arange(k)
        real = np.isfinite(roots)
        places.append(roots[real])
        changes.append(np.broadcast_to(flips, roots.shape)[real])
    return start, np.concatenate(places), np.concatenate(changes)


def _real_roots(rows: Matrix) -> Matrix:
    """Real roots of each row in ascending order, the complex ones as nan at the end."""
    k = rows.shape[1] - 1
    companion = np.zeros((rows.shape[0], k, k))
    companion[:, np.arange(1, k), np.arange(k - 1)] = 1.0
    companion[:, :, -1] = -rows[:, :k] / rows[:, k:]
    found = np.linalg.eigvals(companion)
    # complex eigenvalues of a real matrix come in pairs, so an even number is left out
    roots = np.where(found.imag == 0, found.real, np.nan)
    for _ in range(3):  # graded coefficients cost eigenvalues digits, Newton's steps restore them
        value, slope = _evaluate(rows, roots)
        with np.errstate(divide="ignore", invalid="ignore"):
            better = roots - value / slope
        closer = np.abs(_evaluate(rows, better)[0]) < np.abs(value)
        roots = np.where(closer, better, roots)
    return np.asarray(np.sort(roots, axis=1))


def _evaluate(rows: Matrix, at: Matrix) -> tuple[Matrix, Matrix]:
    """Each row's polynomial and its derivative at each of its points (Horner)."""
    value, slope = np.zeros(at.shape), np.zeros(at.shape)
    for j in range(rows.shape[1] - 1, -1, -1):
        slope = slope * at + value
        value = value * at + rows[:, j : j + 1]
    return value, slope


def _square(linear: Matrix) -> Matrix:
    a, b = linear[:, 0], linear[:, 1]
    return np.column_stack([a * a, 2 * a * b, b * b])


def _times(one: Matrix, two: Matrix) -> Matrix:
    """Products of quadratics, (m, 5)."""
    product = np.zeros((one.shape[0], 5))
    for i in range(3):
        product[:, i : i + 3] += one[:, i : i + 1] * two
    return product
