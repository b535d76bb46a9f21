"""A synthetic registry of any size, from the twin of the six trials: one row a patient and month.

No row is a real patient, and the files say so in their names and in their metadata.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from pooledtrials.arguments import whole
from pooledtrials.pooling.twin.designs import Design
from pooledtrials.pooling.twin.dropout import HELD, outcome_of_interviews
from pooledtrials.pooling.twin.frames import cast, scores
from pooledtrials.pooling.twin.parameters import DEFAULTS
from pooledtrials.pooling.twin.trials import DESIGNS
from pooledtrials.pooling.twin.worlds import Instrument, World, instrument_of, world_of

POOL: Final = sum(design.patients for design in DESIGNS.values())
"""Patients in one copy of the six trials."""

_ROWS = 250_000  # planned in a file, which bounds memory


def registry_designs(months: int) -> Mapping[str, Design]:
    """The six designs with an interview in every month from 0 to ``months``.

    Raises
    ------
    ValueError
        If there are fewer than 2 months or more than 60.
    """
    months = whole(months, "months", 2)
    if months > 60:
        raise ValueError(f"months is {months}: give at most 60, of which the twin knows nothing")
    waves = tuple(range(months + 1))
    return {name: replace(design, waves=waves) for name, design in DESIGNS.items()}


def registry_from_twin(
    folder: str | Path,
    patients: int,
    months: int,
    seed: int,
    *,
    world: World | str = "selection",
    instrument: Instrument | str = "weak",
) -> Path:
    """Write a synthetic registry as a folder of Parquet files, sorted by patient.

    The people are those of `pooling.twin.simulate` with `registry_designs`. Memory is bounded
    whatever the number of patients, and the folder appears when all of it is written, or not at
    all.

    Parameters
    ----------
    folder
        Where to, not there yet or empty.
    patients
        How many, rounded up to whole copies of the six trials (`POOL` each). With the same seed a
        larger registry begins with the patients of a smaller one.
    months
        Last month, from 2 to 60; month 0 is the interview before randomization.
    seed
        Whole number, 0 or more.
    world, instrument
        As in `pooling.twin.simulate`.

    Returns
    -------
    Path
        The folder. Columns are ``patient`` (0, 1, ...), ``trial``, ``month``, ``facilitated`` (1
        in an arm that facilitates meetings), ``ten_days`` (meeting days in the past 30, in tens),
        ``asi_drug`` and ``asi_drug_baseline`` (ASI drug composite, 0 to 1, of the month and of
        month 0). Months that the patient missed have no row.

    Raises
    ------
    ValueError
        For numbers out of range, or an unknown world or instrument.
    FileExistsError
        If there is something in the folder.
    OSError
        If it cannot be written, as on a full disk; what was written is removed.
    """
    copies = ceil(whole(patients, "patients", 1) / POOL)
    seed = whole(seed, "seed", 0)
    designs = registry_designs(months)
    lever = instrument_of(instrument)
    nature = world_of(world, lever)
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(
            f"folder is {str(folder)!r}, where there is something already: choose another, or"
            " remove it first"
        )
    said = (
        "every patient is invented: pooledtrials.pooling.twin, world"
        f" {nature.name!r}, instrument {lever.name!r}, seed {seed}"
    )
    unfinished = target.with_name(f"{target.name}.unfinished")
    block = max(1, _ROWS // (POOL * (months + 1)))
    try:
        unfinished.mkdir(parents=True)
        for number, first in enumerate(range(0, copies, block)):
            chosen = range(first, min(first + block, copies))
            rows = _rows(designs, nature, lever, seed, chosen)
            rows.write_parquet(
                unfinished / f"synthetic-{number:05d}.parquet", metadata={"synthetic": said}
            )
        if target.exists():
            target.rmdir()
        unfinished.rename(target)
    except (OSError, pl.exceptions.PolarsError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise OSError(
            f"folder {str(folder)!r} could not be written ({error}): what there was of it has been"
            " removed; make room, or choose another place"
        ) from error
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target


def _rows(
    designs: Mapping[str, Design], world: World, instrument: Instrument, seed: int, copies: range
) -> pl.DataFrame:
    """All interviews held in some copies, by patient: copy after copy, in it trial after trial."""
    tables, before = [], 0
    for design in designs.values():
        people = cast(design, world, instrument, seed, copies, DEFAULTS)
        days = people.days(people.active)
        severity = people.severity(days)["drug"]
        held = (
            outcome_of_interviews(design, people.draws, people.hidden, severity, DEFAULTS) == HELD
        ).ravel()
        score = scores(people.answers(days))["drug"]
        n, waves = days.shape
        copy, place = np.divmod(np.arange(n), design.patients)
        columns = {
            "patient": np.repeat((copies.start + copy) * POOL + before + place, waves),
            "trial": np.repeat(design.name, n * waves),
            "month": np.tile(np.array(design.waves, dtype=np.int16), n),
            "facilitated": np.repeat(people.active.astype(np.int8), waves),
            "ten_days": days.ravel() / 10,
            "asi_drug": score,
            "asi_drug_baseline": np.repeat(score[::waves], waves),
        }
        tables.append(pl.DataFrame(columns).filter(pl.Series(held)))
        before += design.patients
    return pl.concat(tables).sort("patient", "month")
