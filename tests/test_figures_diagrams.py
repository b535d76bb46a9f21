"""Diagrams, moments and repeated simulations draw what they are given and return their axis."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from pooledtrials import figures


@pytest.fixture
def ax() -> Iterator[Axes]:
    with mpl.rc_context({"backend": "agg"}):
        figure, axis = plt.subplots(figsize=(7, 3.8))
        yield axis
        plt.close(figure)


def words(ax: Axes) -> set[str]:
    return {text.get_text().replace("\n", " ") for text in ax.texts} - {""}


def test_diagram_names_every_box_and_both_worlds(ax: Axes) -> None:
    assert figures.causal_diagram(ax) is ax
    assert words(ax) == {
        "facilitation (randomized)", "meeting days", "severity", "answers to the ASI",
        "motivation that lasts", "motivation from wave to wave", "interview missed",
        "severity that lasts", "works", "selection",
    }  # fmt: skip
    assert not ax.axison


def test_diagram_dashes_what_nobody_observes(ax: Axes) -> None:
    figures.causal_diagram(ax)
    boxes = {t.get_text().replace("\n", " "): t.get_bbox_patch() for t in ax.texts}
    dashed = {name for name, box in boxes.items() if box and box.get_linestyle() != "-"}
    assert dashed == {
        "motivation that lasts", "motivation from wave to wave", "severity", "severity that lasts"
    }  # fmt: skip


def test_facilitation_points_to_meetings_only(ax: Axes) -> None:
    """The diagram must not draw a violation of the exclusion restriction."""
    figures.causal_diagram(ax)
    place = {t.get_text().replace("\n", " "): t.get_position() for t in ax.texts if t.get_text()}
    arrows = [t for t in ax.texts if isinstance(t, Annotation) and t.arrow_patch is not None]
    # An annotation's own position is where its arrow starts; xy is where it points.
    ends = [t.xy for t in arrows if t.get_position() == place["facilitation (randomized)"]]
    assert ends == [place["meeting days"]]
    heavy = [t for t in arrows if t.arrow_patch is not None and t.arrow_patch.get_linewidth() > 2]
    assert {t.xy for t in heavy} == {place["severity"]}
    assert len(heavy) == 2


def test_diagram_stays_inside_its_axis(ax: Axes) -> None:
    figures.causal_diagram(ax)
    ax.figure.canvas.draw()
    frame = ax.figure.bbox
    for text in ax.texts:
        if text.get_text():
            box = text.get_window_extent()
            assert frame.contains(box.x0, box.y0)
            assert frame.contains(box.x1, box.y1)


def test_moments_draw_a_marker_per_source_and_two_errors_on_the_first(ax: Axes) -> None:
    frame = pd.DataFrame({"real": [0.2, 0.4], "made": [0.1, np.nan]}, index=["mean", "SD"])
    errors = pd.Series({"SD": 0.05, "mean": 0.01})  # in another order than the moments
    assert figures.moments(frame, ax, "score", errors=errors) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mean", "SD"]
    assert list(ax.get_yticks()) == [1, 0]
    first, second = ax.containers
    np.testing.assert_allclose(first[0].get_xdata(), [0.2, 0.4])
    np.testing.assert_allclose(second[0].get_xdata(), [0.1, np.nan])
    spread = [(s[0][0], s[1][0]) for s in first[2][0].get_segments()]
    np.testing.assert_allclose(spread, [(0.18, 0.22), (0.3, 0.5)])
    assert not second.has_xerr
    assert first[0].get_marker() != second[0].get_marker()


def test_moments_without_errors(ax: Axes) -> None:
    frame = pd.DataFrame({"real": [0.2]}, index=["mean"])
    assert not figures.moments(frame, ax, "score").containers[0].has_xerr


def test_replications_draw_every_result_with_quartiles_and_median(ax: Axes) -> None:
    samples = {"a": [0.0, 1.0, 2.0, 3.0, 4.0], "b": pd.Series([5.0, 7.0], index=[9, 8])}
    assert figures.replications(samples, ax, "estimate") is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a"]
    dots, bar, median = (ax.lines[k].get_xdata() for k in range(3))
    assert sorted(dots) == [0, 1, 2, 3, 4]
    assert list(bar) == [1, 3]
    assert list(median) == [2]
    assert min(ax.lines[0].get_ydata()) > 0.5  # the first group is on top


def test_results_beyond_the_limits_are_counted_and_not_dropped_in_silence(ax: Axes) -> None:
    samples = {"wild": [-9.0, -5.0, 0.0, 0.1, 0.2, 8.0]}
    figures.replications(samples, ax, "estimate", limits=(-1, 1))
    assert ax.get_xlim() == (-1, 1)
    assert sorted(ax.lines[0].get_xdata()) == [0.0, 0.1, 0.2]
    # Quartiles are those of all results, cut to the axis.
    assert list(ax.lines[1].get_xdata()) == [-1, pytest.approx(0.175)]
    assert [t.get_text() for t in ax.texts] == ["2 beyond", "1 beyond"]
    assert [line.get_marker() for line in ax.lines][-2:] == ["<", ">"]


def test_replications_keep_a_logarithmic_axis(ax: Axes) -> None:
    ax.set_xscale("log")
    figures.replications({"F": [1.0, 10.0, 100.0]}, ax, "first-stage F")
    assert ax.get_xscale() == "log"
