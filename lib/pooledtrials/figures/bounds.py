"""Figures of bounds: what each assumption leaves of an effect, stacked."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.results import interval_line
from pooledtrials.figures.style import COLOURS

_SMALL = 8
_STYLES = ("--", ":", "-.")


def bounds(
    table: pd.DataFrame,
    ax: Axes,
    xlabel: str,
    limits: tuple[float, float] | None = None,
    estimates: Mapping[str, float] | None = None,
) -> Axes:
    """Draw bounds as stacked bars, the first row of the table on top, with confidence intervals.

    A bar goes from the lower to the upper bound, a thin line on to the confidence limits. Bounds
    that cross are not drawn as a bar: a cross marks each of them, and words say that the
    assumptions are refuted, or that the crossing is within sampling error.

    Parameters
    ----------
    table
        Indexed by assumption, with ``lower`` and ``upper``; ``low`` and ``high`` are confidence
        limits, drawn if there, missing where the interval is empty (`bounds_table`).
    ax
        The axis to draw on.
    xlabel
        What the effect is, with its unit.
    limits
        Where to cut the axis; default just outside everything drawn. A confidence interval that
        goes on beyond it ends in an arrow.
    estimates
        Point estimates to compare with, at most three by name, drawn as vertical lines.

    Raises
    ------
    ValueError
        For more than three estimates: their lines could not be told apart.
    """
    if estimates is not None and len(estimates) > len(_STYLES):
        raise ValueError(f"estimates holds {len(estimates)}: give at most {len(_STYLES)}")
    rows = range(len(table))[::-1]
    for place, row in zip(rows, table.to_dict("records"), strict=True):
        low, high = row.get("low", math.nan), row.get("high", math.nan)
        if not math.isnan(low):
            interval_line(ax, (low, high), place, limits, color="black", linewidth=1, zorder=2)
        lower, upper = row["lower"], row["upper"]
        if lower <= upper:
            ax.barh(
                place, upper - lower, left=lower, height=0.5, color=COLOURS[0], alpha=0.55,
                edgecolor=COLOURS[0], linewidth=1.5, zorder=1,
            )  # fmt: skip
            continue
        ax.plot((lower, upper), (place, place), color=COLOURS[1], linestyle="none", marker="x")
        words = "refuted" if math.isnan(low) else "within sampling error"
        ax.annotate(
            f"bounds cross: {words}", ((lower + upper) / 2, place), xytext=(0, 7), ha="center",
            textcoords="offset points", fontsize=_SMALL, fontstyle="italic",
        )  # fmt: skip
    looks = zip(COLOURS[1:], _STYLES, strict=False)
    for (name, value), (colour, style) in zip((estimates or {}).items(), looks, strict=False):
        ax.axvline(value, color=colour, linestyle=style, linewidth=1.4, marker="none", label=name)
    if estimates:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(estimates))
    ax.axvline(0, color="black", linewidth=0.8, marker="none", zorder=0)
    ax.set_yticks(list(rows), [str(name).replace(" + ", "\n+ ") for name in table.index])
    ax.set(xlabel=xlabel, ylim=(-0.6, len(table) - 0.4))
    if limits is not None:
        ax.set_xlim(*limits)
    ax.grid(axis="y", visible=False)
    return ax
