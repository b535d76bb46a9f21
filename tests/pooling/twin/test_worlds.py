"""Worlds and instruments: named, calibrated, one's own, and those that are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
import yaml

from pooledtrials.pooling import data_folder
from pooledtrials.pooling.twin import (
    DESIGNS,
    INSTRUMENTS,
    WORLDS,
    Instrument,
    Parameters,
    World,
    simulate,
    simulate_blocks,
)
from pooledtrials.pooling.twin.parameters import DEFAULTS, SOURCES
from pooledtrials.pooling.twin.worlds import CALIBRATED

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "world": (lambda: simulate("wroks", "weak", 1), r"world is 'wroks'.*nearest: 'works'"),
    "instrument": (lambda: simulate("works", "storng", 1), r"instrument is 'storng'.*nearest: 'strong'"),
    "trial": (lambda: simulate("works", Instrument("own", {"stage-12": 1}), 1), r"shift: trial is 'stage-12'.*nearest: 'stage12'"),
    "no copies": (lambda: simulate("works", "weak", 1, copies=0), "copies is 0; give a whole number, 1 or more"),
    "half a copy": (lambda: simulate("works", "weak", 1, copies=1.5), "copies is 1.5"),  # type: ignore[arg-type]
    "yes copies": (lambda: simulate("works", "weak", 1, copies=True), "copies is True"),
    "seed": (lambda: simulate("works", "weak", -1), "seed is -1"),
    "block": (lambda: simulate_blocks("works", "weak", 1, copies=2, block=0), "block is 0"),
    "harm": (lambda: World("own", meetings_drug=-0.1), "meetings_drug is -0.1; give a number from 0 to 2"),
    "huge": (lambda: World("own", changing_alcohol=3), "changing_alcohol is 3"),
    "not a number": (lambda: World("own", persistent_drug=float("nan")), "persistent_drug is nan"),
    "heterogeneity": (lambda: World("own", heterogeneity=0.6), "heterogeneity is 0.6; give a number from 0 to 0.55"),
    "defiers": (lambda: Instrument("own", {"ccts": -0.1}), "shift of ccts is -0.1"),
    "never fades": (lambda: Instrument("own", half_month=0.0), "half_month is 0.0"),
    "loadings": (lambda: Parameters(attendance_habit=0.9), r"squares of the attendance loadings .* sum to 1\.33"),
    "correlation": (lambda: Parameters(severity_month=1.2), "severity_month is 1.2; give a number from 0 to 1"),
    "direct": (lambda: Instrument("own", direct_drug=float("inf")), "direct_drug is inf"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_named(case: str) -> None:
    call, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_calibrated_numbers_are_those_of_the_script() -> None:
    solved = yaml.safe_load((data_folder() / "six" / "calibrated.yaml").read_text(encoding="utf-8"))
    assert {name: dict(i.shift) for name, i in INSTRUMENTS.items()} == solved["instruments"]
    assert {f"{w}, {i}" for w, i in CALIBRATED} == set(solved["worlds"])
    for (world, instrument), known in CALIBRATED.items():
        for field, value in solved["worlds"][f"{world}, {instrument}"].items():
            assert getattr(known, field) == value, field


def test_worlds_are_what_their_names_say() -> None:
    assert {world for world, _ in CALIBRATED} == set(WORLDS)
    for (name, _), world in CALIBRATED.items():
        meetings = (world.meetings_drug, world.meetings_alcohol)
        changing = (world.changing_drug, world.changing_alcohol)
        assert all(effect > 0 for effect in (meetings if name == "works" else changing))
        assert not any(changing if name == "works" else meetings)


def test_own_world_and_instrument() -> None:
    world = World("mine", meetings_drug=0.4, changing_drug=0.2)
    lever = Instrument("mine", {"hivcm": 1.0}, half_month=12.0)
    twin = simulate(world, lever, 5)
    assert twin.truth.world == world
    assert twin.truth.instrument == lever
    moved = twin.truth.complier_effect["moved"].xs("drug", level="area")
    assert (moved[~moved.index.get_level_values("trial").isin(["hivcm", "all"])] == 0).all()
    assert (moved["hivcm"] > 0.2).all()
    assert twin.truth.average_effect["alcohol"] == 0 > -0.01 > twin.truth.average_effect["drug"]


def test_own_designs() -> None:
    mine = replace(DESIGNS["referral"], name="mine", stream=20)
    twin = simulate("works", Instrument("own", {"mine": 2.0}), 5, designs={"mine": mine})
    assert twin.patients["trial"].eq("mine").sum() == len(twin.patients) == 345
    assert twin.truth.complier_effect.loc[("mine", 6, "drug"), "days"] > 3


def test_nothing_can_be_changed_by_accident() -> None:
    shift = {"ccts": 0.5}
    lever = Instrument("own", shift)
    shift["ccts"] = 1.0
    assert lever.shift["ccts"] == 0.5
    with pytest.raises(TypeError):
        lever.shift["ccts"] = 1.0  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        DEFAULTS.course_drug = 0.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        DEFAULTS.secondary_cut["D3"] = 0.0  # type: ignore[index]


def test_every_parameter_says_where_it_is_from() -> None:
    table = Parameters.table()
    assert list(table.index) == [f.name for f in fields(Parameters)]
    assert set(table["source"]) == set(SOURCES)
    assert table["unit"].str.len().min() > 0
    assert table["reason"].str.len().min() >= 15
    assert table["reason"].is_unique
    assert (table["source"] == "published").sum() == 2


def test_streams_are_not_shared() -> None:
    streams = [design.stream for design in DESIGNS.values()]
    assert len(set(streams)) == len(streams) == 6


@pytest.mark.parametrize("trial", DESIGNS)
def test_designs_are_possible(trial: str) -> None:
    design = DESIGNS[trial]
    assert design.name == trial
    assert sum(design.race.values()) == pytest.approx(1)
    assert sum(design.primary.values()) == pytest.approx(1)
    assert design.waves[0] == 0
    assert {arm.active for arm in design.arms} == {0, 1}
    assert set(design.source) == {"arms", "waves", "sites", "recruitment", "patients", "follow_up"}
