"""The synthetic twin of the six trials: patients, interviews, and the truth behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.pooling.twin.designs import Design
from pooledtrials.pooling.twin.frames import cast, interviews_of, trial_tables
from pooledtrials.pooling.twin.parameters import DEFAULTS, Parameters
from pooledtrials.pooling.twin.trials import DESIGNS
from pooledtrials.pooling.twin.truth import Truth, reveal
from pooledtrials.pooling.twin.worlds import Instrument, World, instrument_of, nearest, world_of


@dataclass(frozen=True)
class Twin:
    """A synthetic pool of the six trials; no row is a real patient.

    Attributes
    ----------
    patients : pandas.DataFrame
        One row per synthetic patient: ``trial``, ``patient`` (1, 2, ... within the trial, in order
        of randomization), ``site``, ``randomized`` (date), ``arm``, ``active`` (1 if the arm
        facilitates), ``age`` (years), ``female``, ``race``, ``primary_substance``, ``homeless``,
        ``prior_attendance`` (meeting days in the 30 before), ``recognition``, ``ambivalence``,
        ``taking_steps`` (SOCRATES-like points at baseline), ``died`` (by the last interview).
    interviews : pandas.DataFrame
        One row per synthetic patient and planned interview: ``trial``, ``patient``, ``wave``
        (planned month), ``day`` (since randomization), ``held``, ``reason`` (empty, "missed",
        "withdrew" or "died"), ``attendance`` (meeting days in the past 30), ``meetings`` (number
        of meetings in the past 30), and the answers `frames.ITEMS`. Missing where not held.
    truth : Truth
        What an analyst never has. No estimator may read it.
    """

    patients: pd.DataFrame
    interviews: pd.DataFrame
    truth: Truth


def simulate(
    world: World | str,
    instrument: Instrument | str,
    seed: int,
    *,
    copies: int = 1,
    parameters: Parameters = DEFAULTS,
    designs: Mapping[str, Design] = DESIGNS,
) -> Twin:
    """Generate a synthetic pool of the six trials with a known truth.

    Parameters
    ----------
    world : World or {"works", "selection"}
        What lowers severity: meetings, or the motivation that also brings people to meetings.
    instrument : Instrument or {"weak", "strong"}
        What facilitation does to attendance.
    seed : int
        Whole number, 0 or more. The same seed gives the same tables on every platform.
    copies : int
        How many times each trial is run: 1 gives the published 1730 patients, k gives k times as
        many, the first 1730 of which are those of 1 copy.
    parameters : Parameters
        Everything else.
    designs : mapping of str to Design
        The trials, by name: the six, or your own.

    Returns
    -------
    Twin

    Raises
    ------
    ValueError
        For an unknown name of a world or instrument (with the nearest), a seed below 0 or fewer
        than 1 copies.
    """
    chosen = range(_count("copies", copies, 1))
    return _simulate(world, instrument, seed, chosen, parameters, designs)


def simulate_blocks(
    world: World | str,
    instrument: Instrument | str,
    seed: int,
    *,
    copies: int,
    block: int = 10,
    parameters: Parameters = DEFAULTS,
    designs: Mapping[str, Design] = DESIGNS,
) -> Iterator[Twin]:
    """Generate what `simulate` does, some copies at a time, in bounded memory.

    Patients are numbered on from block to block; concatenated by trial, the blocks are the tables
    of ``simulate(..., copies=copies)`` whatever the size of a block.

    Parameters
    ----------
    world, instrument, seed, copies, parameters, designs
        As in `simulate`.
    block : int
        Copies in a block; 10 are 17 300 patients, generated in less than 300 MB.
    """
    copies, block = _count("copies", copies, 1), _count("block", block, 1)

    def blocks() -> Iterator[Twin]:
        for first in range(0, copies, block):
            chosen = range(first, min(first + block, copies))
            yield _simulate(world, instrument, seed, chosen, parameters, designs)

    return blocks()  # a function of its own, so that bad arguments are refused at the call


def _count(argument: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{argument} is {value!r}; give a whole number, {least} or more")
    return int(value)


def _simulate(
    world: World | str, instrument: Instrument | str, seed: int, copies: Sequence[int],
    parameters: Parameters, designs: Mapping[str, Design],
) -> Twin:  # fmt: skip
    seed = _count("seed", seed, 0)
    lever = instrument_of(instrument)
    for trial in lever.shift:
        # The six may be named although only some are run.
        nearest(trial, {**DESIGNS, **designs}, "shift: trial")
    nature = world_of(world, lever)
    tables = [
        trial_tables(cast(design, nature, lever, seed, copies, parameters), copies)
        for design in designs.values()
    ]
    patients, complete, persons = (
        pd.concat(part, ignore_index=True) for part in zip(*tables, strict=True)
    )
    interviews = interviews_of(complete)
    return Twin(patients, interviews, reveal(nature, lever, complete, persons))
