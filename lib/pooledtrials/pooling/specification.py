"""What a trial says about itself: one YAML file, validated before any table is read.

A specification names the trial's arms, planned interviews, tables and columns, and how each
column is coded. Pooling reads nothing that a specification does not declare, so two trials that
asked the same question differently differ in their YAML and not in code.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pooledtrials.pooling.asi import ITEMS
from pooledtrials.pooling.attendance import FREQUENCIES

Code = str | int | float | bool
Facilitates = Literal["meetings", "primary care", "nothing"]


class SpecificationError(ValueError):
    """A trial specification that cannot be used; the message names file, field and remedy."""


def nearest(word: object, allowed: Iterable[object]) -> str:
    """Say which allowed spelling is nearest to a word, or list those allowed."""
    names = [str(name) for name in allowed]
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return (f"did you mean {close[0]!r}? " if close else "") + f"allowed: {listed}"


class Section(BaseModel):
    """One mapping of the YAML file; unknown keys are refused with the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            fields = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in fields:
                    raise ValueError(f"unknown field {key!r}; {nearest(key, fields)}")
        return data


class Column(Section):
    """Where a quantity stands in the raw table and how to read it.

    ``codes`` maps raw values to pooled ones; without it the raw value must be a number.
    ``missing`` lists raw values that mean "not known" beside the trial's own list.
    """

    column: str
    codes: dict[Code, Code] | None = None
    missing: list[Code] = []
    minimum: float | None = None
    maximum: float | None = None
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
    """The raw table: its file beside the specification's folder, and how many rows it holds."""

    file: str
    layout: Literal["long"]
    rows: int | None = Field(default=None, ge=1)
    encoding: str = "utf-8-sig"
    separator: Literal[",", ";", "\t"] = ","
    decimal: Literal[".", ","] = "."


class Extra(Column):
    """A further quantity: asked at each interview, or once for the patient."""

    per: Literal["interview", "patient"] = "interview"


class Timing(Section):
    """When an interview took place, counted from randomization."""

    column: str
    unit: Literal["days", "months"]


class Attendance(Section):
    """How twelve-step attendance was asked: whether at all, and how often, over which window."""

    asked: Literal["frequency"]
    window_days: int = Field(ge=1)
    any: Column
    often: Column

    @model_validator(mode="after")
    def _known_frequencies(self) -> Self:
        if self.often.codes is None:
            raise ValueError(f"often needs codes to frequencies; {nearest('', FREQUENCIES)}")
        for word in self.often.codes.values():
            if word not in FREQUENCIES:
                raise ValueError(f"unknown frequency {word!r}; {nearest(word, FREQUENCIES)}")
        return self


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
    table: Table
    missing: list[Code] = []
    patient: str
    visit: str
    arm: str
    time: Timing
    died: Column | None = None
    items: dict[str, Column]
    attendance: Attendance
    baseline: dict[str, Column] = {}
    extras: dict[str, Extra] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for code in self.items:
            if code not in ITEMS:
                raise ValueError(f"items: unknown ASI item {code!r}; {nearest(code, ITEMS)}")
        _refuse_repeats("wave code", [wave.code for wave in self.waves])
        months = [wave.month for wave in self.waves]
        if months[0] != 0 or months != sorted(set(months)):
            raise ValueError(f"waves: months must start at 0 and rise; found {months}")
        return self

    def columns(self) -> dict[str, str]:
        """Return every raw column the trial declares, with the field that asks for it."""
        wanted = {self.patient: "patient", self.visit: "visit", self.arm: "arm"}
        wanted |= {self.time.column: "time", self.attendance.any.column: "attendance.any"}
        wanted |= {self.attendance.often.column: "attendance.often"}
        if self.died is not None:
            wanted |= {self.died.column: "died"}
        for field in ("items", "baseline", "extras"):
            wanted |= {col.column: f"{field}.{name}" for name, col in getattr(self, field).items()}
        return wanted


def _refuse_repeats(what: str, values: list[Code]) -> None:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{what} {', '.join(repeated)} appears more than once")


class _UniqueKeys(yaml.SafeLoader):
    """YAML keeps the last of two equal keys in silence; a specification may not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: key {key!r} appears more than once")
        return super().construct_mapping(node, deep=deep)


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
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        siblings = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise SpecificationError(
            f"{path.name}: no such specification; {nearest(path.stem, siblings)}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path.name}: not a readable YAML file: {error}") from None
    if not isinstance(content, dict):
        raise SpecificationError(f"{path.name}: expected fields such as trial, found {content!r}")
    try:
        return Specification.model_validate(content)
    except ValidationError as error:
        lines = [_sentence(dict(problem)) for problem in error.errors()]
        raise SpecificationError("\n".join(f"{path.name}: {line}" for line in lines)) from None


def _sentence(problem: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "specification"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{place}: this field is required and is missing"
    if problem["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        message = f"unknown value; {nearest(problem['input'], allowed)}"
    found = "" if isinstance(problem["input"], Mapping) else f" (found {problem['input']!r})"
    return f"{place}: {message}{found}"
