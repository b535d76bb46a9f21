"""Moments by which the synthetic twin is compared with real records."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from pooledtrials.pooling.twin.designs import Arm, Design
from pooledtrials.pooling.twin.regressions import Cells, fixed_effects, random_effects

HELP_LIKE: Final = Design(
    name="help_like",
    stream=7,
    arms=(Arm("usual care", 235, 0), Arm("health clinic", 235, 0)),
    waves=(0, 6, 12, 18, 24),
    sites=1,
    recruitment=(date(1997, 2, 1), date(1999, 4, 30)),
    age=(36, 8),
    female=0.24,
    homeless=0.46,
    race={"African American or Black": 0.46, "White": 0.37, "Hispanic": 0.11, "other": 0.06},
    primary={"alcohol": 0.395, "cocaine": 0.332, "heroin": 0.273},
    attendance=0.0,
    severity_drug=1.45,
    severity_alcohol=0.7,
    medical=0.0,
    follow_up=(0.52, 0.55),
    deaths=0.028,
    rise=1.0,
    course=1.0,
    source={"all": "HELP's own records, except dates, which its public records do not hold: A."},
)
"""A synthetic trial made up like HELP, to see whether the generator reproduces HELP's moments."""


def moments(panel: pd.DataFrame) -> pd.Series[float]:
    """Describe a panel by the moments that the twin takes from HELP.

    Parameters
    ----------
    panel : pandas.DataFrame
        One row per patient and planned interview, as `load_trial` or `observed_panel` give it:
        columns trial, patient, wave, observed, attendance, asi_drug, asi_alcohol.

    Returns
    -------
    pandas.Series
        By name of the moment. "late" is all follow-ups together; "within-person" is the intraclass
        correlation between follow-ups, wave means taken out; "lost, per SD" is by how much the
        share of follow-ups not held changes per standard deviation of the patient's baseline value;
        "FE" and "RE" are coefficients per ten meeting days, with wave effects, all interviews.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    needed = ("trial", "patient", "wave", "observed", "attendance", "asi_drug", "asi_alcohol")
    lacking = [column for column in needed if column not in panel]
    if lacking:
        raise ValueError(f"panel lacks {', '.join(lacking)}")
    held = panel.loc[panel["observed"], list(needed)]
    held = held.astype(dict.fromkeys(needed[4:], "float64"))
    late = held[held["wave"] > 0]
    found: dict[str, float] = {}
    for when, rows in (("baseline", held[held["wave"] == 0]), ("late", late)):
        for column in ("asi_drug", "asi_alcohol", "attendance"):
            values = rows[column].dropna()
            found[f"{column}, {when}: mean"] = float(values.mean())
            found[f"{column}, {when}: SD"] = float(values.std())
            found[f"{column}, {when}: share 0"] = float((values == 0).mean())
        days = rows["attendance"].dropna()
        found[f"attendance, {when}: variance / mean"] = float(days.var() / days.mean())
        found[f"attendance, {when}: share 20 or more"] = float((days >= 20).mean())
    for column in ("asi_drug", "asi_alcohol", "attendance"):
        found[f"{column}: within-person"] = _intraclass(late, column)
    found |= _attrition(panel)
    for area in ("drug", "alcohol"):
        rows = held.dropna(subset=["attendance", f"asi_{area}"])
        x, y = rows["attendance"].to_numpy() / 10, rows[f"asi_{area}"].to_numpy()
        rows = rows.assign(patient=pd.factorize(rows["patient"])[0])
        found[f"FE, asi_{area}"] = fixed_effects(y, x, Cells.of(rows))
        found[f"RE, asi_{area}"] = random_effects(y, x, Cells.of(rows))
    return pd.Series(found, dtype="float64").rename_axis("moment")


def _intraclass(late: pd.DataFrame, column: str) -> float:
    """Intraclass correlation between follow-ups: covariance of pairs over variance."""
    rows = late.dropna(subset=column)
    value = rows[column] - rows.groupby(["trial", "wave"])[column].transform("mean")
    groups = value.groupby([rows["trial"], rows["patient"]])
    total, size, square = (
        groups.sum(),
        groups.size(),
        (value**2).groupby([rows["trial"], rows["patient"]]).sum(),
    )
    pairs = ((total**2 - square) / 2).sum() / (size * (size - 1) / 2).sum()
    return float(pairs / np.mean(value**2))


def _attrition(panel: pd.DataFrame) -> dict[str, float]:
    keys = ["trial", "patient"]
    after = panel[panel["wave"] > 0]
    lost = 1 - after["observed"].astype("float64").groupby([after[k] for k in keys]).mean()
    start = panel[panel["wave"] == 0].set_index(keys)
    found = {"interviewed, late": float(1 - lost.mean())}
    for column in ("asi_drug", "attendance"):
        value = start[column].astype("float64")
        known = value.notna()
        scaled = (value[known] - value.mean()) / value.std()
        found[f"lost, per SD of baseline {column}"] = float((scaled * lost[known]).mean())
    return found
