"""Samplers of sufficient statistics: normal errors, and nothing as long as the data.

With fixed instruments and controls and rows of (u, v) independent and normal with one covariance,
the coefficients on the k orthonormal instruments are normal and the residual cross products an
independent Wishart matrix with n - p - k degrees of freedom: 2k + 1 normals and two chi-squares
stand for 2n normals [anderson2003introduction]. If the variance differs between cells of rows that
have the same instruments and controls (trial and arm, say), each cell has a mean and a Wishart
matrix of its own, and these are sufficient for the row-robust covariance too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pooledtrials.planning.montecarlo.design import Cell, Design
from pooledtrials.planning.montecarlo.draws import Draws, Scores, empty_draws
from pooledtrials.planning.montecarlo.normals import standard_normals
from pooledtrials.planning.montecarlo.products import product

Array = npt.NDArray[np.float64]


def wishart(
    design: Design,
    cell: Cell,
    reps: int,
    generator: np.random.Generator,
    covariances: Sequence[str] = ("classical",),
    engine: str = "numpy",
) -> Draws:
    """Normal errors of equal variance and one effect, classical covariances. Exact.

    Raises
    ------
    ValueError
        For a cell or a covariance that these statistics do not suffice for.
    """
    reasons = [
        (bool({"robust", "clustered"} & set(covariances)), "covariances are not only classical"),
        (cell.scale is not None, "the cell has a scale"),
        (cell.errors is not None, "the cell has errors of its own"),
        (cell.deviations is not None, "the cell has deviations of its effect"),
        (cell.shared > 0, "errors are shared within clusters"),
    ]
    _refuse("wishart", reasons, "'cell_wishart' or 'rows'")
    k = design.n_instruments
    rho, other = cell.root[1]
    noise = standard_normals(generator, (2, reps, k), engine)
    first = noise[1]
    first *= other
    first += rho * noise[0]
    first += cell.theta
    roots = _bartlett(generator, reps, np.array([design.dof]), engine)
    gram = _symmetric([part[:, 0] for part in _cross_products(*roots, rho, other)])
    return Draws(noise[0], first, gram)


def cell_wishart(
    design: Design,
    cell: Cell,
    reps: int,
    generator: np.random.Generator,
    covariances: Sequence[str] = ("classical",),
    engine: str = "numpy",
) -> Draws:
    """Normal errors whose variance (or effect) differs between cells of identical rows. Exact.

    Robust errors of OLS, which take fourth moments of rows, are not available.

    Raises
    ------
    ValueError
        For a design with as many cells as half its rows, and for a cell or a covariance that these
        statistics do not suffice for.
    """
    counts, first = np.bincount(design.cells), design.first_rows
    scale = _constant(cell.scale, 1.0, design)
    deviation = _constant(cell.deviations, 0.0, design)
    reasons = [
        (
            counts.size * 2 > design.nobs,
            f"{design.nobs} rows form {counts.size} cells of identical instruments and controls",
        ),
        (cell.errors is not None, "errors are not normal"),
        (cell.shared > 0, "errors are shared within clusters"),
        ("clustered" in covariances, "covariances are clustered"),
        (
            scale is None,
            "scale varies within cells of identical instruments and controls",
        ),
        (
            deviation is None,
            "deviations vary within cells of identical instruments and controls",
        ),
    ]
    _refuse("cell_wishart", reasons, "'rows'")
    assert scale is not None
    assert deviation is not None
    u, v = standard_normals(generator, (2, reps, counts.size), engine)
    roots = _bartlett(generator, reps, counts - 1, engine)
    robust = "robust" in covariances
    q, basis = design.q[first], design.basis[first]
    signal, (rho, other) = cell.signal(design)[first], cell.root[1]
    if engine == "numba":
        from pooledtrials.planning.montecarlo.compiled_cells import reduce
        from pooledtrials.planning.montecarlo.compiled_layout import CellDesign

        law = (float(rho), float(other), scale, deviation, signal, np.asarray(cell.theta))
        draws, out = empty_draws(design.n_instruments, reps, ("robust",) if robust else (), False)
        reduce(u, v, *roots, CellDesign(q, basis, counts.astype(float), *law), out)
        return draws
    v = (rho * u + other * v) * (scale / np.sqrt(counts))
    u = u * (scale / np.sqrt(counts))
    a, b, c = roots
    uu, uv, vv = _cross_products(scale * a, scale * b, scale * c, rho, other)
    if np.any(deviation):
        u = u + deviation * (signal + v)
        uu = uu + deviation * (2 * uv + deviation * vv)
        uv = uv + deviation * vv
    return _from_cells(cell, (q, basis, counts), (u, v), (uu, uv, vv), robust)


def _from_cells(
    cell: Cell,
    design: tuple[Array, Array, npt.NDArray[np.intp]],
    mean: tuple[Array, Array],
    scatter: tuple[Array, Array, Array],
    robust: bool,
) -> Draws:
    """Moments from cell means and within-cell cross products, all (reps, cells)."""
    q, basis, counts = design
    reduced, stage = (product(m * counts, q) for m in mean)
    whole = [m - product(product(m * counts, basis), basis.T) for m in mean]
    left = [w - product(on, q.T) for w, on in zip(whole, (reduced, stage), strict=True)]
    stage = stage + cell.theta
    pairs = ((0, 0), (0, 1), (1, 1))
    each = [s + counts * left[i] * left[j] for s, (i, j) in zip(scatter, pairs, strict=True)]
    gram = _symmetric([part.sum(axis=1) for part in each])
    if not robust:
        return Draws(reduced, stage, gram)
    k = q.shape[1]
    products = (q[:, :, None] * q[:, None, :]).reshape(counts.size, k * k)
    wald = _symmetric([product(part, products).reshape(-1, k, k) for part in each])
    fit = product(stage, q.T)
    both = (whole[0], left[1] + fit)
    fitted = _symmetric(
        [
            np.sum(fit * fit * (s + counts * both[i] * both[j]), axis=1)
            for s, (i, j) in zip(scatter, pairs, strict=True)
        ]
    )
    return Draws(reduced, stage, gram, Scores(wald, fitted, None))


def _symmetric(three: list[Array]) -> Array:
    """(reps, 2, 2, ...) from the parts (0, 0), (0, 1) and (1, 1)."""
    out = np.empty((three[0].shape[0], 2, 2, *three[0].shape[1:]))
    out[:, 0, 0], out[:, 0, 1], out[:, 1, 0], out[:, 1, 1] = three[0], three[1], three[1], three[2]
    return out


def _bartlett(
    generator: np.random.Generator, reps: int, dof: npt.NDArray[np.intp], engine: str
) -> tuple[Array, Array, Array]:
    """Roots of standard 2 x 2 Wishart draws, (reps, cells): diagonal a, b and below it c.

    Degrees of freedom of 0 and 1 are allowed: the matrix is zero, or of rank one.
    """
    shape = (reps, dof.size)
    a, b = np.zeros(shape), np.zeros(shape)
    for j, degrees in enumerate(dof):
        if degrees > 0:
            a[:, j] = generator.standard_gamma(degrees / 2, reps)
        if degrees > 1:
            b[:, j] = generator.standard_gamma((degrees - 1) / 2, reps)
    c = np.where(dof > 0, standard_normals(generator, shape, engine), 0.0)
    return np.sqrt(2 * a), np.sqrt(2 * b), c


def _cross_products(a: Array, b: Array, c: Array, rho: float, other: float) -> list[Array]:
    """Entries of the Wishart matrix of (u, v) from roots of a standard one."""
    below, last = rho * a + other * c, other * b
    return [a * a, a * below, below * below + last * last]


def _constant(values: Array | None, default: float, design: Design) -> Array | None:
    """One value for each cell of identical rows, None if they differ within one."""
    if values is None:
        return np.full(design.first_rows.size, default)
    array = np.asarray(values, dtype=float)
    at = array[design.first_rows]
    return at if np.array_equal(array, at[design.cells]) else None


def _refuse(sampler: str, reasons: list[tuple[bool, str]], instead: str) -> None:
    for holds, reason in reasons:
        if holds:
            raise ValueError(
                f"sampler is {sampler!r}, but {reason}, and it is exact only for normal errors"
                f" without: use {instead}"
            )
