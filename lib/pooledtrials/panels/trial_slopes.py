r"""Random intercepts of patients and random slopes of trials by (restricted) maximum likelihood.

``y = X b + z v_trial + u_patient + e`` with variances ``tau s2``, ``lambda s2`` and ``s2``: the
exposure's coefficient differs from trial to trial by ``v``. A trial's covariance is ``s2 (R + tau z
z')`` with R that of random intercepts, so that

    V^-1 = R^-1 - tau R^-1 z z'R^-1 / (1 + tau z'R^-1 z),   |V| = |R| (1 + tau z'R^-1 z),

and everything follows from each trial's cross-products of X, z and y in the metric of R, which are
formed from sums by patient size as in `pooledtrials.panels.random_intercept`. statsmodels' MixedLM
fits the same model with a matrix of patients for each trial, which takes half a minute on six
trials of 1730 patients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg, optimize

from pooledtrials.arguments import Codes, Matrix, Vector
from pooledtrials.clusters import cluster_sums

# Information of a trial on its own slope, in units of its variance: from none to overwhelming.
_GRID: Final = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 17)])


@dataclass(frozen=True, eq=False)
class TrialSlopesFit:
    """Estimates; ``covariance`` takes the variances as known.

    Attributes
    ----------
    coefficients, covariance : of the columns of X, (p,) and (p, p)
    slope_variance, patient_variance, residual_variance : of the trials' slopes, of patients, rest
    log_likelihood : its maximum, restricted with REML, constants included
    """

    coefficients: Vector
    covariance: Matrix
    slope_variance: float
    patient_variance: float
    residual_variance: float
    log_likelihood: float


def trial_slopes(
    y: Vector, X: Matrix, z: Vector, patients: Codes, trials: Codes, *, reml: bool = True
) -> TrialSlopesFit:
    """Maximize over ``tau`` and, inside, over ``lambda``.

    Parameters
    ----------
    y, X, z : (n,), (n, p) and (n,) arrays
        Outcome, regressors of full rank, and what the random slopes multiply.
    patients, trials : (n,) codes, each patient in one trial
    reml : restricted likelihood, which allows for the p coefficients; otherwise ML
    """
    problem = _Problem.of(y, X, z, patients, trials, reml)
    unit = float(problem.products(0.0)[:, -2, -2].mean())
    grid = [(problem.profile(q / unit)[0], q) for q in _GRID]
    best = int(np.argmin([value for value, _ in grid]))
    tau = _GRID[best] / unit
    low, high = _GRID[max(best - 1, 0)] / unit, _GRID[min(best + 1, _GRID.size - 1)] / unit
    found = optimize.minimize_scalar(
        lambda root: problem.profile(root**2)[0],
        bounds=(math.sqrt(low), math.sqrt(high)),
        method="bounded",
        options={"xatol": 1e-9 * math.sqrt(high)},
    )
    if found.fun < grid[best][0]:
        tau = float(found.x) ** 2
    deviance, lam = problem.profile(tau)
    matrix, right, rss, _ = problem.moments(lam, tau)
    variance = rss / problem.degrees
    unmix = linalg.solve_triangular(problem.triangle, np.eye(X.shape[1]))
    inverse = np.linalg.inv(matrix)
    return TrialSlopesFit(
        coefficients=unmix @ (problem.start + inverse @ right),
        covariance=variance * (unmix @ inverse @ unmix.T),
        slope_variance=tau * variance,
        patient_variance=lam * variance,
        residual_variance=variance,
        log_likelihood=-0.5 * deviance,
    )


@dataclass(frozen=True, eq=False)
class _Problem:
    """Cross-products of [orthonormal basis of X, z, residual of y] by trial and patient size.

    ``plain`` (trials, p + 2, p + 2) within rows and ``sums`` (sizes, trials, p + 2, p + 2) within
    patients' sums; ``counts`` patients of each size.
    """

    plain: Matrix
    sums: Matrix
    sizes: Vector
    counts: Vector
    start: Vector
    triangle: Matrix
    degrees: int
    reml: bool

    @classmethod
    def of(
        cls, y: Vector, X: Matrix, z: Vector, patients: Codes, trials: Codes, reml: bool
    ) -> _Problem:
        n, p = X.shape
        basis, triangle = linalg.qr(X, mode="economic", check_finite=False)
        start = basis.T @ y
        rest = y - basis @ start
        joined = np.column_stack([basis, z, rest - basis @ (basis.T @ rest)])
        sizes, counts = np.unique(np.bincount(patients), return_counts=True)
        of_patient = cluster_sums(joined, patients)
        size_of = np.bincount(patients)
        trial_of = np.empty(size_of.size, dtype=np.intp)
        trial_of[patients] = trials
        present = np.unique(trials)
        plain = np.stack([joined[trials == t].T @ joined[trials == t] for t in present])
        sums = np.empty((sizes.size, *plain.shape))
        for k, size in enumerate(sizes):
            for j, t in enumerate(present):
                part = of_patient[(size_of == size) & (trial_of == t)]
                sums[k, j] = part.T @ part
        return cls(
            plain=plain,
            sums=sums,
            sizes=sizes.astype(float),
            counts=counts.astype(float),
            start=start,
            triangle=triangle,
            degrees=n - p if reml else n,
            reml=reml,
        )

    def products(self, lam: float) -> Matrix:
        """Each trial's products in the metric of R^-1."""
        return np.asarray(
            self.plain - np.tensordot(lam / (1 + lam * self.sizes), self.sums, axes=1)
        )

    def moments(self, lam: float, tau: float) -> tuple[Matrix, Vector, float, float]:
        """``X'V^-1 X``, ``X'V^-1 y``, residual sum of squares, log|V|; X being the basis."""
        products = self.products(lam)
        information = 1 + tau * products[:, -2, -2]
        toward = products[:, :, -2]
        whole = products.sum(axis=0) - (toward.T * (tau / information)) @ toward
        matrix, right = whole[:-2, :-2], whole[:-2, -1]
        rss = float(whole[-1, -1] - right @ np.linalg.solve(matrix, right))
        log_determinant = float(self.counts @ np.log1p(lam * self.sizes))
        return matrix, right, rss, log_determinant + float(np.log(information).sum())

    def deviance(self, lam: float, tau: float) -> float:
        """-2 times the log-likelihood, b and s2 profiled out."""
        matrix, _, rss, log_determinant = self.moments(lam, tau)
        value = self.degrees * (1 + math.log(2 * math.pi * rss / self.degrees)) + log_determinant
        if self.reml:
            value += float(np.linalg.slogdet(matrix)[1])
            value += 2 * float(np.log(np.abs(np.diag(self.triangle))).sum())
        return value

    def profile(self, tau: float) -> tuple[float, float]:
        """Least deviance at ``tau`` and the ``lambda`` that has it."""
        found = optimize.minimize_scalar(
            lambda share: self.deviance(share / (1 - share), tau),
            bounds=(0.0, 1 - 1e-6),
            method="bounded",
            options={"xatol": 1e-10},
        )
        at_zero = self.deviance(0.0, tau)
        if at_zero <= found.fun:
            return at_zero, 0.0
        return float(found.fun), float(found.x / (1 - found.x))
