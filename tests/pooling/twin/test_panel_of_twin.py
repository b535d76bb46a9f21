"""The short way from a synthetic pool to its panel, beside the long way through raw tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pooledtrials import pooling
from pooledtrials.pooling import check_panel, twin

KEYS = ["trial", "patient", "wave"]
SCORED_AS_ANSWERED = ["asi_drug", "days_drug", "abstinent", "active", "female", "age", "observed"]


@pytest.fixture(scope="module")
def both() -> tuple[pd.DataFrame, pd.DataFrame]:
    short = twin.observed_panel(twin.simulate("works", "weak", 3))
    long = pooling.load_pool("six", world="works", instrument="weak", seed=3).panel
    # labels are each form's own, but patients stand in order of randomization in both
    for panel in (short, long):
        panel["patient"] = panel.groupby("trial")["patient"].transform(lambda p: p.factorize()[0])
    return short.set_index(KEYS).sort_index(), long.set_index(KEYS).sort_index()


def test_both_ways_give_the_same_rows_and_columns(both):
    short, long = both
    assert short.index.equals(long.index)
    assert set(short) == set(long)


def test_what_no_form_rounds_is_the_same(both):
    short, long = both
    for column in SCORED_AS_ANSWERED:
        np.testing.assert_allclose(
            short[column].astype(float), long[column].astype(float), atol=1e-12, err_msg=column
        )


def test_attendance_is_the_same_where_days_were_asked_and_near_elsewhere(both):
    short, long = both
    gap = (short["attendance"] - long["attendance"]).abs().groupby("trial").mean()
    assert gap["stage12"] == gap["disulfiram"] == 0
    assert 0 < gap["referral"] < 3


def test_it_keeps_the_schema_and_shows_no_truth():
    pool = twin.simulate("selection", "strong", 4)
    panel = twin.observed_panel(pool)
    check_panel(panel, "again")
    assert not set(panel) & (
        set(pool.truth.complete) - set(pool.interviews) - {"asi_drug", "asi_alcohol"}
    )
    assert panel.loc[~panel["observed"], "missing_reason"].ne("").all()
