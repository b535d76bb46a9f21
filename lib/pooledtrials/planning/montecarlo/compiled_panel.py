"""`panel` one replication at a time, compiled: formula by formula the kernels it mirrors.

`classical` and `score_sets` follow `homoskedastic_panel`, `robust` follows `robust_panel` with
triangular roots in place of general solutions. Tests hold all to 1e-10 of the originals on random
moments.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pooledtrials.planning.montecarlo.compiled import compiled

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]

_ROUNDING = 4 * float(np.finfo(float).eps)  # as in homoskedastic_panel


@compiled
def _gram(reduced_form: Floats, first_stage: Floats, r: int) -> tuple[float, float, float]:
    """A: cross products of u and x on the instruments."""
    a11 = a12 = a22 = 0.0
    for j in range(first_stage.shape[1]):
        a11 += reduced_form[r, j] * reduced_form[r, j]
        a12 += reduced_form[r, j] * first_stage[r, j]
        a22 += first_stage[r, j] * first_stage[r, j]
    return a11, a12, a22


@compiled
def classical(
    reduced_form: Floats,
    first_stage: Floats,
    residual: Floats,
    points: Floats,
    nobs: int,
    n_partialled: int,
    out: Floats,
) -> None:
    """Rows of ``out``: 4 errors, 4 standard errors, 4 breads, F, larger, smaller, P QS, P QT."""
    k, p = first_stage.shape[1], points.size
    dof = nobs - n_partialled - k
    for r in range(first_stage.shape[0]):
        a11, a12, a22 = _gram(reduced_form, first_stage, r)
        s11, s12, s22 = residual[r, 0, 0], residual[r, 0, 1], residual[r, 1, 1]
        det = s11 * s22 - s12 * s12
        trace = (a11 * s22 + a22 * s11 - 2 * a12 * s12) / det
        larger, smaller = trace, 0.0
        if k > 1:
            determinant = max((a11 * a22 - a12 * a12) / det, 0.0)
            larger = trace / 2 + math.sqrt(max(trace * trace / 4 - determinant, 0.0))
            smaller = determinant / larger
        for j in range(4):
            # one less kappa of OLS, 2SLS, LIML and Fuller
            weight = 1.0 if j == 0 else 0.0 if j == 1 else -smaller
            if j == 3:
                weight += 1 / dof
            bread = a22 + weight * s22
            b = (a12 + weight * s12) / bread
            squares = a11 + s11 - 2 * b * (a12 + s12) + b * b * (a22 + s22)
            variance = squares / (nobs - n_partialled - 1) / bread
            out[j, r] = b
            out[4 + j, r] = math.sqrt(variance) if variance > 0 else math.nan
            out[8 + j, r] = bread
        out[12, r] = a22 / k / (s22 / dof)
        out[13, r] = larger * dof
        out[14, r] = smaller * dof
        for j in range(p):
            b = points[j]
            score = (a11 - 2 * b * a12 + b * b * a22) / (s11 - 2 * b * s12 + b * b * s22)
            w0, w1 = s22 * b - s12, s11 - s12 * b
            top = a11 * w0 * w0 + 2 * a12 * w0 * w1 + a22 * w1 * w1
            out[15 + j, r] = score * dof
            out[15 + p + j, r] = top / (w0 * b + w1) / det * dof


@compiled
def score_sets(
    reduced_form: Floats,
    first_stage: Floats,
    residual: Floats,
    dof: int,
    bound: Floats,
    code: Codes,
    ends: Floats,
) -> None:
    """{b: QS(b) <= bound}: codes and (2, reps) ends, as `homoskedastic_panel.quadratic_sets`."""
    for r in range(first_stage.shape[0]):
        a11, a12, a22 = _gram(reduced_form, first_stage, r)
        c = bound[r] / dof
        c0 = a11 - c * residual[r, 0, 0]
        half = -(a12 - c * residual[r, 0, 1])
        c2 = a22 - c * residual[r, 1, 1] + 0.0
        discriminant = half * half - c0 * c2
        if discriminant > _ROUNDING * (half * half + abs(c0 * c2)):
            pivot = -(half + math.copysign(math.sqrt(discriminant), half))
            one, two = pivot / c2, c0 / pivot
            ends[0, r], ends[1, r] = min(one, two), max(one, two)
            code[r] = 1 if c2 >= 0 else 2
        else:
            ends[0, r] = ends[1, r] = math.nan
            never = c0 > 0 if c2 == 0 else c2 > 0
            code[r] = 0 if never else 3


@compiled
def robust(
    reduced_form: Floats,
    first_stage: Floats,
    scores: tuple[Floats, Floats, Floats],
    factors: tuple[float, float],
    error: Floats,
    bread: Floats,
    points: Floats,
    conditional: bool,
    out: Floats,
) -> None:
    """Rows of ``out``: 4 standard errors, effective F, AR at infinity, P each of AR, K, rk, LR.

    ``factors`` are the small-sample ones of regression coefficients and of estimates. The last
    three statistics are missing unless ``conditional``.
    """
    wald, fitted, own = scores
    k, p = first_stage.shape[1], points.size
    joint, variance = np.empty((2 * k, 2 * k)), np.empty((k, k))
    both, solved = np.empty(2 * k), np.empty(2 * k)
    work = np.empty((4, k))
    size = 2 * k if conditional else k
    for r in range(first_stage.shape[0]):
        for j in range(4):
            b, value = error[j, r], math.nan
            if j > 0:
                value = fitted[r, 0, 0] - 2 * b * fitted[r, 0, 1] + b * b * fitted[r, 1, 1]
            elif own.shape[0] > 0:
                value = own[r, 0, 0] - 2 * b * own[r, 0, 1] + b * b * own[r, 1, 1]
            root = math.sqrt(factors[1] * value) if value > 0 else value * 0.0
            out[j, r] = root / abs(bread[j, r])
        omega, pi, delta = wald[r], first_stage[r], reduced_form[r]
        top = trace = 0.0
        for a in range(k):
            top += pi[a] * pi[a]
            trace += omega[1, 1, a, a]
            both[a], both[k + a] = pi[a], delta[a]
            for b in range(k):
                joint[a, b] = factors[0] * omega[1, 1, a, b]
                joint[k + a, b] = factors[0] * omega[0, 1, a, b]
                joint[k + a, k + b] = factors[0] * omega[0, 0, a, b]
        out[4, r] = top / (trace * factors[0])
        # the first stage comes first: its own Wald statistic is what the first k squares add up to
        _root(joint, size)
        _forward(joint, both, solved, size)
        out[5, r] = _square(solved, k)
        joint_wald = _square(solved, 2 * k) if conditional else math.nan
        for j in range(p):
            cosine = math.cos(math.atan(points[j]))
            found = _statistics(
                delta, pi, omega, factors[0], cosine, points[j] * cosine, joint_wald, variance, work
            )
            for row in range(4):
                out[6 + row * p + j, r] = found[row]


@compiled
def _statistics(
    delta: Floats,
    pi: Floats,
    omega: Floats,
    factor: float,
    c: float,
    s: float,
    joint_wald: float,
    variance: Floats,
    work: Floats,
) -> tuple[float, float, float, float]:
    """AR, K, rk and LR of ``m = c delta - s pi``, as `robust_panel.Statistics`."""
    m, x, d, y = work[0], work[1], work[2], work[3]
    k = pi.size
    for a in range(k):
        m[a] = c * delta[a] - s * pi[a]
        for b in range(a + 1):
            o11, o22 = factor * omega[0, 0, a, b], factor * omega[1, 1, a, b]
            both = factor * (omega[0, 1, a, b] + omega[1, 0, a, b])
            variance[a, b] = c * c * o11 - c * s * both + s * s * o22
    # with variance = L L', x = L^-1 m, and m becomes V^-1 m
    _root(variance, k)
    _forward(variance, m, x, k)
    ar = _square(x, k)
    if math.isnan(joint_wald):
        return ar, math.nan, math.nan, math.nan
    rank = max(joint_wald - ar, 0.0)
    if k == 1:
        return ar, ar, rank, ar
    _backward(variance, x, m, k)
    for a in range(k):
        d[a] = s * delta[a] + c * pi[a]
        for b in range(k):
            o11, o22 = omega[0, 0, a, b], omega[1, 1, a, b]
            o12, o21 = omega[0, 1, a, b], omega[1, 0, a, b]
            d[a] -= factor * (c * s * (o11 - o22) - s * s * o12 + c * c * o21) * m[b]
    _forward(variance, d, y, k)
    along = 0.0
    for a in range(k):
        along += x[a] * y[a]
    score = min(along * along / _square(y, k), ar)
    gap, product = ar - rank, score * rank
    root = math.sqrt(gap * gap + 4 * product)
    ratio = 0.0
    if product + max(gap, 0.0) > 0:
        ratio = (gap + root) / 2 if gap > 0 else 2 * product / (root - gap)
    return ar, score, rank, ratio


@compiled
def _root(matrix: Floats, size: int) -> None:
    """Lower triangular root in place, its diagonal inverted; nan where there is none."""
    for a in range(size):
        for b in range(a + 1):
            value = matrix[a, b]
            for i in range(b):
                value -= matrix[a, i] * matrix[b, i]
            matrix[a, b] = 1 / math.sqrt(value) if a == b else value * matrix[b, b]


@compiled
def _forward(root: Floats, right: Floats, out: Floats, size: int) -> None:
    for a in range(size):
        value = right[a]
        for i in range(a):
            value -= root[a, i] * out[i]
        out[a] = value * root[a, a]


@compiled
def _backward(root: Floats, right: Floats, out: Floats, size: int) -> None:
    for step in range(size):
        a = size - 1 - step
        value = right[a]
        for i in range(a + 1, size):
            value -= root[i, a] * out[i]
        out[a] = value * root[a, a]


@compiled
def _square(vector: Floats, size: int) -> float:
    value = 0.0
    for a in range(size):
        value += vector[a] * vector[a]
    return value
