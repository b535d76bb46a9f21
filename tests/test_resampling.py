"""Draws that stand in for chance: complete where enumerated, and within strata."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pooledtrials import instruments
from pooledtrials.resampling import assignments, sign_patterns


@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(2, 5), min_size=1, max_size=3))
def test_every_unit_gets_a_row_of_its_own_stratum(seed, sizes):
    g = np.random.default_rng(seed)
    cell = np.repeat(np.arange(len(sizes)), sizes)
    z = g.integers(0, 2, size=(cell.size, 1)).astype(float)
    for draws in (5, 10_000):
        rows, exact = assignments(z, cell, draws, g)
        assert (cell[rows] == cell).all()
        if exact:
            arrangements = {tuple(z[r, 0]) for r in rows}
            assert len(arrangements) == len(rows)
            assert tuple(z[:, 0]) in arrangements


def test_enumerated_p_value_with_unequal_arms_in_strata_is_brute_force():
    cell = np.array([0, 1, 1, 1, 1, 1, 0, 0, 0, 0])
    z = np.array([0.0, 1, 0, 0, 0, 0, 1, 1, 1, 0])
    g = np.random.default_rng(3)
    x = (g.random(10) < 0.2 + 0.6 * z).astype(float)
    y = g.normal(size=10)
    found = instruments.randomization_test(y, x, z, strata=cell)

    centred = y - np.array([y[cell == c].mean() for c in (0, 1)])[cell]
    places = [np.flatnonzero(cell == c) for c in (0, 1)]
    chosen = [itertools.combinations(p, int(z[p].sum())) for p in places]
    statistics = []
    for picks in itertools.product(*chosen):
        w = np.zeros(10)
        w[[i for pick in picks for i in pick]] = 1
        statistics.append((w @ centred) ** 2)
    own = (z @ centred) ** 2
    assert len(statistics) == 50
    assert found.p_value == pytest.approx(np.mean(np.array(statistics) >= own * (1 - 1e-9)))


def test_signs_are_all_there_or_drawn_anew_from_the_seed():
    every, words = sign_patterns(4, 16, "rademacher", 0)
    assert len({tuple(row) for row in every}) == 16
    assert words == "all 16 rademacher patterns"
    drawn, _ = sign_patterns(30, 50, "webb", 1)
    np.testing.assert_array_equal(drawn, sign_patterns(30, 50, "webb", 1)[0])
    np.testing.assert_allclose(np.unique(drawn**2), [0.5, 1.0, 1.5])
