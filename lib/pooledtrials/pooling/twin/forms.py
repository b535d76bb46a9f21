"""The synthetic twin as six trials would deliver it: six forms, each with its own habits.

Pooling has to undo every one of these, as it had to in life. What a form cannot express it loses:
words instead of days, one week instead of thirty days, meetings instead of days with a meeting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pooledtrials.pooling.twin.generator import Twin

ALCOHOL = ("D1", "D2", "D23", "D26", "D28", "D30")
DRUG = ("D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D13", "D27", "D29", "D31")
MEDICAL = ("M6", "M7", "M8")
PSYCHIATRIC = ("P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14")

FREQUENCY_FLOORS = (0, 1, 2, 4, 8, 22)
"""Fewest meeting days in thirty for each answer, from never to daily."""


@dataclass(frozen=True)
class RawFile:
    """A raw table and how it is written."""

    name: str
    table: pd.DataFrame
    separator: str = ","
    encoding: str = "utf-8"
    line_end: str = "\n"

    def content(self) -> bytes:
        """Return the bytes of the file."""
        text = self.table.to_csv(index=False, sep=self.separator, lineterminator=self.line_end)
        return str(text).encode(self.encoding)


def write_raw_tables(twin: Twin, folder: Path) -> dict[str, list[Path]]:
    """Write the raw tables of all six synthetic trials.

    Parameters
    ----------
    twin
        What `simulate` returns.
    folder
        Where to write; it must exist.

    Returns
    -------
    dict of str to list of Path
        The files of each trial. The same twin gives the same bytes on every platform.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    written = {}
    for trial, form in FORMS.items():
        patients = twin.patients[twin.patients["trial"].eq(trial)].drop(columns="trial")
        interviews = twin.interviews[twin.interviews["trial"].eq(trial)].drop(columns="trial")
        paths = []
        for file in form(patients.set_index("patient"), interviews):
            path = folder / file.name
            path.write_bytes(file.content())
            paths.append(path)
        written[trial] = paths
    return written


def _text(values: pd.Series, missing: str = "") -> pd.Series:
    """Return values as text, with a code for what is missing."""
    return values.astype("string").fillna(missing)


def _items(
    interviews: pd.DataFrame, items: tuple[str, ...], name: str, missing: str
) -> pd.DataFrame:
    """Return items as text, their columns named by a pattern with ``{item}``."""
    columns = {name.format(item=code): _text(interviews[code], missing) for code in items}
    return pd.DataFrame(columns, index=interviews.index)


def _stage12(patients: pd.DataFrame, interviews: pd.DataFrame) -> list[RawFile]:
    enrolled = pd.DataFrame(
        {
            "PATNO": patients.index,
            "CTP": patients["site"].map("{:02d}".format),
            "ARM": patients["arm"].map({"TAU": "TAU", "STAGE-12": "S12"}),
            "AGE": patients["age"],
            "GENDER": patients["female"].map({0: "M", 1: "F"}),
            "RACE": patients["race"].map(_RACE_NUMBERS),
            "STIMULANT": patients["primary_substance"].map(
                {"cocaine": "COC", "amphetamines": "METH"}
            ),
            "SOC_RE": patients["recognition"],
            "SOC_AM": patients["ambivalence"],
            "SOC_TS": patients["taking_steps"],
        }
    )
    visits = pd.DataFrame(
        {
            "PATNO": interviews["patient"],
            "VISIT": interviews["wave"].map({0: "BL", 1: "MID", 2: "EOT", 3: "FU3", 6: "FU6"}),
            "VSTATUS": _status(interviews, held="C", missed="N", withdrew="W", died="D"),
            "STUDYDAY": _text(interviews["day"], "-9"),
            "SHG_DAYS": _text(interviews["attendance"], "-9"),
        }
    )
    items = _items(interviews, ALCOHOL + DRUG + PSYCHIATRIC, "ASI_{item}", "-9")
    return [
        RawFile("stage12_patients.csv", enrolled),
        RawFile("stage12_visits.csv", visits.join(items)),
    ]


def _ccts(patients: pd.DataFrame, interviews: pd.DataFrame) -> list[RawFile]:
    arms = {"CT+GDC": "1", "SE+GDC": "2", "IDC+GDC": "3", "GDC": "4"}
    months = (interviews["day"] / 30.4375).round(2)
    # The week before an interview is a quarter of the month; rounding is what the form loses.
    week = (interviews["meetings"] * 7 / 30).round()
    table = pd.DataFrame(
        {
            "id": interviews["patient"].map("C{:04d}".format),
            "center": interviews["patient"].map(patients["site"]).map(dict(enumerate("?ABCDE"))),
            "cond": interviews["patient"].map(patients["arm"]).map(arms),
            "visit": interviews["wave"].map("M{:02d}".format),
            "seen": _status(interviews, held="1", missed="0", withdrew="2", died="9"),
            "months": _text(months, ".").str.replace(".", ",").where(months.notna(), "."),
            "age": interviews["patient"].map(patients["age"]),
            "sex": interviews["patient"].map(patients["female"]) + 1,
            "ethnic": interviews["patient"].map(patients["race"]).map(_RACE_LETTERS),
            "socre": interviews["patient"].map(patients["recognition"]),
            "socam": interviews["patient"].map(patients["ambivalence"]),
            "socts": interviews["patient"].map(patients["taking_steps"]),
            "shweek": _text(week.astype("Int64"), "."),
        }
    )
    items = _items(interviews, ALCOHOL + DRUG + MEDICAL + PSYCHIATRIC, "{item}", ".")
    return [RawFile("ccts.csv", table.join(items.rename(columns=str.lower)), separator=";")]


def _referral(patients: pd.DataFrame, interviews: pd.DataFrame) -> list[RawFile]:
    arms = {"standard referral": "STD", "intensive referral": "INT"}
    races = {"African American or Black": "African-American", "other": "Other"}
    table = pd.DataFrame(
        {
            "Número": patients.index,
            "Condition": patients["arm"].map(arms),
            "Age": patients["age"],
            "Female": patients["female"].map({0: "no", 1: "yes"}),
            "Race": patients["race"].replace(races),
            "Substance": patients["primary_substance"],
            "TakingSteps": patients["taking_steps"],
        },
        index=patients.index,
    )
    for month in (0, 6, 12):
        rows = interviews[interviews["wave"].eq(month)].set_index("patient")
        words = np.searchsorted(FREQUENCY_FLOORS, rows["attendance"].fillna(0).astype(int), "right")
        often = pd.Series(words - 1, index=rows.index).where(rows["held"]).astype("Int64")
        table[f"day_t{month}"] = _text(rows["day"])
        table[f"meet_t{month}"] = _text(often, "99").where(rows["held"], "")
        for code in ALCOHOL + DRUG:
            table[f"{code}_t{month}"] = _text(rows[code])
    return [RawFile("referral.csv", table, encoding="latin-1")]


def _cra_tsf(patients: pd.DataFrame, interviews: pd.DataFrame) -> list[RawFile]:
    arms = {
        "CRA, yoked vouchers": "CRA/VC",
        "CRA, vouchers": "CRA/CM",
        "TSF, yoked vouchers": "TSF/VC",
        "TSF, vouchers": "TSF/CM",
    }
    races = _RACE_LETTERS | {"African American or Black": "AA"}
    enrolled = pd.DataFrame(
        {
            "subject": patients.index.map("S-{:03d}".format),
            "randomized": patients["randomized"].dt.strftime("%Y-%m-%d"),
            "group": patients["arm"].map(arms),
            "age": patients["age"],
            "sex": "F",
            "race": patients["race"].map(races),
            "socrates.recognition": patients["recognition"],
            "socrates.ambivalence": patients["ambivalence"],
            "socrates.steps": patients["taking_steps"],
        }
    )
    held = interviews[interviews["held"]]
    assessments = pd.DataFrame(
        {
            "subject": held["patient"].map("S-{:03d}".format),
            "month": held["wave"],
            "assessed": _dates(patients, held).dt.strftime("%Y-%m-%d"),
            "twelvestep.days90": held["attendance"] * 3,
        }
    )
    items = _items(held, ALCOHOL + DRUG + MEDICAL, "asi.{item}", "NA")
    return [
        RawFile("cra_tsf_enrolled.csv", enrolled),
        RawFile("cra_tsf_assessments.csv", assessments.join(items)),
    ]


def _disulfiram(patients: pd.DataFrame, interviews: pd.DataFrame) -> list[RawFile]:
    arms = {
        "standard counseling, placebo": "1",
        "standard counseling, disulfiram": "2",
        "TSF, placebo": "3",
        "TSF, disulfiram": "4",
    }
    races = {"White": 1, "African American or Black": 2, "Hispanic": 3, "other": 9}
    columns = {
        "ptid": pd.Series(patients.index, patients.index),
        "cell": patients["arm"].map(arms),
        "age": patients["age"],
        "male": 1 - patients["female"],
        "race": patients["race"].map(races),
    }
    for month, week in {0: 0, 1: 4, 2: 8, 3: 12, 6: 26}.items():
        rows = interviews[interviews["wave"].eq(month)].set_index("patient")
        columns[f"w{week}_day"] = _text(rows["day"])
        columns[f"w{week}_na_days"] = _text(rows["attendance"])
        for code in ALCOHOL + DRUG:
            if code == "D23":
                continue
            counted_from = 1 if code in ("D28", "D29", "D30", "D31") else 0
            columns[f"w{week}_{code.lower()}"] = _text(rows[code] + counted_from)
    return [RawFile("disulfiram.csv", pd.DataFrame(columns), separator="\t")]


def _hivcm(patients: pd.DataFrame, interviews: pd.DataFrame) -> list[RawFile]:
    arms = {"contingency management groups": "CM", "twelve-step groups": "TS"}
    races = {"African American or Black": "Black", "other": "Other"}
    of_patient = interviews["patient"].map
    visits = interviews["wave"].map("Month {}".format).replace("Month 0", "Intake")
    went = interviews["meetings"].gt(0).map({True: "Yes", False: "No"})
    meetings = interviews["meetings"].mask(interviews["meetings"].eq(0))
    table = pd.DataFrame(
        {
            "Patient ID": of_patient("HIV{:03d}".format),
            "Center": of_patient(patients["site"]).map("Center {}".format),
            "Condition": of_patient(patients["arm"]).map(arms),
            "Randomized on": of_patient(patients["randomized"]).dt.strftime("%m/%d/%Y"),
            "Age": of_patient(patients["age"]),
            "Gender": of_patient(patients["female"]).map({0: "Male", 1: "Female"}),
            "Race": of_patient(patients["race"]).replace(races),
            "Drug": of_patient(patients["primary_substance"]).map(
                {"cocaine": "Cocaine", "heroin": "Opioid"}
            ),
            "Homeless": of_patient(patients["homeless"]).map({0: "No", 1: "Yes"}),
            "Interview": visits,
            "Status": _status(
                interviews, held="Completed", missed="Missed", withdrew="Withdrawn", died="Deceased"
            ),
            "Interview date": _text(_dates(patients, interviews).dt.strftime("%m/%d/%Y")),
            "Attended 12-step": went.where(interviews["held"], ""),
            "Meetings": _text(meetings),
        }
    )
    items = _items(interviews, ALCOHOL + DRUG + MEDICAL, "ASI {item}", "")
    return [RawFile("hivcm.csv", table.join(items), encoding="utf-8-sig", line_end="\r\n")]


_RACE_NUMBERS = {"African American or Black": 1, "White": 2, "Hispanic": 3, "other": 4}
_RACE_LETTERS = {"African American or Black": "B", "White": "W", "Hispanic": "H", "other": "O"}


def _status(
    interviews: pd.DataFrame, *, held: str, missed: str, withdrew: str, died: str
) -> pd.Series:
    codes = {"": held, "missed": missed, "withdrew": withdrew, "died": died}
    return interviews["reason"].map(codes)


def _dates(patients: pd.DataFrame, interviews: pd.DataFrame) -> pd.Series:
    day = pd.to_timedelta(interviews["day"].astype("Float64").astype(float), unit="D")
    return interviews["patient"].map(patients["randomized"]) + day


FORMS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], list[RawFile]]] = {
    "stage12": _stage12,
    "ccts": _ccts,
    "referral": _referral,
    "cra_tsf": _cra_tsf,
    "disulfiram": _disulfiram,
    "hivcm": _hivcm,
}
"""How each trial writes its tables."""
