"""Least squares on what intercept, strata and controls leave, one regressor at a time.

Strata (trials, or patients as fixed effects) are taken out by subtracting their means, which is
exact for one factor; controls then by projection (Frisch and Waugh). ``absorbed`` counts the
intercept or the strata. The classical error divides by ``n - absorbed - p - 1``, robust ones are
HC1, ``n / (n - K)`` with everything counted. Clustered ones are CR1, ``G / (G - 1) * (n - 1) /
(n - K)``, where K leaves strata out if every stratum lies within one cluster, such as patients'
effects with errors clustered by patient: linearmodels' and Stata's convention. With many small
strata HC1 is inconsistent [stock2008heteroskedasticity]: cluster by stratum then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    choice,
    cluster_codes,
    label_codes,
    numeric_columns,
    one_column,
    same_index,
)
from pooledtrials.clusters import cluster_sums, small_sample_factor

COVARIANCES: Final = ("classical", "robust")

_COLLINEAR: Final = 1e-9
"""A column whose part outside the others is below this share of its variation is collinear."""

_REMEDY: Final = {
    "controls": "drop it",
    "z": "give an instrument that varies given the controls",
    "x": "give an exposure that varies given the others",
    "y": "give an outcome that exposure and controls do not determine",
}

Groups = Mapping[str, str | Sequence[str]] | Sequence[str]
"""Named groups of controls, or names of controls that are a group each."""


@dataclass(frozen=True, eq=False)
class Centred:
    """Variables less their mean, or less the mean of their stratum.

    Attributes
    ----------
    y, x : (n,) arrays
    z : (n,) array, None without an instrument
    controls : (n, p) array, with ``names``
    clusters : codes, or None
    absorbed : intercept or strata that were taken out
    nested : whether every stratum lies within one cluster
    """

    y: Vector
    x: Vector
    z: Vector | None
    controls: Matrix
    names: tuple[str, ...]
    clusters: Codes | None
    absorbed: int
    nested: bool

    @property
    def nobs(self) -> int:
        """Rows."""
        return int(self.y.shape[0])

    @property
    def dof(self) -> int:
        """Residual degrees of freedom of a regression on the controls and one more column."""
        return self.nobs - self.absorbed - len(self.names) - 1

    @property
    def instrument(self) -> Vector:
        """The instrument, or a ValueError if none was given."""
        if self.z is None:
            raise ValueError("z is None: give one instrument")
        return self.z

    def chosen(self, group: Sequence[str]) -> tuple[Matrix, Matrix]:
        """The controls of a group, and the others."""
        inside = np.array([name in group for name in self.names], dtype=bool)
        return self.controls[:, inside], self.controls[:, ~inside]


def centre(
    y: Columns,
    x: Columns,
    z: Columns | None = None,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> Centred:
    """Check the arguments and subtract means.

    Raises
    ------
    ValueError
        For text, missing or infinite values, lengths or indexes that differ, columns that are
        constant (within strata) or collinear, a second exposure or instrument, too few rows, or one
        cluster.
    """
    same_index(y=y, x=x, z=z, controls=controls, clusters=clusters, strata=strata)
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.shape[0]
    exposure = one_column(x, "x", "give one exposure, and others as controls", n)
    instrument = None
    if z is not None:
        why = "sensitivity is worked out for one instrument; combine them, or ask of each"
        instrument = one_column(z, "z", why, n)
    covariates, names = (
        (np.empty((n, 0)), ()) if controls is None else numeric_columns(controls, "controls", n)
    )
    groups, cells = cluster_codes(clusters, n), label_codes(strata, "strata", n)
    absorbed = 1 if cells is None else int(cells.max()) + 1
    regressors = covariates.shape[1] + 1
    if n - absorbed - regressors < 2:
        raise ValueError(
            f"y has {n} rows, too few for {absorbed} means and {regressors} regressors: at least"
            f" {absorbed + regressors + 2} are needed"
        )
    last = [exposure, outcome] if instrument is None else [instrument, exposure, outcome]
    raw = np.column_stack([covariates, *last])
    labels = [("controls", name) for name in names]
    labels += [(name, "") for name in (("z",) if instrument is not None else ()) + ("x", "y")]
    columns = raw - _means(raw, cells)
    _refuse_degenerate(raw, columns, labels, "within strata" if cells is not None else "")
    p = covariates.shape[1]
    return Centred(
        y=columns[:, -1],
        x=columns[:, -2],
        z=None if instrument is None else columns[:, p],
        controls=columns[:, :p],
        names=names,
        clusters=groups,
        absorbed=absorbed,
        nested=groups is not None and cells is not None and _nested(cells, groups),
    )


def residuals(columns: Matrix, regressors: Matrix) -> Matrix:
    """What regressors leave of columns, (n,) or (n, m)."""
    if regressors.shape[1] == 0:
        return columns
    basis = np.linalg.qr(regressors)[0]
    return np.asarray(columns - basis @ (basis.T @ columns))


def coefficients(
    outcomes: Matrix, regressor: Vector, data: Centred, covariance: str = "classical"
) -> tuple[Vector, Matrix, str, float]:
    """Coefficients of one regressor for (n, m) outcomes, all of them without the controls' part.

    Returns
    -------
    coefficients : (m,) array
    covariance : (m, m) array
    label : ``"clustered"`` if ``data`` has clusters, unless ``covariance`` is classical
    dof : of the t reference, ``n - K`` or clusters less one
    """
    size = float(regressor @ regressor)
    found = outcomes.T @ regressor / size
    errors = outcomes - np.outer(regressor, found)
    dof = data.dof
    if covariance == "classical":
        return found, errors.T @ errors / dof / size, "classical", float(dof)
    choice(covariance, "covariance", COVARIANCES)
    scores = errors * regressor[:, None]
    lost, groups = data.nobs - dof, None
    if data.clusters is not None:
        covariance, groups = "clustered", int(data.clusters.max()) + 1
        scores = cluster_sums(scores, data.clusters)
        # strata within clusters use up nothing between them
        lost -= data.absorbed if data.nested else 0
        dof = groups - 1
    factor = small_sample_factor(covariance, data.nobs, lost, groups, True)
    return found, factor * scores.T @ scores / size**2, covariance, float(dof)


def groups_of(groups: Groups, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Groups of controls by label, every member known.

    Raises
    ------
    ValueError
        If a group is empty, or names what is not among the controls.
    """
    if isinstance(groups, str):
        groups = (groups,)
    items = groups if isinstance(groups, Mapping) else {name: name for name in groups}
    found = {
        str(label): (members,) if isinstance(members, str) else tuple(members)
        for label, members in items.items()
    }
    for label, members in found.items():
        unknown = [member for member in members if member not in names]
        if unknown or not members:
            what = ", ".join(map(repr, unknown)) or "no column"
            raise ValueError(
                f"benchmarks has {label!r} with {what}: name columns of controls, which has"
                f" {', '.join(names) or 'none'}"
            )
    return found


def _means(columns: Matrix, cells: Codes | None) -> Matrix:
    if cells is None:
        return np.asarray(columns.mean(axis=0, keepdims=True))
    counts = np.bincount(cells)[:, None]
    return np.asarray((cluster_sums(columns, cells) / counts)[cells])


def _nested(cells: Codes, groups: Codes) -> bool:
    pairs = np.unique(np.column_stack([cells, groups]), axis=0)
    return len(pairs) == int(cells.max()) + 1


def _refuse_degenerate(
    raw: Matrix, centred: Matrix, labels: list[tuple[str, str]], where: str
) -> None:
    size = np.sqrt(np.einsum("ij,ij->j", raw, raw))
    varying = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    own = np.abs(np.diag(linalg.qr(centred, mode="r", check_finite=False)[0]))
    for j, (argument, name) in enumerate(labels):
        column = f"{argument} column {name}" if name else argument
        if varying[j] <= _COLLINEAR * size[j]:
            raise ValueError(f"{column} is constant {where}".rstrip() + f": {_REMEDY[argument]}")
        if own[j] <= _COLLINEAR * varying[j]:
            raise ValueError(
                f"{column} is a linear combination of the columns before it: {_REMEDY[argument]}"
            )
