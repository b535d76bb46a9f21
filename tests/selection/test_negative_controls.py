"""Negative controls: adjusted p-values, joint reading, leads of exposure."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pooledtrials.results import Estimate, Test
from pooledtrials.selection import leads, negative_controls


def estimate(coefficient, error=1.0, dof=math.inf):
    return Estimate("OLS", coefficient, error, "robust", 100, dof)


@settings(max_examples=30)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_adjusted_p_values_are_statsmodels(coefficients):
    found = negative_controls({f"c{j}": estimate(c) for j, c in enumerate(coefficients)})
    p = 2 * stats.norm.sf(np.abs(coefficients))
    assert_allclose(found.table["p_value"], p)
    assert_allclose(found.table["p_holm"], multipletests(p, method="holm")[1], atol=1e-12)
    assert found.joint_p_value == pytest.approx(multipletests(p, method="bonferroni")[1].min())
    assert found.joint_p_value == pytest.approx(found.table["p_holm"].min())


def test_familywise_error_by_simulation():
    g = np.random.default_rng(1)
    draws = 1000
    failed = 0
    for _ in range(draws):
        common = g.normal()
        values = 0.6 * common + 0.8 * g.normal(size=5)
        found = negative_controls({str(j): estimate(v) for j, v in enumerate(values)})
        failed += bool(found.rejected(0.05))
    assert failed <= stats.binom.ppf(0.999, draws, 0.05)


def test_words_name_what_fails_and_what_remains_possible():
    fine = negative_controls({"baseline drinks": estimate(0.2, 0.5), "lead": estimate(-0.1, 0.2)})
    reach = 0.2 + stats.norm.ppf(1 - 0.05 / 4) * 0.5
    assert f"up to {reach:.3g}" in fine.describe()
    assert "not evidence of no bias" in fine.describe()
    bad = negative_controls({"baseline drinks": estimate(3, 0.5), "lead": estimate(-0.1, 0.2)})
    assert bad.rejected() == ["baseline drinks"]
    assert "1 of 2 negative controls fail (baseline drinks" in bad.describe()
    assert list(bad.to_frame().index) == ["baseline drinks", "lead"]


def test_few_degrees_of_freedom_count():
    """Clustered by four trials an estimate has three of them: t, in p-values and in words."""
    found = negative_controls({"a": estimate(2.0, dof=3), "b": estimate(2.0)})
    assert_allclose(found.table["p_value"], [2 * stats.t.sf(2, 3), 2 * stats.norm.sf(2)])
    assert f"up to {2 + stats.t.isf(0.05 / 4, 3):.3g}" in found.describe()


def test_bad_alpha():
    found = negative_controls({"a": estimate(1.0)})
    for ask in (found.describe, found.rejected):
        with pytest.raises(ValueError, match="alpha is 5: give a number strictly between 0 and 1"):
            ask(5)


def test_units_and_signs_do_not_change_the_p_values():
    base = negative_controls({"a": estimate(1.0, 0.7), "b": estimate(-2.0, 0.9)}).table
    moved = negative_controls({"a": estimate(-3.0, 2.1), "b": estimate(6.0, 2.7)}).table
    assert_allclose(moved["p_holm"], base["p_holm"])


def test_another_expected_value():
    found = negative_controls({"a": estimate(1.0)}, expected=1.0)
    assert found.joint_p_value == 1.0


def test_tests_stand_beside_estimates():
    robust = Test("AR", 4.0, 0.03, "chi2(1)", (1.0,), "effect is 0", "robust")
    found = negative_controls({"lead": robust, "baseline": estimate(0.1)})
    assert_allclose(found.table["p_value"].iloc[0], 0.03)
    assert found.joint_p_value == pytest.approx(0.06)
    alone = negative_controls({"lead": robust})
    assert "1 of 1" in alone.describe()
    quiet = negative_controls({"lead": Test("AR", 0.1, 0.7, "chi2(1)", (1.0,), "effect is 0")})
    assert "how much bias they leave room for" in quiet.describe()


INAPPLICABLE = Test.not_applicable("J", "valid", "one instrument")


@pytest.mark.parametrize(
    ("estimates", "options", "message"),
    [
        ({}, {}, "estimates is empty"),
        ({"a": 0.3}, {}, "estimates holds float as 'a'"),
        ({"a": INAPPLICABLE}, {}, "does not apply: one instrument"),
        ([estimate(1.0)], {}, "estimates is a list: give a mapping"),
        ({"a": estimate(1.0, math.nan)}, {}, "'a', whose standard error is nan: leave"),
        ({"a": estimate(1.0, 0.0)}, {}, r"'a', whose standard error is 0\.0: leave"),
        ({"a": estimate(1.0, math.inf)}, {}, "'a', whose standard error is inf: leave"),
        ({"a": estimate(math.nan)}, {}, "'a', whose coefficient is nan: leave"),
        ({"a": estimate(1.0, dof=0)}, {}, "'a', whose dof is 0: leave"),
        ({"a": estimate(1.0)}, {"expected": math.inf}, "expected is inf"),
        ({"a": Test("AR", 1.0, 0.3, "chi2(1)", (1.0,), "0")}, {"expected": 1.0}, "null of its own"),
    ],
)
def test_bad_estimates(estimates, options, message):
    with pytest.raises(ValueError, match=message):
        negative_controls(estimates, **options)


def panel():
    """Three patients, waves 0, 6, 12; the second misses one, rows shuffled."""
    return pd.DataFrame(
        {
            "patient": ["b", "a", "a", "c", "a", "b", "c"],
            "wave": [12, 6, 0, 0, 12, 0, 6],
            "y": [1.0, 2, 3, 4, 5, 6, 7],
            "x": [10.0, 20, 30, 40, 50, 60, 70],
        }
    )


def test_leads_by_hand():
    d = panel()
    one = leads(d["y"], d["x"], d["patient"], d["wave"])
    assert one.index.tolist() == [1, 2, 3]
    assert one["patient"].tolist() == ["a", "a", "c"]
    assert_array_equal(one["lead"], [50, 20, 70])
    assert_array_equal(one["y"], [2, 3, 4])
    two = leads(d["y"], d["x"], d["patient"], d["wave"], lead=2)
    assert two["patient"].tolist() == ["a", "b"]
    assert_array_equal(two["lead"], [50, 10])


@given(st.permutations(range(7)))
def test_order_of_rows_and_names_of_patients_do_not_matter(order):
    d = panel().iloc[list(order)].reset_index(drop=True)
    d["code"] = d["patient"].map({"a": 7, "b": 1, "c": 3})
    one = leads(d["y"], d["x"], d["patient"], d["wave"])
    other = leads(d["y"], d["x"], d["code"], d["wave"])
    assert_array_equal(one["lead"], other["lead"])
    assert sorted(one["lead"]) == [20, 50, 70]


def test_leads_of_a_pool_keep_people_and_schedules_apart():
    """Rows 3 and 4 are another trial's: the same label is another person."""
    alone = leads([1, 2, 3, 4], [1, 2, 3, 4], [17] * 4, [0, 3, 6, 9])
    assert_array_equal(alone["lead"], [2, 3, 4])
    pool = leads([1, 2, 3, 4], [1, 2, 3, 4], [17] * 4, [0, 3, 6, 9], ["a", "a", "b", "b"])
    assert list(pool.columns) == ["trial", "patient", "wave", "y", "x", "lead"]
    assert pool["trial"].tolist() == ["a", "b"]
    assert_array_equal(pool["lead"], [2, 4])


def test_leads_of_a_pool_are_those_of_its_trials():
    """Schedules interleave: 3 months is a wave of the second trial only."""
    first = panel()
    second = panel().assign(wave=lambda d: d["wave"].map({0: 0, 6: 3, 12: 6}), x=lambda d: -d["x"])
    pool = pd.concat([first.assign(trial="a"), second.assign(trial="b")], ignore_index=True)
    found = leads(pool["y"], pool["x"], pool["patient"], pool["wave"], pool["trial"])
    each = [leads(d["y"], d["x"], d["patient"], d["wave"]) for d in (first, second)]
    apart = pd.concat(each, ignore_index=True)
    pd.testing.assert_frame_equal(found.drop(columns="trial").reset_index(drop=True), apart)


def test_leads_find_selection_and_nothing_else():
    """Exposure follows a fixed trait: where it moves y the lead does too, given x."""
    g = np.random.default_rng(2)
    n = 4000
    trait = g.normal(size=n)
    patients, waves = np.tile(np.arange(n), 2), np.repeat([0, 6], n)
    x = np.tile(trait, 2) + g.normal(size=2 * n)
    for confounded in (0.0, 1.0):
        y = 0.5 * x + confounded * np.tile(trait, 2) + g.normal(size=2 * n)
        found = leads(y, x, patients, waves)
        design = np.column_stack([np.ones(n), found["x"], found["lead"]])
        fit = np.linalg.lstsq(design, found["y"], rcond=None)[0]
        assert abs(fit[2] - confounded / 3) < 5 / math.sqrt(n)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lead": 0}, "lead is 0"),
        ({"lead": 1.5}, r"lead is 1\.5"),
        ({"lead": 3}, "no patient has an interview 3 waves"),
        ({"patients": ["a"] * 7}, r"waves repeats .* or give trials"),
        ({"patients": None}, "patients is None"),
        ({"patients": ["a"] * 6}, "patients has 6 rows"),
        ({"x": np.ones(6)}, "x has 6 rows but y has 7"),
    ],
)
def test_bad_leads(change, message):
    d = panel()
    arguments = {"y": d["y"], "x": d["x"], "patients": d["patient"], "waves": d["wave"]} | change
    with pytest.raises(ValueError, match=message):
        leads(**arguments)
