"""E-values against O-J2 and printed ones, and their algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pooledtrials.results import Estimate
from pooledtrials.selection import bounding_factor, e_value, e_value_difference

COMMON_OR = "odds ratio, common outcome"


@pytest.mark.parametrize(
    ("ratio", "measure", "point", "limit"),
    [
        ((3.9, 1.8, 8.7), "risk ratio", 7.2630343, 3.0),
        ((0.80, 0.71, 0.91), "risk ratio", 1.8090170, 1.4285714),
        ((0.86, 0.75, 0.99), COMMON_OR, 1.3689529, 1.0761939),
        ((1.5, 0.9, 2.5), "risk ratio", 2.3660254, 1.0),
    ],
)
def test_o_j2(ratio, measure, point, limit):
    """O-J2, VanderWeele and Ding (2017) and the documentation of R's EValue."""
    found = e_value(*ratio, measure=measure)
    assert_allclose([found.point, found.limit], [point, limit], atol=5e-8)


def test_smoking_and_lung_cancer_as_printed():
    """[vanderweele2017sensitivity]: risk ratio 10.73 (8.02 to 14.36), E-values 20.9 and 15.5."""
    found = e_value(10.73, 8.02, 14.36)
    assert_allclose([found.point, found.limit], [20.9, 15.5], atol=0.05)


@given(st.floats(1.001, 1e3))
def test_a_confounder_as_strong_as_the_e_value_just_explains_the_ratio(ratio):
    strength = e_value(ratio).point
    assert bounding_factor(strength, strength) == pytest.approx(ratio, rel=1e-9)
    assert bounding_factor(0.999 * strength, strength) < ratio


@given(st.floats(1.0, 1e3), st.floats(1.0, 1e3))
def test_larger_ratios_have_larger_e_values(a, b):
    low, high = sorted((a, b))
    assert e_value(low).point <= e_value(high).point


@given(st.floats(0.01, 100), st.floats(1.01, 3), st.floats(0.2, 5))
def test_inverting_a_ratio_and_its_limits_changes_nothing(ratio, spread, null):
    limits = (ratio / spread, ratio * spread)
    one = e_value(ratio, *limits, null=null)
    other = e_value(1 / ratio, 1 / limits[1], 1 / limits[0], null=1 / null)
    assert_allclose([one.point, one.limit], [other.point, other.limit], rtol=1e-6)


@given(st.floats(0.1, 10), st.floats(0.2, 5))
def test_a_null_other_than_one_divides_the_ratio(ratio, null):
    assert e_value(ratio, null=null).point == pytest.approx(e_value(ratio / null).point, rel=1e-6)


@pytest.mark.parametrize("kind", ["odds", "hazard"])
def test_a_ratio_of_a_rare_outcome_is_taken_as_it_is_and_a_common_one_is_shrunk(kind):
    rare = e_value(2.0, measure=f"{kind} ratio, rare outcome")
    common = e_value(2.0, measure=f"{kind} ratio, common outcome")
    assert rare.point == e_value(2.0).point
    assert 1 < common.point < rare.point
    assert e_value(1.0, measure=f"{kind} ratio, common outcome").point == 1.0


def test_hazard_ratio_of_a_common_outcome():
    """Formula of [vanderweele2017sensitivity] written out: HR .56 (.46 to .69)."""
    found = e_value(0.56, 0.46, 0.69, measure="hazard ratio, common outcome")
    ratios = [(1 - 0.5 ** math.sqrt(h)) / (1 - 0.5 ** math.sqrt(1 / h)) for h in (0.56, 0.46, 0.69)]
    assert_allclose([found.risk_ratio, found.lower, found.upper], ratios, rtol=1e-12)
    assert found.limit == pytest.approx(e_value(ratios[2]).point)


def test_limits_of_zero_and_infinity_are_limits():
    assert e_value(2.0, 0.0, math.inf, measure="hazard ratio, common outcome").limit == 1.0


def test_difference_in_standard_deviations():
    """exp(.91 d), limits exp(.91 d -+ 1.78 se) as printed, 1.78 being rounded."""
    found = e_value_difference(0.5, 0.25, sd=1)
    assert found.risk_ratio == pytest.approx(math.exp(0.455))
    printed = [math.exp(0.455 - 1.78 * 0.25), math.exp(0.455 + 1.78 * 0.25)]
    assert_allclose([found.lower, found.upper], printed, rtol=2e-3)
    assert found.limit == pytest.approx(e_value(found.lower).point)


def test_an_estimate_is_standardized_by_the_change_and_the_outcome():
    fit = Estimate("OLS", -0.02, 0.005, "robust", 400, 397)
    found = e_value_difference(fit, sd=0.2, change=5.0)
    bare = e_value_difference(-0.5, 0.125, sd=1.0)
    assert_allclose([found.point, found.limit], [bare.point, bare.limit], rtol=1e-12)
    assert "-0.5 standard deviations" in found.describe()


@given(st.floats(-2, 2), st.floats(0.01, 1), st.floats(0.1, 10))
def test_units_and_sign_of_the_outcome_do_not_matter(coefficient, error, factor):
    one = e_value_difference(coefficient, error, sd=1)
    for sign in (1, -1):
        other = e_value_difference(sign * factor * coefficient, factor * error, sd=factor)
        assert_allclose([one.point, one.limit], [other.point, other.limit], rtol=1e-6)
    reversed_change = e_value_difference(coefficient, error, sd=1, change=-1)
    assert_allclose([one.point, one.limit], [reversed_change.point, reversed_change.limit])


def test_null_of_a_difference():
    away = e_value_difference(0.5, 0.1, sd=1, null=0.5)
    assert (away.point, away.limit) == (1.0, 1.0)
    nearer = e_value_difference(0.5, 0.1, sd=1, null=0.2)
    assert nearer.point == pytest.approx(e_value_difference(0.3, 0.1, sd=1).point)


def test_words():
    assert "7.26 each" in e_value(3.9, 1.8, 8.7).describe()
    assert "takes 3 each" in e_value(3.9, 1.8, 8.7).describe()
    assert "already holds the null" in e_value(1.5, 0.9, 2.5).describe()
    assert "nothing to explain away" in e_value(1.0).describe()
    assert "approximate (from odds ratio" in e_value(0.86, measure=COMMON_OR).describe()
    assert math.isnan(e_value(2.0).limit)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0.0,), {}, "estimate is 0.0: give a ratio above 0"),
        ((math.nan,), {}, "estimate is nan"),
        ((2.0, 2.5, 3.0), {}, "lower is 2.5 and upper 3.0"),
        ((2.0, 1.0, 1.5), {}, "lower is 1.0 and upper 1.5"),
        ((2.0, -1.0, 3.0), {}, "lower is -1.0"),
        ((2.0, "1"), {}, "lower is '1': give a number"),
        ((2.0, 1.0, None), {}, "upper is None: give a number"),
        ((2.0,), {"measure": "odds"}, "measure is 'odds': give one of"),
        ((2.0,), {"null": 0.0}, "null is 0.0"),
    ],
)
def test_ratios_that_cannot_be_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        e_value(*arguments, **options)


def test_a_limit_may_be_infinite():
    found = e_value_difference(1.0, 1e6, sd=1)
    assert (found.lower, found.upper, found.limit) == (0.0, math.inf, 1.0)


FIT = Estimate("OLS", 1.0, 0.1, "robust", 50, 48)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((FIT, 0.1), {"sd": 1}, "the estimate brings its own"),
        ((1.0, 0.1), {"sd": 0}, "sd is 0"),
        ((1.0, -0.1), {"sd": 1}, "standard_error is -0.1"),
        ((1.0, "0.1"), {"sd": 1}, "standard_error is '0.1'"),
        ((1e6, 1), {"sd": 1}, r"sd is 1: the difference would be 1e\+06 of it"),
        ((-1e6, 1), {"sd": 1}, r"sd is 1: the difference would be -1e\+06 of it"),
        ((1.0, 0.1), {"sd": 1, "change": 0}, "change is 0"),
        ((np.inf, 0.1), {"sd": 1}, "estimate is inf"),
        ((1.0, 0.1), {"sd": 1, "level": 95}, "level is 95"),
    ],
)
def test_differences_that_cannot_be_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        e_value_difference(*arguments, **options)


def test_bounding_factor_takes_risk_ratios_of_at_least_one():
    with pytest.raises(ValueError, match=r"with_outcome is 0\.5"):
        bounding_factor(2.0, 0.5)
