"""Identities and invariances that no reference number can replace, on generated data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.instruments import (
    anderson_rubin_set,
    anderson_rubin_test,
    conditional_lr_set,
    conditional_lr_test,
    first_stage,
    fuller,
    jive,
    kleibergen_set,
    kleibergen_test,
    liml,
    ols,
    rank_lm_test,
    tsls,
)

COVARIANCES = ("classical", "robust", "clustered")


class Data:
    """One generated data set; ``arguments`` in the package's order."""

    def __init__(self, seed, k, strength, n=120):
        g = np.random.default_rng(seed)
        self.controls = g.normal(size=(n, 2))
        self.z = g.normal(size=(n, k)) + self.controls[:, :1]
        v = g.normal(size=n) * np.exp(0.3 * self.z[:, 0])
        self.x = self.z @ np.full(k, strength) + self.controls @ [1, -1] + v
        self.y = 0.7 * self.x + 0.8 * v + g.normal(size=n) + self.controls @ [0.5, 1]
        self.clusters = g.integers(0, 15, n)
        self.generator = g

    def arguments(self, covariance="robust", **changes):
        parts = {"y": self.y, "x": self.x, "z": self.z, "controls": self.controls} | changes
        clusters = self.clusters if covariance == "clustered" else None
        return (parts["y"], parts["x"], parts["z"], parts["controls"], clusters)


def options(covariance):
    return {} if covariance == "clustered" else {"covariance": covariance}


generated = st.builds(
    Data, st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([0.0, 0.1, 0.5])
)
covariances = st.sampled_from(COVARIANCES)
quick = settings(max_examples=25, deadline=None)


@quick
@given(generated, covariances)
def test_one_instrument_all_tests_are_one(data, covariance):
    one = data.arguments(covariance, z=data.z[:, :1])
    found = [
        t(*one, beta0=0.3, **options(covariance))
        for t in (anderson_rubin_test, kleibergen_test, conditional_lr_test)
    ]
    assert len({(t.statistic, t.p_value) for t in found}) == 1
    sets = [
        s(*one, **options(covariance))
        for s in (anderson_rubin_set, kleibergen_set, conditional_lr_set)
    ]
    assert sets[0] == sets[1] == sets[2]
    stage = first_stage(*one, **options(covariance))
    assert_allclose(stage.effective.statistic, stage.f_test.statistic, rtol=1e-9)
    assert_allclose(stage.f_test.statistic, (stage.to_frame()["t"] ** 2).iloc[0], rtol=1e-9)


@quick
@given(generated, covariances, st.sampled_from(["F", "chi2"]), st.sampled_from([0.8, 0.95]))
def test_anderson_rubin_set_is_bounded_iff_the_first_stage_is_significant(
    data, covariance, reference, level
):
    found = anderson_rubin_set(
        *data.arguments(covariance), level=level, reference=reference, **options(covariance)
    )
    stage = first_stage(*data.arguments(covariance), **options(covariance)).f_test
    k = stage.dof[0]
    p_value = stage.p_value if reference == "F" else stats.chi2.sf(stage.statistic * k, k)
    assert found.bounded == (p_value < 1 - level)


@quick
@given(generated, covariances)
def test_rotating_and_scaling_instruments_changes_nothing(data, covariance):
    k = data.z.shape[1]
    turn = data.generator.normal(size=(k, k)) + 2 * np.eye(k)
    moved = data.arguments(covariance, z=data.z @ turn * 1e3 + 5)
    same = data.arguments(covariance)
    for test in (anderson_rubin_test, kleibergen_test, conditional_lr_test):
        one, two = (test(*a, beta0=0.2, **options(covariance)) for a in (same, moved))
        assert_allclose(one.statistic, two.statistic, rtol=1e-7, atol=1e-10)
    one, two = (first_stage(*a, **options(covariance)) for a in (same, moved))
    assert_allclose(one.f_test.statistic, two.f_test.statistic, rtol=1e-7)
    assert_allclose(one.effective.statistic, two.effective.statistic, rtol=1e-7)
    assert_allclose(one.effective.tsls_bias, two.effective.tsls_bias, rtol=1e-6)
    for estimator in (tsls, liml, fuller):
        one, two = (estimator(*a, **options(covariance)) for a in (same, moved))
        assert_allclose(one.coefficient, two.coefficient, rtol=1e-7)
        assert_allclose(one.standard_error, two.standard_error, rtol=1e-7)


@quick
@given(generated, covariances)
def test_frisch_waugh(data, covariance):
    """Residuals on the controls in place of the variables: the same statistics, up to factors."""
    w = np.column_stack([np.ones(data.y.size), data.controls])

    def out(v):
        return v - w @ np.linalg.lstsq(w, v, rcond=None)[0]

    same = data.arguments(covariance)
    residual = data.arguments(covariance, y=out(data.y), x=out(data.x), z=out(data.z))
    one, two = (first_stage(*a, **options(covariance)) for a in (same, residual))
    assert_allclose(one.effective.statistic, two.effective.statistic, rtol=1e-8)
    assert_allclose(one.coefficients, two.coefficients, rtol=1e-7, atol=1e-12)
    one, two = (rank_lm_test(*a) for a in (same, residual))
    assert_allclose(one.statistic, two.statistic, rtol=1e-8)
    one, two = (anderson_rubin_set(*a, **options(covariance)) for a in (same, residual))
    assert_allclose(one.end_points, two.end_points, rtol=1e-6)


@quick
@given(generated, covariances, st.floats(-3, 3), st.sampled_from([-4.0, 0.01, 50.0]))
def test_sets_and_estimates_follow_shift_and_scale(data, covariance, shift, scale):
    """y + shift x moves every effect by shift, scale y by scale, controls in y do not matter."""
    y = scale * (data.y + shift * data.x) + data.controls @ [3.0, -2.0] + 7
    same, moved = data.arguments(covariance), data.arguments(covariance, y=y)
    for estimator in (ols, tsls, liml, fuller):
        one, two = (estimator(*a, **options(covariance)) for a in (same, moved))
        want = scale * (one.coefficient + shift)
        assert_allclose(two.coefficient, want, rtol=1e-6, atol=1e-7 * abs(scale))
        assert_allclose(two.standard_error, abs(scale) * one.standard_error, rtol=1e-6)
    for make in (anderson_rubin_set, kleibergen_set, conditional_lr_set):
        one, two = (make(*a, **options(covariance)) for a in (same, moved))
        want = one.shifted_and_scaled(scale * shift, scale)
        assert one.kind == two.kind
        size = abs(scale) * (1 + abs(shift))
        assert_allclose(two.end_points, want.end_points, rtol=1e-5, atol=1e-6 * size)


@quick
@given(generated, covariances)
def test_anderson_rubin_is_the_squared_t_of_the_instrument(data, covariance):
    """One instrument: AR at b is t squared of z in the regression of y - b x."""
    z, b = data.z[:, :1], 0.4
    found = anderson_rubin_test(*data.arguments(covariance, z=z), beta0=b, **options(covariance))
    # the same t is that of the first stage with y - b x as the exposure
    reduced = data.arguments(covariance, y=data.x, x=data.y - b * data.x, z=z)
    t = first_stage(*reduced, **options(covariance)).to_frame()["t"].iloc[0]
    assert_allclose(found.statistic, t**2, rtol=1e-8)


@quick
@given(generated, covariances)
def test_p_values_at_end_points(data, covariance):
    for make, test in (
        (anderson_rubin_set, anderson_rubin_test),
        (kleibergen_set, kleibergen_test),
        (conditional_lr_set, conditional_lr_test),
    ):
        found = make(*data.arguments(covariance), **options(covariance))
        for point in found.end_points:
            if abs(point) > 1e4:  # the p-value is flat there, and its digits are few
                continue
            p_value = test(*data.arguments(covariance), beta0=point, **options(covariance)).p_value
            assert_allclose(p_value, 0.05, rtol=1e-5)


@quick
@given(generated)
def test_order_of_rows_labels_and_containers_do_not_matter(data):
    order = data.generator.permutation(data.y.size)
    names = np.array([f"site {c}" for c in data.clusters], dtype=object)
    plain = (*data.arguments()[:4], data.clusters)
    moved = (data.y[order], data.x[order], data.z[order], data.controls[order], names[order])
    frames = (
        pd.Series(data.y), pd.Series(data.x), pd.DataFrame(data.z), pd.DataFrame(data.controls),
        pd.Series(names),
    )  # fmt: skip
    wanted = anderson_rubin_set(*plain)
    for other in (moved, frames):
        assert_allclose(anderson_rubin_set(*other).end_points, wanted.end_points, rtol=1e-7)


@quick
@given(generated)
def test_strata_are_indicator_controls(data):
    strata = data.clusters % 3
    dummies = np.column_stack([data.controls, np.eye(3)[strata][:, 1:]])
    one = conditional_lr_set(data.y, data.x, data.z, data.controls, None, strata)
    two = conditional_lr_set(data.y, data.x, data.z, dummies)
    assert one.kind == two.kind
    assert_allclose(one.end_points, two.end_points, rtol=1e-6)
    one, two = (
        tsls(data.y, data.x, data.z, data.controls, None, strata),
        tsls(data.y, data.x, data.z, dummies),
    )
    assert_allclose(one.standard_error, two.standard_error, rtol=1e-8)


def test_arguments_are_not_modified():
    data = Data(1, 2, 0.3)
    before = [np.array(a, copy=True) for a in data.arguments("clustered")]
    for function in (anderson_rubin_set, conditional_lr_set, first_stage, jive, liml):
        function(*data.arguments("clustered"))
    for a, b in zip(before, data.arguments("clustered"), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_clusters_of_one_row_are_robust_up_to_the_factor(covariance):
    data = Data(2, 2, 0.3)
    rows = np.arange(data.y.size)
    one = anderson_rubin_test(*data.arguments()[:4], rows, debiased=False, reference="chi2")
    two = anderson_rubin_test(*data.arguments()[:4], debiased=False, reference="chi2")
    assert_allclose(one.statistic, two.statistic, rtol=1e-10)
