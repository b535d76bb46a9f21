"""Hausman's test: O-I1, O-I3, both forms by hand, the case without a statistic, size."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nlswork import NLSWORK_TERMS
from numpy.testing import assert_allclose
from scipy import stats
from small_pool import arguments, small_pool

from pooledtrials.panels import fit, hausman_test

ALL = {"form": "contrast", "terms": "all"}


def of_grunfeld(frame, **options):
    return hausman_test(
        frame["inv"], frame["value"], frame["firm"], frame["year"], frame[["capital"]],
        effects="none", **options,
    )  # fmt: skip


def of_nlswork(frame, **options):
    controls = frame[[name for name in NLSWORK_TERMS if name != "age"]]
    return hausman_test(
        frame["ln_wage"], frame["age"], frame["idcode"], frame["year"], controls,
        effects="none", **options,
    )  # fmt: skip


# --- references -------------------------------------------------------------------------------


def test_o_i1(grunfeld):
    """R plm, printed to seven decimals."""
    found = of_grunfeld(grunfeld, **ALL)
    assert_allclose(found.statistic, 2.3303669, rtol=0, atol=5.1e-8)
    assert_allclose(found.p_value, 0.3118654, rtol=0, atol=5.1e-8)
    assert found.dof == (2,)
    assert found.distribution == "chi2(2)"


@pytest.mark.parametrize(("small_sample", "statistic"), [(False, 149.4326), (True, 176.3332)])
def test_o_i3_two_variants(nlswork, small_sample, statistic):
    """Stata's manual prints 149.43; plm has 176.3332 by the other patient variance."""
    found = of_nlswork(nlswork, small_sample=small_sample, **ALL)
    assert_allclose(found.statistic, statistic, rtol=0, atol=5.1e-5)
    assert found.dof == (8,)


# --- by hand --------------------------------------------------------------------------------------


def test_contrast_of_the_exposure_alone():
    pool = small_pool(4, per_trial=40)
    options = {"covariance": "classical"}
    fixed = fit(*arguments(pool), **options)
    random = fit(*arguments(pool), method="random effects", **options)
    want = (fixed.coefficient - random.coefficient) ** 2 / (
        fixed.standard_error**2 - random.standard_error**2
    )
    found = hausman_test(*arguments(pool), form="contrast")
    assert_allclose(found.statistic, want, rtol=1e-9)
    assert_allclose(found.p_value, stats.chi2.sf(want, 1), rtol=1e-9)
    assert found.covariance == "classical"


@given(st.integers(0, 300), st.booleans())
@settings(max_examples=10)
def test_forms_agree_with_one_residual_variance(seed, balanced):
    """Both of the textbook's forms, with the variances known, are one number."""
    pool = small_pool(seed, missed=0.0 if balanced else 0.3)
    y, x = pool["y"].to_numpy(), pool[["x", "c"]].to_numpy()
    pairs = pd.factorize(pool["trial"] + pool["patient"].astype(str))[0]
    same = np.equal.outer(pairs, pairs)
    V = 1.3 * np.eye(len(y)) + 0.7 * same
    weight = np.linalg.inv(V)
    average = same / same.sum(axis=1, keepdims=True)

    def gls(columns):
        inverse = np.linalg.inv(columns.T @ weight @ columns)
        return inverse @ columns.T @ weight @ y, inverse

    one = np.ones((len(y), 1))
    with_means, covariance = gls(np.hstack([x, average @ x, one]))
    means = with_means[2:4]
    regression = means @ np.linalg.solve(covariance[2:4, 2:4], means)
    random, random_covariance = gls(np.hstack([x, one]))
    within = x - average @ x
    fixed_covariance = 1.3 * np.linalg.inv(within.T @ within)
    d = fixed_covariance / 1.3 @ within.T @ y - random[:2]
    contrast = d @ np.linalg.solve(fixed_covariance - random_covariance[:2, :2], d)
    assert_allclose(contrast, regression, rtol=1e-6)


@pytest.mark.parametrize("terms", ["exposure", "all"])
@pytest.mark.parametrize("covariance", ["clustered", "classical", "robust"])
def test_regression_form_by_hand(terms, covariance):
    """Quasi-demeaned least squares with the means of everything, its Wald statistic."""
    pool = small_pool(5)
    pairs = pd.factorize(pool["trial"] + pool["patient"].astype(str))[0]
    frame = pool[["x", "c"]].join(
        pd.get_dummies(pool["trial"] + pool["wave"].astype(str), dtype=float)
    )
    means = frame.groupby(pairs).transform("mean")
    joined = np.column_stack([means["x"], means["c"], frame["x"], frame["c"], pool["d"]])
    rest = np.column_stack([frame.iloc[:, 2:], means.iloc[:, 2:]])
    # cells' means less what they have in common with the cells
    basis, size, _ = np.linalg.svd(rest, full_matrices=False)
    X = np.column_stack([joined, basis[:, size > 1e-10 * size[0]]])
    theta = fit(*arguments(pool), method="mundlak").theta
    share = pd.Series(np.bincount(pairs)[pairs]).map(theta).to_numpy()

    def quasi(values):
        return values - share[:, None] * pd.DataFrame(values).groupby(pairs).transform("mean")

    X, y = quasi(X).to_numpy(), quasi(pool[["y"]].to_numpy()).to_numpy()[:, 0]
    bread = np.linalg.inv(X.T @ X)
    b = bread @ X.T @ y
    residual = y - X @ b
    n, k = X.shape
    if covariance == "classical":
        V = residual @ residual / (n - k) * bread
    else:
        scores = X * residual[:, None]
        factor = n / (n - k)
        if covariance == "clustered":
            scores = pd.DataFrame(scores).groupby(pairs).sum().to_numpy()
            factor = len(scores) / (len(scores) - 1) * (n - 1) / (n - k)
        V = factor * bread @ scores.T @ scores @ bread
    q = 1 if terms == "exposure" else 2
    want = b[:q] @ np.linalg.solve(V[:q, :q], b[:q]) / q
    found = hausman_test(*arguments(pool), terms=terms, covariance=covariance)
    assert_allclose(found.statistic, want, rtol=1e-7)
    dof = pairs.max() if covariance == "clustered" else n - k
    assert found.dof == (q, dof)
    assert_allclose(found.p_value, stats.f.sf(want, q, dof), rtol=1e-6)


def test_contextual_coefficient_is_the_regression_form():
    pool = small_pool(6)
    found = hausman_test(*arguments(pool))
    contextual = fit(*arguments(pool), method="mundlak").contextual
    assert_allclose(found.statistic, contextual.t_value**2, rtol=1e-10)


# --- where there is no statistic ------------------------------------------------------------------


def contrasts(seeds, **options):
    return {seed: hausman_test(*arguments(small_pool(seed)), **ALL, **options) for seed in seeds}


def test_covariances_whose_difference_is_not_positive_definite():
    """Small unbalanced panels have it now and then: the answer is words, not a number."""
    found = contrasts(range(40))
    without = {seed: test for seed, test in found.items() if not test.applicable}
    assert 0 < len(without) < 40
    for seed, test in found.items():
        data, classical = arguments(small_pool(seed)), {"covariance": "classical"}
        fixed = fit(*data, **classical).covariance_matrix
        random = fit(*data, method="random effects", **classical).covariance_matrix
        definite = np.linalg.eigvalsh(fixed - random.loc[fixed.index, fixed.index]).min() > 0
        assert definite == test.applicable
    for seed, test in without.items():
        assert math.isnan(test.statistic)
        assert "not positive definite" in test.reason
        assert "form='regression'" in test.reason
        assert hausman_test(*arguments(small_pool(seed)), terms="all").applicable


def test_fewer_clusters_than_terms():
    pool = small_pool(0)
    y, x, patients, waves, controls, _, trials = arguments(pool)
    more = controls.assign(e=np.sin(pool["x"] * 3), f=np.cos(pool["c"] * 2))
    found = hausman_test(
        y, x, patients, waves, more, pool["trial"], trials, terms="all", effects="none"
    )
    assert "3 clusters cannot test 4 terms" in found.reason
    assert hausman_test(y, x, patients, waves, more, pool["trial"], trials, effects="none").dof == (
        1,
        2,
    )


# --- invariances and size -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"terms": "all"}, {"form": "contrast"}, ALL], ids=["one", "all", "c1", "call"]
)
def test_order_labels_units_and_cells(options):
    pool = small_pool(7, per_trial=30)
    want = hausman_test(*arguments(pool), **options)
    assert want.applicable
    moved = pool.sample(frac=1, random_state=2).assign(
        y=lambda rows: 8 - 30 * rows["y"] + 3.0 * rows["wave"],
        x=lambda rows: rows["x"] / 7 + 100,
        c=lambda rows: 1 - rows["c"],
        trial=lambda rows: rows["trial"].map({"t0": "m", "t1": "a", "t2": "z"}),
    )
    found = hausman_test(*arguments(moved), **options)
    assert_allclose(found.statistic, want.statistic, rtol=1e-6)
    assert found.dof == want.dof


def test_size_and_power():
    """At 5 %: within the binomial's bounds when patients do not select, mostly 1 when they do."""
    draws = 150
    under = [
        hausman_test(*arguments(small_pool(seed, per_trial=20, selection=0.0), ("c",))).p_value
        for seed in range(draws)
    ]
    # c measures the patient's effect with noise, but x has nothing of the effect beyond c's part.
    low, high = stats.binom.ppf(0.0005, draws, 0.05), stats.binom.ppf(0.9995, draws, 0.065)
    assert low <= sum(p < 0.05 for p in under) <= high
    over = [
        hausman_test(*arguments(small_pool(seed, per_trial=20, selection=0.8), ("c",))).p_value
        for seed in range(20)
    ]
    assert sum(p < 0.05 for p in over) >= 16
