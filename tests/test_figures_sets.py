"""Figures of sets and tests draw what the results say: ends, arrows, holes, emptiness."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from pooledtrials import figures
from pooledtrials.instruments import ConfidenceSet, WeakInstrumentReport
from pooledtrials.instruments import weak_instrument_report as make_report

INF = math.inf


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def markers(ax: Axes, place: float) -> list[tuple[str, float]]:
    """Marker and position of everything drawn as a point in one row."""
    return [
        (str(line.get_marker()), float(np.asarray(line.get_xdata())[0]))
        for line in ax.lines
        if len(np.atleast_1d(np.asarray(line.get_xdata()))) == 1
        and float(np.asarray(line.get_ydata())[0]) == place
    ]


def segments(ax: Axes, place: float) -> list[tuple[float, float]]:
    """Lines drawn along one row."""
    rows = [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in ax.lines]
    return [
        (float(x[0]), float(x[1])) for x, y in rows if len(x) == 2 and tuple(y) == (place, place)
    ]


def drawn(
    ax: Axes, *pieces: tuple[float, float]
) -> tuple[list[tuple[str, float]], list[tuple[float, float]]]:
    found = ConfidenceSet(pieces, 0.95)
    figures.confidence_sets({"set": found}, ax, "effect", limits=(-1, 1))
    return markers(ax, 0), segments(ax, 0)


def test_an_interval_has_two_caps(ax: Axes) -> None:
    points, lines = drawn(ax, (-0.5, 0.25))
    assert points == [("|", -0.5), ("|", 0.25)]
    assert lines == [(-0.5, 0.25)]


def test_the_whole_line_has_two_arrows_and_no_cap(ax: Axes) -> None:
    points, lines = drawn(ax, (-INF, INF))
    assert points == [("<", -1), (">", 1)]
    assert lines == [(-1, 1)]


def test_two_rays_leave_their_hole_empty(ax: Axes) -> None:
    points, lines = drawn(ax, (-INF, -0.2), (0.3, INF))
    assert points == [("<", -1), ("|", -0.2), ("|", 0.3), (">", 1)]
    assert lines == [(-1, -0.2), (0.3, 1)]


def test_a_piece_beyond_the_axis_is_an_arrow_without_a_line(ax: Axes) -> None:
    points, lines = drawn(ax, (-0.1, 0.1), (5, INF))
    assert (">", 1) in points
    assert lines == [(-0.1, 0.1)]


def test_a_bounded_piece_beyond_the_axis_draws_one_arrow_inside_the_limits(ax: Axes) -> None:
    points, lines = drawn(ax, (3, 4))
    assert points == [(">", 1)]
    assert lines == []


def test_an_empty_set_says_so_and_draws_nothing(ax: Axes) -> None:
    points, lines = drawn(ax)
    assert points == []
    assert lines == []
    assert any("empty" in text.get_text() for text in ax.texts)


def test_rows_are_named_from_the_top(ax: Axes) -> None:
    one = ConfidenceSet(((0, 1),), 0.95)
    figures.confidence_sets({"first": one, "second": one}, ax, "effect", limits=(-1, 1))
    names = {
        text.get_text(): place
        for place, text in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    }
    assert names == {"first": 1, "second": 0}
    assert ax.get_xlabel() == "effect"


def test_p_values_draws_each_named_test_and_the_border(ax: Axes) -> None:
    effect = np.linspace(-1, 1, 5)
    curves = pd.DataFrame({"effect": effect, "AR": 0.5, "K": 0.2, "Wald": np.abs(effect)})
    assert figures.p_values(curves, ax, "effect", level=0.9, names=["AR", "Wald"]) is ax
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["AR", "Wald"]
    assert np.asarray(ax.lines[-1].get_ydata()) == pytest.approx(0.1)
    assert ax.get_xlim() == (-1, 1)


def test_p_values_draws_all_tests_by_default_with_styles_that_differ(ax: Axes) -> None:
    curves = pd.DataFrame({"effect": [0.0, 1.0], "AR": 0.5, "K": 0.2, "CLR": 0.3, "Wald": 0.1})
    figures.p_values(curves, ax, "effect")
    assert len({str(line.get_linestyle()) for line in ax.lines[:4]}) == 4


@pytest.fixture(scope="module")
def reports() -> dict[int, WeakInstrumentReport]:
    """Reports on one instrument and on three, of data made up here."""
    g = np.random.default_rng(1)
    z, v = g.normal(size=(150, 3)), g.normal(size=150)
    x = z @ [0.3, 0.2, 0.1] + v
    y = 0.5 * x + 0.8 * v + g.normal(size=150)
    return {k: make_report(y, x, z[:, :k]) for k in (1, 3)}


@pytest.fixture
def two_axes() -> Iterator[list[Axes]]:
    figure, axes = plt.subplots(2, 1)
    yield list(axes)
    plt.close(figure)


def test_a_report_is_drawn_as_p_values_above_its_sets(
    reports: dict[int, WeakInstrumentReport], two_axes: list[Axes]
) -> None:
    report = reports[3]
    above, below = figures.weak_instrument_report(report, two_axes, "effect (points)")
    assert [above, below] == two_axes
    legend = above.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["AR", "K", "CLR", "Wald"]
    names = [text.get_text() for text in below.get_yticklabels()]
    assert names == ["2SLS Wald interval", *report.sets]
    assert above.get_xlim() == below.get_xlim()
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "effect (points)")
    place = len(report.sets)  # the Wald interval comes first, on top
    assert segments(below, place) == [report.wald.end_points]


def test_a_report_on_one_instrument_draws_its_one_test_once_and_keeps_to_its_limits(
    reports: dict[int, WeakInstrumentReport], two_axes: list[Axes]
) -> None:
    above, below = figures.weak_instrument_report(reports[1], two_axes, "effect", limits=(0, 0.5))
    legend = above.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["AR", "Wald"]
    assert above.get_xlim() == below.get_xlim() == (0, 0.5)


def test_against_strength_draws_columns_on_a_log_axis_with_the_strengths_as_ticks(
    ax: Axes,
) -> None:
    table = pd.DataFrame({"t": [27.0, 8.0, 5.0], "AR": 5.0}, index=[1, 10, 100])
    assert figures.against_strength(table, ax, "rejected (%)", reference=5) is ax
    assert ax.get_xscale() == "log"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "10", "100"]
    assert len(ax.lines) == 3
    assert len({str(line.get_marker()) for line in ax.lines[:2]}) == 2


def test_against_strength_leaves_out_a_reference_that_is_not_given(ax: Axes) -> None:
    figures.against_strength(pd.DataFrame({"t": [1.0, np.nan]}, index=[1, 2]), ax, "length")
    assert len(ax.lines) == 1
