"""Figures of confidence sets and tests: honest about holes, infinite ends and empty sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS

if TYPE_CHECKING:
    from pooledtrials.instruments import ConfidenceSet, WeakInstrumentReport

_LINES = ("-", "--", ":", "-.")
_SMALL = 8


def confidence_sets(
    sets: Mapping[str, ConfidenceSet], ax: Axes, xlabel: str, limits: tuple[float, float]
) -> Axes:
    """Draw confidence sets of any shape, a row each, first row on top.

    A piece that goes on beyond the axis ends in an arrow, one that ends has a cap. A hole stays
    empty, and so does an empty set, which says so in words.

    Parameters
    ----------
    sets
        The sets by name.
    ax
        The axis to draw on.
    xlabel
        What the effect is, with its unit.
    limits
        Where to cut the axis.
    """
    low, high = limits
    places = range(len(sets))[::-1]
    for place, found, colour in zip(places, sets.values(), _cycle(len(sets)), strict=True):
        if not found.intervals:
            ax.text(
                (low + high) / 2, place, "empty: no effect is left", ha="center", va="center",
                fontsize=9, fontstyle="italic",
            )  # fmt: skip
        for start, end in found.intervals:
            _piece(ax, (start, end), place, limits, colour)
    if low <= 0 <= high:
        ax.axvline(0, color="black", linewidth=0.8, marker="none", zorder=0)
    ax.set_yticks(list(places), [str(name) for name in sets])
    ax.set(xlabel=xlabel, xlim=limits, ylim=(-0.6, len(sets) - 0.4))
    ax.grid(axis="y", visible=False)
    return ax


def p_values(
    curves: pd.DataFrame, ax: Axes, xlabel: str, level: float = 0.95, names: Sequence[str] = ()
) -> Axes:
    """Draw p-values against the effect tested, a line per test; a set is where its line is high.

    Parameters
    ----------
    curves
        Columns ``effect`` and one per test, as `WeakInstrumentReport.curves` returns them.
    ax
        The axis to draw on.
    xlabel
        What the effect is, with its unit.
    level
        Level of the sets; a thin line marks one minus it.
    names
        The columns to draw; all of them if none is named.
    """
    chosen = list(names) or [str(c) for c in curves.columns if c != "effect"]
    for name, style, colour in zip(chosen, _LINES, COLOURS, strict=False):
        ax.plot(
            curves["effect"], curves[name], linestyle=style, color=colour, marker="none", label=name
        )
    ax.axhline(1 - level, color="black", linewidth=0.8, marker="none")
    ax.annotate(
        f"{1 - level:.2g}", (1, 1 - level), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", fontsize=_SMALL, annotation_clip=False,
    )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel="p-value", ylim=(0, 1.02))
    ax.set_xlim(curves["effect"].min(), curves["effect"].max())
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(chosen))
    return ax


def weak_instrument_report(
    report: WeakInstrumentReport,
    axes: Sequence[Axes],
    xlabel: str,
    limits: tuple[float, float] | None = None,
) -> tuple[Axes, Axes]:
    """Draw a report: p-values of its tests above, its confidence sets below, on one scale.

    Parameters
    ----------
    report
        What `instruments.weak_instrument_report` returns.
    axes
        The axis for the p-values and the one for the sets, one above the other.
    xlabel
        What the effect is, with its unit.
    limits
        Where to cut both axes; default somewhat beyond every finite end of a set.
    """
    above, below = axes
    low, high = limits or (math.nan, math.nan)
    curves = report.curves(lower=low, upper=high)
    # with one instrument the tests are one, and their lines would hide each other
    names = ("AR", "Wald") if report.n_instruments == 1 else ()
    p_values(curves, above, "", report.level, names)
    above.tick_params(labelbottom=False)
    ends = (float(curves["effect"].min()), float(curves["effect"].max()))
    confidence_sets({"2SLS Wald interval": report.wald, **report.sets}, below, xlabel, ends)
    return above, below


def against_strength(
    table: pd.DataFrame,
    ax: Axes,
    ylabel: str,
    xlabel: str = "mean first-stage F",
    reference: float = math.nan,
) -> Axes:
    """Draw what a procedure does, against the strength of the instruments, a line per column.

    Parameters
    ----------
    table
        Indexed by strength (mean F), a column per procedure or setting; missing values leave gaps.
    ax
        The axis to draw on.
    ylabel
        What the columns are, with their unit.
    xlabel
        What the index is.
    reference
        A value to compare with, drawn as a thin line; none if missing.
    """
    for i, column in enumerate(table):
        ax.plot(
            table.index, table[column], linestyle=_LINES[i % 4], color=COLOURS[i % 6],
            marker=MARKERS[i % 6], markersize=5, label=str(column),
        )  # fmt: skip
    if math.isfinite(reference):
        ax.axhline(reference, color="black", linewidth=0.8, marker="none", zorder=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log")
    ticks = [value for value in table.index if value > 0]
    ax.set_xticks(ticks, [f"{value:g}" for value in ticks])
    ax.minorticks_off()
    ax.legend()
    return ax


def _piece(
    ax: Axes, piece: tuple[float, float], place: float, limits: tuple[float, float], colour: str
) -> None:
    """One piece of a set, or an arrow at the edge if all of it lies beyond."""
    low, high = limits
    start, end = max(piece[0], low), min(piece[1], high)
    if start <= end:
        ax.plot((start, end), (place, place), color=colour, linewidth=3, marker="none")
    for value, edge, outside, arrow in (
        (piece[0], low, piece[0] < low, "<"),
        (piece[1], high, piece[1] > high, ">"),
    ):
        if outside:
            ax.plot(edge, place, color=colour, marker=arrow, markersize=8, clip_on=False)
        elif low <= value <= high:
            ax.plot(value, place, color=colour, marker="|", markersize=11, markeredgewidth=2)


def _cycle(count: int) -> list[str]:
    return [COLOURS[row % 2] for row in range(count)]
