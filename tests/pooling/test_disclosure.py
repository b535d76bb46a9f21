"""Small counts are hidden, and so is whatever would give them away."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pooledtrials.pooling import suppress

PARTS = [("seen", "lost")]


def table(*rows: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["seen", "lost"])


def test_small_counts_and_their_complements_are_hidden() -> None:
    shown = suppress(table((50, 20), (60, 10), (70, 0), (10, 3)), PARTS)
    assert shown.to_numpy().tolist() == [
        ["50", "20"],
        ["hidden", "<11"],
        ["70", "0"],
        ["<11", "<11"],
    ]


def test_without_a_known_sum_only_the_small_count_is_hidden() -> None:
    assert suppress(table((60, 10))).to_numpy().tolist() == [["60", "<11"]]


def test_the_smallest_other_part_is_hidden() -> None:
    counts = pd.DataFrame({"a": [40], "b": [12], "c": [5]})
    shown = suppress(counts, [("a", "b", "c")])
    assert shown.to_numpy().tolist() == [["40", "hidden", "<11"]]


@given(
    st.lists(st.tuples(*[st.integers(0, 40)] * 2), min_size=1),
    st.integers(2, 20),
)
def test_no_small_count_can_be_read_or_worked_out(rows: list[tuple[int, int]], limit: int) -> None:
    counts = table(*rows)
    shown = suppress(counts, PARTS, limit)
    for (_, real), (_, text) in zip(counts.iterrows(), shown.iterrows(), strict=True):
        visible = [int(value) for value in text if value.isdigit()]
        assert not any(0 < value < limit for value in visible)
        small = [value for value in real if 0 < value < limit]
        if small and max(real) > 0 and min(real) > 0:
            assert visible == []  # with the sum known, one visible part would tell the other


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: suppress(table((1, 2)), threshold=1), "threshold: 1 hides nothing"),
        (lambda: suppress(table((1, 2)), [("seen", "gone")]), "parts: no column 'gone'"),
        (lambda: suppress(table((1, -2))), "table: -2 is not a count"),
        (lambda: suppress(table((1, 2)) * 0.3), r"table: 0\.3 is not a count"),
    ],
)
def test_bad_input_is_named(bad: object, message: str) -> None:
    assert callable(bad)
    with pytest.raises(ValueError, match=message):
        bad()
