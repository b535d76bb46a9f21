"""Andrews' two-step set: definitions of its parts, and the cutoff at which they change."""

from __future__ import annotations

import numpy as np
import pytest
from card_controls import CARD_4
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.instruments import anderson_rubin_set, two_step_set
from pooledtrials.instruments.two_step import (
    combination_cdf,
    combination_quantile,
    combination_weight,
)


@pytest.fixture
def two(card):
    return card["lwage"], card["educ"], card[["nearc2", "nearc4"]], card[CARD_4]


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("a", [0.0, 0.07, 1.0, 20.0])
def test_law_of_the_combination_by_simulation(k, a):
    generator = np.random.default_rng(1)
    n = 400_000
    rest = generator.chisquare(k - 1, n) if k > 1 else 0.0
    value = (1 + a) * generator.chisquare(1, n) + a * rest
    for point in np.quantile(value, [0.1, 0.5, 0.95]):
        want = np.mean(value <= point)
        found = combination_cdf(point, a, k)
        assert abs(found - want) < 5 * np.sqrt(want * (1 - want) / n)
        assert_allclose(combination_cdf(combination_quantile(want, a, k), a, k), want, atol=1e-9)
    c = stats.chi2.isf(0.05, 1)
    weight = combination_weight(0.90, c, k)
    assert_allclose(combination_cdf(c, weight, k), 0.90, atol=1e-10)


def test_wald_interval_holds_the_preliminary_set_exactly_from_the_cutoff_on(two):
    cutoff = two_step_set(*two).distortion_cutoff
    assert 0 < cutoff < 0.95
    for change, inside in ((0.002, True), (-0.002, False)):
        found = two_step_set(*two, distortion=cutoff + change)
        assert found.preliminary.is_subset(found.wald) == inside
        assert found.weak == (not inside)
        assert found.chosen == (found.wald if inside else found.robust)
    assert found.preliminary.is_subset(found.robust)


def test_one_instrument_robust_part_is_anderson_rubin(card):
    data = (card["lwage"], card["educ"], card["nearc4"], card[CARD_4], card["age"])
    found = two_step_set(*data)
    want = anderson_rubin_set(*data, reference="chi2")
    assert_allclose(found.robust.end_points, want.end_points, rtol=1e-8)


def test_useless_instrument_has_the_largest_cutoff(nhefs):
    found = two_step_set(nhefs["wt82_71"], nhefs["qsmk"], nhefs["z"])
    assert found.robust.kind == "whole line"
    assert found.weak
    assert found.distortion_cutoff > 0.3


def test_distortion_leaves_some_coverage(two):
    with pytest.raises(ValueError, match=r"distortion is 0\.96 and level 0\.95"):
        two_step_set(*two, distortion=0.96)
