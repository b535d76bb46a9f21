"""The forest plot: trials, their means, and where the next trial may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.results import interval_line
from pooledtrials.figures.style import COLOURS

if TYPE_CHECKING:
    from pooledtrials.arguments import Codes
    from pooledtrials.confidence_set import ConfidenceSet
    from pooledtrials.panels import MetaAnalysis

_LARGEST: Final = 160
"""Area in square points of the square of the trial with the largest weight."""
_HALF_HEIGHT: Final = 0.28


def forest(
    result: MetaAnalysis, ax: Axes, xlabel: str, limits: tuple[float, float] | None = None
) -> Axes:
    """Draw trials from the top, then both means as diamonds and the prediction interval as a bar.

    A square's area is its trial's weight in the random-effects mean, which a dotted line carries
    up to the trials. The common effect is the hollow diamond.

    Parameters
    ----------
    result
        What `panels.meta_analysis` returns.
    ax
        The axis to draw on; about 0.35 inches of height a row suit it.
    xlabel
        What the effect is, with its unit.
    limits
        Where to cut the axis. An interval that goes on beyond it ends in an arrow, and an estimate
        beyond it is not drawn.
    """
    rows = len(result.trials) + 3
    places = np.arange(rows)[::-1]
    _trials(ax, result.trials, places[:-3], limits)
    _diamond(ax, result.common.coefficient, result.common_set, 2, limits, "white")
    _diamond(ax, result.random.coefficient, result.random_set, 1, limits, COLOURS[1])
    if result.prediction is None:
        ax.annotate(
            "none with 2 trials", (0.5, 0), xycoords=("axes fraction", "data"), ha="center",
            va="center", fontsize=9, fontstyle="italic",
        )  # fmt: skip
    else:
        low, high = result.prediction.end_points
        interval_line(
            ax, (low, high), 0.0, limits, color=COLOURS[1], linewidth=4, solid_capstyle="butt"
        )
    mean = result.random.coefficient
    if limits is None or limits[0] <= mean <= limits[1]:
        ax.plot((mean, mean), (0, rows - 0.6), color=COLOURS[1], linestyle=":", marker="none",
                linewidth=1.2, zorder=0)  # fmt: skip
    ax.axvline(0, color="black", linewidth=0.8, marker="none", zorder=0)
    ax.axhline(2.5, color="black", linewidth=0.6, marker="none", zorder=0)
    names = [str(name) for name in result.trials.index]
    ax.set_yticks(places, [*names, "common effect", "random effects", "next trial"])
    ax.set(xlabel=xlabel, ylim=(-0.6, rows - 0.4))
    if limits is not None:
        ax.set_xlim(*limits)
    ax.grid(axis="y", visible=False)
    return ax


def _trials(
    ax: Axes, trials: pd.DataFrame, places: Codes, limits: tuple[float, float] | None
) -> None:
    areas = _LARGEST * trials["weight_random"] / trials["weight_random"].max()
    for row, place, area in zip(trials.itertuples(), places, areas, strict=True):
        interval_line(ax, (row.low, row.high), place, limits, color=COLOURS[0])
        if limits is None or limits[0] <= row.estimate <= limits[1]:
            ax.scatter(row.estimate, place, s=area, marker="s", color=COLOURS[0], zorder=3)


def _diamond(
    ax: Axes,
    mean: float,
    found: ConfidenceSet,
    place: float,
    limits: tuple[float, float] | None,
    fill: str,
) -> None:
    """A diamond as wide as the interval, over a line that has arrows where limits cut it."""
    low, high = found.end_points
    interval_line(ax, (low, high), place, limits, color="black", linewidth=0.8)
    heights = (place, place + _HALF_HEIGHT, place, place - _HALF_HEIGHT)
    ax.fill((low, mean, high, mean), heights, facecolor=fill, edgecolor="black", zorder=3)
