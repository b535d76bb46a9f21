"""The figure of tau draws Q, its bounds, the prediction band and the marks asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.testing import assert_allclose

from pooledtrials import figures
from pooledtrials.panels import TauProfile, meta_analysis, tau_profile


@pytest.fixture
def axes() -> Iterator[tuple[Axes, Axes]]:
    figure, (left, right) = plt.subplots(1, 2)
    yield left, right
    plt.close(figure)


@pytest.fixture(scope="module")
def profile() -> TauProfile:
    result = meta_analysis([-0.3, 0.1, 0.5, 0.2], [0.1, 0.2, 0.4, 0.1])
    return tau_profile(result, np.linspace(0, 3, 301))


def straight(ax: Axes, style: str, vertical: bool) -> list[float]:
    """Places of the lines across the whole axis that have a style."""
    found = []
    for line in ax.lines:
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        along, other = (x, y) if vertical else (y, x)
        if line.get_linestyle() == style and len(x) == 2 and set(other) == {0, 1}:
            found.append(float(along[0]))
    return found


def test_it_draws_q_between_its_bounds(axes: tuple[Axes, Axes], profile: TauProfile) -> None:
    assert figures.tau_profile(profile, axes, "effect") == axes
    left, right = axes
    assert_allclose(left.lines[0].get_ydata(), profile.table["q"])
    assert straight(left, "--", vertical=False) == [profile.least, profile.most]
    edges = [profile.kept.index[0], profile.kept.index[-1]]
    assert straight(left, "--", vertical=True) == straight(right, "--", vertical=True) == edges
    assert right.get_ylabel() == "effect"
    assert left.get_ylim()[1] > profile.table["q"].max()


def test_the_band_is_the_prediction_interval(axes: tuple[Axes, Axes], profile: TauProfile) -> None:
    _, right = figures.tau_profile(profile, axes, "effect")
    outline = right.collections[0].get_paths()[0].vertices
    assert outline[:, 1].min() == profile.table["low"].min()
    assert outline[:, 1].max() == profile.table["high"].max()


def test_marks_are_those_asked_for_or_the_estimate(
    axes: tuple[Axes, Axes], profile: TauProfile
) -> None:
    left, right = figures.tau_profile(profile, axes, "effect", [0.2, 0.5])
    assert straight(left, ":", vertical=True) == straight(right, ":", vertical=True) == [0.2, 0.5]
    for ax in axes:
        ax.clear()
    left, _ = figures.tau_profile(profile, axes, "effect")
    assert straight(left, ":", vertical=True) == [profile.estimate]


def test_with_no_tau_kept_there_are_no_edges(axes: tuple[Axes, Axes]) -> None:
    agree = tau_profile(meta_analysis([0.1, 0.11, 0.09], [0.2, 0.1, 0.3]), [0.0, 1.0])
    left, _ = figures.tau_profile(agree, axes, "effect")
    assert straight(left, "--", vertical=True) == []
