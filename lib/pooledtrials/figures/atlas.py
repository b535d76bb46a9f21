"""Figures of operating characteristics: rejection rates as a map, laws of estimates as fans."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from pooledtrials.figures.style import COLOURS

_SMALL = 8
_DARK = 0.9  # share of the scale from which on writing is white


def rate_map(rates: pd.DataFrame, ax: Axes, xlabel: str, ylabel: str, most: float = 100.0) -> Axes:
    """Draw rates as a map, each written in its field: the darker, the higher.

    Parameters
    ----------
    rates
        In percent. The index goes upwards and the columns to the right; both are numbers.
    ax
        The axis to draw on.
    xlabel, ylabel
        What columns and index are.
    most
        The rate at which the darkest colour is reached.
    """
    values = rates.to_numpy(dtype=float)
    colours = LinearSegmentedColormap.from_list("rates", ["#FFFFFF", COLOURS[0]])
    ax.pcolormesh(values, cmap=colours, vmin=0, vmax=most, edgecolor="white", linewidth=1)
    for (row, column), value in np.ndenumerate(values):
        ax.text(
            column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center", fontsize=_SMALL,
            color="white" if value > _DARK * most else "black",
        )  # fmt: skip
    rows, columns = values.shape
    ax.set_xticks(np.arange(columns) + 0.5, _labels(rates.columns))
    ax.set_yticks(np.arange(rows) + 0.5, _labels(rates.index))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(visible=False)
    ax.tick_params(length=0, labelsize=_SMALL + 0.5)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def quantile_fan(
    quantiles: pd.DataFrame,
    ax: Axes,
    xlabel: str,
    ylabel: str,
    limits: tuple[float, float],
    reference: float = 0.0,
) -> Axes:
    """Draw quantiles of estimates against a setting, as nested bands around their median.

    Parameters
    ----------
    quantiles
        Indexed by setting, whose values become the ticks at equal distances; an odd number of
        columns in order, the first and the last of which make the outer band.
    ax
        The axis to draw on.
    xlabel, ylabel
        What setting and estimates are.
    limits
        Where to cut the vertical axis.
    reference
        The truth, drawn as a thin line.

    Raises
    ------
    ValueError
        If the number of columns is even: there would be no median.
    """
    count = quantiles.shape[1]
    if count % 2 == 0:
        raise ValueError(
            f"quantiles has {count} columns: give an odd number, the median among them"
        )
    places = np.arange(len(quantiles))
    values = quantiles.to_numpy(dtype=float)
    for i in range(count // 2):
        ax.fill_between(
            places, values[:, i], values[:, -1 - i], color=COLOURS[0], alpha=0.22, linewidth=0,
        )  # fmt: skip
    ax.plot(places, values[:, count // 2], color="black", marker="o", markersize=4)
    ax.axhline(reference, color="black", linewidth=0.8, linestyle="--", marker="none")
    ax.set_xticks(places, _labels(quantiles.index))
    ax.tick_params(axis="x", labelsize=_SMALL)
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=limits)
    return ax


def _labels(index: pd.Index[float]) -> list[str]:
    return [f"{value:g}" for value in index]
