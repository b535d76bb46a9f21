"""Effects and controls taken out of one regression, and what of them reaches across clusters.

One coefficient of ``y = x beta + effects + controls + error`` is a regression of residuals on
residuals (Frisch and Waugh). The larger set of effects is swept out by its means; the other set and
the controls follow by one QR factorization. Resampling or weighting whole clusters commutes with
sweeping effects that are *nested* in clusters, such as patients in trials: these need no further
thought. What is left, an orthonormal basis of the columns that have rows in several clusters, is
what makes the clusters' residuals depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from pooledtrials.clusters import cluster_sums
from pooledtrials.panels.independence import COLLINEAR, centred, independent, variation


@dataclass(frozen=True, eq=False)
class Absorbed:
    """One regression after effects and controls have been taken out.

    Attributes
    ----------
    y, x : (n,) arrays
        Residuals of outcome and exposure on effects and controls. ``y`` is 0 where there is none.
    basis : (n, r) array
        Orthonormal basis of effects and controls, less swept effects that are nested in clusters.
    clusters : (n,) codes 0, ..., G - 1
    rank : columns of the whole design, effects, controls and x
    counted : the same less effects nested in clusters, for the factor of CR1
    effects : names of the absorbed sets of effects
    """

    y: Vector
    x: Vector
    basis: Matrix
    clusters: Codes
    rank: int
    counted: int
    effects: tuple[str, ...]

    @property
    def nobs(self) -> int:
        """Rows, n."""
        return int(self.x.shape[0])

    @property
    def n_clusters(self) -> int:
        """Clusters, G."""
        return int(self.clusters.max()) + 1

    @property
    def variation(self) -> float:
        """Sum of squares of x after effects and controls."""
        return float(self.x @ self.x)

    @property
    def coefficient(self) -> float:
        """Least squares coefficient of x."""
        return float(self.x @ self.y) / self.variation

    @property
    def residual(self) -> Vector:
        """Least squares residual, (n,)."""
        return self.y - self.coefficient * self.x


def absorb(
    y: Columns,
    x: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    patients: Columns | None,
    strata: Columns | None,
    x_name: str = "x",
) -> Absorbed:
    """Check the arguments and take effects and controls out.

    Parameters
    ----------
    y, x : (n,) array, Series or one-column frame
    controls : (n, p), without an intercept
    clusters : (n,) labels; default the patients, or each row without them
    patients, strata : (n,) labels whose effects are absorbed; an intercept without them
    x_name : what the caller calls x

    Returns
    -------
    Absorbed

    Raises
    ------
    ValueError
        For text, missing or infinite values, lengths or indexes that differ, columns that effects
        or other columns explain, too few rows, or a single cluster.
    """
    one_column(y, "y", "give one outcome at a time")
    return _absorb(y, x, controls, clusters, patients, strata, x_name)


def absorb_design(
    x: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    patients: Columns | None,
    strata: Columns | None,
) -> Absorbed:
    """`absorb` where only the design matters: there is no outcome, and ``y`` is 0."""
    return _absorb(None, x, controls, clusters, patients, strata, "x")


def _absorb(
    y: Columns | None,
    x: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    patients: Columns | None,
    strata: Columns | None,
    x_name: str,
) -> Absorbed:
    exposure = one_column(x, x_name, "give one at a time; pass further covariates as controls")
    outcome = None if y is None else one_column(y, "y", "give one outcome at a time")
    if outcome is not None and exposure.shape != outcome.shape:
        raise ValueError(
            f"{x_name} has {exposure.shape[0]} rows but y has {outcome.shape[0]}: give one row per"
            " observation"
        )
    n = exposure.shape[0]
    others = {"controls": controls, "clusters": clusters, "patients": patients, "strata": strata}
    for name, given in others.items():
        shape = np.asarray(given).shape[:1]
        if shape not in ((), (n,)):
            raise ValueError(
                f"{name} has {shape[0]} rows but {x_name if y is None else 'y'} has {n}: give one"
                " row per observation"
            )
    same_index(**{"y": y, x_name: x}, **others)
    covariates, names = (
        (np.empty((n, 0)), ()) if controls is None else numeric_columns(controls, "controls", n)
    )
    sets = {
        "patients": label_codes(patients, "patients", n),
        "strata": label_codes(strata, "strata", n),
    }
    effects = {name: codes for name, codes in sets.items() if codes is not None}
    groups = label_codes(clusters, "clusters", n)
    if groups is None:
        groups = effects.get("patients", np.arange(n))
    if int(groups.max()) == 0:
        raise ValueError(
            "clusters has 1 cluster, and a clustered variance needs two or more: cluster at a finer"
            " level"
        )
    labels = [("controls", f" column {name}") for name in names] + [(x_name, "")]
    columns = [*covariates.T, exposure]
    if outcome is not None:
        labels, columns = [*labels, ("y", "")], [*columns, outcome]
    return _take_out(np.column_stack(columns), labels, effects, groups)


def nested(codes: Codes, clusters: Codes) -> bool:
    """Whether all rows of each level belong to one cluster."""
    first = np.empty(int(codes.max()) + 1, dtype=np.intp)
    first[codes[::-1]] = clusters[::-1]
    return bool(np.array_equal(clusters, first[codes]))


def _take_out(
    values: Matrix, labels: list[tuple[str, str]], effects: dict[str, Codes], groups: Codes
) -> Absorbed:
    """Controls, x and, if there is an outcome, y, in this order, less effects and controls."""
    n, has_outcome = values.shape[0], labels[-1][0] == "y"
    swept, *rest = sorted(effects.values(), key=lambda codes: -int(codes.max())) or [
        np.zeros(n, dtype=np.intp)
    ]
    sizes = np.bincount(swept)

    def less_means(table: Matrix) -> Matrix:
        return np.asarray(table - (cluster_sums(table, swept) / sizes[:, None])[swept])

    indicators = np.empty((n, 0))
    for other in rest:
        levels = np.asarray(np.equal.outer(other, np.arange(int(other.max()) + 1)), dtype=float)
        indicators = less_means(levels)
        indicators = indicators[:, independent(indicators, variation(levels))]
    p, n_controls = indicators.shape[1], len(labels) - 1 - has_outcome
    rank = sizes.size + p + n_controls + 1
    if n <= rank:
        raise ValueError(
            f"{labels[-1][0]} has {n} rows, too few for {rank} columns (effects or intercept"
            f" {sizes.size + p}, controls {n_controls}, {labels[n_controls][0]} 1): at least"
            f" {rank + 1} are needed; use fewer columns or more rows"
        )
    within = less_means(centred(values))
    _refuse_degenerate(values, within, indicators, labels, list(effects))
    Q, R = linalg.qr(np.column_stack([indicators, within]), mode="economic", check_finite=False)
    at = p + n_controls
    basis, counted = Q[:, :at], n_controls + 1
    if not nested(swept, groups):
        means = np.equal.outer(swept, np.arange(sizes.size)) / np.sqrt(sizes)
        basis, counted = np.column_stack([means, basis]), counted + sizes.size
    counted += 0 if rest and nested(rest[0], groups) else p
    return Absorbed(
        y=Q[:, at:] @ R[at:, at + 1] if has_outcome else np.zeros(n),
        x=Q[:, at] * R[at, at],
        basis=basis,
        clusters=groups,
        rank=rank,
        counted=counted,
        effects=tuple(effects),
    )


def _refuse_degenerate(
    values: Matrix,
    within: Matrix,
    indicators: Matrix,
    labels: list[tuple[str, str]],
    effects: list[str],
) -> None:
    """Columns that are constant, that effects explain, or that columns before them explain."""
    spread = variation(values)
    scales = np.concatenate([np.ones(indicators.shape[1]), spread])
    kept = independent(np.column_stack([indicators, within]), scales)[indicators.shape[1] :]
    fixed = np.linalg.norm(within, axis=0) <= COLLINEAR * spread
    for flags, words in (
        (spread <= COLLINEAR * np.linalg.norm(values, axis=0), "is constant"),
        (fixed, f"does not vary within {' and '.join(effects)}, whose effects are absorbed"),
        (~kept, "is a linear combination of the columns before it and the absorbed effects"),
    ):
        if not flags.any():
            continue
        argument = labels[int(np.flatnonzero(flags)[0])][0]
        found = [labels[j][1] for j in np.flatnonzero(flags) if labels[j][0] == argument]
        count = f" ({len(found)} columns)" if len(found) > 1 else ""
        remedy = {
            "controls": "drop it",
            "y": "no error is left to judge an estimate by; check the columns",
        }.get(
            argument, "nothing is left to estimate its coefficient from; leave out what explains it"
        )
        raise ValueError(f"{argument}{','.join(found)}{count} {words}: {remedy}")
