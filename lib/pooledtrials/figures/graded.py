"""What an estimator answered in many synthetic pools of several worlds, beside the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.results import interval_line
from pooledtrials.figures.style import COLOURS

_WIDE, _NARROW = (0.05, 0.95), (0.25, 0.75)


def graded(
    replications: pd.DataFrame,
    method: str,
    ax: Axes,
    xlabel: str,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draw the estimates of one method, a row for each world under each instrument.

    A bar joins the quartiles, a thin line the 5th and 95th percentiles, a stroke marks the median
    and a diamond the truth. A world has one colour. What goes on beyond the axis ends in an arrow.

    Parameters
    ----------
    replications
        Columns ``instrument``, ``world``, ``method``, ``estimate`` and ``truth``, many pools each,
        as `pooledtrials.planning.studies.two_worlds` gives them.
    method
        Which of its methods.
    ax
        The axis to draw on.
    xlabel
        What is estimated, with its unit, and that it is synthetic.
    limits
        Where to cut the axis.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    rows = replications[replications["method"] == method]
    if rows.empty:
        known = ", ".join(dict.fromkeys(replications["method"]))
        raise ValueError(f"method is {method!r}: give one of {known}")
    groups = list(rows.groupby(["instrument", "world"], sort=False))
    low, high = limits or (-np.inf, np.inf)
    worlds = list(dict.fromkeys(rows["world"]))
    names = []
    for row, ((instrument, world), group) in enumerate(groups):
        place = len(groups) - 1 - row
        colour = COLOURS[worlds.index(world) % len(COLOURS)]
        estimates = group["estimate"].to_numpy(dtype=float)
        ends = np.quantile(estimates, [*_WIDE, *_NARROW, 0.5])
        interval_line(ax, (ends[0], ends[1]), place, limits, color=colour, linewidth=1.2)
        start, stop = np.clip(ends[2:4], low, high)
        ax.plot((start, stop), (place, place), color=colour, linewidth=6, marker="none",
                solid_capstyle="butt")  # fmt: skip
        if low <= ends[4] <= high:
            ax.plot(ends[4], place, color="black", marker="|", markersize=14, zorder=4)
        ax.plot(
            group["truth"].mean(), place - 0.3, color="black", marker="D", markersize=5,
            markerfacecolor="white", linestyle="none", zorder=5,
        )  # fmt: skip
        names.append(f"{world}, {instrument}")
    ax.axvline(0, color="black", linewidth=0.8, marker="none", zorder=0)
    ax.set_yticks(range(len(names)), names[::-1])
    ax.set(xlabel=xlabel, ylim=(-0.7, len(names) - 0.4))
    if limits is not None:
        ax.set_xlim(*limits)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="y", visible=False)
    return ax
