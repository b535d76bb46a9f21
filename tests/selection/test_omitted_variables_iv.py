"""Omitted variables of instruments: O-F3, algebra of the Anderson-Rubin regression, set shapes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.selection import (
    adjusted_anderson_rubin_critical_value,
    adjusted_anderson_rubin_set,
    adjusted_estimate,
    adjusted_interval,
    instrument_contours,
    instrument_robustness,
    instrument_sensitivity,
    just_identified,
    just_identified_fit,
    regression_at,
    regression_sensitivity,
    robustness_value,
)
from pooledtrials.selection.instrument_sensitivity import instrument_shares
from pooledtrials.selection.just_identified import anderson_rubin_set
from pooledtrials.selection.least_squares import centre
from pooledtrials.selection.omitted_variables import worst_f

seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0.0, 0.9)
WEAK = just_identified(0.08, 0.1, [[0.0004, 0.0001], [0.0001, 0.004]], 500)
STRONG = just_identified(0.06, 0.5, [[0.0004, 0.0001], [0.0001, 0.004]], 500)
CLUSTERED = just_identified(
    0.06, 0.5, [[0.0005, 0.0002], [0.0002, 0.009]], 24, kind="clustered",
    classical=[[0.0004, 0.0001], [0.0001, 0.004]], residual_dof=500,
)  # fmt: skip


def left(a, *regressors):
    design = np.column_stack([*regressors, np.ones(len(a))])
    return a - design @ np.linalg.lstsq(design, a, rcond=None)[0]


def r2(a, b, *given_):
    before, after = left(a, *given_), left(a, b, *given_)
    return 1 - float(after @ after) / float(before @ before)


def least_squares(y, *regressors):
    design = np.column_stack([*regressors, np.ones(len(y))])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    residual = y - design @ beta
    dof = len(y) - design.shape[1]
    return float(beta[0]), math.sqrt(residual @ residual / dof * inverse[0, 0]), dof


def drawn(seed, n=60, strength=0.8):
    """Outcome, exposure, instrument, confounder of the instrument, controls."""
    generator = np.random.default_rng(seed)
    controls, (w, u, v, e) = generator.normal(size=(n, 2)), generator.normal(size=(4, n))
    z = controls @ [0.5, -0.3] + 0.4 * w + u
    x = strength * z + 0.5 * controls[:, 0] + v
    y = 0.3 * x + controls @ [0.2, 0.4] + 0.6 * w + 0.7 * v + e
    return y, x, z, w, controls


# ---- references


@pytest.fixture(scope="module")
def found(card, card_15):
    return instrument_sensitivity(
        card["lwage"], card["educ"], card["nearc4"], card[card_15],
        benchmarks=["black", "smsa"], multiples=(1, 2),
    )  # fmt: skip


def test_o_f3_statistics(found):
    table = found.to_frame()
    assert_allclose(table.loc["effect", ["estimate", "t_value"]], [0.1315038, 2.327075], rtol=1e-6)
    assert_allclose(found.effects.end_points, [0.02480484, 0.2848236], rtol=1e-6)
    columns = ["extreme_robustness_value", "robustness_value"]
    for row in ("effect", "reduced form"):
        assert_allclose(table.loc[row, columns], [0.0005232443, 0.006666407], rtol=1e-6)
    assert_allclose(table.loc["first stage", columns], [0.003129076, 0.03023129], rtol=1e-6)
    assert_allclose(table.loc["first stage", "t_value"], 3.64085, rtol=1e-6)
    assert found.robustness.weakest == "reduced form"
    assert found.fit.residual_dof == 2994


# multiples of 2: printed in the vignette of iv.sensemakr, as are the auxiliary regressions below
BENCHMARKS = {
    "1x black": (0.002214715, 0.07499929, -0.02121559, 0.4019120, 2.594187),
    "1x smsa": (0.006394072, 0.02018201, -0.01923060, 0.3957506, 2.571007),
    "2x black": (0.00442943, 0.15000005, -0.09557196, 0.7750155, 3.225593),
    "2x smsa": (0.01278814, 0.04036735, -0.08882547, 0.7236338, 3.184735),
}


@pytest.mark.parametrize("label", BENCHMARKS)
def test_o_f3_benchmarks(found, label):
    row = found.benchmarks.set_index("label").loc[label]
    names = ["r2_exposure", "r2_outcome", "low", "high", "critical_value"]
    assert_allclose(row[names].to_numpy(dtype=float), BENCHMARKS[label], rtol=1e-6)


@pytest.mark.parametrize(
    ("outcome", "want"),
    [
        ("educ", [(0.03342, 0.109, 0.531), (0.00498, 0.120, 0.520)]),
        ("lwage", [(0.0657, -0.00418, 0.0883), (0.0197, -0.00429, 0.0884)]),
    ],
)
def test_o_f3_first_stage_and_reduced_form_are_regressions(card, card_15, outcome, want):
    found = regression_sensitivity(
        card[outcome], card["nearc4"], card[card_15], benchmarks=["black", "smsa"], multiples=(1,)
    )
    for row, (share, low, high) in zip(found.benchmarks.itertuples(), want, strict=True):
        assert_allclose(row.r2_outcome, share, rtol=2e-3)
        ends = adjusted_interval(found.fit, row.r2_outcome, row.r2_exposure).end_points
        assert_allclose(ends, [low, high], rtol=5e-3)


# ---- identities


@settings(max_examples=40)
@given(seeds, st.floats(-3, 3))
def test_the_long_anderson_rubin_regression_exactly_when_the_confounder_is_added(seed, b):
    y, x, z, w, controls = drawn(seed)
    fit = just_identified_fit(y, x, z, controls, covariance="classical")
    short = regression_at(fit, b)
    target = y - b * x
    assert_allclose(short.coefficient, least_squares(target, z, controls)[0], atol=1e-9)
    coefficient, error, dof = least_squares(target, z, w, controls)
    strength = (r2(target, w, z, controls), r2(z, w, controls))
    towards = (short.coefficient - coefficient) * short.coefficient > 0
    adjusted = adjusted_estimate(
        short, *strength, direction="towards zero" if towards else "away from zero"
    )
    assert_allclose(adjusted.coefficient, coefficient, atol=1e-9)
    assert_allclose(adjusted.standard_error, error, rtol=1e-8)
    assert adjusted.dof == dof
    # what the long Anderson-Rubin test accepts, the set for confounders this strong holds
    if abs(coefficient / error) <= stats.t.isf(0.025, dof):
        effects = adjusted_anderson_rubin_set(fit, min(strength[0] + 1e-9, 1), strength[1] + 1e-9)
        assert effects.contains(b)


@settings(max_examples=40)
@given(seeds)
def test_the_first_stage_is_the_regression_at_infinity(seed):
    y, x, z, _, controls = drawn(seed)
    fit = just_identified_fit(y, x, z, controls, covariance="classical")
    coefficient, error, dof = least_squares(x, z, controls)
    at = regression_at(fit, math.inf)
    assert_allclose([at.coefficient, at.standard_error, at.dof], [coefficient, error, dof])
    far = regression_at(fit, 1e7)
    assert_allclose(far.f, at.f, rtol=1e-5)


@pytest.mark.parametrize("fit", [WEAK, STRONG, CLUSTERED])
@pytest.mark.parametrize("strength", [(0.0, 0.0), (0.02, 0.01), (0.3, 0.0), (1.0, 0.02), (0.9, 0.001), (0.1, 0.3)])  # fmt: skip
def test_the_set_is_where_the_adjusted_test_accepts(fit, strength):
    effects = adjusted_anderson_rubin_set(fit, *strength)
    angles = np.linspace(-math.pi / 2, math.pi / 2, 4003)[1:-1]
    for b in 0.3 * np.tan(angles):
        short = regression_at(fit, float(b))
        margin = float(worst_f(*strength, short.critical_f(0.95))) - short.f
        if abs(margin) > 1e-9:
            assert effects.contains(float(b)) == (margin > 0)
    for end in effects.end_points:  # and the ends are where it is indifferent
        short = regression_at(fit, end)
        assert_allclose(short.f, worst_f(*strength, short.critical_f(0.95)), rtol=1e-9)
        critical = adjusted_anderson_rubin_critical_value(fit, *strength, b=end)
        classical_t = short.coefficient / short.standard_error
        assert_allclose(abs(classical_t), critical, rtol=1e-9)


@settings(max_examples=80)
@given(
    st.lists(st.floats(-0.95, 0.95), min_size=2, max_size=2),
    st.lists(st.floats(0.3, 3), min_size=2, max_size=2),
    st.floats(-6, 6),
    st.floats(0.1, 8),
    shares,
    shares,
)
def test_the_set_for_any_two_covariances(correlations, designs, t_y, t_x, y, z):
    classical = np.array([[1.0, correlations[0]], [correlations[0], 1.0]])
    root = np.diag(designs)
    clustered = root @ np.array([[1.0, correlations[1]], [correlations[1], 1.0]]) @ root
    fit = just_identified(
        t_y, t_x, clustered, 30, kind="clustered", classical=classical, residual_dof=400
    )
    effects = adjusted_anderson_rubin_set(fit, y, z)
    for b in np.tan(np.linspace(-math.pi / 2, math.pi / 2, 402)[1:-1]):
        short = regression_at(fit, float(b))
        margin = float(worst_f(y, z, short.critical_f(0.95))) - short.f
        if abs(margin) > 1e-9:
            assert effects.contains(float(b)) == (margin > 0)


def test_without_a_confounder_it_is_the_anderson_rubin_set_with_one_parameter_more():
    found = adjusted_anderson_rubin_set(STRONG, 0.0, 0.0)
    wider = np.array(STRONG.covariance) * 500 / 499
    long = just_identified(STRONG.reduced_form, STRONG.first_stage, wider, 499)
    assert_allclose(found.end_points, anderson_rubin_set(long).end_points, rtol=1e-12)


@settings(max_examples=60)
@given(shares, shares, shares, shares)
def test_stronger_confounders_leave_larger_sets(y, z, more_y, more_z):
    for fit in (STRONG, CLUSTERED):
        small = adjusted_anderson_rubin_set(fit, y, z)
        large = adjusted_anderson_rubin_set(fit, max(y, more_y), max(z, more_z))
        widened = [(a - 1e-9 * (1 + abs(a)), b + 1e-9 * (1 + abs(b))) for a, b in large.intervals]
        assert all(any(c <= a and b <= d for c, d in widened) for a, b in small.intervals)


def test_sets_of_weak_instruments_are_what_they_are():
    assert adjusted_anderson_rubin_set(STRONG, 0.01, 0.01).kind == "interval"
    assert anderson_rubin_set(WEAK).kind == "two rays"
    assert adjusted_anderson_rubin_set(WEAK, 0.0, 0.0).kind == "two rays"
    assert adjusted_anderson_rubin_set(WEAK, 0.3, 0.3).kind == "whole line"
    assert adjusted_anderson_rubin_set(CLUSTERED, 0.3, 0.3).kind == "whole line"


@pytest.mark.parametrize("q", [0.8, 1.0, 1.3])
@pytest.mark.parametrize("fit", [STRONG, CLUSTERED])
def test_at_the_robustness_value_the_null_is_let_in(fit, q):
    found = instrument_robustness(fit, q=q, level=0.9)
    assert found.value > 0
    null = (1 - q) * fit.coefficient
    for value, strength in (
        (found.value, lambda r: (r, r)),
        (found.extreme, lambda r: (1.0, r)),
    ):
        inside = adjusted_anderson_rubin_set(fit, *strength(value * 1.001), level=0.9)
        outside = adjusted_anderson_rubin_set(fit, *strength(value * 0.999), level=0.9)
        # fit's estimate is positive: "or beyond" is everything up to the null
        assert any(low <= null for low, _ in inside.intervals)
        assert all(low > null for low, _ in outside.intervals)


def test_a_weak_first_stage_gives_way_before_the_null():
    """The regression at zero is far from zero, but effects far beyond are let in early."""
    fit = just_identified(0.09, 0.15, [[0.0004, 0.0], [0.0, 0.004]], 500)
    found = instrument_robustness(fit, level=0.95)
    assert found.weakest == "first stage"
    assert_allclose(found.value, robustness_value(regression_at(fit, math.inf), level=0.95).value)
    exactly = instrument_robustness(fit, level=0.95, at_least=False)
    assert_allclose(exactly.value, robustness_value(regression_at(fit, 0.0), level=0.95).value)
    assert exactly.value > found.value
    assert not exactly.at_least
    stronger = adjusted_anderson_rubin_set(fit, 1.01 * found.value, 1.01 * found.value)
    assert stronger.intervals[0][0] == -math.inf
    assert not stronger.contains(0.0)


@settings(max_examples=40)
@given(seeds, st.floats(0.2, 1.5), st.floats(0.1, 1.0))
def test_the_least_robustness_beyond_the_null_is_at_an_end(seed, q, strength):
    """Classical: against a dense search over the effects beyond the null."""
    y, x, z, _, controls = drawn(seed, strength=strength)
    fit = just_identified_fit(y, x, z, controls, covariance="classical")
    null = (1 - q) * fit.coefficient
    away = math.copysign(1.0, null - fit.coefficient)
    beyond = null + away * np.tan(np.linspace(0, math.pi / 2, 400)[:-1])
    values = [robustness_value(regression_at(fit, float(b))).value for b in beyond]
    found = instrument_robustness(fit, q=q).value
    assert min(values) >= found - 1e-9
    assert min(values) <= found + 0.01


@settings(max_examples=60)
@given(
    st.lists(st.floats(-0.95, 0.95), min_size=2, max_size=2),
    st.lists(st.floats(0.3, 3), min_size=2, max_size=2),
    st.floats(2.5, 9),
    st.floats(2.5, 9),
    st.sampled_from([None, 0.5, 0.95]),
)
def test_clustered_least_robustness_beyond_the_null(correlations, designs, t_y, t_x, level):
    """Any two covariances, also with a design effect that changes with the effect."""
    classical = np.array([[1.0, correlations[0]], [correlations[0], 1.0]])
    root = np.diag(designs)
    clustered = root @ np.array([[1.0, correlations[1]], [correlations[1], 1.0]]) @ root
    fit = just_identified(
        t_y, t_x, clustered, 30, kind="clustered", classical=classical, residual_dof=400
    )
    found = instrument_robustness(fit, level=level)
    beyond = -np.tan(np.linspace(0, math.pi / 2, 301)[:-1])
    values = [robustness_value(regression_at(fit, float(b)), level=level) for b in beyond]
    assert found.value <= min(value.value for value in values) + 1e-12
    assert found.extreme <= min(value.extreme for value in values) + 1e-12
    assert_allclose(found.value, min(value.value for value in values), atol=0.02)


@settings(max_examples=30)
@given(seeds, st.booleans())
def test_benchmark_share_is_the_largest_over_effects(seed, several):
    y, x, z, _, controls = drawn(seed)
    group = ["controls0", "controls1"] if several else ["controls0"]
    found = instrument_shares(centre(y, x, z, controls), group)
    others = controls[:, len(group) :]
    members = controls[:, : len(group)]
    effects = np.tan(np.linspace(-math.pi / 2, math.pi / 2, 721))
    best = max(r2(y - b * x, members, z, others) for b in effects)
    assert best <= found.r2_outcome + 1e-9
    assert_allclose(best, found.r2_outcome, atol=1e-3)
    assert_allclose(found.r2_exposure, r2(z, members, others), atol=1e-9)


@settings(max_examples=20)
@given(seeds, st.floats(-20, 20).filter(lambda a: abs(a) > 0.05), st.floats(0.05, 20))
def test_units_sign_origin_and_row_order_of_data_do_not_matter(seed, scale_z, scale_y):
    y, x, z, _, controls = drawn(seed)
    groups = np.arange(60) % 12
    first = instrument_sensitivity(
        y, x, z, controls, groups, benchmarks=["controls0"], multiples=(0.2,)
    )
    order = np.random.default_rng(seed).permutation(60)
    second = instrument_sensitivity(
        (5 + scale_y * y)[order], (x - 2)[order], (1 + scale_z * z)[order], 3 * controls[order],
        groups[order], benchmarks=["controls0"], multiples=(0.2,),
    )  # fmt: skip
    columns = ["r2_exposure", "r2_outcome", "critical_value"]
    assert_allclose(first.benchmarks[columns], second.benchmarks[columns], rtol=1e-6)
    assert_allclose(first.robustness.value, second.robustness.value, rtol=1e-5, atol=1e-9)
    one, two = first.sets["0.2x controls0"], second.sets["0.2x controls0"]
    assert one.kind == two.kind
    ends = scale_y * np.array(one.end_points)
    assert_allclose(ends, two.end_points, rtol=1e-5, atol=1e-6 * scale_y)


def test_errors_agree_with_the_instruments_part(card, card_15):
    from pooledtrials.instruments import anderson_rubin_set as theirs

    args = (card["lwage"], card["educ"], card["nearc4"], card[card_15])
    for options in (
        {"covariance": "classical"},
        {"covariance": "robust"},
        {"clusters": card["age"]},
    ):
        fit = just_identified_fit(*args, **options)
        assert_allclose(
            anderson_rubin_set(fit).end_points, theirs(*args, **options).end_points, rtol=1e-8
        )
    # strata are indicators
    args = (card["lwage"], card["educ"], card["nearc4"], card[["exper", "expersq"]])
    strata = np.argmax(card[[f"reg66{j}" for j in range(1, 10)]].to_numpy(), axis=1)
    fit = just_identified_fit(*args, strata=strata, covariance="robust")
    want = theirs(*args, strata=strata)
    assert_allclose(anderson_rubin_set(fit).end_points, want.end_points, rtol=1e-8)


# ---- planes and words


def test_contours_are_the_limits_of_the_adjusted_set():
    marked = pd.DataFrame(
        {"label": ["a", "b"], "r2_exposure": [0.001, 0.05], "r2_outcome": [0.001, 0.05]}
    )
    lower, upper = (
        instrument_contours(STRONG, marked, quantity=q, limit_instrument=0.4, points=5)
        for q in ("lower limit", "upper limit")
    )
    for i, j in ((0, 0), (1, 1), (3, 2), (4, 4)):
        y, z = float(lower.r2_outcome[i]), float(lower.r2_exposure[j])
        effects = adjusted_anderson_rubin_set(STRONG, y, z)
        assert lower.values[i, j] == effects.intervals[0][0]
        assert upper.values[i, j] == effects.intervals[-1][1]
    assert np.isinf(lower.values[-1, -1])
    assert lower.explains == "instrument"
    assert "a would not change" in lower.describe()
    assert "b would change" in lower.describe()
    assert lower.unadjusted == lower.values[0, 0]


def test_a_report_says_what_it_found(found):
    words = found.describe()
    assert "cannot bring an effect of zero or beyond into the 95 % set" in words
    assert "as strong as black the 95 % set is [-0.02122, 0.4019] and holds zero" in words
    assert "2 times as strong as smsa" in words
    assert "reduced form gives way first" in words
    plane = found.contours(points=5)
    assert list(plane.benchmarks["label"]) == found.benchmarks["label"].tolist()
    point = instrument_robustness(STRONG).describe()
    assert "cannot explain away the whole estimate or more" in point
    half = instrument_robustness(STRONG, q=0.5, level=0.95, at_least=False).describe()
    assert "an effect 50 % smaller into" in half
    null = just_identified(0.001, 0.5, STRONG.covariance, 500)
    assert "Nothing needs to be wrong" in instrument_robustness(null, level=0.95).describe()


def test_impossible_multiples_are_said_to_be(card, card_15):
    found = instrument_sensitivity(
        card["lwage"], card["educ"], card["nearc4"], card[card_15],
        benchmarks={"region": card_15[6:]}, multiples=(1, 60), covariance="robust",
    )  # fmt: skip
    assert found.benchmarks["r2_exposure"].isna().tolist() == [False, True]
    assert "Nothing could be 60 times as strong as region" in found.describe()
    assert list(found.sets) == ["1x region"]


# ---- bad input

ROBUST_ONLY = just_identified(0.06, 0.5, STRONG.covariance, 500, kind="robust")
V = [[0.0004, 0.0001], [0.0001, 0.004]]
BAD_CALLS = {
    "no classical covariance": (
        lambda: instrument_robustness(ROBUST_ONLY),
        "fit has a robust covariance only",
    ),
    "no classical for the set": (
        lambda: adjusted_anderson_rubin_set(ROBUST_ONLY, 0.1, 0.1),
        "give classical and residual_dof",
    ),
    "no first stage": (lambda: just_identified(0.1, 0.0, V, 50), "first_stage is 0"),
    "three numbers": (lambda: just_identified(0.1, 0.2, [1, 2, 3], 50), r"covariance has shape"),
    "not symmetric": (
        lambda: just_identified(0.1, 0.2, [[1, 0.2], [0.1, 1]], 50),
        "a covariance is symmetric",
    ),
    "not positive": (
        lambda: just_identified(0.1, 0.2, [[1, 2], [2, 1]], 50),
        "covariance is not positive definite",
    ),
    "dof": (lambda: just_identified(0.1, 0.2, V, 0), "dof is 0"),
    "kind": (lambda: just_identified(0.1, 0.2, V, 50, kind="HC3"), "kind is 'HC3'"),
    "half of the classical": (
        lambda: just_identified(0.1, 0.2, V, 50, kind="robust", classical=V),
        "belong together",
    ),
    "q": (lambda: instrument_robustness(STRONG, q=-1), "q is -1"),
    "level": (lambda: instrument_robustness(STRONG, level=2), "level is 2"),
    "outcome": (lambda: adjusted_anderson_rubin_set(STRONG, -0.1, 0.1), "r2_outcome is -0.1"),
    "instrument": (lambda: adjusted_anderson_rubin_set(STRONG, 0.1, 1.0), "r2_instrument is 1"),
    "quantity": (lambda: instrument_contours(STRONG, quantity="t value"), "quantity is 't value'"),
    "effect": (lambda: regression_at(STRONG, math.nan), "b is nan"),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_numbers_that_cannot_be(case):
    call, words = BAD_CALLS[case]
    with pytest.raises(ValueError, match=words):
        call()


_Y, _X, _Z, _, _C = drawn(1)
BAD_DATA = {
    "no instrument": ({"z": None}, "z is None"),
    "two instruments": ({"z": _C}, "z has 2 columns: sensitivity is worked out for one"),
    "constant instrument": ({"z": np.ones(60)}, "z is constant"),
    "instrument among controls": ({"z": _C[:, 0]}, "z is a linear combination"),
    "exposure is the instrument": ({"x": _Z}, "x is a linear combination"),
    "missing": ({"z": np.where(np.arange(60) == 2, np.nan, _Z)}, "z is missing in 1 of 60 rows"),
    "benchmark": ({"benchmarks": ["age"]}, "benchmarks has 'age'"),
    "covariance": ({"covariance": "HC3"}, "covariance is 'HC3'"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_cannot_be(case):
    changes, words = BAD_DATA[case]
    arguments = {"y": _Y, "x": _X, "z": _Z, "controls": _C} | changes
    with pytest.raises(ValueError, match=words):
        instrument_sensitivity(**arguments)
    if "benchmarks" not in changes:
        with pytest.raises(ValueError, match=words):
            just_identified_fit(**arguments)
