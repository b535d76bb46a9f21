"""A long panel as a row a patient: every score at every wave, covariates and arms side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pooledtrials.arguments import Codes, Matrix
from pooledtrials.panels.independence import independent, variation


@dataclass(frozen=True, eq=False)
class Column:
    """What one column of the wide form holds: a score at a wave, a covariate, or an arm."""

    name: str
    source: str  # "y", "controls" or "arms"
    place: int  # column of its source
    wave: int = -1  # column of `WideForm.row_of`


@dataclass(frozen=True, eq=False)
class WideForm:
    """The patients that are imputed together.

    Attributes
    ----------
    where : what to call them, such as ``"trial help"``
    values : (N, columns), gaps are nan
    columns : what each column is
    row_of : (N, waves) rows of the long panel, -1 where there is none
    waves : labels of the waves
    """

    where: str
    values: Matrix
    columns: tuple[Column, ...]
    row_of: Codes
    waves: tuple[Any, ...]

    def title(self, column: Column) -> str:
        """The column in an error message."""
        at = f" at wave {self.waves[column.wave]}" if column.source == "y" else ""
        return f"{column.source} column {column.name}{at} in {self.where}"

    def rows_to_fill(self, j: int) -> Iterator[tuple[Codes, Codes]]:
        """Rows of the long panel with a gap in column j, and their patients."""
        gaps = np.isnan(self.values[:, j])
        wave = self.columns[j].wave
        for w in range(self.row_of.shape[1]) if wave < 0 else [wave]:
            patients = np.flatnonzero(gaps & (self.row_of[:, w] >= 0))
            yield self.row_of[patients, w], patients


def wide_form(
    where: str,
    rows: Codes,
    scores: tuple[Matrix, Sequence[str]],
    covariates: tuple[Matrix, Sequence[str]],
    arms: tuple[Codes, Sequence[Any]],
    person: Codes,
    labels: Sequence[Any],
    wave: Codes,
    wave_labels: Sequence[Any],
) -> WideForm:
    """The wide form of some rows; ``labels`` name the rows' patients and set their order."""
    first = np.unique(person[rows], return_index=True)[1]
    by_label = np.argsort(pd.factorize(pd.Series([labels[rows[i]] for i in first]), sort=True)[0])
    unit = np.argsort(by_label)[np.unique(person[rows], return_inverse=True)[1]]
    present, column_of = np.unique(wave[rows], return_inverse=True)
    row_of = np.full((first.size, present.size), -1, dtype=np.intp)
    row_of[unit, column_of] = rows
    one = rows[first[by_label]]  # a row of each patient
    parts: list[Matrix] = []
    columns: list[Column] = []
    for c, name in enumerate(scores[1]):
        for w in range(present.size):
            taken = scores[0][row_of[:, w], c]
            parts.append(np.where(row_of[:, w] >= 0, taken, np.nan))
            columns.append(Column(str(name), "y", c, w))
    for c, name in enumerate(covariates[1]):
        parts.append(covariates[0][one, c])
        columns.append(Column(str(name), "controls", c))
    present_arms = sorted(np.unique(arms[0][one]), key=lambda a: str(arms[1][a]))
    for a in present_arms[1:]:
        parts.append((arms[0][one] == a).astype(float))
        columns.append(Column(str(arms[1][a]), "arms", int(a)))
    form = WideForm(
        where, np.column_stack(parts), tuple(columns), row_of,
        tuple(wave_labels[w] for w in present),
    )  # fmt: skip
    _refuse_unseen(form, arms[0][one], arms[1])
    return form


def usable_columns(form: WideForm, donors: int) -> Codes:
    """Columns for the chained equations: neither constant nor implied by others.

    Raises
    ------
    ValueError
        For an incomplete column that repeats others or was seen in too few patients, and for
        patients of whom nothing is known.
    """
    filled = np.where(np.isnan(form.values), np.nanmean(form.values, axis=0), form.values)
    centred = filled - filled.mean(axis=0)
    spread = variation(filled)
    size = np.linalg.norm(filled, axis=0)
    kept = independent(centred, np.maximum(spread, size))
    gaps = np.isnan(form.values)
    for j in np.flatnonzero(~kept & gaps.any(axis=0)):
        seen = form.values[~gaps[:, j], j]
        if seen.min() < seen.max():
            raise ValueError(
                f"{form.title(form.columns[j])} repeats other columns: leave it or them out"
            )
    seen_in = (~gaps).sum(axis=0)
    for j in np.flatnonzero(kept & gaps.any(axis=0)):
        needed = max(donors, int(kept.sum()) + 1)
        if seen_in[j] < needed:
            raise ValueError(
                f"{form.title(form.columns[j])} was seen in {seen_in[j]} patients, too few for"
                f" {int(kept.sum()) - 1} predictors and {donors} donors: give fewer columns, or"
                " by_arm=False"
            )
    unknown = int(gaps[:, kept].all(axis=1).sum())
    if unknown and gaps.any():
        raise ValueError(
            f"y and controls say nothing about {unknown} patients of {form.where}: leave them out,"
            " or give a covariate that is known of them"
        )
    return np.flatnonzero(kept)


def _refuse_unseen(form: WideForm, arm: Codes, labels: Sequence[Any]) -> None:
    seen = ~np.isnan(form.values)
    for a in np.unique(arm):
        for j in np.flatnonzero(~seen[arm == a].any(axis=0)):
            column = form.columns[j]
            everywhere = not seen[:, j].any()
            whom = "anybody" if everywhere else f"anybody in arm {labels[a]!r}"
            raise ValueError(
                f"{form.title(column)} was not seen in {whom}: nothing shows what it could have"
                " been, so leave out the column, the wave or the trial"
            )
