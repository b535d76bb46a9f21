"""Raw text to values: codes, numbers and missing answers, each recode counted.

A decoder never decides: a value that the specification does not explain is an error which names
the patient, the interview and the line, and every value that it does explain is written to the
harmonisation log as before, after and how many rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.pooling.log import HarmonisationLog
from pooledtrials.pooling.reading import RawTableError
from pooledtrials.pooling.specification import Code, Column

_SHOWN = 5


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
    """Decodes the columns of one raw table.

    ``places`` says, for each row, where a reader finds it; ``missing`` lists the raw values that
    mean "not known" in every column, ``decimal`` is the table's decimal mark.
    """

    file: str
    raw: pd.DataFrame
    places: pd.Series
    missing: Sequence[Code]
    decimal: str
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
            If a value is neither a code, nor a number within bounds, nor a declared missing value,
            unless the column asks for such values to be flagged.
        """
        values = self.text(column.column)
        missing = values.isin({"", *map(canonical, self.missing), *map(canonical, column.missing)})
        for code, rows in values[missing].value_counts().items():
            self.log.write(name, column.column, "missing", code or "empty", "missing", rows)
        if column.codes is not None:
            return self._by_codes(name, column, values, missing)
        return self._as_numbers(name, column, values, missing)

    def _by_codes(
        self, name: str, column: Column, values: pd.Series, missing: pd.Series
    ) -> pd.Series:
        codes = {canonical(code): value for code, value in (column.codes or {}).items()}
        unknown = ~missing & ~values.isin(list(codes))
        self._reject(name, column, values, unknown, f"a code among {', '.join(codes)}")
        for code, value in codes.items():
            self.log.write(name, column.column, "code", code, value, (values == code).sum())
        decoded = values.map(codes)
        numbers = all(isinstance(value, bool | int | float) for value in codes.values())
        return decoded.astype(float) if numbers else decoded

    def _as_numbers(
        self, name: str, column: Column, values: pd.Series, missing: pd.Series
    ) -> pd.Series:
        text = values.mask(missing)
        if self.decimal == ",":
            text = text.str.replace(",", ".", regex=False)
        numbers = pd.to_numeric(text, errors="coerce").astype(float)
        unreadable = ~missing & ~np.isfinite(numbers)
        self._reject(name, column, values, unreadable, "a finite number")
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        outside = numbers.lt(low) | numbers.gt(high)
        self._reject(name, column, values, outside, f"between {low:g} and {high:g}")
        numbers = numbers.mask(outside | unreadable)
        self.log.write(name, column.column, "number", "text", "number", numbers.notna().sum())
        return numbers

    def _reject(
        self, name: str, column: Column, values: pd.Series, wrong: pd.Series, allowed: str
    ) -> None:
        if column.otherwise == "flag":
            self.log.flag(self.places, name, values, wrong, f"not {allowed}: set to missing")
        else:
            self.refuse(name, column.column, values, wrong, f"not {allowed}")

    def refuse(
        self, name: str, column: str, values: pd.Series, wrong: pd.Series, fault: str
    ) -> None:
        """Raise if any row is wrong, naming the first few rows, the value found and the remedy."""
        if wrong.any():
            found = [
                f"{self.places[row]}: {column} = {values[row]!r}"
                for row in values.index[wrong][:_SHOWN]
            ]
            count = int(wrong.sum())
            raise RawTableError(
                f"{self.file}: {name}: {fault} ({count} value{'s' if count > 1 else ''})\n  "
                + "\n  ".join(found)
                + f"\n  correct the table, or declare the value in the specification of {name}"
            )
