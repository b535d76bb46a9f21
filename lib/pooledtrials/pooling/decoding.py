"""Raw text to values: codes, numbers and missing answers, each recode counted.

A decoder never decides: a value that the specification does not explain is an error which names
the patient, the interview and the line, and every value that it does explain is written to the
harmonisation log as before, after and how many rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pooledtrials.pooling.reading import RawTableError
from pooledtrials.pooling.specification import Code, Column, Specification

_SHOWN = 5


@dataclass(frozen=True)
class Recode:
    """One line of the harmonisation log: what a rule turned into what, in how many rows."""

    field: str
    column: str
    rule: str
    before: str
    after: str
    rows: int


@dataclass
class HarmonisationLog:
    """Every recode between the raw table and the panel, in the order it was made."""

    trial: str
    recodes: list[Recode] = field(default_factory=list)

    def write(
        self, field: str, column: str, rule: str, before: object, after: object, rows: int
    ) -> None:
        """Add a line, unless it touched no row."""
        if rows:
            self.recodes.append(Recode(field, column, rule, str(before), str(after), rows))

    def to_frame(self) -> pd.DataFrame:
        """Return the log as a table: trial, field, column, rule, before, after, rows."""
        frame = pd.DataFrame(self.recodes, columns=list(Recode.__dataclass_fields__))
        frame.insert(0, "trial", self.trial)
        return frame


def canonical(value: Code) -> str:
    """Return a code as text, so that 1, 1.0, "1" and " 1 " are the same code."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text


@dataclass(frozen=True)
class Decoder:
    """Decodes the columns of one raw table. ``places`` says, per row, where a reader finds it."""

    specification: Specification
    raw: pd.DataFrame
    places: pd.Series
    log: HarmonisationLog

    def text(self, column: str) -> pd.Series:
        """Return a raw column as canonical text."""
        values = self.raw[column]
        return values.map({value: canonical(value) for value in values.unique()})

    def decode(self, name: str, column: Column) -> pd.Series:
        """Return a column as pooled values: numbers, or whatever its codes give.

        Raises
        ------
        RawTableError
            If a value is neither a code, nor a number within bounds, nor a declared missing value.
        """
        values = self.text(column.column)
        missing = values.isin(self._missing_codes(column))
        for code, rows in values[missing].value_counts().items():
            self.log.write(name, column.column, "missing", code or "empty", "missing", int(rows))
        if column.codes is not None:
            return self._by_codes(name, column, values, missing)
        return self._as_numbers(name, column, values, missing)

    def _missing_codes(self, column: Column) -> set[str]:
        return {"", *map(canonical, self.specification.missing), *map(canonical, column.missing)}

    def _by_codes(
        self, name: str, column: Column, values: pd.Series, missing: pd.Series
    ) -> pd.Series:
        codes = {canonical(code): value for code, value in (column.codes or {}).items()}
        unknown = ~missing & ~values.isin(list(codes))
        self.refuse(name, column.column, values, unknown, f"a code among {', '.join(codes)}")
        for code, value in codes.items():
            self.log.write(name, column.column, "code", code, value, int((values == code).sum()))
        decoded = values.map(codes)
        numbers = all(isinstance(value, bool | int | float) for value in codes.values())
        return decoded.astype(float) if numbers else decoded

    def _as_numbers(
        self, name: str, column: Column, values: pd.Series, missing: pd.Series
    ) -> pd.Series:
        text = values.mask(missing)
        if self.specification.table.decimal == ",":
            text = text.str.replace(",", ".", regex=False)
        numbers = pd.to_numeric(text, errors="coerce").astype(float)
        unreadable = ~missing & ~np.isfinite(numbers)
        self.refuse(name, column.column, values, unreadable, "a finite number")
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        outside = numbers.lt(low) | numbers.gt(high)
        self.refuse(name, column.column, values, outside, f"between {low:g} and {high:g}")
        self.log.write(name, column.column, "number", "text", "number", int(numbers.notna().sum()))
        return numbers

    def refuse(
        self, name: str, column: str, values: pd.Series, wrong: pd.Series, allowed: str
    ) -> None:
        """Raise if any row is wrong, naming the first few rows, the value found and the remedy."""
        if wrong.any():
            found = [
                f"{self.places[line]}: {column} = {values[line]!r}"
                for line in values.index[wrong][:_SHOWN]
            ]
            raise RawTableError(
                f"{self.specification.table.file}: {name}: {int(wrong.sum())} values are not "
                f"{allowed}\n  " + "\n  ".join(found) + "\n  correct the table, or declare the "
                f"value in the codes or missing values of {name}"
            )

    def constant_within_patients(self, name: str, values: pd.Series, patients: pd.Series) -> None:
        """Raise if a quantity that belongs to the patient differs between interviews."""
        varying = values.groupby(patients).nunique(dropna=True).gt(1)
        if varying.any():
            raise RawTableError(
                f"{self.specification.table.file}: {name} should not change within a patient, but "
                f"does for {_some(varying.index[varying])}"
            )


def _some(labels: Iterable[object]) -> str:
    names = [str(label) for label in labels]
    rest = len(names) - _SHOWN
    return "patient " + ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
