"""What a number of clusters can bear, read off the design before any outcome is looked at.

The count of clusters says little: what matters is how evenly they carry the exposure. With
``x_g`` the exposure of cluster g, effects and controls partialled out, and errors within clusters
of correlation rho, cluster g adds to the variance of the coefficient in proportion to

    v_g(rho) = rho (sum x_gi)^2 + (1 - rho) sum x_gi^2,

and ``G* = G / (1 + squared coefficient of variation of v_g)`` is the number of equal clusters that
would do as well [carter2017asymptotic]; with rho = 1 it is their feasible, conservative version.
Effects nested in clusters make the sums zero, and leave rho = 0 only [mackinnon2023leverage].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import Columns, Vector
from pooledtrials.clusters import cluster_sums
from pooledtrials.panels.absorption import absorb_design
from pooledtrials.panels.bias_reduced import adjusted_weights
from pooledtrials.panels.independence import COLLINEAR

_ENOUGH = 20  # effective clusters: a rule of thumb, below it unevenness is worth a warning


@dataclass(frozen=True)
class FewClustersReading:
    """What the clusters of one design can bear.

    Attributes
    ----------
    n_clusters : clusters, G
    sizes : rows of the smallest, the median and the largest cluster
    largest_share : share of the exposure's variation that one cluster carries, at most
    effective_independent, effective_common : G* if errors within clusters are uncorrelated, and if
        they are one common error; ``nan`` where effects take cluster means out
    dof : Satterthwaite degrees of freedom of the CR2 variance
    perfectly_fitted : clusters that fit some of the exposure perfectly
    smallest_rademacher, smallest_webb : smallest p-values, ties counted, of an enumerated wild
        cluster bootstrap
    """

    n_clusters: int
    sizes: tuple[int, float, int]
    largest_share: float
    effective_independent: float
    effective_common: float
    dof: float
    perfectly_fitted: int
    smallest_rademacher: float
    smallest_webb: float

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to beware of, as sentences; empty if nothing."""
        found = []
        if self.smallest_rademacher > 0.05:
            found.append(
                f"With {self.n_clusters} clusters the Rademacher bootstrap cannot reject at 5 %:"
                f" its smallest p-value is {self.smallest_rademacher:.3g}."
            )
        elif self.smallest_rademacher > 0.01:
            found.append(
                f"With {self.n_clusters} clusters the Rademacher bootstrap cannot reject at 1 %:"
                f" its smallest p-value is {self.smallest_rademacher:.3g}."
            )
        if self.perfectly_fitted:
            found.append(
                f"{self.perfectly_fitted} of {self.n_clusters} clusters fit some of the exposure"
                " perfectly, as a single exposed cluster does: no clustered method sees their"
                " error."
            )
        if self.dof < 4:
            found.append(
                f"CR2 has {self.dof:.1f} degrees of freedom: below about 4 its t law is a poor"
                " approximation."
            )
        effective = np.nanmin([self.effective_common, self.effective_independent])
        if effective < min(_ENOUGH, self.n_clusters / 2):
            found.append(
                f"Exposure is spread unevenly: the {self.n_clusters} clusters are worth"
                f" {effective:.1f} equal ones."
            )
        if self.largest_share > 0.5:
            found.append(
                f"One cluster carries {100 * self.largest_share:.0f} % of the exposure's variation:"
                " the estimate is mostly its own."
            )
        return tuple(found)

    def describe(self) -> str:
        """The reading in words, warnings last."""
        small, median, large = self.sizes
        common = (
            ""
            if math.isnan(self.effective_common)
            else f" and {self.effective_common:.1f} if they share one error"
        )
        words = [
            f"{self.n_clusters} clusters of {small} to {large} rows (median {median:g}).",
            f"They are worth {self.effective_independent:.1f} equal clusters if errors within"
            f" clusters are uncorrelated{common}.",
            f"A CR2 standard error has {self.dof:.1f} degrees of freedom.",
        ]
        if self.smallest_rademacher > 1e-4:
            words.append(
                f"A wild cluster bootstrap over all patterns cannot give a p-value below"
                f" {self.smallest_rademacher:.3g} (Rademacher) or {self.smallest_webb:.3g} (Webb)."
            )
        return " ".join([*words, *self.warnings])

    def to_frame(self) -> pd.DataFrame:
        """One row of numbers per property."""
        small, median, large = self.sizes
        rows = {
            "clusters": self.n_clusters,
            "smallest cluster": small,
            "median cluster": median,
            "largest cluster": large,
            "largest share of the exposure's variation": self.largest_share,
            "effective clusters, uncorrelated errors": self.effective_independent,
            "effective clusters, common error": self.effective_common,
            "CR2 degrees of freedom": self.dof,
            "smallest Rademacher p-value": self.smallest_rademacher,
            "smallest Webb p-value": self.smallest_webb,
        }
        return pd.DataFrame({"value": pd.Series(rows, dtype=float)})


def few_clusters_reading(
    x: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    patients: Columns | None = None,
    strata: Columns | None = None,
) -> FewClustersReading:
    """How many equal clusters the clusters are worth, and how small a p-value they can give.

    Parameters
    ----------
    x : (n,) array, Series or one-column frame
        Exposure. No outcome is needed.
    controls, clusters, patients, strata
        As in `wild_cluster_test`.

    Returns
    -------
    FewClustersReading

    Raises
    ------
    ValueError
        For unusable arguments, or if every cluster fits x perfectly.
    """
    data = absorb_design(x, controls, clusters, patients, strata)
    weights = adjusted_weights(data)
    sizes = np.bincount(data.clusters)
    parts = cluster_sums(np.column_stack([data.x**2, data.x]), data.clusters)
    common = parts[:, 1] ** 2
    taken_out = common.max() <= COLLINEAR**2 * data.variation * sizes.max()
    groups = data.n_clusters
    return FewClustersReading(
        n_clusters=groups,
        sizes=(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
        largest_share=float(parts[:, 0].max() / data.variation),
        effective_independent=_effective(parts[:, 0]),
        effective_common=math.nan if taken_out else _effective(common),
        dof=weights.dof,
        perfectly_fitted=weights.perfectly_fitted,
        smallest_rademacher=2.0 ** (1 - groups),
        smallest_webb=6.0 ** (1 - groups),
    )


def _effective(contributions: Vector) -> float:
    """G / (1 + squared coefficient of variation), which is (sum v)^2 / sum v^2."""
    return float(contributions.sum() ** 2 / np.sum(contributions**2))
