"""Omitted variables in regressions: O-J1, O-I1, algebraic identities, bounds, clustered errors."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.results import Estimate
from pooledtrials.selection import (
    adjusted_critical_value,
    adjusted_estimate,
    adjusted_interval,
    benchmark_bound,
    contours,
    extreme_scenarios,
    group_partial_r2,
    partial_f2,
    partial_r2,
    regression_sensitivity,
    robustness_value,
    short_regression,
)

# O-J1: the Darfur regression, estimate, classical error and degrees of freedom
DARFUR = (0.0973158193, 0.0232565378, 783.0)
FEMALE = {  # multiple: r2_exposure, r2_outcome, adjusted estimate, adjusted t
    1: (0.0091642867, 0.1246409230, 0.0752202712, 3.4389039),
    2: (0.0183285734, 0.2493240642, 0.0529151724, 2.6002462),
    3: (0.0274928600, 0.3740504710, 0.0303960235, 1.6280620),
}

seeds = st.integers(0, 2**32 - 1)
fits = st.tuples(st.floats(-5, 5).filter(lambda b: abs(b) > 1e-3), st.floats(0.05, 3), st.integers(4, 4000))  # fmt: skip
shares = st.floats(0.001, 0.95)


def least_squares(y, *regressors):
    """Coefficient, classical error and dof of the first regressor, intercept included."""
    design = np.column_stack([*regressors, np.ones(len(y))])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    residual = y - design @ beta
    dof = len(y) - design.shape[1]
    return float(beta[0]), math.sqrt(residual @ residual / dof * inverse[0, 0]), float(dof)


def left(a, *regressors):
    design = np.column_stack([*regressors, np.ones(len(a))])
    return a - design @ np.linalg.lstsq(design, a, rcond=None)[0]


def r2(a, b, *given_):
    """Partial R2 of the columns b with a, given the others and an intercept."""
    before = left(a, *given_)
    after = left(a, b, *given_)
    return 1 - float(after @ after) / float(before @ before)


def drawn(seed, n=40, p=2):
    """Outcome, exposure, confounder and controls, all dependent on each other."""
    generator = np.random.default_rng(seed)
    u, v = generator.normal(size=(2, n, p + 3))
    mixed = u @ generator.normal(size=(p + 3, p + 3)) + v
    return mixed[:, 0], mixed[:, 1], mixed[:, 2], mixed[:, 3:]


# ---- references


def test_o_j1_statistics():
    assert_allclose(partial_r2(DARFUR), 0.0219, atol=5e-5)
    assert_allclose(robustness_value(DARFUR).value, 0.1387763539, rtol=1e-7)
    assert_allclose(robustness_value(DARFUR, level=0.95).value, 0.0762579655, rtol=1e-7)


def test_o_j1_benchmarks_follow_from_the_partial_r2_of_female():
    r2_exposure, r2_outcome, *_ = FEMALE[1]
    of_exposure = r2_exposure / (1 + r2_exposure)
    overlap = of_exposure**2 / (1 - of_exposure) ** 2
    f2 = r2_outcome * (1 - overlap) / (1 + math.sqrt(overlap)) ** 2
    of_outcome = f2 / (1 + f2)
    for k, (want_exposure, want_outcome, estimate, t) in FEMALE.items():
        bound = benchmark_bound(of_outcome, of_exposure, k_exposure=k, k_outcome=k)
        assert_allclose(
            [bound.r2_exposure, bound.r2_outcome], [want_exposure, want_outcome], rtol=1e-7
        )
        found = adjusted_estimate(DARFUR, bound.r2_outcome, bound.r2_exposure)
        assert_allclose(found.coefficient, estimate, rtol=1e-7)
        assert_allclose(found.t_value, t, rtol=1e-7)
        assert found.dof == 782


def test_o_i1_fixed_effects_and_their_clustered_errors(grunfeld):
    found = regression_sensitivity(
        grunfeld["inv"], grunfeld["value"], grunfeld[["capital"]],
        clusters=grunfeld["firm"], strata=grunfeld["firm"],
    ).fit  # fmt: skip
    assert_allclose(found.coefficient, 0.1101238041, rtol=1e-8)
    assert_allclose(found.standard_error, 0.0118566942, rtol=1e-8)
    assert_allclose(found.inference_error, 0.0151560754, rtol=1e-8)
    assert (found.dof, found.inference_dof) == (188, 9)
    assert found.covariance == "clustered"


# ---- identities


@settings(max_examples=40)
@given(seeds)
def test_the_long_regression_exactly_when_the_confounder_is_added(seed):
    y, x, w, controls = drawn(seed)
    short, long = least_squares(y, x, controls), least_squares(y, x, w, controls)
    strength = (r2(y, w, x, controls), r2(x, w, controls))
    towards = (short[0] - long[0]) * short[0] > 0
    found = adjusted_estimate(
        short, *strength, direction="towards zero" if towards else "away from zero"
    )
    scale = short[1]
    assert_allclose(found.coefficient, long[0], atol=1e-9 * scale, rtol=1e-9)
    assert_allclose(found.standard_error, long[1], rtol=1e-9)
    assert_allclose(found.bias, short[0] - long[0], atol=1e-9 * scale, rtol=1e-9)
    assert found.dof == long[2]
    assert_allclose(found.t_value, long[0] / long[1], atol=1e-8, rtol=1e-8)
    assert_allclose(found.p_value, 2 * stats.t.sf(abs(long[0] / long[1]), long[2]), atol=1e-9)
    # and the interval for all confounders up to that strength holds this one's
    outer = adjusted_interval(short, *strength)
    inner = found.interval()
    slack = 1e-9 * scale
    assert outer.end_points[0] <= inner.end_points[0] + slack
    assert inner.end_points[1] <= outer.end_points[1] + slack


@settings(max_examples=40)
@given(seeds)
def test_several_confounders_bias_no_more_than_the_bound(seed):
    y, x, w, controls = drawn(seed, p=4)
    several = np.column_stack([w, controls[:, :2]])
    rest = controls[:, 2:]
    short, long = least_squares(y, x, rest), least_squares(y, x, several, rest)
    found = adjusted_estimate(short, r2(y, several, x, rest), r2(x, several, rest))
    assert abs(short[0] - long[0]) <= abs(found.bias) * (1 + 1e-9)


@given(fits)
def test_no_confounder_leaves_the_estimate_and_costs_one_degree_of_freedom(fit):
    found = adjusted_estimate(fit, 0.0, 0.0)
    assert found.coefficient == fit[0]
    assert_allclose(found.standard_error, fit[1] * math.sqrt(fit[2] / (fit[2] - 1)), rtol=1e-12)
    # explaining only one side does not bias either
    assert adjusted_estimate(fit, 0.5, 0.0).coefficient == fit[0]
    assert adjusted_estimate(fit, 0.0, 0.5).coefficient == fit[0]


@given(fits, st.floats(0.1, 1.5))
def test_a_confounder_as_strong_as_the_robustness_value_takes_the_share_q_away(fit, q):
    found = robustness_value(fit, q=q)
    adjusted = adjusted_estimate(fit, found.value, found.value)
    assert_allclose(adjusted.coefficient, (1 - q) * fit[0], atol=1e-9 * abs(fit[0]))
    extreme = adjusted_estimate(fit, 1.0, found.extreme)
    assert_allclose(extreme.coefficient, (1 - q) * fit[0], atol=1e-9 * abs(fit[0]))
    assert found.extreme <= found.value


@given(fits)
def test_partial_r2_is_the_extreme_robustness_value(fit):
    assert_allclose(partial_r2(fit), robustness_value(fit).extreme, rtol=1e-12)
    t2 = (fit[0] / fit[1]) ** 2
    assert_allclose(partial_r2(fit), t2 / (t2 + fit[2]), rtol=1e-12)
    assert_allclose(partial_f2(fit), t2 / fit[2], rtol=1e-12)


@given(fits, st.floats(0.5, 0.99))
def test_at_a_level_the_robustness_value_brings_an_end_of_the_interval_to_zero(fit, level):
    found = robustness_value(fit, level=level)
    none = adjusted_interval(fit, 0.0, 0.0, level=level)
    if found.value == 0:
        assert none.contains(0.0) or min(map(abs, none.end_points)) < 1e-9 * fit[1]
        assert found.extreme == 0
        return
    assert not none.contains(0.0)
    for strength in ((found.value, found.value), (1.0, found.extreme)):
        ends = adjusted_interval(fit, *strength, level=level).end_points
        assert min(map(abs, ends)) < 1e-8 * (abs(fit[0]) + fit[1])
    weaker = 0.99 * found.value
    assert not adjusted_interval(fit, weaker, weaker, level=level).contains(0.0)
    assert not adjusted_interval(fit, 1.0, 0.99 * found.extreme, level=level).contains(0.0)


def test_robustness_value_where_a_weaker_confounder_of_the_outcome_hurts_more():
    """f f* >= 1: few degrees of freedom and a huge t, where RV equals XRV."""
    fit = (40.0, 1.0, 5.0)
    found = robustness_value(fit, level=0.95)
    assert found.value == found.extreme > 0
    short = short_regression(fit)
    assert short.f * short.critical_f(0.95) >= 1
    # the equal-strength solution would be larger, though this much is enough already
    gap = (short.f - short.critical_f(0.95)) ** 2
    assert found.value < (math.sqrt(gap**2 + 4 * gap) - gap) / 2


@given(fits, shares, shares)
def test_adjusted_interval_is_the_hull_over_all_weaker_confounders(fit, r2_outcome, r2_exposure):
    found = adjusted_interval(fit, r2_outcome, r2_exposure)
    hull = [math.inf, -math.inf]
    for y in np.linspace(0, r2_outcome, 201):
        for direction in ("towards zero", "away from zero"):
            ends = adjusted_estimate(fit, y, r2_exposure, direction=direction).interval()
            hull = [min(hull[0], ends.end_points[0]), max(hull[1], ends.end_points[1])]
    size = hull[1] - hull[0]
    assert found.end_points[0] <= hull[0] + 1e-9 * size
    assert found.end_points[1] >= hull[1] - 1e-9 * size
    assert_allclose(found.end_points, hull, atol=2e-3 * size)  # the grid's step
    critical = adjusted_critical_value(fit, r2_outcome, r2_exposure)
    assert_allclose((found.end_points[1] - fit[0]) / fit[1], critical, rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(seeds)
def test_benchmark_bound_of_a_confounder_of_known_multiples(seed):
    """A confounder unrelated to the controls, k times a covariate by definition of k."""
    y, x, w, controls = drawn(seed, n=60)
    w = left(w, controls)
    one, others = controls[:, 0], controls[:, 1:]
    k_exposure = r2(x, w, others) / r2(x, one, others)
    k_outcome = r2(y, w, x, others) / r2(y, one, x, others)
    of_exposure, of_outcome = r2(x, one, others), r2(y, one, x, others)
    bound = benchmark_bound(of_outcome, of_exposure, k_exposure=k_exposure, k_outcome=k_outcome)
    assert_allclose(bound.r2_exposure, r2(x, w, controls), rtol=1e-7)
    assert r2(y, w, x, controls) <= bound.r2_outcome + 1e-9


@pytest.mark.parametrize("columns", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_benchmarks_of_groups_from_data_and_from_f(columns):
    y, x, _, matrix = drawn(3, n=80, p=3)
    controls = pd.DataFrame(matrix, columns=["a", "b", "c"])
    others = controls.drop(columns=columns).to_numpy()
    group = controls[columns].to_numpy()
    found = regression_sensitivity(
        y, x, controls, benchmarks={"all": columns}, multiples=(0.1, 0.2)
    ).benchmarks
    of_outcome, of_exposure = r2(y, group, x, others), r2(x, group, others)
    for k, row in zip((0.1, 0.2), found.itertuples(), strict=True):
        bound = benchmark_bound(of_outcome, of_exposure, k_exposure=k, k_outcome=k)
        assert_allclose(
            [row.r2_outcome, row.r2_exposure], [bound.r2_outcome, bound.r2_exposure], rtol=1e-9
        )
    rss = [float(v @ v) for v in (left(y, x, others), left(y, x, group, others))]
    dof = 80 - 5
    f = (rss[0] - rss[1]) / len(columns) / (rss[1] / dof)
    assert_allclose(group_partial_r2(f, len(columns), dof), of_outcome, rtol=1e-9)


def test_strata_are_indicators_and_partial_r2_are_within():
    y, x, _, matrix = drawn(5, n=90, p=2)
    strata = np.repeat(np.arange(15), 6)
    indicators = (strata[:, None] == np.arange(1, 15)).astype(float)
    named = pd.DataFrame(matrix, columns=["a", "b"])
    within = regression_sensitivity(y, x, named, strata=strata, benchmarks=["a"])
    dummies = pd.concat([named, pd.DataFrame(indicators)], axis=1)
    wide = regression_sensitivity(y, x, dummies, benchmarks=["a"])
    pd.testing.assert_frame_equal(within.to_frame(), wide.to_frame(), rtol=1e-9)
    pd.testing.assert_frame_equal(within.benchmarks, wide.benchmarks, rtol=1e-9)
    assert within.fit.dof == 90 - 15 - 2 - 1
    assert "fixed effects" in within.describe()
    assert "fixed effects" not in wide.describe()


@settings(max_examples=25)
@given(seeds, st.floats(-50, 50).filter(lambda a: abs(a) > 0.01), st.floats(0.01, 50))
def test_shares_do_not_depend_on_units_sign_origin_or_row_order(seed, scale_x, scale_y):
    y, x, _, controls = drawn(seed)
    groups = np.arange(40) % 10
    first = regression_sensitivity(y, x, controls, groups, benchmarks=["controls0"])
    order = np.random.default_rng(seed).permutation(40)
    second = regression_sensitivity(
        (7 + scale_y * y)[order], (scale_x * x - 3)[order], (controls @ np.diag([2.0, -1.0]))[order],
        groups[order], benchmarks=["controls0"],
    )  # fmt: skip
    for one, two in (
        (first.robustness, second.robustness),
        (first.robustness_at_level, second.robustness_at_level),
    ):
        assert_allclose([one.value, one.extreme], [two.value, two.extreme], rtol=1e-6, atol=1e-9)
    columns = ["r2_exposure", "r2_outcome"]
    assert_allclose(first.benchmarks[columns], second.benchmarks[columns], rtol=1e-6, atol=1e-9)
    ratio = scale_y / scale_x
    assert_allclose(second.fit.coefficient, ratio * first.fit.coefficient, rtol=1e-6, atol=1e-9)
    # an increasing relation taken the other way round
    mirrored = adjusted_estimate((-0.3, 0.1, 50), 0.1, 0.2)
    assert mirrored.coefficient == -adjusted_estimate((0.3, 0.1, 50), 0.1, 0.2).coefficient


# ---- errors that are not classical


def test_point_statistics_do_not_depend_on_the_inference_error():
    classical, clustered = (0.5, 0.1, 300.0), (0.5, 0.2, 24.0)
    fit = short_regression(classical, clustered)
    assert partial_r2(fit) == partial_r2(classical)
    assert robustness_value(fit) == robustness_value(short_regression(classical, clustered))
    assert robustness_value(fit).value == robustness_value(classical).value
    one, two = (adjusted_estimate(f, 0.1, 0.05) for f in (classical, fit))
    assert one.coefficient == two.coefficient
    assert_allclose(two.standard_error, 2 * one.standard_error, rtol=1e-12)
    assert (one.dof, two.dof) == (299, 24)
    assert robustness_value(fit, level=0.95).value < robustness_value(classical, level=0.95).value
    ends = adjusted_interval(fit, *2 * [robustness_value(fit, level=0.95).value]).end_points
    assert min(map(abs, ends)) < 1e-12


def test_robust_and_clustered_errors_are_those_of_the_instruments_part(card, card_15):
    from pooledtrials.instruments import ols

    args = (card["lwage"], card["educ"])
    for options in ({"covariance": "robust"}, {"clusters": card["age"]}):
        want = ols(*args, card["nearc4"], card[card_15], **options)
        found = regression_sensitivity(*args, card[card_15], **options).fit
        assert_allclose(found.inference_error, want.standard_error, rtol=1e-9)
        assert found.covariance == want.covariance
        # and the same from two fitted results
        classical = ols(*args, card["nearc4"], card[card_15], covariance="classical")
        assert_allclose(found.standard_error, classical.standard_error, rtol=1e-9)
        both = short_regression(classical, want)
        assert both.covariance == want.covariance
        assert_allclose(both.critical_f(0.95), found.critical_f(0.95), rtol=1e-9)


def test_two_panel_fits_are_as_good_as_the_data(grunfeld):
    """Within estimates of the panels part, classical and clustered, say what strata do here."""
    from pooledtrials import panels

    args = (grunfeld["inv"], grunfeld["value"], grunfeld["firm"], grunfeld["year"])
    fits = [
        panels.fit(*args, grunfeld[["capital"]], effects="none", covariance=covariance)
        for covariance in ("classical", "clustered")
    ]
    found = short_regression(*fits)
    want = regression_sensitivity(
        grunfeld["inv"], grunfeld["value"], grunfeld[["capital"]],
        clusters=grunfeld["firm"], strata=grunfeld["firm"],
    ).fit  # fmt: skip
    assert found.covariance == want.covariance == "clustered"
    for name in ("coefficient", "standard_error", "dof", "inference_error", "inference_dof"):
        assert_allclose(getattr(found, name), getattr(want, name), rtol=1e-9)


def coverage(icc_confounder: float, replications: int = 600) -> tuple[float, float, float]:
    """Coverage of the scaled and of the classical interval, and mean ratio of errors.

    Exposure and outcome have intra-cluster correlations of 0.4 after the confounder; its strength
    in each sample is taken as known, and the truth is the effect of the exposure.
    """
    generator = np.random.default_rng(11)
    clusters = np.repeat(np.arange(60), 6)

    def variable(icc):
        between = generator.normal(size=60)[clusters]
        return math.sqrt(icc) * between + math.sqrt(1 - icc) * generator.normal(size=360)

    scaled, plain, ratios = [], [], []
    for _ in range(replications):
        w = variable(icc_confounder)
        x = 0.7 * w + variable(0.4)
        y = 0.5 * x + w + variable(0.4)
        short = regression_sensitivity(y, x, clusters=clusters).fit
        long = regression_sensitivity(y, x, w, clusters=clusters).fit
        strength = (r2(y, w, x), r2(x, w))
        found = adjusted_estimate(short, *strength)
        assert_allclose(found.coefficient, long.coefficient, atol=1e-9)
        scaled.append(found.interval().contains(0.5))
        ratios.append(found.standard_error / long.inference_error)
        classical = adjusted_estimate(
            (short.coefficient, short.standard_error, short.dof), *strength
        )
        plain.append(classical.interval().contains(0.5))
    return float(np.mean(scaled)), float(np.mean(plain)), float(np.mean(ratios))


def test_the_scaled_error_covers_if_the_confounder_is_as_alike_within_clusters():
    scaled, plain, ratio = coverage(0.4)
    spread = math.sqrt(0.95 * 0.05 / 600)
    assert abs(scaled - 0.95) < 4 * spread
    assert plain < 0.95 - 5 * spread  # what ignoring the clusters would do
    assert abs(ratio - 1) < 0.03


def test_the_scaled_error_is_too_short_or_too_long_if_it_is_not():
    less, more = coverage(0.0, 200), coverage(1.0, 200)
    assert less[2] < 0.95
    assert more[2] > 1.2


# ---- planes and tables


@pytest.mark.parametrize("quantity", ["estimate", "t value", "lower limit", "upper limit"])
def test_contours_are_the_adjusted_numbers(quantity):
    marked = pd.DataFrame(
        {"label": ["weak", "strong"], "r2_exposure": [0.01, 0.3], "r2_outcome": [0.1, 0.4]}
    )
    plane = contours(DARFUR, marked, quantity=quantity, points=7)
    assert plane.values.shape == (7, 7)
    for i, j in ((0, 0), (2, 3), (6, 6)):
        y, x = float(plane.r2_outcome[i]), float(plane.r2_exposure[j])
        adjusted = adjusted_estimate(DARFUR, y, x)
        want = {
            "estimate": adjusted.coefficient,
            "t value": adjusted.t_value,
            "lower limit": adjusted_interval(DARFUR, y, x).end_points[0],
            "upper limit": adjusted_interval(DARFUR, y, x).end_points[1],
        }[quantity]
        assert_allclose(plane.values[i, j], want, rtol=1e-12, atol=1e-15)
    assert plane.unadjusted == plane.values[0, 0]
    assert list(plane.benchmarks["label"]) == ["weak", "strong"]
    # there is room for all that is marked
    assert plane.r2_exposure[-1] > 0.3
    assert plane.r2_outcome[-1] > 0.4
    threshold = stats.t.isf(0.025, 782) if quantity == "t value" else 0.0
    assert_allclose(plane.threshold, threshold, rtol=1e-12)
    words = plane.describe()
    if quantity in ("estimate", "t value", "lower limit"):
        assert "weak would not change" in words
        assert "strong would change" in words
    else:
        assert "weak, strong would not change" in words


def test_contours_without_benchmarks_and_with_a_clustered_t():
    fit = short_regression((0.5, 0.1, 300.0), (0.5, 0.2, 24.0))
    plane = contours(fit, quantity="t value", limit_exposure=0.2, limit_outcome=1.0, points=5)
    assert "No confounder is marked" in plane.describe()
    assert_allclose(plane.values[1, 2], adjusted_estimate(fit, 0.25, 0.1).t_value, rtol=1e-12)
    # significant exactly where the adjusted t is beyond the quantile of its own reference
    assert_allclose(plane.threshold, stats.t.isf(0.025, 24) * math.sqrt(300 / 299 * 299 / 300))


def test_extreme_scenarios():
    table = extreme_scenarios(DARFUR, points=5, limit_exposure=0.2)
    assert list(table.columns) == [1.0, 0.75, 0.5]
    for x, row in table.iterrows():
        for y, value in row.items():
            assert_allclose(value, adjusted_estimate(DARFUR, y, x).coefficient, atol=1e-15)
    # all of the outcome: zero at the partial R2
    edge = extreme_scenarios(DARFUR, limit_exposure=partial_r2(DARFUR), points=2)
    assert abs(edge.iloc[1, 0]) < 1e-15


def test_report_of_data_says_what_it_found(card, card_15):
    found = regression_sensitivity(
        card["lwage"], card["educ"], card[card_15],
        benchmarks={"race": "black", "place": ["smsa", "smsa66"]}, multiples=(1, 60),
    )  # fmt: skip
    words = found.describe()
    assert "as strong as race would leave" in words
    assert "No confounder could be 60 times as strong as race" in words
    assert found.benchmarks["r2_exposure"].isna().tolist() == [False, True, False, False]
    assert found.benchmarks["label"].tolist() == ["1x race", "60x race", "1x place", "60x place"]
    assert found.benchmarks["capped"].tolist() == [False, False, False, True]
    assert list(found.contours(points=3).benchmarks["label"]) == [
        "1x race",
        "1x place",
        "60x place",
    ]
    frame = found.to_frame()
    assert_allclose(frame["partial_r2"], partial_r2(found.fit))
    assert frame["robustness_value"].item() > frame["robustness_value_95"].item()


def test_numbers_are_said_in_words():
    assert "cannot explain away the whole estimate" in robustness_value(DARFUR).describe()
    assert "13.9 %" in robustness_value(DARFUR).describe()
    assert (
        "bring an end of the 95 % interval to zero"
        in robustness_value(DARFUR, level=0.95).describe()
    )
    half = robustness_value(DARFUR, q=0.5, level=0.9)
    assert "50 % of the way to zero" in half.describe()
    assert "q = 0.5" in str(half)
    assert "No confounder is needed" in robustness_value((0.1, 1.0, 50), level=0.95).describe()
    assert "rather than 0.09732" in adjusted_estimate(DARFUR, 0.3, 0.02).describe()


def test_a_fitted_result_of_ours_is_as_good_as_its_numbers():
    fit = Estimate("OLS", DARFUR[0], DARFUR[1], "classical", 1276, DARFUR[2])
    assert robustness_value(fit, level=0.95) == robustness_value(DARFUR, level=0.95)
    robust = Estimate("OLS", DARFUR[0], 0.03, "robust", 1276, DARFUR[2])
    found = short_regression(fit, robust)
    assert found.covariance == "robust"
    assert found.long_dof == DARFUR[2] - 1  # one regressor more
    assert short_regression(found) is found


# ---- bad input

ROBUST = Estimate("OLS", 0.1, 0.02, "robust", 100, 97)
IV = Estimate("2SLS", 0.1, 0.02, "classical", 100, 97, kappa=1.0)
BAD_CALLS = {
    "robust error alone": (lambda: partial_r2(ROBUST), "robust standard error"),
    "instrumental variables": (lambda: partial_r2(IV), "2SLS.*use instrument_sensitivity"),
    "two numbers": (lambda: partial_r2((0.1, 0.02)), "fit has 2 numbers"),
    "no fit": (lambda: partial_r2("0.1"), "fit is str"),
    "no error": (lambda: partial_r2((0.1, 0.0, 50)), "standard error is 0"),
    "missing estimate": (lambda: partial_r2((math.nan, 0.1, 50)), "estimate is nan"),
    "one degree of freedom": (lambda: partial_r2((0.1, 0.1, 1)), "a confounder would leave none"),
    "two regressions": (
        lambda: short_regression(DARFUR, (0.2, 0.03, 40)),
        "inference has the coefficient 0.2",
    ),
    "q of zero": (lambda: robustness_value(DARFUR, q=0), "q is 0"),
    "level of one": (lambda: robustness_value(DARFUR, level=1.0), "level is 1.0"),
    "outcome above one": (lambda: adjusted_estimate(DARFUR, 1.1, 0.1), "r2_outcome is 1.1"),
    "exposure of one": (lambda: adjusted_estimate(DARFUR, 0.1, 1.0), "r2_exposure is 1"),
    "negative": (lambda: adjusted_interval(DARFUR, 0.1, -0.1), "r2_exposure is -0.1"),
    "direction": (
        lambda: adjusted_estimate(DARFUR, 0.1, 0.1, direction="up"),
        "direction is 'up'",
    ),
    "infeasible multiple": (
        lambda: benchmark_bound(0.1, 0.4, k_exposure=1.5),
        r"cannot be; give a multiple below 1\.5",
    ),
    "share of one": (lambda: benchmark_bound(0.1, 1.0), "r2_exposure_j is 1"),
    "negative multiple": (lambda: benchmark_bound(0.1, 0.1, k_outcome=-1), "k_outcome is -1"),
    "negative F": (lambda: group_partial_r2(-1.0, 2, 50), "f_statistic is -1"),
    "empty group": (lambda: group_partial_r2(1.0, 0, 50), "group_size is 0"),
    "size missing": (lambda: group_partial_r2(1.0, math.nan, 1), "group_size is nan"),
    "no dof": (lambda: group_partial_r2(1.0, 1, 0), "dof is 0"),
    "quantity": (lambda: contours(DARFUR, quantity="p"), "quantity is 'p'"),
    "limit": (lambda: contours(DARFUR, limit_exposure=1.0), "limit_exposure is 1.0"),
    "limit of the outcome": (lambda: contours(DARFUR, limit_outcome=1.5), "limit_outcome is 1.5"),
    "one point": (lambda: contours(DARFUR, points=1), "points is 1"),
    "unlabelled benchmarks": (
        lambda: contours(DARFUR, pd.DataFrame({"r2_exposure": [0.1], "r2_outcome": [0.1]})),
        "benchmarks has no column label",
    ),
    "extreme share": (lambda: extreme_scenarios(DARFUR, (2.0,)), "r2_outcome is 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_CALLS)
def test_numbers_that_cannot_be(case):
    call, words = BAD_CALLS[case]
    with pytest.raises(ValueError, match=words):
        call()


_Y, _X, _, _C = drawn(1)
BAD_DATA = {
    "missing outcome": ({"y": np.where(np.arange(40) == 3, np.nan, _Y)}, "y is missing in 1 of 40"),
    "short exposure": ({"x": _X[:-1]}, "x has 39 rows but y has 40"),
    "two exposures": ({"x": np.column_stack([_X, _Y])}, "x has 2 columns"),
    "constant exposure": ({"x": np.ones(40)}, "x is constant"),
    "exposure among controls": (
        {"controls": np.column_stack([_C, _X])},
        "x is a linear combination",
    ),
    "outcome explained exactly": ({"y": 2 * _X}, "y is a linear .*: give an outcome that"),
    "constant within strata": (
        {"strata": np.arange(40) // 4, "controls": (np.arange(40) // 4).astype(float)},
        "controls column controls0 is constant within strata",
    ),
    "different indexes": (
        {"y": pd.Series(_Y), "x": pd.Series(_X, index=range(1, 41))},
        "x and y have different indexes",
    ),
    "one cluster": ({"clusters": np.ones(40)}, "clusters has 1 cluster"),
    "too few rows": ({"strata": np.arange(40) // 1.1}, "y has 40 rows, too few"),
    "unknown benchmark": ({"benchmarks": ["age"]}, "benchmarks has 'age' with 'age'"),
    "empty benchmark": ({"benchmarks": {"none": []}}, "benchmarks has 'none' with no column"),
    "covariance": ({"covariance": "HC3"}, "covariance is 'HC3'"),
    "level": ({"level": 95}, "level is 95"),
    "no outcome": ({"y": None}, "y is None"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_cannot_be(case):
    changes, words = BAD_DATA[case]
    arguments = {"y": _Y, "x": _X, "controls": _C} | changes
    with pytest.raises(ValueError, match=words):
        regression_sensitivity(**arguments)
