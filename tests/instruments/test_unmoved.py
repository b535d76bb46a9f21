"""Instruments that do not move the exposure: no estimate in words, and the sets that still hold."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from pooledtrials import figures, instruments

_g = np.random.default_rng(1)
Y = _g.normal(size=80)
ONE = np.tile([0.0, 1.0], 40)
TWO = np.column_stack([ONE, np.tile([0.0, 0.0, 1.0, 1.0], 20)])
X = np.repeat([0.0, 0.0, 1.0, 1.0], 20)
STILL = X + 1e-15 * ONE  # a first stage of rounding errors: 2SLS was 1e15 and more
DATA = [(Y, x, z) for x in (X, STILL) for z in (ONE, TWO)]

ESTIMATORS = ("tsls", "liml", "fuller", "estimates", "jive", "gmm", "two_step_set")
OF_ONE = ("wald_ratio", "tf_test", "endogeneity_reading", "asymmetry_reading")


def call(name, data, **options):
    return getattr(instruments, name)(*data, **options)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_refuse_in_words(name, data):
    with pytest.raises(ValueError, match=r"do not move x at all .* Anderson-Rubin set still holds"):
        call(name, data)


@pytest.mark.parametrize("data", DATA[::2])
@pytest.mark.parametrize("name", OF_ONE)
def test_so_do_functions_of_one_instrument(name, data):
    with pytest.raises(ValueError, match="do not move x at all"):
        call(name, data)


def test_the_k_class_is_refused_but_for_least_squares():
    data = DATA[0]
    with pytest.raises(ValueError, match="do not move x at all"):
        call("k_class", data, kappa=0.5)
    least_squares = call("ols", data)
    assert_allclose(least_squares.coefficient, np.polyfit(X, Y, 1)[0])
    assert call("k_class", data, kappa=0.0).coefficient == least_squares.coefficient


@pytest.mark.parametrize("data", DATA)
def test_specification_tests_do_not_apply(data):
    names = ["durbin_wu_hausman_test"]
    if data[2] is TWO:
        names += ["hansen_j_test", "sargan_test", "liml_overidentification_test"]
    for found in [
        *(call(name, data) for name in names),
        call("durbin_wu_hausman_test", data, form="difference"),
    ]:
        assert not found.applicable
        assert "do not move x at all" in found.reason


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", ["anderson_rubin_set", "kleibergen_set", "conditional_lr_set"])
def test_robust_sets_still_hold(name, data):
    assert call(name, data).kind == "whole line"


@pytest.mark.parametrize("data", DATA)
def test_anderson_rubin_sees_an_outcome_that_moves_although_the_exposure_does_not(data):
    found = call("anderson_rubin_set", (Y + 5 * ONE, *data[1:]))
    assert not found.contains(0.0)


@pytest.mark.parametrize("data", DATA)
def test_the_report_keeps_what_exists_and_says_why_the_rest_does_not(data):
    report = call("weak_instrument_report", data, randomized=True, randomization_draws=99)
    for name in ("2SLS", "LIML", "Andrews two-step", "tF", "Angrist-Kolesar", "Keane-Neal"):
        assert "do not move x at all" in report.reasons[name]
    assert list(report.estimates.index) == ["OLS"]
    assert report.tests[0] == call("anderson_rubin_test", data)
    first = next(iter(report.sets.values()))
    assert {first.kind, report.sets["randomization"].kind, report.wald.kind} == {"whole line"}
    assert not {"Andrews two-step", "tF"} & set(report.sets)
    assert np.isnan(report.tsls.coefficient)
    assert report.two_step.distortion_cutoff == report.level
    assert report.tf is report.endogeneity is report.asymmetry is None
    assert "do not move x at all" in " ".join(str(report).split())
    assert "nan" not in str(report)
    assert "2SLS" in set(report.to_frame().query("section == 'not applicable'")["item"])
    assert np.isfinite(report.curves()[["effect", "AR"]]).all(axis=None)
    _, axes = plt.subplots(2)
    figures.weak_instrument_report(report, axes, "effect")
    plt.close()
