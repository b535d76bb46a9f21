"""One trial of the synthetic twin, from random numbers to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.pooling import asi
from pooledtrials.pooling.harmonise import DAYS_PER_MONTH
from pooledtrials.pooling.twin.designs import Design
from pooledtrials.pooling.twin.dropout import DIED, HELD, REASONS, outcome_of_interviews
from pooledtrials.pooling.twin.items import other_items, severity, substance_items
from pooledtrials.pooling.twin.latent import (
    Draws,
    Floats,
    Ints,
    Latent,
    attendance_days,
    draw,
    latent,
    whole,
)
from pooledtrials.pooling.twin.parameters import Parameters
from pooledtrials.pooling.twin.truth import AREAS, room_for_ten
from pooledtrials.pooling.twin.worlds import Instrument, World

ITEMS: Final = (
    *("D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D13", "D23", "D26"),
    *("D27", "D28", "D29", "D30", "D31", "M6", "M7", "M8"),
    *(f"P{i}" for i in range(4, 15)),
)
"""The ASI items of the twin: those of its alcohol, drug, medical and psychiatric composites."""

MEASURES: Final = ("day", "attendance", "meetings", *ITEMS)
"""Columns of ``interviews`` that are missing when an interview was not held."""

_RANGES: Final = {"recognition": (7, 35), "ambivalence": (4, 20), "taking_steps": (8, 40)}


@dataclass(frozen=True)
class Cast:
    """The people of one trial: who they are before anything happens to them."""

    design: Design
    draws: Draws
    hidden: Latent
    arm: npt.NDArray[np.intp]
    primary: npt.NDArray[np.str_]
    world: World
    instrument: Instrument
    parameters: Parameters

    @property
    def active(self) -> Floats:
        """1 for who is in an arm that facilitates meetings, else 0."""
        return np.array([a.active for a in self.design.arms], dtype=np.float64)[self.arm]

    def days(self, active: Floats) -> Ints:
        """Meeting days at each interview if ``active`` were facilitated."""
        return attendance_days(self.hidden, active, self.design, self.instrument, self.parameters)

    def severity(self, attendance: Ints) -> dict[str, Floats]:
        """Latent severity after ``attendance`` meeting days."""
        return severity(
            self.hidden, attendance, self.active, self.design, self.world, self.instrument,
            self.parameters,
        )  # fmt: skip

    def answers(self, attendance: Ints) -> dict[str, Ints]:
        """Answers about drugs and alcohol after ``attendance`` meeting days."""
        severe = self.severity(attendance)
        return substance_items(severe, self.draws, self.primary, self.design, self.parameters)


def cast(
    design: Design, world: World, instrument: Instrument, seed: int, copies: Sequence[int],
    parameters: Parameters,
) -> Cast:  # fmt: skip
    """Draw the people of some copies of one trial."""
    draws = draw(design, seed, copies)
    arm = _allocate(design, draws.patient["u_allocation"])
    primary = _category(draws.patient["u_primary"], design.primary)
    hidden = latent(design, draws, arm, primary == "alcohol", world, parameters)
    return Cast(design, draws, hidden, arm, primary, world, instrument, parameters)


def _allocate(design: Design, chance: Floats) -> npt.NDArray[np.intp]:
    """Allocate each copy's patients at random, in exactly the numbers of the design."""
    sizes = [a.patients for a in design.arms]
    slots = np.repeat(np.arange(len(sizes)), sizes)
    rank = chance.reshape(-1, design.patients).argsort(axis=1, kind="stable")
    arm = np.empty(rank.shape, dtype=np.intp)
    np.put_along_axis(arm, rank, slots[None, :], axis=1)
    return arm.ravel()


def _category(chance: Floats, shares: Mapping[str, float]) -> npt.NDArray[np.str_]:
    names = np.array(list(shares))
    bounds: list[float] = []
    total = 0.0
    for share in shares.values():
        total += share
        bounds.append(total)
    return names[np.minimum(np.searchsorted(bounds, chance, side="right"), len(names) - 1)]


def trial_tables(
    people: Cast, copies: Sequence[int]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return one trial's patients, complete interviews with potential outcomes, and persons."""
    design, draws, hidden = people.design, people.draws, people.hidden
    n, waves = hidden.attendance.shape
    everyone = np.ones(n)
    without, facilitated = people.days(0 * everyone), people.days(everyone)
    attendance = np.where(people.active[:, None] == 1, facilitated, without)
    status = outcome_of_interviews(
        design, draws, hidden, people.severity(attendance)["drug"], people.parameters
    )
    second = 2 * people.parameters.second_meeting * draws.patient["u_second"][:, None]
    items = people.answers(attendance)
    asked = {
        "day": _interview_days(design, draws, people.parameters),
        "attendance": attendance,
        "meetings": attendance + whole(attendance * second * draws.wave["u_second"] * 2, 0, 60),
        **items,
        **other_items(draws, design, people.parameters),
    }
    number = np.concatenate(
        [copy * design.patients + np.arange(1, design.patients + 1) for copy in copies]
    )
    complete = {
        "patient": np.repeat(number, waves),
        "wave": np.tile(np.array(design.waves, dtype=np.int64), n),
        "held": (status == HELD).ravel(),
        "status": status.ravel(),
        **{name: asked[name].ravel() for name in MEASURES},
        "changing": hidden.changing.ravel(),
        "attendance_0": without.ravel(),
        "attendance_1": facilitated.ravel(),
        **_potential(people, attendance, items, without, facilitated),
    }
    persons = {
        "patient": number,
        "persistent": hidden.persistent,
        "multiplier": hidden.multiplier,
    }
    patients = _patients(people, number, attendance[:, 0], status)
    return patients, _named(design, complete), _named(design, persons)


def _potential(
    people: Cast, attendance: Ints, items: Mapping[str, Ints], without: Ints, facilitated: Ints
) -> dict[str, Floats]:
    """Score the same people at other numbers of meeting days."""
    lower, upper = room_for_ten(attendance)
    actual = scores(items)
    states = {
        "0": scores(people.answers(without)),
        "1": scores(people.answers(facilitated)),
        "at_ten": scores(people.answers(np.full_like(attendance, 10))),
        "lower": scores(people.answers(lower)),
        "upper": scores(people.answers(upper)),
    }
    found = {}
    for area in AREAS:
        found[f"asi_{area}"] = actual[area]
        found[f"effect_{area}"] = states["upper"][area] - states["lower"][area]
        for state in ("0", "1", "at_ten"):
            found[f"asi_{area}_{state}"] = states[state][area]
    return found


def scores(items: Mapping[str, Ints]) -> dict[str, Floats]:
    """Return the drug and alcohol composites of flat answers."""
    table = pd.DataFrame({code: answers.ravel() for code, answers in items.items()})
    scored = asi.composites(table, AREAS, missing="complete")
    return {area: scored[f"asi_{area}"].to_numpy() for area in AREAS}


def _interview_days(design: Design, draws: Draws, p: Parameters) -> Ints:
    """Days since randomization: late rather than early, never past the middle to the next wave."""
    planned = np.array([round(wave * DAYS_PER_MONTH) for wave in design.waves])
    # No gap counts for more than two months: a late yearly interview is late by weeks.
    gap = min(60, *np.diff(planned).tolist())
    share = np.clip(p.delay[0] + p.delay[1] * draws.wave["delay"], -0.25, 0.4)
    return whole(planned + (planned > 0) * gap * share, 0, 32000)


def _patients(
    people: Cast, number: npt.NDArray[np.int64], prior: Ints, status: npt.NDArray[np.int8]
) -> pd.DataFrame:
    design, hidden, d = people.design, people.hidden, people.draws.patient
    first, last = (np.datetime64(day, "D") for day in design.recruitment)
    span = int((last - first).astype(int)) + 1
    # In order of randomization: the dates of a copy are sorted, nothing else is.
    dates = np.sort(np.floor(d["u_date"].reshape(-1, design.patients) * span), axis=1).ravel()
    names = np.array([arm.name for arm in design.arms])
    mean, spread = design.age
    columns: dict[str, object] = {
        "patient": number,
        "site": 1 + np.floor(d["u_site"] * design.sites).astype(np.int64),
        "randomized": (first + dates.astype("timedelta64[D]")).astype("datetime64[s]"),
        "arm": names[people.arm],
        "active": people.active.astype(np.int64),
        "age": whole(mean + spread * d["age"], 18, 70).astype(np.int64),
        "female": (d["u_female"] < design.female).astype(np.int64),
        "race": _category(d["u_race"], design.race),
        "primary_substance": people.primary,
        "homeless": (d["u_homeless"] < design.homeless).astype(np.int64),
        "prior_attendance": prior.astype(np.int64),
    }
    motivation = 0.8 * hidden.persistent + 0.6 * hidden.changing[:, 0]
    for scale, (level, sd, loading) in people.parameters.readiness.items():
        score = loading * motivation + sqrt(1 - loading * loading) * d[scale]
        columns[scale] = whole(level + sd * score, *_RANGES[scale]).astype(np.int64)
    columns["died"] = (status == DIED).any(axis=1).astype(np.int64)
    return _named(design, columns)


def _named(design: Design, columns: Mapping[str, object]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    table.insert(0, "trial", design.name)
    return table


def interviews_of(complete: pd.DataFrame) -> pd.DataFrame:
    """Return what was observed: answers only where an interview was held."""
    lost = ~complete["held"].to_numpy()
    columns = {name: complete[name] for name in ("trial", "patient", "wave")}
    for name in MEASURES:
        columns[name] = pd.Series(pd.arrays.IntegerArray(complete[name].to_numpy().copy(), lost))
    table = pd.DataFrame(columns)
    table.insert(4, "held", ~lost)
    reasons = pd.Categorical.from_codes(complete["status"].to_numpy(), list(REASONS))
    table.insert(5, "reason", reasons.astype("str"))
    return table
