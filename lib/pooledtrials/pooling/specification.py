"""What a trial says about itself: one YAML file, validated before any table is read.

A specification names the trial's arms, planned interviews, tables and columns, and how each
column is coded. Pooling reads nothing that a specification does not declare, so two trials that
asked the same question differently differ in their YAML and not in code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from pooledtrials.pooling.asi import ITEMS
from pooledtrials.pooling.attendance import FREQUENCIES, NEVER
from pooledtrials.pooling.yaml_file import (
    Section,
    SpecificationError,
    nearest,
    read_yaml,
    sentences,
)

Code = str | int | float | bool
Facilitates = Literal["meetings", "primary care", "nothing"]

HELD, DIED = "held", "died"
STATUSES = (HELD, "missed", "withdrew", DIED)
"""What a trial's own record of an interview may say of it."""


class Column(Section):
    """Where a quantity stands in the raw table and how to read it.

    ``codes`` maps raw values to pooled ones; without it the raw value must be a number.
    ``missing`` lists raw values that mean "not known" beside the trial's own list. ``otherwise``
    says what becomes of a value that neither explains: an error, or a missing value that is
    listed among the flags.
    """

    column: str
    codes: dict[Code, Code] | None = None
    missing: tuple[Code, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    otherwise: Literal["error", "flag"] = "error"
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        return {"column": data} if isinstance(data, str) else data


class Arm(Section):
    """One randomized arm. ``code`` is the raw value that stands for it."""

    code: Code
    name: str
    role: Literal["comparison", "active"]
    facilitates: Facilitates
    argument: str = Field(description="why the arm should, or should not, move what it aims at")


class Design(Section):
    """How patients were allocated, and to what."""

    allocation: Literal["individual", "cluster"]
    arms: list[Arm] = Field(min_length=2)

    @model_validator(mode="after")
    def _both_roles(self) -> Self:
        roles = {arm.role for arm in self.arms}
        if roles != {"comparison", "active"}:
            raise ValueError(f"arms need both roles, comparison and active; found {sorted(roles)}")
        _refuse_repeats("arm code", [arm.code for arm in self.arms])
        _refuse_repeats("arm name", [arm.name for arm in self.arms])
        return self


class Wave(Section):
    """A planned interview: its raw code, its planned month, the months it may fall in."""

    code: Code
    month: int = Field(ge=0)
    window: tuple[float, float]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.window
        if not low <= self.month <= high:
            raise ValueError(f"window [{low}, {high}] must contain the planned month {self.month}")
        return self


class Table(Section):
    """A raw table: its file in the specification's folder, how it is written, how many rows."""

    file: str
    rows: int | None = Field(default=None, ge=1)
    encoding: str = "utf-8-sig"
    separator: Literal[",", ";", "\t"] = ","
    decimal: Literal[".", ","] = "."


class Interviews(Table):
    """The table of interviews: ``long``, a row each, or ``wide``, a row per patient.

    In a wide table the columns asked at interviews have ``{visit}`` in their names, which stands
    for each wave's code in turn.
    """

    layout: Literal["long", "wide"]


class Tables(Section):
    """A trial's raw tables. ``patients``, a row each, is absent where interviews hold it all."""

    interviews: Interviews
    patients: Table | None = None


class Extra(Column):
    """A further quantity: asked at each interview, or once for the patient."""

    per: Literal["interview", "patient"] = "interview"


class Timing(Section):
    """When an interview took place, counted from randomization or given as a date.

    A date needs its ``format`` and ``randomized``, the patients' column of the date from which
    to count.
    """

    column: str
    unit: Literal["days", "months", "date"]
    format: str | None = None
    randomized: str | None = None

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if (self.unit == "date") != (self.format is not None and self.randomized is not None):
            raise ValueError("format and randomized go with unit date, and only with it")
        return self


class Attendance(Section):
    """How twelve-step attendance was asked, and over which window.

    ``frequency``: in words (``often``); ``days``: days with a meeting (``amount``); ``count``:
    meetings, of which there may be several a day (``amount``). ``any``, whether the patient went
    at all, may be asked beside each.
    """

    asked: Literal["frequency", "days", "count"]
    window_days: int = Field(ge=1)
    any: Column | None = None
    often: Column | None = None
    amount: Column | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wanted, spare = ("often", "amount") if self.asked == "frequency" else ("amount", "often")
        if getattr(self, wanted) is None or getattr(self, spare) is not None:
            raise ValueError(f"asked: {self.asked} needs {wanted}, and no {spare}")
        words = FREQUENCIES if self.any is not None else (NEVER, *FREQUENCIES)
        if self.often is not None and self.often.codes is None:
            raise ValueError(f"often needs codes to frequencies; {nearest('', words)}")
        for word in (self.often.codes or {}).values() if self.often is not None else ():
            if word not in words:
                raise ValueError(f"unknown frequency {word!r}; {nearest(word, words)}")
        return self

    @property
    def how_much(self) -> Column:
        """The column that says how much, in words or in numbers."""
        column = self.often if self.asked == "frequency" else self.amount
        assert column is not None  # _complete has seen to it
        return column


class Specification(Section):
    """A whole trial, as its YAML file declares it."""

    trial: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    citation: str
    source: Literal["real", "synthetic", "private"]
    population: str
    design: Design
    waves: list[Wave] = Field(min_length=2)
    folder: str
    tables: Tables
    missing: tuple[Code, ...] = ()
    patient: str
    visit: str | None = None
    unplanned: Literal["error", "flag"] = "error"
    site: str | None = None
    arm: str
    time: Timing
    status: Column | None = None
    died: Column | None = None
    items: dict[str, Column]
    not_asked: tuple[str, ...] = ()
    attendance: Attendance
    baseline: dict[str, Column] = Field(default_factory=dict)
    extras: dict[str, Extra] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for code in (*self.items, *self.not_asked):
            if code not in ITEMS:
                raise ValueError(f"items: unknown ASI item {code!r}; {nearest(code, ITEMS)}")
        _refuse_repeats("item", [*self.items, *self.not_asked])
        _refuse_repeats("wave code", [wave.code for wave in self.waves])
        months = [wave.month for wave in self.waves]
        if months[0] != 0 or months != sorted(set(months)):
            raise ValueError(f"waves: months must start at 0 and rise; found {months}")
        for word in (self.status.codes or {}).values() if self.status is not None else ():
            if word not in STATUSES:
                raise ValueError(f"status: unknown {word!r}; {nearest(word, STATUSES)}")
        return self

    @model_validator(mode="after")
    def _layout(self) -> Self:
        wide = self.tables.interviews.layout == "wide"
        if wide != (self.visit is None):
            raise ValueError("visit names the column of a long table; a wide table has none")
        if wide and self.tables.patients is not None:
            raise ValueError("a wide table holds its patients; tables.patients must be absent")
        for column, field in self.columns("interview").items():
            if wide != ("{visit}" in column):
                where = "needs {visit}" if wide else "may not have {visit}"
                raise ValueError(
                    f"{field}: column {column!r} {where} in a {'wide' if wide else 'long'} table"
                )
        return self

    def columns(self, per: Literal["interview", "patient"]) -> dict[str, str]:
        """Return the raw columns asked per interview or per patient, with the field asking."""
        extras = {
            f"extras.{name}": extra.column
            for name, extra in self.extras.items()
            if extra.per == per
        }
        if per == "interview":
            how_much = "often" if self.attendance.asked == "frequency" else "amount"
            asked = {
                f"attendance.{how_much}": self.attendance.how_much.column,
                "time": self.time.column,
            }
            if self.attendance.any is not None:
                asked["attendance.any"] = self.attendance.any.column
            if self.status is not None:
                asked["status"] = self.status.column
            asked |= {f"items.{name}": item.column for name, item in self.items.items()}
        else:
            asked = {"arm": self.arm}
            optional = {"site": self.site, "time.randomized": self.time.randomized}
            asked |= {field: column for field, column in optional.items() if column is not None}
            if self.died is not None:
                asked["died"] = self.died.column
            asked |= {f"baseline.{name}": col.column for name, col in self.baseline.items()}
        return {column: field for field, column in (asked | extras).items()}


def _refuse_repeats(what: str, values: list[Code]) -> None:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{what} {', '.join(repeated)} appears more than once")


def read_specification(path: Path) -> Specification:
    """Read and validate one trial's YAML file.

    Parameters
    ----------
    path
        The YAML file, one trial each.

    Returns
    -------
    Specification
        Frozen; ``specification.folder`` is resolved by the reader against the file's own folder.

    Raises
    ------
    SpecificationError
        If the file is absent, is not YAML, lacks a field, or holds an unknown field or value.
        The message names the file and each field with what was found, what is allowed and the
        nearest valid spelling.
    """
    content = read_yaml(path)
    try:
        return Specification.model_validate(content)
    except ValidationError as error:
        raise SpecificationError(sentences(path, error)) from None
