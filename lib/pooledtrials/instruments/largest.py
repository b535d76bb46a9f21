"""The largest value of a smooth function: a grid, then closer grids where the function is high."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pooledtrials.arguments import Vector

_KEPT = 4
_ZOOMS = 10  # each four times closer: the slope at a maximum is zero, so its value settles early


def largest_value(
    function: Callable[[Vector], Vector], low: float, high: float, points: int
) -> float:
    """Supremum of ``function`` on [low, high].

    Parameters
    ----------
    function : vectorised
    low, high : ends, both examined
    points : size of the first grid; peaks narrower than its step may be missed
    """
    grid = np.linspace(low, high, points)
    values, width = function(grid), (high - low) / (points - 1)
    best, centres = float(values.max()), grid[np.argsort(values)[-_KEPT:]]
    for _ in range(_ZOOMS):
        near = np.clip(centres[:, None] + width * np.linspace(-1, 1, 9), low, high)
        values = function(near.ravel()).reshape(near.shape)
        best = max(best, float(values.max()))
        centres, width = near[np.arange(_KEPT), values.argmax(axis=1)], width / 4
    return best
