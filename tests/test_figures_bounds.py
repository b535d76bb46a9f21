"""The figure of bounds draws what the table says, and says in words what cannot be a bar."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from pooledtrials import figures
from pooledtrials.selection import bounds_by_assumption, bounds_table

TABLE = pd.DataFrame(
    {
        "lower": [-0.5, 0.0, 0.3, 0.2],
        "upper": [0.5, 0.4, 0.1, 0.15],
        "low": [-0.6, 0.0, math.nan, 0.1],
        "high": [0.6, 0.5, math.nan, 0.3],
    },
    index=["no assumption", "a", "a + b", "c"],
)


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def bars(ax: Axes) -> list[tuple[float, float, float]]:
    """Row, left and right end of each bar."""
    return [
        (p.get_y() + p.get_height() / 2, p.get_x(), p.get_x() + p.get_width()) for p in ax.patches
    ]


def test_bars_go_from_bound_to_bound_with_the_first_row_on_top(ax: Axes) -> None:
    assert figures.bounds(TABLE, ax, "effect (days)") is ax
    np.testing.assert_allclose(bars(ax), [(3, -0.5, 0.5), (2, 0.0, 0.4)], atol=1e-12)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["no assumption", "a", "a\n+ b", "c"]
    assert list(ax.get_yticks()) == [3, 2, 1, 0]
    assert ax.get_xlabel() == "effect (days)"


def test_confidence_intervals_are_thin_lines_where_there_are_any(ax: Axes) -> None:
    figures.bounds(TABLE, ax, "effect")
    drawn = [
        (float(y[0]), float(x[0]), float(x[1]))
        for x, y in ((np.asarray(i.get_xdata()), np.asarray(i.get_ydata())) for i in ax.lines)
        if len(x) == 2 and y[0] == y[1] and x[0] < x[1]
    ]
    assert drawn == [(3, -0.6, 0.6), (2, 0.0, 0.5), (0, 0.1, 0.3)]
    bare = ax.figure.add_subplot()
    figures.bounds(TABLE[["lower", "upper"]], bare, "effect")
    assert len(bare.patches) == 2


def test_bounds_that_cross_are_crosses_with_words(ax: Axes) -> None:
    figures.bounds(TABLE, ax, "effect")
    words = {text.xy[1]: text.get_text() for text in ax.texts}
    assert words == {1: "bounds cross: refuted", 0: "bounds cross: within sampling error"}
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[0.3, 0.1], [0.2, 0.15]]


def test_an_interval_beyond_the_axis_ends_in_an_arrow(ax: Axes) -> None:
    figures.bounds(TABLE, ax, "effect", limits=(-0.55, 0.55))
    arrows = [
        (line.get_marker(), line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == 1
    ]
    assert [marker for marker, _ in arrows] == ["<", ">"]
    assert ax.get_xlim() == (-0.55, 0.55)


def test_estimates_are_lines_told_apart_without_colour(ax: Axes) -> None:
    figures.bounds(TABLE, ax, "effect", estimates={"2SLS": 0.2, "OLS": 0.1})
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["2SLS", "OLS"]
    lines = [line for line in ax.lines if line.get_label() in ("2SLS", "OLS")]
    assert len({line.get_linestyle() for line in lines}) == 2
    with pytest.raises(ValueError, match="estimates holds 4: give at most 3"):
        figures.bounds(TABLE, ax, "effect", estimates=dict.fromkeys("abcd", 0.0))


def test_it_draws_what_the_bounds_return(ax: Axes) -> None:
    g = np.random.default_rng(0)
    x = np.repeat([0.0, 1.0], 100)
    y = (g.random(200) < 0.3 + 0.3 * x).astype(float)
    rows = bounds_by_assumption(
        y, x, outcome_range=(0, 1), response="increasing", selection="positive"
    )
    figures.bounds(bounds_table(rows), ax, "effect")
    assert [(left, right) for _, left, right in bars(ax)] == [
        (pytest.approx(r.lower), pytest.approx(r.upper)) for r in rows
    ]
