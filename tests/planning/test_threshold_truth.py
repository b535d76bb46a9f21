"""The twin's truth about a threshold of attendance, and bounds marked against it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pooledtrials.planning.studies.threshold_truth import ThresholdTruth, threshold_truth
from pooledtrials.pooling import twin
from pooledtrials.selection import effect_bounds

UNIT = {"outcome_range": (0.0, 1.0)}
COPIES = 20  # 34 600 people: directions of selection are clear of chance


@pytest.fixture(scope="module")
def large() -> dict[str, ThresholdTruth]:
    return {
        world: threshold_truth(world, "weak", 2020, "alcohol", copies=COPIES)
        for world in twin.WORLDS
    }


@pytest.fixture(scope="module")
def small() -> ThresholdTruth:
    return threshold_truth("works", "strong", 5)


# ---- identities


def test_what_was_seen_is_one_of_the_two_scores(small):
    rows = small.rows
    assert_allclose(rows["y"], np.where(rows["x"] == 1, rows["above"], rows["below"]))
    assert small.effect == pytest.approx((rows["above"] - rows["below"]).mean())


def test_rows_are_the_follow_ups_held_and_their_first_scores(small):
    pool = twin.simulate("works", "strong", 5)
    complete = pool.truth.complete
    held = complete[complete["held"] & (complete["wave"] > 0)].reset_index(drop=True)
    rows = small.rows
    assert_allclose(rows["y"], held["asi_drug"])
    assert_allclose(rows["x"], held["attendance"] >= 4)
    arm = held.merge(pool.patients[["trial", "patient", "active"]], on=["trial", "patient"])
    assert_allclose(rows["z"], arm["active"])
    first = complete[complete["wave"] == 0][["trial", "patient", "asi_drug"]]
    start = held[["trial", "patient"]].merge(first, on=["trial", "patient"])
    assert_allclose(rows["first"], start["asi_drug"])
    sides = held["attendance"].groupby(held["attendance"] >= 4).mean().round()
    assert [small.days_below, small.days_above] == sides.tolist()


def test_the_observed_difference_is_effect_plus_selection(small):
    """E[y | x=1] - E[y | x=0], split at either potential score."""
    rows, gaps = small.rows, small.gaps()
    exposed = rows["x"] == 1
    change = rows["above"] - rows["below"]
    assert gaps.loc["x", "y"] == pytest.approx(change[exposed].mean() + gaps.loc["x", "below"])
    assert gaps.loc["x", "y"] == pytest.approx(change[~exposed].mean() + gaps.loc["x", "above"])


# ---- what each world is


def test_meetings_harm_nobody_in_either_world(large):
    assert [found.harmed for found in large.values()] == [0, 0]
    assert large["selection"].effect == 0
    assert large["works"].effect < -0.02


def test_who_goes_differs_between_worlds_and_what_an_analyst_sees_does_not(large):
    works, selection = (large[world].gaps() for world in ("works", "selection"))
    assert (works.loc["x", ["below", "above"]] > 0.01).all()
    assert (selection.loc["x", ["below", "above"]] < -0.005).all()
    for gaps in (works, selection):
        assert gaps.loc["x", "y"] < 0
        assert gaps.loc["x", "first"] > 0.01
        assert gaps.loc["z", ["below", "above"]].abs().max() < 0.003


def test_true_assumptions_hold_the_truth_and_false_ones_do_not(large):
    for world, true in (("works", "positive"), ("selection", "negative")):
        found = large[world]
        ways = {
            way: effect_bounds(**found.observed, selection=way, **UNIT)
            for way in ("positive", "negative")
        }
        ways["none"] = effect_bounds(**found.observed, **UNIT)
        ways["response"] = effect_bounds(**found.observed, response="decreasing", **UNIT)
        marks = found.grade(ways)
        false = {"positive": "negative", "negative": "positive"}[true]
        assert marks["holds"].to_dict() == {
            true: True,
            false: False,
            "none": True,
            "response": True,
        }
        assert (marks["truth"] == found.effect).all()


# ---- bad input


def test_bad_input():
    with pytest.raises(ValueError, match="area is 'drugs'"):
        threshold_truth("works", "weak", 1, "drugs")
    for threshold in (0, 31):
        with pytest.raises(ValueError, match=f"threshold is {threshold} but attendance runs"):
            threshold_truth("works", "weak", 1, threshold=threshold)
