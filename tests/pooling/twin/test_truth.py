"""The truth of the synthetic twin is what asking the same people again would show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pooledtrials.pooling import asi
from pooledtrials.pooling.twin import DESIGNS, INSTRUMENTS, Instrument, Twin, World, simulate
from pooledtrials.pooling.twin.frames import cast
from pooledtrials.pooling.twin.parameters import DEFAULTS
from pooledtrials.pooling.twin.worlds import world_of

AREAS = ("drug", "alcohol")


def asked_again(trial: str, world: World, extra: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Attendance of everybody, and their composites had each gone ``extra`` days more."""
    people = cast(DESIGNS[trial], world, INSTRUMENTS["weak"], seed, range(1), DEFAULTS)
    days = people.days(people.active)
    items = people.answers((days + extra).astype(np.int16))
    table = pd.DataFrame({code: answers.ravel() for code, answers in items.items()})
    return days.ravel(), asi.composites(table, AREAS, missing="complete")


@pytest.mark.parametrize("trial", DESIGNS)
def test_effect_is_the_change_under_ten_more_days(trial: str, weak: Twin) -> None:
    world = world_of("works", INSTRUMENTS["weak"])
    truth = weak.truth.complete.query("trial == @trial").reset_index(drop=True)
    days, now = asked_again(trial, world, 0, 11)
    _, more = asked_again(trial, world, 10, 11)
    _, fewer = asked_again(trial, world, -10, 11)
    assert np.array_equal(days, truth["attendance"])
    room = truth["attendance"] <= 20
    assert room.any()
    assert not room.all()
    for area in AREAS:
        score = f"asi_{area}"
        expected = (more - now)[score].where(room, (now - fewer)[score])
        pd.testing.assert_series_equal(truth[f"effect_{area}"], expected, check_names=False)
        assert truth[score].equals(now[score])
        assert expected.mean() < -0.005


def test_facilitation_never_lowers_attendance(strong: Twin) -> None:
    c = strong.truth.complete
    assert (c["attendance_1"] >= c["attendance_0"]).all()
    assert (c.loc[c["wave"] == 0, "attendance_1"] == c.loc[c["wave"] == 0, "attendance_0"]).all()
    active = c.merge(strong.patients[["trial", "patient", "active"]])["active"].to_numpy()
    assert (c["attendance"] == np.where(active == 1, c["attendance_1"], c["attendance_0"])).all()


def test_selection_has_no_effect_at_all(strong: Twin) -> None:
    truth = strong.truth
    assert dict(truth.average_effect) == {"drug": 0.0, "alcohol": 0.0}
    assert (truth.complete[["effect_drug", "effect_alcohol"]] == 0).all(axis=None)
    assert (truth.complier_effect["effect"].dropna() == 0).all()
    assert truth.complier_effect["effect"].notna().any()
    assert truth.selection["share"].tolist() == [1.0, 1.0]


def test_works_is_cause_more_than_selection(many: Twin) -> None:
    truth = many.truth
    for area, effect in (("drug", -0.014), ("alcohol", -0.021)):
        assert truth.average_effect[area] == pytest.approx(effect, abs=0.003)
        assert abs(truth.selection.loc[area, "share"]) < 0.05
    parts = truth.selection["causal"] + truth.selection["selection"]
    pd.testing.assert_series_equal(parts, truth.selection["estimate"], check_names=False)
    follow_up = truth.complete[truth.complete["wave"] > 0]
    assert (follow_up[["effect_drug", "effect_alcohol"]] <= 0).all(axis=None)


def test_averages_are_over_people_and_follow_ups(weak: Twin) -> None:
    truth = weak.truth
    assert truth.average_effect["drug"] == truth.persons["effect_drug"].mean()
    one = truth.complete.query("trial == 'ccts' and patient == 3 and wave > 0")["effect_alcohol"]
    person = truth.persons.query("trial == 'ccts' and patient == 3")["effect_alcohol"]
    assert person.item() == pytest.approx(one.mean())
    assert len(truth.persons) == len(weak.patients)


def test_heterogeneity_is_between_people() -> None:
    same, different = (
        simulate(World("own", 0.3, 0.3, heterogeneity=h), "weak", 2).truth.persons
        for h in (0.0, 0.5)
    )
    assert same["multiplier"].eq(1).all()
    assert different["multiplier"].mean() == pytest.approx(1, abs=4 * 0.5 / 1730**0.5)
    assert different["multiplier"].std() == pytest.approx(0.5, rel=0.05)
    assert different["multiplier"].gt(0).all()


def test_complier_effect_is_what_a_large_trial_finds() -> None:
    """Wald's ratio of the randomized differences, with other people in the two arms.

    A pool of 40 copies: the standard error is computed from the two arms, and the bound is four.
    """
    lever = Instrument("own", {"stage12": 1.5, "referral": 1.5}, half_month=24.0)
    world = World("own", 0.5, 0.5, changing_drug=0.4, changing_alcohol=0.4)
    designs = {name: DESIGNS[name] for name in ("stage12", "referral")}
    twin = simulate(world, lever, 8, copies=40, designs=designs)
    complete = twin.truth.complete.merge(twin.patients[["trial", "patient", "active"]])
    for trial, wave in (("stage12", 3), ("referral", 12)):
        rows = complete.query("trial == @trial and wave == @wave")
        for area in AREAS:
            truth = twin.truth.complier_effect.loc[(trial, wave, area)]
            first = rows.groupby("active")["attendance"].mean().diff().iloc[-1]
            assert first == pytest.approx(truth["days"], rel=0.1)
            rest = rows[f"asi_{area}"] - truth["effect"] / 10 * rows["attendance"]
            arms = rest.groupby(rows["active"])
            error = (arms.var() / arms.size()).sum() ** 0.5
            # At the true effect the arms do not differ: that is what makes it the instrument's.
            assert abs(arms.mean().diff().iloc[-1]) < 4 * error
            assert (
                abs(rows[f"asi_{area}"].groupby(rows["active"]).mean().diff().iloc[-1]) > 4 * error
            )


def test_direct_effect_breaks_the_exclusion_and_only_that() -> None:
    plain, direct = (
        simulate("works", Instrument("own", {"stage12": 0.5}, direct_drug=d), 3) for d in (0.0, 0.5)
    )
    active = plain.patients.set_index(["trial", "patient"])["active"]
    before, after = (
        t.truth.complete.join(active, on=["trial", "patient"]) for t in (plain, direct)
    )
    changed = before["asi_drug"] != after["asi_drug"]
    assert changed.any()
    assert (before.loc[changed, "active"] == 1).all()
    assert (before.loc[changed, "wave"] > 0).all()
    assert (after["asi_drug"] <= before["asi_drug"]).all()
    for column in ("attendance", "asi_alcohol", "M6", "P4"):
        assert before[column].equals(after[column])


def test_those_who_leave_are_less_motivated_and_got_worse(many: Twin) -> None:
    c = many.truth.complete.merge(many.truth.persons[["trial", "patient", "persistent"]])
    start = c[c["wave"] == 0].set_index(["trial", "patient"])["asi_drug"].rename("start")
    late = c[c["wave"] > 0].join(start, on=["trial", "patient"])
    late["worse"] = late["asi_drug"] - late["start"]
    means = late.groupby("held")[["persistent", "changing", "worse"]].mean()
    assert means.loc[False, "persistent"] < means.loc[True, "persistent"] - 0.05
    assert means.loc[False, "changing"] < means.loc[True, "changing"] - 0.05
    assert means.loc[False, "worse"] > means.loc[True, "worse"] + 0.005


def test_no_observed_table_tells_the_truth(weak: Twin) -> None:
    shown = set(weak.patients) | set(weak.interviews)
    hidden = {"persistent", "changing", "multiplier", "attendance_0", "attendance_1", "effect_drug"}
    assert not shown & hidden
    assert hidden <= set(weak.truth.complete) | set(weak.truth.persons)
