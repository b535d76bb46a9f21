"""Inverse-probability weights: NHEFS (O-J5), identities, what they mend and what they cannot."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from attrition import EFFECT, attrition, full_contrast
from numpy.testing import assert_allclose

from pooledtrials.panels import follow_up_weights, treatment_weights, weighted_regression
from pooledtrials.results import Estimate

# O-J5: Hernán and Robins, What If, chapter 12; digits from R's glm and sandwich
WEIGHTS = (1.0537, 16.7001, 1.996284)
STABILISED = (0.33125, 4.29766, 0.9988443)
EFFECT_OF_QUITTING, HC0_ERROR = 3.440535430, 0.525493553


@pytest.fixture(scope="module")
def smokers() -> pd.DataFrame:
    from causaldata import nhefs

    return nhefs.load_pandas().data.dropna(subset=["wt82"])


@pytest.fixture(scope="module")
def confounders(smokers: pd.DataFrame) -> pd.DataFrame:
    numbers = smokers[["sex", "race", "age", "smokeintensity", "smokeyrs", "wt71"]].astype(float)
    squares = {f"{c}^2": numbers[c] ** 2 for c in ("age", "smokeintensity", "smokeyrs", "wt71")}
    factors = smokers[["education", "exercise", "active"]]
    dummies = pd.get_dummies(factors, drop_first=True, dtype=float)
    return pd.concat([numbers.assign(**squares), dummies], axis=1)


def test_o_j5_nhefs(smokers, confounders):
    assert len(smokers) == 1566
    plain = treatment_weights(smokers["qsmk"], confounders, stabilised=False)
    stable = treatment_weights(smokers["qsmk"], confounders)
    for found, (low, high, mean) in ((plain, WEIGHTS), (stable, STABILISED)):
        values = found.values
        # as many digits as are printed
        assert_allclose([values.min(), values.max()], [low, high], rtol=0, atol=6e-5)
        assert_allclose(values.mean(), mean, rtol=5e-7)
        effect = weighted_regression(smokers["wt82_71"], smokers["qsmk"], values, debiased=False)
        assert_allclose(effect.coefficient, EFFECT_OF_QUITTING, rtol=1e-9)
        assert_allclose(effect.standard_error, HC0_ERROR, rtol=1e-8)
    low, high = effect.interval().end_points
    assert (round(low, 1), round(high, 1)) == (2.4, 4.5)
    assert stable.rare == 0
    assert stable.balance["before"].abs().max() > 0.25
    assert stable.balance["after"].abs().max() < 0.05
    assert "1566 of 1566 rows are weighted" in stable.describe()


def two_groups() -> pd.DataFrame:
    """Forty patients a wave, of two kinds; of one kind half are lost, of the other a fifth."""
    rows = [
        (wave, kind, i < seen, 10.0 * kind + i)
        for wave in (3, 6)
        for kind, seen, size in ((0, 16, 20), (1, 10, 20))
        for i in range(size)
    ]
    return pd.DataFrame(rows, columns=["wave", "kind", "observed", "y"])


def test_weights_of_a_saturated_model_are_counts():
    frame = two_groups()
    found = follow_up_weights(frame["observed"], frame[["kind"]], frame["wave"], stabilised=False)
    want = np.where(frame["observed"], np.where(frame["kind"] == 1, 2.0, 1.25), 0.0)
    assert_allclose(found.values, want, rtol=1e-9)
    stable = follow_up_weights(frame["observed"], frame[["kind"]], frame["wave"])
    assert_allclose(stable.values, want * 26 / 40, rtol=1e-9)
    assert_allclose(stable.used.mean(), 1.0, rtol=1e-9)
    assert_allclose(stable.balance["before"], (10 / 26 - 0.5) / 0.5, rtol=1e-9)
    assert_allclose(stable.balance["after"], 0.0, atol=1e-9)
    counts = np.repeat([2.0, 1.25], [20, 32])
    assert_allclose(stable.effective_sample_size, counts.sum() ** 2 / (counts**2).sum(), rtol=1e-9)
    # with the numerator of the denominator there is nothing left to weigh
    own = follow_up_weights(
        frame["observed"], frame[["kind"]], frame["wave"], numerator=frame["kind"]
    )
    assert_allclose(own.used, 1.0, rtol=1e-9)


def test_weights_do_not_depend_on_units_order_or_names():
    wide = attrition(1, 200)
    predictors = wide[["w", "z"]].assign(both=wide["w"] * wide["z"])
    want = follow_up_weights(wide["seen"], predictors).values
    other = predictors * [100.0, 1.0, 1e-3] + [7.0, 0.0, 2.0]
    assert_allclose(follow_up_weights(wide["seen"], other).values, want, rtol=1e-6)
    order = np.random.default_rng(0).permutation(200)
    moved = follow_up_weights(wide["seen"].iloc[order], predictors.iloc[order])
    assert_allclose(moved.values, want[order], rtol=1e-7)


def test_separate_trials_are_what_they_are_alone():
    parts = [attrition(seed, 150 + 50 * seed) for seed in (1, 2)]
    pool = pd.concat(parts, keys=["a", "b"], names=["trial", "row"]).reset_index("trial")
    pool = pool.reset_index(drop=True)
    options = {"truncate": None, "stabilised": True}
    found = follow_up_weights(pool["seen"], pool[["w"]], trials=pool["trial"], **options)
    alone = [follow_up_weights(part["seen"], part[["w"]], **options).values for part in parts]
    assert_allclose(found.values, np.concatenate(alone), rtol=1e-8)
    together = follow_up_weights(
        pool["seen"], pool[["w"]], trials=pool["trial"], separate=False
    ).values
    assert np.abs(together - found.values).max() > 1e-3


def test_columns_without_information_are_left_out_and_said():
    wide = attrition(3, 240)
    trial = np.where(np.arange(240) < 120, "a", "b")
    men = np.where(trial == "a", np.arange(240) // 2 % 2, 1)
    found = follow_up_weights(wide["seen"], wide[["w"]].assign(men=men), trials=trial)
    assert found.left_out == {"trial b": ("men",)}
    without = follow_up_weights(wide["seen"][120:], wide[["w"]][120:])
    assert_allclose(found.values[120:], without.values, rtol=1e-8)


def test_truncation_moves_the_ends_only():
    wide = attrition(4)
    whole = follow_up_weights(wide["seen"], wide[["w", "z"]].assign(both=wide["w"] * wide["z"]))
    cut = follow_up_weights(
        wide["seen"], wide[["w", "z"]].assign(both=wide["w"] * wide["z"]), truncate=(5, 95)
    )
    ends = np.percentile(whole.used, [5, 95])
    assert_allclose(cut.used, np.clip(whole.used, *ends), rtol=1e-12)
    assert cut.truncated == int(((whole.used < ends[0]) | (whole.used > ends[1])).sum()) > 0
    assert f"{cut.truncated} weights were truncated" in cut.describe()


def test_nobody_lost_is_said():
    frame = two_groups()
    found = follow_up_weights(np.ones(80), frame[["kind"]], frame["wave"])
    assert_allclose(found.values, 1.0)
    assert found.describe() == "Every planned interview was held: all weights are 1."
    # one wave of two without loss: its weights are 1, the other's are not
    whole = frame["observed"] | (frame["wave"] == 3)
    part = follow_up_weights(whole, frame[["kind"]], frame["wave"])
    assert_allclose(part.values[frame["wave"] == 3], 1.0)
    assert part.used.max() > 1.1


def test_rare_probabilities_are_counted():
    generator = np.random.default_rng(2)
    w = generator.normal(size=2000)
    seen = generator.random(2000) < 1 / (1 + np.exp(-(2 * w - 1)))
    found = follow_up_weights(seen, w)
    assert found.rare == int((found.probability < 0.05).sum()) > 100
    frame = found.to_frame()["value"]
    assert frame["rows with probability below 0.05"] == found.rare
    assert frame["effective sample size"] == found.effective_sample_size < found.used.size


def test_regression_with_equal_weights_is_least_squares():
    generator = np.random.default_rng(5)
    n = 120
    x, c, g = generator.normal(size=n), generator.normal(size=(n, 2)), np.arange(n) // 4
    y = x + c[:, 0] + generator.normal(size=n)
    trial = np.repeat(["a", "b"], n // 2)
    found = weighted_regression(y, x, np.full(n, 3.0), g, None, c, trials=trial)
    design = np.column_stack([x, c, trial == "a", trial == "b"])
    want = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": g})
    assert_allclose([found.coefficient, found.standard_error], [want.params[0], want.bse[0]])
    assert (found.dof, found.covariance) == (29, "clustered")
    robust = weighted_regression(y, x, np.ones(n), controls=c, trials=trial)
    assert_allclose(robust.standard_error, sm.OLS(y, design).fit(cov_type="HC1").bse[0])
    assert robust.dof == n - 5


def test_weights_are_known_up_to_scale_and_rows_without_weight_are_not_looked_at():
    generator = np.random.default_rng(6)
    y, x, w = generator.normal(size=50), generator.normal(size=50), generator.random(50)
    w[:10] = 0
    gaps = np.where(w == 0, np.nan, y)
    found = weighted_regression(gaps, np.where(w == 0, np.nan, x), w)
    again = weighted_regression(y[10:], x[10:], 7 * w[10:])
    assert_allclose(
        [found.coefficient, found.standard_error], [again.coefficient, again.standard_error]
    )
    assert found.nobs == 40
    moved = weighted_regression(3 * gaps + 1, 2 * x, w)
    assert_allclose(moved.coefficient, 1.5 * found.coefficient, rtol=1e-12)
    assert_allclose(moved.standard_error, 1.5 * found.standard_error, rtol=1e-12)


def test_patients_of_two_trials_with_one_label_are_two_clusters():
    generator = np.random.default_rng(7)
    y, x = generator.normal(size=(2, 80))
    trial, label = np.repeat(["a", "b"], 40), np.tile(np.repeat(np.arange(20), 2), 2)
    found = weighted_regression(y, x, np.ones(80), label, trials=trial)
    assert found.dof == 39
    want = weighted_regression(y, x, np.ones(80), clusters=np.arange(80) // 2, trials=trial)
    assert want.dof == 39
    assert_allclose(found.coefficient, want.coefficient, rtol=1e-12)
    assert_allclose(found.standard_error, want.standard_error, rtol=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6])
def test_constant_outcome_is_refused_as_in_fit(level):
    x = np.random.default_rng(7).normal(size=80)
    with pytest.raises(ValueError, match="y is constant: there is nothing to compare"):
        weighted_regression(np.full(80, level), x, np.ones(80))


DRAWS = 300


def contrasts(loss: str) -> tuple[np.ndarray, list[Estimate], np.ndarray]:
    """Full-data contrasts, weighted estimates, and complete-case contrasts."""
    full, weighted, complete = [], [], []
    for seed in range(DRAWS):
        wide = attrition(seed, 300, loss)
        predictors = wide[["w", "z"]].assign(both=wide["w"] * wide["z"])
        weights = follow_up_weights(wide["seen"], predictors, numerator=wide["z"])
        y = wide["y"].where(wide["seen"])
        weighted.append(weighted_regression(y, wide["z"], weights.values))
        complete.append(weighted_regression(y, wide["z"], wide["seen"].astype(float)).coefficient)
        full.append(full_contrast(wide))
    return np.array(full), weighted, np.array(complete)


def standard_errors_off(values: np.ndarray) -> float:
    """Mean in its own standard errors."""
    return float(values.mean() / (values.std(ddof=1) / math.sqrt(values.size)))


def test_weights_recover_the_contrast_at_random_and_complete_cases_do_not():
    """Bounds of four Monte Carlo errors on bias, and on coverage of an interval not too short."""
    full, weighted, complete = contrasts("given baseline")
    assert abs(standard_errors_off(complete - full)) > 40
    assert (complete - full).mean() > 0.5
    estimates = np.array([e.coefficient for e in weighted])
    assert abs(standard_errors_off(estimates - full)) < 4
    covered = np.mean([e.interval().contains(EFFECT) for e in weighted])
    assert covered > 0.95 - 4 * math.sqrt(0.95 * 0.05 / DRAWS)


def test_weights_do_not_recover_it_not_at_random():
    full, weighted, complete = contrasts("given outcome")
    estimates = np.array([e.coefficient for e in weighted])
    assert standard_errors_off(estimates - full) > 20
    # they help, as far as w tells of y
    assert 0.2 < (estimates - full).mean() < (complete - full).mean()


WIDE = attrition(9, 60)
N = len(WIDE)


def with_value(values, value) -> np.ndarray:
    changed = np.array(values, dtype=float)
    changed[3] = value
    return changed


WEIGHT_CASES = {
    "missing flag": ({"observed": with_value(WIDE["seen"], np.nan)}, "observed is missing in 1"),
    "no flag": ({"observed": np.full(N, 2.0)}, "observed is neither 0 nor 1 in 60 rows"),
    "missing predictor": (
        {"predictors": with_value(WIDE["w"], np.nan)}, "predictors is missing in 1 of 60 rows",
    ),
    "no predictor": ({"predictors": np.empty((N, 0))}, "predictors has 0 columns: give one"),
    "short predictor": ({"predictors": WIDE["w"].to_numpy()[:-1]}, "predictors has 59 rows"),
    "text": ({"predictors": np.array(["a", "b"] * 30)}, "predictors holds .* not numbers"),
    "separation": (
        {"predictors": pd.DataFrame({"w": WIDE["w"], "reason": 1.0 * ~WIDE["seen"]})},
        "separate the rows with the event .* by reason",
    ),
    "nobody seen": ({"observed": np.zeros(N)}, "no row has the event: .* its 60 rows out"),
    "nobody seen at a wave": (
        {"observed": np.arange(N) % 2, "waves": np.where(np.arange(N) % 2, 3, 6)},
        "no row of wave 6 has the event",
    ),
    "many predictors": (
        {"predictors": np.random.default_rng(0).normal(size=(N, 70))}, "for 60 rows.*give fewer",
    ),
    "numerator of none": (
        {"numerator": WIDE["z"], "stabilised": False}, "numerator is given but stabilised is False",
    ),
    "percentiles": ({"truncate": (99, 1)}, "truncate is .* give two percentiles"),
    "short trials": ({"trials": np.zeros(N - 1)}, "trials has 59 rows"),
    "indexes": ({"predictors": WIDE["w"].iloc[::-1]}, "different indexes"),
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHT_CASES)
def test_bad_follow_up(case):
    changes, message = WEIGHT_CASES[case]
    good = {"observed": WIDE["seen"], "predictors": WIDE["w"]}
    with pytest.raises(ValueError, match=message):
        follow_up_weights(**(good | changes))


@pytest.mark.parametrize(
    ("x", "changes", "message"),
    [
        (np.ones(N), {}, "x is constant in all rows"),
        (
            np.where(np.arange(N) < 30, 1, np.arange(N) % 2),
            {"trials": np.arange(N) // 30},
            "x is constant in trial 0",
        ),
        (WIDE["w"], {}, "x is neither 0 nor 1"),
        (WIDE["z"], {"predictors": WIDE["z"]}, "separate"),
    ],
)
def test_bad_treatment(x, changes, message):
    with pytest.raises(ValueError, match=message):
        treatment_weights(x, **({"predictors": WIDE["w"]} | changes))


REGRESSION_CASES = {
    "negative weight": ({"weights": with_value(np.ones(N), -1)}, "weights is negative in 1 of 60"),
    "missing weight": ({"weights": with_value(np.ones(N), np.nan)}, "weights is missing in 1"),
    "no weight": ({"weights": np.zeros(N)}, "weights is 0 in all rows"),
    "missing outcome": ({"y": with_value(WIDE["y"], np.nan)}, "y is missing in 1 of 60 rows"),
    "missing arm": ({"x": with_value(WIDE["z"], np.nan)}, "x is missing in 1 of 60"),
    "no outcome": ({"y": None}, "y is None"),
    "short outcome": ({"y": np.ones(N - 1)}, "y has 59 rows, not 60"),
    "one arm": ({"x": np.ones(N)}, "x is constant"),
    "one arm left": ({"weights": WIDE["z"].astype(float)}, "x is constant"),
    "two exposures": ({"x": np.ones((N, 2))}, "x has 2 columns"),
    "collinear control": ({"controls": WIDE[["z"]]}, "controls column z is constant, or a linear"),
    "one cluster": ({"clusters": np.zeros(N)}, "clusters has 1 cluster"),
    "short patients": ({"patients": np.zeros(N - 1)}, "patients has 59 rows"),
    "few rows": ({"weights": (np.arange(N) < 2).astype(float)}, "2 weighted rows, too few for 2"),
}


@pytest.mark.parametrize("case", REGRESSION_CASES)
def test_bad_regression(case):
    changes, message = REGRESSION_CASES[case]
    good = {"y": WIDE["y"].to_numpy(), "x": WIDE["z"].to_numpy(), "weights": np.ones(N)}
    with pytest.raises(ValueError, match=message):
        weighted_regression(**(good | changes))
