"""What an analyst never has: the synthetic twin's potential outcomes and their effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.pooling.twin.regressions import Cells, fixed_effects
from pooledtrials.pooling.twin.worlds import Instrument, World

AREAS = ("drug", "alcohol")


@dataclass(frozen=True)
class Truth:
    """The truth behind a synthetic pool. Only grading may read it.

    Effects are changes of an ASI composite (0 to 1) per ten more meeting days in the past 30:
    negative is better.

    Attributes
    ----------
    world : World
        What lowered severity.
    instrument : Instrument
        What facilitation did to attendance.
    complete : pandas.DataFrame
        The interviews as they would have been had all been held: the columns of
        `Twin.interviews`, whole, with ``asi_drug`` and ``asi_alcohol``; ``changing`` (wave-to-wave
        motivation); ``attendance_0`` and ``attendance_1``, days without and with facilitation;
        ``effect_drug`` and ``effect_alcohol``, what ten more meeting days would change (ten days
        up where there is room in the 30, else the last ten).
    persons : pandas.DataFrame
        By patient: ``persistent`` (motivation), ``multiplier`` (the person's effect on latent
        severity over the mean), and both effects averaged over planned follow-ups.
    average_effect : mapping of str to float
        For "drug" and "alcohol", the mean over persons: the average treatment effect.
    complier_effect : pandas.DataFrame
        By trial, wave and area (and trial "all" or wave -1, all follow-ups, for sums of these):
        ``days``, how much facilitation raises mean attendance; ``moved``, the share of people whom
        it moves at all; ``effect``, the average causal response that randomization identifies,
        E[Y(a1) - Y(a0)] / E[a1 - a0] x 10 for integer days a1 >= a0; missing where nobody is moved.
    selection : pandas.DataFrame
        By area, the fixed-effects coefficient of the interviews held, per ten days, split exactly:
        ``estimate`` = ``causal`` + ``selection``, where the latter is the coefficient of the
        composite that the same interviews would have shown at ten days each; ``share`` is
        ``selection`` / ``estimate``.
    """

    world: World
    instrument: Instrument
    complete: pd.DataFrame
    persons: pd.DataFrame
    average_effect: Mapping[str, float]
    complier_effect: pd.DataFrame
    selection: pd.DataFrame


def reveal(
    world: World, instrument: Instrument, complete: pd.DataFrame, persons: pd.DataFrame
) -> Truth:
    """Work out every effect from the potential outcomes in ``complete``.

    ``complete`` also carries ``asi_<area>_0`` and ``_1`` (scores without and with facilitation)
    and ``asi_<area>_at_ten`` (at ten meeting days), which are used here and dropped.
    """
    follow_up = complete[complete["wave"] > 0]
    effects = [f"effect_{area}" for area in AREAS]
    means = follow_up.groupby(["trial", "patient"], sort=False)[effects].mean()
    persons = persons.join(means, on=["trial", "patient"])
    scaffold = [f"asi_{area}_{state}" for area in AREAS for state in ("0", "1", "at_ten")]
    return Truth(
        world=world,
        instrument=instrument,
        complete=complete.drop(columns=scaffold),
        persons=persons,
        average_effect={area: float(persons[f"effect_{area}"].mean()) for area in AREAS},
        complier_effect=_compliers(follow_up),
        selection=_selection(complete),
    )


def _compliers(follow_up: pd.DataFrame) -> pd.DataFrame:
    days = follow_up["attendance_1"].to_numpy(np.float64) - follow_up["attendance_0"].to_numpy()
    tables = []
    for area in AREAS:
        change = (follow_up[f"asi_{area}_1"] - follow_up[f"asi_{area}_0"]).to_numpy()
        rows = pd.DataFrame(
            {
                "trial": follow_up["trial"].to_numpy(),
                "wave": follow_up["wave"].to_numpy(),
                "days": days,
                "moved": (days > 0).astype(np.float64),
                "change": change,
            }
        )
        levels: Sequence[pd.DataFrame] = (
            rows,
            rows.assign(wave=-1),
            rows.assign(trial="all", wave=-1),
        )
        for level in levels:
            mean = level.groupby(["trial", "wave"], sort=False)[["days", "moved", "change"]].mean()
            tables.append(mean.assign(area=area))
    table = pd.concat(tables).reset_index()
    moved = table["days"] > 0
    table["effect"] = 10 * table["change"] / table["days"].where(moved)
    return table.set_index(["trial", "wave", "area"]).sort_index()[["days", "moved", "effect"]]


def _selection(complete: pd.DataFrame) -> pd.DataFrame:
    held = complete[complete["held"].to_numpy()]
    cells = Cells.of(held)
    days = held["attendance"].to_numpy(np.float64) / 10
    rows = {}
    for area in AREAS:
        score = held[f"asi_{area}"].to_numpy(np.float64)
        without = held[f"asi_{area}_at_ten"].to_numpy(np.float64)
        estimate = fixed_effects(score, days, cells)
        selected = fixed_effects(without, days, cells)
        share = selected / estimate if estimate else np.nan
        rows[area] = (estimate, estimate - selected, selected, share)
    columns = ["estimate", "causal", "selection", "share"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("area")


def room_for_ten(attendance: npt.NDArray[np.int16]) -> tuple[npt.NDArray[np.int16], ...]:
    """Return the lower and upper end of the ten days over which a person's effect is taken."""
    upper = np.where(attendance <= 20, attendance + 10, attendance).astype(np.int16)
    return (upper - 10).astype(np.int16), upper
