"""Figures of what lies behind results: causal diagrams, moments, and repeated simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS

_GREY = "#555555"

# Place and text of each box; dashed boxes are what no analyst observes.
_BOXES: Mapping[str, tuple[float, float, str, bool]] = {
    "facilitation": (0.10, 0.46, "facilitation\n(randomized)", True),
    "attendance": (0.36, 0.46, "meeting days", True),
    "severity": (0.64, 0.46, "severity", False),
    "answers": (0.90, 0.46, "answers to\nthe ASI", True),
    "lasting": (0.25, 0.92, "motivation\nthat lasts", False),
    "changing": (0.54, 0.92, "motivation from\nwave to wave", False),
    "missed": (0.90, 0.92, "interview\nmissed", True),
    "severe": (0.50, 0.06, "severity that lasts", False),
}

# From, to, and how much the arrow bends.
_ARROWS: Sequence[tuple[str, str, float]] = (
    ("facilitation", "attendance", 0),
    ("severity", "answers", 0),
    ("lasting", "attendance", 0),
    ("lasting", "severity", 0),
    ("lasting", "missed", -0.16),
    ("changing", "attendance", 0),
    ("changing", "missed", 0),
    ("severity", "missed", 0),
    ("severe", "attendance", 0),
    ("severe", "severity", 0),
)

# The two arrows in which the worlds differ, with place and side of their names.
_WORLDS: Sequence[tuple[str, str, str, float, float]] = (
    ("attendance", "severity", "works", 0.49, 0.39),
    ("changing", "severity", "selection", 0.67, 0.72),
)


def causal_diagram(ax: Axes) -> Axes:
    """Draw what causes what in the synthetic twin.

    Solid boxes are in the data, dashed ones are not. The two heavy arrows are where the worlds
    differ: meetings lower severity in one, wave-to-wave motivation does in the other.

    Parameters
    ----------
    ax
        The axis to draw on; its frame is taken away.
    """
    box = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": "black"}
    labels = {
        name: ax.text(
            x, y, text, ha="center", va="center", zorder=3,
            bbox={**box, "linestyle": "-" if seen else (0, (4, 2))},
        )
        for name, (x, y, text, seen) in _BOXES.items()
    }  # fmt: skip

    def arrow(start: str, end: str, bend: float, colour: str, width: float) -> None:
        ax.annotate(
            "", xy=_BOXES[end][:2], xytext=_BOXES[start][:2], zorder=2,
            arrowprops={
                "arrowstyle": "-|>", "color": colour, "linewidth": width, "mutation_scale": 14,
                "patchA": labels[start].get_bbox_patch(), "patchB": labels[end].get_bbox_patch(),
                "shrinkA": 1, "shrinkB": 2, "connectionstyle": f"arc3,rad={bend}",
            },
        )  # fmt: skip

    for start, end, bend in _ARROWS:
        arrow(start, end, bend, _GREY, 1.1)
    for (start, end, world, x, y), colour in zip(_WORLDS, COLOURS, strict=False):
        arrow(start, end, 0, colour, 2.6)
        ax.text(x, y, world, color=colour, style="italic", ha="center", va="center")
    ax.set(xlim=(0, 1), ylim=(-0.02, 1.12))
    ax.set_axis_off()
    return ax


def moments(
    frame: pd.DataFrame, ax: Axes, xlabel: str, errors: pd.Series[float] | None = None
) -> Axes:
    """Draw moments of several sources side by side, a row each and a marker per source.

    Parameters
    ----------
    frame
        Indexed by the moment's name, a column per source.
    ax
        The axis to draw on.
    xlabel
        What the moments are, with their unit.
    errors
        Standard errors of the first column, drawn as intervals of two on either side.
    """
    places = np.arange(len(frame))[::-1]
    for place, colour, marker in zip(range(frame.shape[1]), COLOURS, MARKERS, strict=False):
        values = frame.iloc[:, place].to_numpy(dtype=float)
        # Sources that agree would hide each other without a small step aside.
        heights = places + 0.24 * ((frame.shape[1] - 1) / 2 - place)
        spread = None
        if place == 0 and errors is not None:
            spread = 2 * errors.reindex(frame.index).to_numpy(dtype=float)
        ax.errorbar(
            values, heights, xerr=spread, linestyle="none", marker=marker, color=colour,
            markersize=5, capsize=2, elinewidth=1.3, label=str(frame.columns[place]),
        )  # fmt: skip
    ax.set_yticks(places, [str(name) for name in frame.index])
    ax.set(xlabel=xlabel, ylim=(-0.7, len(frame) - 0.3))
    ax.locator_params(axis="x", nbins=6)
    return ax


def replications(
    samples: Mapping[str, Sequence[float] | pd.Series[float]],
    ax: Axes,
    xlabel: str,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draw each result of repeated simulations as a dot, with quartiles and median by group.

    Parameters
    ----------
    samples
        Results by group; a row each, the first on top. A bar joins the quartiles and a stroke
        marks the median.
    ax
        The axis to draw on; set its scale before.
    xlabel
        What the results are, with their unit.
    limits
        Ends of the axis; results beyond them are counted at the edge, beside an arrow.
    """
    low, high = limits or (-np.inf, np.inf)
    for row, (sample, colour) in enumerate(zip(samples.values(), _colours(samples), strict=True)):
        place = len(samples) - 1 - row
        values = np.asarray(sample, dtype=float)
        inside = values[(values >= low) & (values <= high)]
        quartiles = np.clip(np.quantile(values, [0.25, 0.5, 0.75]), low, high)
        heights = place - 0.24 + 0.09 * (np.arange(len(inside)) % 3)
        ax.plot(
            inside, heights, linestyle="none", marker=MARKERS[row % 2], color=colour,
            markersize=4, alpha=0.7,
        )  # fmt: skip
        ax.plot(quartiles[[0, 2]], [place + 0.2] * 2, color=colour, linewidth=4, marker="none")
        ax.plot(quartiles[1], place + 0.2, color="black", marker="|", markersize=13)
        for edge, side, count in (
            (low, "<", int((values < low).sum())),
            (high, ">", int((values > high).sum())),
        ):
            if count:
                _beyond(ax, edge, side, place - 0.15, count, colour)
    ax.set_yticks(range(len(samples)), [str(name) for name in samples][::-1])
    ax.set(xlabel=xlabel, ylim=(-0.6, len(samples) - 0.4))
    if limits is not None:
        ax.set_xlim(*limits)
    if ax.get_xscale() == "linear":
        ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="y", visible=False)
    return ax


def _beyond(ax: Axes, edge: float, side: str, place: float, count: int, colour: str) -> None:
    """Mark an edge with how many results lie beyond it."""
    ax.plot(edge, place, color=colour, marker=side, clip_on=False)
    step, align = (8, "left") if side == "<" else (-8, "right")
    ax.annotate(
        f"{count} beyond", (edge, place), (step, 0), textcoords="offset points", ha=align,
        va="center", fontsize=8, color=colour, bbox={"facecolor": "white", "pad": 0.5, "lw": 0},
    )  # fmt: skip


def _colours(samples: Mapping[str, object]) -> list[str]:
    return [COLOURS[row % 2] for row in range(len(samples))]
