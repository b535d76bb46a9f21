"""Figures draw what they are given and return their axis."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from pooledtrials import figures
from pooledtrials.pooling import load_trial, participant_flow


@pytest.fixture
def ax() -> Iterator[Axes]:
    with mpl.rc_context({"backend": "agg"}):
        figure, axis = plt.subplots()
        yield axis
        plt.close(figure)


def ends(ax: Axes) -> list[tuple[float, float]]:
    """Return the drawn interval of each row."""
    lines = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    return [(float(x[0]), float(x[1])) for x in lines if x[0] != x[1]]


def test_intervals_are_drawn_top_down_and_cut_with_an_arrow(ax: Axes) -> None:
    rows = pd.DataFrame(
        {"estimate": [0.1, np.nan], "low": [-0.1, -np.inf], "high": [0.3, 5.0]}, index=["a", "b"]
    )
    assert figures.intervals(rows, ax, "effect (units)", limits=(-1, 1)) is ax
    assert ends(ax) == [(-0.1, 0.3), (-1, 1)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert list(ax.get_yticks()) == [1, 0]
    arrows = [line.get_marker() for line in ax.lines if line.get_marker() in "<>"]
    assert arrows == ["<", ">"]


def test_intervals_without_limits_show_everything(ax: Axes) -> None:
    rows = pd.DataFrame({"estimate": [0.1], "low": [-9.0], "high": [0.3]}, index=["a"])
    figures.intervals(rows, ax, "effect")
    assert ends(ax) == [(-9.0, 0.3)]
    assert ax.get_xlim()[0] < -9


def test_shares_draw_a_line_per_arm_in_percent(ax: Axes) -> None:
    flow = participant_flow(load_trial("help").panel)
    figures.shares(flow, ax)
    drawn = {line.get_label(): line.get_ydata().tolist() for line in ax.lines}
    assert list(drawn) == ["health clinic", "usual care"]
    assert drawn["usual care"][0] == 100
    assert drawn["usual care"][-1] == pytest.approx(100 * 129 / 235)


def test_means_draw_their_intervals(ax: Axes) -> None:
    index = pd.MultiIndex.from_product([["a", "b"], [0, 6]], names=["arm", "wave"])
    summary = pd.DataFrame({"mean": [1.0, 2, 3, 4], "se": [0.5] * 4}, index=index)
    figures.means(summary, ax, "meetings")
    low = [seg[0][1] for container in ax.containers for seg in container[2][0].get_segments()]
    np.testing.assert_allclose(low, np.array([1.0, 2, 3, 4]) - 1.96 * 0.5)


def test_distributions_sum_to_a_hundred_percent(ax: Axes) -> None:
    samples = [pd.Series([0.0, 0.1, np.nan, 0.49]), pd.Series([0.2, 0.2])]
    figures.distributions(samples, ["first", "second"], ax, "score", width=0.1)
    outlines = [patch.get_xy()[:, 1] for patch in ax.patches]
    assert [outline[1::2].sum() for outline in outlines] == pytest.approx([100, 100])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first", "second"]
