"""Missing follow-up as it is: shares, patterns, differences, the test of equal follow-up, predictors."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.panels import follow_up, follow_up_predictors
from pooledtrials.panels.equal_follow_up import equal_follow_up_test


def panel(words: dict[str, list[str]], trial: str = "a") -> pd.DataFrame:
    """A long panel from patterns by arm, such as ``{"new": ["111", "110"]}``."""
    rows = [
        (trial, arm, i, wave, float(digit))
        for arm, patterns in words.items()
        for i, pattern in enumerate(patterns, start=1000 * list(words).index(arm))
        for wave, digit in enumerate(pattern)
    ]
    return pd.DataFrame(rows, columns=["trial", "arm", "patient", "wave", "observed"])


def described(frame: pd.DataFrame, **options):
    return follow_up(
        frame["observed"], frame["arm"], frame["patient"], frame["wave"],
        options.pop("clusters", None), frame["trial"], **options,
    )  # fmt: skip


SMALL = panel({"new": ["111", "110", "101", "100"], "usual": ["111", "111", "111", "110", "010"]})


def drawn(seed: int, patients: int = 120, arms: int = 2, trial: str = "a", lost=(0.1, 0.3, 0.4)):
    generator = np.random.default_rng(seed)
    held = generator.random((patients, len(lost))) > np.array(lost)
    words = ["1" + "".join("01"[int(h)] for h in row) for row in held]
    return panel({f"arm {a}": words[a::arms] for a in range(arms)}, trial)


def test_shares_patterns_and_differences_by_hand():
    found = described(SMALL, control="usual")
    shares = found.shares.loc["a"]
    assert_allclose(shares.loc["new", "share"], [1, 0.5, 0.5])
    assert_allclose(shares.loc["usual", "share"], [0.8, 1, 0.6])
    assert shares.loc["usual", "interviewed"].tolist() == [4, 5, 3]
    assert_allclose(shares.loc[("new", 1), "standard_error"], math.sqrt(0.25 / 4))
    patterns = found.patterns.loc["a"]
    assert patterns.loc[("usual", "111"), "patients"] == 3
    assert patterns.loc["new", "monotone"].to_dict() == {
        "111": True, "110": True, "101": False, "100": True,
    }  # fmt: skip
    assert not patterns.loc[("usual", "010"), "monotone"]
    arms = found.arms.loc[("a", "new")]
    assert_allclose(
        arms[["held", "complete", "monotone", "intermittent"]], [2 / 3, 0.25, 0.5, 0.25]
    )
    assert_allclose(found.arms.loc[("a", "usual"), "intermittent"], 0.2)
    difference = found.differences.loc[("a", "new", 2)]
    assert_allclose(difference["difference"], 0.5 - 0.6)
    assert_allclose(difference["standard_error"], math.sqrt(0.25 / 4 + 0.24 / 5))
    assert difference["control"] == "usual"


def test_one_wave_is_pearsons_chi_squared():
    """Identity: with one wave that varies the statistic is Pearson's, without correction."""
    words = {
        "x": ["11"] * 30 + ["10"] * 12,
        "y": ["11"] * 41 + ["10"] * 4,
        "z": ["11"] * 9 + ["10"] * 9,
    }
    found = described(panel(words)).test
    pearson = stats.chi2_contingency([[30, 12], [41, 4], [9, 9]], correction=False)
    assert_allclose(found.statistic, pearson.statistic, rtol=1e-12)
    assert_allclose(found.p_value, pearson.pvalue, rtol=1e-12)
    assert found.dof == (2.0,)


def test_trials_add_up_and_clusters_of_one_patient_are_rows():
    one, other = drawn(1, trial="a"), drawn(2, arms=3, trial="b")
    both = described(pd.concat([one, other], ignore_index=True))
    parts = [described(one).test, described(other).test]
    assert_allclose(both.test.statistic, sum(p.statistic for p in parts), rtol=1e-12)
    assert both.test.dof == (3.0 + 6.0,)
    assert set(both.tests) == {"a", "b", "all trials"}
    # each patient a cluster: the sum of squares of influences, times G / (G - 1)
    clustered = described(one, clusters=one["patient"])
    plain = described(one)
    factor = math.sqrt(60 / 59)
    assert_allclose(
        clustered.shares["standard_error"], factor * plain.shares["standard_error"], rtol=1e-12
    )


def test_a_cluster_that_repeats_its_patients_halves_the_information():
    """Every patient twice in one cluster: clustered errors are those of the single patients."""
    one = drawn(3)
    twin = one.assign(patient=one["patient"] + 500_000)
    twice = pd.concat([one, twin], ignore_index=True)
    clusters = twice["patient"] % 500_000
    naive, clustered, single = described(twice), described(twice, clusters=clusters), described(one)
    follow = single.differences["standard_error"] > 0
    single_error = single.differences.loc[follow, "standard_error"]
    assert_allclose(
        clustered.differences.loc[follow, "standard_error"],
        single_error * math.sqrt(120 / 119),
        rtol=1e-12,
    )
    assert_allclose(
        naive.differences.loc[follow, "standard_error"], single_error / math.sqrt(2), rtol=1e-12
    )
    assert_allclose(naive.test.statistic, 2 * single.test.statistic, rtol=1e-10)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_order_and_names_do_not_matter(seed):
    frame = drawn(seed % 7)
    shuffled = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    renamed = shuffled.assign(patient=[f"p{p}" for p in shuffled["patient"]])
    want, got = described(frame), described(renamed)
    assert_allclose(got.test.statistic, want.test.statistic, rtol=1e-10)
    pd.testing.assert_frame_equal(
        got.shares.sort_index(), want.shares.sort_index(), check_exact=False
    )
    pd.testing.assert_frame_equal(
        got.patterns.sort_index(), want.patterns.sort_index(), check_exact=False
    )


def test_patient_labels_repeat_between_trials():
    frame = pd.concat([SMALL, SMALL.assign(trial="b")], ignore_index=True)
    assert described(frame).shares.loc["b"].equals(described(SMALL).shares.loc["a"])


def test_waves_missed_by_the_same_patients_count_once():
    words = {"x": ["111"] * 20 + ["100"] * 5, "y": ["111"] * 14 + ["100"] * 9}
    once = {arm: [w[:2] for w in patterns] for arm, patterns in words.items()}
    found, want = described(panel(words)).test, described(panel(once)).test
    assert found.dof == want.dof == (1.0,)
    assert_allclose(found.statistic, want.statistic, rtol=1e-10)


@pytest.mark.parametrize(("arms", "clusters"), [(2, None), (3, None), (2, np.arange(90))])
def test_size_of_the_test_of_equal_follow_up(arms, clusters):
    """1000 draws with the same loss in all arms: rejections at 5 % within 4 binomial errors."""
    draws, rejected = 1000, 0
    generator = np.random.default_rng(5)
    for _ in range(draws):
        quality = generator.normal(size=(90, 1))
        held = quality + generator.normal(size=(90, 3)) > -0.8
        test = equal_follow_up_test(held.astype(float), np.arange(90) % arms, clusters, "a")
        rejected += test.p_value < 0.05
    assert abs(rejected / draws - 0.05) < 4 * math.sqrt(0.05 * 0.95 / draws)


def test_power_of_the_test_of_equal_follow_up():
    words = drawn(1, 200, lost=(0.1, 0.1))["observed"].to_numpy().reshape(-1, 3)
    worse = drawn(2, 200, lost=(0.1, 0.35))["observed"].to_numpy().reshape(-1, 3)
    text = [["".join("01"[int(d)] for d in row) for row in part] for part in (words, worse)]
    assert described(panel(dict(zip("xy", text, strict=True)))).test.p_value < 1e-4


def test_nobody_missing_is_said():
    found = described(panel({"x": ["11", "11"], "y": ["11", "11"]}))
    assert not found.test.applicable
    assert "applies in no trial" in str(found.test)
    assert "100 to 100 %" in found.describe()
    assert "no interview was held with some and not others" in found.describe()


def test_too_few_clusters_are_said():
    frame = drawn(4, arms=2)
    assert described(frame, clusters=frame["patient"] % 5).test.covariance == "clustered"
    few = described(frame, clusters=frame["patient"] % 3)
    assert "3 clusters for 3 differences" in few.tests["a"].reason


def test_predictors_are_statsmodels_clustered_logit():
    generator = np.random.default_rng(6)
    n = 300
    age, severity = generator.normal(40, 9, n), generator.random(n)
    frame = pd.DataFrame({"patient": np.repeat(np.arange(n), 2), "wave": np.tile([3, 6], n)})
    frame["age"], frame["severity"] = np.repeat(age, 2), np.repeat(severity, 2)
    p = 1 / (
        1 + np.exp(-(0.02 * frame["age"] - 2 * frame["severity"] + 0.5 * (frame["wave"] == 3)))
    )
    frame["observed"] = (generator.random(2 * n) < p).astype(float)
    found = follow_up_predictors(
        frame["observed"], frame[["age", "severity"]], frame["patient"], frame["wave"]
    )
    design = sm.add_constant(
        frame[["age", "severity"]].assign(six=frame["wave"] == 6).astype(float)
    )
    want = sm.Logit(frame["observed"], design).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": frame["patient"]}
    )
    assert_allclose(found.frame["coefficient"], want.params[["age", "severity"]], rtol=1e-6)
    assert_allclose(found.frame["standard_error"], want.bse[["age", "severity"]], rtol=1e-6)
    assert found.test.p_value < 0.01
    assert "severity" in found.describe()
    assert found.frame["odds_ratio"]["severity"] < 1


def test_predictors_leave_the_baseline_out_and_say_how_many():
    frame = drawn(8, 200)
    values = np.random.default_rng(1).normal(size=200)[frame["patient"] % 1000 % 200]
    found = follow_up_predictors(
        frame["observed"], pd.DataFrame({"w": values}), frame["patient"], frame["wave"]
    )
    assert found.certain == 200
    assert found.rows == 600
    assert "200 in cells without contrast" in found.describe()


N = len(SMALL)


def with_value(column: str, row: int, value) -> pd.DataFrame:
    changed = SMALL.copy()
    if value is None or isinstance(value, float):
        changed[column] = changed[column].astype(object)
    changed.loc[row, column] = value
    return changed


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (with_value("observed", 0, 2.0), "observed is neither 0 nor 1 in 1 rows"),
        (with_value("observed", 0, np.nan), "observed is missing in 1 of 27 rows"),
        (with_value("arm", 0, None), "arms is missing in 1 of 27 rows"),
        (with_value("patient", 0, None), "patients is missing in 1 of 27"),
        (with_value("arm", 0, "usual"), "arms varies between the rows of 1 patients"),
        (with_value("wave", 0, 1), "waves repeats 1 pairs"),
        (SMALL.drop(index=5), "no row for 1 planned interviews of trial 'a'"),
        (SMALL[SMALL["arm"] == "new"], "arms has 1 value in trial 'a'"),
        (SMALL[SMALL["wave"] == 1], "waves has 1 wave"),
        (SMALL.iloc[:0], "observed has 0 rows"),
    ],
)
def test_bad_panels(frame, message):
    with pytest.raises(ValueError, match=message):
        described(frame)


@pytest.mark.parametrize("short", range(3))
def test_observed_is_not_called_y(short):
    columns = [SMALL[name].to_numpy() for name in ("arm", "patient", "wave")]
    columns[short] = columns[short][:-1]
    name = ("arms", "patients", "waves")[short]
    words = f"{name} has 26 rows but observed has 27: give one label"
    with pytest.raises(ValueError, match=words):
        follow_up(SMALL["observed"].to_numpy(), *columns)


def test_bad_options():
    with pytest.raises(ValueError, match="control is 'old', but arms of trial 'a' are"):
        described(SMALL, control={"a": "old"})
    with pytest.raises(ValueError, match="clusters has 1 cluster in an arm of trial 'a'"):
        described(SMALL, clusters=SMALL["arm"])
    with pytest.raises(ValueError, match="clusters varies between the rows of"):
        described(SMALL, clusters=np.arange(N))
    with pytest.raises(ValueError, match="different indexes"):
        follow_up(SMALL["observed"], SMALL["arm"].iloc[::-1], SMALL["patient"], SMALL["wave"])


W = np.random.default_rng(0).normal(size=(N, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observed": np.ones(N)}, "observed does not vary within any trial and wave"),
        ({"observed": np.full(N, 0.5)}, "observed is neither 0 nor 1 in 27 rows"),
        ({"predictors": np.column_stack([W, W @ [1.0, 2.0]])}, "predictors column .* linear comb"),
        ({"predictors": np.ones(N)}, "predictors column predictors0 is constant"),
        ({"predictors": SMALL["observed"] * 3 - 1}, "separate .* by observed"),
        ({"predictors": W[:, :0]}, "predictors has 0 columns: give one or more"),
        ({"predictors": W[:-1]}, "predictors has 26 rows but y has 27"),
        (
            {"predictors": np.where(np.arange(N) == 0, np.nan, W[:, 0])},
            "predictors is missing in 1",
        ),
        ({"predictors": np.random.default_rng(1).normal(size=(N, 30))}, "for 27 rows: give fewer"),
        ({"clusters": np.zeros(N)}, "clusters has 1 cluster"),
        ({"patients": None}, "patients is None"),
    ],
)
def test_bad_predictors(changes, message):
    good = {"observed": SMALL["observed"], "predictors": W, "patients": SMALL["patient"]}
    with pytest.raises(ValueError, match=message):
        follow_up_predictors(**(good | changes))


def test_separation_in_part_is_found_too():
    """All who were seen have w = 0 or more: the likelihood rises for ever, though not to 1."""
    generator = np.random.default_rng(3)
    n = 200
    other, event = generator.normal(size=n), np.repeat([0.0, 1.0], n // 2)
    rare = np.where((event == 1) & (generator.random(n) < 0.2), 1.0, 0.0)
    with pytest.raises(ValueError, match="in full or in part, by rare"):
        follow_up_predictors(event, pd.DataFrame({"other": other, "rare": rare}), np.arange(n))
