"""Finished blocks on disk: one Parquet file each, whole or not there.

A study's folder holds one subfolder a plan, named by the plan's digest, so that plans never mix. In
it ``plan.json`` says what the plan is. A block's file bears in its name the digest of its own bytes
(and of plan and place): a file cut short, changed or put into another folder does not count, and
its block is computed again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from pooledtrials.planning.montecarlo.blocks import Tallies
from pooledtrials.planning.montecarlo.plan import Block, Plan
from pooledtrials.planning.montecarlo.tally import Tally

_NAME: Final = re.compile(r"cell-(\d+)-block-(\d+)\.([0-9a-f]{16})\.parquet")
_STALE_SECONDS: Final = 3600


class Ledger:
    """The blocks of one plan that have been kept.

    Parameters
    ----------
    folder : path of the study's folder, made if it does not exist
    plan : Plan

    Raises
    ------
    ValueError
        If the folder is a file or cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike[str], plan: Plan) -> None:
        record = plan.record()
        self._digest = plan.digest()
        self.path = Path(folder) / self._digest[:16]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            labels = [dict(cell.labels) for cell in plan.cells]
            text = json.dumps({"digest": self._digest, **record, "labels": labels}, indent=1)
            self._write("plan.json", text.encode())
        except (NotADirectoryError, FileExistsError) as error:
            raise ValueError(
                f"folder is {str(folder)!r}, of which some part is a file: give a folder"
            ) from error
        except OSError as error:
            raise ValueError(
                f"folder is {str(folder)!r}, which cannot be written to ({error.strerror}): give"
                " another"
            ) from error
        self._files: dict[tuple[int, int], list[str]] = {}
        for entry in os.scandir(self.path):
            named = _NAME.fullmatch(entry.name)
            if named:
                place = int(named[1]), int(named[2])
                self._files.setdefault(place, []).append(entry.name)
            elif entry.name.endswith(".part") and _old(entry):
                Path(entry.path).unlink(missing_ok=True)  # of a run that was killed

    def read(self, block: Block) -> Tallies | None:
        """The tallies of a block, or None if it was not kept whole; what was not is removed."""
        for name in self._files.pop((block.cell, block.number), []):
            path = self.path / name
            try:
                content = path.read_bytes()
            except OSError:
                continue
            if name == self._name(block, content):
                return _tallies(pl.read_parquet(io.BytesIO(content)))
            path.unlink(missing_ok=True)
        return None

    def write(self, block: Block, tallies: Tallies) -> None:
        """Keep a block.

        Raises
        ------
        OSError
            If the disk is full, or gone.
        """
        buffer = io.BytesIO()
        _table(tallies).write_parquet(buffer, compression="zstd")
        content = buffer.getvalue()
        self._write(self._name(block, content), content)

    def _name(self, block: Block, content: bytes) -> str:
        own = hashlib.sha256(f"{self._digest} {tuple(block)} ".encode() + content).hexdigest()[:16]
        return f"cell-{block.cell:04d}-block-{block.number:05d}.{own}.parquet"

    def _write(self, name: str, content: bytes) -> None:
        """Under its name only once it is whole and on disk."""
        handle, part = tempfile.mkstemp(dir=self.path, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path / name)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


def _old(entry: os.DirEntry[str]) -> bool:
    try:
        return time.time() - entry.stat().st_mtime > _STALE_SECONDS
    except FileNotFoundError:
        return False


def _table(tallies: Tallies) -> pl.DataFrame:
    """A row an outcome; histograms as lists, null where there is none."""
    found = list(tallies.values())
    return pl.DataFrame(
        {
            "outcome": list(tallies),
            "count": [t.count for t in found],
            "missing": [t.missing for t in found],
            "infinite": [t.infinite for t in found],
            "total": [t.total for t in found],
            "square": [t.square for t in found],
            "histogram": [None if t.histogram is None else t.histogram.tolist() for t in found],
        },
        schema_overrides={"histogram": pl.List(pl.Int64)},
    )


def _tallies(table: pl.DataFrame) -> Tallies:
    return {
        row["outcome"]: Tally(
            row["count"],
            row["missing"],
            row["infinite"],
            row["total"],
            row["square"],
            None if row["histogram"] is None else np.array(row["histogram"], dtype=np.int64),
        )
        for row in table.iter_rows(named=True)
    }
