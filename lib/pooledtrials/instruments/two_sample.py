"""Two-sample 2SLS: outcome and exposure observed in different samples [inoue2010two]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from pooledtrials.arguments import Columns, Matrix, Vector
from pooledtrials.clusters import cluster_sums, small_sample_factor
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.moments import Moments
from pooledtrials.instruments.partialling import Factored, factor_one
from pooledtrials.instruments.robust_sets import robust_set
from pooledtrials.instruments.strength import first_stage_f_test
from pooledtrials.results import Estimate, Test


@dataclass(frozen=True, eq=False)
class TwoSample:
    """Two-sample estimate, the strength of its first stage and a set that does not depend on it.

    Attributes
    ----------
    estimate : TS2SLS with an error that counts both samples
    f_test : first-stage F in the exposure's sample
    anderson_rubin : AR (for one instrument Fieller's) set of the two independent regressions
    moments : for further tests and sets with `null_test` and `robust_set`
    """

    estimate: Estimate
    f_test: Test
    anderson_rubin: ConfidenceSet
    moments: Moments


def two_sample_tsls(
    y: Columns,
    x: Columns,
    z_of_y: Columns,
    z_of_x: Columns,
    controls_of_y: Columns | None = None,
    controls_of_x: Columns | None = None,
    clusters_of_y: Columns | None = None,
    clusters_of_x: Columns | None = None,
    *,
    level: float = 0.95,
    reference: str = "chi2",
) -> TwoSample:
    """TS2SLS: the first stage of one sample predicts the exposure in the other.

    With ``g`` the instruments' coefficients on y, ``p`` on x, and M the partialled Z'Z of the
    outcome's sample, ``b = p'Mg / p'Mp`` and its variance ``p'M(Vg + b^2 Vp)Mp / (p'Mp)^2``: robust
    (HC1), or clustered (CR1) where clusters are given. Weak instruments shrink it towards zero
    rather than towards OLS.

    Parameters
    ----------
    y, z_of_y, controls_of_y, clusters_of_y
        Outcome's sample.
    x, z_of_x, controls_of_x, clusters_of_x
        Exposure's sample: the same instruments and controls, in the same columns, for other people.
    level : confidence level of the AR set
    reference : ``"chi2"``, or ``"F"`` with the smaller of the two samples' degrees of freedom

    Raises
    ------
    ValueError
        For unusable arguments, or instruments that differ in number.
    """
    one = factor_one(y, z_of_y, "y", controls_of_y, clusters_of_y)
    two = factor_one(x, z_of_x, "x", controls_of_x, clusters_of_x)
    k = one.n_instruments
    if two.n_instruments != k:
        raise ValueError(
            f"z_of_x has {two.n_instruments} columns and z_of_y {k}: give the same instruments in"
            " both"
        )
    # everything in the outcome sample's orthonormal coordinates, where M is the identity
    g, vg, dof_y = _regression(one, one.r)
    p, vp, dof_x = _regression(two, one.r)
    omega = np.zeros((2, 2, k, k))
    omega[0, 0], omega[1, 1] = vg, vp
    gram = np.diag([float(part.factors.residual_gram[0, 0]) for part in (one, two)])
    n = one.nobs + two.nobs
    moments = Moments(
        g, p, omega, gram, n, one.n_partialled, min(dof_y, dof_x), "robust", "wald", True
    )  # fmt: skip
    if one.clusters is not None or two.clusters is not None:
        moments = replace(moments, covariance="clustered")
    square = float(p @ p)
    b = float(p @ g) / square
    error = float(np.sqrt(p @ (vg + b * b * vp) @ p)) / square
    estimate = Estimate("TS2SLS", b, error, moments.covariance, n, moments.dof)
    return TwoSample(
        estimate,
        first_stage_f_test(replace(moments, dof=dof_x)),
        robust_set(moments, "AR", level, reference),
        moments,
    )


def _regression(part: Factored, to: Matrix) -> tuple[Vector, Matrix, float]:
    """Coefficients of the instruments times ``to``, their covariance, degrees of freedom."""
    n, k = part.q.shape
    residual = part.factors.residual[:, 0]
    scores = part.q * residual[:, None]
    groups = None
    if part.clusters is not None:
        scores = cluster_sums(scores, part.clusters)
        groups = scores.shape[0]
    lost = part.n_partialled + k
    factor = small_sample_factor("robust" if groups is None else "clustered", n, lost, groups, True)
    turn = to @ linalg.solve_triangular(part.r, np.eye(k))
    dof = float(n - lost if groups is None else groups - 1)
    return turn @ part.factors.coefficients[:, 0], factor * turn @ (scores.T @ scores) @ turn.T, dof
