"""Bias-reduced clustered standard errors (CR2) with Satterthwaite degrees of freedom.

Residuals of few clusters are too small, most so where a cluster has leverage. CR2 multiplies each
cluster's by ``A_g = (I - H_gg)^(-1/2)``, H the hat matrix of the whole design, which makes the
variance unbiased if errors are in truth independent and of equal variance [bell2002bias]:

    V = sum_g (x_g' A_g e_g)^2 / (x'x)^2,   x partialled out.

It is not normal in small samples: under the same working model V is a quadratic form ``u'PP'u`` in
the errors, and a t law with ``tr(P'P)^2 / tr(P'PP'P)`` degrees of freedom matches its first two
moments. These depend on how exposure spreads over clusters, and can be far below G - 1
[imbens2016robust].

Absorbed effects belong to the design: H holds them, as if every effect were a column. Effects
nested in clusters are orthogonal to x and e within each cluster and drop out, so they need no
columns [pustejovsky2018small]. Where ``I - H_gg`` is singular its generalized inverse is used: what
a cluster fits perfectly then adds nothing, neither variance nor degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pooledtrials.arguments import Columns, Vector
from pooledtrials.clusters import cluster_sums
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.panels.absorption import Absorbed, absorb
from pooledtrials.results import Estimate

_SINGULAR = 1e-10  # eigenvalue of I - H_gg that is zero but for rounding


@dataclass(frozen=True, kw_only=True)
class BiasReducedEstimate(Estimate):
    """A coefficient with its CR2 standard error; its p-value and interval refer to t.

    Attributes
    ----------
    n_clusters : clusters
    perfectly_fitted : clusters that fit some of x perfectly, as the only exposed one does
    """

    n_clusters: int
    perfectly_fitted: int

    @property
    def p_value(self) -> float:
        """Two-sided p-value of a zero coefficient, t with ``dof`` degrees of freedom."""
        return float(2 * stats.t.sf(abs(self.t_value), self.dof))

    def interval(self, level: float = 0.95, reference: str = "t") -> ConfidenceSet:
        """Estimate plus and minus a quantile times the standard error, t unless asked otherwise."""
        return super().interval(level, reference)

    def describe(self) -> str:
        """The estimate, its interval and how far its degrees of freedom can be trusted."""
        words = (
            f"{self.coefficient:.4g} per unit of exposure, 95 % interval {self.interval()}: CR2"
            f" standard error {self.standard_error:.3g} from {self.n_clusters} clusters, worth"
            f" {self.dof:.1f} degrees of freedom."
        )
        if self.dof < 4:
            words += (
                " Below about 4 the t law itself is a poor approximation: take a p-value near the"
                " level for no more than a hint."
            )
        if self.perfectly_fitted:
            words += (
                f" {self.perfectly_fitted} of the clusters fit some of the exposure perfectly, so"
                " that their own error is unseen: the standard error is too small."
            )
        return words


def cr2(
    y: Columns,
    x: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    patients: Columns | None = None,
    strata: Columns | None = None,
) -> BiasReducedEstimate:
    """Least squares coefficient with CR2 standard error and Satterthwaite degrees of freedom.

    The working model is of independent errors with one variance. With each row its own cluster the
    variance is HC2.

    It fails where one or two clusters carry the exposure (few degrees of freedom are the sign of
    it), and where clusters share errors.

    Parameters
    ----------
    y, x : (n,) array, Series or one-column frame
        Outcome and exposure.
    controls : (n, p), optional
        Covariates without an intercept.
    clusters : (n,) labels, optional
        Default: ``patients`` if given, else each row its own.
    patients, strata : (n,) labels, optional
        Their effects are absorbed, and count as columns of the design.

    Returns
    -------
    BiasReducedEstimate

    Raises
    ------
    ValueError
        For unusable arguments, or if every cluster fits x perfectly.
    """
    return bias_reduced_estimate(absorb(y, x, controls, clusters, patients, strata))


def bias_reduced_estimate(data: Absorbed) -> BiasReducedEstimate:
    """The estimate of `cr2` for a regression whose effects are taken out already."""
    weights = adjusted_weights(data)
    scores = cluster_sums((weights.adjusted * data.residual)[:, None], data.clusters)
    method = f"OLS, effects of {' and '.join(data.effects)} absorbed" if data.effects else "OLS"
    return BiasReducedEstimate(
        method,
        data.coefficient,
        float(np.sqrt(np.sum(scores**2))) / data.variation,
        "CR2",
        data.nobs,
        weights.dof,
        n_clusters=data.n_clusters,
        perfectly_fitted=weights.perfectly_fitted,
    )


@dataclass(frozen=True, eq=False)
class AdjustedWeights:
    """What CR2 makes of the design alone.

    Attributes
    ----------
    adjusted : (n,) array, the stacked ``A_g x_g``
    dof : Satterthwaite degrees of freedom
    perfectly_fitted : clusters in which ``I - H_gg`` is singular along x
    """

    adjusted: Vector
    dof: float
    perfectly_fitted: int


def adjusted_weights(data: Absorbed) -> AdjustedWeights:
    """Adjusted weights of each row and the degrees of freedom.

    With ``Z_g`` the cluster's rows of an orthonormal basis of the design, ``H_gg = Z_g Z_g'``, and
    the singular values of ``Z_g`` give ``A_g`` on its span. ``P'P`` is the difference of
    ``diag(a_g'a_g)`` and ``B B'`` with rows ``b_g = Z_g'a_g``, so its traces need no G x G matrix.
    """
    columns = np.column_stack([data.x / np.sqrt(data.variation), data.basis])
    order = np.argsort(data.clusters, kind="stable")
    sizes = np.bincount(data.clusters)
    starts = np.cumsum(sizes) - sizes
    adjusted, reach = np.empty(data.nobs), np.empty((sizes.size, columns.shape[1]))
    fitted = 0
    for size in np.unique(sizes):  # clusters of a size at once
        members = np.flatnonzero(sizes == size)
        rows = order[starts[members][:, None] + np.arange(size)]
        U, s, Vt = np.linalg.svd(columns[rows], full_matrices=False)
        left = 1 - s**2
        singular = left <= _SINGULAR
        root = np.where(singular, 0.0, 1 / np.sqrt(np.where(singular, 1.0, left)))
        along_x = Vt[:, :, 0] * np.sqrt(data.variation)
        adjusted[rows] = np.einsum("mik,mk->mi", U, s * root * along_x)
        reach[members] = np.einsum("mkj,mk->mj", Vt, s**2 * root * along_x)
        fitted += int((singular & (np.abs(Vt[:, :, 0]) > 1e-6)).any(axis=1).sum())
    own = cluster_sums((adjusted**2)[:, None], data.clusters)[:, 0]
    shared, inner = np.einsum("gj,gj->g", reach, reach), reach.T @ reach
    trace = float(np.sum(own - shared))
    if trace <= _SINGULAR * data.variation:
        raise ValueError(
            f"clusters has {sizes.size} clusters that fit the exposure perfectly, as with one"
            " exposed and one other cluster: there is no variation between clusters to judge by;"
            " cluster at a finer level"
        )
    squared = float(np.sum(own**2) - 2 * np.sum(own * shared) + np.sum(inner**2))
    return AdjustedWeights(adjusted, trace**2 / squared, fitted)
