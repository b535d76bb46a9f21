"""Products of matrices whose last bits do not depend on the number of threads.

BLAS shares large products among threads, in pieces that depend on how many there are, and sums them
accordingly. Here the pieces are smaller than what OpenBLAS shares.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_PIECE: Final = 2**13
_WHOLE: Final = 2**18
_NARROW: Final = 64  # columns of a piece, below which four smaller tables are faster than one


def product(left: Array, right: Array) -> Array:
    """``left @ right`` of (rows, inner) and (inner, columns)."""
    rows, (inner, columns) = left.shape[0], right.shape
    wide = min(columns, _PIECE)
    deep = max(_PIECE // wide, 1)
    out = np.zeros((rows, columns))
    for j in range(0, columns, wide):
        for i in range(0, inner, deep):
            piece = right[i : i + deep, j : j + wide]
            step = _WHOLE // piece.size
            for r in range(0, rows, step):
                out[r : r + step, j : j + wide] += left[r : r + step, i : i + deep] @ piece
    return out


def cross_products(left: Array, right: Array) -> Array:
    """(reps, a, b) sums over the last axis of products of (reps, a, n) and (reps, b, n)."""
    return np.asarray(np.einsum("ran,rbn->rab", left, right))


def gram(left: Array) -> Array:
    """``left @ left.T`` of (rows, inner)."""
    rows, inner = left.shape
    out = np.zeros((rows, rows))
    deep = _WHOLE // rows**2
    if deep < _NARROW:
        above, below = slice(rows // 2), slice(rows // 2, rows)
        out[above, above], out[below, below] = gram(left[above]), gram(left[below])
        out[below, above] = product(left[below], left[above].T)
        out[above, below] = out[below, above].T
        return out
    for i in range(0, inner, deep):
        piece = left[:, i : i + deep]
        out += piece @ piece.T
    return out
