"""The forest plot draws what a meta-analysis says: weights, ends, arrows, what does not exist."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.patches import Polygon
from numpy.testing import assert_allclose

from pooledtrials import figures
from pooledtrials.panels import MetaAnalysis, meta_analysis

NAMES = ["one", "two", "three"]


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


@pytest.fixture(scope="module")
def result() -> MetaAnalysis:
    return meta_analysis(
        pd.Series([-0.3, 0.1, 0.5], NAMES), pd.Series([0.1, 0.2, 0.4], NAMES), interval="normal"
    )


def squares(ax: Axes) -> list[tuple[float, float, float]]:
    """Place, estimate and area of every square, in the order drawn."""
    found = [c for c in ax.collections if isinstance(c, PathCollection)]
    points = [(c, np.asarray(c.get_offsets())[0]) for c in found]
    return [(float(y), float(x), float(c.get_sizes()[0])) for c, (x, y) in points]


def diamonds(ax: Axes) -> dict[float, Polygon]:
    found = [patch for patch in ax.patches if isinstance(patch, Polygon)]
    return {float(patch.get_xy()[0, 1]): patch for patch in found}


def segments(ax: Axes, place: float) -> list[tuple[float, float]]:
    rows = [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in ax.lines]
    return [
        (float(x[0]), float(x[1])) for x, y in rows if len(x) == 2 and tuple(y) == (place, place)
    ]


def arrows(ax: Axes, place: float) -> list[tuple[str, float]]:
    return [
        (str(line.get_marker()), float(np.asarray(line.get_xdata())[0]))
        for line in ax.lines
        if len(np.asarray(line.get_xdata())) == 1
        and float(np.asarray(line.get_ydata())[0]) == place
    ]


def test_trials_are_squares_with_the_area_of_their_weight(ax: Axes, result: MetaAnalysis) -> None:
    assert figures.forest(result, ax, "effect") is ax
    found = squares(ax)
    assert [(place, estimate) for place, estimate, _ in found] == [(5, -0.3), (4, 0.1), (3, 0.5)]
    areas = np.array([area for *_, area in found])
    weights = result.trials["weight_random"].to_numpy()
    assert_allclose(areas / areas.sum(), weights)
    for place, row in zip((5, 4, 3), result.trials.itertuples(), strict=True):
        assert segments(ax, place) == [(row.low, row.high)]
        assert arrows(ax, place) == []


def test_means_are_diamonds_told_apart_without_colour(ax: Axes, result: MetaAnalysis) -> None:
    figures.forest(result, ax, "effect")
    found = diamonds(ax)
    for place, mean, ends in (
        (2.0, result.common, result.common_set.end_points),
        (1.0, result.random, result.random_set.end_points),
    ):
        corners = found[place].get_xy()
        assert (corners[:, 0].min(), corners[:, 0].max()) == ends
        assert corners[np.argmax(corners[:, 1]), 0] == mean.coefficient
    brightness = [np.mean(colors.to_rgb(found[place].get_facecolor())) for place in (2.0, 1.0)]
    assert brightness[0] - brightness[1] > 0.3


def test_the_bar_is_the_prediction_interval(ax: Axes, result: MetaAnalysis) -> None:
    figures.forest(result, ax, "effect")
    assert result.prediction is not None
    assert segments(ax, 0) == [result.prediction.end_points]


def test_two_trials_have_no_bar_and_say_so(ax: Axes) -> None:
    figures.forest(meta_analysis([0.1, 0.3], [0.1, 0.1]), ax, "effect")
    assert segments(ax, 0) == []
    assert [text.get_text() for text in ax.texts] == ["none with 2 trials"]


def test_what_limits_cut_ends_in_an_arrow(ax: Axes, result: MetaAnalysis) -> None:
    figures.forest(result, ax, "effect", limits=(-0.4, 0.2))
    assert ax.get_xlim() == (-0.4, 0.2)
    assert arrows(ax, 5) == [("<", -0.4)]
    assert arrows(ax, 4) == [(">", 0.2)]
    assert segments(ax, 4) == [(pytest.approx(0.1 - 1.959964 * 0.2), 0.2)]
    assert arrows(ax, 3) == [(">", 0.2)]
    assert [estimate for _, estimate, _ in squares(ax)] == [-0.3, 0.1]
    assert arrows(ax, 2) == []
    assert arrows(ax, 1) == [("<", -0.4), (">", 0.2)]
    assert arrows(ax, 0) == [("<", -0.4), (">", 0.2)]


def test_a_mean_beyond_the_limits_is_an_arrow(ax: Axes) -> None:
    figures.forest(meta_analysis([5.0, 5.1, 5.2], [0.1, 0.1, 0.1]), ax, "effect", limits=(-1, 1))
    for place in range(6):
        assert arrows(ax, place) == [(">", 1)]
    assert squares(ax) == []


def test_rows_are_named_from_the_top(ax: Axes, result: MetaAnalysis) -> None:
    figures.forest(result, ax, "change in score")
    names = dict(zip(ax.get_yticks(), [t.get_text() for t in ax.get_yticklabels()], strict=True))
    assert [names[place] for place in (5, 4, 3, 2, 1, 0)] == [
        *NAMES, "common effect", "random effects", "next trial",
    ]  # fmt: skip
    assert ax.get_xlabel() == "change in score"


def test_names_fit_at_the_width_of_a_phone(result: MetaAnalysis) -> None:
    """Drawn 3.5 inches wide, no row's name overlaps another and all are on the page."""
    with plt.rc_context():
        figures.use_style()
        figure, axis = plt.subplots(figsize=(3.5, 0.35 * 6 + 0.7))
        figures.forest(result, axis, "effect")
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axis.get_yticklabels()]
        assert all(box.x0 >= 0 and box.height > 0 for box in boxes)
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
        assert axis.get_position().width > 0.5
        plt.close(figure)
