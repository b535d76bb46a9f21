"""Do the instruments agree, and does least squares differ: Sargan, Hansen, Durbin-Wu-Hausman.

All of them presume strong instruments; `j_test_at` does not. With one instrument there is nothing
to disagree with, and the overidentification tests say so instead of returning a number; so do all
where the instruments do not move the exposure at all.
"""

from __future__ import annotations

import math

import numpy as np

from pooledtrials.arguments import Columns, Matrix, Vector, choice
from pooledtrials.clusters import cluster_sums, small_sample_factor
from pooledtrials.instruments.conditional import chi2_or_f_sf
from pooledtrials.instruments.estimators import liml_of
from pooledtrials.instruments.moments import refuse_cancelled, refuse_few_clusters
from pooledtrials.instruments.partialling import Partialled, partial_out
from pooledtrials.instruments.robust_tests import one_instrument_reason
from pooledtrials.instruments.unmoved import refuse_unmoved, unmoved_reason
from pooledtrials.results import Estimate, Test

_AGREE = "all instruments are valid (they agree on one effect)"
_COVARIANCES = ("classical", "robust")
_EXOGENOUS = "the exposure is exogenous (2SLS and OLS estimate the same)"


def sargan_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: None = None,
    strata: Columns | None = None,
) -> Test:
    """Sargan's overidentification test: n R2 of the 2SLS residuals on the instruments, chi2(k - 1).

    Homoskedastic errors only [sargan1958estimation]; `hansen_j_test` otherwise.

    Parameters
    ----------
    y, x, z, controls, strata
        As everywhere.
    clusters
        Refused: the statistic has no clustered form.

    Raises
    ------
    ValueError
        With clusters, or unusable arguments.
    """
    if clusters is not None:
        raise ValueError(
            "clusters is given, but Sargan's test assumes independent errors: use hansen_j_test"
        )
    return sargan_from(partial_out(y, x, z, controls, None, strata))


def sargan_from(data: Partialled) -> Test:
    """`sargan_test` of data already partialled out."""
    k, reason = data.n_instruments, _nothing_to_compare(data)
    if reason:
        return Test.not_applicable("Sargan", _AGREE, reason)
    reduced, stage = data.reduced_form, data.first_stage
    b = float(stage @ reduced) / float(stage @ stage)
    moment, a = reduced - b * stage, np.array([1.0, -b])
    explained = float(moment @ moment)
    value = data.nobs * explained / (explained + float(a @ data.residual_gram @ a))
    return _chi2("Sargan", value, k - 1, _AGREE, "classical")


def liml_overidentification_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: None = None,
    strata: Columns | None = None,
) -> Test:
    """Anderson and Rubin's likelihood ratio overidentification test: n log kappa, chi2(k - 1).

    Not the Anderson-Rubin test of an effect [anderson1950asymptotic]. As `sargan_test`.
    """
    if clusters is not None:
        raise ValueError(
            "clusters is given, but this test assumes independent errors: use hansen_j_test"
        )
    data = partial_out(y, x, z, controls, None, strata)
    reason = _nothing_to_compare(data)
    if reason:
        return Test.not_applicable("LIML likelihood ratio", _AGREE, reason)
    value = data.nobs * math.log(liml_of(data))
    return _chi2("LIML likelihood ratio", value, data.n_instruments - 1, _AGREE, "classical")


def hansen_j_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> Test:
    """Hansen's J: the minimum of the two-step efficient GMM criterion, chi2(k - 1).

    Weights from the 2SLS residuals, HC0 or CR0 without centring, as Stata's ``ivreg2``
    [hansen1982large]. Parameters as in `sargan_test`, clusters allowed.
    """
    return hansen_from(partial_out(y, x, z, controls, clusters, strata))


def hansen_from(data: Partialled) -> Test:
    """`hansen_j_test` of data already partialled out."""
    k, reason = data.n_instruments, _nothing_to_compare(data)
    if reason:
        return Test.not_applicable("Hansen J", _AGREE, reason)
    _, value, _ = _two_step(data)
    return _chi2("Hansen J", value, k - 1, _AGREE, _label(data))


def gmm(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
) -> Estimate:
    """Two-step efficient GMM, whose criterion is Hansen's J. HC0 or CR0 errors as ``ivreg2``."""
    data = partial_out(y, x, z, controls, clusters, strata)
    refuse_unmoved(data)
    b, _, error = _two_step(data)
    return Estimate("two-step GMM", b, error, _label(data), data.nobs, data.estimate_dof)


def durbin_wu_hausman_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    form: str = "regression",
    covariance: str = "robust",
    debiased: bool = True,
) -> Test:
    """Test that the exposure is exogenous: 2SLS and OLS differ by no more than chance.

    ``form="regression"``: the squared t of the first-stage residual added to the regression of y on
    x [hausman1978specification], F(1, n - p - 2) or F(1, G - 1); classical, Wu and Hausman's F.
    ``form="difference"``: by how much the overidentification statistic falls when the exposure is
    not used as its own instrument, chi2(1), Stata's ``ivreg2, endog()`` (large-sample covariance).
    With weak instruments neither has much power, and failing to reject is no evidence for OLS.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere.
    form : ``"regression"`` or ``"difference"``
    covariance : ``"robust"`` or ``"classical"``; clustered with ``clusters``
    debiased : HC1 or CR1 rather than HC0 or CR0, regression form only
    """
    choice(form, "form", ("regression", "difference"))
    data = partial_out(y, x, z, controls, clusters, strata)
    if form == "difference":
        choice(covariance, "covariance", _COVARIANCES)
        return _difference(data, covariance if data.clusters is None else "clustered")
    return durbin_wu_hausman_from(data, covariance, debiased)


def durbin_wu_hausman_from(data: Partialled, covariance: str, debiased: bool = True) -> Test:
    """`durbin_wu_hausman_test`, regression form, of data already partialled out."""
    choice(covariance, "covariance", _COVARIANCES)
    reason = unmoved_reason(data)
    if reason:
        return Test.not_applicable("Durbin-Wu-Hausman", _EXOGENOUS, reason)
    label = covariance if data.clusters is None else "clustered"
    regressors = np.column_stack([data.x, data.x_residual])
    bread = np.linalg.inv(regressors.T @ regressors)
    coefficients = bread @ (regressors.T @ data.y)
    residual = data.y - regressors @ coefficients
    lost = data.n_partialled + 2
    if label == "classical":
        scale = float(residual @ residual) / (data.nobs - (lost if debiased else 0))
        covariance_matrix = scale * bread
    else:
        meat = _meat(regressors, residual, data)
        factor = small_sample_factor(label, data.nobs, lost, data.n_clusters, debiased)
        covariance_matrix = factor * bread @ meat @ bread
    value = float(coefficients[1] ** 2 / covariance_matrix[1, 1])
    dof = float(data.nobs - lost) if data.n_clusters is None else float(data.n_clusters - 1)
    return Test(
        "Durbin-Wu-Hausman",
        value,
        float(chi2_or_f_sf(value, 1, dof)),
        f"F(1, {dof:g})",
        (1, dof),
        _EXOGENOUS,
        label,
    )


def _difference(data: Partialled, label: str) -> Test:
    """C statistic: J with the exposure as an instrument less J without, one weight matrix.

    The weights come from the residuals of the restricted model (efficient GMM when errors are not
    classical), and the smaller J uses their block, which keeps the difference non-negative.
    """
    name, reason = "Durbin-Wu-Hausman (difference)", unmoved_reason(data)
    if reason:
        return Test.not_applicable(name, _EXOGENOUS, reason)
    w = np.column_stack([data.q, data.x_residual / np.linalg.norm(data.x_residual)])
    residual = data.y - data.x * (float(data.x @ data.y) / float(data.x @ data.x))
    moments_y, moments_x = w.T @ data.y, w.T @ data.x
    k = data.n_instruments

    if label == "classical":
        weight = np.eye(k + 1) * float(residual @ residual) / data.nobs
    else:
        if data.clusters is not None and (data.n_clusters or 0) <= k + 1:
            raise ValueError(
                f"clusters has {data.n_clusters} clusters, too few for {k + 1} moments: use"
                " form='regression'"
            )
        weight = _meat(w, residual, data)
    full = _criterion(moments_y, moments_x, weight)[1]
    part = _criterion(moments_y[:k], moments_x[:k], weight[:k, :k])[1]
    return _chi2(name, max(full - part, 0.0), 1, _EXOGENOUS, label)


def _nothing_to_compare(data: Partialled) -> str:
    """Why the instruments cannot be asked to agree, empty if they can."""
    return one_instrument_reason() if data.n_instruments == 1 else unmoved_reason(data)


def _two_step(data: Partialled) -> tuple[float, float, float]:
    """Efficient GMM estimate, criterion and standard error."""
    if data.clusters is not None:
        refuse_few_clusters(data)
    reduced, stage = data.reduced_form, data.first_stage
    first = float(stage @ reduced) / float(stage @ stage)
    residual = data.y_residual - first * data.x_residual
    weight = _meat(data.q, data.y - first * data.x, data)
    if data.clusters is not None:
        refuse_cancelled(float(np.linalg.eigvalsh(weight)[0]), float(np.mean(residual**2)))
    b, value = _criterion(reduced, stage, weight)
    return b, value, 1 / math.sqrt(float(stage @ np.linalg.solve(weight, stage)))


def _criterion(reduced: Vector, stage: Vector, weight: Matrix) -> tuple[float, float]:
    """Minimizer and minimum of ``(reduced - b stage)'weight^-1(reduced - b stage)``."""
    solved = np.linalg.solve(weight, stage)
    b = float(solved @ reduced) / float(solved @ stage)
    moment = reduced - b * stage
    return b, float(moment @ np.linalg.solve(weight, moment))


def _meat(w: Matrix, residual: Vector, data: Partialled) -> Matrix:
    scores = w * residual[:, None]
    if data.clusters is not None:
        scores = cluster_sums(scores, data.clusters)
    return np.asarray(scores.T @ scores)


def _label(data: Partialled) -> str:
    return "robust" if data.clusters is None else "clustered"


def _chi2(name: str, value: float, dof: int, null: str, covariance: str) -> Test:
    p_value = float(chi2_or_f_sf(value, dof))
    return Test(name, value, p_value, f"chi2({dof})", (dof,), null, covariance)
