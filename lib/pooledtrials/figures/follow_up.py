"""Figures of missing follow-up: who was still there, and what it takes to change a conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS

if TYPE_CHECKING:
    from pooledtrials.panels import FollowUp, TippingPoint

_SMALL = 8


def follow_up_patterns(result: FollowUp, axes: Sequence[Axes], xlabel: str = "") -> Sequence[Axes]:
    """Draw the share interviewed at each wave with 95 % intervals, a line per arm, an axis a trial.

    Parameters
    ----------
    result
        From `panels.follow_up`.
    axes
        An axis for each trial, in the order of ``result.shares``, with a common y scale.
    xlabel
        What the waves are, with their unit; planned months if empty.

    Raises
    ------
    ValueError
        If there are not as many axes as trials.
    """
    trials = list(dict.fromkeys(result.shares.index.get_level_values("trial")))
    if len(axes) != len(trials):
        raise ValueError(f"axes has {len(axes)} for {len(trials)} trials: give one for each")
    lowest = 100 * float((result.shares["share"] - 1.96 * result.shares["standard_error"]).min())
    for trial, ax in zip(trials, axes, strict=True):
        arms = result.shares.loc[trial].groupby(level="arm", sort=False)
        # a small step aside, since intervals of two arms would hide each other
        waves = result.shares.loc[trial].index.get_level_values("wave")
        steps = 0.01 * float(np.ptp(waves)) * (np.arange(arms.ngroups) - (arms.ngroups - 1) / 2)
        for i, (arm, rows) in enumerate(arms):
            share, half = 100 * rows["share"], 196 * rows["standard_error"]
            ax.errorbar(
                rows.index.get_level_values("wave") + steps[i], share,
                yerr=[np.minimum(half, share), np.minimum(half, 100 - share)],
                label=str(arm), color=COLOURS[i % 6], marker=MARKERS[i % 6],
                markersize=4, capsize=2, linewidth=1.2,
            )  # fmt: skip
        ax.set(title=str(trial), xticks=sorted(set(waves)), ylim=(min(lowest, 50) - 3, 103))
        ax.set(
            xlabel=xlabel or "planned month of interview", ylabel="interviewed (% of randomized)"
        )
        ax.legend(fontsize=_SMALL)
    return axes


def tipping_point(result: TippingPoint, ax: Axes, xlabel: str, ylabel: str) -> Axes:
    """Draw an estimate and its interval against the shift of imputed values, changes marked.

    Parameters
    ----------
    result
        From `panels.tipping_point`.
    ax
        The axis to draw on.
    xlabel
        What is shifted and in whom, with its unit.
    ylabel
        What is estimated, with its unit.
    """
    rows = result.frame
    ax.fill_between(rows["delta"], rows["low"], rows["high"], color=COLOURS[0], alpha=0.2)
    ax.plot(rows["delta"], rows["estimate"], color=COLOURS[0], marker="none")
    ax.plot(0, result.estimate.coefficient, color=COLOURS[0], marker="o")
    # above the line, away from the marks on the axis
    rising = result.slope > 0
    ax.annotate(
        "as imputed", (0, result.estimate.coefficient), fontsize=_SMALL,
        xytext=(-6 if rising else 6, 6), ha="right" if rising else "left",
        textcoords="offset points",
    )  # fmt: skip
    for change in result.changes.itertuples():
        ax.axvline(change.delta, color=COLOURS[1], linestyle="--", linewidth=1, marker="none")
        ax.plot(change.delta, 0, color=COLOURS[1], marker="D", linestyle="none")
        ax.annotate(
            f"{change.delta:.3g}", (change.delta, 0), xycoords=("data", "axes fraction"),
            xytext=(4, 4), textcoords="offset points", fontsize=_SMALL, color=COLOURS[1],
        )  # fmt: skip
    ax.axhline(0, color="black", linewidth=0.8, marker="none", zorder=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(rows["delta"].iloc[0], rows["delta"].iloc[-1]))
    return ax
