"""Figures of plans draw the lines, points and bars that they are given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from pooledtrials import figures


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def test_requirements_are_lines_and_trials_points(ax):
    steps = pd.DataFrame({"F = 10": [5.0, 1.0], "power": [20.0, 4.0]}, index=[150, 3750])
    assert figures.requirements(steps, ax, {"six trials": (1730, 2.0)}) is ax
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn["F = 10"] == [[150, 5], [3750, 1]]
    assert [1730.0, 2.0] in [line.get_xydata().tolist()[0] for line in ax.lines]
    assert [text.get_text() for text in ax.texts] == ["six trials"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert list(ax.get_xticks()) == [200, 500, 1000, 2000]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "2", "5", "10", "20"]
    plt.close("all")


def test_requirements_need_no_marks(ax):
    steps = pd.DataFrame({"F = 10": [5.0, 1.0]}, index=[100, 2500])
    figures.requirements(steps, ax)
    assert len(ax.lines) == 1


def test_interviews_have_a_tick_each(ax):
    strength = pd.DataFrame({"lasts": [10, 15, 18], "fades": [10, 12, 11]}, index=[1, 2, 3])
    assert figures.by_interviews(strength, ax, "expected F") is ax
    assert list(ax.get_xticks()) == [1, 2, 3]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["10"]
    assert [list(line.get_ydata()) for line in ax.lines] == [[10, 15, 18], [10, 12, 11]]


def test_costs_mark_the_cheapest(ax):
    table = pd.DataFrame({"linear": [9.0, 5, 4], "steep": [9.0, 6, 8]}, index=[2.0, 4.0, 6.0])
    assert figures.costs(table, ax, "cost") is ax
    points = [line.get_xydata().tolist()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert points == [[6, 4], [4, 6]]
    assert len({line.get_marker() for line in ax.lines if len(line.get_xdata()) == 1}) == 2


def test_foreseen_is_a_density_of_all_pools(ax):
    seen = np.array([0.5, 1.5, 1.6, 30.0])
    at = np.linspace(0, 5, 50)
    assert figures.foreseen(seen, at, np.exp(-at), ax, "F") is ax
    area = sum(patch.get_height() * patch.get_width() for patch in ax.patches)
    assert area == pytest.approx(0.75)  # one pool of four lies beyond the axis
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.exp(-at))
