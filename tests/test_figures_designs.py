"""Figures of designs and records draw every trial, interview and answer they are given."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from pooledtrials import figures, pooling


@pytest.fixture
def ax() -> Iterator[Axes]:
    with mpl.rc_context({"backend": "agg"}):
        figure, axis = plt.subplots()
        yield axis
        plt.close(figure)


@pytest.fixture
def help_trial() -> pooling.Specification:
    return pooling.read_specification(pooling.data_folder() / "trials" / "help.yaml")


def test_timeline_draws_each_planned_interview_first_trial_on_top(
    ax: Axes, help_trial: pooling.Specification
) -> None:
    other = help_trial.model_copy(update={"trial": "other", "waves": help_trial.waves[:2]})
    assert figures.timeline([help_trial, other], ax, {"other": 2.5}) is ax
    drawn = [(line.get_xdata().tolist(), line.get_ydata()[0]) for line in ax.lines]
    assert drawn == [([0, 6, 12, 18, 24], 1), ([0, 6], 0)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["help", "other"]
    assert list(ax.get_yticks()) == [1, 0]


def test_timeline_says_where_facilitation_is_not_known(
    ax: Axes, help_trial: pooling.Specification
) -> None:
    other = help_trial.model_copy(update={"trial": "other"})
    figures.timeline([help_trial, other], ax, {"other": 2.5})
    assert [patch.get_width() for patch in ax.patches] == [2.5]
    assert [(text.get_text(), text.get_position()[1] > 1) for text in ax.texts] == [("?", True)]


def test_flow_bars_add_up_and_say_how_many_were_held(ax: Axes) -> None:
    counts = pd.DataFrame({"interviewed": [10, 7], "missed": [0, 2], "died": [0, 1]}, index=[0, 6])
    assert figures.flow(counts, ax, "a trial") is ax
    tops = [sum(bar[place].get_height() for bar in ax.containers) for place in (0, 1)]
    assert tops == [10, 10]
    ends = [bar[1].get_y() + bar[1].get_height() for bar in ax.containers]
    assert ends == [7, 9, 10]
    assert [text.get_text() for text in ax.texts] == ["10", "7", "a trial"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "6"]


def test_answers_are_percent_of_those_known(ax: Axes) -> None:
    values = pd.Series([0.0, 0.0, 4.286, 30.0, np.nan])
    assert figures.answers(values, ax, "words") is ax
    heights = {
        round(patch.get_x() + patch.get_width() / 2): patch.get_height()
        for patch in ax.patches
        if patch.get_height()
    }
    assert heights == {0: 50, 4: 25, 30: 25}


def test_expected_strength_draws_a_line_per_instrument_and_the_rule_of_thumb(ax: Axes) -> None:
    curves = pd.DataFrame({"strong": [2.0, 40.0], "weak": [1.1, 3.0]}, index=[100, 1000])
    assert figures.expected_strength(curves, ax) is ax
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert drawn["strong"] == [2.0, 40.0]
    assert drawn["weak"] == [1.1, 3.0]
    assert [10.0, 10.0] in drawn.values()
    assert [text.get_text() for text in ax.texts] == ["F = 10"]
