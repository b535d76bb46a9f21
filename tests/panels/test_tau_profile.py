"""A meta-analysis at each tau: the same numbers as at the estimate, and the Q-profile interval."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.panels import meta_analysis, tau_profile
from pooledtrials.panels.meta_analysis import INTERVALS

# CLASP, six trials: log odds ratios and errors from Table 1 of DerSimonian & Kacker (2007)
EVENTS = np.array([5, 5, 12, 69, 9, 313, 8, 17, 9, 94, 11, 352], dtype=float)
PEOPLE = np.array([156, 303, 565, 1570, 103, 4659, 74, 303, 477, 1565, 105, 4650], dtype=float)
ODDS = EVENTS / (PEOPLE - EVENTS)
VARIANCES = 1 / EVENTS + 1 / (PEOPLE - EVENTS)
CLASP = pd.DataFrame(
    {
        "estimate": np.log(ODDS[:6] / ODDS[6:]),
        "standard_error": np.sqrt(VARIANCES[:6] + VARIANCES[6:]),
    }
)


@pytest.mark.parametrize(
    ("method", "tau", "mean", "error"),
    [("PM", 0.3681, -0.3811, 0.2060), ("DL", 0.2323, -0.3240, 0.1540)],
)
def test_clasp_tables_3_and_4_at_their_tau(
    method: str, tau: float, mean: float, error: float
) -> None:
    result = meta_analysis(CLASP, method=method, interval="normal")
    row = tau_profile(result, [tau]).table.iloc[0]
    # tau is printed with four decimals, the mean moves by less than half of that
    assert_allclose([row["estimate"], row["standard_error"]], [mean, error], atol=1e-4)


@pytest.mark.parametrize("interval", INTERVALS)
def test_at_the_estimate_it_is_the_meta_analysis(interval: str) -> None:
    result = meta_analysis(CLASP, interval=interval, level=0.9)
    profile = tau_profile(result, [math.sqrt(result.tau_squared)])
    row = profile.table.iloc[0]
    assert result.prediction is not None
    assert_allclose(row["estimate"], result.random.coefficient, rtol=1e-12)
    assert_allclose(row["standard_error"], result.random.standard_error, rtol=1e-12)
    assert_allclose(row[["low", "high"]], result.prediction.end_points, rtol=1e-12)
    assert profile.estimate == math.sqrt(result.tau_squared)
    assert profile.level == 0.9


def test_at_zero_it_is_the_common_effect_and_cochrans_q() -> None:
    result = meta_analysis(CLASP, interval="normal")
    row = tau_profile(result, [0.0]).table.iloc[0]
    assert_allclose(row["estimate"], result.common.coefficient, rtol=1e-12)
    assert_allclose(row["standard_error"], result.common.standard_error, rtol=1e-12)
    assert_allclose(row["q"], result.heterogeneity.statistic, rtol=1e-12)
    assert_allclose(row["p_value"], result.heterogeneity.p_value, rtol=1e-12)


def test_kept_is_the_q_profile_interval() -> None:
    result = meta_analysis(CLASP)
    low, high = np.sqrt(result.tau_squared_set.end_points)
    inside = [low * (1 + 1e-9), (low + high) / 2, high * (1 - 1e-9)]
    outside = [high * (1 + 1e-9), 2 * high]
    profile = tau_profile(result, [*outside, *inside])
    assert list(profile.kept.index) == inside
    assert profile.table.index.is_monotonic_increasing
    assert_allclose(stats.chi2.cdf([profile.least, profile.most], 5), [0.025, 0.975])
    assert f"{inside[-1]:.3g}" in profile.describe()


def test_estimates_that_agree_too_well_keep_no_tau() -> None:
    result = meta_analysis([0.1, 0.11, 0.09, 0.1], [0.2, 0.1, 0.3, 0.2])
    profile = tau_profile(result, np.linspace(0, 1, 5))
    assert profile.kept.empty
    assert "No tau" in profile.describe()


def test_scale_and_order_of_trials() -> None:
    taus = np.array([0.0, 0.1, 0.4])
    first = tau_profile(meta_analysis(CLASP), taus).table
    other = tau_profile(meta_analysis(CLASP.iloc[::-1] * [-3, 3]), 3 * taus).table
    assert_allclose(other["q"], first["q"], rtol=1e-10)
    assert_allclose(other["estimate"], -3 * first["estimate"], rtol=1e-10)
    assert_allclose(other["low"], -3 * first["high"], rtol=1e-10)


@pytest.mark.parametrize(
    ("trials", "taus", "message"),
    [
        (CLASP, [0.1, -0.1], "taus is negative in 1 of 2"),
        (CLASP, [0.1, np.nan], "taus is missing in 1 of 2"),
        (CLASP, [], "taus has 0 rows"),
        (CLASP.iloc[:2], [0.1], "result has 2 trials"),
    ],
)
def test_bad_input(trials: pd.DataFrame, taus: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tau_profile(meta_analysis(trials), taus)
