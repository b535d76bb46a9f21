"""Studies that take too long to run with a chapter: their tables, kept in ``data/studies``.

A study is one Parquet table and a YAML file beside it that says how it was made, from which seeds
and at what cost. Numbers are kept to seven significant digits, fewer than two processors may
differ in and more than anyone reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import polars as pl
import yaml

from pooledtrials.pooling import data_folder

DIGITS: Final = 7


def load_study(name: str) -> pd.DataFrame:
    """Return the table of a study by its name in ``data/studies``.

    Raises
    ------
    FileNotFoundError
        If there is no such study; the message lists those there are.
    """
    return _frame(pl.read_parquet(_path(name, ".parquet")))


def study_record(name: str) -> dict[str, Any]:
    """How a study was made: command, seeds, replications, core hours.

    Raises
    ------
    FileNotFoundError
        As in `load_study`.
    """
    return dict(yaml.safe_load(_path(name, ".yaml").read_text("utf8")))


def write_study(path: Path, table: pd.DataFrame, record: Mapping[str, Any]) -> None:
    """Write a study's table, and its record beside it with the ending ``.yaml``.

    Parameters
    ----------
    path
        Where to, ending in ``.parquet``.
    table
        Numbers are rounded to `DIGITS` significant digits.
    record
        How it was made.
    """
    rounded = {
        str(name): _significant(column) if column.dtype.kind == "f" else column.to_numpy()
        for name, column in table.items()
    }
    pl.DataFrame(rounded).write_parquet(path, compression="zstd", compression_level=19)
    text = yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True)
    path.with_suffix(".yaml").write_text(text, encoding="utf-8")


def _path(name: str, ending: str) -> Path:
    folder = data_folder() / "studies"
    path = folder / f"{name}{ending}"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.parquet"))) or "none"
        raise FileNotFoundError(f"no study {name!r} in data/studies: there are {known}")
    return path


def _frame(table: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: table[name].to_numpy() for name in table.columns})


def _significant(column: pd.Series[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = column.to_numpy(dtype=float)
    known = np.isfinite(values) & (values != 0)
    scale = np.ones_like(values)
    scale[known] = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(values[known]))))
    return np.asarray(np.where(known, np.round(values * scale) / scale, values))
