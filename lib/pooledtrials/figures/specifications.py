"""The figure of a specification curve: all estimates in order, and the choices behind each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS

if TYPE_CHECKING:
    from pooledtrials.panels import JointTest, SpecificationCurve

_GREY: Final = "#6E6E6E"
_SMALL: Final = 8.5


def specification_curve(
    curve: SpecificationCurve,
    axes: Sequence[Axes],
    ylabel: str,
    *,
    truth: float | None = None,
    null: JointTest | None = None,
    narrow: bool = False,
) -> tuple[Axes, Axes]:
    """Draw estimates from the smallest to the largest, and below each the options that made it.

    Intervals that leave 0 out are told by colour and by marker: triangles that point down are
    below 0, triangles that point up above it, hollow circles neither. Specifications that could not
    be estimated have no place in the order; how many there are is written below.

    Parameters
    ----------
    curve
        What `panels.specification_curve` returns, of up to several hundred specifications.
    axes
        Two, one above the other, such as ``plt.subplots(2, 1, height_ratios=(2, 3))[1]``. The lower
        one suits 0.17 inches of height for each option and each choice, twice that if narrow.
    ylabel
        What the estimates are, with their unit.
    truth
        The effect, where it is known because the data are synthetic; drawn as a dashed line.
    null
        What a joint test of the curve returns. The band holds, at each rank, the middle 95 % of
        estimates under its null, or whatever the curve's level is.
    narrow
        Whether options are named above their dots and not beside them, for a narrow screen.

    Raises
    ------
    ValueError
        If there are not two axes, or the test is of another curve.
    """
    if len(axes) != 2:
        raise ValueError(f"axes has {len(axes)} axes: give two, for estimates and for choices")
    above, below = axes
    ordered = curve.ordered()
    places = np.arange(1, len(ordered) + 1)
    if null is not None:
        if len(null.band) != len(ordered):
            raise ValueError(
                f"null has {len(null.band)} ranks, but the curve has {len(ordered)} estimates:"
                " give the joint test of this curve"
            )
        above.fill_between(
            places, null.band["low"], null.band["high"], color="#D9D9D9", linewidth=0, zorder=0,
            label=f"{100 * curve.level:g} % of curves under the null",
        )  # fmt: skip
    points = 72 * above.bbox.width / above.figure.dpi
    size = float(np.clip(points / len(ordered), 1.5, 6))
    for rows, label, style in _kinds(ordered):
        above.vlines(
            places[rows], ordered["low"][rows], ordered["high"][rows], color=style["color"],
            linewidth=min(1.4, size / 3), alpha=0.55,
        )  # fmt: skip
        above.plot(
            places[rows], ordered["estimate"][rows], linestyle="none", markersize=size, label=label,
            **style,
        )  # fmt: skip
    above.axhline(0, color="black", linewidth=0.8, marker="none", zorder=1)
    if truth is not None:
        above.axhline(
            truth, color="black", linewidth=1.2, linestyle="--", marker="none", label="truth",
        )  # fmt: skip
    above.set(ylabel=ylabel, xticks=[], xlim=(0, len(ordered) + 1))
    above.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=1 if narrow else 3, fontsize=_SMALL,
        borderaxespad=0, handletextpad=0.3, columnspacing=1.2,
    )  # fmt: skip
    above.grid(axis="x", visible=False)
    _dashboard(curve, ordered, below, min(size, 4.0), narrow)
    return above, below


def _kinds(ordered: pd.DataFrame) -> list[tuple[pd.Series[bool], str, dict[str, Any]]]:
    """Rows that are there of each kind, its name in the legend and its style."""
    low, high = ordered["high"] < 0, ordered["low"] > 0
    kinds = [
        (low, "interval below 0", {"color": COLOURS[0], "marker": "v"}),
        (~(low | high), "interval with 0", {"color": _GREY, "marker": "o", "mfc": "white"}),
        (high, "interval above 0", {"color": COLOURS[1], "marker": "^"}),
    ]
    return [(rows, label, style) for rows, label, style in kinds if rows.any()]


def _dashboard(
    curve: SpecificationCurve, ordered: pd.DataFrame, ax: Axes, size: float, narrow: bool
) -> None:
    """A line of dots for each option, under the name of its choice."""
    places = np.arange(1, len(ordered) + 1)
    step = 2.0 if narrow else 1.0
    line, ticks = 0.0, []
    for choice, options in curve.choices.items():
        ticks.append((line, choice, True))
        for option in options:
            line += step
            if narrow:
                ax.annotate(
                    option, (0, line - 0.8), xycoords=("axes fraction", "data"), va="center",
                    fontsize=_SMALL,
                )  # fmt: skip
            else:
                ticks.append((line, option, False))
            ax.axhline(line, color="#EEEEEE", linewidth=0.8, marker="none", zorder=0)
            chosen = ordered[choice] == option
            for rows, _, style in _kinds(ordered):
                ax.plot(
                    places[rows & chosen], np.full(int((rows & chosen).sum()), line),
                    linestyle="none", markersize=size, markeredgewidth=size / 5, **style,
                )  # fmt: skip
        line += 1.4
    if narrow:
        for at, name, _ in ticks:
            ax.annotate(
                name, (0, at), xycoords=("axes fraction", "data"), va="center", weight="bold",
                fontsize=_SMALL,
            )  # fmt: skip
        ax.set_yticks([])
    else:
        ax.set_yticks([at for at, *_ in ticks], [name for _, name, _ in ticks], fontsize=_SMALL)
        # Not get_yticklabels, which leaves out the labels that a shared axis hides.
        for tick, (*_, heading) in zip(ax.yaxis.get_major_ticks(), ticks, strict=True):
            tick.label1.set_fontweight("bold" if heading else "normal")
    missing = len(curve.failed)
    count = f"{len(ordered)} specifications, by their estimate"
    ax.set_xlabel(f"{count}; {missing} more have none" if missing else count, fontsize=_SMALL)
    ax.set(ylim=(line - 0.6, -0.8), xlim=(0, len(ordered) + 1), xticks=[])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False)
