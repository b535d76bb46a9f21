"""Figures of designs and of records: who was seen when, and the shape of what they answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pooledtrials.figures.style import COLOURS

if TYPE_CHECKING:
    from pooledtrials.pooling import Specification

_HATCHES = ("", "///", "...", "xxx", "\\\\\\")
_FILLS = (COLOURS[0], "#F5DCC8", "#CFE8DF", "#F0D9E6", "#DDDDDD")
_SMALL = 8


def timeline(
    specifications: Iterable[Specification], ax: Axes, facilitation: Mapping[str, float]
) -> Axes:
    """Draw the planned interviews of several trials, a row each, first trial on top.

    Parameters
    ----------
    specifications
        The trials; each is named by its ``trial``.
    ax
        The axis to draw on.
    facilitation
        For how many months from randomization each trial facilitated attendance. A trial whose
        duration is not known is left out of the mapping and gets a question mark.
    """
    trials = list(specifications)
    for place, trial in zip(range(len(trials))[::-1], trials, strict=True):
        months = [wave.month for wave in trial.waves]
        if trial.trial in facilitation:
            ax.barh(place, facilitation[trial.trial], height=0.5, color=COLOURS[5], alpha=0.55)
        else:
            ax.text(0.25, place + 0.18, "?", fontsize=12, color="black")
        ax.plot(months, [place] * len(months), color=COLOURS[0], marker="o", linewidth=1.2)
    ax.set_yticks(range(len(trials))[::-1], [trial.trial for trial in trials])
    last = max(wave.month for trial in trials for wave in trial.waves)
    ax.set(xlabel="months since randomization", ylim=(-0.7, len(trials) - 0.4))
    ax.set_xticks(range(0, last + 1, 3))
    ax.set_xlim(left=-0.25)
    ax.grid(axis="y", visible=False)
    keys = [
        Line2D([], [], color=COLOURS[0], marker="o", linewidth=1.2, label="planned interview"),
        Patch(color=COLOURS[5], alpha=0.55, label="facilitation"),
    ]
    ax.legend(handles=keys, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax


def flow(counts: pd.DataFrame, ax: Axes, name: str) -> Axes:
    """Draw what became of each planned interview of one trial, a stacked bar per wave.

    Parameters
    ----------
    counts
        Interviews, indexed by planned month, a column for each thing that can become of one; the
        first column, the interviews held, is written into its bar. Each row adds up to the
        patients randomized.
    ax
        The axis to draw on.
    name
        The trial's name, written inside the axis.
    """
    places = np.arange(len(counts))
    bottom = np.zeros(len(counts))
    for column, fill, hatch in zip(counts, _FILLS, _HATCHES, strict=False):
        heights = counts[column].to_numpy(dtype=float)
        ax.bar(
            places, heights, bottom=bottom, width=0.85, color=fill, hatch=hatch,
            edgecolor="#555555", linewidth=0.5, label=str(column),
        )  # fmt: skip
        bottom += heights
    for place, held in enumerate(counts.iloc[:, 0]):
        ax.text(
            place, 0.04 * bottom.max(), str(int(held)), ha="center", color="white",
            fontsize=_SMALL, rotation=90 if len(counts) > 6 else 0,
        )  # fmt: skip
    ax.set_xticks(places, [str(month) for month in counts.index])
    ax.set(xlabel="planned month", ylabel="patients", ylim=(0, 1.2 * bottom.max()))
    ax.text(0.02, 0.97, name, transform=ax.transAxes, va="top", fontweight="bold")
    ax.grid(axis="x", visible=False)
    return ax


def answers(values: pd.Series, ax: Axes, name: str) -> Axes:
    """Draw how often each value of attendance occurs, in whole days per 30.

    Parameters
    ----------
    values
        Meeting days per 30, from 0 to 30; missing ones are left out.
    ax
        The axis to draw on.
    name
        What the values are, written inside the axis.
    """
    known = values.dropna()
    share = np.full(len(known), 100 / len(known))
    ax.hist(known, bins=np.arange(-0.5, 31).tolist(), weights=share, color=COLOURS[0])
    ax.set(xlabel="meeting days per 30", ylabel="answers (%)", xlim=(-1, 31))
    ax.text(0.5, 0.97, name, transform=ax.transAxes, va="top", ha="center", fontweight="bold")
    ax.grid(axis="x", visible=False)
    return ax


def expected_strength(curves: pd.DataFrame, ax: Axes, usual: float = 10.0) -> Axes:
    """Draw the expected first-stage F against the number of patients, a line per instrument.

    Parameters
    ----------
    curves
        Expected F, indexed by number of patients, a column per instrument, named by it.
    ax
        The axis to draw on.
    usual
        The F that a rule of thumb asks for, drawn as a dashed line.
    """
    styles = ("-", "--", ":", "-.")
    for column, style, colour in zip(curves, styles, COLOURS, strict=False):
        ax.plot(
            curves.index, curves[column], linestyle=style, color=colour, marker="none",
            label=str(column),
        )  # fmt: skip
    ax.axhline(usual, color="black", linewidth=0.8, marker="none")
    ax.annotate(
        f"F = {usual:g}", (curves.index[-1], usual), xytext=(0, 3), textcoords="offset points",
        ha="right", fontsize=_SMALL,
    )  # fmt: skip
    ax.set(xlabel="patients followed, both arms", ylabel="expected F", yscale="log")
    marks = [1, 2, 5, 10, 20, 50]
    ax.set_yticks(marks, [str(mark) for mark in marks])
    ax.minorticks_off()
    ax.legend()
    return ax
