"""The twin's effect of attending often against seldom, and which assumptions on it are true.

Bounds compare two exposures, such as meetings on at least four days in thirty and on fewer. That is
no effect until it is said how often those who cross the threshold would go instead. Here they would
go as often as the average person on the other side: everybody else stays as they are. Then both
potential scores of every synthetic person are known, bounds can be marked, and so can each
assumption that they rest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pooledtrials.arguments import choice
from pooledtrials.planning.studies.two_worlds import AREAS
from pooledtrials.pooling import twin
from pooledtrials.selection import Bounds, bounds_table


@dataclass(frozen=True, eq=False)
class ThresholdTruth:
    """Follow-up interviews held in a synthetic pool, with both potential scores of each.

    Attributes
    ----------
    rows : pandas.DataFrame
        ``y`` (score), ``x`` (1 at or above the threshold), ``z`` (facilitated), ``patient``,
        ``first`` (score at the first interview), ``below`` and ``above`` (what the score would have
        been on either side).
    days_below, days_above : int
        Meeting days of those who cross to that side: the rounded mean of those who are there.
    """

    rows: pd.DataFrame
    days_below: int
    days_above: int

    @property
    def effect(self) -> float:
        """Mean change of the score from below the threshold to above, over these interviews."""
        return float((self.rows["above"] - self.rows["below"]).mean())

    @property
    def harmed(self) -> float:
        """Share of interviews whose score would be worse above the threshold."""
        return float((self.rows["above"] > self.rows["below"]).mean())

    @property
    def observed(self) -> dict[str, Any]:
        """What an analyst sees, as arguments of `selection.effect_bounds`."""
        rows = self.rows
        return {"y": rows["y"], "x": rows["x"], "clusters": rows["patient"]}

    def gaps(self) -> pd.DataFrame:
        """Differences of mean potential scores that assumptions are about.

        Returns
        -------
        pandas.DataFrame
            Row ``x``: those above the threshold less those below, at least zero under positive and
            at most zero under negative selection. Row ``z``: facilitated less not, zero under mean
            independence. Columns: the potential scores ``below`` and ``above``, and for comparison
            what an analyst could look at, the observed score ``y`` and the ``first`` one.
        """
        columns = ["below", "above", "y", "first"]
        found = {}
        for by in ("x", "z"):
            means = self.rows.groupby(by)[columns].mean()
            found[by] = means.loc[1] - means.loc[0]
        return pd.DataFrame(found).T

    def grade(self, bounds: Mapping[str, Bounds], level: float = 0.95) -> pd.DataFrame:
        """Mark bounds: `selection.bounds_table`, ``truth``, and whether the interval holds it."""
        table = bounds_table(bounds, level)
        truth = self.effect
        holds = [found.interval(level).contains(truth) for found in bounds.values()]
        return table.assign(truth=truth, holds=holds)


def threshold_truth(
    world: twin.World | str,
    instrument: twin.Instrument | str,
    seed: int,
    area: str = "drug",
    *,
    threshold: int = 4,
    copies: int = 1,
) -> ThresholdTruth:
    """Both potential scores around a threshold of meeting days, in a synthetic pool.

    Parameters
    ----------
    world, instrument, seed, copies
        As in `twin.simulate`.
    area : {"drug", "alcohol"}
        Which ASI composite is the outcome.
    threshold : int
        Meeting days in thirty from which on a person counts as exposed, 1 to 30.

    Returns
    -------
    ThresholdTruth

    Raises
    ------
    ValueError
        For an unknown area or a threshold that nobody or everybody reaches.
    """
    choice(area, "area", AREAS)
    pool = twin.simulate(world, instrument, seed, copies=copies)
    complete = pool.truth.complete
    used = complete["held"] & (complete["wave"] > 0)
    days = complete.loc[used, "attendance"]
    if days.max() < threshold or days.min() >= threshold:
        raise ValueError(
            f"threshold is {threshold} but attendance runs from {days.min()} to {days.max()} days:"
            " give one that some reach and others do not"
        )
    low = round(float(days[days < threshold].mean()))
    high = round(float(days[days >= threshold].mean()))
    sides = {
        "below": lambda a: np.where(a < threshold, a, low),
        "above": lambda a: np.where(a >= threshold, a, high),
    }
    score = f"asi_{area}"
    found = {
        side: twin.scores_after(world, instrument, seed, change, copies=copies)[score]
        for side, change in sides.items()
    }
    person = complete["trial"] + " " + complete["patient"].astype(str)
    active = pool.patients.set_index(["trial", "patient"])["active"]
    keys = pd.MultiIndex.from_frame(complete[["trial", "patient"]])
    start = complete.loc[complete["wave"] == 0].set_index(["trial", "patient"])[score]
    rows = pd.DataFrame(
        {
            "y": complete[score],
            "x": (complete["attendance"] >= threshold).astype(float),
            "z": active.reindex(keys).to_numpy(dtype=float),
            "patient": person,
            "first": start.reindex(keys).to_numpy(),
            **found,
        }
    )
    return ThresholdTruth(rows[used].reset_index(drop=True), low, high)
