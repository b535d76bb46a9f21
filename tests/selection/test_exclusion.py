"""Direct effects of the instrument: O-F1, O-F2, O-C1, O-L1, unions, breakdown points, size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials import selection
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.results import Estimate
from pooledtrials.selection import (
    anderson_rubin_sensitivity,
    breakdown_of,
    direct_effects,
    exclusion_breakdown,
    just_identified,
    just_identified_fit,
    local_to_zero,
    plausibly_exogenous,
    union_over,
)
from pooledtrials.selection.just_identified import anderson_rubin_set

V = [[0.0004, 0.0001], [0.0001, 0.004]]
STRONG = just_identified(0.06, 0.5, V, 500, instrument_variation=300.0)
WEAK = just_identified(0.08, 0.1, V, 500, instrument_variation=300.0)
HARMFUL = just_identified(-0.06, 0.5, V, 500, instrument_variation=300.0)

correlations = st.floats(-0.95, 0.95)
t_values = st.floats(-8, 8)
first_stages = st.floats(0.2, 8) | st.floats(-8, -0.2)
ends = st.tuples(st.floats(-6, 6), st.floats(-6, 6)).map(sorted)


def numbers(t_y, t_x, correlation, dof=100):
    """A fit whose two coefficients have unit errors."""
    return just_identified(t_y, t_x, [[1.0, correlation], [correlation, 1.0]], dof)


@pytest.fixture(scope="module")
def fits(card, card_15):
    args = (card["lwage"], card["educ"], card["nearc4"], card[card_15])
    return {c: just_identified_fit(*args, covariance=c) for c in ("classical", "robust")}


# ---- references


@pytest.mark.parametrize(
    ("mean", "estimate", "interval"),
    [
        (0.0, 0.13150384, (0.00896750, 0.25404018)),
        (0.02, 0.06898409, (-0.05355225, 0.19152043)),
    ],
)
def test_o_f1_local_to_zero(fits, mean, estimate, interval):
    found = local_to_zero(fits["robust"], mean, 0.01)
    assert_allclose([found.coefficient, found.standard_error], [estimate, 0.06251969], rtol=1e-6)
    assert_allclose(found.interval().end_points, interval, rtol=1e-6)
    assert "sampling and belief together" in found.describe()


@pytest.mark.parametrize(
    ("covariance", "union"),
    [
        ("classical", (-0.0343120977, 0.3157013743)),
        ("robust", (-0.0320816115, 0.3141586302)),
    ],
)
def test_o_f2_union_of_intervals(fits, covariance, union):
    found = plausibly_exogenous(fits[covariance], -0.02, 0.02, method="wald", reference="normal")
    assert_allclose(found.union.end_points, union, rtol=1e-6)


def test_o_c1_without_a_direct_effect_it_is_the_anderson_rubin_set(fits):
    for covariance, reference, want in (
        ("classical", "t", (0.0248048360, 0.2848235933)),
        ("classical", "normal", (0.0248546909, 0.2847206745)),
        ("robust", "t", (0.0281300605, 0.2812486109)),
        ("robust", "normal", (0.0281769373, 0.2811502659)),
    ):
        found = plausibly_exogenous(fits[covariance], 0.0, 0.0, reference=reference)
        assert_allclose(found.union.end_points, want, rtol=1e-7)


def test_o_l1_critical_value_of_the_worst_direct_effect():
    """Power at n = 250, effect 1, first stage .5, direct effects within .1, least favourable one."""
    fit = just_identified(3.0, 9.0, np.eye(2), 248, instrument_variation=250 * 0.25)
    end = anderson_rubin_sensitivity(fit, 0.1).effects.end_points[0]
    critical = fit.t_value(end) ** 2  # where the set ends, the statistic is at its bound
    noncentrality = 250 * 0.25 * (1 * 0.5 - 0.1) ** 2 / (1 + 2 * 0.5 + 1)
    # 1.0e-8 from the truth: R sums its noncentral F to 1e-9; integration over the chi-square of
    # the denominator gives .26695970629, as here
    power = float(stats.ncf.sf(critical, 1, 248, noncentrality))
    assert_allclose(power, 0.2669597036, rtol=2e-8)
    assert_allclose(power, 0.26695970629388, rtol=1e-11)


# ---- unions


@settings(max_examples=100)
@given(t_values, first_stages, correlations, ends)
def test_union_is_where_some_direct_effect_lets_the_effect_in(t_y, t_x, correlation, ends):
    fit = numbers(t_y, t_x, correlation)
    low, high = ends
    found = plausibly_exogenous(fit, low, high, points=5)
    c = stats.t.isf(0.025, 100)
    for b in np.tan(np.linspace(-math.pi / 2, math.pi / 2, 202)[1:-1]):
        nearest = min(max(fit.moment(b), low), high)
        margin = c * math.sqrt(fit.variance(b)) - abs(fit.moment(b) - nearest)
        if abs(margin) > 1e-9:
            assert found.union.contains(float(b)) == (margin > 0)
    # it holds every member, and members are the sets with the direct effect taken off
    for gamma, member in zip(found.gammas, found.sets, strict=True):
        shifted = numbers(t_y - gamma, t_x, correlation)
        assert_allclose(member.end_points, anderson_rubin_set(shifted).end_points, rtol=1e-9)
        edges = [v for v in member.end_points if abs(v) < 1e6]
        assert all(
            found.union.contains(v) or min(abs(v - w) for w in found.union.end_points) < 1e-7
            for v in edges
        )
    assert found.exact


@settings(max_examples=60)
@given(t_values, first_stages, correlations, ends)
def test_wald_union_has_its_ends_at_the_range_s(t_y, t_x, correlation, ends):
    fit = numbers(t_y, t_x, correlation)
    found = plausibly_exogenous(fit, *ends, method="wald", points=101)
    low = min(member.end_points[0] for member in found.sets)
    high = max(member.end_points[1] for member in found.sets)
    assert_allclose(found.union.end_points, (low, high), rtol=1e-9)
    assert found.union.kind == "interval"


def test_union_of_a_function_s_sets_comes_close_to_the_exact_one():
    exact = plausibly_exogenous(STRONG, -0.05, 0.03)
    looked_up = union_over(lambda g: anderson_rubin_set(STRONG, shift=g), -0.05, 0.03, points=201)
    assert_allclose(looked_up.union.end_points, exact.union.end_points, rtol=1e-12)
    assert not looked_up.exact
    assert "looked up at 201 values" in looked_up.describe()
    assert "looked up" not in exact.describe()
    assert "moves the outcome by -0.05 to 0.03 of its own" in exact.describe()


def test_several_instruments_through_a_function(card):
    """Two instruments act directly, alike; the set at each size is that of another part."""
    from pooledtrials.instruments import anderson_rubin_set as several

    controls = card[["exper", "expersq", "black", "south"]]
    z = card[["nearc4", "nearc2"]]

    def set_at(gamma: float) -> ConfidenceSet:
        direct = gamma * (card["nearc4"] + card["nearc2"] / 2)
        return several(card["lwage"] - direct, card["educ"], z, controls)

    found = union_over(set_at, 0.0, 0.05, points=6)
    assert set_at(0.0).is_subset(found.union)
    assert found.union.length > set_at(0.0).length
    breakdown = breakdown_of(set_at, 0.3, points=31)
    assert not set_at(0.999 * breakdown.value).contains(0.0)
    assert set_at(1.001 * breakdown.value).contains(0.0)
    assert breakdown.direction == 1
    assert "positive direct effect" in breakdown.describe()


def test_shape_of_the_union_of_a_weak_instrument():
    assert anderson_rubin_set(WEAK).kind == "two rays"
    assert plausibly_exogenous(WEAK, -0.01, 0.01).union.kind == "two rays"
    assert plausibly_exogenous(WEAK, -0.1, 0.1).union.kind == "whole line"
    assert plausibly_exogenous(WEAK, -0.1, 0.1, method="wald").union.kind == "interval"


@settings(max_examples=40)
@given(t_values, first_stages, correlations, ends, st.floats(0.01, 100), st.floats(0.01, 100))
def test_units_and_signs(t_y, t_x, correlation, ends, outcome, exposure):
    fit = numbers(t_y, t_x, correlation)
    found = plausibly_exogenous(fit, *ends, points=2).union
    scale = np.diag([outcome, exposure])
    other = just_identified(
        outcome * t_y, exposure * t_x,
        scale @ [[1.0, correlation], [correlation, 1.0]] @ scale, 100,
    )  # fmt: skip
    scaled = plausibly_exogenous(other, *(outcome * g for g in ends), points=2).union
    assert scaled.kind == found.kind
    assert_allclose(
        scaled.end_points, np.array(found.end_points) * outcome / exposure, rtol=1e-6, atol=1e-9
    )
    # an instrument coded the other way round
    mirrored = numbers(-t_y, -t_x, correlation)
    back = plausibly_exogenous(mirrored, -ends[1], -ends[0], points=2).union
    assert_allclose(back.end_points, found.end_points, rtol=1e-9, atol=1e-12)


def test_a_prior_of_nothing_and_a_wider_one():
    nothing = local_to_zero(STRONG, 0.0, 0.0)
    assert (nothing.coefficient, nothing.standard_error) == (
        STRONG.coefficient,
        STRONG.standard_error,
    )
    wide = local_to_zero(STRONG, 0.01, 0.02)
    assert_allclose(wide.coefficient, 0.05 / 0.5)
    assert_allclose(wide.standard_error**2, STRONG.standard_error**2 + (0.02 / 0.5) ** 2)
    # sign of the instrument's coding does not matter
    mirrored = just_identified(-0.06, -0.5, V, 500)
    assert_allclose(local_to_zero(mirrored, -0.01, 0.02).coefficient, wide.coefficient)


# ---- breakdown points


@pytest.mark.parametrize("null", [0.0, -0.05, 0.3])
@pytest.mark.parametrize("fit", [STRONG, HARMFUL])
def test_a_conclusion_stands_up_to_its_breakdown_point(fit, null):
    found = exclusion_breakdown(fit, null)
    if found.value == 0:
        assert anderson_rubin_set(fit).contains(null)
        return
    below, above = 0.999 * found.value, 1.001 * found.value
    assert not plausibly_exogenous(fit, -below, below).union.contains(null)
    assert plausibly_exogenous(fit, -above, above).union.contains(null)
    # only direct effects of one sign hurt
    assert anderson_rubin_set(fit, shift=found.direction * above).contains(null)
    assert not anderson_rubin_set(fit, shift=-found.direction * above).contains(null)
    by_search = breakdown_of(lambda g: anderson_rubin_set(fit, shift=g), 1.0, null)
    assert_allclose(by_search.value, found.value, rtol=1e-9)
    assert by_search.direction == found.direction
    assert_allclose(found.share, found.value / abs(fit.reduced_form))


def test_breakdown_points_in_words():
    words = exclusion_breakdown(STRONG).describe()
    assert (
        "stays rejected at the 5 % level unless one unit of the instrument has a positive" in words
    )
    assert "% of the reduced form" in words
    assert "negative direct effect" in exclusion_breakdown(HARMFUL).describe()
    nothing = exclusion_breakdown(just_identified(0.01, 0.5, V, 500))
    assert nothing.value == 0
    assert "no conclusion to break down" in nothing.describe()
    never = breakdown_of(lambda _: ConfidenceSet(((1.0, 2.0),), 0.9), 3.0)
    assert never.value == math.inf
    assert "at every direct effect looked up" in never.describe()
    at_once = breakdown_of(lambda _: ConfidenceSet(((-1.0, 2.0),), 0.9), 3.0)
    assert at_once.value == 0.0


@given(t_values, first_stages, correlations, st.floats(-5, 5))
def test_direct_effects_are_those_at_which_the_set_holds_the_null(t_y, t_x, correlation, null):
    fit = numbers(t_y, t_x, correlation)
    low, high = direct_effects(fit, null).intervals[0]
    for gamma in (low + 1e-6, (low + high) / 2, high - 1e-6):
        assert anderson_rubin_set(fit, shift=gamma).contains(null)
    for gamma in (low - 1e-6, high + 1e-6):
        assert not anderson_rubin_set(fit, shift=gamma).contains(null)


# ---- direct effects in standard deviations


def test_a_valid_instrument_gives_the_anderson_rubin_test():
    found = anderson_rubin_sensitivity(STRONG, 0.0)
    assert found.effects == anderson_rubin_set(STRONG)
    assert_allclose(found.test.p_value, 2 * stats.t.sf(abs(STRONG.t_value(0.0)), 500), rtol=1e-12)


@pytest.mark.parametrize("fit", [STRONG, HARMFUL, WEAK])
def test_breakdown_in_standard_deviations_is_where_the_p_value_is_the_level(fit):
    found = anderson_rubin_sensitivity(fit, 0.05, level=0.9)
    at = anderson_rubin_sensitivity(fit, found.breakdown, level=0.9)
    assert_allclose(at.test.p_value, 0.1, rtol=1e-9)
    assert min(abs(v) for v in at.effects.end_points) < 1e-9
    assert anderson_rubin_set(fit, 0.9).is_subset(found.effects)
    assert "stays rejected as long as" in found.describe()
    undecided = just_identified(0.01, 0.5, V, 500, instrument_variation=300.0)
    assert anderson_rubin_sensitivity(undecided, 0.05).breakdown == 0.0
    assert (
        "not rejected even with a valid" in anderson_rubin_sensitivity(undecided, 0.05).describe()
    )


def rejections(direct: float, replications: int = 4000) -> dict[str, float]:
    """Share of samples that reject the true effect, with a direct effect of ``direct`` s.d."""
    generator = np.random.default_rng(8)
    n, beta, delta = 80, 0.4, 0.3
    z = np.repeat([-0.5, 0.5], n // 2)
    count = {"noncentral": 0, "union": 0, "valid": 0}
    for _ in range(replications):
        u = generator.normal(size=n)
        x = 0.3 * z + 0.8 * u + generator.normal(size=n)
        y = beta * x + direct * z + u
        fit = just_identified_fit(y, x, z, covariance="classical")
        found = anderson_rubin_sensitivity(fit, delta, beta0=beta)
        count["noncentral"] += found.test.p_value <= 0.05
        # the residual has a standard deviation of one, so units are the same
        low, high = direct_effects(fit, beta).intervals[0]
        count["union"] += low > delta or high < -delta
        count["valid"] += abs(fit.t_value(beta)) > stats.t.isf(0.025, fit.dof)
    return {name: value / replications for name, value in count.items()}


def test_size_at_the_worst_direct_effect():
    spread = math.sqrt(0.05 * 0.95 / 4000)
    worst = rejections(0.3)
    assert abs(worst["noncentral"] - 0.05) < 4 * spread
    assert 0.025 - 3 * spread < worst["union"] < 0.05
    assert worst["valid"] > 0.15  # what believing in the instrument would do
    none = rejections(0.0, 2000)
    assert none["noncentral"] < 0.05
    assert none["union"] < none["noncentral"]


# ---- bad input

ROBUST = just_identified(0.06, 0.5, V, 500, kind="robust", instrument_variation=300.0)
BAD_CALLS = {
    "range": (lambda: plausibly_exogenous(STRONG, 0.1, -0.1), "low is 0.1 and high -0.1"),
    "infinite range": (lambda: plausibly_exogenous(STRONG, -math.inf, 0.1), "low is -inf"),
    "method": (lambda: plausibly_exogenous(STRONG, 0, 1, method="2SLS"), "method is '2SLS'"),
    "reference": (lambda: plausibly_exogenous(STRONG, 0, 1, reference="z"), "reference is 'z'"),
    "points": (lambda: plausibly_exogenous(STRONG, 0, 1, points=1), "points is 1"),
    "level": (lambda: plausibly_exogenous(STRONG, 0, 1, level=95), "level is 95"),
    "range of a function": (lambda: union_over(lambda _: STRONG, 1, 0), "low is 1 and high 0"),
    "negative sd": (lambda: local_to_zero(STRONG, 0.0, -1), "sd is -1"),
    "missing mean": (lambda: local_to_zero(STRONG, math.nan, 1), "mean is nan"),
    "null": (lambda: exclusion_breakdown(STRONG, math.inf), "null is inf"),
    "largest": (lambda: breakdown_of(lambda _: STRONG, 0), "largest is 0"),
    "negative delta": (lambda: anderson_rubin_sensitivity(STRONG, -0.1), "delta is -0.1"),
    "robust": (lambda: anderson_rubin_sensitivity(ROBUST, 0.1), "needs a classical one"),
    "no variation": (
        lambda: anderson_rubin_sensitivity(just_identified(0.06, 0.5, V, 500), 0.1),
        "instrument_variation None",
    ),
    "variation": (
        lambda: just_identified(0.06, 0.5, V, 500, instrument_variation=0.0),
        "instrument_variation is 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_CALLS)
def test_numbers_that_cannot_be(case):
    call, words = BAD_CALLS[case]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    "call",
    [
        exclusion_breakdown,
        direct_effects,
        lambda fit: selection.regression_at(fit, 0.0),
        selection.instrument_robustness,
        selection.instrument_contours,
        lambda fit: selection.adjusted_anderson_rubin_set(fit, 0.1, 0.1),
        lambda fit: selection.adjusted_anderson_rubin_critical_value(fit, 0.1, 0.1),
        lambda fit: plausibly_exogenous(fit, -0.1, 0.1),
        lambda fit: plausibly_exogenous(fit, -0.1, 0.1, method="wald"),
        lambda fit: local_to_zero(fit, 0.0, 0.1),
        lambda fit: anderson_rubin_sensitivity(fit, 0.1),
    ],
)
@pytest.mark.parametrize("fit", [Estimate("2SLS", 0.1, 0.05, "robust", 100, 98), (0.1, 0.05, 98)])
def test_an_estimate_alone_is_not_enough(call, fit):
    with pytest.raises(ValueError, match=r"fit is a .*: give just_identified_fit\(y, x, z"):
        call(fit)
