"""How much worse (or better) those lost would have to be than imputed, for the answer to change.

Imputation presumes that patients who were not seen are like those who were, given all that is
known of them. Shifting what was imputed by delta asks what follows if they are not: a pattern
mixture model, in which the missing have a distribution of their own
[little1993pattern] [cro2020sensitivity]. The delta at which the conclusion changes is the tipping
point. Data cannot say whether it is plausible; people who know the patients can.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize

from pooledtrials.arguments import Columns, Matrix, Vector, fraction, one_column
from pooledtrials.panels.imputation import Imputations
from pooledtrials.panels.rubin import ImputedEstimate, pool_estimates
from pooledtrials.results import Estimate

_EXACT: Final = 1e-8  # relative: how well line and parabola must foretell a refit

Analysis = Callable[[pd.DataFrame], Estimate]
Law = Callable[[float], ImputedEstimate]


@dataclass(frozen=True, eq=False)
class TippingPoint:
    """The conclusion as a function of delta.

    Attributes
    ----------
    frame : a row per delta; ``estimate``, ``standard_error``, ``low`` and ``high`` (interval), and
        ``conclusion``: ``"below zero"``, ``"undecided"`` or ``"above zero"``, by the interval
    changes : a row per delta at which the conclusion changes, with the conclusion on either side
    estimate : the estimate at delta = 0, missing at random
    sign_change : delta at which the estimate is zero, nan if there is none in the range
    slope : change of the estimate per unit of delta at 0
    linear : whether the estimate was verified to be linear in delta, and its variances quadratic;
        ``frame`` and ``changes`` then come from the line and the parabolas
    outcome, level : as asked for
    shifted : rows whose imputed value was shifted
    """

    frame: pd.DataFrame
    changes: pd.DataFrame
    estimate: ImputedEstimate
    sign_change: float
    slope: float
    linear: bool
    outcome: str
    level: float
    shifted: int

    @property
    def tipping_point(self) -> float:
        """The delta nearest to zero at which the conclusion changes, nan if none does."""
        deltas = self.changes["delta"].to_numpy()
        return float(deltas[np.argmin(np.abs(deltas))]) if deltas.size else math.nan

    def to_frame(self) -> pd.DataFrame:
        """The grid."""
        return self.frame

    def describe(self) -> str:
        """What it takes to change the conclusion, in words."""
        first, last = self.frame["delta"].iloc[[0, -1]]
        now = _conclusion(*_ends(self.estimate, self.level))
        start = (
            f"With those lost as imputed, the estimate for {self.outcome} is"
            f" {self.estimate.coefficient:.3g} ({now})."
        )
        if math.isnan(self.tipping_point):
            return (
                f"{start} Shifting {self.shifted} imputed values by anything between {first:.3g}"
                f" and {last:.3g} does not change that."
            )
        at = self.changes.iloc[int(np.argmin(np.abs(self.changes["delta"])))]
        after = at["above"] if at["delta"] > 0 else at["below"]
        return (
            f"{start} It becomes {after} once the {self.shifted} imputed values are shifted by"
            f" {at['delta']:.3g}: whether those lost could differ that much from those seen who"
            " were like them is for judgement, not for these data."
        )


def tipping_point(
    imputations: Imputations,
    analysis: Analysis,
    outcome: str,
    shift: Columns,
    deltas: npt.ArrayLike,
    *,
    level: float = 0.95,
) -> TippingPoint:
    """Shift imputed outcomes by delta, analyse again, and find where the conclusion changes.

    For an estimator that is linear in the outcome, each imputation's estimate is a line in delta
    and its variance a parabola; both are fitted at three deltas and checked at others, and if they
    hold they give every delta exactly, without refitting. If they do not, every delta is refitted
    and each change between two of the grid is found by bisection.

    Parameters
    ----------
    imputations : Imputations
    analysis : function of a completed frame that returns an `Estimate`
    outcome : column whose imputed values are shifted
    shift : (n,)
        How many deltas each row's imputed value moves: 1 in the arm to be shifted and 0 in others,
        1 everywhere, or 1 in one arm and -1 in the other; 0 at baseline. Rows seen do not move.
    deltas : two or more numbers
        The range, in units of the outcome; 0 is added. Where a score is bounded, shifted values may
        leave its range: a delta for which many do is not plausible.
    level : float

    Raises
    ------
    ValueError
        For an unknown outcome, nothing imputed where ``shift`` is not 0, or fewer than two deltas.
    """
    level = fraction(level, "level")
    grid = _grid(deltas)
    columns = list(imputations.missing.columns)
    if outcome not in columns:
        raise ValueError(f"outcome is {outcome!r}: give one of {', '.join(map(repr, columns))}")
    n = len(imputations.missing)
    step = one_column(shift, "shift", "give one per row")
    if step.size != n:
        raise ValueError(f"shift has {step.size} rows but the imputed panel has {n}")
    step = np.where(imputations.missing[outcome].to_numpy(), step, 0.0)
    shifted = int(np.count_nonzero(step))
    if not shifted:
        raise ValueError(
            f"shift is 0 wherever {outcome} was imputed: there is nothing to shift, so the answer"
            " does not depend on delta"
        )

    def refit(delta: float) -> list[Estimate]:
        moved = {outcome: lambda frame: frame[outcome] + delta * step}
        return [analysis(frame.assign(**moved)) for frame in imputations.completed]

    law = _polynomials(refit, grid)
    linear = law is not None
    law = law or (lambda delta: pool_estimates(refit(delta)))
    results = [law(delta) for delta in grid]
    ends = [_ends(result, level) for result in results]
    frame = pd.DataFrame(
        {
            "delta": grid,
            "estimate": [result.coefficient for result in results],
            "standard_error": [result.standard_error for result in results],
            "low": [low for low, _ in ends],
            "high": [high for _, high in ends],
            "conclusion": [_conclusion(*pair) for pair in ends],
        }
    )
    zero = int(np.flatnonzero(grid == 0)[0])
    near = frame.iloc[max(zero - 1, 0) : zero + 2]
    rise, run = near[["estimate", "delta"]].iloc[-1] - near[["estimate", "delta"]].iloc[0]
    signs = _crossings(grid, lambda delta: law(delta).coefficient)
    return TippingPoint(
        frame,
        _changes(grid, lambda delta: _ends(law(delta), level)),
        results[zero],
        min(signs, key=abs, default=math.nan),
        float(rise / run),
        linear,
        outcome,
        level,
        shifted,
    )


def _grid(deltas: npt.ArrayLike) -> Vector:
    given = one_column(np.atleast_1d(np.asarray(deltas)), "deltas", "give a list of numbers")
    grid = np.unique(np.append(given, 0.0))
    if np.unique(given).size < 2:
        raise ValueError(f"deltas has {np.unique(given).size} value: give two or more")
    return grid


def _polynomials(refit: Callable[[float], list[Estimate]], grid: Vector) -> Law | None:
    """Line and parabola of each imputation, or None if they do not foretell a refit."""
    low, high = float(grid[0]), float(grid[-1])
    nodes = np.array([low, (low + high) / 2, high])
    fits = [refit(delta) for delta in nodes]
    estimates = np.array([[e.coefficient for e in fit] for fit in fits])
    variances = np.array([[e.standard_error**2 for e in fit] for fit in fits])
    inverse = np.linalg.inv(np.vander((nodes - nodes[1]) / (high - low), 3))

    def at(values: Matrix, delta: float) -> Vector:
        powers = np.vander([(delta - nodes[1]) / (high - low)], 3)
        return np.asarray((powers @ (inverse @ values))[0])

    def law(delta: float) -> list[Estimate]:
        pairs = zip(fits[1], at(estimates, delta), at(variances, delta), strict=True)
        return [replace(e, coefficient=q, standard_error=math.sqrt(u)) for e, q, u in pairs]

    chord = (estimates[0] + estimates[2]) / 2
    scale = np.abs(estimates).max()
    if np.abs(estimates[1] - chord).max() > _EXACT * scale or not (variances > 0).all():
        return None
    for delta in (0.7 * low + 0.3 * high, 0.1 * low + 0.9 * high):
        for foretold, found in zip(law(delta), refit(delta), strict=True):
            if abs(foretold.coefficient - found.coefficient) > _EXACT * scale:
                return None
            if abs(foretold.standard_error / found.standard_error - 1) > _EXACT:
                return None
    return lambda delta: pool_estimates(law(delta))


def _ends(estimate: ImputedEstimate, level: float) -> tuple[float, float]:
    return estimate.interval(level).intervals[0]


def _conclusion(low: float, high: float) -> str:
    return "above zero" if low > 0 else "below zero" if high < 0 else "undecided"


def _crossings(grid: Vector, function: Callable[[float], float]) -> list[float]:
    """Zeros between neighbours of the grid at which signs differ."""
    values = [function(delta) for delta in grid]
    found = [float(d) for d, value in zip(grid, values, strict=True) if value == 0]
    for i in range(grid.size - 1):
        if values[i] * values[i + 1] < 0:
            found.append(float(optimize.brentq(function, grid[i], grid[i + 1], xtol=1e-14)))
    return found


def _changes(grid: Vector, ends: Callable[[float], tuple[float, float]]) -> pd.DataFrame:
    """Deltas at which an end of the interval crosses zero, and the conclusion on either side."""
    crossings = {
        *_crossings(grid, lambda delta: ends(delta)[0]),
        *_crossings(grid, lambda delta: ends(delta)[1]),
    }
    points = sorted(crossings - {float(grid[0]), float(grid[-1])})
    edges = [float(grid[0]), *points, float(grid[-1])]
    words = [_conclusion(*ends((a + b) / 2)) for a, b in itertools.pairwise(edges)]
    lines = zip(points, words[:-1], words[1:], strict=True)
    return pd.DataFrame(
        [line for line in lines if line[1] != line[2]], columns=["delta", "below", "above"]
    )
