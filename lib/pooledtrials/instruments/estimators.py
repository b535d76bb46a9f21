"""k-class estimators of one effect (OLS, 2SLS, LIML, Fuller), with their errors.

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

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import Columns, Matrix, choice, finite
from pooledtrials.instruments.homoskedastic_panel import k_class as k_class_panel
from pooledtrials.instruments.homoskedastic_panel import liml_kappa
from pooledtrials.instruments.jackknife import jackknife_estimate
from pooledtrials.instruments.moments import score_error
from pooledtrials.instruments.partialling import Partialled, partial_out
from pooledtrials.instruments.unmoved import refuse_unmoved
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

    Parameters and errors as in `ols`; also refused are instruments that do not move x at all.
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
    if finite(alpha, "alpha") <= 0:
        raise ValueError(f"alpha is {alpha}: give a positive number, such as 1 or 4")
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
    return estimates_frame(standard_estimates(data, covariance, debiased))


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
    """The estimates of `estimates`, of data already partialled out."""
    kappa = liml_of(data)
    settings = [("OLS", 0.0), ("2SLS", 1.0), ("LIML", kappa)]
    settings += [(f"Fuller({a})", kappa - a / data.dof) for a in (1, 4)]
    found = [
        k_class_estimate(
            data, value, name, covariance, debiased, "k-class" if name == "OLS" else "projected"
        )
        for name, value in settings
    ]
    found += [jackknife_estimate(data, m, covariance, debiased) for m in ("jive1", "ujive")]
    return found


def liml_of(data: Partialled) -> float:
    """LIML's kappa; exactly 1 with one instrument."""
    gram, residual = _grams(data)
    return float(liml_kappa(gram, residual, data.n_instruments))


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
    if kappa != 0:  # least squares needs no first stage
        refuse_unmoved(data)
    gram, residual = _grams(data)
    lost = data.n_partialled + 1 if debiased else 0
    found = k_class_panel(gram, residual, kappa, data.nobs, lost)
    b, error = float(found.coefficient), float(found.standard_error)
    if data.clusters is not None or covariance == "robust":
        bread = float(gram[1, 1] + (1 - kappa) * residual[1, 1])
        fitted = data.q @ data.first_stage
        instrument = fitted + (1 - kappa) * data.x_residual if score == "k-class" else fitted
        error = score_error(data, instrument, data.y - b * data.x, covariance, debiased)
        error = error / abs(bread)
    label = covariance if data.clusters is None else "clustered"
    return Estimate(method, b, error, label, data.nobs, data.estimate_dof, kappa)


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


def _grams(data: Partialled) -> tuple[Matrix, Matrix]:
    """The kernel's A and S: cross products of (y, x) projected on the instruments, and residual."""
    pair = np.stack([data.reduced_form, data.first_stage])
    return pair @ pair.T, data.residual_gram
