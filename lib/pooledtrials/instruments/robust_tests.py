"""Tests of an effect that keep their size however weak the instruments.

Each takes the hypothesized effect ``beta0`` and compares what the instruments do to
``y - beta0 x`` with nothing. Four statistics of the same moments (`robust_panel`):

- Anderson-Rubin (AR) [anderson1949estimation]: all k directions; also rejects a wrong exclusion.
- Kleibergen's K, or LM [kleibergen2002pivotal; kleibergen2005testing]: the one direction that
  matters if the instruments are strong; powerless at some distant alternatives.
- conditional likelihood ratio (CLR) [moreira2003conditional]: between the two, nearly optimal
  [andrews2006optimal]; in the robust form Kleibergen's, conditional on the rank statistic.
- J = AR - K: what is left, evidence against the exclusion restriction at ``beta0``.

With one instrument AR, K and CLR are the same test and J does not exist.

Reference distribution. ``reference="F"`` (default) refers AR / k to F(k, dof), K to F(1, dof) and
J / (k - 1) to F(k - 1, dof), with dof = n - p - k, or G - 1 clusters; in the CLR's conditional law
chi2_k is replaced by k F(k, dof). It is exact for AR with normal errors of equal variance, makes
the AR set bounded exactly when the usual first-stage F test rejects, and is the less wrong of the
two with few clusters, where chi2 rejects far too often. ``reference="chi2"`` is the asymptotic law
that ``weakiv`` and ``ivmodels`` use; the two agree in large samples.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pooledtrials.arguments import Columns, choice, finite
from pooledtrials.instruments.conditional import chi2_or_f_sf, conditional_p_value
from pooledtrials.instruments.homoskedastic_panel import (
    invariants,
    score_statistic,
    strength_statistic,
)
from pooledtrials.instruments.moments import Moments, joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.results import Test

STATISTICS: Final = ("AR", "K", "CLR", "J")
REFERENCES: Final = ("F", "chi2")

_SINGULAR: Final = 1e-10  # smallest eigenvalue of a correlation matrix

_NAMES: Final = {
    "AR": "Anderson-Rubin",
    "K": "Kleibergen K",
    "CLR": "conditional likelihood ratio",
    "J": "J at the null",
}


def anderson_rubin_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    beta0: float = 0.0,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> Test:
    """Anderson-Rubin test of ``beta = beta0`` [anderson1949estimation].

    Regress ``y - beta0 x`` on the instruments (and what is partialled out) and test that their
    coefficients are zero: ``AR = m'V^-1 m`` with ``m = q'(y - beta0 x)``. Valid with weak or
    irrelevant instruments. A rejection speaks against the effect *or* against the exclusion
    restriction. Power falls with the number of irrelevant instruments.

    Parameters
    ----------
    y, x : (n,)
        Outcome and exposure.
    z : (n,) or (n, k)
        Instruments.
    controls : (n, p), optional
        Partialled out with an intercept.
    clusters, strata : (n,) labels, optional
        Clusters of the covariance; strata get an indicator each.
    beta0 : float
        Effect under the null, outcome units per unit of exposure.
    covariance : ``"robust"`` (HC1), ``"classical"`` or ``"HC3"``
        Overridden by ``clusters`` (CR1).
    form : ``"wald"`` or ``"score"``
        Residuals of the full regression, or of the null (Stata's ``weakiv``), see `moments`.
    debiased : bool
        Small-sample factors as linearmodels with ``debiased=True``; False gives HC0 and CR0.
    reference : ``"F"`` or ``"chi2"``
        With ``"F"`` the statistic reported is AR / k.

    Returns
    -------
    Test

    Raises
    ------
    ValueError
        For unusable arguments, see `partial_out`.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return null_test(moments, "AR", beta0, reference)


def kleibergen_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    beta0: float = 0.0,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> Test:
    """Kleibergen's K (LM) test of ``beta = beta0`` [kleibergen2005testing].

    ``K = (D'V^-1 m)^2 / D'V^-1 D``, chi2(1) under the null at any strength. It is efficient with
    strong instruments, but loses its power at effects far from the truth where the likelihood has
    another stationary point, so its set may have pieces that AR and CLR exclude.

    Parameters, errors and conventions as in `anderson_rubin_test`; the statistic is not divided.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return null_test(moments, "K", beta0, reference)


def conditional_lr_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    beta0: float = 0.0,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> Test:
    """Conditional likelihood ratio test of ``beta = beta0`` [moreira2003conditional].

    The likelihood ratio statistic referred to its law given the strength of the instruments, by
    quadrature (`conditional`). Classical: Moreira's. Robust or clustered: Kleibergen's statistic
    with the rank statistic in place of QT [kleibergen2005testing], as in ``weakiv``. The
    recommended test with several instruments. Why its law is conditional, and chi2(1) would be
    wrong, see `conditional_lr_set`.

    Parameters, errors and conventions as in `anderson_rubin_test`; it is refused as well where the
    joint covariance of reduced form and first stage is singular (no more than 2k clusters).
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return null_test(moments, "CLR", beta0, reference)


def j_test_at(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    beta0: float = 0.0,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> Test:
    """Overidentification test at ``beta0``: J = AR - K, chi2(k - 1), independent of K.

    It asks whether the instruments agree *if* the effect is ``beta0``, and keeps its size with weak
    instruments [kleibergen2005testing]. With one instrument there is nothing to compare, and the
    result says so. Parameters, errors and conventions as in `anderson_rubin_test`; with
    ``reference="F"`` the statistic reported is J / (k - 1).
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return null_test(moments, "J", beta0, reference)


def null_test(moments: Moments, statistic: str, beta0: float = 0.0, reference: str = "F") -> Test:
    """One of the four tests from the moments of one data set.

    Parameters
    ----------
    moments : Moments
        From `joint_moments`.
    statistic : ``"AR"``, ``"K"``, ``"CLR"`` or ``"J"``
    beta0, reference : as in `anderson_rubin_test`
    """
    choice(statistic, "statistic", STATISTICS)
    choice(reference, "reference", REFERENCES)
    beta0 = finite(beta0, "beta0")
    k = moments.n_instruments
    null = f"the effect is {beta0:g}"
    if statistic == "J":
        null = f"the instruments agree on an effect of {beta0:g}"
        if k == 1:
            return Test.not_applicable(_NAMES["J"], null, one_instrument_reason())
    if statistic == "CLR":
        refuse_singular(moments)
    ar, score, strength, ratio = null_statistics(moments, beta0)
    dof = denominator(moments, reference)
    if statistic == "CLR" and k > 1:
        p_value = float(conditional_p_value(ratio, strength, k, dof))
        law = "chi2" if dof is None else "F"
        words = f"conditional on strength {strength:.4g}, k = {k}" + (
            f", F({k}, {dof:g}) for chi2({k})" if law == "F" else ""
        )
        numbers: tuple[float, ...] = (k,) if dof is None else (k, dof)
        return Test(_NAMES["CLR"], ratio, p_value, words, numbers, null, moments.covariance)
    value, m = {"AR": (ar, k), "K": (score, 1), "CLR": (ratio, 1), "J": (ar - score, k - 1)}[
        statistic
    ]
    p_value = float(chi2_or_f_sf(value, m, dof))
    if dof is None:
        return Test(_NAMES[statistic], value, p_value, f"chi2({m})", (m,), null, moments.covariance)
    words = f"F({m}, {dof:g})"
    return Test(_NAMES[statistic], value / m, p_value, words, (m, dof), null, moments.covariance)


def null_statistics(moments: Moments, beta0: float) -> tuple[float, float, float, float]:
    """AR, K, strength (QT or rank statistic) and LR at ``beta0``, chi-square scale."""
    if moments.covariance != "classical":
        at = statistics_at(moments, beta0)
        ar, score = float(at.anderson_rubin), float(at.score)
        if singular_reason(moments):  # AR, K and J need no rank statistic
            return ar, score, math.nan, math.nan
        return ar, score, float(at.rank), float(at.likelihood_ratio)
    gram, sigma, k = moments.gram, moments.error_covariance, moments.n_instruments
    ar = float(score_statistic(gram, sigma, beta0))
    strength = float(strength_statistic(gram, sigma, beta0))
    if k == 1:
        return ar, ar, strength, ar
    roots = invariants(gram, sigma, k)
    # QT is computed on its own: trace - QS would lose digits when the two differ in size
    overidentification = min(float(roots.determinant) / strength, ar) if strength else ar
    return ar, ar - overidentification, strength, max(float(roots.larger) - strength, 0.0)


def denominator(moments: Moments, reference: str) -> float | None:
    """Denominator degrees of freedom under ``reference``, None for chi-square."""
    return moments.dof if choice(reference, "reference", REFERENCES) == "F" else None


def singular_reason(moments: Moments) -> str:
    """Why the conditional likelihood ratio test does not exist for these moments, or nothing."""
    k = moments.n_instruments
    if k == 1 or moments.covariance == "classical":
        return ""
    spread = np.sqrt(np.diag(moments.joint_covariance))
    smallest = np.linalg.eigvalsh(moments.joint_covariance / np.outer(spread, spread))[0]
    if smallest > _SINGULAR:
        return ""
    few = f" ({moments.dof + 1:g} clusters)" if moments.covariance == "clustered" else ""
    return (
        f"the joint covariance of the {2 * k} coefficients of reduced form and first stage is"
        f" singular{few}, and the rank statistic it conditions on does not exist"
    )


def refuse_singular(moments: Moments) -> None:
    """Refuse moments for which `singular_reason` has one."""
    reason = singular_reason(moments)
    if reason:
        name = "clusters" if moments.covariance == "clustered" else "z"
        raise ValueError(
            f"{name} does not allow the conditional likelihood ratio test: {reason}; use fewer"
            " instruments or finer clusters, the Anderson-Rubin or K test, or randomization"
            " inference"
        )


def one_instrument_reason() -> str:
    """Why no overidentification test exists with one instrument."""
    return (
        "one instrument for one exposure is just identified: some effect always satisfies it"
        " exactly, so its validity cannot be tested with these data"
    )
