"""One Householder QR of everything, of which R comes first and Q only if someone asks.

With the columns in the order ``[1, strata, controls, z, variables]`` R alone holds what the
classical toolkit needs: the variables' coefficients on the partialled instruments, the cross
products of their residuals, and on its diagonal which column is a combination of those before it.
LAPACK's ``geqrf`` leaves the reflections that make up Q beneath R; multiplying them out takes
longer than finding them, and robust or clustered covariances, which weigh rows, are what needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from pooledtrials.arguments import Matrix, Vector

_BLOCK = 64  # LAPACK's workspace, in columns: more than its widest block


@dataclass(frozen=True, eq=False)
class Factorization:
    """``[W, Z, V] = Q R`` with W of p, Z of k, and V of any number of columns.

    Attributes
    ----------
    packed : (n, m) array
        R in its upper triangle, the reflections beneath.
    scalars : (m,) array
        The reflections' factors.
    n_partialled, n_instruments : p and k
    """

    packed: Matrix
    scalars: Vector
    n_partialled: int
    n_instruments: int

    @cached_property
    def triangle(self) -> Matrix:
        """R, (m, m)."""
        m = self.packed.shape[1]
        return np.where(_upper(m), self.packed[:m], 0.0)

    @cached_property
    def orthonormal(self) -> Matrix:
        """Q, (n, m)."""
        columns = self.packed.shape[1]
        q, _, _ = lapack.dorgqr(self.packed, self.scalars, lwork=_BLOCK * columns)
        return np.asarray(q)

    @property
    def basis(self) -> Matrix:
        """Orthonormal basis of W, (n, p)."""
        return self.orthonormal[:, : self.n_partialled]

    @property
    def q(self) -> Matrix:
        """Orthonormal basis of Z after W has been partialled out, (n, k)."""
        p = self.n_partialled
        return self.orthonormal[:, p : p + self.n_instruments]

    @property
    def r(self) -> Matrix:
        """(k, k) triangle with ``q @ r`` the partialled instruments."""
        p, k = self.n_partialled, self.n_instruments
        return self.triangle[p : p + k, p : p + k]

    @property
    def coefficients(self) -> Matrix:
        """``q'V``, (k, variables)."""
        p, k = self.n_partialled, self.n_instruments
        return self.triangle[p : p + k, p + k :]

    @cached_property
    def residual_gram(self) -> Matrix:
        """Cross products of V's residuals on W and Z."""
        lost = self.n_partialled + self.n_instruments
        left = self.triangle[lost:, lost:]
        return np.asarray(left.T @ left)

    @cached_property
    def residual(self) -> Matrix:
        """V less its projection on W and Z, (n, variables)."""
        lost = self.n_partialled + self.n_instruments
        return np.asarray(self.orthonormal[:, lost:] @ self.triangle[lost:, lost:])

    @cached_property
    def partialled(self) -> Matrix:
        """V less its projection on W, (n, variables)."""
        return np.asarray(self.q @ self.coefficients + self.residual)


def factorize(columns: Matrix, n_partialled: int, n_instruments: int) -> Factorization:
    """Factorize ``columns``, a column-ordered array that is overwritten."""
    packed, scalars, _, _ = lapack.dgeqrf(columns, lwork=_BLOCK * columns.shape[1], overwrite_a=1)
    return Factorization(packed, scalars, n_partialled, n_instruments)


@lru_cache(maxsize=64)
def _upper(m: int) -> npt.NDArray[np.bool_]:
    return np.tri(m, dtype=bool).T
