r"""Random-intercept model by (restricted) maximum likelihood, from cross-products by cluster size.

``y = X b + u_cluster + e`` with variances ``lambda s2`` and ``s2``. A cluster of T rows has
covariance ``s2 (I + lambda J)``, whose inverse is ``(I - w J / T) / s2`` with ``w = T lambda / (1 +
T lambda)``, hence

    A(lambda) = X'V^-1 X = X'X - sum_T w_T / T * B_T,   B_T = sum over clusters of size T of s s',

``s`` a cluster's column sums: with b and s2 profiled out, a value of the likelihood costs a few
p x p operations, whatever the number of rows. With r = (n - p) or n (REML or ML) and Q(lambda) the
residual sum of squares,

    -2 l(lambda) = r log Q + sum_T m_T log(1 + T lambda) [+ log |A(lambda)|] + constant.

The derivative's sign is looked up on a grid, which finds every local maximum that the grid
separates, and the best is refined to its root [laird1982random].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from scipy import linalg, optimize

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
from pooledtrials.panels.independence import independent

# Intraclass correlations at which the likelihood's slope is looked up: dense where panels are.
_GRID: Final = np.concatenate(
    [[0.0, 1e-4, 0.003, 0.01, 0.03], np.linspace(0.06, 0.96, 16), [0.99, 0.999, 0.9999, 1 - 1e-6]]
)
_LAMBDAS: Final = _GRID / (1 - _GRID)


@dataclass(frozen=True, eq=False)
class RandomInterceptFit:
    """Estimates of a random-intercept model.

    Attributes
    ----------
    coefficients : (p,) array
    covariance : (p, p) array; ``s2 (X'V^-1 X)^-1`` with the variances taken as known
    patient_variance, residual_variance : ``lambda s2`` and ``s2``
    log_likelihood : its maximum, restricted with REML, constants included
    at_boundary : whether the patient variance is estimated as exactly 0
    reml : whether the likelihood was restricted
    theta : share of a cluster's mean that GLS takes out, by its number of rows
    """

    coefficients: Vector
    covariance: Matrix
    patient_variance: float
    residual_variance: float
    log_likelihood: float
    at_boundary: bool
    reml: bool
    theta: Mapping[int, float]

    @property
    def standard_errors(self) -> Vector:
        """Square roots of the covariance's diagonal, (p,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


@dataclass(frozen=True, eq=False)
class RandomIntercept:
    """Everything about regressors and clusters that the likelihood of any outcome needs.

    Made once by `of`, and solved for as many outcomes as there are imputations by `fit`.

    Attributes
    ----------
    basis, triangle : (n, p) orthonormal and (p, p) arrays, ``X = basis @ triangle``
    clusters : (n,) codes
    sizes, counts : (K,) arrays, the distinct numbers of rows and how many clusters have each
    order, bounds : (G,) clusters sorted by size, and where each size begins and ends in it
    sums : (G, p) column sums of the basis in each cluster, in that order
    products : (K, p, p) sums of products of those, by size
    inverses : (grid, p, p) inverses of ``A`` on the grid of intraclass correlations
    """

    basis: Matrix
    triangle: Matrix
    clusters: Codes
    sizes: Vector
    counts: Vector
    order: Codes
    bounds: Codes
    sums: Matrix
    products: Matrix
    inverses: Matrix

    @classmethod
    def of(cls, X: Columns, patients: Columns) -> RandomIntercept:
        """Form the cross-products.

        Parameters
        ----------
        X : (n, p) array or frame
            All regressors, the intercept among them.
        patients : (n,) labels

        Raises
        ------
        ValueError
            For missing values, mismatched lengths, columns that are linear combinations of others,
            fewer than two patients, or no patient with two rows.
        """
        same_index(X=X, patients=patients)
        columns, names = numeric_columns(X, "X")
        n, p = columns.shape
        if p == 0:
            raise ValueError("X has 0 columns: give at least the intercept")
        clusters = label_codes(patients, "patients", n)
        if clusters is None:
            raise ValueError("patients is None: give the label of each row's patient")
        lengths = np.bincount(clusters)
        if lengths.size < 2 or lengths.max() == 1:
            raise ValueError(
                f"patients has {lengths.size} patients with at most {lengths.max()} rows: two"
                " patients, and one with two rows, are needed to tell the variances apart"
            )
        if n <= p:
            raise ValueError(f"X has {n} rows, too few for {p} columns: at least {p + 1}")
        dependent = ~independent(columns, np.linalg.norm(columns, axis=0))
        if dependent.any():
            found = ", ".join(name for name, d in zip(names, dependent, strict=True) if d)
            raise ValueError(f"X column {found} is a combination of the columns before it: drop it")
        basis, triangle = linalg.qr(columns, mode="economic", check_finite=False)
        distinct, counts = np.unique(lengths, return_counts=True)
        sizes = distinct.astype(float)
        order = np.argsort(lengths, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(counts)])
        sums = cluster_sums(basis, clusters)[order]
        slices = [sums[low:high] for low, high in pairwise(bounds)]
        products = np.stack([part.T @ part for part in slices])
        grid = np.eye(p) - np.tensordot(_shrinkage(_LAMBDAS, sizes), products, axes=1)
        return cls(
            basis=basis,
            triangle=triangle,
            clusters=clusters,
            sizes=sizes,
            counts=counts.astype(float),
            order=order,
            bounds=bounds,
            sums=sums,
            products=products,
            inverses=np.asarray(np.linalg.inv(grid)),
        )

    def fit(self, y: Columns, *, reml: bool = True) -> RandomInterceptFit:
        """Estimate for one outcome.

        Parameters
        ----------
        y : (n,) array or Series
        reml : restricted likelihood, which allows for the p coefficients; otherwise ML

        Raises
        ------
        ValueError
            For missing values, a mismatched length, or an outcome without residual variance.
        """
        n, p = self.basis.shape
        outcome = one_column(y, "y", "give one outcome at a time")
        if outcome.size != n:
            raise ValueError(f"y has {outcome.size} rows but X has {n}: give one for each row")
        start = self.basis.T @ outcome
        rest = outcome - self.basis @ start
        size = float(outcome @ outcome)
        if float(rest @ rest) < 0.01 * size:  # X explains most: its rounding error weighs
            rest -= self.basis @ (self.basis.T @ rest)
        profile = _Profile.of(self, rest, n - p if reml else n, reml)
        if profile.total <= 1e-20 * size:
            raise ValueError("y is a linear combination of the columns of X: nothing is left")
        lam = profile.maximize()
        inverse, moved, rss = profile.solve(lam)
        variance = rss / profile.degrees
        unmix = linalg.solve_triangular(self.triangle, np.eye(p))
        return RandomInterceptFit(
            coefficients=unmix @ (start + moved),
            covariance=variance * (unmix @ inverse @ unmix.T),
            patient_variance=lam * variance,
            residual_variance=variance,
            log_likelihood=-0.5 * profile.deviance(lam, self.triangle),
            at_boundary=lam == 0,
            reml=reml,
            theta={int(t): 1 - 1 / math.sqrt(1 + t * lam) for t in self.sizes},
        )


@dataclass(frozen=True, eq=False)
class _Profile:
    """The likelihood of one outcome in lambda; everything is in the basis of ``model``.

    ``cross`` (K, p) and ``own`` (K,) are the products of cluster sums by size, of the basis with
    the residual and of the residual with itself; ``total`` is the residual sum of squares.
    """

    model: RandomIntercept
    cross: Matrix
    own: Vector
    total: float
    degrees: int
    reml: bool

    @classmethod
    def of(cls, model: RandomIntercept, rest: Vector, degrees: int, reml: bool) -> _Profile:
        sums = np.bincount(model.clusters, weights=rest)[model.order]
        slices = [slice(low, high) for low, high in pairwise(model.bounds)]
        cross = np.stack([sums[part] @ model.sums[part] for part in slices])
        own = np.array([float(sums[part] @ sums[part]) for part in slices])
        return cls(model, cross, own, float(rest @ rest), degrees, reml)

    def solve(self, lam: float) -> tuple[Matrix, Vector, float]:
        """Inverse of A, coefficients beyond least squares, and Q at lambda."""
        shrinkage = lam / (1 + lam * self.model.sizes)
        k, p = self.cross.shape
        taken = shrinkage @ self.model.products.reshape(k, p * p)
        inverse = np.asarray(np.linalg.inv(np.eye(p) - taken.reshape(p, p)))
        right = -shrinkage @ self.cross
        moved = inverse @ right
        return inverse, moved, self.total - float(shrinkage @ self.own) - float(right @ moved)

    def slope(self, correlation: float) -> float:
        """Derivative of -2 l with respect to lambda at ``lambda / (1 + lambda)``."""
        lam = correlation / (1 - correlation)
        inverse, moved, rss = self.solve(lam)
        return float(self._slopes(np.array([lam]), inverse[None], moved[None], np.array([rss]))[0])

    def _slopes(self, lam: Vector, inverses: Matrix, moved: Matrix, rss: Vector) -> Vector:
        """The derivative at several lambdas, by the envelope theorem: b does not contribute."""
        model = self.model
        k, p = self.cross.shape
        inner = 1 + lam[:, None] * model.sizes
        change = 1 / inner**2  # of the shrinkage
        quadratic = ((moved @ model.products) * moved).sum(axis=2).T
        residual = self.own - 2 * moved @ self.cross.T + quadratic
        slopes = -self.degrees * (change * residual).sum(axis=1) / rss
        slopes += (model.counts * model.sizes / inner).sum(axis=1)
        if self.reml:
            traces = inverses.reshape(-1, p * p) @ model.products.reshape(k, p * p).T
            slopes -= (change * traces).sum(axis=1)
        return np.asarray(slopes)

    def deviance(self, lam: float, triangle: Matrix | None = None) -> float:
        """-2 l at lambda; log-determinant of X'X included if its triangle is given."""
        inverse, _, rss = self.solve(lam)
        value = self.degrees * (1 + math.log(2 * math.pi * rss / self.degrees))
        value += float(self.model.counts @ np.log1p(lam * self.model.sizes))
        if self.reml:
            value -= float(np.linalg.slogdet(inverse)[1])
            if triangle is not None:
                value += 2 * float(np.log(np.abs(np.diag(triangle))).sum())
        return value

    def maximize(self) -> float:
        """Lambda of the highest maximum among those the grid separates."""
        lam, shrinkage = _LAMBDAS, _shrinkage(_LAMBDAS, self.model.sizes)
        right = -shrinkage @ self.cross
        moved = (self.model.inverses @ right[:, :, None])[:, :, 0]
        rss = self.total - shrinkage @ self.own - (right * moved).sum(axis=1)
        slopes = self._slopes(lam, self.model.inverses, moved, np.maximum(rss, 1e-300))
        turns = np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0))
        found: list[float] = []
        for j in turns:
            at = optimize.brentq(self.slope, _GRID[j], _GRID[j + 1], xtol=1e-15, rtol=1e-11)
            found.append(float(at / (1 - at)))
        if slopes[0] >= 0:
            found.append(0.0)
        if not found or slopes[-1] < 0:
            raise ValueError(
                "y varies within patients less than a millionth of what it varies between them:"
                " there is no residual variance to estimate; check the columns"
            )
        return min(found, key=self.deviance) if len(found) > 1 else found[0]


def _shrinkage(lam: Vector, sizes: Vector) -> Matrix:
    """``w_T / T`` at each lambda and size, (lambdas, K)."""
    return np.asarray(lam[:, None] / (1 + lam[:, None] * sizes))
