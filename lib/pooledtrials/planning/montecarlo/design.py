"""Layer 1 of the Monte Carlo: what does not change between replications.

Instruments and controls are fixed; their QR is taken once. A cell of a study is then a strength
vector ``theta`` (the first stage in orthonormal coordinates), an effect and an error law: nothing
as long as the data depends on it, unless the cell says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

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
from pooledtrials.planning.montecarlo.features import RowFeatures, row_features

Errors = Callable[[np.random.Generator, int, int], npt.NDArray[np.float64]]

_NOBODY_ELSE_S: Final = (1935, 5, 10)
"""A seed that no caller's columns were drawn with."""


@dataclass(frozen=True, eq=False)
class Design:
    """Fixed instruments and controls of n rows.

    Attributes
    ----------
    q : (n, k) orthonormal partialled instruments
    basis : (n, p) orthonormal intercept, strata and controls
    cells : (n,) codes of rows with the same instruments and controls
    z : (n, k) instruments as given
    controls : (n, m) controls as given, or None
    clusters, strata : (n,) codes, or None
    """

    q: Matrix
    basis: Matrix
    cells: Codes
    z: Matrix
    controls: Matrix | None = None
    clusters: Codes | None = None
    strata: Codes | None = None

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
    def n_clusters(self) -> int:
        """Clusters, 0 without them."""
        return 0 if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def dof(self) -> int:
        """n - p - k."""
        return self.nobs - self.n_partialled - self.n_instruments

    @cached_property
    def first_rows(self) -> Codes:
        """First row of each cell of identical rows."""
        return np.asarray(np.unique(self.cells, return_index=True)[1], dtype=np.intp)

    @property
    def randomized_by_cluster(self) -> bool:
        """Whether there are clusters, and each has one value of the instruments and one stratum."""
        if self.clusters is None:
            return False
        strata = np.zeros(self.nobs) if self.strata is None else self.strata
        given = np.column_stack([self.z, strata])
        first = np.unique(self.clusters, return_index=True)[1]
        return bool(np.all(given == given[first][self.clusters]))

    @cached_property
    def features(self) -> RowFeatures:
        """Few numbers a row from which compiled sums over rows are made."""
        columns = self.z if self.controls is None else np.column_stack([self.z, self.controls])
        return row_features(self.q, self.basis, columns, self.strata)

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
        if to.shape != (k,) or not np.any(to) or not np.all(np.isfinite(to)):
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
        normal ones with ``rho``; ``scale`` still multiplies them.
    deviations : (n,) or None
        A row's own effect less ``effect``, for effects that differ between trials. Estimates are
        judged against ``effect``.
    shared : float
        Share of the errors' variance that all rows of a cluster have in common (the intracluster
        correlation), normal errors only; the design then needs clusters.
    design : int
        Which of the study's designs, where it has several.
    labels : mapping
        What the cell is on the axes of its grid, for tables.
    """

    theta: Vector
    effect: float = 0.0
    rho: float = 0.0
    scale: Vector | None = None
    errors: Errors | None = None
    deviations: Vector | None = None
    shared: float = 0.0
    design: int = 0
    labels: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        finite(self.effect, "effect")
        if not -1 < finite(self.rho, "rho") < 1:
            raise ValueError(f"rho is {self.rho}: give a correlation strictly between -1 and 1")
        if not 0 <= finite(self.shared, "shared") < 1:
            raise ValueError(f"shared is {self.shared}: give a share of variance, 0 <= shared < 1")
        if self.errors is not None and (self.shared or self.rho):
            raise ValueError(
                "errors are your own, but rho or shared describe normal ones: leave those at 0 and"
                " build them into errors"
            )

    @property
    def root(self) -> Matrix:
        """Lower triangular root of the errors' covariance, where the scale is one."""
        return np.array([[1.0, 0.0], [self.rho, math.sqrt(1 - self.rho**2)]])

    def signal(self, design: Design) -> Vector:
        """(n,) what instruments add to the exposure, ``q theta``."""
        return np.asarray(np.einsum("ij,j->i", design.q, np.asarray(self.theta, dtype=float)))

    def check(self, design: Design, name: str = "cell") -> None:
        """Refuse a cell that does not fit the design.

        Raises
        ------
        ValueError
            Naming what does not fit, in the cell called ``name``.
        """
        n, k = design.nobs, design.n_instruments
        theta = np.asarray(self.theta)
        if theta.shape != (k,):
            raise ValueError(
                f"theta of {name} has shape {theta.shape}, but the design has {k} instruments: use"
                " design.strength(...)"
            )
        for word, values in (
            ("theta", self.theta),
            ("scale", self.scale),
            ("deviations", self.deviations),
        ):
            if values is None:
                continue
            array = np.asarray(values, dtype=float)
            if word != "theta" and array.shape != (n,):
                raise ValueError(
                    f"{word} of {name} has shape {array.shape}: give one number per row, ({n},)"
                )
            bad = int((~np.isfinite(array)).sum())
            if bad:
                raise ValueError(f"{word} of {name} is not finite in {bad} places: correct them")
        if self.scale is not None and np.any(np.asarray(self.scale) < 0):
            raise ValueError(f"scale of {name} is negative: give standard deviations")
        if self.shared and design.clusters is None:
            raise ValueError(
                f"shared of {name} is {self.shared}, but the design has no clusters to share"
                " within: give clusters to make_design"
            )


def make_design(
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> Design:
    """A `Design` from instruments, controls, clusters and strata, checked as estimators check them.

    Parameters
    ----------
    z : (n, k) instruments
    controls : (n, p), optional
    clusters : (n,) labels, optional
        For errors that rows share, and clustered outcomes.
    strata : (n,) labels, optional
        Such as trials: an indicator each.

    Raises
    ------
    ValueError
        For unusable arguments, among them too few rows for the columns.
    """
    instruments, _ = numeric_columns(z, "z")
    n = instruments.shape[0]
    codes, groups = label_codes(strata, "strata", n), label_codes(clusters, "clusters", n)
    covariates = None if controls is None else numeric_columns(controls, "controls", n)[0]
    columns: list[Matrix] = []
    if codes is not None and codes.max() > 0:
        columns.append(np.eye(int(codes.max()) + 1)[codes, 1:])
    if covariates is not None and covariates.shape[1]:
        columns.append(covariates)
    joined = np.column_stack(columns) if columns else None
    # an arbitrary outcome, which no column of a caller is: only the other columns' factors are kept
    filler = np.random.default_rng(_NOBODY_ELSE_S).normal(size=n)
    parts = factor_one(filler, instruments, "z", joined, groups)
    if parts.dof < 2:
        raise ValueError(
            f"z has {n} rows for {parts.n_partialled} columns partialled out (intercept included)"
            f" and {parts.n_instruments} instruments: at least two more rows than columns are"
            " needed"
        )
    rows = instruments if joined is None else np.column_stack([instruments, joined])
    _, cells = np.unique(rows, axis=0, return_inverse=True)
    return Design(
        np.ascontiguousarray(parts.q),
        np.ascontiguousarray(parts.basis),
        np.asarray(cells.reshape(-1), dtype=np.intp),
        instruments,
        covariates,
        groups,
        codes,
    )
