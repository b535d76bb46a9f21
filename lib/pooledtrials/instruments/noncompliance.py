"""Noncompliance in a randomized trial: who the compliers are, and what 2SLS then estimates.

With a binary assignment ``z``, a binary exposure ``x``, exclusion and monotonicity, the Wald ratio
is the mean effect on compliers (LATE) [imbens1994identification], and the shares and covariates of
compliers, always-takers and never-takers are identified though nobody knows who is who
[abadie2003semiparametric].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    cluster_codes,
    numeric_columns,
    one_column,
    same_index,
    zero_one,
)
from pooledtrials.clusters import cluster_sums
from pooledtrials.instruments.moments import refuse_cancelled
from pooledtrials.results import Estimate


@dataclass(frozen=True)
class ComplierShares:
    """Shares of the three types, each an estimate with a robust (HC0) or clustered (CR0) error.

    The first is P(x = 1 | z = 1) - P(x = 1 | z = 0), the first stage.
    """

    compliers: Estimate
    always_takers: Estimate
    never_takers: Estimate

    def to_frame(self) -> pd.DataFrame:
        """Share and standard error, one row per type."""
        parts = [self.compliers, self.always_takers, self.never_takers]
        return pd.DataFrame(
            {
                "share": [p.coefficient for p in parts],
                "standard_error": [p.standard_error for p in parts],
            },
            index=pd.Index(["compliers", "always-takers", "never-takers"], name="type"),
        )


def complier_shares(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
) -> ComplierShares:
    """Shares of compliers, always-takers and never-takers, under monotonicity.

    ``always = P(x = 1 | z = 0)``, ``never = P(x = 0 | z = 1)``, compliers the rest.

    Parameters
    ----------
    y : (n,)
        Outcome; checked, not used.
    x, z : (n,) of 0 and 1
        Exposure and assignment.
    controls : None
        Not accepted: shares given covariates need a model, see `complier_means`.
    clusters : (n,) labels, optional

    Raises
    ------
    ValueError
        If x or z is not 0/1, an arm is empty, assignment lowers the exposure, or with controls.
    """
    if controls is not None:
        raise ValueError(
            "controls is given, but shares are computed from the two arms as randomized: leave it"
            " out, or split by stratum"
        )
    data = _binary(y, x, z, clusters)
    shares = _shares(data)
    return ComplierShares(*[_estimate(*pair, data) for pair in shares])


def complier_means(
    y: Columns,
    x: Columns,
    z: Columns,
    covariates: Columns,
    clusters: Columns | None = None,
    *,
    probability: Columns | None = None,
) -> pd.DataFrame:
    """Mean of each covariate among compliers, always-takers and never-takers, with errors.

    Compliers by Abadie's kappa [abadie2003semiparametric],
    ``kappa = 1 - x(1 - z) / (1 - p) - (1 - x)z / p``, weighted mean ``sum(kappa w) / sum(kappa)``.
    Always-takers are those exposed with z = 0, never-takers those unexposed with z = 1. Where no
    one without assignment is exposed, ``treated_compliers`` (the exposed with z = 1) are compliers
    all, and a second estimate of the same means.

    Parameters
    ----------
    y : (n,)
        Outcome; checked, not used.
    x, z : (n,) of 0 and 1
    covariates : (n, p)
        Baseline covariates to describe.
    clusters : (n,) labels, optional
    probability : (n,), optional
        P(z = 1) by design, for randomization with unequal shares over strata; default the sample
        share, whose estimation the errors count.

    Returns
    -------
    DataFrame
        A row per covariate, columns (group, "mean") and (group, "standard_error"); groups nobody
        belongs to are absent.

    Raises
    ------
    ValueError
        For unusable arguments or probabilities not strictly between 0 and 1.
    """
    same_index(y=y, x=x, z=z, covariates=covariates, clusters=clusters, probability=probability)
    data = _binary(y, x, z, clusters)
    n = data.x.shape[0]
    w, names = numeric_columns(covariates, "covariates", n)
    p = np.full(n, data.z.mean())
    if probability is not None:
        p = one_column(probability, "probability", "give one per row", n)
        bad = int(((p <= 0) | (p >= 1)).sum())
        if bad:
            raise ValueError(
                f"probability is not strictly between 0 and 1 in {bad} of {n} rows: leave out rows"
                " that could only have been in one arm"
            )
    kappa = 1 - data.x * (1 - data.z) / (1 - p) - (1 - data.x) * data.z / p
    weights: dict[str, Vector] = {"compliers": kappa}
    groups = {
        "treated_compliers": data.x * data.z if not (data.x * (1 - data.z)).any() else None,
        "always_takers": data.x * (1 - data.z),
        "never_takers": (1 - data.x) * data.z,
    }
    weights |= {name: g for name, g in groups.items() if g is not None and g.any()}
    columns: dict[tuple[str, str], Vector] = {}
    for group, weight in weights.items():
        total = float(weight.sum())
        if group == "compliers" and total <= 0:
            raise ValueError(
                "x and z give compliers a share of zero or less: assignment does not raise the"
                " exposure, so there are none to describe"
            )
        mean = weight @ w / total
        influence = weight[:, None] * (w - mean)
        if group == "compliers" and probability is None:
            # p is the mean of z: its error moves kappa, and the mean with it
            slope = -data.x * (1 - data.z) / (1 - p) ** 2 + (1 - data.x) * data.z / p**2
            influence = influence + np.outer(data.z - p, slope @ (w - mean) / n)
        columns[group, "mean"] = mean
        columns[group, "standard_error"] = influence_error(influence, data.clusters) / total
    frame = pd.DataFrame(columns, index=pd.Index(names, name="covariate"))
    frame.columns.names = ["group", "value"]
    return frame


@dataclass(frozen=True, eq=False)
class _Binary:
    x: Vector
    z: Vector
    clusters: Codes | None


def _binary(y: Columns, x: Columns, z: Columns, clusters: Columns | None) -> _Binary:
    same_index(y=y, x=x, z=z, clusters=clusters)
    n = one_column(y, "y", "give one outcome at a time").shape[0]
    exposure = zero_one(x, "x", n)
    assigned = zero_one(z, "z", n)
    return _Binary(exposure, assigned, cluster_codes(clusters, n))


def _shares(data: _Binary) -> list[tuple[str, float, Vector]]:
    first, influence = _difference(data.x, data.z)
    if first < 0:
        raise ValueError(
            f"x is less common with z = 1 (difference {first:.3g}): swap the coding of z, for"
            " assignment must raise the exposure"
        )
    always = float(data.x[data.z == 0].mean())
    never = float(1 - data.x[data.z == 1].mean())
    one = data.z / data.z.sum() * (1 - data.x - never)
    zero = (1 - data.z) / (1 - data.z).sum() * (data.x - always)
    return [
        ("compliers", first, influence),
        ("always-takers", always, zero),
        ("never-takers", never, one),
    ]


def _difference(variable: Vector, assigned: Vector) -> tuple[float, Vector]:
    """Difference of arm means and each row's influence on it."""
    treated, control = variable[assigned == 1].mean(), variable[assigned == 0].mean()
    influence = assigned / assigned.sum() * (variable - treated)
    influence = influence - (1 - assigned) / (1 - assigned).sum() * (variable - control)
    return float(treated - control), influence


def influence_error(influence: Matrix, clusters: Codes | None) -> Vector:
    """Standard errors from each row's influence on each of several estimates, HC0 or CR0."""
    apart = np.sum(influence**2, axis=0)
    if clusters is None:
        return np.asarray(np.sqrt(apart))
    together = np.sum(cluster_sums(influence, clusters) ** 2, axis=0)
    for meat, scale in zip(together, apart, strict=True):
        refuse_cancelled(float(meat), float(scale))
    return np.asarray(np.sqrt(together))


def _estimate(name: str, share: float, influence: Vector, data: _Binary) -> Estimate:
    error = float(influence_error(influence[:, None], data.clusters)[0])
    label = "robust" if data.clusters is None else "clustered"
    n = data.x.shape[0]
    dof = n - 2 if data.clusters is None else int(data.clusters.max())
    return Estimate(f"share of {name}", share, error, label, n, dof)
