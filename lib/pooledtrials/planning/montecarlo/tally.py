"""What is kept of an outcome: counts, sums and a histogram, however many replications there are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

OCTAVES: Final = 40
BINS: Final = 2 * 32 * OCTAVES
"""Bins of a histogram: on either side of zero 32 to each doubling of ``|v| + 2^-10``."""

SMALLEST: Final = 2.0**-10
_SHIFT: Final = 47  # leaves a float's exponent and five bits of its mantissa
_FIRST: Final = int(np.array([SMALLEST]).view(np.int64)[0]) >> _SHIFT


def bins_of(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The bin of each finite value: the leading bits of ``|v| + 2^-10``."""
    side = BINS // 2
    place = ((np.abs(values) + SMALLEST).view(np.int64) >> _SHIFT) - _FIRST
    place = np.minimum(place, side - 1)
    return np.asarray(np.where(values < 0, side - 1 - place, side + place), dtype=np.int64)


def edges() -> npt.NDArray[np.float64]:
    """(BINS + 1,) ends of the bins; the outer two are 2^30 on either side."""
    bits = (np.arange(BINS // 2 + 1, dtype=np.int64) + _FIRST) << _SHIFT
    positive = bits.view(np.float64) - SMALLEST
    return np.concatenate([-positive[:0:-1], positive])


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums over replications of one outcome.

    Attributes
    ----------
    count : values, without those that do not exist
    missing : replications in which the outcome does not exist, such as a standard error whose
        square is negative
    infinite : infinite values, such as lengths of unbounded sets; in the count, not in the sums
    total, square : sums of the finite values and of their squares
    histogram : (BINS,) of the finite values, or None for outcomes that are true or false
    """

    count: int
    missing: int
    infinite: int
    total: float
    square: float
    histogram: npt.NDArray[np.int64] | None

    @classmethod
    def of_truths(cls, values: npt.NDArray[np.bool_]) -> Tally:
        """The tally of an outcome that is true or false."""
        true = int(np.count_nonzero(values))
        return cls(values.size, 0, 0, float(true), float(true), None)

    @classmethod
    def of(cls, values: npt.NDArray[np.float64], engine: str = "numpy") -> Tally:
        """The tally of an array of numbers, nan among them where they do not exist."""
        histogram = np.zeros(BINS, dtype=np.int64)
        if engine == "numba":
            from pooledtrials.planning.montecarlo.compiled_tables import count

            missing, infinite, total, square = count(values, histogram, _FIRST, SMALLEST)
            return cls(values.size - missing, missing, infinite, total, square, histogram)
        missing, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
        finite = values[np.isfinite(values)] if missing or infinite else values
        histogram += np.bincount(bins_of(finite), minlength=BINS)
        total, square = float(finite.sum()), float(np.square(finite).sum())
        return cls(values.size - missing, missing, infinite, total, square, histogram)

    def __add__(self, other: Tally) -> Tally:
        one, two = self.histogram, other.histogram
        return Tally(
            self.count + other.count,
            self.missing + other.missing,
            self.infinite + other.infinite,
            self.total + other.total,
            self.square + other.square,
            None if one is None or two is None else one + two,
        )

    @property
    def mean(self) -> float:
        """Mean, infinite if a value is; nan of no value."""
        if self.infinite:
            return math.inf
        return self.total / self.count if self.count else math.nan

    @property
    def standard_deviation(self) -> float:
        """Standard deviation over replications, infinite or nan as the mean."""
        if self.infinite or not self.count:
            return self.mean
        return math.sqrt(max(self.square / self.count - self.mean**2, 0.0))

    @property
    def standard_error(self) -> float:
        """Monte Carlo standard error of the mean."""
        return self.standard_deviation / math.sqrt(self.count) if self.count else math.nan

    @property
    def median_standard_error(self) -> float:
        """Monte Carlo standard error of the median, from order statistics around it."""
        if not self.count:
            return math.nan
        step = 0.5 / math.sqrt(self.count)
        low, high = self.quantile(max(0.5 - step, 0.0)), self.quantile(min(0.5 + step, 1.0))
        return math.inf if math.isinf(high) else (high - low) / 2

    def quantile(self, probability: float) -> float:
        """Quantile, linear within a bin (at most 3 % wide); infinite if among infinite values.

        Of a true or false outcome there is none (nan).
        """
        if self.histogram is None or not self.count:
            return math.nan
        target = probability * self.count
        if self.infinite and target > self.count - self.infinite:
            return math.inf
        below = np.concatenate([[0], np.cumsum(self.histogram)])
        return float(np.interp(target, below, edges()))
