"""Estimators of one effect: k-class (OLS, 2SLS, LIML, Fuller) and jackknife, with their errors.

All k-class estimates are ``x'(I - kappa M)y / x'(I - kappa M)x`` with M the residual maker of the
instruments, after partialling out: kappa 0 is OLS, 1 is 2SLS, LIML's the smallest at which the
instruments' explanation of ``y - beta x`` vanishes, Fuller's that less ``alpha / (n - p - k)``.

Standard errors are linearmodels' with ``debiased=True``: variance of the residuals over n - K with
K = p + 1, robust times n / (n - K) (HC1), clustered times G / (G - 1) * (n - 1) / (n - K) (CR1);
``debiased=False`` gives n, HC0, CR0. Robust scores are ``h_i e_i``, h the projected exposure for
every kappa, as linearmodels and Stata's ``ivreg2`` have it; ``score="k-class"`` takes
``h = x - kappa M x`` instead. None of these errors can be trusted if instruments are weak.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import Columns, Matrix, Vector, choice, finite
from pooledtrials.clusters import cluster_sums, small_sample_factor
from pooledtrials.instruments.homoskedastic_panel import k_class as k_class_panel
from pooledtrials.instruments.homoskedastic_panel import liml_kappa
from pooledtrials.instruments.moments import score_meat
from pooledtrials.instruments.partialling import Partialled, partial_out
from pooledtrials.results import Estimate

_COVARIANCES = ("classical", "robust")
_SCORES = ("projected", "k-class")


def ols(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    debiased: bool = True,
) -> Estimate:
    """Least squares of y on x, the estimate that selection biases; ``z`` does not enter it.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere, see `partial_out`; ``z`` is checked, so that rows are those of the others.
    covariance : ``"robust"`` (HC1) or ``"classical"``; clustered (CR1) with ``clusters``
    debiased : small-sample factors, see the module

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    return k_class_estimate(data, 0.0, "OLS", covariance, debiased, "k-class")


def tsls(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    debiased: bool = True,
) -> Estimate:
    """Two-stage least squares, kappa = 1: biased towards OLS when instruments are weak.

    Parameters and errors as in `ols`.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    return k_class_estimate(data, 1.0, "2SLS", covariance, debiased)


def liml(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    debiased: bool = True,
    score: str = "projected",
) -> Estimate:
    """Limited information maximum likelihood [anderson1949estimation].

    The effect at which the classical Anderson-Rubin statistic is smallest; nearly median-unbiased,
    without moments. Equal to 2SLS with one instrument. Parameters as in `ols`; ``score`` see the
    module.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    return k_class_estimate(data, liml_of(data), "LIML", covariance, debiased, score)


def fuller(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    alpha: float = 1.0,
    covariance: str = "robust",
    debiased: bool = True,
    score: str = "projected",
) -> Estimate:
    """Fuller's LIML, kappa less ``alpha / (n - p - k)`` [fuller1977some].

    It has moments; alpha = 1 is nearly unbiased and alpha = 4 has a small mean squared error.
    Parameters as in `liml`.
    """
    alpha = finite(alpha, "alpha")
    data = partial_out(y, x, z, controls, clusters, strata)
    kappa = liml_of(data) - alpha / data.dof
    return k_class_estimate(data, kappa, f"Fuller({alpha:g})", covariance, debiased, score)


def k_class(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    kappa: float,
    covariance: str = "robust",
    debiased: bool = True,
    score: str = "projected",
) -> Estimate:
    """The k-class estimate at a given ``kappa`` [theil1958economic]. Parameters as in `liml`."""
    kappa = finite(kappa, "kappa")
    data = partial_out(y, x, z, controls, clusters, strata)
    return k_class_estimate(data, kappa, f"k-class({kappa:g})", covariance, debiased, score)


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
        For unusable arguments, or rows with a leverage of one (they cannot be left out).
    """
    choice(method, "method", ("jive1", "ujive", "ijive1"))
    data = partial_out(y, x, z, controls, clusters, strata)
    instrument = jackknife_instrument(data, method)
    # UJIVE's instrument is not orthogonal to the controls: it meets y and x as they are
    raw = method == "ujive"
    outcome, exposure = (data.raw_y, data.raw_x) if raw else (data.y, data.x)
    bottom = float(instrument @ exposure)
    b = float(instrument @ outcome) / bottom
    error = _sandwich(data, instrument, data.y - b * data.x, covariance, debiased) / abs(bottom)
    label = "clustered" if data.clusters is not None else covariance
    return Estimate(method.upper(), b, error, label, data.nobs, _t_dof(data))


def estimates(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    debiased: bool = True,
) -> pd.DataFrame:
    """OLS, 2SLS, LIML, Fuller(1), Fuller(4), JIVE1 and UJIVE in one frame, a row each.

    Parameters as in `ols`. Disagreement among the last six is itself a sign of weakness.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    found = standard_estimates(data, covariance, debiased)
    arguments = (y, x, z, controls, clusters, strata)
    for method in ("jive1", "ujive"):
        found.append(jive(*arguments, method=method, covariance=covariance, debiased=debiased))
    return estimates_frame(found)


def estimates_frame(found: list[Estimate]) -> pd.DataFrame:
    """Estimates as rows: coefficient, standard error, kappa."""
    return pd.DataFrame(
        {
            "coefficient": [e.coefficient for e in found],
            "standard_error": [e.standard_error for e in found],
            "kappa": [e.kappa for e in found],
        },
        index=pd.Index([e.method for e in found], name="estimator"),
    )


def standard_estimates(data: Partialled, covariance: str, debiased: bool) -> list[Estimate]:
    """OLS, 2SLS, LIML, Fuller(1) and Fuller(4) of data already partialled out."""
    kappa = liml_of(data)
    settings = [("OLS", 0.0), ("2SLS", 1.0), ("LIML", kappa)]
    settings += [(f"Fuller({a})", kappa - a / data.dof) for a in (1, 4)]
    return [
        k_class_estimate(
            data, value, name, covariance, debiased, "k-class" if name == "OLS" else "projected"
        )
        for name, value in settings
    ]


def liml_of(data: Partialled) -> float:
    """LIML's kappa; exactly 1 with one instrument."""
    gram, residual = grams(data)
    return float(liml_kappa(gram, residual, data.n_instruments))


def grams(data: Partialled) -> tuple[Matrix, Matrix]:
    """The kernel's A and S: cross products of (y, x) projected on the instruments, and residual."""
    pair = np.stack([data.q.T @ data.y, data.q.T @ data.x])
    residuals = np.column_stack([data.y_residual, data.x_residual])
    return pair @ pair.T, residuals.T @ residuals


def k_class_estimate(
    data: Partialled,
    kappa: float,
    method: str,
    covariance: str,
    debiased: bool,
    score: str = "projected",
) -> Estimate:
    """One k-class estimate through the panel kernel."""
    choice(covariance, "covariance", _COVARIANCES)
    choice(score, "score", _SCORES)
    gram, residual = grams(data)
    lost = data.n_partialled + 1 if debiased else 0
    found = k_class_panel(gram, residual, kappa, data.nobs, lost)
    b, error = float(found.coefficient), float(found.standard_error)
    if data.clusters is not None or covariance == "robust":
        bread = float(gram[1, 1] + (1 - kappa) * residual[1, 1])
        weights = np.append(data.q.T @ data.x, 1 - kappa if score == "k-class" else 0.0)
        meat = score_meat(
            np.column_stack([data.q, data.x_residual]),
            np.column_stack([data.y, data.x]),
            data.clusters,
        )
        label = "robust" if data.clusters is None else "clustered"
        factor = small_sample_factor(
            label, data.nobs, data.n_partialled + 1, data.n_clusters, debiased
        )
        error = math.sqrt(factor * float(sandwich_meat(meat, weights, b))) / abs(bread)
    label = covariance if data.clusters is None else "clustered"
    return Estimate(method, b, error, label, data.nobs, _t_dof(data), kappa)


def sandwich_meat(
    meat: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    b: npt.ArrayLike,
) -> npt.NDArray[np.float64]:
    """Sum of squared scores ``(w_i'weights)(y_i - b x_i)`` from their (2, 2, k, k) meat."""
    b = np.asarray(b, dtype=float)[..., None, None]
    at = (
        meat[..., 0, 0, :, :]
        - b * (meat[..., 0, 1, :, :] + meat[..., 1, 0, :, :])
        + b * b * meat[..., 1, 1, :, :]
    )
    return np.asarray(np.einsum("...i,...ij,...j->...", weights, at, weights))


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
    fitted = data.q @ (data.q.T @ data.x)
    out = (fitted - leverage * data.x) / (1 - leverage)
    if method == "ujive":
        return np.asarray(out + others * data.x / (1 - others))
    return np.asarray(out - data.basis @ (data.basis.T @ out))


def _sandwich(
    data: Partialled, instrument: Vector, residual: Vector, covariance: str, debiased: bool
) -> float:
    """Root of the score variance for one constructed instrument."""
    choice(covariance, "covariance", _COVARIANCES)
    lost = data.n_partialled + 1
    if data.clusters is None and covariance == "classical":
        variance = float(residual @ residual) / (data.nobs - (lost if debiased else 0))
        return math.sqrt(variance * float(instrument @ instrument))
    scores = (instrument * residual)[:, None]
    if data.clusters is not None:
        scores = cluster_sums(scores, data.clusters)
    label = "robust" if data.clusters is None else "clustered"
    factor = small_sample_factor(label, data.nobs, lost, data.n_clusters, debiased)
    return math.sqrt(factor * float(np.sum(scores**2)))


def _t_dof(data: Partialled) -> float:
    if data.n_clusters is not None:
        return float(data.n_clusters - 1)
    return float(data.nobs - data.n_partialled - 1)
