"""The largest value is found wherever it lies: inside, at an end, on one of several peaks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pooledtrials.instruments.largest import largest_value


@pytest.mark.parametrize("place", [0.0, 0.123456, 1.0])
@pytest.mark.parametrize("width", [0.02, 0.5])
def test_one_peak(place, width):
    found = largest_value(lambda t: np.exp(-(((t - place) / width) ** 2)), 0.0, 1.0, 201)
    assert_allclose(found, 1.0, rtol=1e-14)


def test_the_higher_of_two_peaks_that_the_grid_takes_for_the_lower():
    def peaks(t):
        # the grid holds 0.5 exactly and passes beside the higher and narrower one
        return np.exp(-(((t - 0.5) / 0.3) ** 2)) + 0.2 * np.exp(-(((t - 0.755) / 0.006) ** 2))

    fine = np.linspace(0.74, 0.77, 300_001)
    grid = largest_value(peaks, 0.0, 1.0, 101)
    assert_allclose(grid, max(peaks(fine).max(), 1.0), rtol=1e-8)


def test_a_slope_has_its_largest_value_at_the_end():
    assert largest_value(np.sin, 0.0, 1.0, 11) == math.sin(1.0)
    assert largest_value(np.cos, 0.0, 1.0, 11) == 1.0
