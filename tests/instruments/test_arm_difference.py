"""Intention to treat: O-G1, O-G2, statsmodels, the first stage and the reduced form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from card_controls import CARD_4
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pooledtrials.instruments import arm_difference, first_stage, tsls, wald_ratio


def pair(found):
    return found.coefficient, found.standard_error


def test_o_g1_vitamin_a(vitamin_a, truths):
    want = truths["O-G1"]
    assert_allclose(
        arm_difference(vitamin_a["y"], vitamin_a["z"]).coefficient, want["itt"], rtol=1e-9
    )
    assert_allclose(
        arm_difference(vitamin_a["x"], vitamin_a["z"]).coefficient, want["first_stage"], rtol=1e-9
    )


def test_o_g2_jobs(jobs, truths):
    """Intention to treat, and beside it the two comparisons that randomization does not protect."""
    want = truths["O-G2"]
    found = arm_difference(jobs["depress2"], jobs["treat"], covariance="classical")
    assert_allclose(pair(found), want["itt"], rtol=1e-8)
    found = arm_difference(jobs["comply"], jobs["treat"])
    assert_allclose(found.coefficient, want["first_stage"], rtol=1e-12)
    as_treated = arm_difference(jobs["depress2"], jobs["comply"])
    assert_allclose(as_treated.coefficient, want["as_treated"], rtol=1e-8)
    kept = jobs[jobs["comply"] == jobs["treat"]]
    per_protocol = arm_difference(kept["depress2"], kept["treat"])
    assert_allclose(per_protocol.coefficient, want["per_protocol"], rtol=1e-8)


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("kind", ["classical", "robust", "clustered"])
def test_equal_to_statsmodels(card, kind, debiased):
    """Coefficient and error of z in OLS: non-robust, HC1 or HC0, CR1 or CR0."""
    controls, strata = card[CARD_4], card["reg661"] + 2 * card["reg662"]
    regressors = pd.concat(
        [card["nearc4"], controls, pd.get_dummies(strata, drop_first=True, dtype=float)], axis=1
    )
    model = sm.OLS(card["lwage"], sm.add_constant(regressors.rename(columns=str)))
    if kind == "clustered":
        want = model.fit(
            cov_type="cluster",
            cov_kwds={"groups": card["age"], "use_correction": debiased},
        )
    else:
        names = {"classical": "nonrobust", "robust": "HC1" if debiased else "HC0"}
        want = model.fit(cov_type=names[kind])
    error = want.bse["nearc4"]
    if kind == "classical" and not debiased:
        error *= np.sqrt(want.df_resid / want.nobs)
    found = arm_difference(
        card["lwage"],
        card["nearc4"],
        controls,
        card["age"] if kind == "clustered" else None,
        strata,
        covariance="classical" if kind == "classical" else "robust",
        debiased=debiased,
    )
    assert_allclose(found.coefficient, want.params["nearc4"], rtol=1e-9)
    assert_allclose(found.standard_error, error, rtol=1e-9)
    assert found.covariance == kind
    assert found.dof == (10 if kind == "clustered" else want.df_resid)


@pytest.mark.parametrize("kind", ["classical", "robust", "clustered"])
def test_first_stage_reduced_form_and_their_quotient(card, kind):
    clusters = card["age"] if kind == "clustered" else None
    rest = (card["nearc4"], card[CARD_4], clusters)
    options = {} if kind == "clustered" else {"covariance": kind}
    exposure = arm_difference(card["educ"], *rest, **options)
    stage = first_stage(card["lwage"], card["educ"], *rest, **options)
    assert_allclose(pair(exposure), [stage.coefficients[0], stage.standard_errors[0]], rtol=1e-10)
    outcome = arm_difference(card["lwage"], *rest, **options)
    ratio = wald_ratio(card["lwage"], card["educ"], *rest, **options)
    assert_allclose(pair(outcome), pair(ratio.intention_to_treat), rtol=1e-10)
    assert outcome.dof == ratio.intention_to_treat.dof
    quotient = outcome.coefficient / exposure.coefficient
    assert_allclose(quotient, tsls(card["lwage"], card["educ"], *rest).coefficient, rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-5, 5), st.floats(0.1, 10))
def test_difference_of_means_shift_scale_and_permutation(seed, shift, scale):
    g = np.random.default_rng(seed)
    n = 60
    z = g.permutation(np.repeat([0.0, 1.0], [20, 40]))
    y = g.normal(size=n) * (1 + z)
    found = arm_difference(y, z)
    assert_allclose(found.coefficient, y[z == 1].mean() - y[z == 0].mean(), atol=1e-12)
    order = g.permutation(n)
    moved = arm_difference(shift + scale * y[order], z[order])
    assert_allclose(moved.coefficient, scale * found.coefficient, rtol=1e-8, atol=1e-9)
    assert_allclose(moved.standard_error, scale * found.standard_error, rtol=1e-8)
    swapped = arm_difference(y, 1 - z)
    assert_allclose(
        pair(swapped), [-found.coefficient, found.standard_error], rtol=1e-8, atol=1e-12
    )


def test_strata_weigh_by_size_and_share_assigned():
    g = np.random.default_rng(5)
    strata = np.repeat([0, 1, 2], [30, 50, 80])
    z = (g.random(160) < np.array([0.3, 0.5, 0.7])[strata]).astype(float)
    y = g.normal(size=160) + strata + z * strata
    parts = [arm_difference(y[strata == s], z[strata == s]).coefficient for s in range(3)]
    shares = np.array([z[strata == s].mean() for s in range(3)])
    weights = np.bincount(strata) * shares * (1 - shares)
    found = arm_difference(y, z, None, None, strata).coefficient
    assert_allclose(found, np.average(parts, weights=weights), rtol=1e-10)


def test_nominal_error_covers_in_a_small_trial_with_unequal_arms():
    """HC1 and t, arms of 20 and 40 with variances of 1 and 4: coverage within binomial bounds."""
    g = np.random.default_rng(9)
    reps, covered = 2000, 0
    z = np.repeat([0.0, 1.0], [20, 40])
    for _ in range(reps):
        y = g.normal(size=60) * (1 + z) + 0.5 * z
        covered += arm_difference(y, z).interval(0.95, "t").contains(0.5)
    assert abs(covered / reps - 0.95) < 4 * np.sqrt(0.95 * 0.05 / reps)
