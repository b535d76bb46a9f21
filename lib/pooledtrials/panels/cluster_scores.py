"""Scores of clusters whose residuals are multiplied, from cross products of the clusters alone.

Let x have effects and controls partialled out, let W be an orthonormal basis of effects, controls
and x, and u a residual. With ``s_g = x_g'u_g``, ``c_g = W_g'x_g`` and ``r_g = W_g'u_g``, a draw of
one multiplier w_g for each cluster has

    x'u*                   sum_g w_g s_g
    score of cluster g     w_g s_g - c_g' sum_h w_h r_h,

the latter being ``x_g'`` times the residual of the regression on the multiplied u
[roodman2019fast]. Nothing in it has a row for each observation, and it is linear in u.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pooledtrials.arguments import Matrix
from pooledtrials.clusters import cluster_sums
from pooledtrials.panels.absorption import Absorbed


@dataclass(frozen=True, eq=False)
class ClusterScores:
    """Cross products of each cluster that do not depend on the null.

    Attributes
    ----------
    data : Absorbed
    columns : (n, r + 1) array
        Orthonormal basis of what reaches across clusters, and x.
    reach : (G, r + 1) array
        Each cluster's ``columns'x``.
    squares : sum of squared scores of the data
    """

    data: Absorbed
    columns: Matrix
    reach: Matrix
    squares: float

    @classmethod
    def of(cls, data: Absorbed) -> ClusterScores:
        """Refuse clusters without any variation between them, else sum up each of them."""
        scores = cluster_sums((data.x * data.residual)[:, None], data.clusters)[:, 0]
        squares = float(scores @ scores)
        if squares <= 1e-24 * data.variation * float(data.residual @ data.residual):
            raise ValueError(
                f"clusters has {data.n_clusters} clusters whose scores are all zero, as with one"
                " exposed and one other cluster: there is no variation between clusters to judge"
                " by; cluster at a finer level"
            )
        columns = np.column_stack([data.basis, data.x / np.sqrt(data.variation)])
        reach = cluster_sums(columns * data.x[:, None], data.clusters)
        return cls(data, columns, reach, squares)

    def statistics(self, blocks: Iterable[Matrix], residuals: Matrix) -> tuple[Matrix, Matrix]:
        """Of each draw, numerators and sums of products of scores, of one or more residuals.

        Parameters
        ----------
        blocks : multipliers, arrays of (draws, G)
        residuals : (n, m) array

        Returns
        -------
        numerator : (draws, m)
        denominator : (draws, m, m)
        """
        data, m = self.data, residuals.shape[1]
        sums = cluster_sums(residuals * data.x[:, None], data.clusters)
        spread = [
            cluster_sums(self.columns * column[:, None], data.clusters) for column in residuals.T
        ]
        reach = np.ascontiguousarray(self.reach.T)
        # scores are linear in the signs: one small square matrix if there are few clusters
        few = sums.shape[0] <= 2 * self.reach.shape[1]
        maps = [np.diag(s) - b @ reach for s, b in zip(sums.T, spread, strict=True) if few]
        numerators, denominators, room = [], [], np.empty((m + 1, 0, sums.shape[0]))
        for w in blocks:
            if room.shape[1] < len(w):  # reused: fresh memory would cost more than the arithmetic
                room = np.empty((m + 1, *w.shape))
            scores, lost = room[:m, : len(w)], room[m, : len(w)]
            products = np.empty((len(w), m, m))
            for j in range(m):
                if few:
                    np.matmul(w, maps[j], out=scores[j])
                else:
                    np.multiply(w, sums[:, j], out=scores[j])
                    np.matmul(w @ spread[j], reach, out=lost)
                    scores[j] -= lost
                for k in range(j + 1):
                    product = np.einsum("bg,bg->b", scores[j], scores[k])
                    products[:, j, k] = products[:, k, j] = product
            numerators.append(w @ sums)
            denominators.append(products)
        return np.concatenate(numerators), np.concatenate(denominators)
