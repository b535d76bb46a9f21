"""The figure of what trials say about tau, and what tau says about the next trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS

if TYPE_CHECKING:
    from pooledtrials.panels import TauProfile


def tau_profile(
    profile: TauProfile,
    axes: Sequence[Axes],
    ylabel: str,
    estimates: Sequence[float] = (),
) -> tuple[Axes, Axes]:
    """Draw Q against tau, and beside it the mean effect and its prediction interval.

    Dashed lines bound the values of Q that are no surprise, and the same values of tau are
    enclosed by dashed lines beside it.

    Parameters
    ----------
    profile
        What `panels.tau_profile` returns.
    axes
        The axis for Q and the one for the effect.
    ylabel
        What the effect is, with its unit.
    estimates
        Values of tau to mark by dotted lines; none if the profile's own is enough, which is then
        the only one.
    """
    left, right = axes
    table, kept = profile.table, profile.kept
    left.plot(table.index, table["q"], marker="none")
    for bound in (profile.least, profile.most):
        left.axhline(bound, color="black", linestyle="--", linewidth=1, marker="none")
    left.set(ylabel="Q", ylim=(0, 1.15 * max(table["q"].max(), profile.most)))
    right.plot(table.index, table["estimate"], marker="none", color=COLOURS[1])
    right.fill_between(table.index, table["low"], table["high"], color=COLOURS[1], alpha=0.2)
    right.axhline(0, color="black", linewidth=0.8, marker="none")
    right.set(ylabel=ylabel)
    for ax in (left, right):
        for edge in kept.index[[0, -1]] if len(kept) else ():
            ax.axvline(edge, color="black", linestyle="--", linewidth=1, marker="none")
        for tau in estimates or (profile.estimate,):
            ax.axvline(tau, color="black", linestyle=":", linewidth=1.2, marker="none")
        ax.set(xlabel="tau (unit of the effect)", xlim=(table.index[0], table.index[-1]))
        ax.locator_params(axis="x", nbins=4)
    return left, right
