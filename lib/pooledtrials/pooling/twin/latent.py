"""Random numbers and latent processes of the synthetic twin: motivation, severity, attendance.

Determinism. Every draw is a uniform or a standard normal of numpy's PCG64 seeded by
``SeedSequence(seed, spawn_key=(trial, copy))``: a trial's numbers depend on no other trial and a
copy's on no other copy. From there on only elementwise ``+ - * /``, square roots, comparisons and
rounding are used, which IEEE 754 fixes to the last bit on every platform; no logarithm, no power,
no sum over a row, no matrix product. What is written is whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pooledtrials.pooling.twin.designs import Design
from pooledtrials.pooling.twin.parameters import Parameters
from pooledtrials.pooling.twin.worlds import Instrument, World

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int16]

DRUGS: Final = ("D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11")
SYMPTOMS: Final = ("P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11")

# The order of these names is the order of the random numbers: append, never insert.
_PATIENT_NORMALS: Final = (
    "persistent", "habit", "severity_drug", "severity_alcohol", "medical", "psychiatric", "drunk",
    "price", "recognition", "ambivalence", "taking_steps", "age", *(f"taste_{d}" for d in DRUGS),
)  # fmt: skip
_PATIENT_UNIFORMS: Final = (
    "allocation", "site", "date", "female", "race", "primary", "homeless", "effect", "second",
)  # fmt: skip
_WAVE_NORMALS: Final = (
    "changing", "attendance", "drug", "alcohol", "days", "bother_drug", "bother_alcohol", "delay",
    "medical", "psychiatric", "drunk", "D1", "D13", "D26", "D27", "D28", "D29", "D30", "D31", "M6",
    "M7", "M8", *SYMPTOMS, "P12", "P13", "P14", *(f"days_{d}" for d in DRUGS),
)  # fmt: skip
_WAVE_UNIFORMS: Final = ("second", "missed", "withdrew", "died")


@dataclass(frozen=True)
class Draws:
    """Raw random numbers of one trial: (patients,) or (patients, waves) arrays by name."""

    patient: Mapping[str, Floats]
    wave: Mapping[str, Floats]


def draw(design: Design, seed: int, copies: Sequence[int]) -> Draws:
    """Draw all random numbers of some copies of one trial."""
    blocks = [_draw_copy(design, seed, copy) for copy in copies]
    if len(blocks) == 1:
        return blocks[0]
    patient = {k: np.concatenate([b.patient[k] for b in blocks]) for k in blocks[0].patient}
    wave = {k: np.concatenate([b.wave[k] for b in blocks]) for k in blocks[0].wave}
    return Draws(patient, wave)


def _draw_copy(design: Design, seed: int, copy: int) -> Draws:
    sequence = np.random.SeedSequence(seed, spawn_key=(design.stream, copy))
    rng = np.random.Generator(np.random.PCG64(sequence))
    n, waves = design.patients, len(design.waves)
    patient = rng.standard_normal((len(_PATIENT_NORMALS), n))
    chance = rng.random((len(_PATIENT_UNIFORMS), n))
    wave = rng.standard_normal((len(_WAVE_NORMALS), n, waves))
    chances = rng.random((len(_WAVE_UNIFORMS), n, waves))
    uniforms = [f"u_{name}" for name in _PATIENT_UNIFORMS]
    later = [f"u_{name}" for name in _WAVE_UNIFORMS]
    return Draws(
        dict(zip((*_PATIENT_NORMALS, *uniforms), (*patient, *chance), strict=True)),
        dict(zip((*_WAVE_NORMALS, *later), (*wave, *chances), strict=True)),
    )


def autocorrelated(innovations: Floats, waves: Sequence[int], month: float) -> Floats:
    """Return standard normals whose correlation over m months is ``month`` to the m."""
    process = np.empty_like(innovations)
    process[:, 0] = innovations[:, 0]
    for k in range(1, len(waves)):
        correlation = 1.0
        for _ in range(waves[k] - waves[k - 1]):  # whole months: no power function needed
            correlation *= month
        fresh = sqrt(1 - correlation * correlation)
        process[:, k] = correlation * process[:, k - 1] + fresh * innovations[:, k]
    return process


@dataclass(frozen=True)
class Latent:
    """What no analyst sees: (patients,) and (patients, waves) arrays, standardised."""

    persistent: Floats
    changing: Floats
    attendance: Floats  # latent attendance without facilitation
    drug: Floats  # latent severity without meetings and direct effects of facilitation
    alcohol: Floats
    multiplier: Floats  # a person's effect of meetings over the mean effect


def latent(
    design: Design, draws: Draws, arm: npt.NDArray[np.intp], primary_alcohol: npt.NDArray[np.bool_],
    world: World, p: Parameters,
) -> Latent:  # fmt: skip
    """Build motivation, latent attendance and latent severity of one trial."""
    d, w = draws.patient, draws.wave
    months = np.array(design.waves, dtype=np.float64)
    after = (months > 0).astype(np.float64)
    persistent = d["persistent"]
    changing = autocorrelated(w["changing"], design.waves, p.motivation_month)
    severity = {"drug": d["severity_drug"], "alcohol": d["severity_alcohol"]}
    moving = {
        "drug": autocorrelated(w["drug"], design.waves, p.severity_month),
        "alcohol": autocorrelated(
            p.severity_together * w["drug"] + sqrt(1 - p.severity_together**2) * w["alcohol"],
            design.waves, p.severity_month,
        ),
    }  # fmt: skip
    stable = (
        p.attendance_persistent * persistent
        + p.attendance_drug * severity["drug"]
        + p.attendance_alcohol * severity["alcohol"]
        + p.attendance_habit * d["habit"]
    )
    rest = sqrt(
        1
        - p.attendance_persistent**2
        - p.attendance_drug**2
        - p.attendance_alcohol**2
        - p.attendance_habit**2
        - p.attendance_changing**2
    )
    rise = design.rise * after * (p.attendance_rise - p.attendance_decline * months)
    level = p.attendance_baseline + design.attendance + rise
    attendance = level + stable[:, None] + p.attendance_changing * changing
    attendance = attendance + rest * w["attendance"]
    built = {}
    for area in ("drug", "alcohol"):
        sign = 1.0 if area == "alcohol" else -1.0
        start = getattr(design, f"severity_{area}")
        # Motivation takes its part of the variance and adds none: worlds have the same spread.
        kept, turned = getattr(world, f"persistent_{area}"), getattr(world, f"changing_{area}")
        stay = sqrt(max(p.severity_persistent - kept * kept, 0.0))
        move = sqrt(max(1 - p.severity_persistent - turned * turned, 0.0))
        other = np.array([getattr(a, area) for a in design.arms])[arm]
        between = start + stay * severity[area] + sign * p.alcohol_primary * primary_alcohol
        between = between - kept * persistent
        built[area] = (
            between[:, None]
            - course(design, area, p)
            + other[:, None] * after
            + move * moving[area]
            - turned * changing
        )
    multiplier = 1 + world.heterogeneity * (2 * d["u_effect"] - 1) * sqrt(3.0)
    return Latent(persistent, changing, attendance, built["drug"], built["alcohol"], multiplier)


def course(design: Design, area: str, p: Parameters) -> Floats:
    """Return by how much mean latent severity has fallen at each planned interview."""
    months = np.array(design.waves, dtype=np.float64)
    fall: Floats = design.course * getattr(p, f"course_{area}") * months / (months + p.course_half)
    return fall


def attendance_days(
    hidden: Latent, active: Floats, design: Design, instrument: Instrument, p: Parameters
) -> Ints:
    """Return meeting days in the past 30 when ``active`` says who is facilitated, 0 to 30."""
    months = np.array(design.waves, dtype=np.float64)
    fade = np.where(months > 0, instrument.half_month / (instrument.half_month + months), 0.0)
    shift = instrument.shift.get(design.name, 0.0)
    above = np.maximum(hidden.attendance + shift * active[:, None] * fade, 0.0)
    return whole(p.attendance_curve * above * above, 0, 30)


def whole(value: npt.NDArray[Any], low: int, high: int) -> Ints:
    """Round to the nearest whole number inside a range."""
    inside: Ints = np.clip(np.floor(value + 0.5), low, high).astype(np.int16)
    return inside
