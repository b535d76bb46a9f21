"""The rows sampler in one pass a replication: draws, residuals, sums, all in cache.

Normals are NumPy's own stream: the bit generator SFC64 and the ziggurat of
`numpy.random.Generator.standard_normal` [marsaglia2000ziggurat] are written out here, so that both
engines see the same draws. Residuals and sums use `RowFeatures`, in place of products of n-row
matrices.
"""

from __future__ import annotations

import math

import numpy as np

from pooledtrials.planning.montecarlo.compiled import compiled
from pooledtrials.planning.montecarlo.compiled_layout import (
    TAIL,
    Floats,
    Integers,
    Output,
    RowDesign,
    RowErrors,
    RowLaw,
    Scores,
    Words,
    ziggurat,
)

_ACCEPT, _WIDTH, _HEIGHT = ziggurat()


@compiled
def _next(
    a: np.uint64, b: np.uint64, c: np.uint64, counter: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.uint64]:
    """One word of SFC64 and its next state."""
    word = a + b + counter
    a = b ^ (b >> np.uint64(11))
    b = c + (c << np.uint64(3))
    c = ((c << np.uint64(24)) | (c >> np.uint64(40))) + word
    return word, a, b, c, counter + np.uint64(1)


@compiled
def _rare(
    layer: np.int64,
    x: float,
    bits: np.uint64,
    a: np.uint64,
    b: np.uint64,
    c: np.uint64,
    counter: np.uint64,
) -> tuple[bool, float, np.uint64, np.uint64, np.uint64, np.uint64]:
    """One draw in a hundred: the tail, or the edge of a layer (accepted or not)."""
    scale = 1.0 / 9007199254740992.0
    if layer == 0:
        while True:
            word, a, b, c, counter = _next(a, b, c, counter)
            far = -math.log1p(-np.float64(word >> np.uint64(11)) * scale) / TAIL
            word, a, b, c, counter = _next(a, b, c, counter)
            height = -math.log1p(-np.float64(word >> np.uint64(11)) * scale)
            if height + height > far * far:
                x = TAIL + far
                return True, -x if (bits >> np.uint64(8)) & np.uint64(1) else x, a, b, c, counter
    word, a, b, c, counter = _next(a, b, c, counter)
    u = np.float64(word >> np.uint64(11)) * scale
    inside = (_HEIGHT[layer - 1] - _HEIGHT[layer]) * u + _HEIGHT[layer] < math.exp(-0.5 * x * x)
    return inside, x, a, b, c, counter


@compiled
def fill_normals(state: Words, place: Integers, out: Floats) -> None:
    """Standard normals into ``out[place]``, in that order; the state moves on."""
    a, b, c, counter = state[0], state[1], state[2], state[3]
    i, n = 0, place.size
    while i < n:
        word, a, b, c, counter = _next(a, b, c, counter)
        layer = np.int64(word & np.uint64(255))
        bits = (word >> np.uint64(9)) & np.uint64(0xFFFFFFFFFFFFF)
        x = np.float64(np.int64(bits)) * _WIDTH[layer]
        if (word >> np.uint64(8)) & np.uint64(1):
            x = -x
        accepted = bits < _ACCEPT[layer]
        if not accepted:
            accepted, x, a, b, c, counter = _rare(layer, x, bits, a, b, c, counter)
        if accepted:
            out[place[i]] = x
            i += 1
    state[0], state[1], state[2], state[3] = a, b, c, counter


@compiled
def sample(state: Words, design: RowDesign, law: RowLaw, out: Output) -> None:
    """Draw and reduce as many replications as ``out`` has room for; normal errors."""
    n, groups = design.place.size, design.n_clusters if law.shared > 0 else 0
    rows, common, straight = _room(n), np.empty(2 * groups), np.arange(2 * groups)
    u, v = rows.u, rows.v
    own, joint = math.sqrt(1 - law.shared), math.sqrt(law.shared)
    for r in range(out.first_stage.shape[0]):
        fill_normals(state, design.place, u)
        fill_normals(state, design.place, v)
        if groups > 0:
            fill_normals(state, straight, common)
            for i in range(n):
                g = design.clusters[i]
                u[i] = own * u[i] + joint * common[g]
                v[i] = own * v[i] + joint * common[groups + g]
        for i in range(n):
            v[i] = law.rho * u[i] + law.other * v[i]
        if law.scale.size > 0:
            for i in range(n):
                u[i] *= law.scale[i]
                v[i] *= law.scale[i]
        if law.deviations.size > 0:
            for i in range(n):
                u[i] += law.deviations[i] * (law.signal[i] + v[i])
        _reduce(r, rows, design, law.theta, out)


@compiled
def reduce(drawn: Floats, design: RowDesign, theta: Floats, out: Output) -> None:
    """The same for errors (reps, 2, n) drawn elsewhere, in the design's own order of rows."""
    rows = _room(design.place.size)
    for r in range(drawn.shape[0]):
        for i in range(design.place.size):
            rows.u[design.place[i]] = drawn[r, 0, i]
            rows.v[design.place[i]] = drawn[r, 1, i]
        _reduce(r, rows, design, theta, out)


@compiled
def _room(n: int) -> RowErrors:
    return RowErrors(np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty((3, n)))


@compiled
def _reduce(r: int, rows: RowErrors, design: RowDesign, theta: Floats, out: Output) -> None:
    """Moments of one replication from its errors, which are overwritten by residuals."""
    u, v, square, k = rows.u, rows.v, rows.square, theta.size
    on = _coefficients(u, v, design)
    for a in range(k):
        out.reduced_form[r, a] = on[0, a]
        out.first_stage[r, a] = on[1, a] + theta[a]
    robust, clustered = out.robust[0].shape[0] > 0, out.clustered[0].shape[0] > 0
    uu = uv = vv = 0.0
    if not (robust or clustered):  # by Pythagoras, without residuals
        for i in range(u.size):
            uu += u[i] * u[i]
            uv += u[i] * v[i]
            vv += v[i] * v[i]
        for a in range(on.shape[1]):
            uu -= on[0, a] * on[0, a]
            uv -= on[0, a] * on[1, a]
            vv -= on[1, a] * on[1, a]
    else:
        _residuals(rows, on, design, theta)
        for i in range(u.size):
            square[0, i] = u[i] * u[i]
            square[1, i] = u[i] * v[i]
            square[2, i] = v[i] * v[i]
        for i in range(u.size):
            uu += square[0, i]
            uv += square[1, i]
            vv += square[2, i]
    _write(out.residual_gram[r], uu, uv, vv)
    if robust:
        _row_scores(r, rows, design, k, out.robust)
    if clustered:
        _cluster_scores(r, rows, design, k, out.clustered)


@compiled
def _coefficients(u: Floats, v: Floats, design: RowDesign) -> Floats:
    """(2, k + p) products of the columns with both errors, by way of the features."""
    starts, linear, to_columns = design.starts, design.linear, design.to_columns
    on = np.zeros((2, to_columns.shape[2]))
    for g in range(starts.size - 1):
        first, last = starts[g], starts[g + 1]
        ug, vg = u[first:last], v[first:last]
        for f in range(linear.shape[0]):
            feature = linear[f, first:last]
            su = sv = 0.0
            for i in range(feature.size):
                su += feature[i] * ug[i]
                sv += feature[i] * vg[i]
            for a in range(on.shape[1]):
                on[0, a] += su * to_columns[g, f, a]
                on[1, a] += sv * to_columns[g, f, a]
    return on


@compiled
def _residuals(rows: RowErrors, on: Floats, design: RowDesign, theta: Floats) -> None:
    """Errors become residuals; ``whole`` is u partialled out, ``projected`` the fitted exposure."""
    starts, linear, to_columns = design.starts, design.linear, design.to_columns
    k, width = theta.size, on.shape[1]
    for g in range(starts.size - 1):
        first, last = starts[g], starts[g + 1]
        ug, vg = rows.u[first:last], rows.v[first:last]
        wg, pg = rows.whole[first:last], rows.projected[first:last]
        for f in range(linear.shape[0]):
            feature = linear[f, first:last]
            qu = qv = fit = 0.0
            for a in range(k):
                qu += on[0, a] * to_columns[g, f, a]
                qv += on[1, a] * to_columns[g, f, a]
                fit += theta[a] * to_columns[g, f, a]
            bu, bv = qu, qv
            for a in range(k, width):
                bu += on[0, a] * to_columns[g, f, a]
                bv += on[1, a] * to_columns[g, f, a]
            fit += qv
            if f == 0:
                for i in range(feature.size):
                    wg[i] = qu * feature[i]
                    pg[i] = fit * feature[i]
            else:
                for i in range(feature.size):
                    wg[i] += qu * feature[i]
                    pg[i] += fit * feature[i]
            for i in range(feature.size):
                ug[i] -= bu * feature[i]
                vg[i] -= bv * feature[i]
        for i in range(ug.size):
            wg[i] += ug[i]


@compiled
def _row_scores(r: int, rows: RowErrors, design: RowDesign, k: int, out: Scores) -> None:
    """Sums over rows of score products: joint, of projected exposure, of exposure itself."""
    wald, fitted, own = out
    starts, quadratic, to_products = design.starts, design.quadratic, design.to_products
    sums = np.zeros((3, to_products.shape[2]))
    for g in range(starts.size - 1):
        first, last = starts[g], starts[g + 1]
        square = rows.square[:, first:last]
        uu, uv, vv = square[0], square[1], square[2]
        for f in range(quadratic.shape[0]):
            feature = quadratic[f, first:last]
            suu = suv = svv = 0.0
            for i in range(feature.size):
                suu += feature[i] * uu[i]
                suv += feature[i] * uv[i]
                svv += feature[i] * vv[i]
            for j in range(sums.shape[1]):
                sums[0, j] += suu * to_products[g, f, j]
                sums[1, j] += suv * to_products[g, f, j]
                sums[2, j] += svv * to_products[g, f, j]
    j = 0
    for a in range(k):
        for b in range(a, k):
            for c, d in ((a, b), (b, a)):
                _write(wald[r, :, :, c, d], sums[0, j], sums[1, j], sums[2, j])
            j += 1
    p00 = p01 = p11 = o00 = o01 = o11 = 0.0
    whole, projected = rows.whole, rows.projected
    for i in range(whole.size):
        x = rows.v[i] + projected[i]
        pu, px, xu, xx = projected[i] * whole[i], projected[i] * x, x * whole[i], x * x
        p00 += pu * pu
        p01 += pu * px
        p11 += px * px
        o00 += xu * xu
        o01 += xu * xx
        o11 += xx * xx
    _write(fitted[r], p00, p01, p11)
    _write(own[r], o00, o01, o11)


@compiled
def _cluster_scores(r: int, rows: RowErrors, design: RowDesign, k: int, out: Scores) -> None:
    """The same with scores summed over clusters first."""
    wald, fitted, own = out
    wide = 2 * k + 4
    sums, total = np.zeros((design.n_clusters, wide)), np.zeros((wide, wide))
    for i in range(rows.u.size):
        at = sums[design.clusters[i]]
        for a in range(k):
            at[a] += design.q[i, a] * rows.u[i]
            at[k + a] += design.q[i, a] * rows.v[i]
        x = rows.v[i] + rows.projected[i]
        at[2 * k] += rows.projected[i] * rows.whole[i]
        at[2 * k + 1] += rows.projected[i] * x
        at[2 * k + 2] += x * rows.whole[i]
        at[2 * k + 3] += x * x
    for g in range(design.n_clusters):
        for a in range(wide):
            for b in range(wide):
                total[a, b] += sums[g, a] * sums[g, b]
    for a in range(k):
        for b in range(k):
            for s in range(2):
                for t in range(2):
                    wald[r, s, t, a, b] = total[s * k + a, t * k + b]
    j = 2 * k
    _write(fitted[r], total[j, j], total[j, j + 1], total[j + 1, j + 1])
    _write(own[r], total[j + 2, j + 2], total[j + 2, j + 3], total[j + 3, j + 3])


@compiled
def _write(to: Floats, one: float, mixed: float, two: float) -> None:
    to[0, 0], to[0, 1], to[1, 0], to[1, 1] = one, mixed, mixed, two
