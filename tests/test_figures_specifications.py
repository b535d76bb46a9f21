"""The figure of a specification curve draws every estimate, its kind, and its options."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from numpy.testing import assert_allclose

from pooledtrials import figures
from pooledtrials.panels import (
    JointTest,
    SpecificationCurve,
    bootstrap_joint_test,
    specification_curve,
)
from pooledtrials.results import Estimate

CHOICES = {"a": ["p", "q", "gone"], "b": ["x", "y"]}
EFFECTS = {("p", "x"): 1.0, ("p", "y"): 0.1, ("q", "x"): -0.2, ("q", "y"): -3.0}
PANEL = pd.DataFrame({"trial": "t", "patient": range(30), "v": np.linspace(-1, 1, 30)})
KINDS = {"v": "interval below 0", "o": "interval with 0", "^": "interval above 0"}


def analysis(panel: pd.DataFrame, a: str, b: str) -> Estimate:
    if (a, b) not in EFFECTS:
        raise ValueError("gone")
    return Estimate("m", EFFECTS[a, b] + panel["v"].mean(), 0.3, "classical", 30, 28)


@pytest.fixture(scope="module")
def curve() -> SpecificationCurve:
    return specification_curve(PANEL, CHOICES, analysis)


@pytest.fixture(scope="module")
def null() -> JointTest:
    curve = specification_curve(PANEL, {**CHOICES, "a": ["p", "q"]}, analysis)
    return bootstrap_joint_test(curve, PANEL, draws=19)


@pytest.fixture
def axes() -> Iterator[tuple[Axes, Axes]]:
    figure, two = plt.subplots(2, 1)
    yield tuple(two)
    plt.close(figure)


def markers(ax: Axes) -> dict[tuple[float, float], str]:
    """Marker by place and height, of what is drawn as points."""
    return {
        (float(x), float(y)): str(line.get_marker())
        for line in ax.lines
        if line.get_linestyle() == "None"
        for x, y in zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True)
    }


def test_estimates_are_in_order_with_intervals_and_kinds(axes, curve) -> None:
    assert figures.specification_curve(curve, axes, "effect") == axes
    found = markers(axes[0])
    assert {place: marker for (place, _), marker in found.items()} == {
        1: "v", 2: "o", 3: "o", 4: "^",
    }  # fmt: skip
    assert_allclose(sorted(found), list(zip(range(1, 5), curve.ordered()["estimate"], strict=True)))
    intervals = np.array(
        [
            segment
            for c in axes[0].collections
            if isinstance(c, LineCollection)
            for segment in c.get_segments()
        ]
    )
    intervals = intervals[np.argsort(intervals[:, 0, 0])]
    assert_allclose(intervals[:, :, 1], curve.ordered()[["low", "high"]])
    assert axes[0].get_ylabel() == "effect"


def test_kinds_differ_by_colour_marker_and_fill(axes, curve) -> None:
    figures.specification_curve(curve, axes, "effect")
    drawn = [line for line in axes[0].lines if line.get_linestyle() == "None"]
    assert {str(line.get_marker()): line.get_label() for line in drawn} == KINDS
    assert len({str(line.get_color()) for line in drawn}) == 3
    assert [str(line.get_marker()) for line in drawn if line.get_mfc() == "white"] == ["o"]
    handles, labels = axes[0].get_legend_handles_labels()
    assert labels == list(KINDS.values())
    assert len(handles) == 3


def test_dots_stand_at_the_options_of_each_specification(axes, curve) -> None:
    figures.specification_curve(curve, axes, "effect")
    labels = {text.get_text(): place for place, text in zip(
        axes[1].get_yticks(), axes[1].get_yticklabels(), strict=True)}  # fmt: skip
    assert list(labels) == ["a", "p", "q", "gone", "b", "x", "y"]
    bold = [t.get_text() for t in axes[1].get_yticklabels() if t.get_weight() == "bold"]
    assert bold == ["a", "b"]
    want = set()
    kinds = ["v", "o", "o", "^"]
    for place, (row, kind) in enumerate(
        zip(curve.ordered().itertuples(), kinds, strict=True), start=1
    ):
        want |= {(place, labels[row.a], kind), (place, labels[row.b], kind)}
    found = {(place, height, marker) for (place, height), marker in markers(axes[1]).items()}
    assert found == {(float(p), float(h), kind) for p, h, kind in want}
    assert list(labels.values()) == sorted(labels.values())
    low, high = axes[1].get_ylim()
    assert low > high  # the first choice is on top
    assert axes[1].get_xlabel() == "4 specifications, by their estimate; 2 more have none"
    assert axes[1].get_xlim() == axes[0].get_xlim()


def test_names_stand_above_their_dots_if_narrow(axes, curve) -> None:
    figures.specification_curve(curve, axes, "effect", narrow=True)
    assert len(axes[1].get_yticks()) == 0
    texts = {text.get_text(): text.xy[1] for text in axes[1].texts}
    assert set(texts) == {"a", "p", "q", "gone", "b", "x", "y"}
    heights = sorted({height for _, height in markers(axes[1])})
    for option, height in zip(["p", "q", "x", "y"], heights, strict=True):
        assert height - 1 < texts[option] < height
    assert texts["a"] < texts["p"]


def test_truth_and_null_band(axes, curve, null) -> None:
    figures.specification_curve(curve, axes, "effect", truth=-0.5, null=null)
    (line,) = [line for line in axes[0].lines if line.get_label() == "truth"]
    assert_allclose(line.get_ydata(), -0.5)
    assert line.get_linestyle() == "--"
    (band,) = [c for c in axes[0].collections if isinstance(c, PolyCollection)]
    assert band.get_label() == "95 % of curves under the null"
    corners = band.get_paths()[0].vertices
    for place, row in enumerate(null.band.itertuples(), start=1):
        heights = corners[corners[:, 0] == place, 1]
        assert_allclose([heights.min(), heights.max()], [row.low, row.high])


def test_without_truth_there_is_none(axes, curve) -> None:
    figures.specification_curve(curve, axes, "effect")
    assert "truth" not in [line.get_label() for line in axes[0].lines]
    assert not [c for c in axes[0].collections if isinstance(c, PolyCollection)]


def test_hundreds_of_specifications_have_smaller_marks(axes) -> None:
    many = specification_curve(
        PANEL,
        {"k": [str(i) for i in range(20)], "m": [str(i) for i in range(20)]},
        lambda panel, k, m: Estimate("m", int(k) + int(m) / 7 - 5, 2.0, "classical", 9, 7),
    )
    figures.specification_curve(many, axes, "effect")
    sizes = {line.get_markersize() for line in axes[0].lines if line.get_linestyle() == "None"}
    assert sizes == {1.5}
    assert len(markers(axes[0])) == 400
    assert len(markers(axes[1])) == 800


def test_what_it_refuses(axes, curve) -> None:
    with pytest.raises(ValueError, match="axes has 1 axes: give two"):
        figures.specification_curve(curve, axes[:1], "effect")
    one = specification_curve(PANEL, {"a": ["p"], "b": ["x"]}, analysis)
    other = bootstrap_joint_test(one, PANEL, draws=19)
    with pytest.raises(ValueError, match="null has 1 ranks, but the curve has 4 estimates"):
        figures.specification_curve(curve, axes, "effect", null=other)


def test_curves_side_by_side_share_their_names(curve):
    figure, axes = plt.subplots(2, 2, sharey="row")
    for pair in axes.T:
        figures.specification_curve(curve, pair, "effect")
    names = [[label.get_text() for label in ax.get_yticklabels()] for ax in axes[1]]
    assert "gone" in names[0]
    assert names[1] == []
    plt.close(figure)
