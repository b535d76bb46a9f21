"""Partialling out: intercept, strata and controls leave, an orthonormal instrument basis stays.

One QR factorization of ``[1, strata, controls, z, x, y]`` gives the residuals, the basis and the
first stage at once (Frisch and Waugh), and its diagonal says which column is a combination of the
columns before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg

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

COLLINEAR: Final = 1e-9
"""A column whose part outside the others is below this share of its variation is collinear."""

_SHOWN: Final = 5


@dataclass(frozen=True, eq=False)
class Partialled:
    """One data set after intercept, strata and controls have been partialled out.

    Attributes
    ----------
    y, x : (n,) arrays
        Residuals of outcome and exposure on intercept, strata and controls.
    q, r : (n, k) and (k, k) arrays
        The instruments' residuals, in the caller's columns and units, are ``q @ r`` with
        orthonormal columns ``q`` and upper triangular ``r``.
    basis : (n, p) array
        Orthonormal basis of what was partialled out, the intercept included.
    y_residual, x_residual : (n,) arrays
        Residuals of the reduced form and of the first stage.
    raw_y, raw_x : (n,) arrays
        Outcome and exposure as given.
    clusters : (n,) array of codes 0, ..., G - 1, or None
    instrument_names : names of the k instruments, ``z0``, ``z1``, ... for unnamed arrays
    """

    y: Vector
    x: Vector
    q: Matrix
    r: Matrix
    basis: Matrix
    y_residual: Vector
    x_residual: Vector
    raw_y: Vector
    raw_x: Vector
    clusters: Codes | None
    instrument_names: tuple[str, ...]

    @property
    def nobs(self) -> int:
        """Rows."""
        return int(self.y.shape[0])

    @property
    def n_instruments(self) -> int:
        """Instruments, k."""
        return int(self.q.shape[1])

    @property
    def n_partialled(self) -> int:
        """Columns partialled out, the intercept included."""
        return int(self.basis.shape[1])

    @property
    def n_clusters(self) -> int | None:
        """Clusters, or None without them."""
        return None if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def dof(self) -> int:
        """Residual degrees of freedom of the first stage, ``n - p - k``."""
        return self.nobs - self.n_partialled - self.n_instruments


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
    # y last: whatever the outcome is, it cannot make another column look collinear
    names = {"x": exposure, "y": outcome}
    same_index(y=y, x=x, z=z, controls=controls, clusters=clusters, strata=strata)
    parts = _factorize(names, z, controls, clusters, strata, "y")
    return Partialled(
        y=parts.fitted[:, 1] + parts.residual[:, 1],
        x=parts.fitted[:, 0] + parts.residual[:, 0],
        q=parts.q,
        r=parts.r,
        basis=parts.basis,
        y_residual=parts.residual[:, 1],
        x_residual=parts.residual[:, 0],
        raw_y=outcome,
        raw_x=exposure,
        clusters=parts.clusters,
        instrument_names=parts.names,
    )


@dataclass(frozen=True, eq=False)
class Factored:
    """Variables split into the part on the instruments and the residual, after partialling out."""

    q: Matrix
    r: Matrix
    basis: Matrix
    fitted: Matrix
    residual: Matrix
    clusters: Codes | None
    names: tuple[str, ...]


def factor_one(
    variable: Columns,
    z: Columns,
    name: str,
    controls: Columns | None = None,
    clusters: Columns | None = None,
) -> Factored:
    """The checks and the factorization of `partial_out` for one variable, named ``name``."""
    same_index(**{name: variable, "z": z, "controls": controls, "clusters": clusters})
    column = one_column(variable, name, "give one at a time")
    return _factorize({name: column}, z, controls, clusters, None, name)


def _factorize(
    variables: dict[str, Vector],
    z: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    strata: Columns | None,
    first: str,
) -> Factored:
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
    if n - p - k < 1:
        raise ValueError(
            f"{first} has {n} rows, too few for {p} columns partialled out (intercept included) and"
            f" {k} instruments: at least {p + k + 1} are needed; use fewer columns or more rows"
        )
    labels = [("intercept", "")]
    labels += [("strata", f"indicator {j + 2}") for j in range(indicators.shape[1])]
    labels += [("controls", name) for name in covariate_names]
    labels += [("z", name) for name in names]
    labels += [(name, "") for name in variables]
    # column order: LAPACK's own, four times faster here than a row-ordered stack
    joined = np.empty((n, p + k + len(variables)), order="F")
    joined[:, 0] = 1.0
    start = 1
    for block in (indicators, covariates, instruments):
        joined[:, start : start + block.shape[1]] = block
        start += block.shape[1]
    for j, column in enumerate(variables.values()):
        joined[:, start + j] = column
    q, r = linalg.qr(joined, mode="economic", overwrite_a=True, check_finite=False)
    _refuse_degenerate(r, labels)
    instrument_q = q[:, p : p + k]
    return Factored(
        q=instrument_q,
        r=r[p : p + k, p : p + k],
        basis=q[:, :p],
        fitted=instrument_q @ r[p : p + k, p + k :],
        residual=q[:, p + k :] @ r[p + k :, p + k :],
        clusters=groups,
        names=names,
    )


def _refuse_degenerate(r: Matrix, labels: list[tuple[str, str]]) -> None:
    """Read constant and collinear columns off the triangular factor."""
    total = np.sqrt(np.einsum("ij,ij->j", r, r))
    varying = np.sqrt(np.einsum("ij,ij->j", r[1:], r[1:]))
    constant = [j for j in range(1, len(labels)) if varying[j] <= COLLINEAR * total[j]]
    own = np.abs(np.diag(r))
    collinear = [j for j in range(1, len(labels)) if own[j] <= COLLINEAR * varying[j]]
    for columns, words, remedy in (
        (constant, "constant (the intercept is always partialled out)", "drop it"),
        (collinear, "a linear combination of the columns before it", ""),
    ):
        if not columns:
            continue
        argument = labels[columns[0]][0]
        found = [labels[j][1] for j in columns if labels[j][0] == argument]
        remedies = {
            "strata": "controls already tell the strata apart; drop one of the two",
            "controls": "drop it (or the strata or controls that span it)",
            "z": "it brings no instrument of its own; drop it",
            "x": "controls and instruments explain it exactly; without noncompliance there is"
            " nothing for an instrument to do",
            "y": "exposure, instruments and controls explain it exactly; check the columns",
        }
        which = "" if argument in ("x", "y") else f" column {', '.join(found[:_SHOWN])}"
        count = f" ({len(found)} columns)" if len(found) > 1 else ""
        raise ValueError(f"{argument}{which}{count} is {words}: {remedy or remedies[argument]}")
