"""Figures of growth: the lines and intervals are those of the table, on the scales promised."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

from pooledtrials import figures


@pytest.fixture
def ax():
    fig, made = plt.subplots()
    yield made
    plt.close(fig)


def test_growth_draws_each_column(ax):
    table = pd.DataFrame({"one": [1.0, 10.0, 100.0], "other": [5.0, np.nan, 5.0]}, [10, 100, 1000])
    assert figures.growth(table, ax, "rows", "seconds") is ax
    assert [ax.get_xscale(), ax.get_yscale()] == ["log", "log"]
    assert [ax.get_xlabel(), ax.get_ylabel()] == ["rows", "seconds"]
    for line, column in zip(ax.get_lines(), table, strict=True):
        assert_allclose(line.get_xdata(), table.index)
        assert_allclose(line.get_ydata(), table[column])
        assert line.get_label() == column
    styles = {(line.get_linestyle(), line.get_marker()) for line in ax.get_lines()}
    assert len(styles) == 2


TABLE = pd.DataFrame(
    {"ols": [1.0, 1.5], "ols_se": [0.4, 0.04], "iv": [2.0, 2.5], "iv_se": [0.3, 0.03]}, [10, 1000]
)


def test_narrowing_draws_intervals_beside_each_other(ax):
    methods = {"least squares": "ols", "2SLS": "iv"}
    assert figures.narrowing(TABLE, methods, ax, "rows", "effect", truth=0.0) is ax
    assert [box.get_label() for box in ax.containers] == list(methods)
    for box, column in zip(ax.containers, methods.values(), strict=True):
        points, _, (bars,) = box
        assert_allclose(points.get_ydata(), TABLE[column])
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        assert_allclose(ends[:, 1] - ends[:, 0], 2 * 1.96 * TABLE[f"{column}_se"])
        assert_allclose(points.get_xdata(), TABLE.index, rtol=0.1)
    first, second = (box[0].get_xdata() for box in ax.containers)
    assert (first < second).all()
    assert ax.get_xscale() == "log"
    dashed = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [0.0]


def test_narrowing_without_a_truth(ax):
    figures.narrowing(TABLE, {"2SLS": "iv"}, ax, "rows", "effect")
    assert not [line for line in ax.get_lines() if line.get_linestyle() == "--"]
