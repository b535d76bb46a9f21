"""The panel: one row per patient and planned interview, and the schema that it keeps.

Columns that every trial has are declared here with unit and range; covariates and extras that a
trial adds are declared, with their own, in its specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

KEYS = ("trial", "patient", "wave")

NOT_INTERVIEWED = "no interview"
NOT_INTERVIEWED_DIED = "no interview; died during the study, date not recorded"

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "trial": "name",
        "patient": "label, unique within the trial",
        "wave": "planned months since randomization, whole",
        "site": "label of the site; the trial's name where there is one site",
        "arm": "name of the randomized arm",
        "active": "1 if the arm is the trial's active arm, else 0",
        "facilitated": "1 if the arm facilitates twelve-step meetings, else 0",
        "died": "1 if the patient died during the study, else 0",
        "observed": "whether the interview took place",
        "missing_reason": "why not, if it did not; empty if it did",
        "month": "months since randomization at which it took place",
        "attended": "1 if any meeting in the window asked about, else 0",
        "attendance": "meeting days per 30",
        "prior_attendance": "meeting days per 30 at the baseline interview",
        "days_alcohol": "days of alcohol use in the past 30",
        "days_drug": "days of use of the most used drug in the past 30, methadone left out",
        "abstinent": "1 if no alcohol and no drug in the past 30 days, else 0",
    }
)
"""Unit of each common column; ``asi_*`` columns are ASI composites, from 0 (no problem) to 1."""

ASKED_AT_INTERVIEWS = r"^(month|attended|attendance|asi_[a-z]+|days_(alcohol|drug)|abstinent)$"

# The HELP trial's own money rule has no cap and can carry an alcohol score slightly above 1.
_LARGEST_COMPOSITE = 1.05


class PanelError(ValueError):
    """A panel that breaks the schema; the message names column, row and value."""


def _number(low: float, high: float) -> pa.Column:
    return pa.Column(float, pa.Check.in_range(low, high), nullable=True, required=False)


def _flag(nullable: bool = True, required: bool = False) -> pa.Column:
    return pa.Column(float, pa.Check.isin([0.0, 1.0]), nullable=nullable, required=required)


def _reason_only_if_missing(panel: pd.DataFrame) -> pd.Series:
    return panel["observed"] == panel["missing_reason"].eq("")


def _silent_if_missing(panel: pd.DataFrame) -> pd.Series:
    asked = panel.filter(regex=ASKED_AT_INTERVIEWS)
    return panel["observed"] | asked.isna().all(axis=1)


SCHEMA = pa.DataFrameSchema(
    {
        "trial": pa.Column(str),
        "patient": pa.Column(str),
        "wave": pa.Column(int, pa.Check.ge(0)),
        "site": pa.Column(str),
        "arm": pa.Column(str),
        "active": _flag(nullable=False, required=True),
        "facilitated": _flag(nullable=False, required=True),
        "died": _flag(required=True),
        "observed": pa.Column(bool),
        "missing_reason": pa.Column(str),
        "month": pa.Column(float, pa.Check.ge(0), nullable=True),
        "attended": _flag(required=True),
        "attendance": pa.Column(float, pa.Check.in_range(0, 30), nullable=True),
        "prior_attendance": pa.Column(float, pa.Check.in_range(0, 30), nullable=True),
        "days_alcohol": _number(0, 30),
        "days_drug": _number(0, 30),
        "abstinent": _flag(),
        r"^asi_[a-z]+(_baseline)?$": pa.Column(
            float,
            pa.Check.in_range(0, _LARGEST_COMPOSITE),
            nullable=True,
            required=False,
            regex=True,
        ),
    },
    checks=[
        pa.Check(_reason_only_if_missing, error="observed and missing_reason contradict"),
        pa.Check(_silent_if_missing, error="an interview that was not held has answers"),
    ],
    unique=list(KEYS),
    strict=False,
)
"""The columns that every panel has, their types, ranges and mutual consistency."""


def check_panel(panel: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the panel if it keeps the schema.

    Parameters
    ----------
    panel
        One row per trial, patient and planned interview.
    name
        What to call it in an error, such as the trial's name.

    Raises
    ------
    PanelError
        If a common column is absent, of the wrong type or out of range, a row appears twice, or a
        row contradicts itself. Every fault is listed with its column, first row and value.
    """
    try:
        return SCHEMA.validate(panel, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
        # A fault of a whole row is reported once for each column; the column says nothing.
        whole_row = cases["schema_context"].eq("DataFrameSchema")
        cases = cases.assign(column=cases["column"].mask(whole_row, "panel"))
        faults = cases.drop_duplicates(["column", "check"])
        lines = [
            f"{name}: {fault.column}: {fault.check} fails"
            + ("" if pd.isna(fault.index) else f" at row {fault.index:g}")
            + f" (found {fault.failure_case})"
            for fault in faults.itertuples()
        ]
        raise PanelError("\n".join(lines)) from None
