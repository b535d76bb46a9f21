"""Bounds by linear programming against O-G1 and closed forms; tests of instruments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.selection import (
    balke_pearl_bounds,
    balke_pearl_from_probabilities,
    effect_bounds,
    instrumental_inequality,
    kitagawa_test,
)


@pytest.fixture(scope="module")
def vitamin_a():
    """O-G1: rows z, x, y and their number."""
    cells = [
        (0, 0, 0, 74), (0, 0, 1, 11514), (1, 0, 0, 34), (1, 0, 1, 2385), (1, 1, 0, 12),
        (1, 1, 1, 9663),
    ]  # fmt: skip
    rows = np.repeat([c[:3] for c in cells], [c[3] for c in cells], axis=0).astype(float)
    return rows[:, 2], rows[:, 1], rows[:, 0]


def test_o_g1(vitamin_a):
    """O-G1, Balke and Pearl (1997), R bpbounds."""
    found = balke_pearl_bounds(*vitamin_a)
    assert_allclose(found.effect, [-0.1946228482, 0.005393688914], atol=1e-10)
    assert_allclose(found.mean_unexposed, [0.9936140835] * 2, atol=1e-10)
    assert_allclose(found.mean_exposed, [0.7989912353, 0.9990077724], atol=1e-10)
    monotone = balke_pearl_bounds(*vitamin_a, monotone=True)
    assert_allclose(monotone.effect, found.effect, atol=1e-10)


def test_three_levels_as_bpbounds_prints_them():
    """Folate and homocysteine, three genotypes: tests of R's bpbounds, 4 dp."""
    table = np.reshape(
        [0.83, 0.05, 0.11, 0.01, 0.88, 0.06, 0.05, 0.01, 0.72, 0.05, 0.20, 0.03], (3, 2, 2)
    )
    found = balke_pearl_from_probabilities(table)
    assert_allclose(found.effect, [-0.09, 0.74], atol=1e-9)
    assert_allclose(found.mean_unexposed, [0.06, 0.12], atol=1e-9)
    assert_allclose(found.mean_exposed, [0.03, 0.80], atol=1e-9)
    assert balke_pearl_from_probabilities(table, monotone=True).refuted


TYPES = list(itertools.product((0, 1), repeat=4))  # x(0), x(1), y(0), y(1)


def from_types(shares):
    """P(x, y | z) of a population of response types, and its effect."""
    shares = np.array(shares, dtype=float) / np.sum(shares)
    table = np.zeros((2, 2, 2))
    for share, (x0, x1, y0, y1) in zip(shares, TYPES, strict=True):
        for z, x in enumerate((x0, x1)):
            table[z, x, (y0, y1)[x]] += share
    effect = sum(s * (t[3] - t[2]) for s, t in zip(shares, TYPES, strict=True))
    return table, float(effect)


def closed_form(p):
    """Balke and Pearl's sixteen expressions; p[z, x, y], q(y, x, z) their p_yx.z."""

    def q(yx, z):
        return p[z, int(yx[1]), int(yx[0])]

    lower = [
        q("11", 1) + q("00", 0) - 1,
        q("11", 0) + q("00", 1) - 1,
        q("11", 0) - q("11", 1) - q("10", 1) - q("01", 0) - q("10", 0),
        q("11", 1) - q("11", 0) - q("10", 0) - q("01", 1) - q("10", 1),
        -q("01", 1) - q("10", 1),
        -q("01", 0) - q("10", 0),
        q("00", 1) - q("01", 1) - q("10", 1) - q("01", 0) - q("00", 0),
        q("00", 0) - q("01", 0) - q("10", 0) - q("01", 1) - q("00", 1),
    ]
    upper = [
        1 - q("01", 1) - q("10", 0),
        1 - q("01", 0) - q("10", 1),
        -q("01", 0) + q("01", 1) + q("00", 1) + q("11", 0) + q("00", 0),
        -q("01", 1) + q("11", 1) + q("00", 1) + q("01", 0) + q("00", 0),
        q("11", 1) + q("00", 1),
        q("11", 0) + q("00", 0),
        -q("10", 1) + q("11", 1) + q("00", 1) + q("11", 0) + q("10", 0),
        -q("10", 0) + q("11", 0) + q("00", 0) + q("11", 1) + q("10", 1),
    ]
    return max(lower), min(upper)


populations = st.lists(st.integers(0, 9), min_size=16, max_size=16).filter(any)


@given(populations)
def test_linear_program_is_the_closed_form_and_contains_the_truth(shares):
    table, effect = from_types(shares)
    found = balke_pearl_from_probabilities(table)
    assert_allclose(found.effect, closed_form(table), atol=1e-7)
    assert found.effect[0] - 1e-7 <= effect <= found.effect[1] + 1e-7


@given(populations)
def test_monotone_take_up_narrows_and_still_contains_the_truth(shares):
    kept = [0 if t[0] > t[1] else s for s, t in zip(shares, TYPES, strict=True)]
    assume(any(kept))
    table, effect = from_types(kept)
    loose = balke_pearl_from_probabilities(table)
    tight = balke_pearl_from_probabilities(table, monotone=True)
    assert loose.effect[0] - 1e-7 <= tight.effect[0] <= effect + 1e-7
    assert effect - 1e-7 <= tight.effect[1] <= loose.effect[1] + 1e-7


@given(populations, populations)
def test_a_third_level_of_the_instrument_narrows(shares, more):
    """The second population differs in take-up at the third level only."""
    shares = np.array(shares, dtype=float)
    table, effect = from_types(shares)
    third = np.zeros((2, 2))
    for share, kind, other in zip(shares, TYPES, more, strict=True):
        exposed = other / 9
        third[1, kind[3]] += share * exposed
        third[0, kind[2]] += share * (1 - exposed)
    three = np.concatenate([table, third[None] / shares.sum()])
    loose = balke_pearl_from_probabilities(table).effect
    tight = balke_pearl_from_probabilities(three).effect
    assert loose[0] - 1e-7 <= tight[0] <= effect + 1e-7
    assert effect - 1e-7 <= tight[1] <= loose[1] + 1e-7


@given(populations)
def test_sharp_bounds_are_within_manskis_and_turn_with_the_outcome(shares):
    table, _ = from_types(shares)
    found = balke_pearl_from_probabilities(table)
    turned = balke_pearl_from_probabilities(table[:, :, ::-1])
    assert_allclose(turned.effect, [-found.effect[1], -found.effect[0]], atol=1e-7)
    swapped = balke_pearl_from_probabilities(table[:, ::-1])
    assert_allclose(swapped.effect, [-found.effect[1], -found.effect[0]], atol=1e-7)
    relabelled = balke_pearl_from_probabilities(table[::-1])
    assert_allclose(relabelled.effect, found.effect, atol=1e-7)
    lower = [t[1, 1] - t[0, 1] - t[1].sum() for t in table]
    high1 = min(t[1, 1] + t[0].sum() for t in table)
    low0 = max(t[0, 1] for t in table)
    assert found.effect[1] <= high1 - low0 + 1e-7
    assert found.effect[0] >= max(lower) - 1e-7


def test_rows_and_probabilities_agree_and_manskis_bounds_contain_them(vitamin_a):
    found = balke_pearl_bounds(*vitamin_a)
    again = balke_pearl_from_probabilities(found.probabilities)
    assert_allclose(again.effect, found.effect, atol=1e-12)
    manski = effect_bounds(*vitamin_a, outcome_range=(0, 1), instrument="mean independence")
    low, high = manski.plug_in
    assert low - 1e-9 <= found.effect[0]
    assert found.effect[1] <= high + 1e-9


def test_interval_holds_the_bounds_and_shrinks_to_them(vitamin_a):
    found = balke_pearl_bounds(*vitamin_a)
    low, high = found.interval().end_points
    assert low < found.effect[0] < found.effect[1] < high
    assert found.interval(0.5).is_subset(found.interval(0.99))
    many = balke_pearl_bounds(*(np.tile(v, 20) for v in vitamin_a))
    assert_allclose(many.interval().end_points, many.effect, atol=0.005)


def test_interval_covers_in_small_samples():
    """Conservative: coverage of a bound in samples of 60 is at least 95 %, up to the binomial."""
    g = np.random.default_rng(1)
    table, _ = from_types([1, 0, 2, 1, 3, 5, 9, 4, 0, 0, 0, 0, 2, 1, 3, 6])
    edge = closed_form(table)[0]
    draws, covered = 200, 0
    for _ in range(draws):
        cells = np.concatenate([g.choice(4, 30, p=table[z].reshape(-1)) for z in (0, 1)])
        found = balke_pearl_bounds((cells % 2).astype(float), cells // 2, np.repeat([0, 1], 30))
        covered += found.interval().contains(edge)
    assert covered >= stats.binom.ppf(0.001, draws, 0.95)


def invalid(n=2000):
    """An instrument that moves the outcome by itself."""
    g = np.random.default_rng(2)
    z = g.integers(0, 2, n).astype(float)
    x = (g.random(n) < 0.1 + 0.1 * z).astype(float)
    y = (g.random(n) < 0.1 + 0.8 * z).astype(float)
    return y, x, z


def test_an_invalid_instrument_is_found_out():
    data = invalid()
    found = balke_pearl_bounds(*data)
    assert found.refuted
    assert np.isnan(found.effect).all()
    assert found.interval().kind == "empty"
    assert "no mix of people" in found.describe()
    for test in (instrumental_inequality(*data), kitagawa_test(*data, seed=1)):
        assert test.violated
        assert test.test.p_value < 0.01
        assert "not to be believed" in test.describe()


def test_pearls_sum_by_hand_and_the_program_agree(vitamin_a):
    y, x, z = invalid(60)
    found = instrumental_inequality(y, x, z)
    sums = [
        sum(max(((y == b) & (x == a))[z == c].mean() for c in (0, 1)) for b in (0, 1))
        for a in (0, 1)
    ]
    assert found.test.statistic == pytest.approx(max(sums))
    assert found.violated == balke_pearl_bounds(y, x, z).refuted
    fine = instrumental_inequality(*vitamin_a)
    assert not fine.violated
    assert fine.test.p_value == 1.0
    assert "no proof" in fine.describe()


@given(st.lists(st.integers(0, 6), min_size=8, max_size=8))
def test_for_two_levels_pearls_inequality_is_all_there_is(counts):
    counts = np.array(counts).reshape(2, 2, 2)
    assume(counts.sum(axis=(1, 2)).min() > 0)
    table = counts / counts.sum(axis=(1, 2), keepdims=True)
    excess = table.max(axis=0).sum(axis=1).max() - 1
    assume(abs(excess) > 1e-6)  # the solver's own tolerance
    assert balke_pearl_from_probabilities(table).refuted == (excess > 0)


def test_small_violations_are_put_down_to_chance():
    y, x, z = (
        np.array(v, dtype=float) for v in ([0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 1, 1, 1])
    )
    found = instrumental_inequality(y, x, z)
    assert found.violated
    assert found.test.p_value > 0.3
    assert "no more than chance" in found.describe()


def valid(seed, n):
    """Exclusion and monotonicity hold with no slack: take-up hardly moves."""
    g = np.random.default_rng(seed)
    z = g.integers(0, 2, n).astype(float)
    u = g.normal(size=n)
    x = (u > 0).astype(float)
    return u + 0.5 * x + g.normal(size=n), x, z


def test_kitagawas_test_keeps_its_size_where_the_inequalities_bind():
    draws = 200
    rejected = sum(
        kitagawa_test(*valid(s, 300), draws=99, seed=s).test.p_value <= 0.05 for s in range(draws)
    )
    low, high = stats.binom.ppf([0.001, 0.999], draws, 0.05)
    assert low <= rejected <= high


def test_exact_test_keeps_its_size():
    draws, rejected = 200, 0
    for s in range(draws):
        y, x, z = valid(s, 100)
        rejected += instrumental_inequality((y > 0).astype(float), x, z).test.p_value <= 0.05
    assert rejected <= stats.binom.ppf(0.999, draws, 0.05)


def test_kitagawas_statistic_by_brute_force():
    """Every interval of ten distinct outcomes, each standardized by itself."""
    g = np.random.default_rng(5)
    n = 120
    z = g.integers(0, 2, n).astype(float)
    x = (g.random(n) < 0.4 + 0.1 * z).astype(float)
    y = g.integers(0, 10, n).astype(float)
    m, k = z.sum(), n - z.sum()
    best = 0.0
    for a, b in itertools.combinations_with_replacement(range(10), 2):
        inside = (y >= a) & (y <= b)
        for exposure, sign in ((1, 1), (0, -1)):
            p = (inside & (x == exposure))[z == 1].mean()
            q = (inside & (x == exposure))[z == 0].mean()
            spread = np.sqrt(k / n * p * (1 - p) + m / n * q * (1 - q))
            best = max(best, sign * np.sqrt(m * k / n) * (q - p) / max(spread, 0.07))
    found = kitagawa_test(y, x, z, seed=0, draws=9)
    assert found.test.statistic == pytest.approx(best)


def test_kitagawas_test_ignores_increasing_changes_of_the_outcome_and_the_order_of_rows():
    y, x, z = valid(3, 200)
    y = np.round(y, 0)
    base = kitagawa_test(y, x, z, seed=4)
    order = np.random.default_rng(0).permutation(200)
    again = kitagawa_test(np.exp(y)[order], x[order], z[order], seed=4)
    assert again.test.statistic == pytest.approx(base.test.statistic)
    assert again.test.p_value == base.test.p_value


def test_words(vitamin_a):
    text = balke_pearl_bounds(*vitamin_a).describe()
    assert "-0.1946 to 0.005394" in text
    assert "its sign stays open" in text
    assert list(balke_pearl_bounds(*vitamin_a).to_frame()) == ["lower", "upper"]


Y, X, Z = (np.tile(v, 10) for v in ([0.0, 1, 1, 0], [0.0, 1, 0, 1], [0.0, 0, 1, 1]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: balke_pearl_bounds(Y + 1, X, Z), "y is neither 0 nor 1 in 20 rows"),
        (lambda: balke_pearl_bounds(Y, 2 * X, Z), "x is neither 0 nor 1 in 20 rows"),
        (lambda: balke_pearl_bounds(Y, X, np.arange(40)), "z has 40 distinct values"),
        (lambda: balke_pearl_bounds(Y, X, np.ones(40)), "z has 1 distinct values"),
        (lambda: balke_pearl_bounds(Y, X[:-1], Z), "x has 39 rows but y has 40"),
        (lambda: balke_pearl_from_probabilities(np.ones((2, 2))), r"has shape \(2, 2\)"),
        (lambda: balke_pearl_from_probabilities(np.ones((2, 2, 2))), "probabilities add up to"),
        (
            lambda: balke_pearl_from_probabilities(np.full((2, 2, 2), 0.25)).interval(),
            "probabilities alone have no sampling error",
        ),
        (lambda: balke_pearl_bounds(Y, X, Z).interval(95), "level is 95"),
        (lambda: instrumental_inequality(np.arange(40.0), np.arange(40.0), Z), "combinations"),
        (lambda: instrumental_inequality(Y, X, np.ones(40)), "z is constant"),
        (lambda: kitagawa_test(Y, X, Z + 1, seed=0), "z is neither 0 nor 1"),
        (lambda: kitagawa_test(Y, np.ones(40), Z, seed=0), "x is constant"),
        (lambda: kitagawa_test(Y, X, Z, trim=0, seed=0), "trim is 0"),
        (lambda: kitagawa_test(Y, X, Z, draws=0, seed=0), "draws is 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
