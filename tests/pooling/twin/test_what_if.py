"""Asking the synthetic twin's people again after other numbers of meetings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pooledtrials.pooling.twin import DESIGNS, Twin, scores_after, simulate

KEYS = ["trial", "patient", "wave"]
SCORES = ["asi_drug", "asi_alcohol"]
ONE = {"referral": DESIGNS["referral"]}


def test_no_change_gives_the_scores_that_were(weak: Twin) -> None:
    again = scores_after("works", "weak", 11, lambda days: days)
    columns = [*KEYS, "attendance", *SCORES]
    pd.testing.assert_frame_equal(again[columns], weak.truth.complete[columns])


def test_copies_are_numbered_as_the_pool_is() -> None:
    again = scores_after("works", "weak", 3, lambda days: days, copies=2, designs=ONE)
    pool = simulate("works", "weak", 3, copies=2, designs=ONE)
    pd.testing.assert_frame_equal(again[[*KEYS, *SCORES]], pool.truth.complete[[*KEYS, *SCORES]])


def test_ten_days_more_are_the_effects_of_the_truth(weak: Twin) -> None:
    now = weak.truth.complete
    more = scores_after("works", "weak", 11, lambda days: np.where(days <= 20, days + 10, days))
    room = now["attendance"] <= 20
    for area in ("drug", "alcohol"):
        change = more[f"asi_{area}"] - now[f"asi_{area}"]
        assert np.allclose(change[room], now.loc[room, f"effect_{area}"], rtol=0, atol=1e-15)
        assert (change[~room] == 0).all()


def test_where_meetings_do_nothing_no_change_does() -> None:
    scores = [
        scores_after("selection", "strong", 4, change, designs=ONE)[SCORES]
        for change in (np.zeros_like, lambda days: np.full_like(days, 30))
    ]
    pd.testing.assert_frame_equal(*scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda days: days[:-1], "change returned shape"),
        (lambda days: days / 2, "change returned float"),
        (lambda days: days + 1, "change returned .* values outside 0 to 30"),
        (lambda days: days - 1, "change returned .* values outside 0 to 30"),
    ],
)
def test_bad_input(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scores_after("works", "weak", 3, change, designs=ONE)
    with pytest.raises(ValueError, match="nearest: 'weak'"):
        scores_after("works", "weka", 3, change)
