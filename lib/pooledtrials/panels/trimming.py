"""The mean of the lowest part of a sample, where the part is no whole number of values."""

from __future__ import annotations

from typing import Final

import numpy as np

from pooledtrials.arguments import Vector

TRIMMING: Final = ("fractional", "floor", "type-7")
"""Ways to cut off a share of a sample, see `lowest_mean`."""


def lowest_mean(ascending: Vector, kept: tuple[int, int], trim: str) -> tuple[float, float]:
    """Mean of the lowest values, and the value at the cut.

    Parameters
    ----------
    ascending : (n,) sorted values
    kept : how many to keep, a fraction of whole numbers: rounding must not decide whether one more
    trim : one of `TRIMMING`
        ``"fractional"`` counts the value at the cut in part; ``"floor"`` drops
        ``floor(n - kept)`` whole values; ``"type-7"`` keeps what is at most the quantile
        interpolated between order statistics, hence all of a heap at the cut.
    """
    whole, rest = kept[0] // kept[1], kept[0] % kept[1]
    if trim == "floor":
        count = whole + (rest > 0)
        return float(ascending[:count].mean()), float(ascending[count - 1])
    if trim == "type-7":
        cut = float(np.quantile(ascending, kept[0] / kept[1] / ascending.size))
        return float(ascending[ascending <= cut].mean()), cut
    weights = np.zeros(ascending.size)
    weights[:whole] = 1.0
    if rest:
        weights[whole] = rest / kept[1]
    return float(weights @ ascending / weights.sum()), float(ascending[weights > 0][-1])
