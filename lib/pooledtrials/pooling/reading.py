"""Raw tables as text: read strictly, so that a broken file is refused and not repaired."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from pooledtrials.pooling.specification import Table


class RawTableError(ValueError):
    """A raw table that cannot be used; the message names the file and the place in it."""


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read a delimited file as text, one row per record.

    Values stay strings, stripped of surrounding blanks: what a code means is for the
    specification to say, and a parser that guesses types would decide it first.

    Parameters
    ----------
    path
        The file.
    table
        How it is written, and how many rows it should hold.

    Returns
    -------
    pandas.DataFrame
        Strings; the index, named ``line``, is the line in the file where the record ends.

    Raises
    ------
    RawTableError
        If the file is absent, empty, not in the declared encoding, has a repeated or blank column
        name, a record with too few or too many fields (as a truncated file has), or not as many
        rows as declared.
    """
    name = path.name
    try:
        with path.open(encoding=table.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=table.separator, strict=True)
            header = [column.strip() for column in next(reader, [])]
            _check_header(name, header)
            lines, records = [], []
            for record in reader:
                if not record:
                    continue
                if len(record) != len(header):
                    raise RawTableError(
                        f"{name}, line {reader.line_num}: {len(record)} fields where the header "
                        f"has {len(header)}; the line is cut short, or {table.separator!r} is "
                        "not the separator"
                    )
                lines.append(reader.line_num)
                records.append([value.strip() for value in record])
    except FileNotFoundError:
        raise RawTableError(f"{name}: no such file in {path.parent.name}/") from None
    except UnicodeDecodeError as error:
        raise RawTableError(
            f"{name}: byte {error.start} is not {table.encoding}; declare the table's encoding"
        ) from None
    except csv.Error as error:
        raise RawTableError(f"{name}, line {reader.line_num}: {error}") from None
    if not records:
        raise RawTableError(f"{name}: a header and no rows")
    if table.rows is not None and len(records) != table.rows:
        raise RawTableError(
            f"{name}: {len(records)} rows where the specification declares {table.rows}; the file "
            "is cut short or is another one, or the declaration is out of date"
        )
    return pd.DataFrame(records, columns=header, index=pd.Index(lines, name="line"), dtype="str")


def _check_header(name: str, header: list[str]) -> None:
    if not header:
        raise RawTableError(f"{name}: the file is empty")
    if "" in header:
        raise RawTableError(f"{name}: column {header.index('') + 1} has no name")
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise RawTableError(f"{name}: column name {repeated[0]!r} appears more than once")
