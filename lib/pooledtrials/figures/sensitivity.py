"""Figures of sensitivity: a plane of confounders, and sets against a direct effect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pooledtrials.figures.style import COLOURS, MARKERS

if TYPE_CHECKING:
    from pooledtrials.selection import Contours, ExclusionBreakdown, PlausiblyExogenous

_SMALL = 8
_MARKERS = tuple(marker for marker in MARKERS if marker not in "o^")
"""A circle is no confounder, and an upright triangle one beyond the axis."""
_LINE, _LETTER = 9.5, 4.4
"""Height of a line of small text and width of one of its letters, in points."""
_BOX = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
_TAIL = 10
"""Percent of the plane at either end of the values that gets no line."""


def sensitivity_contours(
    result: Contours, ax: Axes, xlabel: str = "", ylabel: str = "", lines: int = 8
) -> Axes:
    """Draw what is left of a conclusion over the plane of confounders, with benchmarks marked.

    Thin lines join confounders that leave the same value, printed on the line; the dashed one is
    where the conclusion changes. Where a set has no end on that side, the plane is hatched. A
    benchmark beyond the axes sits on the edge as an arrow.

    Parameters
    ----------
    result
        From `selection.contours` or `selection.instrument_contours`.
    ax
        The axis to draw on.
    xlabel, ylabel
        What the shares are of; named after the result if empty.
    lines
        About how many lines to draw.
    """
    x, y, values = 100 * result.r2_exposure, 100 * result.r2_outcome, result.values
    ends = np.where(np.isfinite(values), values, np.nan)
    levels = _levels(ends, result.threshold, lines)
    if len(levels):
        drawn = ax.contour(x, y, ends, levels=levels, colors="#555555", linewidths=0.8)
        # a falling value is dashed by default, which is kept for the threshold here
        drawn.set_linestyle("-")
        ax.clabel(drawn, fontsize=_SMALL, fmt="%.3g")
    if np.nanmin(ends) < result.threshold < np.nanmax(ends):
        border = ax.contour(
            x, y, ends, levels=[result.threshold], colors=COLOURS[1], linewidths=1.8,
            linestyles="--",
        )  # fmt: skip
        ax.clabel(border, fontsize=_SMALL, fmt="%.3g")
    if np.isinf(values).any():
        ax.contourf(
            x, y, np.isinf(values).astype(float), levels=[0.5, 1.5], colors="none", hatches=["///"]
        )
    ax.plot(0, 0, marker="o", color="black", clip_on=False, linestyle="none")
    ax.annotate(
        f"none: {result.unadjusted:.3g}", (0, 0), xytext=(6, 5), textcoords="offset points",
        fontsize=_SMALL, bbox=_BOX,
    )  # fmt: skip
    ax.set(
        xlabel=xlabel or f"share of the {result.explains} explained (%)",
        ylabel=ylabel or "share of the outcome explained (%)",
        xlim=(0, x[-1]),
        ylim=(0, y[-1]),
    )
    ax.grid(visible=False)
    _benchmarks(result, ax)
    return ax


def exclusion(
    result: PlausiblyExogenous,
    ax: Axes,
    xlabel: str,
    ylabel: str,
    limits: tuple[float, float],
    breakdown: ExclusionBreakdown | None = None,
) -> Axes:
    """Draw the set at each direct effect as a bar, and their union as a shaded band.

    A bar that goes on beyond the axis ends in an arrow; an empty set is left out.

    Parameters
    ----------
    result
        From `selection.plausibly_exogenous` or `selection.union_over`.
    ax
        The axis to draw on.
    xlabel
        What the direct effect is, with its unit.
    ylabel
        What the effect is, with its unit.
    limits
        Where to cut the axis of the effect.
    breakdown
        Marked by a dotted line, at both signs if it has none.
    """
    low, high = limits
    for start, end in result.union.intervals:
        if start <= high and end >= low:
            ax.axhspan(max(start, low), min(end, high), color=COLOURS[4], alpha=0.25, linewidth=0)
    for gamma, found in zip(result.gammas, result.sets, strict=True):
        for start, end in found.intervals:
            if start <= high and end >= low:
                cut = (max(start, low), min(end, high))
                ax.plot((gamma, gamma), cut, color=COLOURS[0], linewidth=1.6, marker="none")
            for beyond, edge, arrow in ((start < low, low, "v"), (end > high, high, "^")):
                if beyond:
                    ax.plot(
                        gamma, edge, color=COLOURS[0], marker=arrow, markersize=5, clip_on=False
                    )
    ax.axhline(0, color="black", linewidth=0.8, marker="none")
    if breakdown is not None and math.isfinite(breakdown.value):
        for sign in (breakdown.direction,) if breakdown.direction else (-1, 1):
            place = sign * breakdown.value
            ax.axvline(place, color=COLOURS[1], linestyle=":", marker="none")
            ax.annotate(
                f"{place:.3g}", (place, 1), xycoords=("data", "axes fraction"), xytext=(3, -10),
                textcoords="offset points", fontsize=_SMALL,
            )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=limits)
    ax.grid(axis="x", visible=False)
    return ax


def _levels(values: npt.NDArray[np.float64], threshold: float, lines: int) -> list[float]:
    """Round values over the middle of the range, without the threshold.

    The ends of a set run off to infinity before it loses them, and would take all the lines.
    """
    low, high = np.nanpercentile(values, [_TAIL, 100 - _TAIL]).tolist()
    if not low < high:
        return []
    found = MaxNLocator(lines).tick_values(low, high)
    step = float(found[1] - found[0])
    return [float(v) for v in found if low < v < high and abs(v - threshold) > 0.3 * step]


def _benchmarks(result: Contours, ax: Axes) -> None:
    """Points with their names and values, names moved up where they would cover another."""
    right, top = 100 * float(result.r2_exposure[-1]), 100 * float(result.r2_outcome[-1])
    to_points = 72 / ax.figure.dpi
    origin = to_points * ax.transData.transform((0, 0))
    first = _LETTER * len(f"none: {result.unadjusted:.3g}")
    taken = [(float(origin[0]) + 6, float(origin[0]) + 6 + first, float(origin[1]) + 5)]
    rows = result.benchmarks.sort_values("r2_outcome")
    for i, row in enumerate(rows.itertuples()):
        x, y = 100 * float(row.r2_exposure), 100 * float(row.r2_outcome)
        marker = ">" if x > right else "^" if y > top else _MARKERS[i % len(_MARKERS)]
        place = (min(x, right), min(y, top))
        ax.plot(*place, marker=marker, color="black", clip_on=False, linestyle="none", zorder=5)
        left = place[0] > 0.6 * right
        at = to_points * ax.transData.transform(place)
        width = _LETTER * len(f"{row.label}: {row.value:.3g}")
        start = float(at[0]) + (-8 - width if left else 8)
        shift = -9.0 if place[1] > 0.95 * top else 5.0
        while any(
            start < end and begin < start + width and abs(at[1] + shift - height) < _LINE
            for begin, end, height in taken
        ):
            shift += 2
        taken.append((start, start + width, float(at[1]) + shift))
        ax.annotate(
            f"{row.label}: {row.value:.3g}", place, xytext=(-8 if left else 8, shift),
            textcoords="offset points", fontsize=_SMALL, ha="right" if left else "left",
            bbox=_BOX,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5} if shift > _LINE else None,
        )  # fmt: skip
