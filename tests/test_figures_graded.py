"""The figure of graded estimators: rows, medians and truths where the table has them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pooledtrials import figures


@pytest.fixture
def table() -> pd.DataFrame:
    g = np.random.default_rng(2)
    parts = [
        pd.DataFrame(
            {
                "instrument": lever, "world": world, "method": "2SLS", "truth": truth,
                "estimate": g.normal(truth, 5.0 if lever == "weak" else 0.1, 400),
            }
        )
        for lever in ("weak", "strong")
        for world, truth in (("works", -1.0), ("selection", 0.0))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_a_row_for_each_world_under_each_instrument(table):
    fig, ax = plt.subplots()
    assert figures.graded(table, "2SLS", ax, "change (synthetic)", (-3, 3)) is ax
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["selection, strong", "works, strong", "selection, weak", "works, weak"]
    diamonds = {
        (line.get_ydata()[0], line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "D"
    }
    assert diamonds == {(2.7, -1.0), (1.7, 0.0), (0.7, -1.0), (-0.3, 0.0)}
    strokes = {
        float(line.get_ydata()[0]): float(line.get_xdata()[0])
        for line in ax.lines
        if line.get_marker() == "|"
    }
    works = table.query("instrument == 'strong' and world == 'works'")["estimate"]
    assert strokes[1.0] == pytest.approx(works.median())
    arrows = [line.get_marker() for line in ax.lines if line.get_marker() in "<>"]
    assert sorted(arrows) == ["<", "<", ">", ">"]
    plt.close(fig)


def test_a_world_has_one_colour(table):
    fig, ax = plt.subplots()
    worlds = pd.concat([table, table.query("world == 'works'").assign(world="third")])
    figures.graded(worlds, "2SLS", ax, "")
    bars = [line.get_color() for line in ax.lines if line.get_linewidth() == 6]
    names = [label.get_text().split(",")[0] for label in ax.get_yticklabels()][::-1]
    assert len(bars) == 6
    assert len(set(bars)) == len(set(zip(names, bars, strict=True))) == 3
    plt.close(fig)


def test_an_unknown_method_is_refused(table):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="method is 'LIML': give one of 2SLS"):
        figures.graded(table, "LIML", ax, "")
    plt.close("all")
