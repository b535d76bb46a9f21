"""The columns of a panel regression: intercept, cells, controls, exposure, of full rank.

Cells that the intercept, patient effects or one another imply are left out silently, being coded
by us. A control that the cells imply is refused, unless the method takes it out by itself (a
constant control, within patients): then it is reported. An exposure is never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import Codes, Matrix, Vector
from pooledtrials.panels.independence import centred, independent, variation
from pooledtrials.panels.layout import Layout

MEAN = "mean "
"""Prefix of the name of a patient's mean, in regressions that have means as regressors."""


@dataclass(frozen=True, eq=False)
class Design:
    """Columns of full rank.

    Attributes
    ----------
    columns : (rows, k) array; transformed rows, if the method transforms them
    levels : (n, k) array; the same columns before that, controls and exposure about their means
    reported : position of each term that has a name: controls, exposure, their means
    absorbed : names of controls that have nothing left
    n_effects : how many of the columns are indicators of cells or waves
    intercept : whether there is one
    """

    columns: Matrix
    levels: Matrix
    reported: dict[str, int]
    absorbed: tuple[str, ...]
    n_effects: int
    intercept: bool


def index(data: Layout, time: Codes | None = None) -> pd.MultiIndex:
    """Patient and time of each row."""
    times = data.waves if time is None else time
    return pd.MultiIndex.from_arrays([data.patients, times], names=["patient", "time"])


def design(
    data: Layout,
    effects: str,
    method: str,
    *,
    transform: Callable[[Matrix], Matrix] | None = None,
    intercept: bool = True,
    lost: int = 0,
    means: bool = False,
) -> Design:
    """Columns of a regression, of full rank after ``transform``.

    Controls and exposure are taken about their means: every method has an intercept or takes
    levels out.

    Parameters
    ----------
    data : the layout
    effects : ``"trial-wave"``, ``"wave"`` or ``"none"``
    method : for messages
    transform : what the method does to every column; controls may vanish under it
    intercept : whether there is one
    lost : rows' degrees of freedom that the transformation uses up
    means : also each column's patient means, as far as they bring something new

    Raises
    ------
    ValueError
        If the exposure, or a control where nothing is absorbed, is a combination of the other
        columns, or rows are too few.
    """
    ones = np.ones((data.nobs, int(intercept)))
    cells = data.indicators(effects) if effects != "none" else np.empty((data.nobs, 0))
    named = centred(np.column_stack([data.controls, data.x]))
    levels = np.column_stack([ones, cells, named])
    names = [""] * (ones.shape[1] + cells.shape[1]) + [*data.names[1:], data.names[0]]
    if means:
        of_patients = data.patient_means(levels[:, ones.shape[1] :])[data.patients]
        levels = np.column_stack([levels, of_patients])
        names += [MEAN + name if name else "" for name in names[ones.shape[1] :]]
    scales = variation(levels)
    scales[: ones.shape[1]] = np.sqrt(data.nobs)
    # a mean is measured against its own column: means that hardly differ are no comparison
    if means:
        scales[-of_patients.shape[1] :] = scales[ones.shape[1] : -of_patients.shape[1]]
    columns = levels if transform is None else transform(levels)
    kept = independent(columns, scales)
    _refuse_few(columns.shape[0], int(kept.sum()), lost, method)
    gone = [name for name, k in zip(names, kept, strict=True) if name and not k]
    _refuse_dependent(gone, data.names[0], effects, method, transform is None)
    reported = [name for name, k in zip(names, kept, strict=True) if k]
    return Design(
        columns=columns[:, kept],
        levels=levels[:, kept],
        reported={name: j for j, name in enumerate(reported) if name},
        absorbed=tuple(name for name in gone if not name.startswith(MEAN)),
        n_effects=reported.count("") - int(intercept),
        intercept=intercept,
    )


def nested(effects: Codes, clusters: Codes) -> bool:
    """Whether every effect's rows lie in one cluster."""
    pairs = np.unique(effects * (int(clusters.max()) + 1) + clusters)
    return bool(pairs.size == np.unique(effects).size)


def quasi_demeaned(data: Layout, values: Matrix, theta: Vector) -> Matrix:
    """Values less ``theta`` (N,) of their patient's mean."""
    means = data.patient_means(values)
    shares = theta if values.ndim == 1 else theta[:, None]
    return np.asarray(values - (shares * means)[data.patients])


def _refuse_few(rows: int, columns: int, lost: int, method: str) -> None:
    if rows - lost - columns < 1:
        used = f"{columns} columns" + (f" and {lost} patient effects" if lost else "")
        raise ValueError(
            f"y has {rows} rows left under method={method!r}, too few for {used}: at least"
            f" {lost + columns + 1} are needed; use fewer controls, or effects='wave' or 'none'"
        )


def _refuse_dependent(
    gone: list[str], exposure: str, effects: str, method: str, strict: bool
) -> None:
    besides = "" if effects == "none" else f", {effects} effects"
    if exposure in gone:
        raise ValueError(
            f"x ({exposure}) is a linear combination of the controls{besides} and whatever"
            f" method={method!r} takes out: nothing of it is left; drop what spans it"
        )
    if MEAN + exposure in gone:
        raise ValueError(
            f"x ({exposure}) has patient means that the other columns' means explain: there is no"
            " comparison between patients; use method='within'"
        )
    controls = [name for name in gone if not name.startswith(MEAN)]
    if strict and controls:
        raise ValueError(
            f"controls column {', '.join(controls)} is a linear combination of the columns before"
            f" it and of the {effects} effects: drop it"
        )
