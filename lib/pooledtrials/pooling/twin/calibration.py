"""Calibration of the synthetic twin: worlds that fixed and random effects cannot tell apart.

The targets are HELP's own four coefficients per ten meeting days (drug and alcohol composite,
fixed and random effects, trial x wave effects, all interviews) and expected first-stage F
statistics. Unknown are, in each world and under each instrument, one effect of meetings or of
wave-to-wave motivation and one of persistent motivation, by area. `works` is solved under the weak
instrument and kept under the strong; `selection` is then solved to what `works` shows under each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.pooling.twin.dropout import HELD, outcome_of_interviews
from pooledtrials.pooling.twin.frames import cast, scores
from pooledtrials.pooling.twin.generator import Twin
from pooledtrials.pooling.twin.parameters import DEFAULTS
from pooledtrials.pooling.twin.regressions import Cells, first_stage, fixed_effects, random_effects
from pooledtrials.pooling.twin.trials import DESIGNS
from pooledtrials.pooling.twin.truth import AREAS
from pooledtrials.pooling.twin.worlds import INSTRUMENTS, Instrument, World

TARGETS: Final[Mapping[str, float]] = {
    "fe_drug": -0.0140, "fe_alcohol": -0.0234, "re_drug": -0.0122, "re_alcohol": -0.0184
}  # fmt: skip
"""HELP's coefficients: change of the composite per ten meeting days."""

RELATIVE: Final[Mapping[str, Mapping[str, float]]] = {
    "weak": {"stage12": 0.5, "ccts": 0.08, "referral": 1.0, "cra_tsf": 0.4, "disulfiram": 0.4},
    "strong": dict.fromkeys(DESIGNS, 1.0),
}
"""Shifts of latent attendance at the start, relative to the largest. Design choices: `weak` rests
on the one published contrast (referral: 61 % and 70 % went weekly) and on stage12's early gain;
group counselling with twelve-step content in all arms leaves ccts next to nothing; hivcm paid both
of its study groups, which says nothing of community meetings: 0. `strong` treats all alike."""

EXPECTED_F: Final[Mapping[str, float]] = {"weak": 3.5, "strong": 110.0}
"""Expected first-stage F of one copy of the pool."""

_STEPS: Final = 4

_Vector: TypeAlias = npt.NDArray[np.float64]


class Coefficients(NamedTuple):
    """What an analyst of a synthetic pool would find, per ten meeting days, and F."""

    fe_drug: float
    fe_alcohol: float
    re_drug: float
    re_alcohol: float
    f: float


def coefficients(twin: Twin) -> Coefficients:
    """Run the reference regressions on the interviews that a twin holds.

    Fixed and random effects use all interviews; the first stage (attendance on facilitation,
    clustered by person) uses follow-ups, since nobody is facilitated before randomization.
    """
    complete = twin.truth.complete
    active = twin.patients.set_index(["trial", "patient"])["active"]
    held = complete[complete["held"].to_numpy()]
    return _coefficients(held.join(active, on=["trial", "patient"]))


def _coefficients(held: pd.DataFrame) -> Coefficients:
    cells = Cells.of(held)
    days = held["attendance"].to_numpy(np.float64)
    found = [
        estimate(held[f"asi_{area}"].to_numpy(np.float64), days / 10, cells)
        for estimate in (fixed_effects, random_effects)
        for area in AREAS
    ]
    late = held[held["wave"].to_numpy() > 0]
    stage = first_stage(
        late["attendance"].to_numpy(np.float64),
        late["active"].to_numpy(np.float64),
        Cells.of(late),
    )
    return Coefficients(found[0], found[1], found[2], found[3], stage.f)


def large_sample(world: World, instrument: Instrument, copies: int, seed: int) -> Coefficients:
    """Return the coefficients of a large pool, without the tables that `simulate` would make.

    ``f`` is what to expect of one copy: 1 + (F - 1) / copies.
    """
    tables = []
    for design in DESIGNS.values():
        people = cast(design, world, instrument, seed, range(copies), DEFAULTS)
        active = people.active
        attendance = people.days(active)
        drug = people.severity(attendance)["drug"]
        status = outcome_of_interviews(design, people.draws, people.hidden, drug, DEFAULTS)
        held = (status == HELD).ravel()
        n, waves = attendance.shape
        score = scores(people.answers(attendance))
        columns = {
            "patient": np.repeat(np.arange(n), waves),
            "wave": np.tile(np.array(design.waves), n),
            "active": np.repeat(active, waves),
            "attendance": attendance.ravel(),
            **{f"asi_{area}": score[area] for area in AREAS},
        }
        table = pd.DataFrame({name: column[held] for name, column in columns.items()})
        table.insert(0, "trial", design.stream)
        tables.append(table)
    found = _coefficients(pd.concat(tables, ignore_index=True))
    return found._replace(f=1 + (found.f - 1) / copies)


def calibrate(copies: int, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Solve for instruments and worlds on a large synthetic pool.

    Parameters
    ----------
    copies, seed
        Size and seed of the pool; the same random numbers serve every step of a solution.

    Returns
    -------
    dict
        "instruments": the shift by trial of each. "worlds": by "world, instrument", the solved
        fields of `World`. "results": by the same names, the `Coefficients` they give.
    """
    levers = {name: _scaled(INSTRUMENTS[name], copies, seed) for name in EXPECTED_F}
    solved: dict[str, World] = {}
    works = _solve(World("works"), TARGETS, levers["weak"], copies, seed)
    for name, lever in levers.items():
        solved[f"works, {name}"] = works
        shown = large_sample(works, lever, copies, seed)._asdict()
        solved[f"selection, {name}"] = _solve(World("selection"), shown, lever, copies, seed)
    return {
        "instruments": {name: dict(lever.shift) for name, lever in levers.items()},
        "worlds": {
            name: {field: getattr(world, field) for field in _fields(world.name)}
            for name, world in solved.items()
        },
        "results": {
            name: {
                key: round(value, 6)
                for key, value in large_sample(
                    world, levers[name.split(", ")[1]], copies, seed
                )._asdict().items()
            }
            for name, world in solved.items()
        },
    }  # fmt: skip


def _scaled(instrument: Instrument, copies: int, seed: int) -> Instrument:
    """Multiply all shifts so that the expected F is `EXPECTED_F`: F - 1 goes as their square."""
    target, scale = EXPECTED_F[instrument.name], 0.5
    plain = World("plain")
    for _ in range(_STEPS):
        shift = {trial: round(scale * by, 3) for trial, by in RELATIVE[instrument.name].items()}
        tried = replace(instrument, shift=shift)
        f = large_sample(plain, tried, copies, seed).f
        scale *= sqrt((target - 1) / (f - 1))
    return tried


def _fields(world: str) -> list[str]:
    source = "meetings" if world == "works" else "changing"
    return [f"{what}_{area}" for what in (source, "persistent") for area in AREAS]


def _solve(
    start: World, targets: Mapping[str, float], lever: Instrument, copies: int,
    seed: int,
) -> World:  # fmt: skip
    """Find the two effects by area that give the target coefficients, by Newton's method."""
    fields = _fields(start.name)
    goal = np.array([targets[name] for name in TARGETS])

    def show(values: _Vector) -> _Vector:
        world = _with(start, fields, values)
        return np.array(large_sample(world, lever, copies, seed)[: len(goal)])

    values = np.full(len(fields), 0.15)
    found = show(values)
    slopes = np.empty((len(goal), len(fields)))
    for j in range(len(fields)):  # the responses are close to linear, so one set of slopes will do
        step = np.zeros(len(fields))
        step[j] = 0.05
        slopes[:, j] = (show(values + step) - found) / 0.05
    for _ in range(_STEPS):
        values = values - np.linalg.solve(slopes, found - goal)
        found = show(values)
    return _with(start, fields, np.round(values, 4))


def _with(world: World, fields: list[str], values: _Vector) -> World:
    effects: dict[str, Any] = dict(zip(fields, values.tolist(), strict=True))
    return replace(world, **effects)
