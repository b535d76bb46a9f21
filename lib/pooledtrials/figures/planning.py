"""Figures of trials that are still plans: what they require, cost, and may be expected to show."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS

_STYLES = ("-", "--", ":", "-.")
_SMALL = 8


def requirements(
    steps: pd.DataFrame, ax: Axes, marks: Mapping[str, tuple[float, float]] | None = None
) -> Axes:
    """Draw how far arms must move attendance against the number of patients, a line per demand.

    Both scales are logarithmic, on which every demand is a straight line: half the step takes four
    times the patients.

    Parameters
    ----------
    steps
        Days in thirty, indexed by number of patients, a column per demand, named by it.
    ax
        The axis to draw on.
    marks
        Trials by name: patients and step, drawn as points.
    """
    for column, style, colour in zip(steps, _STYLES, COLOURS, strict=False):
        ax.plot(
            steps.index, steps[column], linestyle=style, color=colour, marker="none",
            label=str(column),
        )  # fmt: skip
    for (name, place), marker in zip((marks or {}).items(), MARKERS, strict=False):
        ax.plot(*place, color="black", marker=marker, linestyle="none", markersize=7)
        ax.annotate(
            name, place, xytext=(8, 3), textcoords="offset points", fontsize=_SMALL, va="center",
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="patients, both arms", ylabel="step (days in 30)")
    patients = [100, 200, 500, 1000, 2000, 5000, 10_000]
    shown = [n for n in patients if steps.index.min() <= n <= steps.index.max()]
    ax.set_xticks(shown, [f"{n:,}".replace(",", "\u202f") for n in shown])
    _plain_ticks(ax, steps)
    ax.legend(fontsize=_SMALL)
    return ax


def by_interviews(strength: pd.DataFrame, ax: Axes, ylabel: str) -> Axes:
    """Draw something positive against the number of follow-up interviews, a line per column.

    The vertical scale is logarithmic: twice as much is as high a step anywhere.

    Parameters
    ----------
    strength
        Indexed by number of interviews of each patient.
    ax
        The axis to draw on.
    ylabel
        What is drawn.
    """
    for column, style, colour, marker in zip(strength, _STYLES, COLOURS, MARKERS, strict=False):
        ax.plot(
            strength.index, strength[column], linestyle=style, color=colour, marker=marker,
            markersize=5, label=str(column),
        )  # fmt: skip
    ax.set(xlabel="follow-up interviews of each patient", ylabel=ylabel, yscale="log")
    ax.set_xticks(strength.index.to_list())
    _plain_ticks(ax, strength)
    ax.legend(fontsize=_SMALL)
    return ax


def costs(table: pd.DataFrame, ax: Axes, ylabel: str) -> Axes:
    """Draw the cost of an adequate trial against its step, each line's cheapest point marked.

    Parameters
    ----------
    table
        Costs, indexed by step in days in thirty, a column per law of costs.
    ax
        The axis to draw on.
    ylabel
        In what cost is counted.
    """
    for column, style, colour, marker in zip(table, _STYLES, COLOURS, MARKERS, strict=False):
        line = table[column]
        ax.plot(table.index, line, linestyle=style, color=colour, marker="none", label=str(column))
        ax.plot(line.idxmin(), line.min(), color=colour, marker=marker, markersize=9)
    ax.set(xlabel="step (days in 30)", ylabel=ylabel, yscale="log")
    _plain_ticks(ax, table)
    ax.legend(fontsize=_SMALL)
    return ax


def foreseen(
    seen: npt.ArrayLike, at: npt.ArrayLike, density: npt.ArrayLike, ax: Axes, xlabel: str
) -> Axes:
    """Draw what many synthetic pools showed as a histogram, and the law foreseen for it as a line.

    Parameters
    ----------
    seen
        One number per pool.
    at, density
        The foreseen density and where it is taken; the histogram goes from the first to the last.
    ax
        The axis to draw on.
    xlabel
        What the numbers are.
    """
    values, places = np.asarray(seen, dtype=float), np.asarray(at, dtype=float)
    edges = np.linspace(places[0], places[-1], 26)
    # shares of all pools, those beyond the axis included
    weights = np.full(values.size, 1 / values.size / (edges[1] - edges[0]))
    ax.hist(
        values, bins=edges.tolist(), weights=weights, color=COLOURS[4], edgecolor="white",
        label="pools",
    )  # fmt: skip
    ax.plot(places, density, color=COLOURS[1], marker="none", label="foreseen")
    ax.set(xlabel=xlabel, ylabel="density", xlim=(places[0], places[-1]))
    ax.grid(axis="x", visible=False)
    ax.legend()
    return ax


def _plain_ticks(ax: Axes, table: pd.DataFrame) -> None:
    """Ticks at 1, 2, 5, 10, ... of a logarithmic vertical axis, written out."""
    low, high = float(table.min().min()), float(table.max().max())
    marks = [step * 10.0**power for power in range(-3, 7) for step in (1, 2, 5)]
    shown = [mark for mark in marks if low <= mark <= high]
    ax.set_yticks(shown, [f"{mark:g}" for mark in shown])
    ax.minorticks_off()
