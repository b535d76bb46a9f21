"""tF and the readings for one instrument: O-C7, O-C8, simulation of the limit experiment."""

from __future__ import annotations

import math

import numpy as np
import pytest
from card_controls import CARD_4, CARD_15
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    asymmetry_reading,
    endogeneity_reading,
    t_test_rejection,
    tf_critical_value,
    tf_test,
    worst_case_size,
)


def test_o_c7_published_points_and_between(truths):
    for root, value in truths["O-C7"]["table"]:
        # a hair above the point: root**2 may fall below it in the last digit
        assert_allclose(tf_critical_value(root**2 * (1 + 1e-15)), value, rtol=1e-12)
    for f, value in truths["O-C7"]["between"]:
        assert_allclose(tf_critical_value(f), value, rtol=1e-5)
    for f in (106.09, 200.0, 1e6):
        assert tf_critical_value(f) == pytest.approx(1.96, abs=1e-12)
    for f in (0.0, 2.0, 3.8416, 3.99):
        assert tf_critical_value(f) == math.inf


def test_o_c7_card(card, truths):
    want = truths["O-C7"]["card"]
    found = tf_test(card["lwage"], card["educ"], card["nearc4"], card[CARD_15])
    assert_allclose(found.first_stage_f, want["F"], rtol=1e-8)
    assert_allclose(found.critical_value, want["critical"], rtol=1e-5)
    assert_allclose(found.interval.end_points, want["interval"], rtol=1e-5)
    assert_allclose(found.p_value, want["p"], rtol=1e-5)


def test_tf_says_any_effect_when_the_first_stage_is_nothing(nhefs):
    found = tf_test(nhefs["wt82_71"], nhefs["qsmk"], nhefs["z"])
    assert found.interval.kind == "whole line"
    assert found.p_value == 1.0


def test_tf_critical_values_keep_five_per_cent_in_the_limit_experiment():
    """Rejection with |t| > c(F) at the worst endogeneity, by simulation over strengths."""
    generator = np.random.default_rng(4)
    n = 200_000
    worst = 0.0
    points = np.linspace(4.0, 110.0, 4000)
    critical = np.array([tf_critical_value(f) for f in points])
    for mean in (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 9.0):
        for rho in (1.0, 0.9):
            first = mean + generator.standard_normal(n)
            ar = rho * (first - mean) + math.sqrt(1 - rho**2) * generator.standard_normal(n)
            ratio = ar / first
            t = np.abs(ar) / np.sqrt(np.maximum(1 - 2 * rho * ratio + ratio**2, 1e-300))
            c = np.interp(first**2, points, critical, left=np.inf)
            worst = max(worst, float(np.mean(t > c)))
    assert worst < 0.05 + 5 * math.sqrt(0.05 * 0.95 / n) + 0.0005  # table printed to 2 dp
    assert worst > 0.045  # and they are not conservative by much at the worst point


def test_o_c8_worst_case_over_strength(truths):
    for rho, size in truths["O-C8"]["rho"]:
        assert_allclose(worst_case_size(rho), size, atol=2e-3)
        assert_allclose(worst_case_size(-rho), worst_case_size(rho), atol=1e-6)
    assert_allclose(worst_case_size(0.5656), 0.05, atol=2e-4)
    assert_allclose(worst_case_size(0.7596), 0.10, atol=5e-4)


def test_o_c8_worst_case_over_endogeneity(truths):
    for mean_f, size in truths["O-C8"]["mean_F"]:
        rates = [t_test_rejection(math.sqrt(mean_f - 1), rho)[0] for rho in (0.9, 0.99, 1.0)]
        assert_allclose(max(rates), size, atol=2e-3)
    # the rule "F > 104.7 and |t| > 1.96" has size 5 %
    rule = max(
        t_test_rejection(mu, 1.0, critical=1.96, first_stage_critical=math.sqrt(104.7))[0]
        for mu in np.arange(6.0, 16.0, 0.25)
    )
    assert_allclose(rule, 0.05, atol=1e-3)


@pytest.mark.parametrize(
    ("mean", "rho", "shift"),
    [(1.5, 0.8, 0.0), (-0.7, -0.8, 0.5), (0.0, 0.3, 1.0), (4.0, -0.95, 2.8)],
)
def test_t_test_rejection_by_simulation(mean, rho, shift):
    generator = np.random.default_rng(5)
    n = 400_000
    first = mean + generator.standard_normal(n)
    ar = shift + rho * (first - mean) + math.sqrt(1 - rho**2) * generator.standard_normal(n)
    ratio = ar / first
    rejected = ar**2 > 1.959963984540054**2 * (1 - 2 * rho * ratio + ratio**2)
    towards = rejected & (ratio * rho > 0)
    total, share = t_test_rejection(mean, rho, mean_anderson_rubin=shift)
    for value, sample in ((total, rejected), (share, towards)):
        assert abs(value - sample.mean()) < 5 * math.sqrt(value * (1 - value) / n) + 1e-5


def test_no_rejection_counts_where_the_first_stage_never_passes():
    assert t_test_rejection(1.0, 0.5, first_stage_critical=100.0) == (0.0, 0.0)


def test_readings_of_card(card):
    data = (card["lwage"], card["educ"], card["nearc4"], card[CARD_15])
    found = endogeneity_reading(*data)
    assert -1 < found.rho < 0
    assert found.worst_case_size == pytest.approx(0.05)
    # rho is 0.76 at one end of the harmless effects and -0.76 at the other
    from pooledtrials.instruments import joint_moments, partial_out

    w = joint_moments(partial_out(*data)).omega[:, :, 0, 0]
    for end, want in zip(found.harmless_effects.end_points, (0.76, -0.76), strict=True):
        variance = w[0, 0] - 2 * end * w[0, 1] + end**2 * w[1, 1]
        assert_allclose((w[0, 1] - end * w[1, 1]) / np.sqrt(variance * w[1, 1]), want, rtol=1e-10)
    asymmetry = asymmetry_reading(*data)
    assert asymmetry.towards_ols > 0.5
    assert asymmetry.t_power[0] > asymmetry.t_power[1]
    assert "direction of OLS's bias" in asymmetry.describe()


def test_one_instrument_only(card):
    data = (card["lwage"], card["educ"], card[["nearc4", "nearc2"]], card[CARD_4])
    for function in (tf_test, endogeneity_reading, asymmetry_reading):
        with pytest.raises(ValueError, match=r"z has 2 columns.*one instrument"):
            function(*data)
