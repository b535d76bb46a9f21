"""Partialling out: intercept, strata and controls leave, an orthonormal instrument basis stays.

One QR factorization of ``[1, strata, controls, z, x, y]`` gives the residuals, the basis and the
first stage at once (Frisch and Waugh), and its diagonal says which column is a combination of the
columns before it. What is as long as the data is formed when it is asked for (`factorization`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    label_codes,
    numeric_columns,
    one_column,
    same_index,
)
from pooledtrials.instruments.factorization import Factorization, factorize

COLLINEAR: Final = 1e-9
"""A column whose part outside the others is below this share of its variation is collinear."""

_SHOWN: Final = 5


@dataclass(frozen=True, eq=False)
class Factored:
    """Variables after intercept, strata and controls, split along the instruments.

    Attributes
    ----------
    factors : Factorization
        Its variables are those given, in their order.
    clusters : (n,) array of codes 0, ..., G - 1, or None
    instrument_names : names of the k instruments, ``z0``, ``z1``, ... for unnamed arrays
    """

    factors: Factorization
    clusters: Codes | None
    instrument_names: tuple[str, ...]

    @property
    def q(self) -> Matrix:
        """(n, k) orthonormal basis: the instruments' residuals, in the caller's units, are q r."""
        return self.factors.q

    @property
    def r(self) -> Matrix:
        """(k, k) upper triangle that goes with `q`."""
        return self.factors.r

    @property
    def basis(self) -> Matrix:
        """(n, p) orthonormal basis of what was partialled out, the intercept included."""
        return self.factors.basis

    @property
    def nobs(self) -> int:
        """Rows."""
        return int(self.factors.packed.shape[0])

    @property
    def n_instruments(self) -> int:
        """Instruments, k."""
        return self.factors.n_instruments

    @property
    def n_partialled(self) -> int:
        """Columns partialled out, the intercept included."""
        return self.factors.n_partialled

    @property
    def n_clusters(self) -> int | None:
        """Clusters, or None without them."""
        return None if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def dof(self) -> int:
        """Residual degrees of freedom of a regression on the instruments, ``n - p - k``."""
        return self.nobs - self.n_partialled - self.n_instruments


@dataclass(frozen=True, eq=False)
class Partialled(Factored):
    """One data set after intercept, strata and controls have been partialled out.

    Attributes
    ----------
    factors : Factorization
        Of everything, the variables being x and y.
    clusters, instrument_names : as in `Factored`
    raw_y, raw_x : (n,) arrays
        Outcome and exposure as given.
    """

    raw_y: Vector
    raw_x: Vector

    @property
    def x(self) -> Vector:
        """(n,) exposure less its projection on intercept, strata and controls."""
        return self.factors.partialled[:, 0]

    @property
    def y(self) -> Vector:
        """(n,) outcome less its projection on intercept, strata and controls."""
        return self.factors.partialled[:, 1]

    @property
    def x_residual(self) -> Vector:
        """(n,) residuals of the first stage."""
        return self.factors.residual[:, 0]

    @property
    def y_residual(self) -> Vector:
        """(n,) residuals of the reduced form."""
        return self.factors.residual[:, 1]

    @property
    def first_stage(self) -> Vector:
        """``q'x``, (k,)."""
        return self.factors.coefficients[:, 0]

    @property
    def reduced_form(self) -> Vector:
        """``q'y``, (k,)."""
        return self.factors.coefficients[:, 1]

    @property
    def residual_gram(self) -> Matrix:
        """(2, 2) cross products of the residuals of y and x, in this order."""
        return self.factors.residual_gram[::-1, ::-1]

    @property
    def estimate_dof(self) -> float:
        """Degrees of freedom of a t reference for one coefficient: ``n - p - 1``, or G - 1."""
        if self.n_clusters is not None:
            return float(self.n_clusters - 1)
        return float(self.nobs - self.n_partialled - 1)


def partial_out(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> Partialled:
    """Check the arguments and partial out intercept, strata and controls.

    Parameters
    ----------
    y, x : (n,) array, Series or one-column frame
        Outcome and exposure. Only one exposure is accepted.
    z : (n,) or (n, k) array, Series or frame
        Instruments, k of at least one.
    controls : (n, p) array, Series or frame, optional
        Exogenous covariates, without an intercept.
    clusters, strata : (n,) labels of any kind, optional
        Clusters for the covariance; strata (such as trials) that get an indicator each.

    Returns
    -------
    Partialled

    Raises
    ------
    ValueError
        For text, missing or infinite values, lengths or indexes that differ, constant or
        collinear columns (named), a second exposure, no instrument, too few rows, or fewer than
        two clusters.
    """
    outcome = one_column(y, "y", "give one outcome at a time")
    exposure = one_column(
        x,
        "x",
        "and this toolkit takes one exposure: with several, a first-stage F for each and a set for"
        " one coefficient mean something else (subvector inference is needed); pass further"
        " exogenous columns as controls",
        outcome.shape[0],
    )
    same_index(y=y, x=x, z=z, controls=controls, clusters=clusters, strata=strata)
    # y last: whatever the outcome is, it cannot make another column look collinear
    parts = _factor({"x": exposure, "y": outcome}, z, controls, clusters, strata, "y")
    return Partialled(*parts, raw_y=outcome, raw_x=exposure)


def factor_one(
    variable: Columns,
    z: Columns,
    name: str,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> Factored:
    """The checks and the factorization of `partial_out` for one variable, named ``name``."""
    # merged, since the variable may itself be named z: of a design without outcome
    columns = {"z": z, "controls": controls, "clusters": clusters, "strata": strata}
    same_index(**({name: variable} | columns))
    column = one_column(variable, name, "give one at a time")
    return Factored(*_factor({name: column}, z, controls, clusters, strata, name))


def _factor(
    variables: dict[str, Vector],
    z: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    strata: Columns | None,
    first: str,
) -> tuple[Factorization, Codes | None, tuple[str, ...]]:
    n = next(iter(variables.values())).shape[0]
    instruments, names = numeric_columns(z, "z", n)
    if instruments.shape[1] == 0:
        raise ValueError("z has 0 columns: at least one instrument is needed")
    covariates, covariate_names = (
        (np.empty((n, 0)), ()) if controls is None else numeric_columns(controls, "controls", n)
    )
    groups, cells = label_codes(clusters, "clusters", n), label_codes(strata, "strata", n)
    if groups is not None and int(groups.max()) == 0:
        raise ValueError(
            "clusters has 1 cluster, and a clustered covariance needs two or more: leave it out, or"
            " cluster at a finer level"
        )
    indicators = np.empty((n, 0)) if cells is None else np.eye(int(cells.max()) + 1)[cells, 1:]
    p, k = 1 + indicators.shape[1] + covariates.shape[1], instruments.shape[1]
    if n < p + k + len(variables):
        raise ValueError(
            f"{first} has {n} rows, too few for {p} columns partialled out (intercept included) and"
            f" {k} instruments: at least {p + k + len(variables)} are needed; use fewer columns or"
            " more rows"
        )
    # column order: LAPACK's own, four times faster here than a row-ordered stack
    joined = np.empty((n, p + k + len(variables)), order="F")
    joined[:, 0] = 1.0
    start = 1
    for block in (indicators, covariates, instruments):
        joined[:, start : start + block.shape[1]] = block
        start += block.shape[1]
    for j, column in enumerate(variables.values()):
        joined[:, start + j] = column
    factors = factorize(joined, p, k)
    blocks: list[tuple[str, Sequence[str]]] = [
        ("intercept", ("",)),
        ("strata", [f"indicator {j + 2}" for j in range(indicators.shape[1])]),
        ("controls", covariate_names),
        ("z", names),
        *((name, ("",)) for name in variables),
    ]
    _refuse_degenerate(factors.triangle, blocks)
    return factors, groups, names


def _refuse_degenerate(r: Matrix, blocks: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Read constant and collinear columns off the triangular factor."""
    squares = r * r
    varying = squares[1:].sum(axis=0)
    constant = varying <= COLLINEAR**2 * (varying + squares[0])
    collinear = np.diagonal(squares) <= COLLINEAR**2 * varying
    constant[0] = collinear[0] = False  # the intercept, which is meant to be constant
    if not (constant | collinear).any():
        return
    labels = [(block, name) for block, names in blocks for name in names]
    for found, words, remedy in (
        (constant, "constant (the intercept is always partialled out)", "drop it"),
        (collinear, "a linear combination of the columns before it", ""),
    ):
        columns = [int(j) for j in np.flatnonzero(found)]
        if not columns:
            continue
        argument = labels[columns[0]][0]
        same = [labels[j][1] for j in columns if labels[j][0] == argument]
        remedies = {
            "strata": "controls already tell the strata apart; drop one of the two",
            "controls": "drop it (or the strata or controls that span it)",
            "z": "it brings no instrument of its own; drop it",
            "x": "controls and instruments explain it exactly; without noncompliance there is"
            " nothing for an instrument to do",
            "y": "exposure, instruments and controls explain it exactly; check the columns",
        }
        which = "" if argument in ("x", "y") else f" column {', '.join(same[:_SHOWN])}"
        count = f" ({len(same)} columns)" if len(same) > 1 else ""
        raise ValueError(f"{argument}{which}{count} is {words}: {remedy or remedies[argument]}")
