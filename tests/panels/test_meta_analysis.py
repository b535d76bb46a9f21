"""Two stages: an estimate per trial, pooled. O-K1, and what metafor prints for the same trials."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects

from pooledtrials.panels import meta_analysis
from pooledtrials.panels.heterogeneity import (
    METHODS,
    estimate_tau_squared,
    generalized_q,
    q_profile,
)
from pooledtrials.panels.meta_analysis import INTERVALS
from pooledtrials.results import Estimate

BCG = {  # dat.bcg: tpos, tneg, cpos, cneg (Colditz et al. 1994)
    "Aronson 1948": (4, 119, 11, 128),
    "Ferguson & Simes 1949": (6, 300, 29, 274),
    "Rosenthal et al 1960": (3, 228, 11, 209),
    "Hart & Sutherland 1977": (62, 13536, 248, 12619),
    "Frimodt-Moller et al 1973": (33, 5036, 47, 5761),
    "Stein & Aronson 1953": (180, 1361, 372, 1079),
    "Vandiviere et al 1973": (8, 2537, 10, 619),
    "TPT Madras 1980": (505, 87886, 499, 87892),
    "Coetzee & Berjak 1968": (29, 7470, 45, 7232),
    "Rosenthal et al 1961": (17, 1699, 65, 1600),
    "Comstock et al 1974": (186, 50448, 141, 27197),
    "Comstock & Webster 1969": (5, 2493, 3, 2338),
    "Comstock et al 1976": (27, 16886, 29, 17825),
}
# CLASP, six trials: DerSimonian & Kacker (2007), events and patients, treated and control
CLASP = np.array(
    [
        (5, 156, 8, 74),
        (5, 303, 17, 303),
        (12, 565, 9, 477),
        (69, 1570, 94, 1565),
        (9, 103, 11, 105),
        (313, 4659, 352, 4650),
    ],
    dtype=float,
)


@pytest.fixture(scope="module")
def bcg() -> pd.DataFrame:
    table = pd.DataFrame.from_dict(BCG, orient="index", columns=["tp", "tn", "cp", "cn"])
    treated, control = table["tp"] + table["tn"], table["cp"] + table["cn"]
    ratio = (table["tp"] / treated) / (table["cp"] / control)
    variance = 1 / table["tp"] - 1 / treated + 1 / table["cp"] - 1 / control
    return pd.DataFrame({"estimate": np.log(ratio), "standard_error": np.sqrt(variance)})


@pytest.fixture(scope="module")
def clasp() -> pd.DataFrame:
    events, n, control_events, control_n = CLASP.T
    odds = events / (n - events) / (control_events / (control_n - control_events))
    variance = 1 / events + 1 / (n - events) + 1 / control_events + 1 / (control_n - control_events)
    return pd.DataFrame({"estimate": np.log(odds), "standard_error": np.sqrt(variance)})


def test_o_k1_reml(bcg: pd.DataFrame) -> None:
    found = meta_analysis(bcg, interval="normal")
    assert_allclose(found.random.coefficient, -0.7145323, atol=5e-8)
    assert_allclose(found.random.standard_error, 0.1797815, atol=5e-8)
    assert_allclose(found.tau_squared, 0.3132433, atol=5e-8)
    assert round(100 * found.i_squared, 2) == 92.22


def test_o_k1_dersimonian_laird(bcg: pd.DataFrame) -> None:
    found = meta_analysis(bcg, method="DL", interval="normal")
    assert_allclose(found.random.coefficient, -0.7141172, atol=5e-8)
    assert_allclose(found.random.standard_error, 0.1787421, atol=5e-8)
    assert_allclose(found.tau_squared, 0.3087603, atol=5e-8)


def test_o_k1_common_effect_and_q(bcg: pd.DataFrame) -> None:
    found = meta_analysis(bcg)
    assert_allclose(found.common.coefficient, -0.4302852, atol=5e-8)
    assert_allclose(found.common.standard_error, 0.0404988, atol=5e-8)
    assert_allclose(found.heterogeneity.statistic, 152.2330, atol=5e-5)
    assert found.heterogeneity.dof == (12,)


def test_metafor_knapp_hartung(bcg: pd.DataFrame) -> None:
    """Printed in metafor's README: ``rma(yi, vi, data=dat, test="knha")``."""
    found = meta_analysis(bcg)
    assert round(found.random.standard_error, 4) == 0.1808
    assert round(found.test.statistic, 4) == -3.9522
    assert round(found.test.p_value, 4) == 0.0019
    assert found.test.distribution == "t(12)"
    assert_allclose(found.random_set.end_points, (-1.1084, -0.3206), atol=5e-5)
    assert round(found.h_squared, 2) == 12.86


def test_metafor_q_profile(bcg: pd.DataFrame) -> None:
    """Printed in metafor's tests of ``confint``: tau^2, I^2 (%) and H^2 with their intervals."""
    frame = meta_analysis(bcg, method="DL").heterogeneity_frame()
    assert_allclose(frame.loc["tau^2"], (0.3088, 0.1197, 1.1115), atol=5e-5)
    # metafor stops its search within 1.2e-4 (R's uniroot) of the end points of tau^2; carried to
    # I^2 and H^2 its slack exceeds the digits it prints
    typical = 0.3087603 / (12.6861 - 1)
    slack = 1.23e-4 / typical
    assert_allclose(frame.loc["H^2"], (12.6861, 5.5303, 43.0680), atol=slack)
    assert_allclose(frame.loc["H^2", "estimate"], 12.6861, atol=5e-5)
    assert_allclose(100 * frame.loc["I^2"], (92.1173, 81.9177, 97.6781), atol=100 * slack / 5.5**2)
    quantiles = stats.chi2.ppf([0.975, 0.025], 12)
    ends = [
        generalized_q(bcg["estimate"].to_numpy(), bcg["standard_error"].to_numpy() ** 2, t)
        for t in frame.loc["tau^2", ["low", "high"]]
    ]
    assert_allclose(ends, quantiles, rtol=1e-10)


@pytest.mark.parametrize(
    ("method", "tau", "mean", "error"),
    [
        ("PM", 0.3681, -0.3811, 0.2060),
        ("DL", 0.2323, -0.3240, 0.1540),
        ("REML", 0.1843, -0.2980, 0.1343),
    ],
)
def test_clasp_tables_3_and_4(
    clasp: pd.DataFrame, method: str, tau: float, mean: float, error: float
) -> None:
    found = meta_analysis(clasp, method=method, interval="normal")
    numbers = (
        math.sqrt(found.tau_squared), found.random.coefficient, found.random.standard_error,
    )  # fmt: skip
    assert_allclose(numbers, (tau, mean, error), atol=5e-5)


def test_clasp_maximum_likelihood_is_at_zero(clasp: pd.DataFrame) -> None:
    """The paper prints tau 0.0023, where an iteration stopped: the likelihood is higher at 0."""
    found = meta_analysis(clasp, method="ML", interval="normal")
    assert found.tau_squared == 0
    y, v = clasp["estimate"].to_numpy(), clasp["standard_error"].to_numpy() ** 2
    assert _log_likelihood(y, v, 0.0) > _log_likelihood(y, v, 0.0023**2)
    assert_allclose(found.random.coefficient, -0.1974, atol=1e-4)
    assert_allclose(found.random.standard_error, 0.0694, atol=5e-5)


@pytest.mark.parametrize("method", ["DL", "PM"])
def test_statsmodels_agrees_where_it_has_the_method(bcg: pd.DataFrame, method: str) -> None:
    found = meta_analysis(bcg, method=method)
    options = {"atol": 1e-10} if method == "PM" else {}
    other = combine_effects(
        bcg["estimate"].to_numpy(), bcg["standard_error"].to_numpy() ** 2, method.lower(), **options
    )
    assert_allclose(found.tau_squared, other.tau2, rtol=1e-10)
    assert_allclose(found.random.coefficient, other.mean_effect_re, rtol=1e-10)
    assert_allclose(found.random.standard_error, other.sd_eff_w_re_hksj, rtol=1e-10)
    assert_allclose(found.heterogeneity.statistic, other.q, rtol=1e-10)
    assert_allclose(found.trials["weight_random"], other.weights_rel_re, rtol=1e-10)
    assert_allclose(found.i_squared_from_q, other.i2, rtol=1e-10)


def _log_likelihood(y: np.ndarray, v: np.ndarray, t: float) -> float:
    mean = np.average(y, weights=1 / (v + t))
    return float(stats.norm.logpdf(y, mean, np.sqrt(v + t)).sum())


def _restricted(y: np.ndarray, v: np.ndarray, t: float) -> float:
    return _log_likelihood(y, v, t) - math.log(np.sum(1 / (v + t))) / 2


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_no_other_value_is_likelier(method: str) -> None:
    """Against a search of another kind, on draws of which some have their peak at 0."""
    generator = np.random.default_rng(4)
    likelihood = _restricted if method == "REML" else _log_likelihood
    at_zero = 0
    for _ in range(40):
        v = generator.uniform(0.01, 0.5, 6) ** 2
        y = generator.normal(0, np.sqrt(v + 0.01))
        best = estimate_tau_squared(y, v, method)
        top = likelihood(y, v, best)
        near = optimize.minimize_scalar(
            lambda t, y=y, v=v: -likelihood(y, v, t), bounds=(0, 2), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        others = [-near.fun, *(likelihood(y, v, t) for t in np.linspace(0, 1, 2000))]
        assert top >= max(others) - 1e-12
        at_zero += best == 0
    assert 0 < at_zero < 40


def test_equal_errors_make_every_estimator_one_and_knapp_hartung_a_t_interval() -> None:
    y = np.array([0.1, 0.5, -0.3, 0.9, 0.35, -0.2])
    error = 0.2
    variance = float(y.var(ddof=1))
    for method in ("REML", "DL", "PM"):
        found = meta_analysis(y, np.full(6, error), method=method)
        assert_allclose(found.tau_squared, variance - error**2, rtol=1e-9)
        assert_allclose(
            found.random_set.end_points,
            stats.t.interval(0.95, 5, y.mean(), math.sqrt(variance / 6)),
            rtol=1e-9,
        )
    found = meta_analysis(y, np.full(6, error), method="ML")
    assert_allclose(found.tau_squared, variance * 5 / 6 - error**2, rtol=1e-9)


def test_estimates_that_agree_have_no_heterogeneity() -> None:
    """Q below its degrees of freedom: tau^2 is 0, random effects are the common effect."""
    y, e = np.array([0.1, 0.11, 0.09, 0.1]), np.array([0.2, 0.1, 0.3, 0.2])
    for method in METHODS:
        found = meta_analysis(y, e, method=method, interval="normal")
        assert found.tau_squared == found.i_squared == found.i_squared_from_q == 0
        assert found.random.coefficient == found.common.coefficient
        assert found.random.standard_error == found.common.standard_error
    assert found.tau_squared_set.kind == "empty"
    assert "empty" in found.describe()
    assert found.heterogeneity_frame()["low"].isna().all()
    plain, truncated = (meta_analysis(y, e, interval=name) for name in INTERVALS[:2])
    assert plain.random.standard_error < found.random.standard_error
    assert_allclose(truncated.random.standard_error, found.random.standard_error, rtol=1e-12)


def test_equal_estimates_have_no_knapp_hartung_test() -> None:
    found = meta_analysis([0.5, 0.5, 0.5], [0.1, 0.2, 0.3])
    assert not found.test.applicable
    assert "equal" in found.test.reason
    assert found.i_squared_from_q == 0


def test_prediction_interval_is_the_formula_and_needs_three_trials(bcg: pd.DataFrame) -> None:
    found = meta_analysis(bcg, interval="normal", level=0.9)
    assert found.prediction is not None
    half = stats.t.isf(0.05, 11) * math.sqrt(0.3132433 + 0.1797815**2)
    assert_allclose(found.prediction.end_points, (-0.7145323 - half, -0.7145323 + half), atol=1e-6)
    two = meta_analysis(bcg.iloc[:2])
    assert two.prediction is None
    assert "2 trials" in two.prediction_reason
    assert two.prediction_reason in two.describe()
    assert "prediction" not in two.to_frame().index
    with pytest.raises(ValueError, match="at least 3"):
        two.leave_one_out()


def test_leave_one_out_is_the_analysis_without_that_trial(bcg: pd.DataFrame) -> None:
    found = meta_analysis(bcg, method="PM", level=0.9)
    table = found.leave_one_out()
    assert list(table.index) == list(bcg.index)
    rest = meta_analysis(bcg.drop(index="TPT Madras 1980"), method="PM", level=0.9)
    row = table.loc["TPT Madras 1980"]
    assert row["estimate"] == rest.random.coefficient
    assert (row["low"], row["high"]) == rest.random_set.end_points
    assert row["tau_squared"] == rest.tau_squared
    assert row["common"] == rest.common.coefficient


def test_frame_has_trials_means_and_prediction(bcg: pd.DataFrame) -> None:
    found = meta_analysis(bcg)
    frame = found.to_frame()
    assert list(frame.index[-3:]) == ["common effect", "random effects", "prediction"]
    assert_allclose(frame.iloc[:13][["weight_common", "weight_random"]].sum(), 1)
    assert_allclose(frame.loc["random effects", ["low", "high"]], found.random_set.end_points)
    with pytest.raises(AttributeError):
        found.level = 0.5  # type: ignore[misc]


def test_describe_says_that_few_trials_say_little(clasp: pd.DataFrame, bcg: pd.DataFrame) -> None:
    assert "6 trials say little about it" in meta_analysis(clasp).describe()
    assert "say little" not in meta_analysis(bcg).describe()


def test_every_form_of_the_estimates_is_one(bcg: pd.DataFrame) -> None:
    objects = {
        name: Estimate("within", row["estimate"], row["standard_error"], "clustered", 100, 50)
        for name, row in bcg.iterrows()
    }
    want = meta_analysis(bcg).to_frame()
    pd.testing.assert_frame_equal(meta_analysis(objects).to_frame(), want)
    pd.testing.assert_frame_equal(
        meta_analysis(bcg["estimate"], bcg["standard_error"]).to_frame(), want
    )
    for unnamed in (
        meta_analysis(list(objects.values())),
        meta_analysis(bcg["estimate"].to_numpy(), bcg["standard_error"].to_list()),
    ):
        assert list(unnamed.trials.index) == list(range(1, 14))
        assert_allclose(unnamed.to_frame(), want)


@given(
    st.integers(2, 8),
    st.integers(0, 10_000),
    st.floats(-100, 100),
    st.sampled_from([1e-6, 0.01, -3.0, 1e5]),
    st.sampled_from(METHODS),
    st.sampled_from(INTERVALS),
)
def test_shift_scale_and_order(
    k: int, seed: int, shift: float, scale: float, method: str, interval: str
) -> None:
    generator = np.random.default_rng(seed)
    e = generator.uniform(0.1, 1, k)
    y = generator.normal(0, np.sqrt(e**2 + 0.3))
    options = {"method": method, "interval": interval}
    first = meta_analysis(y, e, **options)
    order = generator.permutation(k)
    other = meta_analysis((scale * y + shift * scale)[order], abs(scale) * e[order], **options)
    slack = 1e-7 * (1 + abs(shift))
    assert_allclose(other.random.coefficient / scale - shift, first.random.coefficient, atol=slack)
    assert_allclose(
        other.random.standard_error / abs(scale), first.random.standard_error, rtol=1e-6
    )
    assert_allclose(other.tau_squared / scale**2, first.tau_squared, rtol=1e-6, atol=1e-8)
    assert_allclose(other.heterogeneity.statistic, first.heterogeneity.statistic, rtol=1e-7)
    assert_allclose(other.i_squared, first.i_squared, rtol=1e-6, atol=1e-8)
    assert other.tau_squared_set.kind == first.tau_squared_set.kind


def test_coverage_with_six_trials() -> None:
    """Q-profile and (equal errors) Knapp-Hartung are exact; the normal interval is too short."""
    generator = np.random.default_rng(12)
    draws, tau, k = 800, 0.2, 6
    equal, unequal = np.full(k, 0.15), np.array([0.05, 0.1, 0.1, 0.2, 0.3, 0.4])
    profile = hartung = normal = 0
    for _ in range(draws):
        y = generator.normal(0.3, np.sqrt(unequal**2 + tau**2))
        profile += q_profile(y, unequal**2, 0.9).contains(tau**2)
        y = generator.normal(0.3, np.sqrt(equal**2 + tau**2))
        hartung += meta_analysis(y, equal, method="DL", level=0.9).random_set.contains(0.3)
        plain = meta_analysis(y, equal, method="DL", level=0.9, interval="normal")
        normal += plain.random_set.contains(0.3)
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], draws, 0.9)
    assert low <= profile <= high
    assert low <= hartung <= high
    assert normal < low


GOOD = ([0.1, 0.2, 0.4], [0.1, 0.2, 0.1])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0.1], [0.1]), {}, "estimates has 1 trial"),
        (({"a": Estimate("m", 0.1, 0.1, "robust", 9, 7)},), {}, "estimates has 1 trial"),
        (([0.1, 0.2], [0.1, 0.0]), {}, "standard_errors is not positive in 1 of 2"),
        (([0.1, 0.2], [0.1, -1.0]), {}, "standard_errors is not positive in 1 of 2"),
        (([0.1, np.nan], [0.1, 0.1]), {}, "estimates is missing in 1 of 2"),
        (([0.1, 0.2], [0.1, np.inf]), {}, "standard_errors is infinite in 1 of 2"),
        (([0.1, 0.2], [0.1, 0.1, 0.1]), {}, "standard_errors has 3 rows"),
        (([[0.1, 0.2], [0.3, 0.1]], [0.1, 0.1]), {}, "estimates has 2 columns"),
        ((["0.1", "0.2"], [0.1, 0.1]), {}, "estimates holds"),
        (([0.1, 0.2],), {}, "standard_errors is None"),
        ((pd.DataFrame({"estimate": [0.1, 0.2]}),), {}, "standard_errors is None"),
        (([], []), {}, "estimates has 0 rows"),
        (({"a": 0.1, "b": 0.2},), {}, "estimates holds a float"),
        (
            (pd.Series([0.1, 0.2], ["a", "a"]), pd.Series([0.1, 0.2], ["a", "a"])),
            {},
            "estimates repeats 1 of 2",
        ),
        ((pd.Series([0.1, 0.2], ["a", "b"]), pd.Series([0.1, 0.2], ["b", "a"])), {}, "indexes"),
        (GOOD, {"method": "reml"}, "method is 'reml'"),
        (GOOD, {"interval": "hksj"}, "interval is 'hksj'"),
        (GOOD, {"level": 95}, "level is 95"),
    ],
)
def test_bad_input(arguments: tuple[object, ...], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        meta_analysis(*arguments, **options)


def test_arguments_are_left_alone(bcg: pd.DataFrame) -> None:
    before = bcg.copy()
    meta_analysis(bcg).leave_one_out()
    pd.testing.assert_frame_equal(bcg, before)
