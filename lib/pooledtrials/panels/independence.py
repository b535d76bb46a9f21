"""Which columns of a regression are linear combinations of others."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from pooledtrials.arguments import Matrix, Vector

COLLINEAR: Final = 1e-9
"""A column whose part outside the others is below this share of its variation is collinear."""


def independent(columns: Matrix, scales: Vector) -> npt.NDArray[np.bool_]:
    """Which columns are no linear combination of those before them.

    Gram-Schmidt, each column orthogonalized twice. A dependent column is left out of the basis, so
    that its rounding error cannot make a later one look dependent, as it can in a QR factorization.

    Parameters
    ----------
    columns : (n, p) array
    scales : (p,) array
        Norm that each column is judged against: of its variation before anything was taken out.
    """
    basis = np.empty(columns.shape, order="F")
    kept = np.zeros(columns.shape[1], dtype=bool)
    rank = 0
    for j, column in enumerate(columns.T):
        rest = column
        for _ in range(2):
            rest = rest - basis[:, :rank] @ (basis[:, :rank].T @ rest)
        norm = float(np.linalg.norm(rest))
        if rank < columns.shape[0] and norm > COLLINEAR * scales[j]:
            basis[:, rank] = rest / norm
            kept[j] = True
            rank += 1
    return kept


def centred(columns: Matrix) -> Matrix:
    """Columns, or one, less their means: what a regression with an intercept may as well take.

    Coefficients stay as they are, and a level far from zero costs no digits.
    """
    return np.asarray(columns - columns.mean(axis=0))


def variation(columns: Matrix) -> Vector:
    """Norm of each column about its mean, (p,)."""
    return np.asarray(np.linalg.norm(centred(columns), axis=0))
