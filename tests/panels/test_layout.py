"""Labels as codes, cells, schedules; and which columns are combinations of others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from small_pool import arguments, small_pool

from pooledtrials.coding import recode
from pooledtrials.panels import EFFECTS, layout
from pooledtrials.panels.independence import independent, variation
from pooledtrials.panels.layout import changes
from pooledtrials.panels.previous import previous_rows, times

POOL = small_pool()
DATA = layout(*arguments(POOL))


def same_partition(a, b):
    """Whether two codings put the same rows together."""
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


def test_patients_are_pairs_of_trial_and_label():
    pairs = POOL["trial"] + POOL["patient"].astype(str)
    assert same_partition(DATA.patients, pairs)
    assert DATA.n_patients == pairs.nunique() == 3 * POOL["patient"].nunique()
    assert same_partition(DATA.clusters, pairs)
    assert not DATA.coarser


def test_labels_over_all_trials_on_request():
    y, x, _, waves, controls, _, trials = arguments(POOL)
    apart = POOL["trial"] + POOL["patient"].astype(str)
    found = layout(y, x, apart, waves, controls, None, trials, labels_within_trials=False)
    assert same_partition(found.patients, DATA.patients)
    with pytest.raises(ValueError, match=r"14 labels in more than one trial \(first: 0\)"):
        layout(y, x, POOL["patient"], waves, controls, None, trials, labels_within_trials=False)


def test_cells_are_trials_at_waves():
    assert same_partition(DATA.cells, POOL["trial"] + POOL["wave"].astype(str))
    assert same_partition(DATA.effect_codes("wave"), POOL["wave"])
    assert set(DATA.effect_codes("none")) == {0}
    for effects in EFFECTS:
        assert_array_equal(DATA.indicators(effects).sum(axis=1), 1)


def test_turns_are_places_in_the_trials_own_schedule():
    for trial, rows in POOL.groupby("trial"):
        places = {wave: j for j, wave in enumerate(sorted(rows["wave"].unique()))}
        assert_array_equal(DATA.turns[POOL["trial"] == trial], rows["wave"].map(places))


@pytest.mark.parametrize("gaps", ["skip", "span"])
def test_previous_interviews(gaps):
    now, before = previous_rows(DATA, gaps)
    found = {(int(a), int(b)) for a, b in zip(now, before, strict=True)}
    want = set()
    for (_, _), rows in POOL.groupby(["trial", "patient"]):
        at = rows.index.to_numpy()
        for a, b in zip(at[1:], at[:-1], strict=True):
            if gaps == "span" or DATA.turns[a] == DATA.turns[b] + 1:
                want.add((a, b))
    assert found == want
    assert_array_equal(times(DATA, gaps)[now], times(DATA, gaps)[before] + 1)
    assert (len(found) < POOL.shape[0] - DATA.n_patients) == (gaps == "skip")


def test_means_within_patients():
    values = np.column_stack([DATA.y, DATA.x])
    want = POOL.groupby(["trial", "patient"])[["y", "x"]].transform("mean")
    assert_allclose(DATA.patient_means(values)[DATA.patients], want, rtol=1e-12)
    assert_allclose(DATA.within(values), POOL[["y", "x"]] - want, atol=1e-12)
    assert DATA.patient_means(np.empty((DATA.nobs, 0))).shape == (DATA.n_patients, 0)


def test_some_rows_only():
    rows = (POOL["trial"] != "t1").to_numpy()
    some = DATA.keep(rows)
    assert some.n_patients == 28
    assert some.n_trials == 2
    assert_array_equal(some.x, DATA.x[rows])
    assert same_partition(some.patients, DATA.patients[rows])


def test_waves_in_the_order_of_time():
    months = POOL["wave"]
    named = months.map("month {}".format)
    ordered = pd.Categorical(
        named, [f"month {m}" for m in (0, 1, 2, 3, 6, 9, 12, 24)], ordered=True
    )
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(months, unit="D")
    y, x, patients, _, controls, _, trials = arguments(POOL)
    for waves in (ordered, pd.Series(ordered, POOL.index), dates, months.astype(float)):
        found = layout(y, x, patients, waves, controls, None, trials)
        assert_array_equal(found.waves, DATA.waves)
    with pytest.raises(ValueError, match=r"waves holds .* order in time is not known"):
        layout(y, x, patients, named, controls, None, trials)


def test_arrays_and_pandas_agree():
    found = layout(*(None if a is None else np.asarray(a) for a in arguments(POOL)))
    assert_array_equal(found.patients, DATA.patients)
    assert_array_equal(found.controls, DATA.controls)
    assert found.names == ("x", "controls0", "controls1")
    assert DATA.names == ("x", "c", "d")


def test_who_changes():
    still = POOL.assign(x=POOL["x"].where(POOL["patient"] > 3, POOL["patient"] + 0.1))
    data = layout(*arguments(still))
    several = data.sizes > 1
    first = np.unique(data.patients, return_index=True)[1]
    want = several & (POOL["patient"].to_numpy()[first] > 3)
    assert_array_equal(changes(data), want)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 4), st.floats(-6, 6))
def test_independent_columns(seed, k, combined, power):
    """Combinations of earlier columns are found, in any units, and nothing else is."""
    g = np.random.default_rng(seed)
    base = g.normal(size=(40, k)) + 3
    mixed = base @ g.normal(size=(k, combined))
    order = g.permutation(k + combined)
    columns = np.column_stack([base, mixed])[:, order] * 10.0**power
    kept = independent(columns, np.linalg.norm(columns, axis=0))
    for j in range(columns.shape[1]):
        rank = np.linalg.matrix_rank(columns[:, : j + 1], tol=1e-9 * 10.0**power * 40)
        assert kept[: j + 1].sum() == rank


def test_dependent_column_does_not_blame_a_later_one():
    """The rounding error of a repeated indicator points at rows; no later indicator is lost."""
    cells = np.eye(4)[np.arange(40) % 4]
    columns = np.column_stack([np.ones(40), cells, cells[:, 3], np.arange(40.0)])
    kept = independent(columns, np.linalg.norm(columns, axis=0))
    assert_array_equal(kept, [True, True, True, True, False, False, True])
    assert_allclose(variation(columns)[0], 0)


def test_recode_keeps_order():
    assert_array_equal(recode(np.array([5, 2, 9, 2])), [1, 0, 2, 0])
