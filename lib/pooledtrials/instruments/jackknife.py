"""Jackknife instrumental variables: each row's instrument is fitted without that row.

What biases 2SLS with many or weak instruments is that a row's fitted exposure holds that row's own
error; leaving the row out of its fit removes it, at the price of a noisier instrument.
"""

from __future__ import annotations

import numpy as np

from pooledtrials.arguments import Columns, Vector, choice
from pooledtrials.instruments.moments import score_error
from pooledtrials.instruments.partialling import Partialled, partial_out
from pooledtrials.instruments.unmoved import refuse_unmoved
from pooledtrials.results import Estimate

_COVARIANCES = ("classical", "robust")
_METHODS = ("jive1", "ujive", "ijive1")


def jive(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    method: str = "jive1",
    covariance: str = "robust",
    debiased: bool = False,
) -> Estimate:
    """Jackknife instrumental variables: each row's instrument is fitted without that row.

    ``"jive1"`` [angrist1999jackknife]: leave-one-out fit on instruments and controls,
    ``(P x - h x) / (1 - h)`` with leverage h of both, then IV with the controls.
    ``"ujive"`` [kolesar2013estimation]: the leave-one-out fit on instruments and controls less the
    leave-one-out fit on controls alone, then IV without the controls.
    ``"ijive1"`` [ackerberg2009improved]: JIVE1 on data that have had the controls partialled out.
    The names are those of ManyIV; two Python packages call IJIVE1 "UJIVE".

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere. With clusters only the error is clustered; rows are still left out singly.
    method : ``"jive1"``, ``"ujive"`` or ``"ijive1"``
    covariance : ``"robust"`` or ``"classical"``; clustered with ``clusters``
    debiased : False gives HC0, as ManyIV and linearmodels

    Raises
    ------
    ValueError
        For unusable arguments, instruments that do not move x at all, or rows with a leverage of
        one (they cannot be left out).
    """
    choice(method, "method", _METHODS)
    data = partial_out(y, x, z, controls, clusters, strata)
    return jackknife_estimate(data, method, covariance, debiased)


def jackknife_estimate(data: Partialled, method: str, covariance: str, debiased: bool) -> Estimate:
    """`jive` of data already partialled out."""
    choice(covariance, "covariance", _COVARIANCES)
    refuse_unmoved(data)
    instrument = jackknife_instrument(data, method)
    # UJIVE's instrument is not orthogonal to the controls: it meets y and x as they are
    raw = method == "ujive"
    outcome, exposure = (data.raw_y, data.raw_x) if raw else (data.y, data.x)
    bottom = float(instrument @ exposure)
    b = float(instrument @ outcome) / bottom
    error = score_error(data, instrument, data.y - b * data.x, covariance, debiased) / abs(bottom)
    label = "clustered" if data.clusters is not None else covariance
    return Estimate(method.upper(), b, error, label, data.nobs, data.estimate_dof)


def jackknife_instrument(data: Partialled, method: str) -> Vector:
    """The constructed instrument of JIVE1, UJIVE or IJIVE1, as `jive` defines them."""
    own = np.einsum("ij,ij->i", data.q, data.q)
    others = np.einsum("ij,ij->i", data.basis, data.basis)
    leverage = own if method == "ijive1" else own + others
    fixed = int((1 - leverage < 1e-10).sum())
    if fixed:
        raise ValueError(
            f"z and controls give {fixed} rows a leverage of one (a column that is theirs alone),"
            " and such rows cannot be left out: drop the rows or the columns"
        )
    fitted = data.q @ data.first_stage
    out = (fitted - leverage * data.x) / (1 - leverage)
    if method == "ujive":
        return np.asarray(out + others * data.x / (1 - others))
    return np.asarray(out - data.basis @ (data.basis.T @ out))
