"""Bounds without a model: populations in which the truth is known, formulas, errors, coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.selection import (
    bounds_by_assumption,
    bounds_table,
    effect_bounds,
    missing_outcome_bounds,
)

UNIT = {"outcome_range": (0.0, 1.0)}
STRATA = list(itertools.product((0, 1), repeat=4))  # y(0), y(1), x if z = 0, x if z = 1


def population(counts):
    """Every principal stratum with its number of people, all of it seen under both values of z."""
    people = np.repeat(STRATA, counts, axis=0).astype(float)
    z = np.repeat([0.0, 1.0], len(people))
    both = np.vstack([people, people])
    x = np.where(z == 0, both[:, 2], both[:, 3])
    y = np.where(x == 0, both[:, 0], both[:, 1])
    return y, x, z, both


populations = st.lists(st.integers(0, 4), min_size=16, max_size=16)


def draw(counts):
    assume(sum(counts) > 0)
    y, x, z, people = population(counts)
    assume(0 < x.mean() < 1)
    return y, x, z, people, float((people[:, 1] - people[:, 0]).mean())


def holds(bounds, truth):
    low, high = bounds.plug_in
    return low - 1e-9 <= truth <= high + 1e-9


@given(populations)
def test_worst_case_and_independent_instrument_contain_the_truth(counts):
    y, x, z, _, truth = draw(counts)
    assert holds(effect_bounds(y, x, **UNIT), truth)
    assert holds(effect_bounds(y, x, z, instrument="mean independence", **UNIT), truth)


@given(populations)
def test_monotone_response_contains_the_truth_where_nobody_is_harmed(counts):
    kept = [0 if s[0] > s[1] else c for s, c in zip(STRATA, counts, strict=True)]
    y, x, z, _, truth = draw(kept)
    assert holds(effect_bounds(y, x, response="increasing", **UNIT), truth)
    with_z = {"instrument": "mean independence", "response": "increasing"}
    assert holds(effect_bounds(y, x, z, **with_z, **UNIT), truth)


@given(populations)
def test_monotone_selection_contains_the_truth_in_its_own_direction(counts):
    y, x, _, people, truth = draw(counts)
    gaps = [people[x == 1, j].mean() - people[x == 0, j].mean() for j in (0, 1)]
    for selection, sign in (("positive", 1), ("negative", -1)):
        if all(sign * gap >= 0 for gap in gaps):
            assert holds(effect_bounds(y, x, selection=selection, **UNIT), truth)


@given(populations, populations)
def test_monotone_instrument_contains_the_truth_if_means_rise_with_it(low, high):
    parts = [population(c) for c in (low, high)]
    assume(all(len(p[0]) for p in parts))
    y, x, people = (np.concatenate([p[i] for p in parts]) for i in (0, 1, 3))
    v = np.repeat([0.0, 1.0], [len(p[0]) for p in parts])
    assume(0 < x.mean() < 1)
    gaps = [people[v == 1, j].mean() - people[v == 0, j].mean() for j in (0, 1)]
    truth = float((people[:, 1] - people[:, 0]).mean())
    for instrument, sign in (("increasing", 1), ("decreasing", -1)):
        if all(sign * gap >= 0 for gap in gaps):
            assert holds(effect_bounds(y, x, v, instrument=instrument, **UNIT), truth)


@pytest.mark.parametrize("response", ["increasing", "decreasing"])
@pytest.mark.parametrize("selection", ["positive", "negative"])
@given(populations)
def test_both_monotonicities_together_contain_the_truth(response, selection, counts):
    """Also where they point opposite ways and two bounds on the same people compete."""
    harmed = 1 if response == "increasing" else -1
    kept = [0 if harmed * (s[0] - s[1]) > 0 else c for s, c in zip(STRATA, counts, strict=True)]
    y, x, _, people, truth = draw(kept)
    sign = 1 if selection == "positive" else -1
    assume(all(sign * (people[x == 1, j].mean() - people[x == 0, j].mean()) >= 0 for j in (0, 1)))
    assert holds(effect_bounds(y, x, response=response, selection=selection, **UNIT), truth)


@given(populations, st.sampled_from(["increasing", "decreasing", "mean independence"]))
def test_bounds_are_nested_as_assumptions_are_added(counts, instrument):
    y, x, z, _, _ = draw(counts)
    rows = bounds_by_assumption(
        y, x, z, response="increasing", selection="positive", instrument=instrument, **UNIT
    )
    assert len(rows) == 8
    for a, b in itertools.permutations(rows, 2):
        # empty cells of x within z leave selection nothing to compare, not even with all of z
        full = min(np.bincount((2 * z + x).astype(int), minlength=4)) > 0
        if set(a.assumptions) < set(b.assumptions) and full and comparable(a, b):
            (low_a, high_a), (low_b, high_b) = a.plug_in, b.plug_in
            assert low_a - 1e-9 <= low_b
            assert high_b <= high_a + 1e-9


def comparable(a, b):
    """Selection at every z is another assumption than selection overall."""
    instrumented = [any("instrument" in name for name in r.assumptions) for r in (a, b)]
    return "monotone selection" not in a.assumptions or instrumented[0] == instrumented[1]


def example(seed=0, n=400):
    g = np.random.default_rng(seed)
    u = g.random(n)
    z = g.integers(0, 3, n).astype(float)
    x = (u + 0.2 * z + 0.3 * g.random(n) > 0.8).astype(float)
    y = (g.random(n) < 0.2 + 0.3 * x + 0.3 * u).astype(float)
    return y, x, z


def test_formulas_of_manski_and_of_manski_and_pepper():
    y, x, _ = example()
    m1, m0, p = y[x == 1].mean(), y[x == 0].mean(), x.mean()
    worst = (m1 * p - m0 * (1 - p) - p, m1 * p + (1 - p) - m0 * (1 - p))
    cases = {
        (): worst,
        ("increasing",): (0.0, worst[1]),
        ("decreasing",): (worst[0], 0.0),
        ("positive",): (worst[0], m1 - m0),
        ("negative",): (m1 - m0, worst[1]),
        ("increasing", "positive"): (0.0, m1 - m0),
        ("increasing", "negative"): (max(0.0, m1 - m0), worst[1]),
        ("decreasing", "positive"): (worst[0], min(0.0, m1 - m0)),
    }
    for words, want in cases.items():
        options = {("response" if w.endswith("creasing") else "selection"): w for w in words}
        assert_allclose(effect_bounds(y, x, **options, **UNIT).plug_in, want, atol=1e-12)


def test_worst_case_width_is_the_range_times_the_share_not_seen():
    y, x, _ = example()
    for low, high in ((0, 1), (-1, 5)):
        found = effect_bounds(y, x, outcome_range=(low, high))
        assert found.upper - found.lower == pytest.approx(high - low)
    three = x + (np.arange(x.size) % 3 == 0)
    found = effect_bounds(y, three, **UNIT)
    unseen = 2 - (three == 0).mean() - (three == 2).mean()
    assert found.upper - found.lower == pytest.approx(unseen)


def test_ordered_exposure_by_the_formulas_of_manski_and_pepper():
    """Monotone response and selection: corollary 2 of [manski2000monotone]."""
    g = np.random.default_rng(3)
    x = g.integers(0, 4, 900).astype(float)
    y = np.clip(0.1 * x + g.random(900) * 0.5, 0, 1)
    share = np.array([(x == s).mean() for s in range(4)])
    mean = np.array([y[x == s].mean() for s in range(4)])
    assert np.all(np.diff(mean) > 0)
    both = {"response": "increasing", "selection": "positive"} | UNIT

    def upper(t):
        return mean[t] * share[: t + 1].sum() + (mean * share)[t + 1 :].sum()

    def lower(s):
        return (mean * share)[:s].sum() + mean[s] * share[s:].sum()

    for s, t in ((0, 3), (1, 2), (0, 1)):
        found = effect_bounds(y, x, contrast=(s, t), **both)
        assert_allclose(found.plug_in, [0.0, upper(t) - lower(s)], atol=1e-12)
    response = effect_bounds(y, x, contrast=(1, 2), response="increasing", **UNIT)
    top = (mean * share)[2:].sum() + share[:2].sum()
    bottom = (mean * share)[:2].sum() + 0.0
    assert_allclose(response.plug_in, [0.0, top - bottom], atol=1e-12)


def test_instrument_by_hand():
    """Mean independence: best of the cells. Monotone: best of the cells on the right side."""
    y, x, z = example()
    cells = [z == v for v in (0, 1, 2)]
    low1 = np.array([(y * x)[c].mean() for c in cells])
    high1 = low1 + np.array([(1 - x)[c].mean() for c in cells])
    low0 = np.array([(y * (1 - x))[c].mean() for c in cells])
    high0 = low0 + np.array([x[c].mean() for c in cells])
    found = effect_bounds(y, x, z, instrument="mean independence", **UNIT)
    assert_allclose(found.plug_in, [low1.max() - high0.min(), high1.min() - low0.max()])
    share = np.array([c.mean() for c in cells])
    up, down = np.maximum.accumulate, np.minimum.accumulate
    want = [
        share @ up(low1) - share @ down(high0[::-1])[::-1],
        share @ down(high1[::-1])[::-1] - share @ up(low0),
    ]
    found = effect_bounds(y, x, z, instrument="increasing", **UNIT)
    assert_allclose(found.plug_in, want)


def test_turning_the_outcome_round_swaps_bounds_and_directions():
    y, x, z = example()
    options = {"response": "increasing", "selection": "positive", "instrument": "increasing"}
    turned = {"response": "decreasing", "selection": "negative", "instrument": "decreasing"}
    one = effect_bounds(y, x, z, **options, **UNIT)
    other = effect_bounds(3 - 2 * y, x, z, outcome_range=(1, 3), **turned)
    assert_allclose(other.plug_in, [-2 * one.plug_in[1], -2 * one.plug_in[0]], atol=1e-12)
    assert_allclose([other.lower, other.upper], [-2 * one.upper, -2 * one.lower], atol=0.01)


def test_labels_of_exposure_and_instrument_and_order_of_rows_do_not_matter():
    y, x, z = example()
    options = {"response": "increasing", "instrument": "increasing"} | UNIT
    base = effect_bounds(y, x, z, **options)
    order = np.random.default_rng(0).permutation(y.size)
    again = effect_bounds(y[order], 30 * x[order], np.exp(z[order]), **options)
    assert_allclose(again.plug_in, base.plug_in, atol=1e-12)
    assert_allclose([again.lower, again.upper], [base.lower, base.upper], atol=1e-9)
    independent = {"instrument": "mean independence"} | UNIT
    shuffled = np.array([2.0, 0.0, 1.0])[z.astype(int)]
    assert_allclose(
        effect_bounds(y, x, shuffled, **independent).plug_in,
        effect_bounds(y, x, z, **independent).plug_in,
    )


@pytest.mark.parametrize(
    "options", [{}, {"selection": "positive"}, {"response": "increasing", "selection": "positive"}]
)
def test_errors_against_the_bootstrap(options):
    y, x, _ = example()
    found = effect_bounds(y, x, **options, **UNIT)
    g = np.random.default_rng(1)
    draws = []
    for _ in range(600):
        i = g.integers(0, y.size, y.size)
        draws.append(effect_bounds(y[i], x[i], **options, **UNIT).plug_in)
    if "response" in options:
        assert np.isnan(found.correlation)  # the lower bound is zero by assumption
    else:
        assert found.correlation == pytest.approx(np.corrcoef(np.transpose(draws))[0, 1], abs=0.1)
    # the relative error of a bootstrap standard error with 600 draws is about 3 %
    assert_allclose(
        [found.lower_error, found.upper_error], np.std(draws, axis=0), rtol=0.12, atol=1e-12
    )


def test_clusters_of_copies_count_once():
    y, x, _ = example()
    once = effect_bounds(y, x, selection="positive", **UNIT)
    y4, x4, clusters = (np.repeat(v, 4) for v in (y, x, np.arange(y.size)))
    copied = effect_bounds(y4, x4, clusters=clusters, selection="positive", **UNIT)
    assert_allclose(
        [copied.lower_error, copied.upper_error], [once.lower_error, once.upper_error], rtol=1e-9
    )
    loose = effect_bounds(y4, x4, selection="positive", **UNIT)
    assert loose.upper_error == pytest.approx(once.upper_error / 2)


def test_worst_case_interval_covers_the_effect_at_its_bound():
    """Effect equal to the upper bound: coverage at least 95 %, up to the binomial."""
    g = np.random.default_rng(2)
    draws, n, covered = 1000, 300, 0
    for _ in range(draws):
        x = (g.random(n) < 0.6).astype(float)
        y = (g.random(n) < np.where(x == 1, 0.7, 0.4)).astype(float)
        # all the unexposed would have had y(1) = 1, all the exposed y(0) = 0
        truth = 0.6 * 0.7 + 0.4 - 0.4 * 0.4
        covered += effect_bounds(y, x, **UNIT).interval().contains(truth)
    low, high = stats.binom.ppf([0.001, 0.999], draws, 0.95)
    assert low <= covered <= high


def test_best_of_several_bounds_is_not_too_narrow_half_the_time():
    """Eight cells with the same bound: the plug-in is nearly always inside, the corrected not."""
    g = np.random.default_rng(4)
    draws, n, cells = 200, 1600, 8
    truth = (0.5 * 0.6 + 0.5) - 0.5 * 0.4  # upper bound in every cell
    plug_in = corrected = covered = 0
    for _ in range(draws):
        z = g.integers(0, cells, n).astype(float)
        x = (g.random(n) < 0.5).astype(float)
        y = (g.random(n) < np.where(x == 1, 0.6, 0.4)).astype(float)
        found = effect_bounds(y, x, z, instrument="mean independence", **UNIT)
        plug_in += found.plug_in[1] >= truth
        corrected += found.upper >= truth
        covered += found.interval().contains(truth)
    low = stats.binom.ppf(0.001, draws, 0.5)
    assert plug_in < low
    assert low <= corrected
    assert covered >= stats.binom.ppf(0.001, draws, 0.95)


def test_correction_vanishes_where_one_bound_is_clearly_the_tightest():
    """A dominant cell: the half-median unbiased bound is the plug-in."""
    g = np.random.default_rng(5)
    n = 20_000
    z = g.integers(0, 2, n).astype(float)
    x = (g.random(n) < np.where(z == 1, 0.95, 0.05)).astype(float)
    y = (g.random(n) < 0.5).astype(float)
    found = effect_bounds(y, x, z, instrument="mean independence", **UNIT)
    assert_allclose([found.lower, found.upper], found.plug_in, atol=0.002)


def test_contradicted_assumptions_are_said_and_chance_is_not():
    g = np.random.default_rng(6)
    x = np.repeat([0.0, 1.0], 200)
    y = np.where(x == 1, 0.2, 0.8)
    both = {"response": "increasing", "selection": "positive"} | UNIT
    found = effect_bounds(y, x, **both)
    assert found.refuted
    assert found.interval().kind == "empty"
    assert "data reject the assumptions" in found.describe()
    assert np.isnan(bounds_table([found])["low"].iloc[0])
    noise = (g.random(400) < 0.5).astype(float)
    while noise[x == 1].mean() >= noise[x == 0].mean():
        noise = (g.random(400) < 0.5).astype(float)
    chance = effect_bounds(noise, x, **both)
    assert chance.refuted
    assert "though not by more than sampling error" in chance.describe()


def test_a_table_keeps_bounds_that_differ_only_in_direction():
    """Selection either way has the same name; neither row may replace the other."""
    y, x, _ = example()
    ways = {way: effect_bounds(y, x, selection=way, **UNIT) for way in ("positive", "negative")}
    table = bounds_table(ways.values())
    assert list(table.index) == ["monotone selection"] * 2
    assert_allclose(table["lower"], [found.lower for found in ways.values()])
    named = bounds_table(ways)
    assert list(named.index) == ["positive", "negative"]
    assert_allclose(named.to_numpy(), table.to_numpy())
    assert named.index.name == "assumptions"


def test_words_and_table():
    y, x, z = example()
    rows = bounds_by_assumption(
        y, x, z, response="increasing", instrument="mean independence", **UNIT
    )
    table = bounds_table(rows)
    assert list(table.index) == [
        "no assumption",
        "monotone response",
        "mean-independent instrument",
        "monotone response + mean-independent instrument",
    ]
    assert (table["low"] <= table["lower"]).all()
    assert (table["high"] >= table["upper"]).all()
    assert_allclose(table["width"], table["upper"] - table["lower"])
    assert "its sign stays open" in rows[0].describe()
    assert "assumed, not found" in rows[1].describe()
    assert "the same at every z" in rows[2].describe()
    better = effect_bounds(np.where(x == 1, 1.0, 0.1 * y), x, selection="negative", **UNIT)
    assert "it is positive, sampling error included" in better.describe()


def test_same_seed_same_bounds():
    y, x, z = example()
    options = {"instrument": "increasing"} | UNIT
    a, b = (effect_bounds(y, x, z, seed=3, **options) for _ in range(2))
    assert (a.lower, a.upper, a.interval()) == (b.lower, b.upper, b.interval())


def test_missing_outcomes_by_hand_and_their_width():
    g = np.random.default_rng(7)
    n = 600
    z = g.integers(0, 2, n).astype(float)
    seen = (g.random(n) < 0.7 + 0.1 * z).astype(float)
    full = g.random(n)
    y = np.where(seen == 1, full, np.nan)
    found = missing_outcome_bounds(y, z, observed=seen, outcome_range=(0, 1))
    lost = [1 - seen[z == a].mean() for a in (0, 1)]
    part = [np.where(seen == 1, full, 0.0)[z == a].mean() for a in (0, 1)]
    assert_allclose(
        [found.lower, found.upper], [part[1] - part[0] - lost[0], part[1] + lost[1] - part[0]]
    )
    assert found.upper - found.lower == pytest.approx(sum(lost))
    truth = full[z == 1].mean() - full[z == 0].mean()
    assert found.lower <= truth <= found.upper
    complete = missing_outcome_bounds(full, z, observed=np.ones(n), outcome_range=(0, 1))
    assert complete.lower == pytest.approx(complete.upper)
    welch = math.sqrt(sum(full[z == a].var() / (z == a).sum() for a in (0, 1)))
    assert complete.lower_error == pytest.approx(welch)
    half = stats.norm.ppf(0.975) * welch
    assert_allclose(complete.interval().end_points, [truth - half, truth + half])


Y, X, Z = example(1, 90)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": Y + 0.5}, r"y is outside outcome_range \(0, 1\) in"),
        ({"outcome_range": (1, 0)}, r"outcome_range is \(1, 0\)"),
        ({"outcome_range": (0, 1, 2)}, r"outcome_range is \(0, 1, 2\): give two numbers"),
        ({"outcome_range": None}, "outcome_range is None: give two numbers"),
        ({"outcome_range": (0, math.inf)}, "outcome_range is inf"),
        ({"x": np.ones(90)}, "x has 1 distinct values"),
        ({"x": np.arange(90.0)}, "x has 90 distinct values"),
        ({"x": X[:-1]}, "x has 89 rows but y has 90"),
        ({"contrast": (0, 2)}, r"contrast is \(0, 2\)"),
        ({"contrast": (1, 0)}, r"contrast is \(1, 0\)"),
        ({"response": "up"}, "response is 'up'"),
        ({"selection": "up"}, "selection is 'up'"),
        ({"z": Z, "instrument": "up"}, "instrument is 'up'"),
        ({"z": Z}, "z is given and instrument is 'unrestricted'"),
        ({"instrument": "increasing"}, "z is not given and instrument is 'increasing'"),
        ({"z": np.ones(90), "instrument": "increasing"}, "z is constant"),
        ({"z": np.arange(90.0) // 10, "instrument": "increasing"}, "at most 5 ordered levels"),
        ({"clusters": np.zeros(90)}, "clusters has 1 cluster"),
        ({"y": np.where(np.arange(90) == 2, np.nan, Y)}, "y is missing in 1 of 90"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        effect_bounds(**{"y": Y, "x": X} | UNIT | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": 2 * X}, "z is neither 0 nor 1"),
        ({"z": np.ones(90)}, "z is constant"),
        ({"observed": X + 1}, "observed is neither 0 nor 1"),
        ({"y": np.full(90, np.nan)}, "y is missing in"),
        ({"y": Y[:-1]}, "y has shape"),
        ({"outcome_range": (0.5, 1)}, "y is outside outcome_range"),
    ],
)
def test_bad_input_with_missing_outcomes(change, message):
    arguments = {"y": Y, "z": X, "observed": np.ones(90), "outcome_range": (0, 1)} | change
    with pytest.raises(ValueError, match=message):
        missing_outcome_bounds(**arguments)
