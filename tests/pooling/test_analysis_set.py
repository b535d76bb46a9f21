"""The analysis set: which rows an analysis uses, and that none leaves without a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pooledtrials import instruments, pooling
from pooledtrials.pooling import analysis_set


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return pooling.load_pool("seven").panel


@pytest.mark.parametrize("interviews", ["follow-up", "all"])
@pytest.mark.parametrize("outcome", ["asi_drug", "asi_medical", "abstinent"])
def test_every_row_is_used_or_has_a_reason(panel, interviews, outcome):
    found = analysis_set(panel, outcome, interviews=interviews)
    assert len(found) + sum(found.dropped.values()) == len(panel)
    assert found.dropped["not interviewed"] == int(
        (~panel["observed"] & (panel["wave"] > 0)).sum() if interviews == "follow-up"
        else (~panel["observed"]).sum()
    )  # fmt: skip
    for part in (found.y, found.x, found.z, found.patients, found.strata):
        assert part.index.equals(found.y.index)
        assert not part.isna().any()


def test_the_first_score_is_held_constant_in_follow_ups_only(panel):
    follow_ups = analysis_set(panel, controls=["age"])
    assert list(follow_ups.controls) == ["asi_drug_baseline", "age"]
    assert (panel.loc[follow_ups.y.index, "wave"] > 0).all()
    everything = analysis_set(panel, interviews="all")
    assert everything.controls is None
    assert (panel.loc[everything.y.index, "wave"] == 0).any()


def test_attendance_is_in_tens_of_days_and_other_exposures_as_they_are(panel):
    days = panel.loc[analysis_set(panel).x.index, "attendance"]
    np.testing.assert_allclose(analysis_set(panel).x, days / 10)
    linked = analysis_set(panel, exposure="linked")
    assert set(linked.x) == {0.0, 1.0}
    assert set(linked.trials) == {"help"}


def test_its_arguments_are_those_of_the_library(panel):
    found = analysis_set(panel[panel["trial"] == "help"], exposure="linked")
    stage = instruments.first_stage(**found.instrumented)
    apart = found.x.groupby(found.z).mean()
    assert stage.coefficients[0] == pytest.approx(apart[1.0] - apart[0.0], abs=0.03)
    assert set(found.repeated) == {"y", "x", "patients", "waves", "controls", "trials"}


def test_people_of_two_trials_stay_two(panel):
    found = analysis_set(panel)
    people = panel.loc[found.y.index].groupby(["trial", "patient"]).ngroups
    assert found.patients.nunique() == people


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": "asi_drugs"}, "panel has no column 'asi_drugs': choose among trial, "),
        ({"exposure": "meetings"}, "panel has no column 'meetings'"),
        ({"controls": ["ages"]}, "panel has no column 'ages'"),
        ({"interviews": "follow up"}, "interviews is 'follow up': give 'follow-up' or 'all'"),
    ],
)
def test_bad_input(panel, change, message):
    with pytest.raises(ValueError, match=message):
        analysis_set(panel, **change)


def test_no_row_left_says_where_they_went(panel):
    synthetic = panel[panel["trial"] != "help"]
    with pytest.raises(ValueError, match=r"no row left of .*linked missing: "):
        analysis_set(synthetic, exposure="linked")
