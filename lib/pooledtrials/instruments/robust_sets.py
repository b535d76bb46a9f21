"""Confidence sets that keep their coverage however weak the instruments: tests, inverted exactly.

A set holds every effect its test accepts, and may be empty, an interval, two rays, the whole line
or several pieces. Classical sets of AR, K, CLR and J are unions of quadratic inequalities
(`homoskedastic_panel`), the robust and clustered AR set is bounded by the roots of a matrix
polynomial (`robust_panel`), and those of the robust K, CLR and J are searched for on the circle by
interpolants that prove that no root was missed (`inversion`).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pooledtrials.arguments import Columns, choice, fraction
from pooledtrials.confidence_set import ConfidenceSet, whole_line
from pooledtrials.instruments import homoskedastic_panel as panel
from pooledtrials.instruments.acceptance import acceptance_strength
from pooledtrials.instruments.conditional import chi2_or_f_isf, conditional_p_value
from pooledtrials.instruments.inversion import accepted_on_circle
from pooledtrials.instruments.moments import Moments, joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.robust_panel import anderson_rubin_roots, on_circle
from pooledtrials.instruments.robust_tests import (
    STATISTICS,
    denominator,
    one_instrument_reason,
    refuse_singular,
)


def anderson_rubin_set(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> ConfidenceSet:
    """Effects that the Anderson-Rubin test accepts, by exact inversion.

    Classical: the roots of ``a'(A - c sigma)a`` with ``a = (1, -b)``. Robust and clustered: the
    real eigenvalues of ``c V(b) - m(b)m(b)'``. The Wald-form set is bounded exactly when the
    first-stage F of the same convention is significant at ``1 - level``. Empty means that no
    effect makes all instruments agree.

    Parameters
    ----------
    level : float
        Confidence level.
    y, x, z, controls, clusters, strata, covariance, form, debiased, reference
        As in `anderson_rubin_test`.

    Returns
    -------
    ConfidenceSet

    Raises
    ------
    ValueError
        For unusable arguments, see `partial_out`.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return robust_set(moments, "AR", level, reference)


def kleibergen_set(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> ConfidenceSet:
    """Effects that Kleibergen's K test accepts; often in several pieces.

    Pieces away from the estimate surround other stationary points of the likelihood, where K has
    no power: read it beside the CLR set. Parameters and errors as in `anderson_rubin_set`.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return robust_set(moments, "K", level, reference)


def conditional_lr_set(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> ConfidenceSet:
    """Effects that the conditional likelihood ratio test accepts.

    Classical: LR = M - QT, so the test accepts when QT is at least the q* with
    ``q* + c(q*) = M``, a quadratic inequality; never empty [mikusheva2010robust]. Robust: see
    `inversion`. Parameters and errors as in `anderson_rubin_set`.

    The unconditional likelihood ratio set, LR at most the critical value of chi2(1), is not offered
    though other programs do: that value belongs to strong instruments, and the set covers too
    seldom just where it is needed (with ten irrelevant instruments 61 % of the time, for 95 %).

    Raises
    ------
    ValueError
        Also where the joint covariance of reduced form and first stage is singular, as with no more
        than 2k clusters: the rank statistic does not exist.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return robust_set(moments, "CLR", level, reference)


def j_set(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    covariance: str = "robust",
    form: str = "wald",
    debiased: bool = True,
    reference: str = "F",
) -> ConfidenceSet:
    """Effects on which the instruments agree, by J = AR - K. It needs two instruments or more.

    Not an efficient set for the effect: J has no power in the direction K tests. Parameters and
    errors as in `anderson_rubin_set`.

    Raises
    ------
    ValueError
        With one instrument, or for unusable arguments.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    moments = joint_moments(data, covariance, form=form, debiased=debiased)
    return robust_set(moments, "J", level, reference)


def robust_set(
    moments: Moments, statistic: str, level: float = 0.95, reference: str = "F"
) -> ConfidenceSet:
    """One of the four sets from the moments of one data set; see `null_test`."""
    choice(statistic, "statistic", STATISTICS)
    alpha = 1 - fraction(level, "level")
    dof, k = denominator(moments, reference), moments.n_instruments
    if k == 1:
        if statistic == "J":
            raise ValueError(f"z has 1 column, too few for a J set: {one_instrument_reason()}")
        statistic = "AR"
    if moments.covariance == "classical":
        return _classical(moments, statistic, level, dof)
    if statistic == "AR":
        found = anderson_rubin_roots(moments, chi2_or_f_isf(alpha, k, dof))
        if found is not None:
            return replace(found, level=level)
    if statistic == "CLR":
        refuse_singular(moments)
    circle = on_circle(moments)
    bound = chi2_or_f_isf(alpha, {"AR": k, "K": 1}.get(statistic, k - 1), dof)

    def margin(angle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        at = circle.at(angle)
        if statistic == "AR":
            return bound - at.anderson_rubin
        if statistic == "K":
            return bound - at.score
        if statistic == "J":
            return bound - at.overidentification
        return conditional_p_value(at.likelihood_ratio, at.rank, k, dof) - alpha

    return accepted_on_circle(circle, margin, level)


def _classical(moments: Moments, statistic: str, level: float, dof: float | None) -> ConfidenceSet:
    gram, sigma, k = moments.gram, moments.error_covariance, moments.n_instruments
    alpha = 1 - level
    if statistic == "AR":
        bound = chi2_or_f_isf(alpha, k, dof)
        return panel.lower_set(gram, sigma, bound).confidence_set(level)
    roots = panel.invariants(gram, sigma, k)
    if statistic == "CLR":
        needed = acceptance_strength(float(roots.larger), alpha, k, dof)
        if needed == 0.0:
            return whole_line(level)
        return panel.lower_set(gram, sigma, roots.trace - needed).confidence_set(level)
    if statistic == "J":  # det / QT <= c
        bound = chi2_or_f_isf(alpha, k - 1, dof)
        return panel.lower_set(gram, sigma, roots.trace - roots.determinant / bound).confidence_set(
            level
        )
    low, high, everywhere = panel.lm_bounds(roots, chi2_or_f_isf(alpha, 1, dof))
    if bool(everywhere) or math.isclose(float(low), float(high), rel_tol=1e-13):
        return whole_line(level)
    near = panel.lower_set(gram, sigma, low).confidence_set(level)
    return near.union(panel.upper_set(gram, sigma, high).confidence_set(level))
