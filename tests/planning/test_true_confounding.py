"""The twin's true confounder: at its strengths, sensitivity analysis gives back the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from linearmodels import PanelOLS
from numpy.testing import assert_allclose

from pooledtrials import pooling
from pooledtrials.planning.studies.true_confounding import true_confounding, with_questionnaire
from pooledtrials.pooling import twin
from pooledtrials.selection import adjusted_estimate, regression_sensitivity

SEEDS = range(7100, 7116)


@pytest.fixture(scope="module")
def studied() -> pd.DataFrame:
    """Sixteen pools in each world, both areas."""
    rows = []
    for world in twin.WORLDS:
        for seed in SEEDS:
            pool = twin.simulate(world, "weak", seed)
            for area in ("drug", "alcohol"):
                found = true_confounding(pool, area)
                rows.append(found.to_frame().assign(world=world, area=area))
    return pd.concat(rows, ignore_index=True)


def mean_and_error(values: pd.Series) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / np.sqrt(len(values)))


# ---- algebra: the true strengths give the regression with motivation in it


@pytest.mark.parametrize("lever", list(twin.INSTRUMENTS))
@pytest.mark.parametrize("world", twin.WORLDS)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_true_strengths_give_the_long_regression(world, lever, seed):
    found = true_confounding(twin.simulate(world, lever, seed))
    assert_allclose(found.adjusted.coefficient, found.long.coefficient, rtol=1e-8)
    # the errors' formula is about classical ones
    short = (found.short.coefficient, found.short.standard_error, found.short.dof)
    classical = adjusted_estimate(
        short, found.r2_outcome, found.r2_exposure, direction=found.direction
    )
    assert_allclose(classical.standard_error, found.long.standard_error, rtol=1e-8)
    assert found.adjusted.dof == found.short.inference_dof


def test_the_strengths_are_those_of_residuals():
    one = {"referral": twin.DESIGNS["referral"]}
    pool = twin.simulate("selection", "weak", 3, designs=one)
    found = true_confounding(pool)
    hidden = pool.truth.complete.astype({"patient": "str"})[["patient", "wave", "changing"]]
    panel = twin.observed_panel(pool).merge(hidden, on=["patient", "wave"])
    rows = pooling.analysis_set(panel, interviews="all")
    cells = pd.get_dummies(rows.patients, dtype=float).join(
        pd.get_dummies(rows.waves, drop_first=True, dtype=float)
    )

    def left(column, more=None):
        design = (cells if more is None else cells.assign(more=more)).to_numpy()
        return column - design @ np.linalg.lstsq(design, column)[0]

    u = panel.loc[rows.y.index, "changing"]
    exposure = np.corrcoef(left(rows.x), left(u))[0, 1] ** 2
    outcome = np.corrcoef(left(rows.y, rows.x), left(u, rows.x))[0, 1] ** 2
    assert_allclose([found.r2_exposure, found.r2_outcome], [exposure, outcome], rtol=1e-8)


def test_the_long_regression_is_linearmodels():
    pool = twin.simulate("works", "strong", 9)
    found = true_confounding(pool, "alcohol")
    hidden = pool.truth.complete.astype({"patient": "str"})
    keys = ["trial", "patient", "wave"]
    panel = twin.observed_panel(pool).merge(hidden[[*keys, "changing"]], on=keys)
    panel = panel[panel["observed"]].assign(ten=lambda d: d["attendance"] / 10)
    panel = panel.assign(who=panel["trial"] + panel["patient"])
    panel["cell"] = pd.factorize(panel["trial"] + panel["wave"].astype(str))[0]
    columns = ["who", "wave", "cell", "asi_alcohol", "ten", "changing"]
    data = panel[columns].dropna().set_index(["who", "wave"])
    fit = PanelOLS(
        data["asi_alcohol"], data[["ten", "changing"]], entity_effects=True,
        other_effects=data[["cell"]],
    ).fit()  # fmt: skip
    assert_allclose(found.long.coefficient, fit.params["ten"], rtol=1e-7)


# ---- the point of it: given the true strengths, the truth


@pytest.mark.parametrize("area", ["drug", "alcohol"])
@pytest.mark.parametrize("world", twin.WORLDS)
def test_adjusting_with_the_true_strengths_recovers_the_truth(studied, world, area):
    rows = studied.query("world == @world and area == @area")
    off, error = mean_and_error(rows["adjusted"] - rows["weighted_effect"])
    assert abs(off) < 4 * error
    # tight enough to tell the truth from what the regression showed in the other world
    assert 4 * error < 0.6 * abs(rows["estimate"].mean())


@pytest.mark.parametrize("area", ["drug", "alcohol"])
def test_without_adjusting_only_one_world_is_told_right(studied, area):
    rows = studied.query("area == @area").assign(off=lambda d: d["estimate"] - d["weighted_effect"])
    wrong, wrong_error = mean_and_error(rows.query("world == 'selection'")["off"])
    right, right_error = mean_and_error(rows.query("world == 'works'")["off"])
    assert wrong < -10 * wrong_error
    assert abs(right) < 4 * right_error


@pytest.mark.parametrize("area", ["drug", "alcohol"])
def test_the_confounder_of_selection_is_as_strong_as_the_robustness_value_asks(studied, area):
    rows = studied.query("area == @area")
    there = rows.query("world == 'selection'")
    # a confounder of equal shares that explains all has the robustness value for a share
    geometric = np.sqrt(there["r2_exposure"] * there["r2_outcome"])
    off, error = mean_and_error(geometric - there["robustness_value"])
    assert abs(off) < 4 * error + 0.01
    none = rows.query("world == 'works'")
    assert none["r2_outcome"].max() < there["r2_outcome"].min() / 10
    assert none["r2_exposure"].min() > 0.1


def test_both_directions_occur_when_motivation_does_nothing():
    found = [true_confounding(twin.simulate("works", "weak", seed)) for seed in range(8)]
    assert {f.direction for f in found} == {"towards zero", "away from zero"}
    for f in found:
        nearer = abs(f.long.coefficient) < abs(f.short.coefficient)
        assert nearer == (f.direction == "towards zero")


def test_words_and_table_hold_the_numbers():
    found = true_confounding(twin.simulate("selection", "weak", 4))
    row = found.to_frame().iloc[0]
    assert row["estimate"] == found.short.coefficient
    assert row["average_effect"] == row["weighted_effect"] == 0
    assert f"{found.adjusted.coefficient:.4g}" in found.describe()
    assert f"{100 * found.r2_outcome:.3g} %" in found.describe()


def test_an_unknown_area_is_refused():
    with pytest.raises(ValueError, match=r"area is 'legal'"):
        true_confounding(twin.simulate("works", "weak", 1), "legal")


# ---- a questionnaire that asks about the confounder


@pytest.fixture(scope="module")
def nothing_works() -> twin.Twin:
    return twin.simulate("selection", "weak", 21)


def sensitivity(panel):
    rows = pooling.analysis_set(panel, interviews="all", controls=["questionnaire"])
    cells = pd.get_dummies(rows.strata, dtype=float)
    cells = cells.loc[:, ~cells.columns.str.endswith(" 0")]
    return regression_sensitivity(
        rows.y, rows.x, rows.controls.join(cells), strata=rows.patients,
        benchmarks=["questionnaire"], multiples=[1.0],
    )  # fmt: skip


@pytest.mark.parametrize("reliability", [0.0, 0.3, 1.0])
def test_a_questionnaire_has_its_reliability(nothing_works, reliability):
    panel = with_questionnaire(nothing_works, reliability, 3)
    asked = panel["questionnaire"]
    assert asked.isna().equals(~panel["observed"])
    truth = nothing_works.truth.complete["changing"].where(panel["observed"])
    kept = asked.notna()
    found = np.corrcoef(asked[kept], truth[kept])[0, 1]
    # the standard error of a correlation, by Fisher's transformation, is below 1 / sqrt(n - 3)
    assert abs(found - np.sqrt(reliability)) < 4 / np.sqrt(kept.sum() - 3)
    assert list(panel.drop(columns="questionnaire")) == list(twin.observed_panel(nothing_works))


def test_a_perfect_questionnaire_is_the_long_regression(nothing_works):
    found = sensitivity(with_questionnaire(nothing_works, 1.0, 3))
    want = true_confounding(nothing_works).long.coefficient
    assert_allclose(found.fit.coefficient, want, rtol=1e-7)


def test_a_poor_questionnaire_removes_less_and_makes_the_rest_look_unlikely(nothing_works):
    found = {r: sensitivity(with_questionnaire(nothing_works, r, 3)) for r in (0.1, 0.3, 0.8)}
    left = [f.fit.coefficient for f in found.values()]
    assert left == sorted(left)
    assert left[0] < left[-1] < 0
    # nothing is caused, yet a confounder as strong as the answers seems to leave an effect
    assert found[0.3].benchmarks["high"].iloc[0] < 0


def test_noise_is_that_of_the_seed(nothing_works):
    once, again, other = (with_questionnaire(nothing_works, 0.5, seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(once, again)
    assert not once["questionnaire"].equals(other["questionnaire"])


@pytest.mark.parametrize("reliability", [-0.1, 1.5, float("nan")])
def test_a_reliability_is_a_share(nothing_works, reliability):
    with pytest.raises(ValueError, match="reliability"):
        with_questionnaire(nothing_works, reliability, 3)
