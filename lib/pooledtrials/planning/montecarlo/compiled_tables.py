"""Looking up p-values and counting values, compiled: `ConditionalTable` and `Tally` one by one."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pooledtrials.planning.montecarlo.compiled import compiled

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@compiled
def count(
    values: Floats, histogram: Counts, first: int, smallest: float
) -> tuple[int, int, float, float]:
    """Add finite values to the histogram; numbers missing and infinite, sum, sum of squares."""
    missing, infinite, total, square = 0, 0, 0.0, 0.0
    side = histogram.size // 2
    places = (np.abs(values) + smallest).view(np.int64)
    for i in range(values.size):
        value = values[i]
        if math.isnan(value):
            missing += 1
        elif math.isinf(value):
            infinite += 1
        else:
            total += value
            square += value * value
            place = min((places[i] >> 47) - first, side - 1)
            histogram[side - 1 - place if value < 0 else side + place] += 1
    return missing, infinite, total, square


@compiled
def look_up(
    values: Floats, halfway: float, statistic: Floats, strength: Floats, out: Floats
) -> None:
    """`ConditionalTable` for many pairs: six by six Lagrange interpolation."""
    first, second = np.empty(6), np.empty(6)
    for r in range(statistic.size):
        if not statistic[r] >= 0 or not strength[r] >= 0:
            out[r] = math.nan
            continue
        i = _weights(math.sqrt(statistic[r]), halfway, values.shape[0], first)
        j = _weights(math.sqrt(strength[r]), halfway, values.shape[1], second)
        total = 0.0
        for a in range(6):
            row = 0.0
            for b in range(6):
                row += second[b] * values[i + a, j + b]
            total += first[a] * row
        out[r] = total


@compiled
def _weights(x: float, halfway: float, size: int, out: Floats) -> int:
    """Where six nodes begin, and their weights at x / (x + halfway)."""
    place = (1 - halfway / (x + halfway)) * (size - 1)
    start = min(max(int(place) - 2, 0), size - 6)
    t = place - start
    p0, p1, p2, p3, p4, p5 = t, t - 1, t - 2, t - 3, t - 4, t - 5
    low, middle, high = p0 * p1, p2 * p3, p4 * p5
    out[0] = p1 * middle * high / -120
    out[1] = p0 * middle * high / 24
    out[2] = low * p3 * high / -12
    out[3] = low * p2 * high / 12
    out[4] = low * middle * p5 / -24
    out[5] = low * middle * p4 / 120
    return start
