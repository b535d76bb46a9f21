"""The panel of a synthetic pool, straight from what was answered.

The way through raw tables is the way of a real pool, and loses what their forms lose: a trial that
asks in words how often has its days rounded to the words. Studies of many pools, and twins of other
designs than the six, take this shorter way. It reads nothing of the truth.
"""

from __future__ import annotations

import pandas as pd

from pooledtrials.pooling import asi
from pooledtrials.pooling.answers import ALCOHOL_DAYS, DRUG_DAYS
from pooledtrials.pooling.harmonise import DAYS_PER_MONTH
from pooledtrials.pooling.panel import UNITS, check_panel
from pooledtrials.pooling.twin.generator import Twin

AREAS = ("alcohol", "drug", "medical", "psychiatric")


def observed_panel(twin: Twin, name: str = "synthetic") -> pd.DataFrame:
    """Return what an analyst would see of a synthetic pool, as a panel that keeps `SCHEMA`.

    Parameters
    ----------
    twin
        From `simulate`.
    name
        What to call it in an error.

    Returns
    -------
    pandas.DataFrame
        One row per patient and planned interview: the common columns, the composites with their
        baseline values, and the patients' covariates. No row is a real patient.
    """
    keys = ["trial", "patient"]
    asked = twin.interviews.astype(dict.fromkeys(("day", "attendance"), "float64"))
    scores = asi.composites(twin.interviews, AREAS, missing="complete")
    rows = pd.concat(
        [asked[[*keys, "wave", "held", "reason", "day", "attendance"]], scores], axis=1
    )
    rows["days_alcohol"] = twin.interviews[ALCOHOL_DAYS].astype("float64")
    rows["days_drug"] = twin.interviews[list(DRUG_DAYS)].astype("float64").max(axis=1, skipna=False)
    rows = rows.merge(twin.patients.drop(columns=["randomized", "prior_attendance"]), on=keys)
    rows["observed"] = rows.pop("held").astype(bool)
    rows["missing_reason"] = rows.pop("reason").astype(str)
    rows["month"] = rows.pop("day") / DAYS_PER_MONTH
    rows["attended"] = rows["attendance"].gt(0).astype("float64").mask(rows["attendance"].isna())
    drinking_or_using = rows[["days_alcohol", "days_drug"]].max(axis=1, skipna=False)
    rows["abstinent"] = drinking_or_using.eq(0).astype("float64").mask(drinking_or_using.isna())
    rows["facilitated"] = rows["active"]
    flags = ["active", "facilitated", "died", "age", "female", "homeless"]
    readiness = ["recognition", "ambivalence", "taking_steps"]
    rows = rows.astype(dict.fromkeys([*flags, *readiness], "float64"))
    at_start = rows[rows["wave"].eq(0)].set_index(keys)
    label = pd.MultiIndex.from_frame(rows[keys])
    rows["prior_attendance"] = at_start["attendance"].reindex(label).to_numpy()
    for score in scores:
        rows[f"{score}_baseline"] = at_start[score].reindex(label).to_numpy()
    rows = rows.astype({"patient": "str", "site": "str"})
    first = [column for column in UNITS if column in rows]
    first += [column for column in rows if column.startswith("asi_")]
    rest = [column for column in rows if column not in first]
    return check_panel(rows[first + rest], name)
