"""Chained equations and Rubin's rules (O-J7): the engine, identities, bias and coverage."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from attrition import EFFECT, attrition, full_contrast, long
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.imputation.mice import MICEData

from pooledtrials.panels import analyse_imputations, impute, rubin, weighted_regression
from pooledtrials.panels.chained_equations import chained_equations
from pooledtrials.results import Estimate


def test_o_j7_rubin():
    """R mice, pool.scalar(Q, U, n = 100, k = 3)."""
    found = rubin([1.1, 0.9, 1.3, 1.0, 1.2], [0.04, 0.05, 0.045, 0.05, 0.04], 97)
    assert_allclose(found.coefficient, 1.1, rtol=1e-12)
    assert_allclose(found.standard_error**2, 0.075, rtol=1e-12)
    assert_allclose(found.dof, 17.38139353, rtol=1e-9)
    assert_allclose(found.fraction_missing, 0.4588772303, rtol=1e-9)
    assert_allclose(found.relative_increase, 0.6666666667, rtol=1e-9)
    low, high = found.interval().end_points
    quantile = stats.t.ppf(0.975, 17.38139353)
    assert_allclose((high - low) / 2, quantile * math.sqrt(0.075), rtol=1e-9)
    assert "46 % of the information is missing" in found.describe()


@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=12),
    st.floats(0.1, 10),
    st.floats(-3, 3),
    st.floats(0.5, 200),
)
def test_rubin_identities(estimates, scale, shift, dof):
    """Shift and scale; within plus between is the total; the df never exceed the data's."""
    q = np.array(estimates)
    u = np.linspace(0.5, 1.5, q.size)
    one, other = rubin(q, u, dof), rubin(shift + scale * q, scale**2 * u, dof)
    assert_allclose(other.coefficient, shift + scale * one.coefficient, atol=1e-9)
    assert_allclose(other.standard_error, scale * one.standard_error, rtol=1e-7)
    assert_allclose(other.dof, one.dof, rtol=1e-6)
    total = one.within + (1 + 1 / q.size) * one.between
    assert_allclose(one.standard_error**2, total, rtol=1e-12)
    assert one.dof <= dof * (1 + 1e-12)
    again = rubin(q[::-1], u[::-1], dof)
    assert_allclose(
        [again.coefficient, again.dof], [one.coefficient, one.dof], rtol=1e-9, atol=1e-12
    )


def test_rubin_without_variation():
    """Nothing missing: the variance is the mean one; df those of Barnard and Rubin at lambda 0."""
    found = rubin([1.0, 1.0, 1.0], [0.25] * 3)
    assert (found.standard_error, found.dof, found.fraction_missing) == (0.5, math.inf, 0.0)
    assert_allclose(found.interval().end_points, 1 + np.array([-1, 1]) * 0.5 * 1.959963984540054)
    assert_allclose(rubin([1.0, 1.0], [1.0, 1.0], 97).dof, 97 * 98 / 100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0]), "estimates has 1 imputation"),
        (([1.0, 2.0], [1.0]), "variances has 1 values but estimates has 2"),
        (([1.0, 2.0], [1.0, -1.0]), "variances is not positive and finite in 1 of 2"),
        (([1.0, 2.0], [1.0, np.nan]), "variances is not positive and finite in 1 of 2"),
        (([1.0, np.nan], [1.0, 1.0]), "estimates is missing in 1 of 2"),
        (([1.0, 2.0], [1.0, 1.0], 0), "dof_complete is 0: give a positive"),
        (([1.0, 2.0], [1.0, 1.0], np.nan), "dof_complete is nan: give a positive"),
    ],
)
def test_bad_rubin(arguments, message):
    with pytest.raises(ValueError, match=message):
        rubin(*arguments)


def gappy(seed: int, n: int = 60) -> np.ndarray:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(n, 1)) + generator.normal(size=(n, 4))
    values[:, :2][generator.random((n, 2)) < 0.3] = np.nan
    return values


def test_the_engine_is_statsmodels_with_the_same_draws():
    """The formulas that are not parsed would have given the same numbers."""
    values = gappy(1)
    frame = pd.DataFrame(values, columns=list("abcd"))
    engine = MICEData(frame, k_pmm=5, rng=np.random.default_rng(3))
    engine.update_all(4)
    found = chained_equations(values, 4, 5, np.random.default_rng(3))
    assert_allclose(found, engine.data.to_numpy(), rtol=1e-12)


PATIENTS, WAVES = 50, (0, 3, 6)


def panel(seed: int = 0, trial: str = "a") -> pd.DataFrame:
    """Two scores at three waves with gaps after baseline, a covariate with gaps, two arms."""
    generator = np.random.default_rng(seed)
    n = PATIENTS * len(WAVES)
    patient = np.repeat(np.arange(PATIENTS), len(WAVES))
    level = generator.normal(size=PATIENTS)[patient]
    frame = pd.DataFrame(
        {
            "trial": trial, "patient": patient, "wave": np.tile(WAVES, PATIENTS),
            "arm": np.where(patient % 2, "usual", "new"),
            "drug": np.clip(0.3 + 0.2 * level + 0.2 * generator.normal(size=n), 0, 1),
            "days": np.clip(np.round(8 - 5 * level + 5 * generator.normal(size=n)), 0, 30),
            "age": 40 + generator.normal(size=PATIENTS)[patient],
        }
    )  # fmt: skip
    lost = (frame["wave"] > 0) & (generator.random(n) < 0.3)
    unasked = np.isin(patient, generator.choice(PATIENTS, 4, replace=False))
    return frame.assign(
        drug=frame["drug"].mask(lost), days=frame["days"].mask(lost), age=frame["age"].mask(unasked)
    )


def imputed(frame: pd.DataFrame, **options):
    options = {"imputations": 3, "cycles": 2} | options
    return impute(
        frame[["drug", "days"]], frame["arm"], frame["patient"], frame["wave"], frame[["age"]],
        options.pop("trials", frame["trial"]), **options,
    )  # fmt: skip


PANEL = panel()


def test_what_was_seen_stays_and_gaps_get_values_that_were_seen():
    found = imputed(PANEL)
    columns = ["drug", "days", "age"]
    given_values, gaps = PANEL[columns], PANEL[columns].isna()
    pd.testing.assert_frame_equal(found.missing, gaps)
    for frame in found.completed:
        assert not frame.isna().any().any()
        pd.testing.assert_frame_equal(frame.mask(gaps), given_values)
        for wave, rows in PANEL.groupby("wave"):
            for column in ("drug", "days"):
                values = frame.loc[rows.index, column]
                assert set(values) <= set(rows[column].dropna()), (wave, column)
        # a covariate is the patient's
        assert (frame.groupby(PANEL["patient"])["age"].nunique() == 1).all()
    assert (found.completed[0] != found.completed[1]).any().any()


def test_the_log_counts_what_was_imputed():
    found = imputed(PANEL)
    log = found.log.set_index(["column", "wave"])
    assert (found.log["where"] == "trial a").all()
    gaps = PANEL["drug"].isna() & (PANEL["wave"] == 3)
    assert log.loc[("drug", 3), "imputed"] == gaps.sum()
    assert log.loc[("drug", 3), "seen"] == PATIENTS - gaps.sum()
    assert log.loc[("age", ""), "imputed"] == PANEL["age"].isna().sum()
    assert log.loc[("drug", 3), "predictors"] == 2 * 3 + 1 + 1 - 1
    assert found.log["imputed"].sum() == found.missing.to_numpy().sum()
    assert f"drug in {PANEL['drug'].isna().sum()} of 150 rows" in found.describe()


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(seed):
    want = imputed(PANEL, seed=5)
    shuffled = imputed(PANEL.sample(frac=1, random_state=seed), seed=5)
    for one, other in zip(want.completed, shuffled.completed, strict=True):
        pd.testing.assert_frame_equal(one, other.loc[one.index])


def test_seeds():
    """Same seed, same values, numpy's global state untouched; another seed, others."""
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    one, two, three = imputed(PANEL, seed=1), imputed(PANEL, seed=1), imputed(PANEL, seed=2)
    assert (np.random.get_state()[1] == before).all()
    pd.testing.assert_frame_equal(one.completed[2], two.completed[2])
    assert not one.completed[2].equals(three.completed[2])
    sequence = np.random.SeedSequence(4)
    first, again = imputed(PANEL, seed=sequence), imputed(PANEL, seed=sequence)
    pd.testing.assert_frame_equal(first.completed[0], again.completed[0])


def test_trials_are_imputed_by_themselves():
    other = panel(1, "b")
    pool = pd.concat([PANEL, other.assign(drug=other["drug"] * 100)], ignore_index=True)
    together, alone = imputed(pool), imputed(PANEL)
    assert_allclose(together.completed[1].iloc[: len(PANEL)], alone.completed[1])
    assert together.completed[0]["drug"][len(PANEL) :].median() > 5
    assert set(together.log["where"]) == {"trial a", "trial b"}


def test_arms_apart_take_values_of_their_own_arm():
    far = PANEL.assign(drug=PANEL["drug"] + 10 * (PANEL["arm"] == "new"))
    found = imputed(far, by_arm=True)
    for frame in found.completed:
        assert (frame["drug"][far["arm"] == "new"] >= 10).all()
        assert (frame["drug"][far["arm"] == "usual"] <= 1).all()
    assert set(found.log["where"]) == {"trial a, arm new", "trial a, arm usual"}


def test_rows_that_are_not_given_are_not_imputed():
    died = (PANEL["patient"] == 3) & (PANEL["wave"] == 6)
    found = imputed(PANEL[~died])
    assert found.completed[0].index.equals(PANEL[~died].index)


def test_constant_and_repeated_columns_do_not_stop_it():
    """A complete constant or copy says nothing and is left out; no warning of a singular matrix."""
    baseline = PANEL.groupby("patient")["drug"].transform("first")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = impute(
            PANEL[["drug"]].assign(always=1.0 + 0 * PANEL["drug"]), PANEL["arm"], PANEL["patient"],
            PANEL["wave"], pd.DataFrame({"copy": baseline, "one": 1.0}), imputations=2, cycles=2,
        )  # fmt: skip
    log = found.log.set_index(["column", "wave"])
    assert log.loc[("drug", 3), "predictors"] == 3 - 1 + 1
    assert log.loc[("always", 3), "predictors"] == 0
    assert (found.completed[0]["always"] == 1).all()


def test_a_covariate_that_nobody_seen_has_is_left_out_for_that_wave():
    """Nobody from a shelter was seen at month 6: the shelter says nothing then, and nobody warns."""
    sheltered = PANEL["patient"].isin([3, 17])
    gone = PANEL.assign(drug=PANEL["drug"].mask(sheltered & (PANEL["wave"] == 6)))
    given = gone[["drug"]], gone["arm"], gone["patient"], gone["wave"]
    rare = pd.DataFrame({"shelter": sheltered.astype(float)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = impute(*given, rare, imputations=2, cycles=3, seed=1)
    assert np.isfinite(found.completed[0].to_numpy()).all()
    # with one incomplete column its equation is the whole chain
    only = gone.assign(drug=gone["drug"].where(gone["wave"] == 6, gone["patient"] % 7 / 7))
    given = only[["drug"]], only["arm"], only["patient"], only["wave"]
    told = impute(*given, rare, imputations=2, cycles=3, seed=1)
    untold = impute(*given, imputations=2, cycles=3, seed=1)
    assert_allclose(told.completed[1]["drug"], untold.completed[1]["drug"])


def test_nothing_missing_is_said():
    whole = PANEL.fillna({"drug": 0.5, "days": 3, "age": 40})
    found = imputed(whole)
    assert found.describe().startswith("Nothing was missing, so nothing was imputed")
    assert_allclose(found.completed[2], whole[["drug", "days", "age"]])
    arm = (whole["arm"] == "new").astype(float)

    def analysis(frame):
        return weighted_regression(frame["drug"], arm, np.ones(150), whole["patient"])

    pooled, single = analyse_imputations(found, analysis), analysis(whole)
    assert_allclose(
        [pooled.coefficient, pooled.standard_error], [single.coefficient, single.standard_error]
    )
    assert pooled.fraction_missing < 2 / pooled.dof
    assert pooled.covariance == "Rubin, clustered"


def test_analysis_is_pooled_with_its_own_degrees_of_freedom():
    found = imputed(PANEL)

    def analysis(frame):
        return Estimate("mean", frame["drug"].mean(), 0.1, "robust", 150, 49)

    pooled = analyse_imputations(found, analysis)
    means = [frame["drug"].mean() for frame in found.completed]
    assert_allclose(pooled.coefficient, np.mean(means))
    assert pooled.dof == rubin(means, [0.01] * 3, 49).dof
    assert (pooled.method, pooled.nobs, pooled.imputations) == ("mean", 150, 3)


DRAWS = 200


def multiply_imputed(wide: pd.DataFrame, seed: int) -> Estimate:
    frame = long(wide)
    found = impute(
        frame["score"], frame["z"], frame["patient"], frame["wave"], imputations=10, cycles=1,
        seed=seed,
    )  # fmt: skip
    last = (frame["wave"] == 6).to_numpy()
    return analyse_imputations(
        found,
        lambda done: weighted_regression(
            done["score"][last], frame["z"][last], np.ones(last.sum())
        ),
    )


def test_imputation_recovers_the_contrast_at_random_and_complete_cases_do_not():
    """Bias within four Monte Carlo errors, coverage within four binomial ones.

    One cycle is a whole imputation, since one column has gaps.
    """
    off, complete, covered = [], [], []
    for seed in range(DRAWS):
        wide = attrition(seed, 300)
        found, full = multiply_imputed(wide, seed), full_contrast(wide)
        off.append(found.coefficient - full)
        complete.append(full_contrast(wide[wide["seen"]]) - full)
        covered.append(found.interval().contains(EFFECT))
    off, complete = np.array(off), np.array(complete)
    assert complete.mean() > 0.5
    assert abs(complete.mean()) > 40 * complete.std() / math.sqrt(DRAWS)
    assert abs(off.mean()) < 4 * off.std() / math.sqrt(DRAWS)
    assert abs(np.mean(covered) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / DRAWS)


def test_imputation_does_not_recover_it_not_at_random():
    off = []
    for seed in range(DRAWS // 4):
        wide = attrition(seed, 300, "given outcome")
        off.append(multiply_imputed(wide, seed).coefficient - full_contrast(wide))
    assert np.mean(off) > 0.2
    assert np.mean(off) > 10 * np.std(off) / math.sqrt(len(off))


def lost(rows) -> pd.DataFrame:
    return PANEL.assign(drug=PANEL["drug"].mask(rows))


NEW, LAST = PANEL["arm"] == "new", PANEL["wave"] == 6
MANY = pd.DataFrame(
    np.random.default_rng(0).normal(size=(PATIENTS, 40))[PANEL["patient"]],
    columns=[f"w{j}" for j in range(40)],
)

CASES = {
    "never seen": (lost(NEW | ~NEW), {}, "y column drug at wave 0 in trial a was not seen in anybody"),
    "never seen at a wave": (lost(LAST), {}, "drug at wave 6 in trial a was not seen in anybody:"),
    "never seen in an arm": (
        lost(LAST & NEW), {}, "drug at wave 6 in trial a was not seen in anybody in arm 'new'",
    ),
    "one imputation": (PANEL, {"imputations": 1}, "imputations is 1: give a whole number, 2"),
    "no cycle": (PANEL, {"cycles": 0}, "cycles is 0: give a whole number, 1 or more"),
    "half a donor": (PANEL, {"donors": 0.5}, "donors is 0.5: give a whole number"),
    "many donors": (PANEL, {"donors": 49}, "was seen in .* too few for 7 predictors and 49 donors"),
    "infinite": (PANEL.replace({40.0: 1, 0.0: np.inf}), {}, "y is infinite in"),
    "two arms": (
        PANEL.assign(arm=np.where(PANEL.index == 0, "usual", PANEL["arm"])), {},
        "arms varies between the rows of 1 patients",
    ),
    "two ages": (
        PANEL.assign(age=PANEL["age"] + (PANEL.index == 0)), {}, "controls varies between the rows",
    ),
    "twice": (
        pd.concat([PANEL, PANEL.iloc[[0]]], ignore_index=True), {}, "waves repeats 1 pairs",
    ),
    "missing arm": (PANEL.assign(arm=PANEL["arm"].mask(PANEL.index == 0)), {}, "arms is missing"),
    "one wave": (PANEL[LAST], {}, "waves has 1 wave"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_panels(case):
    frame, options, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        imputed(frame, **options)


def columns(y, controls=None, **options):
    return impute(
        y,
        PANEL["arm"],
        PANEL["patient"],
        PANEL["wave"],
        controls,
        imputations=2,
        cycles=1,
        **options,
    )


@pytest.mark.parametrize(
    ("y", "controls", "options", "message"),
    [
        (None, None, {}, "y is None"),
        (PANEL["arm"], None, {}, "y holds .* not numbers"),
        (PANEL[["drug"]], PANEL[["drug"]], {}, "controls and y both have a column 'drug'"),
        (PANEL[["drug"]], MANY, {}, "too few for .* predictors .* give fewer columns"),
        (PANEL["drug"], MANY[["w0"]], {"by_arm": True, "donors": 25}, "in all trials, arm new was"),
        (PANEL[["drug"]].assign(twice=2 * PANEL["drug"]), None, {}, "twice at wave 3 .* repeats"),
        (PANEL["drug"].to_numpy()[:-1], None, {}, "patients has 150 rows but y has 149"),
        (PANEL["drug"].iloc[::-1], None, {}, "different indexes"),
    ],
)
def test_bad_columns(y, controls, options, message):
    with pytest.raises(ValueError, match=message):
        columns(y, controls, **options)


def test_patients_of_whom_nothing_is_known():
    frame = PANEL.assign(drug=PANEL["drug"].mask(PANEL["patient"] == 4))
    with pytest.raises(ValueError, match="say nothing about 1 patients of all trials, arm new"):
        impute(
            frame["drug"], frame["arm"], frame["patient"], frame["wave"], imputations=2, cycles=1,
            donors=2, by_arm=True,
        )  # fmt: skip
