"""Figures of missing follow-up draw what the results say: shares, intervals, tipping points."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.testing import assert_allclose

from pooledtrials import figures
from pooledtrials.panels import FollowUp, TippingPoint, follow_up, rubin


@pytest.fixture
def axes() -> Iterator[list[Axes]]:
    figure, found = plt.subplots(1, 2)
    yield list(found)
    plt.close(figure)


def described() -> FollowUp:
    generator = np.random.default_rng(0)
    frames = []
    for trial, waves, arms in (("b", (0, 6), 2), ("a", (0, 3, 12), 3)):
        frame = pd.MultiIndex.from_product([range(30), waves], names=["patient", "wave"])
        rows = frame.to_frame(index=False).assign(trial=trial)
        seen = (rows["wave"] == 0) | (generator.random(len(rows)) < 0.6)
        frames.append(rows.assign(arm=[f"arm {p % arms}" for p in rows["patient"]], seen=seen))
    panel = pd.concat(frames, ignore_index=True)
    return follow_up(
        panel["seen"], panel["arm"], panel["patient"], panel["wave"], trials=panel["trial"]
    )


def test_a_trial_an_axis_with_a_line_an_arm(axes: list[Axes]) -> None:
    result = described()
    assert figures.follow_up_patterns(result, axes) is axes
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    for ax, arms in zip(axes, (3, 2), strict=True):
        legend = ax.get_legend()
        assert legend is not None
        assert [t.get_text() for t in legend.get_texts()] == [f"arm {a}" for a in range(arms)]
        assert len({str(bar.lines[0].get_marker()) for bar in ax.containers}) == arms
        assert "month" in ax.get_xlabel()
        assert "%" in ax.get_ylabel()
    assert axes[0].get_xticks().tolist() == [0, 3, 12]
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_lines_are_the_shares_and_no_interval_passes_100(axes: list[Axes]) -> None:
    result = described()
    figures.follow_up_patterns(result, axes, xlabel="planned week")
    want = 100 * result.shares.loc[("a", "arm 1"), "share"].to_numpy()
    drawn = np.asarray(axes[0].containers[1].lines[0].get_ydata(), dtype=float)
    assert_allclose(drawn, want)
    for ax in axes:
        assert ax.get_xlabel() == "planned week"
        for bar in ax.containers:
            segments = np.array(bar.lines[2][0].get_segments())
            assert segments[:, :, 1].max() <= 100 + 1e-9
            assert segments[:, :, 1].min() >= ax.get_ylim()[0]


def test_an_axis_for_each_trial(axes: list[Axes]) -> None:
    with pytest.raises(ValueError, match="axes has 1 for 2 trials"):
        figures.follow_up_patterns(described(), axes[:1])


def tipped(changes: list[tuple[float, str, str]]) -> TippingPoint:
    delta = np.linspace(-1, 1, 5)
    frame = pd.DataFrame({"delta": delta, "estimate": 0.1 + 0.5 * delta, "standard_error": 0.1})
    frame = frame.assign(low=frame["estimate"] - 0.2, high=frame["estimate"] + 0.2)
    table = pd.DataFrame(changes, columns=["delta", "below", "above"])
    estimate = rubin([0.05, 0.15], [0.01, 0.01], 100)
    return TippingPoint(
        frame, table, estimate, -0.2, 0.5, linear=True, outcome="score", level=0.95, shifted=9
    )


def test_changes_are_marked_where_they_are(axes: list[Axes]) -> None:
    ax = axes[0]
    changes = [(-0.6, "below zero", "undecided"), (0.2, "undecided", "above zero")]
    assert figures.tipping_point(tipped(changes), ax, "shift (points)", "effect (points)") is ax
    marked = [
        (float(np.asarray(line.get_xdata())[0]), float(np.asarray(line.get_ydata())[0]))
        for line in ax.lines
        if line.get_marker() == "D"
    ]
    assert marked == [(-0.6, 0.0), (0.2, 0.0)]
    assert {"-0.6", "0.2", "as imputed"} == {text.get_text() for text in ax.texts}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("shift (points)", "effect (points)")
    assert ax.get_xlim() == (-1, 1)


def test_the_line_and_band_are_the_frame(axes: list[Axes]) -> None:
    ax, result = axes[0], tipped([])
    figures.tipping_point(result, ax, "shift", "effect")
    assert_allclose(ax.lines[0].get_ydata(), result.frame["estimate"])
    corners = ax.collections[0].get_paths()[0].vertices
    assert math.isclose(corners[:, 1].min(), result.frame["low"].min())
    assert math.isclose(corners[:, 1].max(), result.frame["high"].max())
    start = next(line for line in ax.lines if line.get_marker() == "o")
    assert_allclose(start.get_xydata(), [[0, 0.1]])
    assert [text.get_text() for text in ax.texts] == ["as imputed"]
