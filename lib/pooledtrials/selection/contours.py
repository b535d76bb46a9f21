"""What is left of a conclusion over a whole plane of confounders, as arrays for a figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import choice, finite, fraction
from pooledtrials.selection.omitted_variables import (
    DIRECTIONS,
    adjusted_estimate,
    bias_size,
    long_error,
    worst_f,
)
from pooledtrials.selection.robustness import robustness_of
from pooledtrials.selection.short_regression import Fit, ShortRegression, short_regression

Array = npt.NDArray[np.float64]

QUANTITIES: Final = ("estimate", "t value", "lower limit", "upper limit")


@dataclass(frozen=True, eq=False)
class Contours:
    """A quantity at every pair of strengths.

    Attributes
    ----------
    r2_exposure : (m,) array
        Share of the exposure (of the instrument, if ``explains`` says so) left by the controls.
    r2_outcome : (k,) array
        Share of the outcome left by exposure (or instrument) and controls.
    values : (k, m) array
        The quantity, infinite where a set has no end on that side.
    quantity : ``"estimate"``, ``"t value"``, ``"lower limit"`` or ``"upper limit"``
    threshold : value of the quantity at which the conclusion changes
    unadjusted : the quantity without a confounder
    benchmarks : frame
        ``label``, ``r2_exposure``, ``r2_outcome`` and ``value`` of confounders to mark.
    explains : ``"exposure"`` or ``"instrument"``
    """

    r2_exposure: Array
    r2_outcome: Array
    values: Array
    quantity: str
    threshold: float
    unadjusted: float
    benchmarks: pd.DataFrame
    explains: str = "exposure"

    def describe(self) -> str:
        """Which marked confounders change the conclusion, in words."""
        if self.benchmarks.empty:
            return "No confounder is marked."
        start = np.sign(self.unadjusted - self.threshold)
        changed = np.sign(self.benchmarks["value"] - self.threshold) != start
        words = []
        for rows, verb in (
            (self.benchmarks[changed], "would change"),
            (self.benchmarks[~changed], "would not change"),
        ):
            if len(rows):
                words.append(f"{', '.join(rows['label'])} {verb} the conclusion")
        return f"Confounders as strong as marked: {'; '.join(words)}."


def contours(
    fit: Fit,
    benchmarks: pd.DataFrame | None = None,
    *,
    quantity: str = "estimate",
    limit_exposure: float | None = None,
    limit_outcome: float | None = None,
    points: int = 101,
    direction: str = "towards zero",
    level: float = 0.95,
) -> Contours:
    """Adjusted estimate, t value or limit of the adjusted interval over the plane of strengths.

    Parameters
    ----------
    fit : see `short_regression`
    benchmarks : frame, optional
        Confounders to mark: ``label``, ``r2_exposure``, ``r2_outcome``, as
        `RegressionSensitivity.benchmarks` has them.
    quantity : ``"estimate"`` or ``"t value"`` of `adjusted_estimate`, ``"lower limit"`` or ``"upper
        limit"`` of `adjusted_interval`
    limit_exposure, limit_outcome : largest shares shown, below 1 for the exposure; without, a
        quarter more than the robustness value and every benchmark
    points : grid points on each axis
    direction : of the adjustment, for the estimate and t
    level : of interval and t quantile

    Raises
    ------
    ValueError
        For an unusable fit, limits or words.
    """
    short = short_regression(fit)
    choice(quantity, "quantity", QUANTITIES)
    choice(direction, "direction", DIRECTIONS)
    least = robustness_of(short.f, 0.0)[0]
    x, y = grid(
        limit_exposure or roomy("r2_exposure", benchmarks, least),
        limit_outcome or roomy("r2_outcome", benchmarks, least),
        points,
    )
    at = _quantity(short, quantity, direction, fraction(level, "level"))
    marked = mark(benchmarks, at)
    threshold = 0.0
    if quantity == "t value":
        critical = short.critical_f(level) * np.sqrt(short.dof - 1)
        design = short.inference_error / short.standard_error
        threshold = float(np.copysign(critical / design, short.coefficient))
    unadjusted = float(at(np.zeros(1), np.zeros(1))[0])
    return Contours(x, y, at(y[:, None], x[None, :]), quantity, threshold, unadjusted, marked)


def extreme_scenarios(
    fit: Fit,
    r2_outcome: Sequence[float] = (1.0, 0.75, 0.5),
    *,
    limit_exposure: float = 0.1,
    points: int = 101,
    direction: str = "towards zero",
) -> pd.DataFrame:
    """Adjusted estimate if a confounder explained all, or most, of what is left of the outcome.

    Parameters
    ----------
    fit : see `short_regression`
    r2_outcome : shares of the outcome explained, a column each
    limit_exposure : largest share of the exposure shown
    points : rows
    direction : of the adjustment

    Returns
    -------
    pandas.DataFrame
        Indexed by ``r2_exposure``; columns are ``r2_outcome``.

    Raises
    ------
    ValueError
        For an unusable fit, limits or words.
    """
    short = short_regression(fit)
    for share in r2_outcome:  # checks the shares and the word
        adjusted_estimate(short, share, 0.0, direction=direction)
    x, _ = grid(limit_exposure, 1.0, points)
    at = _quantity(short, "estimate", direction, 0.95)
    columns = {float(share): at(np.full(points, float(share)), x) for share in r2_outcome}
    frame = pd.DataFrame(columns, index=pd.Index(x, name="r2_exposure"))
    return frame.rename_axis(columns="r2_outcome")


def grid(limit_exposure: float, limit_outcome: float, points: int) -> tuple[Array, Array]:
    """Shares of exposure and outcome from 0 to the limits."""
    if not 0 < finite(limit_exposure, "limit_exposure") < 1:
        raise ValueError(f"limit_exposure is {limit_exposure}: give a share between 0 and 1")
    if not 0 < finite(limit_outcome, "limit_outcome") <= 1:
        raise ValueError(f"limit_outcome is {limit_outcome}: give a share above 0, up to 1")
    if points < 2:
        raise ValueError(f"points is {points}: give 2 or more")
    return np.linspace(0, limit_exposure, points), np.linspace(0, limit_outcome, points)


def roomy(share: str, benchmarks: pd.DataFrame | None, least: float) -> float:
    """A limit with room for all benchmarks, and for ``least``."""
    largest = least if benchmarks is None else float(np.nanmax([least, *benchmarks[share]]))
    return min(1.25 * max(largest, 0.01), 0.95)


def mark(benchmarks: pd.DataFrame | None, at: Callable[[Array, Array], Array]) -> pd.DataFrame:
    """Confounders to mark, with the quantity there."""
    needed = ["label", "r2_exposure", "r2_outcome"]
    if benchmarks is None:
        return pd.DataFrame({name: [] for name in [*needed, "value"]})
    missing = [name for name in needed if name not in benchmarks]
    if missing:
        raise ValueError(f"benchmarks has no column {', '.join(missing)}: give {', '.join(needed)}")
    # a multiple at which no confounder can exist has no place on the plane
    kept = benchmarks[needed].dropna().reset_index(drop=True)
    shares = [kept[name].to_numpy(dtype=float) for name in ("r2_outcome", "r2_exposure")]
    return kept.assign(value=at(*shares))


def _quantity(
    short: ShortRegression, quantity: str, direction: str, level: float
) -> Callable[[Array, Array], Array]:
    """The quantity as a function of arrays of ``r2_outcome`` and ``r2_exposure``."""
    sign = np.copysign(1.0, short.coefficient) * (1 if direction == DIRECTIONS[0] else -1)
    side = -1 if quantity == "lower limit" else 1

    def at(y: Array, x: Array) -> Array:
        if quantity in ("lower limit", "upper limit"):
            half = short.residual_ratio * worst_f(y, x, short.critical_f(level))
            return np.asarray(short.coefficient + side * half)
        coefficient = short.coefficient - sign * bias_size(short, y, x)
        if quantity == "estimate":
            return np.asarray(coefficient)
        with np.errstate(divide="ignore"):  # no error is left where r2_outcome is 1
            return np.asarray(coefficient / long_error(short, y, x))

    return at
