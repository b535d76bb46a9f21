"""The figure of agreed digits: a dot for each check, at its digits and in its part's row."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pooledtrials import figures


@pytest.fixture
def checks() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "part": ["panels"] * 8 + ["trials"] * 2,
            "kind": ["printed"] * 8 + ["run"] * 2,
            "digits": [3] * 8 + [3, 7],
            "agrees": [True] * 8 + [True, False],
        }
    )


def dots(ax):
    return [line for line in ax.lines if len(line.get_xdata()) == 1]


def test_a_dot_for_each_check_near_its_digits_and_none_on_another(checks):
    fig, ax = plt.subplots()
    assert figures.agreed_digits(checks, ax) is ax
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in dots(ax)]
    assert len(set(places)) == len(checks)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["trials", "panels"]
    for (x, y), check in zip(places, checks.itertuples(), strict=True):
        assert round(x) == check.digits
        assert names[round(y)] == check.part
    plt.close(fig)


def test_open_dots_are_those_that_differ(checks):
    _, ax = plt.subplots()
    figures.agreed_digits(checks, ax)
    hollow = [line for line in dots(ax) if line.get_markerfacecolor() == "none"]
    assert [line.get_xdata()[0] for line in hollow] == [7]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["printed", "run", "not all digits"]
    figures.agreed_digits(checks[checks["agrees"]], plt.subplots()[1])
    words = [text.get_text() for text in plt.gca().get_legend().get_texts()]
    assert words == ["printed", "run"]
    plt.close("all")


def test_kinds_differ_by_colour_and_marker(checks):
    fig, ax = plt.subplots()
    figures.agreed_digits(checks, ax)
    looks = {(line.get_color(), line.get_marker()) for line in dots(ax)}
    assert len(looks) == 2
    plt.close(fig)


def test_bad_tables_are_refused(checks):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="checks has no column agrees, kind"):
        figures.agreed_digits(checks.drop(columns=["agrees", "kind"]), ax)
    many = checks.assign(kind=[str(i) for i in range(len(checks))])
    with pytest.raises(ValueError, match="checks has 10 kinds: at most 6"):
        figures.agreed_digits(many, ax)
    plt.close("all")
