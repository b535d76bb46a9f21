"""Rows of whole patients as numbers and codes, checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from pooledtrials.arguments import Codes, Matrix, Vector
from pooledtrials.planning.registry.files import Survey

FARTHEST: Final = 1e70
"""Distance from its origin that a value may have: the sums hold fourth powers."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked rows of N patients, each patient's together.

    Attributes
    ----------
    values : (columns, n) array of the measured columns, counted from their origin
    cells : (n,) codes of the waves
    starts : (N,) position of each patient's first row
    trials : (N,) codes of the patients' trials
    """

    values: Matrix
    cells: Codes
    starts: Codes
    trials: Codes

    @cached_property
    def ends(self) -> Codes:
        """(N,) position after each patient's last row."""
        return np.append(self.starts[1:], self.values.shape[1])


def checked_rows(frame: pl.DataFrame, known: Survey, place: object) -> Rows:
    """Rows sorted by patient as numbers and codes.

    Raises
    ------
    ValueError
        For missing, infinite or huge values, rows that are not sorted by patient, or a patient in
        two trials; it names the ``place``.
    """
    roles, n = known.roles, frame.height
    patients = frame[roles.patients]
    missing = patients.null_count()
    if patients.dtype.is_float():
        missing += int(patients.is_nan().sum())
    if missing:
        raise ValueError(
            f"{roles.named(roles.patients)} is missing in {missing} of {n} rows"
            f" ({place}): label them, or leave them out with where="
        )
    if not patients.is_sorted():
        raise ValueError(
            f"source is not sorted by {roles.patients!r} ({place}), and one pass needs the rows of"
            " a patient together: sort it first, as with"
            f" pl.scan_parquet(source).sort({roles.patients!r}).sink_parquet(...)"
        )
    values = np.empty((len(roles.measured), n))
    for j, name in enumerate(roles.measured):
        column = frame[name].cast(pl.Float64).to_numpy()
        np.subtract(column, known.origin[j], out=values[j])
        # False too if a value is missing; which rows, only if something is wrong
        if not (values[j].min() > -FARTHEST and values[j].max() < FARTHEST):
            _refuse(column, roles.named(name), place)
    starts = _changes(patients)
    trials, cells = np.zeros(starts.size, dtype=np.intp), np.zeros(n, dtype=np.intp)
    if roles.trials:
        labels = frame[roles.trials]
        split = np.setdiff1d(_changes(labels), starts, assume_unique=True)
        if split.size:
            raise ValueError(
                f"trials column {roles.trials!r}: {split.size} patients change their trial, the"
                f" first {patients[int(split[0])]!r} ({place}): name patients apart by trial, or"
                " correct the rows"
            )
        trials = _codes(labels.gather(starts), known.trials)
    if roles.waves:
        cells = _codes(frame[roles.waves], known.waves)
    return Rows(values, cells, starts, trials)


def _changes(column: pl.Series) -> Codes:
    """Where a value differs from the one before; the first position is one."""
    run = column.rle_id().to_numpy()
    return np.concatenate([[0], 1 + np.flatnonzero(run[1:] != run[:-1])]).astype(np.intp)


def _codes(column: pl.Series, labels: tuple[Any, ...]) -> Codes:
    codes = column.replace_strict(list(labels), list(range(len(labels))), return_dtype=pl.Int64)
    return codes.to_numpy().astype(np.intp, copy=False)


def _refuse(column: Vector, name: str, place: object) -> None:
    missing, infinite = int(np.isnan(column).sum()), int(np.isinf(column).sum())
    what, how_many, remedy = "infinite", infinite, "correct them"
    if missing:
        what, how_many, remedy = "missing", missing, "impute"
    elif not infinite:
        what, how_many = f"beyond {FARTHEST:g}", int((np.abs(column) > FARTHEST / 2).sum())
    raise ValueError(
        f"{name} is {what} in {how_many} of {column.size} rows ({place}): leave those rows out with"
        f" where=, or {remedy}"
    )
