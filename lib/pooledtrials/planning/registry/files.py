"""The files of a registry: what they must hold, and how blocks of their rows are read.

A registry is a folder of Parquet files with a row for each patient and month, sorted by patient.
It may be larger than memory, so it is read in blocks of rows; `rows` checks each as it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from pooledtrials.arguments import Vector

MOST_WAVES: Final = 120
"""Waves a registry may have: cross products grow with the fourth power of their number."""

_HEAD: Final = 10_000  # rows from which origins are taken


@dataclass(frozen=True)
class Roles:
    """Which column of a registry is what.

    Attributes
    ----------
    y, x : outcome and exposure
    z, controls : instruments and covariates, possibly none
    patients : what files are sorted and errors clustered by
    trials, waves : labels of strata; None without
    """

    y: str
    x: str
    z: tuple[str, ...]
    controls: tuple[str, ...]
    patients: str
    trials: str | None
    waves: str | None

    @property
    def measured(self) -> tuple[str, ...]:
        """Columns of numbers in the order of the cross products."""
        return (*self.controls, *self.z, self.x, self.y)

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of labels."""
        return tuple(name for name in (self.patients, self.trials, self.waves) if name)

    def named(self, column: str) -> str:
        """The column with the argument that named it, for messages."""
        single = ("y", "x", "patients", "trials", "waves")
        several = "z" if column in self.z else "controls"
        argument = next((name for name in single if getattr(self, name) == column), several)
        return f"{argument} column {column!r}"


@dataclass(frozen=True)
class Span:
    """Consecutive rows of one file."""

    path: Path
    start: int
    rows: int

    def __str__(self) -> str:
        return f"rows {self.start} to {self.start + self.rows - 1} of {self.path.name}"


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a registry before its blocks are read.

    Attributes
    ----------
    roles : which column is what
    where : which rows count, all if None
    trials, waves : labels that occur; one None without such a column
    origin : (columns,) array
        About where each measured column lies. Values are counted from there, so that their squares
        do not lose digits to a large mean; no result depends on it.
    """

    roles: Roles
    where: pl.Expr | None
    trials: tuple[Any, ...]
    waves: tuple[Any, ...]
    origin: Vector

    def read(self, block: Span) -> pl.DataFrame:
        """The rows of a block that count, in the columns that are needed."""
        rows = pl.scan_parquet(block.path).slice(block.start, block.rows)
        with _explained(block.path):
            return _chosen(rows, self.roles, self.where).collect(engine="streaming")


def parquet_files(source: str | Path) -> list[Path]:
    """The Parquet files of a folder in the order of their names, or the one file named.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If the folder holds no such file.
    """
    path = Path(source)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"source is {str(source)!r}: there is no such file or folder")
    files = sorted(path.glob("*.parquet"))
    if not files:
        raise ValueError(f"source is {str(source)!r}: it holds no file that ends in .parquet")
    return files


def survey(
    files: Sequence[Path], roles: Roles, where: pl.Expr | None, rows: int
) -> tuple[Survey, list[Span]]:
    """Check the columns of every file, list trials and waves, cut the files into blocks.

    Raises
    ------
    ValueError
        For a file that cannot be read, columns that are missing or of a wrong type, missing labels,
        too many waves, or no rows.
    """
    blocks, kinds = [], dict[str, pl.DataType]()
    for path in files:
        with _explained(path):
            scan = pl.scan_parquet(path)
            schema, n = scan.collect_schema(), scan.select(pl.len()).collect().item()
        _check_schema(schema, roles, kinds, path.name)
        if where is not None:
            _check_where(scan, where, path.name)
        blocks += [Span(path, start, min(rows, n - start)) for start in range(0, n, rows)]
    trials, waves = (_labels(files, name, roles, where) for name in (roles.trials, roles.waves))
    if len(waves) > MOST_WAVES:
        raise ValueError(
            f"waves column {roles.waves!r} has {len(waves)} values, more than {MOST_WAVES}: give"
            " the planned month, or a coarser time"
        )
    return Survey(roles, where, trials, waves, _origin(files, roles, where)), blocks


def _chosen(rows: pl.LazyFrame, roles: Roles, where: pl.Expr | None) -> pl.LazyFrame:
    kept = rows if where is None else rows.filter(where)
    return kept.select(*dict.fromkeys((*roles.labels, *roles.measured)))


def _check_schema(
    schema: pl.Schema, roles: Roles, kinds: dict[str, pl.DataType], file: str
) -> None:
    """Refuse missing or mistyped columns; ``kinds`` gathers the types of labels over files."""
    for name in (*roles.labels, *roles.measured):
        if name not in schema:
            raise ValueError(
                f"{roles.named(name)} is not in {file}, which has {', '.join(schema)}: correct the"
                " name or the file"
            )
    for name in roles.measured:
        if not (schema[name].is_numeric() or schema[name] == pl.Boolean):
            raise ValueError(
                f"{roles.named(name)} holds {schema[name]} in {file}, not numbers: code it as"
                " numbers"
            )
    for name in roles.labels:
        if schema[name].is_nested():
            raise ValueError(
                f"{roles.named(name)} holds {schema[name]} in {file}: give whole numbers or text"
            )
        kind = kinds.setdefault(name, schema[name])
        if schema[name] != kind:
            raise ValueError(
                f"{roles.named(name)} holds {schema[name]} in {file} but {kind} in files before:"
                " write all files with one type"
            )


def _check_where(scan: pl.LazyFrame, where: pl.Expr, file: str) -> None:
    try:
        kind = scan.select(kept=where).collect_schema()["kept"]
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"where cannot be applied to {file} ({error}): correct it") from error
    if kind != pl.Boolean:
        raise ValueError(
            f"where gives {kind} in {file}, not true or false: compare, as in pl.col('month') > 0"
        )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.ComputeError, OSError) as error:
        raise ValueError(
            f"source: {path.name} cannot be read as Parquet ({error}): it may be truncated or not"
            " a Parquet file; write it again"
        ) from error


def _labels(
    files: Sequence[Path], name: str | None, roles: Roles, where: pl.Expr | None
) -> tuple[Any, ...]:
    """The labels that occur in a column, in their order; one None without a column."""
    if name is None:
        return (None,)
    found = set[Any]()
    for path in files:  # one by one, since other columns may differ, and to say which is broken
        rows = _chosen(pl.scan_parquet(path), roles, where).select(name)
        with _explained(path):
            found.update(rows.unique().collect(engine="streaming").to_series())
        if None in found or any(label != label for label in found):  # not even itself: a NaN
            raise ValueError(
                f"{roles.named(name)} is missing in some rows of {path.name}: label them, or leave"
                " them out with where="
            )
    return tuple(sorted(found))


def _origin(files: Sequence[Path], roles: Roles, where: pl.Expr | None) -> Vector:
    """Means of the measured columns in the first rows that count.

    Raises
    ------
    ValueError
        If no row counts.
    """
    numbers = pl.col(roles.measured).cast(pl.Float64)
    for path in files:
        with _explained(path):
            rows = _chosen(pl.scan_parquet(path), roles, where).select(numbers)
            head = rows.head(_HEAD).collect(engine="streaming")
        if head.height:
            with np.errstate(over="ignore", invalid="ignore"):  # refused later, with their rows
                middle = head.to_numpy().mean(axis=0)
            return np.where(np.isfinite(middle), middle, 0.0)
    raise ValueError("source has 0 rows (that where= keeps): there is nothing to estimate")
