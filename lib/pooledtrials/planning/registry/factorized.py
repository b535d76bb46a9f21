"""A regression from sums: the Gram matrix is factorized, patients' scores are weighed together.

With the columns of all rows in the order ``[cells, controls, z, x, y]`` and their Gram matrix
``A'A = R'R``, the columns of ``R^-1`` turn A into the orthonormal Q of a QR factorization. So what
is partialled out, the instruments' basis and all residuals are combinations of columns with known
coefficients, and a patient's score is a quadratic form in the patient's cross products.

A Gram matrix squares how little of a column is its own: columns count as collinear when less than
a millionth of their standard deviation is, where the functions that have the rows allow 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg

from pooledtrials.arguments import Codes, Matrix, Vector
from pooledtrials.planning.registry.cross_products import Pairs

STRATA: Final = ("trial-wave", "trial", "wave", "none")
"""What may get an indicator each, the finest first."""

COLLINEAR: Final = 1e-12
"""Share of a column's variation, in squares, below which it counts as collinear."""


@dataclass(frozen=True, eq=False)
class Factorized:
    """One regression's columns over all trials, factorized.

    Attributes
    ----------
    pairs, second : the entries, and (trials, f, f) sums of their products
    places : (trials, m) column that each column of a trial's matrices belongs to, -1 if to none
    n_cells : how many columns are indicators of cells; the measured ones follow
    kept : columns that are no combination of those before them
    triangle : R of these
    coefficients : (columns, kept) array
        ``R^-1``, with a row of zeros for columns that are not kept.
    """

    pairs: Pairs
    second: Matrix
    places: Codes
    n_cells: int
    kept: Codes
    triangle: Matrix
    coefficients: Matrix

    @classmethod
    def of(
        cls, pairs: Pairs, first: Matrix, second: Matrix, cells: Codes, variation: Vector
    ) -> Factorized:
        """Stack the trials' matrices and factorize their sum.

        Parameters
        ----------
        pairs, first, second
            Entries, and the sums of `cross_products.CrossProducts`.
        cells
            (trials, waves) code of the cell of each wave in each trial, -1 if there is none; no
            waves if the matrices have no indicators.
        variation
            (measured columns,) sums of squares that a column's own part is measured against.
        """
        n_cells, columns = int(cells.max(initial=-1)) + 1, variation.size
        measured = np.tile(np.arange(n_cells, n_cells + columns), (len(cells), 1))
        places = np.column_stack([cells, measured])
        gram = np.zeros((n_cells + columns, n_cells + columns))
        for place, matrix in zip(places, pairs.matrix(first), strict=True):
            used = place >= 0
            np.add.at(gram, np.ix_(place[used], place[used]), matrix[np.ix_(used, used)])
        triangle, kept = _cholesky(gram, np.append(np.diag(gram)[:n_cells], variation))
        coefficients = np.zeros((n_cells + columns, kept.size))
        coefficients[kept] = linalg.solve_triangular(triangle, np.eye(kept.size))
        return cls(pairs, second, places, n_cells, kept, triangle, coefficients)

    def meat(self, left: Matrix, right: Matrix) -> Matrix:
        """(q, q) sum over patients of products of the q scores ``sum_t (left'v_t)(right'v_t)``.

        Parameters
        ----------
        left, right : (q, columns) coefficients of the regressor and of the residual of each score
        """
        total = np.zeros((len(left), len(left)))
        for place, second in zip(self.places, self.second, strict=True):
            sides = [np.where(place >= 0, side[:, place], 0.0) for side in (left, right)]
            weights = self.pairs.weights(*sides)
            total += weights @ second @ weights.T
        return total


@dataclass(frozen=True, eq=False)
class Instrumented:
    """A factorized regression of which no column was left out: names for its parts.

    Attributes
    ----------
    factors : its columns are what is partialled out, the instruments, x and y
    n_instruments : k
    """

    factors: Factorized
    n_instruments: int

    @property
    def p(self) -> int:
        """Columns partialled out."""
        return self.factors.kept.size - 2 - self.n_instruments

    @property
    def x(self) -> int:
        """Column of the exposure; the outcome's is the next."""
        return self.p + self.n_instruments

    @property
    def basis(self) -> Matrix:
        """(k, columns) coefficients of the orthonormal instruments."""
        return self.factors.coefficients[:, self.p : self.x].T

    @property
    def r(self) -> Matrix:
        """(k, k) triangle: the partialled instruments are the orthonormal ones times r."""
        return self.factors.triangle[self.p : self.x, self.p : self.x]

    def along(self, column: int) -> Vector:
        """(k,) coefficients of a column on the orthonormal instruments."""
        return self.factors.triangle[self.p : self.x, column]

    def partialled(self, column: int) -> Vector:
        """Coefficients of a column less its projection on what is partialled out."""
        return self.factors.coefficients[:, self.p :] @ self.factors.triangle[self.p :, column]

    def residual(self, column: int) -> Vector:
        """Coefficients of a column less its projection on the instruments as well."""
        return self.factors.coefficients[:, self.x :] @ self.factors.triangle[self.x :, column]


def cell_codes(rows: Matrix, strata: str) -> Codes:
    """Code of the stratum of each trial and wave, -1 where there are no rows.

    Parameters
    ----------
    rows : (trials, waves) numbers of rows
    strata : one of `STRATA`
    """
    trial, wave = np.indices(rows.shape)
    label = {
        "trial-wave": trial * rows.shape[1] + wave,
        "trial": trial,
        "wave": wave,
        "none": np.zeros_like(wave),
    }[strata]
    codes = np.full(rows.shape, -1, dtype=np.intp)
    codes[rows > 0] = np.unique(label[rows > 0], return_inverse=True)[1]
    return codes


def _cholesky(gram: Matrix, scale: Vector) -> tuple[Matrix, Codes]:
    """Upper triangle of the columns that those before do not explain, and which they are."""
    size, rank = len(gram), 0
    triangle, kept = np.zeros((size, size)), np.zeros(size, dtype=np.intp)
    for j in range(size):
        along = np.empty(0)
        if rank:
            so_far = triangle[:rank, :rank]
            along = linalg.solve_triangular(so_far, gram[kept[:rank], j], trans="T")
        own = gram[j, j] - along @ along
        if own > COLLINEAR * scale[j]:
            triangle[:rank, rank], triangle[rank, rank] = along, np.sqrt(own)
            kept[rank] = j
            rank += 1
    return triangle[:rank, :rank], kept[:rank]
