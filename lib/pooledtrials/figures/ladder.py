"""The ladder of evidence: every answer to one question on one axis, grouped by what is compared."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes

from pooledtrials.figures.sets import confidence_sets

if TYPE_CHECKING:
    from pooledtrials.selection import Ladder

_SMALL: Final = 8
_WIDEST: Final = 26  # characters of a name before it is broken


def ladder(result: Ladder, ax: Axes, xlabel: str, limits: tuple[float, float]) -> Axes:
    """Draw a ladder, a row per answer, those that trust most on top.

    A line is a confidence set, with an arrow where it goes on beyond the axis; a dot is the
    estimate, if it lies on the axis. Thin lines part the groups, whose names stand at the right.

    Parameters
    ----------
    result
        What `pooledtrials.evidence.ladder_of_evidence` returns.
    ax
        The axis to draw on; about 0.4 inches of height a rung suit it.
    xlabel
        What the effect is, with its unit, and whether the data are synthetic.
    limits
        Where to cut the axis.
    """
    rungs = result.rungs
    names = {textwrap.fill(step.name, _WIDEST): step.found for step in rungs}
    confidence_sets(names, ax, xlabel, limits)
    top = len(rungs) - 1
    started = 0
    for row, step in enumerate(rungs):
        if math.isfinite(step.estimate) and limits[0] <= step.estimate <= limits[1]:
            ax.plot(
                step.estimate, top - row, color="black", marker="o", markersize=7,
                markerfacecolor="white", markeredgewidth=1.6, zorder=5,
            )  # fmt: skip
        if row == top or rungs[row + 1].group != step.group:
            middle = top - (started + row) / 2
            ax.annotate(
                step.group, (1.02, middle), xycoords=("axes fraction", "data"), rotation=270,
                ha="left", va="center", fontsize=_SMALL, fontstyle="italic", annotation_clip=False,
            )  # fmt: skip
            started = row + 1
            if row < top:
                ax.axhline(top - row - 0.5, color="#888888", linewidth=0.7, marker="none")
    ax.tick_params(axis="y", labelsize=_SMALL + 0.5)
    return ax
