"""Layer 2 of the Monte Carlo: draw the moments of many replications at once.

All samplers return `Draws`. ``wishart`` and ``cell_wishart`` draw sufficient statistics and cost
nothing in n (`wishart`); ``rows`` draws the errors themselves and serves any law. A sampler whose
conditions fail refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from pooledtrials.planning.montecarlo.design import Cell, Design
from pooledtrials.planning.montecarlo.draws import Draws, Scores, empty_draws
from pooledtrials.planning.montecarlo.normals import compilable, words
from pooledtrials.planning.montecarlo.products import cross_products, product
from pooledtrials.planning.montecarlo.wishart import cell_wishart, wishart

if TYPE_CHECKING:
    from pooledtrials.planning.montecarlo.compiled_layout import RowDesign, RowLaw

Array = npt.NDArray[np.float64]

ROWS_BLOCK: Final = 16
"""Replications of row errors held at a time, few enough to stay in cache."""


Sampler = Callable[[Design, Cell, int, np.random.Generator, Sequence[str], str], Draws]
"""``sampler(design, cell, reps, generator, covariances, engine)``."""


def rows(
    design: Design,
    cell: Cell,
    reps: int,
    generator: np.random.Generator,
    covariances: Sequence[str] = ("classical",),
    engine: str = "numpy",
) -> Draws:
    """Errors of every row: any law, any variance, clusters, effects that differ between rows.

    Both engines use the same normals, NumPy's stream of the generator; the compiled one draws them
    itself where the generator is SFC64.
    """
    if engine == "numba" and cell.errors is None and compilable(generator):
        from pooledtrials.planning.montecarlo.compiled_rows import sample

        draws, out = empty_draws(design.n_instruments, reps, covariances, True)
        with words(generator) as state:
            sample(state, _sorted(design), _law(design, cell), out)
        return draws
    parts = [
        reduce_rows(design, cell, errors, covariances, engine)
        for errors in row_errors(design, cell, reps, generator)
    ]
    return _joined(parts)


def row_errors(
    design: Design, cell: Cell, reps: int, generator: np.random.Generator
) -> Iterator[Array]:
    """Blocks (16, 2, n) of structural errors and first-stage errors, as y and x contain them.

    The first is ``y - effect x``, deviations of a row's effect included.
    """
    n, groups = design.nobs, design.n_clusters if cell.shared > 0 else 0
    for start in range(0, reps, ROWS_BLOCK):
        block = min(ROWS_BLOCK, reps - start)
        if cell.errors is None:
            drawn = generator.standard_normal((block, 2 * n + 2 * groups))
            errors = drawn[:, : 2 * n].reshape(block, 2, n)
            if groups:
                common = drawn[:, 2 * n :].reshape(block, 2, groups)[..., design.clusters]
                errors = np.sqrt(1 - cell.shared) * errors + np.sqrt(cell.shared) * common
            rho, other = cell.root[1]
            errors = np.stack([errors[:, 0], rho * errors[:, 0] + other * errors[:, 1]], axis=1)
        else:
            own = np.asarray(cell.errors(generator, block, n), dtype=float)
            if own.shape != (block, n, 2):
                raise ValueError(f"errors returned shape {own.shape}: give ({block}, {n}, 2)")
            errors = np.ascontiguousarray(np.swapaxes(own, 1, 2))
        if cell.scale is not None:
            errors = errors * np.asarray(cell.scale, dtype=float)
        if cell.deviations is not None:
            exposure = cell.signal(design) + errors[:, 1]
            errors = np.stack([errors[:, 0] + cell.deviations * exposure, errors[:, 1]], axis=1)
        yield errors


def reduce_rows(
    design: Design, cell: Cell, errors: Array, covariances: Sequence[str], engine: str
) -> Draws:
    """Moments from errors (reps, 2, n)."""
    if engine == "numba":
        from pooledtrials.planning.montecarlo.compiled_rows import reduce

        draws, out = empty_draws(design.n_instruments, errors.shape[0], covariances, True)
        reduce(errors, _sorted(design), np.asarray(cell.theta), out)
        return draws
    reps, n, k = errors.shape[0], design.nobs, design.n_instruments
    joined = np.column_stack([design.q, design.basis])
    on = product(errors.reshape(2 * reps, n), joined).reshape(reps, 2, -1)
    reduced, stage = on[:, 0, :k], on[:, 1, :k] + cell.theta
    if not {"robust", "clustered"} & set(covariances):
        # residual cross products by Pythagoras, without residuals
        gram = cross_products(errors, errors) - cross_products(on, on)
        return Draws(reduced, stage, gram)

    def fitted(coefficients: Array, columns: Array) -> Array:
        flat = product(coefficients.reshape(2 * reps, -1), columns.T)
        return flat.reshape(reps, 2, n)

    whole = errors - fitted(on[..., k:], design.basis)
    left = whole - fitted(on[..., :k], design.q)
    fit = product(stage, design.q.T)
    both = np.stack([whole[:, 0], left[:, 1] + fit], axis=1)
    scores = {
        word: Scores(
            _summed(left, design.q, design, word),
            _outer(fit[:, None] * both, design, word),
            _outer(both[:, 1:] * both, design, word),
        )
        for word in ("robust", "clustered")
        if word in covariances
    }
    gram = cross_products(left, left)
    return Draws(reduced, stage, gram, scores.get("robust"), scores.get("clustered"))


SAMPLERS: Final[dict[str, Sampler]] = {
    "wishart": wishart,
    "cell_wishart": cell_wishart,
    "rows": rows,
}


def _summed(left: Array, q: Array, design: Design, covariance: str) -> Array:
    """(reps, 2, 2, k, k) sums of products of the scores ``q_i e_i``."""
    reps, k = left.shape[0], q.shape[1]
    if covariance == "robust":
        products = (q[:, :, None] * q[:, None, :]).reshape(-1, k * k)
        three = np.stack([left[:, 0] ** 2, left[:, 0] * left[:, 1], left[:, 1] ** 2], axis=1)
        flat = product(three.reshape(3 * reps, -1), products).reshape(reps, 3, k, k)
        return np.asarray(flat[:, [0, 1, 1, 2]].reshape(reps, 2, 2, k, k))
    scores = (left[:, :, None] * q.T).reshape(reps, 2 * k, -1)
    full = _outer(scores, design, covariance)
    return np.ascontiguousarray(full.reshape(reps, 2, k, 2, k).transpose(0, 1, 3, 2, 4))


def _outer(scores: Array, design: Design, covariance: str) -> Array:
    """(reps, c, c) sums over rows, or clusters, of products of scores (reps, c, n)."""
    if covariance == "clustered" and design.clusters is not None:
        order = np.argsort(design.clusters, kind="stable")
        starts = np.flatnonzero(np.diff(design.clusters[order], prepend=-1))
        scores = np.add.reduceat(scores[..., order], starts, axis=-1)
    return cross_products(scores, scores)


def _joined(parts: list[Draws]) -> Draws:
    """One `Draws` of several blocks."""
    if len(parts) == 1:
        return parts[0]

    def stack(found: list[Scores | None]) -> Scores | None:
        kept = [f for f in found if f is not None]
        if not kept:
            return None
        own = [f.own for f in kept if f.own is not None]
        return Scores(
            np.concatenate([f.wald for f in kept]),
            np.concatenate([f.fitted for f in kept]),
            np.concatenate(own),
        )

    return Draws(
        np.concatenate([p.reduced_form for p in parts]),
        np.concatenate([p.first_stage for p in parts]),
        np.concatenate([p.residual_gram for p in parts]),
        stack([p.robust for p in parts]),
        stack([p.clustered for p in parts]),
    )


def _sorted(design: Design) -> RowDesign:
    """What the compiled sampler takes of a design."""
    from pooledtrials.planning.montecarlo.compiled_layout import RowDesign

    found = design.features
    groups = np.empty(0, dtype=np.int64)
    if design.clusters is not None:
        groups = np.ascontiguousarray(design.clusters[found.order], dtype=np.int64)
    return RowDesign(
        np.ascontiguousarray(found.place, dtype=np.int64),
        np.ascontiguousarray(found.starts, dtype=np.int64),
        found.linear,
        found.quadratic,
        found.to_columns,
        found.to_products,
        np.ascontiguousarray(design.q[found.order]),
        groups,
        design.n_clusters,
    )


def _law(design: Design, cell: Cell) -> RowLaw:
    """What it takes of a cell."""
    from pooledtrials.planning.montecarlo.compiled_layout import RowLaw

    def sorted_rows(values: Array | None) -> Array:
        if values is None:
            return np.empty(0)
        return np.asarray(values, dtype=float)[design.features.order]

    rho, other = (float(value) for value in cell.root[1])
    signal = None if cell.deviations is None else cell.signal(design)
    return RowLaw(
        rho,
        other,
        sorted_rows(cell.scale),
        sorted_rows(cell.deviations),
        float(cell.shared),
        sorted_rows(signal),
        np.asarray(cell.theta, dtype=float),
    )
