"""Figures of what grows with a data set, and of what does not."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS

_STYLES = ("-", "--", ":", "-.")
_APART = 1.09  # ratio of places of neighbouring intervals, which would hide each other


def growth(table: pd.DataFrame, ax: Axes, xlabel: str, ylabel: str) -> Axes:
    """Draw something positive against a size, a line per column, both scales logarithmic.

    What grows in proportion to the size is a line of slope one; what does not grow is level.

    Parameters
    ----------
    table
        Indexed by size; missing values leave gaps.
    ax
        The axis to draw on.
    xlabel, ylabel
        What the size is, and what is drawn, with their units.
    """
    for i, column in enumerate(table):
        ax.plot(
            table.index, table[column], linestyle=_STYLES[i % 4], color=COLOURS[i % 6],
            marker=MARKERS[i % 6], markersize=5, label=str(column),
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.minorticks_off()
    ax.legend()
    return ax


def narrowing(
    table: pd.DataFrame,
    methods: Mapping[str, str],
    ax: Axes,
    xlabel: str,
    ylabel: str,
    truth: float | None = None,
) -> Axes:
    """Draw how intervals at 95 % narrow as data grow, and around what.

    Parameters
    ----------
    table
        Indexed by size. Estimates have a column each, and standard errors one whose name ends in
        ``_se`` besides.
    methods
        Column of the estimates of each method, by the name to show.
    ax
        The axis to draw on.
    xlabel, ylabel
        What the size is, on a logarithmic scale, and what is estimated, with their units.
    truth
        Drawn as a dashed line.
    """
    sizes = table.index.to_numpy(dtype=float)
    for i, (method, column) in enumerate(methods.items()):
        ax.errorbar(
            sizes * _APART ** (2 * i - len(methods) + 1), table[column].to_numpy(),
            yerr=1.96 * table[f"{column}_se"].to_numpy(), color=COLOURS[i % 6],
            marker=MARKERS[i % 6], markersize=5, linestyle="none", capsize=3, label=method,
        )  # fmt: skip
    if truth is not None:
        ax.axhline(truth, color="black", linestyle="--", linewidth=1.2, marker="none", zorder=1.5)
    ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.minorticks_off()
    ax.legend()
    return ax
