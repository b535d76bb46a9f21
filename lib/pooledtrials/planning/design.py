"""Layer 1 of the Monte Carlo: what does not change between replications.

Instruments and controls are fixed; their QR is taken once. A cell of a study is then a strength
vector ``theta`` (the first stage in orthonormal coordinates), an effect and an error law: nothing
as long as the data depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    finite,
    label_codes,
    numeric_columns,
)
from pooledtrials.instruments.partialling import factor_one

Errors = Callable[[np.random.Generator, int, int], npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Design:
    """Fixed instruments and controls of n rows.

    Attributes
    ----------
    q : (n, k) orthonormal partialled instruments
    basis : (n, p) orthonormal intercept, strata and controls
    cells : (n,) codes of rows with the same instruments and controls
    """

    q: Matrix
    basis: Matrix
    cells: Codes

    @property
    def nobs(self) -> int:
        """Rows."""
        return int(self.q.shape[0])

    @property
    def n_instruments(self) -> int:
        """Instruments, k."""
        return int(self.q.shape[1])

    @property
    def n_partialled(self) -> int:
        """Columns partialled out, p, intercept included."""
        return int(self.basis.shape[1])

    @property
    def dof(self) -> int:
        """n - p - k."""
        return self.nobs - self.n_partialled - self.n_instruments

    def strength(self, concentration: float, direction: npt.ArrayLike | None = None) -> Vector:
        """The ``theta`` with a given concentration ``theta'theta`` (unit first-stage errors).

        Parameters
        ----------
        concentration : mu squared, about k (E[F] - 1)
        direction : (k,), default all orthonormal instruments alike
        """
        if finite(concentration, "concentration") < 0:
            raise ValueError(f"concentration is {concentration}: it is a sum of squares, give >= 0")
        k = self.n_instruments
        to = np.ones(k) if direction is None else np.asarray(direction, dtype=float)
        if to.shape != (k,) or not np.any(to):
            raise ValueError(f"direction has shape {to.shape}: give {k} numbers, not all zero")
        return np.asarray(math.sqrt(concentration) * to / np.linalg.norm(to))


@dataclass(frozen=True, eq=False)
class Cell:
    """One point of a study's grid: ``y = effect x + u``, ``x = q theta + v``.

    Attributes
    ----------
    theta : (k,) strength, see `Design.strength`
    effect : true effect
    rho : correlation of u and v
    scale : (n,) or None
        Row standard deviations of both errors, for errors whose variance differs between rows.
    errors : function or None
        ``errors(generator, replications, n)`` gives (replications, n, 2) errors (u, v), instead of
        normal ones with ``rho``.
    """

    theta: Vector
    effect: float = 0.0
    rho: float = 0.0
    scale: Vector | None = None
    errors: Errors | None = None

    def __post_init__(self) -> None:
        finite(self.effect, "effect")
        if not -1 < finite(self.rho, "rho") < 1:
            raise ValueError(f"rho is {self.rho}: give a correlation strictly between -1 and 1")

    @property
    def covariance(self) -> Matrix:
        """Of (u, v) where the scale is one."""
        return np.array([[1.0, self.rho], [self.rho, 1.0]])

    @property
    def reduced(self) -> Matrix:
        """Maps (u, v) to the errors of (y, x): u + effect v, v."""
        return np.array([[1.0, self.effect], [0.0, 1.0]])


def make_design(
    z: Columns, controls: Columns | None = None, strata: Columns | None = None
) -> Design:
    """A `Design` from instruments, controls and strata, with the checks of the estimators.

    Parameters
    ----------
    z : (n, k) instruments
    controls : (n, p), optional
    strata : (n,) labels, optional
        Such as trials: an indicator each.

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    instruments, _ = numeric_columns(z, "z")
    n = instruments.shape[0]
    columns: list[Matrix] = []
    codes = label_codes(strata, "strata", n)
    if codes is not None:
        columns.append(np.eye(int(codes.max()) + 1)[codes, 1:])
    if controls is not None:
        columns.append(numeric_columns(controls, "controls", n)[0])
    joined = np.column_stack(columns) if columns else None
    if joined is not None and joined.shape[1] == 0:
        joined = None
    # an arbitrary outcome: only the factors of instruments and controls are kept
    filler = np.random.default_rng(0).normal(size=n)
    parts = factor_one(filler, instruments, "z", joined)
    rows = instruments if joined is None else np.column_stack([instruments, joined])
    _, cells = np.unique(rows, axis=0, return_inverse=True)
    return Design(parts.q, parts.basis, np.asarray(cells.reshape(-1), dtype=np.intp))
