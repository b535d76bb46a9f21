"""Rows of a panel: which are one patient, which are one trial and wave, which are used.

Labels of patients repeat between trials, so a patient is a trial and a label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import Codes, Columns
from pooledtrials.coding import labelled, pair


def patient_codes(patients: Columns, trials: Columns | None, n: int, *, of: str = "y") -> Codes:
    """Codes 0, 1, ... of patients, the same label in two trials being two patients."""
    person, labels = labelled(patients, "patients", n, of=of)
    return pair(person, labels, labelled(trials, "trials", n, of=of)[0], within=True)[0]


def cell_codes(
    trials: Columns | None, waves: Columns | None, n: int
) -> tuple[Codes, tuple[str, ...]]:
    """Codes of trial x wave cells and their names; one cell, ``"all rows"``, without either."""
    trial, trial_labels = labelled(trials, "trials", n)
    wave, wave_labels = (trial * 0, ()) if waves is None else labelled(waves, "waves", n)
    cells, first = np.unique(
        trial * max(len(wave_labels), 1) + wave, return_index=True, return_inverse=True
    )[:0:-1]
    names = []
    for i in first:
        words = [] if trials is None else [f"trial {trial_labels[trial[i]]}"]
        words += [] if waves is None else [f"wave {wave_labels[wave[i]]}"]
        names.append(", ".join(words) or "all rows")
    return np.asarray(cells, dtype=np.intp), tuple(names)


def varying_within(labels: npt.NDArray[Any], groups: Codes) -> int:
    """How many groups hold more than one label or value."""
    first = np.full(int(groups.max()) + 1, -1)
    first[groups[::-1]] = np.arange(groups.size)[::-1]
    return int(np.unique(groups[labels != labels[first[groups]]]).size)


def refuse_no_columns(names: tuple[str, ...], argument: str) -> None:
    """Refuse a table with rows but no columns.

    Raises
    ------
    ValueError
        If there are no names.
    """
    if not names:
        raise ValueError(f"{argument} has 0 columns: give one or more")


def used_rows(values: Columns, used: npt.NDArray[np.bool_], name: str) -> Columns:
    """Rows that are used, so that gaps in the others do not matter."""
    if values is None or np.ndim(values) == 0:  # for the check of its contents to refuse
        return values
    table: Any = values if isinstance(values, pd.Series | pd.DataFrame) else np.asarray(values)
    if len(table) != used.size:
        raise ValueError(f"{name} has {len(table)} rows, not {used.size}: give one per row")
    return table[used]
