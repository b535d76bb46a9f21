"""Two-sample 2SLS: outcome and exposure observed in different samples [inoue2010two]."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import linalg

from pooledtrials.arguments import (
    Columns,
    Matrix,
    Vector,
    label_codes,
    numeric_columns,
    one_column,
    same_index,
)
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
        Exposure's sample: the same instruments and controls for other people, in the same columns,
        or in frames whose columns have the same names.
    level : confidence level of the AR set
    reference : ``"chi2"``, or ``"F"`` with the smaller of the two samples' degrees of freedom

    Raises
    ------
    ValueError
        For unusable arguments, instruments or controls that differ between the samples, or no more
        clusters than instruments.
    """
    _check_rows("y", y, z_of_y, controls_of_y, clusters_of_y)
    _check_rows("x", x, z_of_x, controls_of_x, clusters_of_x)
    z_of_x = _same_columns("z", "instruments", z_of_y, z_of_x)
    if controls_of_y is not None or controls_of_x is not None:
        controls_of_x = _same_columns("controls", "controls", controls_of_y, controls_of_x)
    one = _sample("y", y, z_of_y, controls_of_y, clusters_of_y)
    two = _sample("x", x, z_of_x, controls_of_x, clusters_of_x)
    k = one.n_instruments
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


def _check_rows(
    of: str, variable: Columns, z: Columns, controls: Columns | None, clusters: Columns | None
) -> None:
    """Rows and indexes of one sample, under the names of its arguments."""
    names = (f"z_of_{of}", f"controls_of_{of}", f"clusters_of_{of}")
    same_index(**{of: variable} | dict(zip(names, (z, controls, clusters), strict=True)))
    n = one_column(variable, of, "give one at a time").size
    numeric_columns(z, names[0], n, of=of)
    if controls is not None:
        numeric_columns(controls, names[1], n, of=of)
    label_codes(clusters, names[2], n, of=of)


def _same_columns(
    name: str, what: str, of_y: Columns | None, of_x: Columns | None
) -> Columns | None:
    """The exposure's sample in the order of the outcome's, by name where both are frames."""
    counts = [0 if c is None else numeric_columns(c, name)[0].shape[1] for c in (of_y, of_x)]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{name}_of_x has {counts[1]} columns and {name}_of_y {counts[0]}: give the same {what}"
            " in both"
        )
    if not isinstance(of_y, pd.DataFrame) or not isinstance(of_x, pd.DataFrame):
        return of_x
    if of_y.columns.equals(of_x.columns):
        return of_x
    odd = [str(c) for c in of_x.columns.symmetric_difference(of_y.columns)]
    if odd or not of_x.columns.is_unique or not of_y.columns.is_unique:
        raise ValueError(
            f"{name}_of_x and {name}_of_y have columns named differently"
            f" ({', '.join(odd) or 'some twice'}): give the same {what} the same names in both"
        )
    return of_x[list(of_y.columns)]


def _sample(
    of: str, variable: Columns, z: Columns, controls: Columns | None, clusters: Columns | None
) -> Factored:
    try:
        found = factor_one(variable, z, of, controls, clusters)
    except ValueError as error:
        raise ValueError(f"in the sample of {of}: {error}") from None
    groups, k = found.n_clusters, found.n_instruments
    if groups is not None and groups <= k:
        raise ValueError(
            f"clusters_of_{of} has {groups} clusters for {k} instruments, and a clustered"
            " covariance of their coefficients then is singular: use fewer instruments or finer"
            " clusters"
        )
    return found


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
