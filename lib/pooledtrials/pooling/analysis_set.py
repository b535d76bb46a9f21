"""The analysis set: which rows of a panel an analysis uses, and what stands for what in them.

Two designs recur. Follow-ups only, with the first score held constant and a level for each trial
and month, is how an arm is judged (intention to treat, instruments). All interviews of a patient,
the first included, are what fixed effects compare a patient with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

PER_DAYS = 10.0
"""The book's unit of attendance: ten meeting days in thirty."""


@dataclass(frozen=True, eq=False)
class AnalysisSet:
    """Rows of a panel, by the part that each column plays. All Series share one index.

    Attributes
    ----------
    y : outcome
    x : exposure; attendance is counted in tens of meeting days in thirty
    z : 1 in the trial's active arm, else 0
    controls : covariates, the first score among them if it is held constant, or None
    patients : label of the patient, unique over trials
    waves : planned month of the interview
    trials : name of the trial
    strata : trial and month, the cells within which arms are compared
    dropped : rows of the panel left out, by reason, each row under the first that applies
    """

    y: pd.Series[float]
    x: pd.Series[float]
    z: pd.Series[float]
    controls: pd.DataFrame | None
    patients: pd.Series[str]
    waves: pd.Series[int]
    trials: pd.Series[str]
    strata: pd.Series[str]
    dropped: Mapping[str, int]

    @property
    def instrumented(self) -> dict[str, Any]:
        """The arguments of every function in `pooledtrials.instruments`, clustered by patient."""
        return {
            "y": self.y,
            "x": self.x,
            "z": self.z,
            "controls": self.controls,
            "clusters": self.patients,
            "strata": self.strata,
        }

    @property
    def repeated(self) -> dict[str, Any]:
        """The arguments of every regression in `pooledtrials.panels`."""
        return {
            "y": self.y,
            "x": self.x,
            "patients": self.patients,
            "waves": self.waves,
            "controls": self.controls,
            "trials": self.trials,
        }

    def __len__(self) -> int:
        return len(self.y)


def analysis_set(
    panel: pd.DataFrame,
    outcome: str = "asi_drug",
    exposure: str = "attendance",
    *,
    interviews: str = "follow-up",
    controls: Sequence[str] = (),
) -> AnalysisSet:
    """Choose the rows of an analysis, and name the part of each column.

    Parameters
    ----------
    panel
        A panel that keeps `SCHEMA`, of one trial or of a pool.
    outcome, exposure
        Columns. Attendance enters in tens of meeting days in thirty, any other exposure as it is.
    interviews : {"follow-up", "all"}
        ``"follow-up"`` leaves the baseline interview out and holds the outcome's baseline value
        constant if the panel has it (``<outcome>_baseline``); ``"all"`` keeps every interview.
    controls
        Further columns to hold constant.

    Returns
    -------
    AnalysisSet

    Raises
    ------
    ValueError
        If a column is not in the panel, ``interviews`` is another word, or no row is left.
    """
    if interviews not in ("follow-up", "all"):
        raise ValueError(f"interviews is {interviews!r}: give 'follow-up' or 'all'")
    asked = [outcome, exposure, *controls]
    for name in asked:
        if name not in panel:
            raise ValueError(f"panel has no column {name!r}: choose among {', '.join(panel)}")
    held = list(controls)
    first = f"{outcome}_baseline"
    if interviews == "follow-up" and first in panel:
        held = [first, *(name for name in held if name != first)]
    faults = {}
    if interviews == "follow-up":
        faults["baseline interview"] = panel["wave"] == 0
    faults["not interviewed"] = ~panel["observed"]
    faults |= {f"{name} missing": panel[name].isna() for name in (outcome, exposure, *held)}
    left, dropped = pd.Series(True, index=panel.index), {}
    for reason, fault in faults.items():
        if count := int((left & fault).sum()):
            dropped[reason] = count
        left &= ~fault
    rows = panel[left]
    if rows.empty:
        told = "; ".join(f"{reason}: {count}" for reason, count in dropped.items())
        raise ValueError(f"panel has no row left of {len(panel)} for {outcome!r}: {told}")
    unit = PER_DAYS if exposure == "attendance" else 1.0
    return AnalysisSet(
        y=rows[outcome].astype(float),
        x=rows[exposure].astype(float) / unit,
        z=rows["active"].astype(float),
        controls=rows[held].astype(float) if held else None,
        patients=rows["trial"] + " " + rows["patient"].astype(str),
        waves=rows["wave"],
        trials=rows["trial"],
        strata=rows["trial"] + " " + rows["wave"].astype(str),
        dropped=dropped,
    )
