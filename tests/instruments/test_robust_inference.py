"""Robust tests and sets: O-C1 to O-C6, shapes, round trips."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from card_controls import CARD_4, CARD_15
from numpy.testing import assert_allclose
from scipy import integrate, stats

from pooledtrials.instruments import (
    anderson_rubin_set,
    anderson_rubin_test,
    conditional_lr_set,
    conditional_lr_test,
    first_stage,
    j_set,
    j_test_at,
    joint_moments,
    kleibergen_set,
    kleibergen_test,
    partial_out,
    tsls,
)
from pooledtrials.instruments.acceptance import acceptance_strength, acceptance_table
from pooledtrials.instruments.conditional import (
    chi2_or_f_isf,
    conditional_p_value,
    critical_value,
)
from pooledtrials.instruments.homoskedastic_panel import invariants, lower_set
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.instruments.robust_sets import robust_set
from pooledtrials.instruments.robust_tests import null_statistics

IID = {"covariance": "classical"}
CHI2 = {"reference": "chi2"}
WEAKIV = {"form": "score", "debiased": False, "reference": "chi2"}


@pytest.fixture
def mroz3(mroz):
    z = mroz[["age", "kidslt6", "kidsge6"]]
    return mroz["lwage"], mroz["educ"], z, mroz[["exper", "expersq"]]


def numbers(test):
    return test.statistic, test.p_value


def test_o_c1_card_one_instrument(card, truths):
    want = truths["O-C1"]
    data = (card["lwage"], card["educ"], card["nearc4"], card[CARD_15])
    assert_allclose(numbers(anderson_rubin_test(*data, **IID)), want["ar"], rtol=1e-7)
    found = anderson_rubin_test(*data, **IID, **CHI2)
    assert_allclose(found.p_value, want["p_chi2"], rtol=1e-7)
    assert anderson_rubin_test(*data, **IID).dof == (1, 2994)
    for make in (anderson_rubin_set, conditional_lr_set, kleibergen_set):
        assert_allclose(make(*data, **IID).end_points, want["set_F"], rtol=1e-7)
        assert_allclose(make(*data, **IID, **CHI2).end_points, want["set_chi2"], rtol=1e-7)
        assert_allclose(make(*data, **CHI2).end_points, want["hc1_chi2"], rtol=1e-7)
        assert_allclose(make(*data).end_points, want["hc1_F"], rtol=1e-7)
        hc0 = make(*data, **CHI2, debiased=False).end_points
        assert_allclose(hc0, want["hc0_chi2"], rtol=1e-7)


def test_o_c2_card_two_instruments(card, truths):
    want = truths["O-C2"]
    data = (card["lwage"], card["educ"], card[["nearc4", "nearc2"]], card[CARD_15])
    assert_allclose(numbers(anderson_rubin_test(*data, **IID)), want["ar"], rtol=1e-6)
    assert_allclose(anderson_rubin_set(*data, **IID).end_points, want["set_F"], rtol=1e-6)
    found = conditional_lr_test(*data, **IID, **CHI2)
    assert_allclose(found.statistic, want["clr"][0], rtol=1e-6)
    assert_allclose(found.p_value, want["clr"][1], atol=1e-8)
    found = conditional_lr_set(*data, **IID, **CHI2)
    assert_allclose(found.end_points, want["clr_set"], rtol=1e-6)
    assert_allclose(
        anderson_rubin_set(*data, **IID, **CHI2).end_points, want["set_chi2"], rtol=1e-6
    )
    assert_allclose(kleibergen_test(*data, **IID, **CHI2).statistic, want["lm"], rtol=1e-6)
    found = kleibergen_set(*data, **IID, **CHI2)
    assert_allclose(found.end_points, want["lm_set"], rtol=1e-6)
    assert found.kind == "union"
    assert found.bounded
    assert_allclose(tsls(*data, **IID).interval().end_points, want["wald"], rtol=1e-6)


def test_o_c2_unconditional_likelihood_ratio_set_and_why_it_is_not_offered(card, truths):
    """LR = M - QT against chi2(1), as if instruments were strong: the kernel has it in one line."""
    data = (card["lwage"], card["educ"], card[["nearc4", "nearc2"]], card[CARD_15])
    moments = joint_moments(partial_out(*data), "classical")
    gram, sigma = moments.gram, moments.error_covariance
    roots = invariants(gram, sigma, 2)
    needed = roots.larger - stats.chi2.isf(0.05, 1)
    found = lower_set(gram, sigma, roots.trace - needed).confidence_set(0.95)
    assert_allclose(found.end_points, truths["O-C2"]["lr_set"], rtol=1e-6)
    conditional = conditional_lr_set(*data, **IID, **CHI2)
    assert found.is_subset(conditional)
    # by how much it misses with ten irrelevant instruments, whose QT is chi2(10)
    strength = stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, 10)
    covers = 1 - conditional_p_value(stats.chi2.isf(0.05, 1), strength, 10).mean()
    assert_allclose(covers, 0.61, atol=0.005)


def test_o_c3_mroz_classical_and_wald_form(mroz3, truths):
    want = truths["O-C3"]
    assert_allclose(numbers(anderson_rubin_test(*mroz3, **IID)), want["ar"], rtol=1e-6)
    assert_allclose(anderson_rubin_set(*mroz3, **IID).end_points, want["set_F"], rtol=1e-6)
    assert_allclose(
        anderson_rubin_set(*mroz3, **IID, **CHI2).end_points, want["set_chi2"], rtol=1e-6
    )
    found = conditional_lr_test(*mroz3, **IID, **CHI2)
    assert_allclose(found.statistic, want["clr"][0], rtol=1e-6)
    assert_allclose(found.p_value, want["clr"][1], atol=1e-8)
    found = kleibergen_set(*mroz3, **IID, **CHI2)
    assert_allclose(found.end_points, want["lm_set"], rtol=1e-6)
    assert not found.bounded
    assert len(found.intervals) == 3
    large = {"debiased": False, **CHI2}
    found = anderson_rubin_test(*mroz3, **large)
    assert_allclose(found.statistic, want["robust_ar"], rtol=1e-6)
    # ivreg2's F form is HC0 times (n - L) / n / k: our debiased Wald form and F reference
    assert_allclose(numbers(anderson_rubin_test(*mroz3)), want["robust_arf"], rtol=1e-6)
    assert_allclose(anderson_rubin_set(*mroz3, **large).end_points, want["hc0"], rtol=1e-6)
    assert_allclose(anderson_rubin_set(*mroz3, **CHI2).end_points, want["hc1"], rtol=1e-6)
    found = anderson_rubin_set(*mroz3, **CHI2, covariance="HC3")
    assert_allclose(found.end_points, want["hc3"], rtol=1e-6)


def test_o_c3_clr_set_against_adaptive_integration(mroz3, truths):
    """R ivmodel's end points are 4e-6 off: its p-value there is not 0.05, ours is to 1e-10."""

    def exact(m, q, k=3):
        def integrand(a):
            tail = stats.chi2.sf((q + m) / (1 + q * math.sin(a) ** 2 / m), k)
            return tail * math.cos(a) ** (k - 2)

        mass = math.gamma(k / 2) / math.gamma((k - 1) / 2) / math.sqrt(math.pi)
        return 2 * mass * integrate.quad(integrand, 0, math.pi / 2, epsabs=1e-13)[0]

    def p_at(b):
        moments = joint_moments(partial_out(*mroz3), "classical")
        _, _, q, ratio = null_statistics(moments, b)
        return exact(ratio, q)

    ours = conditional_lr_set(*mroz3, **IID, **CHI2).end_points
    theirs = truths["O-C3"]["clr_set"]
    assert_allclose(ours, theirs, rtol=5e-6)
    assert_allclose([p_at(b) for b in ours], 0.05, atol=1e-10)
    assert max(abs(p_at(b) - 0.05) for b in theirs) > 1e-8


def test_o_c4_mroz_score_form_of_weakiv(mroz3, truths):
    want = truths["O-C4"]
    assert_allclose(numbers(anderson_rubin_test(*mroz3, **WEAKIV)), want["ar"], rtol=1e-6)
    assert_allclose(numbers(kleibergen_test(*mroz3, **WEAKIV)), want["k"], rtol=1e-6)
    assert_allclose(numbers(conditional_lr_test(*mroz3, **WEAKIV)), want["clr"], rtol=1e-6)
    assert_allclose(j_test_at(*mroz3, **WEAKIV).statistic, want["j"], rtol=1e-6)
    assert_allclose(anderson_rubin_set(*mroz3, **WEAKIV).end_points, want["ar_set"], rtol=1e-6)
    assert_allclose(kleibergen_set(*mroz3, **WEAKIV).end_points, want["k_set"], rtol=1e-6)
    assert_allclose(conditional_lr_set(*mroz3, **WEAKIV).end_points, want["clr_set"], rtol=1e-6)
    moments = joint_moments(partial_out(*mroz3), form="score", debiased=False)
    assert_allclose(float(statistics_at(moments, 0.0).rank), want["rk"], rtol=1e-6)


def test_o_c5_a_whole_line(nhefs, truths):
    data = (nhefs["wt82_71"], nhefs["qsmk"], nhefs["z"])
    found = anderson_rubin_test(*data, **IID)
    assert_allclose(found.statistic, truths["O-C5"]["nhefs_ar"], atol=5e-8)  # 7 dp
    for make in (anderson_rubin_set, conditional_lr_set, kleibergen_set):
        for options in (IID, {}, CHI2):
            assert make(*data, **options).kind == "whole line"


def test_o_c5_b_whole_line(bwght, truths):
    want = truths["O-C5"]
    data = (bwght["lbwght"], bwght["packs"], bwght["cigprice"])
    assert_allclose(numbers(anderson_rubin_test(*data, **IID)), want["bwght_ar"], atol=5e-8)
    stage = first_stage(*data, covariance="classical").f_test
    assert_allclose(stage.statistic, want["bwght_F"], atol=5e-5)
    found = tsls(*data, covariance="classical")
    assert_allclose([found.coefficient, found.standard_error], want["bwght_tsls"], rtol=1e-6)
    assert str(anderson_rubin_set(*data, **IID)) == "(-inf, inf)"
    assert "any effect at all" in anderson_rubin_set(*data, **IID).describe()


def test_o_c5_c_two_rays(mroz, truths):
    want = truths["O-C5"]
    data = (mroz["lwage"], mroz["hours"], mroz["huswage"], mroz[["educ", "exper", "expersq"]])
    assert_allclose(numbers(anderson_rubin_test(*data, **IID)), want["hours_ar"], rtol=1e-6)
    stage = first_stage(*data, covariance="classical").f_test
    assert_allclose(stage.statistic, want["hours_F"], rtol=1e-6)
    assert_allclose(tsls(*data).coefficient, want["hours_tsls"], rtol=1e-6)
    found = anderson_rubin_set(*data, **IID)
    assert found.kind == "two rays"
    assert_allclose(found.end_points, want["hours_set"], rtol=1e-6)


def test_o_c5_d_empty(mroz, truths):
    want = truths["O-C5"]
    data = (mroz["lwage"], mroz["educ"], mroz[["motheduc", "huswage"]], mroz[["exper", "expersq"]])
    found = anderson_rubin_test(*data, **IID)
    assert_allclose(found.statistic, want["empty_ar"][0], rtol=1e-6)
    assert_allclose(found.p_value, want["empty_ar"][1], atol=5e-9)  # 8 dp
    stage = first_stage(*data, covariance="classical").f_test
    assert_allclose(stage.statistic, want["empty_F"], atol=5e-5)
    assert anderson_rubin_set(*data, **IID).kind == "empty"
    found = conditional_lr_set(*data, **IID, **CHI2)
    assert_allclose(found.end_points, want["empty_clr"], atol=5e-8)
    estimate = tsls(*data, covariance="classical")
    found = [estimate.coefficient, estimate.standard_error]
    assert_allclose(found, want["empty_tsls"], rtol=1e-6)


def test_o_c6_clustered(card, truths):
    want = truths["O-C6"]
    large = {"debiased": False, **CHI2}
    for name, columns in (("one", ["nearc4"]), ("two", ["nearc2", "nearc4"])):
        data = (card["lwage"], card["educ"], card[columns], card[CARD_4], card["age"])
        statistics = [
            anderson_rubin_test(*data, **large).statistic, anderson_rubin_test(*data).statistic,
        ]  # fmt: skip
        assert_allclose(statistics, want[name], rtol=1e-6)
        found = anderson_rubin_set(*data, **large)
        assert_allclose(found.end_points, want[f"{name}_chi2"], rtol=1e-6)
        assert_allclose(anderson_rubin_set(*data).end_points, want[f"{name}_F"], rtol=1e-6)
    errors = [tsls(*data, debiased=d).standard_error for d in (False, True)]
    assert_allclose(errors, want["se"], rtol=1e-6)


MAKERS = [
    (anderson_rubin_set, anderson_rubin_test),
    (kleibergen_set, kleibergen_test),
    (conditional_lr_set, conditional_lr_test),
    (j_set, j_test_at),
]


@pytest.mark.parametrize(("invert", "test"), MAKERS)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
@pytest.mark.parametrize(
    "options", [IID, {}, CHI2, WEAKIV, {"covariance": "HC3"}, {**IID, "form": "score"}]
)
def test_p_value_at_end_points_is_alpha(mroz3, invert, test, level, options):
    found = invert(*mroz3, level=level, **options)
    for point in found.end_points:
        p_value = test(*mroz3, beta0=point, **options).p_value
        assert_allclose(p_value, 1 - level, rtol=1e-6)
    for lower, upper in found.intervals:
        inside = np.clip([lower, upper], -1e3, 1e3).mean()
        assert test(*mroz3, beta0=float(inside), **options).p_value >= 1 - level
    for lower, upper in found.complement().intervals:
        outside = np.clip([lower, upper], -1e3, 1e3).mean()
        assert test(*mroz3, beta0=float(outside), **options).p_value <= 1 - level


def test_searched_sets_equal_closed_forms(mroz3):
    """The circle search finds what the classical closed forms give."""
    exact = joint_moments(partial_out(*mroz3), "classical")
    searched = replace(exact, covariance="robust")
    for statistic in ("AR", "K", "CLR", "J"):
        for level in (0.3, 0.8, 0.95, 0.99):
            one, two = (robust_set(m, statistic, level) for m in (exact, searched))
            assert one.kind == two.kind
            assert_allclose(one.end_points, two.end_points, rtol=1e-7)


def test_anderson_rubin_roots_with_many_instruments_match_a_dense_scan():
    for seed in range(12):
        generator = np.random.default_rng(seed)
        n, k = 300, 8
        z = generator.normal(size=(n, k))
        v = generator.normal(size=n)
        x = 0.1 * z[:, 0] + v * (1 + (z[:, 0] > 1))
        y = v + generator.normal(size=n) * np.exp(z[:, 1] / 2) + 0.1 * z[:, 2]
        moments = joint_moments(partial_out(y, x, z), "robust")
        grid = np.tan(np.linspace(-1.57, 1.57, 20001))
        value = statistics_at(moments, grid).anderson_rubin
        for level in (0.05, 0.3, 0.6, 0.9):
            found = robust_set(moments, "AR", level, "chi2")
            assert np.array_equal(found.contains(grid), value <= stats.chi2.ppf(level, k))


def test_conditional_p_value_against_adaptive_integration():
    for k in (2, 3, 5, 12):
        mass = math.gamma(k / 2) / math.gamma((k - 1) / 2) / math.sqrt(math.pi)
        for m in (0.1, 1.0, 5.0, 20.0):
            for q in (0.0, 0.5, 8.0, 300.0, 1e5):

                def integrand(a, m=m, q=q, k=k):
                    tail = stats.chi2.sf((q + m) / (1 + q * math.sin(a) ** 2 / m), k)
                    return tail * math.cos(a) ** (k - 2)

                edges = [0, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1.0, math.pi / 2]
                want = sum(
                    integrate.quad(integrand, a, b, epsabs=1e-14, epsrel=1e-12)[0]
                    for a, b in itertools.pairwise(edges)
                )
                found = float(conditional_p_value(m, q, k))
                assert_allclose(found, 2 * mass * want, atol=5e-9)


@pytest.mark.parametrize("dof", [None, 30.0])
def test_conditional_law_runs_from_chi2_k_to_chi2_1(dof):
    for k in (2, 6):
        assert_allclose(
            conditional_p_value(5.0, 0.0, k, dof),
            stats.chi2.sf(5.0, k) if dof is None else stats.f.sf(5.0 / k, k, dof),
            atol=1e-10,
        )
        values = conditional_p_value(5.0, np.array([0.0, 1.0, 10.0, 100.0, 1e6]), k, dof)
        assert np.all(np.diff(values) < 0)
    # strong instruments: the chi2 reference tends to chi2(1)
    assert_allclose(conditional_p_value(5.0, 1e9, 4), stats.chi2.sf(5.0, 1), rtol=1e-6)


@pytest.mark.parametrize("dof", [None, 25.0, 1700.0])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.5])
def test_acceptance_strength_inverts_the_critical_value(alpha, dof):
    """Two searches that share nothing but the law itself."""
    for k in (2, 5, 12, 60):
        for q in (1e-3, 0.4, 3.0, 50.0, 1e4):
            c = critical_value(alpha, q, k, dof)
            assert_allclose(acceptance_strength(q + c, alpha, k, dof), q, atol=1e-11 * (1 + q))
        weak = chi2_or_f_isf(alpha, k, dof)
        assert acceptance_strength(weak, alpha, k, dof) == 0.0
        assert acceptance_strength(weak / 2, alpha, k, dof) == 0.0


@pytest.mark.parametrize("dof", [None, 1700.0])
def test_acceptance_table(dof):
    for k in (1, 2, 5, 12):
        table = acceptance_table(0.05, k, dof)
        start = chi2_or_f_isf(0.05, k, dof)
        largest = np.concatenate([start + np.geomspace(1e-3, 1e3, 40), [1e4]])
        want = [acceptance_strength(m, 0.05, k, dof) for m in largest]
        assert_allclose(table(largest), want, atol=1e-6)
        assert table(np.array([start - 0.1]))[0] == 0


def naive_statistics(y, x, z, controls, clusters, b):
    """AR, K, rk and LR from regressions on z and controls and explicit inverses, CR1.

    With clusters the covariance of reduced form and first stage is not symmetric in the
    instruments, which no reference number above exercises.
    """
    n, k = z.shape
    full = np.column_stack([z, np.ones(n), controls])
    bread = np.linalg.inv(full.T @ full)
    coefficients = bread @ full.T @ np.column_stack([y, x])
    residual = np.column_stack([y, x]) - full @ coefficients
    sums = [
        np.concatenate([full[clusters == g].T @ residual[clusters == g, a] for a in (0, 1)])
        for g in np.unique(clusters)
    ]
    meat = np.array(sums).T @ np.array(sums)
    groups, columns = len(sums), full.shape[1]
    factor = groups / (groups - 1) * (n - 1) / (n - columns)
    wide = np.kron(np.eye(2), bread)
    joint = factor * wide @ meat @ wide
    keep = [*range(k), *range(columns, columns + k)]
    joint = joint[np.ix_(keep, keep)]
    delta, pi = coefficients[:k, 0], coefficients[:k, 1]
    to = np.hstack([np.eye(k), -b * np.eye(k)])
    first = np.hstack([np.zeros((k, k)), np.eye(k)])
    variance, cross = to @ joint @ to.T, first @ joint @ to.T
    inverse = np.linalg.inv(variance)
    m = delta - b * pi
    d = pi - cross @ inverse @ m
    ar = m @ inverse @ m
    score = (d @ inverse @ m) ** 2 / (d @ inverse @ d)
    rank = d @ np.linalg.inv(joint[k:, k:] - cross @ inverse @ cross.T) @ d
    ratio = (ar - rank + np.sqrt((ar - rank) ** 2 + 4 * score * rank)) / 2
    return ar, score, rank, ratio


@pytest.mark.parametrize("b", [-3.0, 0.0, 0.3, 2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_clustered_statistics_from_their_definition(seed, b):
    g = np.random.default_rng(seed)
    n, k = 240, 3
    clusters = g.integers(0, 24, n)
    shared = g.normal(size=(24, 5))[clusters]
    z = g.normal(size=(n, k)) + shared[:, :k]
    controls = g.normal(size=(n, 2))
    v = g.normal(size=n) + shared[:, 3]
    x = z @ [0.2, 0.1, 0.0] + controls[:, 0] + v
    y = 0.5 * x + 0.6 * v + shared[:, 4] * (1 + z[:, 0] ** 2)
    want = naive_statistics(y, x, z, controls, clusters, b)
    moments = joint_moments(partial_out(y, x, z, controls, clusters))
    at = statistics_at(moments, b)
    found = [at.anderson_rubin, at.score, at.rank, at.likelihood_ratio]
    assert_allclose(found, want, rtol=1e-8)
    data = (y, x, z, controls, clusters)
    assert_allclose(kleibergen_test(*data, beta0=b).statistic, want[1], rtol=1e-8)
    assert_allclose(conditional_lr_test(*data, beta0=b).statistic, want[3], rtol=1e-8)


def test_infinity_is_a_point_like_any_other(mroz3):
    """At b = inf the statistics are the limits of large b, and AR is k F of the first stage."""
    moments = joint_moments(partial_out(*mroz3))
    infinite, large = statistics_at(moments, np.inf), statistics_at(moments, 1e7)
    for name in ("anderson_rubin", "score", "rank", "likelihood_ratio", "tsls_score"):
        assert_allclose(getattr(infinite, name), getattr(large, name), rtol=1e-4)
    assert_allclose(infinite.anderson_rubin / 3, first_stage(*mroz3).f_test.statistic, rtol=1e-10)


@pytest.mark.parametrize("level", [0.2, 0.6, 0.95])
def test_anderson_rubin_search_stands_in_for_the_roots(mroz3, monkeypatch, level):
    """Were the roots not to check out, the search finds the same set."""
    from pooledtrials.instruments import robust_sets

    want = anderson_rubin_set(*mroz3, level=level)
    monkeypatch.setattr(robust_sets, "anderson_rubin_roots", lambda moments, bound: None)
    found = anderson_rubin_set(*mroz3, level=level)
    assert found.kind == want.kind
    assert_allclose(found.end_points, want.end_points, rtol=1e-9)
