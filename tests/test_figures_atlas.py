"""Figures of the atlas draw the rates and bands that they are given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from pooledtrials import figures


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def test_a_map_writes_each_rate_in_its_field(ax):
    rates = pd.DataFrame([[5.0, 4.6], [61.2, 100.0], [9.0, 5.1]], index=[0, 0.5, 0.95],
                         columns=[1.0, 10.0])  # fmt: skip
    assert figures.rate_map(rates, ax, "mean F", "endogeneity") is ax
    written = {(t.get_position()[0], t.get_position()[1]): t for t in ax.texts}
    assert written[0.5, 1.5].get_text() == "61"
    assert written[1.5, 1.5].get_text() == "100"
    assert written[1.5, 0.5].get_text() == "5"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "0.5", "0.95"]


def test_writing_on_a_map_stands_out_from_its_field(ax):
    rates = pd.DataFrame([np.linspace(0, 40, 21)])
    figures.rate_map(rates, ax, "", "", most=40)
    mesh = ax.collections[0]
    mesh.update_scalarmappable()

    def luminance(colour):
        channels = np.array(to_rgb(colour))
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    for text, field in zip(ax.texts, mesh.get_facecolor(), strict=True):
        light, dark = sorted([luminance(text.get_color()), luminance(field[:3])], reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4


def test_a_fan_is_bands_around_the_median(ax):
    quantiles = pd.DataFrame(
        [[-2.0, -1, 0.4, 1, 3], [-1.0, -0.5, 0, 0.5, 1]],
        index=[1.0, 10.0], columns=[0.05, 0.25, 0.5, 0.75, 0.95],
    )  # fmt: skip
    assert figures.quantile_fan(quantiles, ax, "mean F", "estimate", (-1.5, 1.5)) is ax
    assert len(ax.collections) == 2
    outer = ax.collections[0].get_paths()[0].get_extents()
    assert (outer.ymin, outer.ymax) == (-2, 3)
    assert ax.lines[0].get_ydata().tolist() == [0.4, 0]
    assert ax.lines[1].get_ydata() == [0, 0]
    assert ax.get_ylim() == (-1.5, 1.5)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]


def test_a_fan_without_a_median_is_refused(ax):
    with pytest.raises(ValueError, match="quantiles has 2 columns: give an odd number"):
        figures.quantile_fan(pd.DataFrame([[0.0, 1.0]]), ax, "", "", (0, 1))
