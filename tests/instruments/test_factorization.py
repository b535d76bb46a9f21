"""R alone says what Q would say, and Q is formed only where rows are weighed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    conditional_lr_test,
    joint_moments,
    liml,
    null_test,
    partial_out,
    robust_set,
    tsls,
)
from pooledtrials.instruments.partialling import factor_one


def generated(seed: int = 0, n: int = 300, k: int = 3) -> tuple[np.ndarray, ...]:
    g = np.random.default_rng(seed)
    controls = g.normal(size=(n, 2)) * [1.0, 1e4] + [0.0, 1e5]
    z = g.normal(size=(n, k)) + controls[:, :1]
    v = g.normal(size=n)
    x = z @ np.full(k, 0.2) + v
    return 0.5 * x + 0.8 * v + g.normal(size=n) + 40, x, z, controls


def eager(y, x, z, controls, strata):
    """Partialling out by least squares, column by column."""
    indicators = np.eye(int(strata.max()) + 1)[strata]
    w = np.column_stack([indicators, controls])

    def outside(v, columns):
        return v - columns @ np.linalg.lstsq(columns, v, rcond=None)[0]

    q = np.linalg.qr(outside(z, w))[0]
    pair = np.column_stack([outside(y, w), outside(x, w)])
    left = pair - q @ (q.T @ pair)
    return q, pair, left


@pytest.mark.parametrize("seed", range(3))
def test_what_r_says_is_what_least_squares_says(seed):
    y, x, z, controls = generated(seed)
    strata = np.random.default_rng(seed).integers(0, 4, y.size)
    data = partial_out(y, x, z, controls, None, strata)
    q, pair, left = eager(y, x, z, controls, strata)
    moments = joint_moments(data, "classical")
    gram = pair.T @ q @ q.T @ pair
    assert_allclose(moments.gram, gram, rtol=1e-10)
    assert_allclose(moments.residual_gram, left.T @ left, rtol=1e-10)
    assert "orthonormal" not in data.factors.__dict__
    assert_allclose(data.q @ data.q.T, q @ q.T, atol=1e-12)
    assert_allclose(data.y, pair[:, 0], atol=1e-9)
    assert_allclose(data.x, pair[:, 1], atol=1e-9)
    assert_allclose(data.y_residual, left[:, 0], atol=1e-9)
    assert_allclose(data.x_residual, left[:, 1], atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_lazy_and_eager_paths_agree(seed):
    """Moments read off R equal those summed over the rows of Q, to rounding."""
    y, x, z, controls = generated(seed)
    data = partial_out(y, x, z, controls)
    assert_allclose(data.q.T @ data.y, data.reduced_form, rtol=1e-12, atol=1e-12)
    assert_allclose(data.q.T @ data.x, data.first_stage, rtol=1e-12, atol=1e-12)
    residuals = np.column_stack([data.y_residual, data.x_residual])
    assert_allclose(residuals.T @ residuals, data.residual_gram, rtol=1e-12)
    own = np.column_stack([np.ones(y.size), controls, z])
    assert_allclose(own.T @ residuals, 0, atol=1e-6 * np.abs(own).max())
    whole = data.factors.orthonormal
    assert_allclose(whole.T @ whole, np.eye(whole.shape[1]), atol=1e-13)
    assert_allclose(whole @ data.factors.triangle[:, -2:], np.column_stack([x, y]), rtol=1e-12)


@pytest.mark.parametrize("covariance", ["classical", "robust"])
def test_only_weighted_rows_need_q(covariance):
    y, x, z, controls = generated()
    data = partial_out(y, x, z, controls)
    moments = joint_moments(data, covariance)
    for statistic in ("AR", "K", "CLR", "J"):
        null_test(moments, statistic)
        robust_set(moments, statistic)
    formed = "orthonormal" in data.factors.__dict__
    assert formed == (covariance == "robust")


def test_order_in_which_things_are_asked_for_does_not_matter():
    y, x, z, controls = generated()
    one, two = partial_out(y, x, z, controls), partial_out(y, x, z, controls)
    q_first = (one.q, one.y, joint_moments(one).omega)
    omega_first = (joint_moments(two).omega, two.y, two.q)
    for a, b in zip(q_first, omega_first[::-1], strict=True):
        assert np.array_equal(a, b)


def test_arguments_and_results_share_no_memory():
    y, x, z, controls = generated()
    kept = y.copy()
    data = partial_out(y, x, z, controls)
    y[:] = 0
    assert_allclose(data.raw_y, kept)
    assert_allclose(data.factors.orthonormal @ data.factors.triangle[:, -1], kept, rtol=1e-12)


def test_as_few_rows_as_there_can_be():
    g = np.random.default_rng(3)
    y, x, z = g.normal(size=5), g.normal(size=5), g.normal(size=(5, 2))
    assert np.isfinite(tsls(y, x, z, covariance="classical").standard_error)
    assert np.isfinite(liml(y, x, z, covariance="classical").coefficient)
    assert 0 <= conditional_lr_test(y, x, z, covariance="classical").p_value <= 1
    with pytest.raises(ValueError, match=r"y has 4 rows, too few .* at least 5 are needed"):
        tsls(y[:4], x[:4], z[:4])
    with pytest.raises(ValueError, match=r"x has 3 rows, too few .* at least 4 are needed"):
        factor_one(x[:3], z[:3], "x")


def test_one_variable_may_bear_the_instruments_name():
    """A design has no outcome: what stands in for one is named after what could be wrong, z."""
    g = np.random.default_rng(4)
    z, strata = g.normal(size=(40, 2)), np.arange(40) % 3
    data = factor_one(g.normal(size=40), z, "z", None, None, strata)
    assert data.n_partialled == 3
    within = z - np.array([z[strata == s].mean(axis=0) for s in range(3)])[strata]
    assert_allclose(data.q @ data.r, within, atol=1e-13)
    with pytest.raises(ValueError, match="z column z1 is a linear combination"):
        factor_one(g.normal(size=40), np.column_stack([z[:, 0], z[:, 0]]), "z")
