"""Layer 2 of the Monte Carlo: draw the moments of many replications at once.

All samplers return the same `Draws`. ``wishart`` and ``cell_wishart`` draw sufficient statistics
and cost nothing in n; they are exact for normal errors, with equal variances or with variances
that differ only between cells of identical instruments and controls. ``rows`` draws the errors
themselves and serves any law. A sampler whose conditions fail refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pooledtrials.instruments.moments import Moments
from pooledtrials.planning.design import Cell, Design

Array = npt.NDArray[np.float64]

ROWS_BLOCK: Final = 16
"""Replications of row errors drawn at a time, few enough to stay in cache."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Moments of many replications: coefficients, residual cross products, robust sums.

    Attributes
    ----------
    reduced_form, first_stage : (reps, k)
    residual_gram : (reps, 2, 2)
    wald_meat : (reps, 2, 2, k, k) or None
        Sums of score products with regression residuals, before small-sample factors.
    score_meat : (reps, 2, 2, k, k) or None
        The same with y and x in place of residuals, for robust errors of 2SLS.
    """

    reduced_form: Array
    first_stage: Array
    residual_gram: Array
    wald_meat: Array | None = None
    score_meat: Array | None = None

    def moments(self, design: Design, covariance: str) -> Moments:
        """What the kernel takes: classical, or HC1 robust where the sampler drew it."""
        n, p, k = design.nobs, design.n_partialled, design.n_instruments
        if covariance == "robust":
            if self.wald_meat is None:
                raise ValueError(
                    "covariance is 'robust', but this sampler draws homoskedastic moments only:"
                    " use sampler='rows' or 'cell_wishart'"
                )
            omega = self.wald_meat * (n / design.dof)
        else:
            omega = (self.residual_gram / design.dof)[..., None, None] * np.eye(k)
        return Moments(
            self.reduced_form,
            self.first_stage,
            omega,
            self.residual_gram,
            n,
            p,
            float(design.dof),
            covariance,
            "wald",
            True,
        )


Sampler = Callable[[Design, Cell, int, np.random.Generator, bool], Draws]


def wishart(
    design: Design, cell: Cell, reps: int, generator: np.random.Generator, robust: bool
) -> Draws:
    """Normal errors of equal variance: coefficients normal, residuals Wishart, independent."""
    if robust or cell.scale is not None or cell.errors is not None:
        raise ValueError(
            "sampler is 'wishart', which is exact only for normal errors of equal variance and"
            " classical covariances: use 'cell_wishart' or 'rows'"
        )
    root = _root(cell)
    turn = cell.reduced @ root
    k = design.n_instruments
    noise = generator.standard_normal((reps, k, 2)) @ turn.T
    gram = turn @ _wishart(generator, reps, np.array([design.dof]))[:, 0] @ turn.T
    return Draws(noise[..., 0] + cell.effect * cell.theta, noise[..., 1] + cell.theta, gram)


def cell_wishart(
    design: Design, cell: Cell, reps: int, generator: np.random.Generator, robust: bool
) -> Draws:
    """Normal errors whose variance differs between cells of identical rows: a Wishart each.

    Within a cell every row has the same instruments and controls, so that the cell's mean error
    and its scatter are sufficient, also for the robust covariance.
    """
    counts = np.bincount(design.cells)
    if counts.size * 2 > design.nobs:
        raise ValueError(
            f"sampler is 'cell_wishart', but {design.nobs} rows form {counts.size} cells of"
            " identical instruments and controls: use 'rows'"
        )
    if cell.errors is not None:
        raise ValueError("sampler is 'cell_wishart', but errors are not normal: use 'rows'")
    first = np.unique(design.cells, return_index=True)[1]
    scale = np.ones(design.nobs) if cell.scale is None else np.asarray(cell.scale, dtype=float)
    if scale.shape != (design.nobs,) or np.any(scale != scale[first][design.cells]):
        raise ValueError(
            "sampler is 'cell_wishart', but scale varies within cells of identical instruments and"
            " controls: use 'rows'"
        )
    turn = cell.reduced @ _root(cell)
    size = scale[first]
    mean = generator.standard_normal((reps, counts.size, 2)) @ turn.T
    mean *= (size / np.sqrt(counts))[:, None]
    scatter = turn @ _wishart(generator, reps, counts - 1) @ turn.T * (size**2)[:, None, None]
    return _from_cells(design, cell, mean, scatter, counts, first, robust)


def _from_cells(
    design: Design,
    cell: Cell,
    mean: Array,
    scatter: Array,
    counts: npt.NDArray[np.intp],
    first: npt.NDArray[np.intp],
    robust: bool,
) -> Draws:
    """Moments from cell means (reps, C, 2) and within-cell cross products (reps, C, 2, 2)."""
    q, basis = design.q[first], design.basis[first]
    weighted = mean * counts[:, None]
    on_q, on_basis = np.swapaxes(weighted, 1, 2) @ q, np.swapaxes(weighted, 1, 2) @ basis
    outside = mean - np.swapaxes(on_basis @ basis.T, 1, 2)
    left = outside - np.swapaxes(on_q @ q.T, 1, 2)
    per_cell = scatter + (counts[:, None, None] * left[..., :, None] * left[..., None, :])
    wald = score = None
    if robust:
        products = (q[:, :, None] * q[:, None, :]).reshape(counts.size, -1)
        k = q.shape[1]
        wald = _meat(per_cell, products, k)
        signal = (q @ cell.theta)[:, None] * np.array([cell.effect, 1.0])
        whole = outside + signal
        partialled = scatter + counts[:, None, None] * whole[..., :, None] * whole[..., None, :]
        score = _meat(partialled, products, k)
    return Draws(
        on_q[:, 0] + cell.effect * cell.theta,
        on_q[:, 1] + cell.theta,
        per_cell.sum(axis=1),
        wald,
        score,
    )


def rows(
    design: Design, cell: Cell, reps: int, generator: np.random.Generator, robust: bool
) -> Draws:
    """Errors of every row, in blocks of replications: any law, any variance."""
    n, k = design.nobs, design.n_instruments
    joined = np.column_stack([design.q, design.basis])
    # errors are linear in what is drawn, so the 2 x 2 map is applied to sums, not to rows
    turn = cell.reduced if cell.errors is not None else cell.reduced @ _root(cell)
    parts: list[tuple[Array, ...]] = []
    for start in range(0, reps, ROWS_BLOCK):
        block = min(ROWS_BLOCK, reps - start)
        drawn = _drawn_rows(cell, generator, block, n)
        coefficients = (drawn.reshape(2 * block, n) @ joined).reshape(block, 2, -1)
        on_q = turn @ coefficients[..., :k]
        if not robust:  # residual cross products by Pythagoras, without residuals
            gram = drawn @ np.swapaxes(drawn, 1, 2)
            gram = gram - coefficients @ np.swapaxes(coefficients, 1, 2)
            parts.append((on_q, turn @ gram @ turn.T))
            continue
        left = turn @ (drawn - coefficients @ joined.T)
        whole = left + on_q @ design.q.T
        signal = design.q @ cell.theta
        whole[:, 0] += cell.effect * signal
        whole[:, 1] += signal
        gram = left @ np.swapaxes(left, 1, 2)
        parts.append((on_q, gram, _row_meat(left, design), _row_meat(whole, design)))
    stacked = [np.concatenate(piece) for piece in zip(*parts, strict=True)]
    return Draws(
        stacked[0][:, 0] + cell.effect * cell.theta,
        stacked[0][:, 1] + cell.theta,
        stacked[1],
        *stacked[2:],
    )


SAMPLERS: Final[dict[str, Sampler]] = {
    "wishart": wishart,
    "cell_wishart": cell_wishart,
    "rows": rows,
}


def _wishart(generator: np.random.Generator, reps: int, dof: npt.NDArray[np.intp]) -> Array:
    """(reps, cells, 2, 2) standard Wishart draws by Bartlett's decomposition; 0 and 1 dof too."""
    size = (reps, dof.size)
    a = np.sqrt(2 * generator.standard_gamma(np.maximum(dof, 1e-300) / 2, size=size))
    b = np.sqrt(2 * generator.standard_gamma(np.maximum(dof - 1, 1e-300) / 2, size=size))
    c = np.where(dof > 0, generator.standard_normal(size), 0.0)
    out = np.empty((*size, 2, 2))
    out[..., 0, 0] = a * a
    out[..., 0, 1] = out[..., 1, 0] = a * c
    out[..., 1, 1] = c * c + b * b
    return out


def _meat(per_cell: Array, products: Array, k: int) -> Array:
    """(reps, 2, 2, k, k) from (reps, C, 2, 2) and the cells' instrument products (C, k k)."""
    reps = per_cell.shape[0]
    flat = np.swapaxes(per_cell.reshape(reps, -1, 4), 1, 2) @ products
    return np.asarray(flat.reshape(reps, 2, 2, k, k))


def _row_meat(errors: Array, design: Design) -> Array:
    """(block, 2, 2, k, k) sums of score products from (block, 2, n) errors."""
    n, k = design.q.shape
    products = (design.q[:, :, None] * design.q[:, None, :]).reshape(n, k * k)
    block = errors.shape[0]
    y, x = errors[:, 0], errors[:, 1]
    three = np.stack([y * y, y * x, x * x], axis=1)
    flat = (three.reshape(3 * block, n) @ products).reshape(block, 3, k, k)
    return np.asarray(flat[:, [0, 1, 1, 2]].reshape(block, 2, 2, k, k))


def _root(cell: Cell) -> Array:
    return np.asarray(np.linalg.cholesky(cell.covariance))


def _drawn_rows(cell: Cell, generator: np.random.Generator, block: int, n: int) -> Array:
    """(block, 2, n): standard normals or the cell's own errors, times the rows' scale."""
    if cell.errors is None:
        drawn = generator.standard_normal((block, 2, n))
    else:
        drawn = np.asarray(cell.errors(generator, block, n), dtype=float)
        if drawn.shape != (block, n, 2):
            raise ValueError(f"errors returned shape {drawn.shape}: give ({block}, {n}, 2)")
        drawn = np.swapaxes(drawn, 1, 2)
    return drawn if cell.scale is None else drawn * np.asarray(cell.scale, dtype=float)
