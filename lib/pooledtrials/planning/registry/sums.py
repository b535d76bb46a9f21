"""One pass over a registry that need not fit into memory, by any number of workers.

::

    sums = registry_sums(folder, "asi_drug", "ten_days", "facilitated", "asi_drug_baseline",
                         patients="patient", trials="trial", waves="month")
    sums.tsls()                                    # also ols, first_stage, within
    instruments.robust_set(sums.moments(), "CLR")  # and "AR", "K", "J"

Every number is the one that `instruments` and `panels` return for the same rows in memory, with
errors clustered by patient, to the rounding of sums (about ten digits). What one pass cannot do is
whatever draws the rows again: bootstrap, permutation, jackknife, imputation.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import polars as pl

from pooledtrials.arguments import sequence_of, whole
from pooledtrials.planning.montecarlo.dispatch import WINDOW, check_executor, in_turn
from pooledtrials.planning.registry.cross_products import CrossProducts, Shape, cross_products
from pooledtrials.planning.registry.estimates import RegistrySums
from pooledtrials.planning.registry.files import (
    Roles,
    Span,
    Survey,
    parquet_files,
    survey,
)
from pooledtrials.planning.registry.rows import checked_rows

LARGEST: Final = 2**29
"""Bytes that the sums may take."""

AHEAD: Final = 4 * LARGEST
"""Bytes that sums of blocks may take that are under way or wait for their turn."""


@dataclass(frozen=True, eq=False)
class _Part:
    """One block: sums of the patients inside it, the rows of those at its ends."""

    block: Span
    sums: CrossProducts
    edges: pl.DataFrame
    first: Any
    last: Any


def registry_sums(
    source: str | Path,
    y: str,
    x: str,
    z: str | Sequence[str] = (),
    controls: str | Sequence[str] = (),
    *,
    patients: str,
    trials: str | None = None,
    waves: str | None = None,
    where: pl.Expr | None = None,
    rows: int = 2**20,
    executor: Executor | None = None,
) -> RegistrySums:
    """Sum up a registry in one pass, so that regressions clustered by patient need no other.

    The labels of trials and waves are listed first, then every block is read once. Memory is
    bounded by the rows of a block, times the workers, and by the sums, whose size does not depend
    on the number of patients: where they are large, few blocks are handed to an executor at once.

    Parameters
    ----------
    source
        A folder of Parquet files, or one file, sorted by patient: a patient's rows stand together,
        possibly on both sides of a file's end, and files do not overlap. This is checked.
    y, x
        Columns of outcome and exposure.
    z, controls
        Columns of instruments and covariates, any number. They may change within patients.
    patients
        Column of the patients, each known by one label in all trials and files. Errors are
        clustered by it.
    trials, waves
        Columns of the strata, any labels. The number of products grows with the square of the
        number of waves (for `RegistrySums.within`), so give months, not dates.
    where
        Which rows count, such as ``polars.col("month") > 0``; all by default.
    rows
        Rows in a block.
    executor
        Where blocks are summed up, such as threads, processes or Dask's ``client.get_executor()``,
        whose workers must see the same files; here, one after the other, without one. The result
        does not depend on it.

    Returns
    -------
    RegistrySums

    Raises
    ------
    FileNotFoundError
        If there is no such folder or file.
    ValueError
        If it holds no rows, a file cannot be read, columns are missing, mistyped or named twice;
        for missing or infinite values, patients in several trials or twice at one wave, files that
        are not sorted by patient; if the sums would be too large, or for what is no executor.
    RunStopped
        If the executor fails.
    """
    roles = Roles(y, x, _names(z, "z"), _names(controls, "controls"), patients, trials, waves)
    twice = sorted({name for name in roles.measured if roles.measured.count(name) > 1})
    if twice:
        raise ValueError(f"{roles.named(twice[0])} is named twice among y, x, z and controls")
    rows = whole(rows, "rows", 1)
    check_executor(executor)
    known, blocks = survey(parquet_files(source), roles, where, rows)
    shape = Shape(len(known.trials), len(known.waves), len(roles.measured), len(roles.z))
    if shape.bytes > LARGEST:
        raise ValueError(
            f"waves, z and controls make {shape.plain.count} and {shape.within.count} products a"
            f" patient in {shape.trials} trials, whose sums take {shape.bytes / 2**30:.1f} GiB:"
            " give a coarser time, fewer columns or fewer trials"
        )
    work = partial(_part, known=known, shape=shape)
    total = CrossProducts.zero(shape.trials, shape.plain, shape.within)
    ends: list[_Part] = []
    window = min(WINDOW, AHEAD // shape.bytes)
    found = map(work, blocks) if executor is None else in_turn(work, blocks, executor, window)
    for part in found:
        if part is not None:
            total = total + part.sums
            ends.append(part)
    return RegistrySums(total + _joined(ends, known, shape), known, shape)


def _names(given: str | Sequence[str], name: str) -> tuple[str, ...]:
    return sequence_of(str, given, name, "a column's name or a sequence of them", alone=True)


def _part(block: Span, known: Survey, shape: Shape) -> _Part | None:
    """Sum up a block, except for its first and last patient, who may go on in another."""
    frame = known.read(block)
    if frame.is_empty():
        return None
    rows = checked_rows(frame, known, block)
    n, column = rows.starts.size, frame[known.roles.patients]
    edges = frame
    if n > 1:
        edges = _copied(pl.concat([frame[: int(rows.starts[1])], frame[int(rows.starts[-1]) :]]))
    sums = cross_products(rows, shape, 1, max(n - 1, 1))
    return _Part(block, sums, edges, column[0], column[-1])


def _copied(few: pl.DataFrame) -> pl.DataFrame:
    """The same rows without the block they are a view of, which would stay in memory with them."""
    return pl.DataFrame(few.to_dict(as_series=False), schema=few.schema)


def _joined(parts: list[_Part], known: Survey, shape: Shape) -> CrossProducts:
    """Sums of the patients at the ends of blocks, put together from their pieces.

    Raises
    ------
    ValueError
        If blocks overlap, so that a patient may be in two places that are not neighbours.
    """
    parts = sorted(parts, key=lambda part: (part.first, part.last))
    for before, after in pairwise(parts):
        if after.first < before.last:
            raise ValueError(
                f"source is not sorted by {known.roles.patients!r} over its files: patients"
                f" {before.first!r} to {before.last!r} are in {before.block},"
                f" {after.first!r} to {after.last!r} in {after.block}, and a patient in both would"
                f" count twice: sort it first, as with"
                f" pl.scan_parquet(source).sort({known.roles.patients!r}).sink_parquet(...)"
            )
    edges = pl.concat([part.edges for part in parts])
    return cross_products(checked_rows(edges, known, "where blocks of rows meet"), shape)
