"""The set object: every shape, its words, and set algebra under generated unions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pooledtrials.confidence_set import from_boundaries, whole_line
from pooledtrials.instruments import ConfidenceSet

INF = math.inf

SHAPES = [
    ((), "empty", "empty", "the model itself"),
    (((0.0, 1.0),), "interval", "[0, 1]", "effects in [0, 1]"),
    (((-INF, 0.2), (1.4, INF)), "two rays", "(-inf, 0.2] and [1.4, inf)", "exclude only"),
    (((-INF, INF),), "whole line", "(-inf, inf)", "any effect at all"),
    (((-INF, 2.0),), "half line", "(-inf, 2]", "one side only"),
    (((2.0, INF),), "half line", "[2, inf)", "from 2 up"),
    (((0.0, 1.0), (2.0, 3.0)), "union", "[0, 1] and [2, 3]", "a bounded set of 2"),
    (((-INF, 0.0), (1.0, 2.0), (3.0, INF)), "union", "(-inf, 0] and [1, 2] and [3, inf)", "an unb"),
]


@pytest.mark.parametrize(("intervals", "kind", "text", "words"), SHAPES)
def test_shapes_and_words(intervals, kind, text, words):
    found = ConfidenceSet(intervals, 0.95)
    assert found.kind == kind
    assert str(found) == text
    assert words.replace("an unb", "unb") in found.describe()
    assert found.bounded == all(math.isfinite(v) for pair in intervals for v in pair)


def test_sorted_and_joined():
    found = ConfidenceSet(((2.0, 3.0), (0.0, 1.0), (1.0, 1.5)), 0.9)
    assert found.intervals == ((0.0, 1.5), (2.0, 3.0))
    assert found.end_points == (0.0, 1.5, 2.0, 3.0)
    assert found.length == 2.5


@pytest.mark.parametrize("bad", [((1.0, 0.0),), ((math.nan, 1.0),)])
def test_refuses_impossible_intervals(bad):
    with pytest.raises(ValueError, match="lower <= upper"):
        ConfidenceSet(bad, 0.95)
    with pytest.raises(ValueError, match="level is 1"):
        ConfidenceSet((), 1)


# halves, and a grid between them: no value sits on an end point
ends = st.one_of(st.integers(-20, 20).map(lambda i: i / 2), st.sampled_from([-INF, INF]))
unions = st.lists(
    st.tuples(ends, ends).map(sorted).filter(lambda p: not (p[0] == p[1] and math.isinf(p[0]))),
    max_size=4,
).map(lambda pairs: ConfidenceSet(tuple(map(tuple, pairs)), 0.95))


@settings(deadline=None)
@given(unions, unions)
def test_algebra(one, two):
    grid = np.concatenate([np.arange(-11, 11, 0.25) + 0.125, [-1e6, 1e6]])
    a, b = one.contains(grid), two.contains(grid)
    assert np.array_equal(one.union(two).contains(grid), a | b)
    assert np.array_equal(one.intersection(two).contains(grid), a & b)
    assert np.array_equal(one.complement().contains(grid), ~a)
    assert one.is_subset(one.union(two))
    assert one.intersection(two).is_subset(two)
    moved = one.shifted_and_scaled(1.0, -2.0)
    assert np.array_equal(moved.contains(1.0 - 2.0 * grid), a)


def test_from_boundaries_asks_between():
    found = from_boundaries([3.0, -1.0, 1.0, INF], lambda b: abs(b) > 1 and b < 3, 0.9)
    assert found.intervals == ((-INF, -1.0), (1.0, 3.0))
    assert from_boundaries([], lambda b: True, 0.9) == whole_line(0.9)
    assert found.contains(2.0) is True
    assert found.contains(0.0) is False
