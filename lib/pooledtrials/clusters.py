"""Sums over clusters, and the factors that make a covariance of them fit few rows or clusters."""

from __future__ import annotations

import numpy as np

from pooledtrials.arguments import Codes, Matrix


def cluster_sums(rows: Matrix, clusters: Codes) -> Matrix:
    """Column sums of ``rows`` within each cluster, (G, columns)."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    return np.asarray(np.add.reduceat(rows[order], starts, axis=0))


def small_sample_factor(
    covariance: str, nobs: int, lost: int, n_clusters: int | None, debiased: bool
) -> float:
    """Factor on the sum of score products: HC1 or CR1 if debiased, 1 for HC0, CR0 and HC3."""
    if not debiased or covariance == "HC3":
        return 1.0
    if covariance == "clustered" and n_clusters is not None:
        return n_clusters / (n_clusters - 1) * (nobs - 1) / (nobs - lost)
    return nobs / (nobs - lost)
