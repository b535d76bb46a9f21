"""Figures of first stages: what an arm moved and when, and what a ratio can be read off it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS


def by_month(
    effects: Mapping[str, pd.DataFrame],
    ax: Axes,
    ylabel: str,
    truth: Mapping[str, pd.Series[float]] | None = None,
) -> Axes:
    """Draw a difference between arms at each month since randomization, with 95 % intervals.

    Parameters
    ----------
    effects
        By series, a frame indexed by month with columns ``estimate`` and ``se``.
    ax
        The axis to draw on.
    ylabel
        What differs, with its unit.
    truth
        True values, indexed by month, of the series that have some; drawn as dashed lines.
    """
    steps = np.linspace(-0.12, 0.12, len(effects)) if len(effects) > 1 else np.zeros(1)
    months: set[float] = set()
    for (name, rows), step, colour, marker in zip(
        effects.items(), steps, COLOURS, MARKERS, strict=False
    ):
        places = rows.index.to_numpy(dtype=float)
        months |= set(places.tolist())
        ax.errorbar(
            places + step, rows["estimate"], yerr=1.96 * rows["se"], label=str(name),
            color=colour, marker=marker, capsize=3, linestyle="none",
        )  # fmt: skip
        if truth is not None and name in truth:
            line = truth[name]
            ax.plot(
                line.index, line, color=colour, linestyle="--", marker="none",
                label=f"{name}, truth",
            )  # fmt: skip
    ax.axhline(0, color="black", linewidth=0.8, marker="none")
    ax.set(xlabel="months since randomization", ylabel=ylabel, xticks=sorted(months))
    if len(effects) > 1 or truth:
        ax.legend()
    return ax


def wedge(
    differences: Sequence[float],
    covariance: npt.ArrayLike,
    ax: Axes,
    unit: str,
    critical: float = 1.96,
) -> Axes:
    """Draw two differences between arms, their uncertainty, and the slopes it leaves standing.

    The ellipse holds the pairs within ``critical`` standard errors in every direction. A slope
    through the origin is in Fieller's set exactly when its line meets the ellipse.

    Parameters
    ----------
    differences
        Difference between arms in the exposure, then in the outcome.
    covariance
        Their (2, 2) covariance, in the same order.
    ax
        The axis to draw on.
    unit
        Unit of the exposure.
    critical
        The quantile, 1.96 for 95 %.
    """
    centre, spread = np.asarray(differences, dtype=float), np.asarray(covariance, dtype=float)
    angles = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    edge = centre[:, None] + critical * np.linalg.cholesky(spread) @ circle
    ax.fill(*edge, color=COLOURS[4], alpha=0.35)
    ax.plot(*edge, color=COLOURS[0], linewidth=1.2, marker="none")
    ax.plot(*centre, color=COLOURS[0], marker="o")
    far = 1.25 * float(max(np.abs(edge[0]).max(), 1e-12))
    high = 1.25 * float(max(np.abs(edge[1]).max(), 1e-12))
    for slope in _tangents(centre, spread, critical):
        ax.plot(
            [-far, far], [-far * slope, far * slope], color=COLOURS[1], linestyle="--",
            linewidth=1.2, marker="none",
        )  # fmt: skip
    ax.axhline(0, color="black", linewidth=0.8, marker="none")
    ax.axvline(0, color="black", linewidth=0.8, marker="none")
    ax.plot(0, 0, color="black", marker="+", markersize=10, linestyle="none")
    left = min(-0.1 * far, 1.25 * float(edge[0].min()))
    ax.set(xlim=(left, far), ylim=(-high, high))
    ax.set(xlabel=f"arms apart in the exposure ({unit})", ylabel="arms apart in the score")
    ax.locator_params(nbins=5)
    return ax


def response_weights(weights: pd.DataFrame, ax: Axes, xlabel: str) -> Axes:
    """Draw the weight that 2SLS gives to each step of an ordered exposure, with 95 % intervals.

    Parameters
    ----------
    weights
        What `instruments.causal_response_weights` returns; the intervals take the first stage as
        known.
    ax
        The axis to draw on.
    xlabel
        What the steps are, with their unit.
    """
    places = np.arange(len(weights))
    per_shift = (weights["weight"] / weights["shift"]).to_numpy(dtype=float)
    spread = 1.96 * np.abs(per_shift) * weights["standard_error"].to_numpy(dtype=float)
    ax.bar(places, weights["weight"], color=COLOURS[4], edgecolor=COLOURS[0], width=0.7)
    ax.errorbar(
        places, weights["weight"], yerr=spread, color="black", linestyle="none", marker="none",
        capsize=3, linewidth=1.2,
    )  # fmt: skip
    ax.axhline(0, color="black", linewidth=0.8, marker="none")
    ax.set_xticks(places, [str(step) for step in weights.index])
    ax.set(xlabel=xlabel, ylabel="weight of the step (sum 1)")
    ax.grid(axis="x", visible=False)
    return ax


def _tangents(
    centre: npt.NDArray[np.float64], spread: npt.NDArray[np.float64], critical: float
) -> list[float]:
    """Slopes of the lines through the origin that touch the ellipse; none if it holds that."""
    left = np.outer(centre, centre) - critical**2 * spread
    a, b, c = left[0, 0], -2 * left[0, 1], left[1, 1]
    discriminant = b * b - 4 * a * c
    if discriminant <= 0 or a == 0:
        return []
    root = float(np.sqrt(discriminant))
    return sorted(((-b - root) / (2 * a), (-b + root) / (2 * a)))
