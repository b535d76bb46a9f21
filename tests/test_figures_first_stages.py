"""Figures of first stages draw what they are given, and their wedge is Fieller's set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pooledtrials import figures, instruments


@pytest.fixture
def ax() -> Iterator[Any]:
    with mpl.rc_context({"backend": "agg"}):
        figure, axis = plt.subplots()
        yield axis
        plt.close(figure)


def _effects(*estimates: float) -> pd.DataFrame:
    index = pd.Index([1, 3, 6][: len(estimates)], name="month")
    return pd.DataFrame({"estimate": estimates, "se": 0.5}, index=index)


def test_by_month_draws_each_estimate_and_a_line_at_zero(ax: Any) -> None:
    assert figures.by_month({"a": _effects(2, -1, 0.5)}, ax, "days") is ax
    container = ax.containers[0]
    assert container.lines[0].get_ydata().tolist() == [2, -1, 0.5]
    ends = container.lines[2][0].get_segments()[1][:, 1]
    assert ends == pytest.approx([-1 - 0.98, -1 + 0.98])
    assert any(set(line.get_ydata()) == {0} for line in ax.lines)
    assert ax.get_legend() is None
    assert list(ax.get_xticks()) == [1, 3, 6]


def test_by_month_tells_series_apart_and_draws_the_truth_dashed(ax: Any) -> None:
    truth = {"b": pd.Series([1.0, 0.5], index=[1, 3])}
    figures.by_month({"a": _effects(2, 1), "b": _effects(1, 1)}, ax, "days", truth)
    points = [container.lines[0] for container in ax.containers]
    assert len({line.get_marker() for line in points}) == 2
    assert len({line.get_color() for line in points}) == 2
    assert points[0].get_xdata()[0] != points[1].get_xdata()[0]
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata().tolist() for line in dashed] == [[1.0, 0.5]]
    legend = ax.get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == {"a", "b", "b, truth"}


def _trial(effect: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    z = np.repeat([0.0, 1.0], 200)
    x = effect * z + rng.normal(size=400)
    return 0.4 * x + rng.normal(size=400), x, z


def _dashed(ax: Any) -> list[float]:
    return sorted(
        float(line.get_ydata()[1] / line.get_xdata()[1])
        for line in ax.lines
        if line.get_linestyle() == "--"
    )


def test_wedge_lines_are_the_end_points_of_fiellers_set(ax: Any) -> None:
    y, x, z = _trial(1.0)
    moments = instruments.joint_moments(instruments.partial_out(y, x, z), "robust")
    found = instruments.wald_ratio(y, x, z, reference="chi2")
    pair = moments.first_stage[0], moments.reduced_form[0]
    covariance = moments.omega[::-1, ::-1, 0, 0]
    assert figures.wedge(pair, covariance, ax, "days", critical=1.959963984540054) is ax
    assert _dashed(ax) == pytest.approx(sorted(found.fieller.end_points))


def test_wedge_has_no_lines_when_the_ellipse_holds_the_origin(ax: Any) -> None:
    y, x, z = _trial(0.0)
    moments = instruments.joint_moments(instruments.partial_out(y, x, z), "robust")
    pair = moments.first_stage[0], moments.reduced_form[0]
    figures.wedge(pair, moments.omega[::-1, ::-1, 0, 0], ax, "days")
    assert _dashed(ax) == []
    left, right = ax.get_xlim()
    assert left < 0 < right


def test_response_weights_draws_a_bar_a_step_with_its_error(ax: Any) -> None:
    y, x, z = _trial(1.0)
    steps = np.digitize(x, [-1, 0, 1])
    weights = instruments.causal_response_weights(y, steps, z)
    assert figures.response_weights(weights, ax, "steps") is ax
    assert [bar.get_height() for bar in ax.patches] == weights["weight"].tolist()
    assert sum(bar.get_height() for bar in ax.patches) == pytest.approx(1)
    segment = ax.containers[1].lines[2][0].get_segments()[0][:, 1]
    shift, error = weights[["shift", "standard_error"]].iloc[0]
    half = 1.96 * error * weights["weight"].iloc[0] / shift
    assert segment == pytest.approx(weights["weight"].iloc[0] + np.array([-half, half]))
