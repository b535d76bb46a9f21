"""The test of equal follow-up: whether arms have the same share interviewed at every wave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy import stats

from pooledtrials.arguments import Codes, Matrix
from pooledtrials.clusters import cluster_sums
from pooledtrials.results import Test

_NULL: Final = "arms have the same follow-up at every wave"
_SINGULAR: Final = 1e-10


def equal_follow_up_test(held: Matrix, arm: Codes, clusters: Codes | None, trial: Any) -> Test:
    """Test that a patient's vector of interviews d has the same mean in every arm of a trial.

    ``s'V^-1 s`` with ``s = sum (z - zbar) x (d - dbar)``, z indicators of arms. Its permutation
    covariance is ``V = sum (z - zbar)(z - zbar)' x sum (d - dbar)(d - dbar)' / N``, so that with
    one wave it is Pearson's chi-squared; with clusters, V is the sum of outer products of cluster
    sums. Waves at which all or none were interviewed do not count. The chi-squared law is for large
    samples, and poor where few interviews are missing.

    Parameters
    ----------
    held : (N, W) of 0 and 1, a row per patient
    arm : (N,) codes 0, 1, ...
    clusters : (N,) codes, or None
    trial : the trial's name
    """
    name = f"equal follow-up in {trial}"
    centred = held - held.mean(axis=0)
    centred = centred[:, centred.any(axis=0)]
    if not centred.shape[1]:
        return Test.not_applicable(name, _NULL, "no interview was held with some and not others")
    z = (arm[:, None] == np.arange(1, int(arm.max()) + 1)).astype(float)
    z = z - z.mean(axis=0)
    rows = np.einsum("ij,ik->ijk", z, centred).reshape(z.shape[0], -1)
    score = rows.sum(axis=0)
    if clusters is None:
        covariance = np.kron(z.T @ z, centred.T @ centred / z.shape[0])
    else:
        codes = np.unique(clusters, return_inverse=True)[1].reshape(-1)
        sums = cluster_sums(rows, codes)
        if sums.shape[0] <= score.size:
            few = f"{sums.shape[0]} clusters for {score.size} differences"
            return Test.not_applicable(name, _NULL, few)
        covariance = sums.T @ sums
    # waves that the same patients missed add nothing to each other
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _SINGULAR * values[-1]
    statistic = float(((vectors[:, kept].T @ score) ** 2 / values[kept]).sum())
    label = "permutation" if clusters is None else "clustered"
    return _chi2(name, statistic, int(kept.sum()), label)


def together(tests: Sequence[Test]) -> Test:
    """The same for several trials at once: they are independent, so statistics add up."""
    applicable = [test for test in tests if test.applicable]
    if not applicable:
        return Test.not_applicable("equal follow-up", _NULL, "it applies in no trial")
    statistic = sum(test.statistic for test in applicable)
    dof = int(sum(test.dof[0] for test in applicable))
    return _chi2("equal follow-up", statistic, dof, applicable[0].covariance)


def _chi2(name: str, statistic: float, dof: int, covariance: str) -> Test:
    p_value = float(stats.chi2.sf(statistic, dof))
    return Test(name, statistic, p_value, f"chi2({dof})", (float(dof),), _NULL, covariance)
