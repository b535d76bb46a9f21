"""Each interview's previous one, for first differences and lagged exposure.

With ``gaps="skip"`` the previous interview is the one at the wave before in the trial's own
schedule; after a missed wave there is none, and differences all span one step of the schedule.
With ``gaps="span"`` it is the patient's last interview before, however long ago.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from pooledtrials.arguments import Codes
from pooledtrials.coding import recode
from pooledtrials.panels.estimate import Dropped
from pooledtrials.panels.layout import Layout

GAPS: Final = ("skip", "span")


def previous_rows(data: Layout, gaps: str) -> tuple[Codes, Codes]:
    """Positions of interviews that have a previous one, and of that previous one."""
    order = np.lexsort([data.waves, data.patients])
    now, before = order[1:], order[:-1]
    follows = data.patients[now] == data.patients[before]
    if gaps == "skip":
        follows &= data.turns[now] == data.turns[before] + 1
    return now[follows], before[follows]


def times(data: Layout, gaps: str) -> Codes:
    """Times whose steps of one are the differences wanted: place in schedule or patient."""
    if gaps == "skip":
        return data.turns
    order = np.lexsort([data.waves, data.patients])
    starts = np.concatenate([[0], np.cumsum(data.sizes)[:-1]])
    place = np.empty(data.nobs, dtype=np.intp)
    place[order] = np.arange(data.nobs) - starts[data.patients[order]]
    return place


def lagged(data: Layout, gaps: str) -> Layout:
    """The rows that have a previous interview, with the exposure of that one."""
    now, before = previous_rows(data, gaps)
    if now.size == 0:
        raise ValueError(_none_left(gaps))
    return replace(
        data,
        y=data.y[now],
        x=data.x[before],
        controls=data.controls[now],
        names=(f"previous {data.names[0]}", *data.names[1:]),
        patients=recode(data.patients[now]),
        waves=data.waves[now],
        trials=data.trials[now],
        clusters=recode(data.clusters[now]),
    )


def without_previous(data: Layout, gaps: str) -> list[Dropped]:
    """What first differences and lags leave out."""
    now, _ = previous_rows(data, gaps)
    if now.size == 0:
        raise ValueError(_none_left(gaps))
    after_gap = data.nobs - data.n_patients - now.size
    return [
        Dropped(data.n_patients, "first interviews", "no interview before them, so no row"),
        Dropped(
            after_gap,
            "interviews after a gap",
            "the patient missed the wave before, so no row; gaps='span' reaches across",
        ),
    ]


def _none_left(gaps: str) -> str:
    return (
        "waves has no two interviews of one patient at neighbouring waves of its trial: "
        + ("pass gaps='span', or " if gaps == "skip" else "")
        + "use method='pooled' or 'between'"
    )
