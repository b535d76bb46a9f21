"""Rosenbaum bounds against O-J3, exact enumeration, and the tests they start from."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from pooledtrials.selection import (
    amplification,
    hodges_lehmann_bounds,
    m_statistic_bounds,
    mcnemar_bounds,
    signed_rank_bounds,
)

# Lead in the blood of 33 children of exposed workers and of matched controls [morton1982lead], as
# typed in the documentation of R's rbounds (man/psens.Rd).
EXPOSED = np.array(
    [38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22, 35, 49,
     48, 44, 35, 43, 39, 34, 13, 73, 25, 27]
)  # fmt: skip
CONTROL = np.array(
    [16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9, 14, 21, 19, 7, 18,
     19, 12, 11, 22, 25, 16, 13, 11, 13]
)  # fmt: skip
LEAD = (EXPOSED - CONTROL).astype(float)


def test_o_j3_p_values_as_rbounds_prints_them():
    found = signed_rank_bounds(LEAD).to_frame()["p_upper"]
    assert_array_equal(found.round(4).loc[2:], [0.0018, 0.0131, 0.0367, 0.0694, 0.1073])


def test_o_j3_p_values_with_zeros_ranked_as_in_rosenbaums_book():
    found = signed_rank_bounds(LEAD, zeros="pratt").to_frame()["p_upper"]
    assert_array_equal(found.round(5).loc[2:], [0.00179, 0.01362, 0.03879, 0.07399, 0.11502])


def test_o_j3_hodges_lehmann_bounds():
    """hlsens(pr = .1) prints [4.0, 28.1] at Gamma 6: steps of .1, the last one past the bound.

    At Gamma 1 it prints 15.5, the estimate without the pair that does not differ.
    """
    found = hodges_lehmann_bounds(LEAD)
    assert found.loc[6].tolist() == [4.0, 28.0]
    assert 4.0 - 0.1 <= found.loc[6, "lower"] <= 4.0 + 0.1
    assert 28.1 - 0.1 - 1e-9 <= found.loc[6, "upper"] <= 28.1
    assert hodges_lehmann_bounds(LEAD[LEAD != 0]).loc[1].tolist() == [15.5, 15.5]
    assert found.loc[1].tolist() == [15.0, 15.0]


def statistic_at(shift):
    """Signed-rank statistic of the shifted differences, ties with zero counting half."""
    rest = LEAD - shift
    ranks = stats.rankdata(np.abs(rest))
    return ranks[rest > 0].sum() + ranks[rest == 0].sum() / 2


@pytest.mark.parametrize("gamma", [1.5, 2.0, 3.7, 6.0])
def test_hodges_lehmann_bounds_solve_their_equation(gamma):
    """Just below the bound the statistic is above its extreme expectation, just above below."""
    total = LEAD.size * (LEAD.size + 1) / 2
    low, high = hodges_lehmann_bounds(LEAD, [gamma]).loc[gamma]
    for bound, expected in ((low, total * gamma / (1 + gamma)), (high, total / (1 + gamma))):
        assert statistic_at(bound - 1e-6) >= expected >= statistic_at(bound + 1e-6)


def test_gamma_one_is_wilcoxons_test():
    g = np.random.default_rng(1)
    d = g.normal(0.4, size=25)
    for alternative in ("greater", "less"):
        exact = stats.wilcoxon(d, alternative=alternative, method="exact").pvalue
        normal = stats.wilcoxon(d, alternative=alternative, method="asymptotic").pvalue
        for method, want in (("exact", exact), ("normal", normal)):
            found = signed_rank_bounds(d, [1.0], alternative=alternative, method=method)
            assert_allclose([found.lower[0], found.upper[0]], want, rtol=1e-10)


def test_gamma_one_with_ties_is_wilcoxons_test_with_ties_corrected():
    for zeros, method in (("dropped", "wilcox"), ("pratt", "pratt")):
        want = stats.wilcoxon(LEAD, zero_method=method, alternative="greater", method="asymptotic")
        found = signed_rank_bounds(LEAD, [1.0], zeros=zeros).upper[0]
        assert_allclose(found, want.pvalue, rtol=1e-10)


@pytest.mark.parametrize("gamma", [1.0, 2.0, 4.5])
@pytest.mark.parametrize("zeros", ["dropped", "pratt"])
def test_exact_bounds_by_enumeration(gamma, zeros):
    """Ties and a zero: all sign patterns of nine pairs, each with its probability."""
    d = np.array([3.0, -1, 2, 2, 0, 5, 1, -2, 4])
    kept = d if zeros == "pratt" else d[d != 0]
    ranks = stats.rankdata(np.abs(kept))
    observed = ranks[kept > 0].sum()
    ranks = ranks[kept != 0]
    p = gamma / (1 + gamma)
    upper = lower = 0.0
    for signs in itertools.product((0, 1), repeat=ranks.size):
        if np.dot(signs, ranks) >= observed - 1e-9:
            k = sum(signs)
            upper += p**k * (1 - p) ** (ranks.size - k)
            lower += (1 - p) ** k * p ** (ranks.size - k)
    found = signed_rank_bounds(d, [gamma], zeros=zeros, method="exact")
    assert_allclose([found.lower[0], found.upper[0]], [lower, upper], rtol=1e-10)


def test_exact_and_normal_bounds_agree_in_a_larger_sample():
    d = np.random.default_rng(3).normal(0.3, size=150)
    gammas = [1.0, 1.5, 2.0]
    exact = signed_rank_bounds(d, gammas, method="exact").upper
    normal = signed_rank_bounds(d, gammas).upper
    assert_allclose(normal, exact, rtol=0.2, atol=0.002)


differences = st.lists(st.integers(-9, 9), min_size=4, max_size=20).filter(any)


@given(differences, st.floats(1, 5), st.floats(1, 5), st.floats(0.1, 10))
def test_bounds_widen_with_gamma_and_ignore_units_and_order(values, a, b, unit):
    d = np.array(values, dtype=float)
    first = signed_rank_bounds(d, sorted((a, b)))
    assert first.lower[1] <= first.lower[0] <= first.upper[0] <= first.upper[1]
    again = signed_rank_bounds(unit * np.sort(d), sorted((a, b)))
    assert_allclose(again.upper, first.upper, rtol=1e-9)
    low, high = hodges_lehmann_bounds(d, sorted((a, b))).to_numpy().T
    assert low[1] <= low[0] <= high[0] <= high[1]


@given(differences, st.floats(1, 5), st.integers(-5, 5))
def test_the_estimate_moves_with_the_data_and_turns_with_the_sign(values, gamma, shift):
    d = np.array(values, dtype=float)
    low, high = hodges_lehmann_bounds(d, [gamma]).to_numpy()[0]
    assert_allclose(hodges_lehmann_bounds(d + shift, [gamma]), [[low + shift, high + shift]])
    assert_allclose(hodges_lehmann_bounds(-d, [gamma]), [[-high, -low]])


def test_turning_the_sign_turns_the_alternative():
    up = signed_rank_bounds(LEAD, alternative="less")
    down = signed_rank_bounds(-LEAD, alternative="greater")
    assert_array_equal(up.upper, down.upper)


def test_tolerated_gamma_is_where_the_worst_p_value_crosses():
    found = signed_rank_bounds(LEAD)
    gamma = found.tolerated(0.05)
    assert signed_rank_bounds(LEAD, [gamma]).upper[0] == pytest.approx(0.05, abs=1e-9)
    assert f"more than {gamma:.3g}" in found.describe()
    weak = signed_rank_bounds(np.array([1.0, -2, 3, -1.5]))
    assert math.isnan(weak.tolerated())
    assert "no finding for hidden bias" in weak.describe()


def test_mcnemar_is_the_binomial():
    """Smoking and lung cancer, 110 and 12 discordant pairs [rosenbaum2002observational]."""
    found = mcnemar_bounds(110, 12)
    assert found.upper[0] == pytest.approx(
        stats.binomtest(110, 122, 0.5, alternative="greater").pvalue, rel=1e-10
    )
    # the book's normal approximation: .0036, .03, .1 at Gamma 4, 5, 6
    normal = [
        stats.norm.sf((109.5 - 122 * g / (1 + g)) / math.sqrt(122 * g / (1 + g) ** 2))
        for g in (4, 5, 6)
    ]
    assert_allclose(normal, [0.0036, 0.03, 0.1], rtol=0.06)
    assert_allclose(found.upper[3:], normal, atol=0.006)


def test_mcnemar_agrees_with_signed_ranks_of_equal_size():
    """All differences tied: the exact signed-rank test is the sign test."""
    d = np.repeat([1.0, -1.0, 0.0], [14, 5, 8])
    gammas = [1.0, 2.0, 3.0]
    one = signed_rank_bounds(d, gammas, method="exact")
    other = mcnemar_bounds(14, 5, gammas)
    assert_allclose([one.lower, one.upper], [other.lower, other.upper], rtol=1e-10)


def test_m_statistic_of_the_differences_themselves_is_the_permutational_t():
    """No psi: the sum of signed absolute differences, mean and variance in closed form."""
    found = m_statistic_bounds(LEAD, [1.0, 3.0], trim=math.inf)
    size, total = np.abs(LEAD), LEAD.sum()
    for gamma, p in zip((1.0, 3.0), found.upper, strict=True):
        mean = (gamma - 1) / (gamma + 1) * size.sum()
        variance = 4 * gamma / (1 + gamma) ** 2 * (size**2).sum()
        assert p == pytest.approx(stats.norm.sf((total - mean) / math.sqrt(variance)), rel=1e-9)


def test_m_statistic_that_only_sees_signs_is_mcnemars_up_to_the_normal_approximation():
    d = np.random.default_rng(4).normal(0.5, size=400)
    found = m_statistic_bounds(d, [1.0, 1.5], trim=1e-9)
    positive = int((d > 0).sum())
    exact = mcnemar_bounds(positive, 400 - positive, [1.0, 1.5])
    assert_allclose(np.log(found.upper), np.log(exact.upper), rtol=0.05)


def test_pairs_as_differences_and_as_columns_are_the_same():
    columns = np.column_stack([EXPOSED, CONTROL])
    assert_allclose(m_statistic_bounds(columns).upper, m_statistic_bounds(LEAD).upper)
    assert_allclose(
        m_statistic_bounds(columns, inner=0.5, trim=2.0).upper,
        m_statistic_bounds(LEAD, inner=0.5, trim=2.0).upper,
    )


@pytest.mark.parametrize("gamma", [1.0, 2.5])
def test_expectation_in_sets_is_the_largest_over_all_unobserved_covariates(gamma):
    """Two sets of four: every u in {0, 1}^4 per set, against the worst-case deviate."""
    outcomes = np.array([[5.0, 1, 2, 0], [3, 4, 1, 1]])
    scores = np.array([[(row[i] - row).sum() / 4 for i in range(4)] for row in outcomes])
    mean = variance = 0.0
    for q in scores:
        options = []
        for u in itertools.product((0, 1), repeat=4):
            weights = gamma ** np.array(u)
            weights = weights / weights.sum()
            centre = weights @ q
            options.append((round(centre, 12), weights @ q**2 - centre**2))
        best = max(options)
        mean, variance = mean + best[0], variance + best[1]
    found = m_statistic_bounds(outcomes, [gamma], trim=math.inf)
    want = stats.norm.sf((scores[:, 0].sum() - mean) / math.sqrt(variance))
    assert found.upper[0] == pytest.approx(want, rel=1e-9)
    assert found.lower[0] <= found.upper[0]


def test_m_statistic_ignores_units_levels_of_sets_and_order_of_controls():
    g = np.random.default_rng(5)
    outcomes = g.normal([0.8, 0, 0], size=(40, 3))
    base = m_statistic_bounds(outcomes).upper
    moved = 3 * (outcomes + g.normal(size=(40, 1)))
    assert_allclose(m_statistic_bounds(moved[:, [0, 2, 1]]).upper, base, rtol=1e-9)
    assert_allclose(m_statistic_bounds(-outcomes, alternative="less").upper, base, rtol=1e-9)


def test_outliers_count_no_more_than_psi_allows():
    wild = LEAD.copy()
    wild[LEAD.argmax()] = 1e6
    assert_allclose(m_statistic_bounds(wild).upper, m_statistic_bounds(LEAD).upper, rtol=1e-12)


def test_rosenbaums_amplification_of_three_and_a_half():
    """Documentation of R's sensitivitymv: (4, 26), (6, 8), (8, 6), (11, 5)."""
    assert_allclose([amplification(3.5, v) for v in (4, 6, 8, 11)], [26, 8, 6, 5])


@given(st.floats(1.01, 20), st.floats(1.01, 5))
def test_amplification_solves_its_equation(gamma, more):
    strength = gamma * more
    delta = amplification(gamma, strength)
    assert (strength * delta + 1) / (strength + delta) == pytest.approx(gamma, rel=1e-6)
    assert amplification(gamma, delta) == pytest.approx(strength, rel=1e-6)


def test_size_at_gamma_with_the_worst_confounder():
    """Signs positive with probability Gamma / (1 + Gamma): rejection at 5 % in at most 5 %."""
    g = np.random.default_rng(6)
    gamma, draws = 2.0, 1000
    sizes = np.arange(1.0, 41)
    rejected = sum(
        signed_rank_bounds(
            np.where(g.random(40) < gamma / (1 + gamma), sizes, -sizes), [gamma], method="exact"
        ).upper[0]
        <= 0.05
        for _ in range(draws)
    )
    assert rejected <= stats.binom.ppf(0.999, draws, 0.05)
    assert rejected >= stats.binom.ppf(0.001, draws, 0.04)  # the exact test is hardly conservative


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: signed_rank_bounds([0.0, 0.0]), "differences are all 0"),
        (lambda: signed_rank_bounds([1.0, math.nan]), "differences is missing in 1 of 2"),
        (lambda: signed_rank_bounds(np.ones((3, 2))), "differences has 2 columns"),
        (lambda: signed_rank_bounds(LEAD, [0.5]), r"gammas holds 0\.5"),
        (lambda: signed_rank_bounds(LEAD, ["a"]), r"gammas is \['a'\]: give a list"),
        (lambda: signed_rank_bounds(LEAD, None), "gammas is None: give a list"),
        (
            lambda: m_statistic_bounds([[1, 1], [1, 1]], trim=math.inf),
            "outcomes have no difference",
        ),
        (lambda: signed_rank_bounds(LEAD, []), "gammas has shape"),
        (lambda: signed_rank_bounds(LEAD, zeros="kept"), "zeros is 'kept'"),
        (lambda: signed_rank_bounds(LEAD, method="fast"), "method is 'fast'"),
        (lambda: signed_rank_bounds(LEAD, alternative="two-sided"), "alternative is"),
        (lambda: signed_rank_bounds(LEAD).tolerated(5), "alpha is 5"),
        (lambda: mcnemar_bounds(3.5, 1), r"exposed_only is 3\.5"),
        (lambda: mcnemar_bounds(0, 0), "no pair is discordant"),
        (lambda: mcnemar_bounds(1, -1), "unexposed_only is -1"),
        (lambda: m_statistic_bounds(np.repeat([0.0, 1.0], [20, 5])), "raise the quantile"),
        (lambda: m_statistic_bounds(LEAD, inner=3.0), r"inner is 3\.0"),
        (lambda: m_statistic_bounds(LEAD, quantile=1.0), r"quantile is 1\.0"),
        (lambda: amplification(1.0, 2.0), r"gamma is 1\.0"),
        (lambda: amplification(3.0, 2.0), r"with_exposure is 2\.0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
