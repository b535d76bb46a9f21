"""The cell sampler's moments, compiled: `wishart.from_cells` one replication at a time."""

from __future__ import annotations

import numpy as np

from pooledtrials.planning.montecarlo.compiled import compiled
from pooledtrials.planning.montecarlo.compiled_layout import CellDesign, Floats, Output


@compiled
def reduce(
    u: Floats, v: Floats, a: Floats, b: Floats, c: Floats, design: CellDesign, out: Output
) -> None:
    """Moments from standard normals u, v and Bartlett roots a, b, c, all (reps, cells)."""
    cells, k = design.q.shape
    p, pairs = design.basis.shape[1], k * (k + 1) // 2
    products = _products(design.q)
    mean, scatter = np.empty((2, cells)), np.empty((3, cells))
    on, outside, sums = np.empty((2, k)), np.empty((2, p)), np.empty((3, pairs))
    robust = out.robust[0].shape[0] > 0
    for r in range(u.shape[0]):
        on[:], outside[:], sums[:] = 0.0, 0.0, 0.0
        for g in range(cells):
            scale, deviation = design.scale[g], design.deviations[g]
            per_row = scale / np.sqrt(design.counts[g])
            mu, mv = per_row * u[r, g], per_row * (design.rho * u[r, g] + design.other * v[r, g])
            above, last = scale * a[r, g], scale * design.other * b[r, g]
            below = design.rho * above + scale * design.other * c[r, g]
            uu, uv, vv = above * above, above * below, below * below + last * last
            if deviation != 0:
                mu += deviation * (design.signal[g] + mv)
                uu += deviation * (2 * uv + deviation * vv)
                uv += deviation * vv
            mean[0, g], mean[1, g] = mu, mv
            scatter[0, g], scatter[1, g], scatter[2, g] = uu, uv, vv
            mu, mv = mu * design.counts[g], mv * design.counts[g]
            for j in range(k):
                on[0, j] += mu * design.q[g, j]
                on[1, j] += mv * design.q[g, j]
            for j in range(p):
                outside[0, j] += mu * design.basis[g, j]
                outside[1, j] += mv * design.basis[g, j]
        gram, fitted = np.zeros(3), np.zeros(3)
        for g in range(cells):
            mu, mv, qu, qv = mean[0, g], mean[1, g], 0.0, 0.0
            for j in range(p):
                mu -= outside[0, j] * design.basis[g, j]
                mv -= outside[1, j] * design.basis[g, j]
            for j in range(k):
                qu += on[0, j] * design.q[g, j]
                qv += on[1, j] * design.q[g, j]
            left_u, left_v = mu - qu, mv - qv
            fit, count = qv + design.signal[g], design.counts[g]
            x = left_v + fit
            uu, uv, vv = scatter[0, g], scatter[1, g], scatter[2, g]
            fitted[0] += fit * fit * (uu + count * mu * mu)
            fitted[1] += fit * fit * (uv + count * mu * x)
            fitted[2] += fit * fit * (vv + count * x * x)
            uu += count * left_u * left_u
            uv += count * left_u * left_v
            vv += count * left_v * left_v
            gram[0] += uu
            gram[1] += uv
            gram[2] += vv
            if robust:
                for j in range(pairs):
                    sums[0, j] += uu * products[g, j]
                    sums[1, j] += uv * products[g, j]
                    sums[2, j] += vv * products[g, j]
        for j in range(k):
            out.reduced_form[r, j] = on[0, j]
            out.first_stage[r, j] = on[1, j] + design.theta[j]
        _write(out.residual_gram[r], gram[0], gram[1], gram[2])
        if robust:
            _write(out.robust[1][r], fitted[0], fitted[1], fitted[2])
            j = 0
            for one in range(k):
                for two in range(one, k):
                    for s, t in ((one, two), (two, one)):
                        _write(out.robust[0][r, :, :, s, t], sums[0, j], sums[1, j], sums[2, j])
                    j += 1


@compiled
def _products(q: Floats) -> Floats:
    """(cells, k (k + 1) / 2) products of columns."""
    cells, k = q.shape
    out = np.empty((cells, k * (k + 1) // 2))
    for g in range(cells):
        j = 0
        for one in range(k):
            for two in range(one, k):
                out[g, j] = q[g, one] * q[g, two]
                j += 1
    return out


@compiled
def _write(to: Floats, one: float, mixed: float, two: float) -> None:
    to[0, 0], to[0, 1], to[1, 0], to[1, 1] = one, mixed, mixed, two
