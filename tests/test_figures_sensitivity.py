"""Figures of sensitivity draw what the results say: lines, borders, hatches, arrows, labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.text import Text

from pooledtrials import figures
from pooledtrials.selection import (
    contours,
    exclusion_breakdown,
    instrument_contours,
    just_identified,
    plausibly_exogenous,
)

FIT = (0.5, 0.1, 300.0)
V = [[0.0004, 0.0001], [0.0001, 0.004]]
STRONG = just_identified(0.06, 0.5, V, 500)
WEAK = just_identified(0.08, 0.1, V, 500)
MARKED = pd.DataFrame(
    {"label": ["near", "far", "high"], "r2_exposure": [0.02, 0.9, 0.01], "r2_outcome": [0.03, 0.01, 0.8]}
)  # fmt: skip


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def planes(ax: Axes) -> list[QuadContourSet]:
    return [c for c in ax.collections if isinstance(c, QuadContourSet)]


def points(ax: Axes) -> dict[tuple[float, float], str]:
    """Markers of everything drawn as one point, by place."""
    return {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): str(line.get_marker())
        for line in ax.lines
        if len(line.get_xdata()) == 1
    }


def test_lines_have_their_values_and_the_border_is_dashed(ax: Axes) -> None:
    plane = contours(FIT, limit_exposure=0.4, limit_outcome=0.4)
    assert figures.sensitivity_contours(plane, ax) is ax
    lines, border = planes(ax)
    assert list(border.levels) == [0.0]
    assert border.get_linestyle()[0][1] is not None
    assert lines.get_linestyle()[0][1] is None
    assert len(lines.levels) >= 4
    assert all(level != 0 for level in lines.levels)
    texts = [text.get_text() for text in ax.texts]
    assert "none: 0.5" in texts
    assert ax.get_xlabel() == "share of the exposure explained (%)"
    assert ax.get_ylabel() == "share of the outcome explained (%)"
    assert ax.get_xlim() == (0, 40)
    # the border is where the estimate is zero
    path = border.get_paths()[0].vertices / 100
    bias = 0.1 * np.sqrt(300) * np.sqrt(path[:, 1] * path[:, 0] / (1 - path[:, 0]))
    assert bias == pytest.approx(0.5, abs=2e-3)


def test_there_is_no_border_where_the_conclusion_does_not_change(ax: Axes) -> None:
    figures.sensitivity_contours(contours(FIT, limit_exposure=0.01, limit_outcome=0.01), ax)
    assert len(planes(ax)) == 1
    assert all(0.0 not in found.levels for found in planes(ax))


def test_benchmarks_differ_by_marker_and_are_named_with_their_value(ax: Axes) -> None:
    plane = contours(FIT, MARKED, limit_exposure=0.1, limit_outcome=0.1)
    figures.sensitivity_contours(plane, ax, xlabel="of attendance", ylabel="of use")
    drawn = points(ax)
    assert drawn[2.0, 3.0] not in (">", "^")
    assert drawn[10.0, 1.0] == ">"  # beyond the axes: an arrow on the edge
    assert drawn[1.0, 10.0] == "^"
    names = [text.get_text() for text in ax.texts]
    for row in plane.benchmarks.itertuples():
        assert f"{row.label}: {row.value:.3g}" in names
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("of attendance", "of use")


def test_names_of_close_benchmarks_do_not_cover_each_other(ax: Axes) -> None:
    close = pd.DataFrame(
        {"label": list("abcd"), "r2_exposure": 0.05, "r2_outcome": [0.05, 0.0501, 0.0502, 0.0503]}
    )
    figures.sensitivity_contours(contours(FIT, close, limit_exposure=0.4, limit_outcome=0.4), ax)
    ax.figure.canvas.draw()
    boxes = [
        Text.get_window_extent(text)  # without its leader
        for text in ax.texts
        if text.get_text()[:2] in ("a:", "b:", "c:", "d:")
    ]
    assert len(boxes) == 4
    boxes.sort(key=lambda box: box.y0)
    gaps = [upper.y0 - lower.y0 for lower, upper in itertools.pairwise(boxes)]
    assert min(gaps) >= 0.9 * boxes[0].height


def test_names_on_either_side_of_their_marks_do_not_cover_each_other(ax: Axes) -> None:
    # the first is named to its right, the second to its left
    facing = pd.DataFrame(
        {
            "label": ["west of the middle", "east of the middle"],
            "r2_exposure": [0.15, 0.3],
            "r2_outcome": [0.001, 0.002],
        }
    )
    figures.sensitivity_contours(contours(FIT, facing, limit_exposure=0.4, limit_outcome=0.4), ax)
    ax.figure.canvas.draw()
    first, second = (
        Text.get_window_extent(text)  # without its leader
        for text in ax.texts
        if text.get_text()[:4] in ("west", "east")
    )
    assert first.x0 < second.x1
    assert second.x0 < first.x1
    assert abs(second.y0 - first.y0) >= 0.9 * first.height


def test_a_plane_without_an_end_is_hatched(ax: Axes) -> None:
    plane = instrument_contours(STRONG, limit_instrument=0.3, limit_outcome=0.5, points=9)
    assert np.isinf(plane.values).any()
    figures.sensitivity_contours(plane, ax)
    assert any(found.hatches == ["///"] for found in planes(ax))
    assert ax.get_xlabel() == "share of the instrument explained (%)"


def test_a_plane_with_ends_everywhere_is_not(ax: Axes) -> None:
    plane = instrument_contours(STRONG, limit_instrument=0.001, limit_outcome=0.01, points=5)
    figures.sensitivity_contours(plane, ax)
    assert not any(found.hatches == ["///"] for found in planes(ax))


def bars(ax: Axes) -> dict[float, list[tuple[float, float]]]:
    """Vertical lines drawn at each direct effect."""
    found: dict[float, list[tuple[float, float]]] = {}
    for line in ax.lines:
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        if len(x) == 2 and x[0] == x[1] and line.get_linestyle() == "-":
            found.setdefault(float(x[0]), []).append((float(y[0]), float(y[1])))
    return found


def test_sets_are_bars_against_the_direct_effect_and_the_union_a_band(ax: Axes) -> None:
    result = plausibly_exogenous(STRONG, -0.05, 0.05, points=5)
    assert figures.exclusion(result, ax, "direct effect", "effect", (-0.5, 0.5)) is ax
    drawn = bars(ax)
    assert sorted(drawn) == list(result.gammas)
    for gamma, found in zip(result.gammas, result.sets, strict=True):
        assert drawn[gamma] == [found.intervals[0]]
    band = ax.patches[0].get_window_extent().transformed(ax.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx(result.union.intervals[0])
    assert points(ax) == {}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("direct effect", "effect")


def test_bars_that_go_on_end_in_arrows_and_leave_their_hole(ax: Axes) -> None:
    result = plausibly_exogenous(WEAK, 0.0, 0.0, points=2)
    figures.exclusion(result, ax, "direct effect", "effect", (-6.0, 6.0))
    (low, high) = result.sets[0].intervals
    assert bars(ax)[0.0][:2] == [(-6.0, low[1]), (high[0], 6.0)]
    assert points(ax) == {(0.0, -6.0): "v", (0.0, 6.0): "^"}


def test_a_breakdown_point_is_marked_where_it_is(ax: Axes) -> None:
    found = exclusion_breakdown(STRONG)
    result = plausibly_exogenous(STRONG, -0.05, 0.05, points=5)
    figures.exclusion(result, ax, "direct effect", "effect", (-0.5, 0.5), found)
    dotted = [float(line.get_xdata()[0]) for line in ax.lines if line.get_linestyle() == ":"]
    assert dotted == [found.value]
    assert f"{found.value:.3g}" in [text.get_text() for text in ax.texts]
