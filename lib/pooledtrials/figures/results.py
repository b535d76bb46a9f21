"""Figures of results: each function takes a result and an axis, and returns the axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS


def shares(flow: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the share interviewed at each planned month, a line per arm.

    Parameters
    ----------
    flow
        What `pooling.participant_flow` returns for one trial.
    ax
        The axis to draw on.
    """
    for arm, rows in flow.groupby("arm"):
        months = rows.index.get_level_values("wave")
        ax.plot(months, 100 * rows["share"], label=str(arm))
    ax.set(xlabel="planned month of interview", ylabel="interviewed (% of randomized)")
    ax.set(ylim=(0, 103), xticks=sorted(flow.index.get_level_values("wave").unique()))
    ax.legend()
    return ax


def means(summary: pd.DataFrame, ax: Axes, ylabel: str) -> Axes:
    """Draw means with 95 % intervals at each planned month, a line per arm.

    Parameters
    ----------
    summary
        Indexed by arm and wave, with columns ``mean`` and ``se``.
    ax
        The axis to draw on.
    ylabel
        What the means are of, with their unit.
    """
    arms = summary.groupby("arm")
    # Intervals of two arms at one month would hide each other without a small step aside.
    steps = np.linspace(-0.25, 0.25, arms.ngroups)
    for (arm, rows), step, marker in zip(arms, steps, MARKERS, strict=False):
        months = rows.index.get_level_values("wave") + step
        ax.errorbar(
            months, rows["mean"], yerr=1.96 * rows["se"], label=str(arm), marker=marker, capsize=3
        )
    ax.set(xlabel="planned month of interview", ylabel=ylabel)
    ax.set(xticks=sorted(summary.index.get_level_values("wave").unique()))
    ax.set_ylim(bottom=0)
    ax.legend()
    return ax


def intervals(
    estimates: pd.DataFrame, ax: Axes, xlabel: str, limits: tuple[float, float] | None = None
) -> Axes:
    """Draw estimates and their intervals, one line per row, first row on top.

    Parameters
    ----------
    estimates
        Columns ``estimate``, ``low`` and ``high``; the index names the rows.
    ax
        The axis to draw on.
    xlabel
        What is estimated, with its unit.
    limits
        Where to cut the axis. An interval that goes on beyond it ends in an arrow, and an estimate
        beyond it is not drawn.
    """
    places = np.arange(len(estimates))[::-1]
    low, high = limits or (-np.inf, np.inf)
    for place, row in zip(places, estimates.itertuples(), strict=True):
        interval_line(ax, (row.low, row.high), place, limits, color=COLOURS[0])
        if low <= row.estimate <= high:
            ax.plot(row.estimate, place, color=COLOURS[0], marker="o")
    ax.axvline(0, color="black", linewidth=0.8, marker="none")
    ax.set_yticks(places, [str(name) for name in estimates.index])
    ax.set(xlabel=xlabel, ylim=(-0.6, len(estimates) - 0.4))
    if limits is not None:
        ax.set_xlim(*limits)
    ax.grid(axis="y", visible=False)
    return ax


def interval_line(
    ax: Axes,
    ends: tuple[float, float],
    place: float,
    limits: tuple[float, float] | None,
    **line: Any,
) -> None:
    """Draw an interval along one row, with an arrow at each limit it goes on beyond."""
    low, high = limits or (-np.inf, np.inf)
    start, end = max(ends[0], low), min(ends[1], high)
    if start <= end:
        ax.plot((start, end), (place, place), marker="none", **line)
    for outside, edge, arrow in ((ends[0] < low, low, "<"), (ends[1] > high, high, ">")):
        if outside:
            ax.plot(edge, place, color=line["color"], marker=arrow, clip_on=False)


def distributions(
    samples: Sequence[pd.Series], names: Sequence[str], ax: Axes, xlabel: str, width: float
) -> Axes:
    """Draw histograms of several samples on one axis, as outlines in percent of each sample.

    Parameters
    ----------
    samples
        The values; missing ones are left out.
    names
        A name for each sample.
    ax
        The axis to draw on.
    xlabel
        What is measured, with its unit.
    width
        Width of a bin, in that unit; bins start at 0.
    """
    top = max(float(sample.max()) for sample in samples)
    bins = np.arange(0, top + width, width).tolist()
    styles = ("-", "--", ":", "-.")
    for sample, name, style, colour in zip(samples, names, styles, COLOURS, strict=False):
        values = sample.dropna()
        share = np.full(len(values), 100 / len(values))
        ax.hist(
            values, bins=bins, weights=share, histtype="step", linestyle=style, color=colour,
            linewidth=1.8, label=name,
        )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel="interviews (%)")
    ax.legend()
    return ax
