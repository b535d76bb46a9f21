"""Intervals for an effect between two estimated bounds: limits, coverage, choice among bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.selection import imbens_manski_interval, stoye_interval
from pooledtrials.selection.intersection_bounds import Candidates, largest, smallest

Z95, Z90 = stats.norm.ppf([0.975, 0.95])
errors = st.floats(0.05, 2.0)
correlations = st.floats(-0.95, 0.95)


@given(errors, errors)
def test_far_apart_the_intervals_are_one_sided(a, b):
    want = [-Z90 * a, 100 + Z90 * b]
    assert_allclose(imbens_manski_interval(0, a, 100, b).end_points, want, rtol=1e-6)
    assert_allclose(stoye_interval(0, a, 100, b, 0.3).end_points, want, rtol=1e-6)


@given(errors)
def test_where_bounds_meet_the_intervals_are_two_sided(a):
    want = [-Z95 * a, Z95 * a]
    assert_allclose(imbens_manski_interval(0, a, 0, a).end_points, want, rtol=1e-9)
    # the same estimate twice; the shortest pair of margins is flat, so known less exactly than its sum
    assert_allclose(stoye_interval(0, a, 0, a, 1.0).end_points, want, rtol=1e-3)


@given(st.floats(0, 3), errors, errors)
def test_imbens_manski_solves_its_equation(width, a, b):
    low, high = imbens_manski_interval(0, a, width, b).end_points
    c = -low / a
    assert (high - width) / b == pytest.approx(c)
    assert stats.norm.cdf(c + width / max(a, b)) - stats.norm.cdf(-c) == pytest.approx(0.95)


@given(st.floats(0.001, 2), errors, errors, correlations)
def test_stoye_covers_at_both_bounds_and_is_no_longer_than_a_symmetric_one(width, a, b, r):
    low, high = stoye_interval(0, a, width, b, r).end_points
    c, d = -low / a, (high - width) / b

    def cover(own, other):
        point = np.minimum([own, other], 30)
        return stats.multivariate_normal.cdf(point, cov=[[1, -r], [-r, 1]])

    covered = cover(c, d + width / b), cover(d, c + width / a)
    assert min(covered) == pytest.approx(0.95, abs=1e-6)
    for margin in np.linspace(1.64, 2.3, 60):
        if min(cover(margin, margin + width / b), cover(margin, margin + width / a)) >= 0.95:
            assert a * c + b * d <= margin * (a + b) + 1e-6
            break


@pytest.mark.parametrize(("width", "r"), [(0.0, 0.5), (0.05, 0.9), (0.3, -0.5), (2.0, 0.0)])
def test_coverage_by_simulation_at_either_bound(width, r):
    """Jointly normal bounds, errors .2 and .1, the effect at each end in turn."""
    g = np.random.default_rng(1)
    draws = 400
    covariance = [[0.04, r * 0.02], [r * 0.02, 0.01]]
    low, high = g.multivariate_normal([0, width], covariance, draws).T
    floor = stats.binom.ppf(0.001, draws, 0.95)
    for truth in (0.0, width):
        # widths below a threshold count as zero, as they must where bounds can cross
        found = [
            stoye_interval(a, 0.2, b, 0.1, r, threshold=0.4).contains(truth)
            for a, b in zip(low, high, strict=True)
        ]
        assert sum(found) >= floor


@pytest.mark.parametrize("width", [0.0, 0.05, 0.2, 1.0])
def test_imbens_manski_covers_uniformly_where_bounds_cannot_cross(width):
    """Width known, bounds the same estimate plus a constant: their lemma, at each end."""
    g = np.random.default_rng(2)
    draws = 2000
    low = g.normal(0, 0.1, draws)
    ceiling = stats.binom.ppf(0.999, draws, 0.95)
    floor = stats.binom.ppf(0.001, draws, 0.95)
    for truth in (0.0, width):
        covered = sum(imbens_manski_interval(a, 0.1, a + width, 0.1).contains(truth) for a in low)
        assert floor <= covered <= ceiling


def test_a_known_bound_stays_where_it_is():
    low, high = imbens_manski_interval(0.0, 0.0, 0.3, 0.1).end_points
    assert low == 0.0
    assert high > 0.3 + Z90 * 0.1
    assert_allclose(stoye_interval(0, 0, 0.3, 0.1, 0).end_points, [0, 0.3 + Z90 * 0.1])
    assert imbens_manski_interval(0.1, 0.0, 0.3, 0.0).end_points == (0.1, 0.3)


def test_bounds_that_cross_by_more_than_chance_leave_nothing():
    for call in (imbens_manski_interval, lambda *a: stoye_interval(*a, 0.0)):
        assert call(1.0, 0.1, 0.0, 0.1).kind == "empty"
        assert call(0.1, 0.1, 0.0, 0.1).kind == "interval"


@given(st.floats(-1, 1), st.floats(0, 2), errors, errors, correlations, st.floats(0.1, 5))
def test_shift_scale_and_sign(shift, width, a, b, r, unit):
    base = np.array(stoye_interval(0, a, width, b, r).end_points)
    moved = stoye_interval(shift, unit * a, shift + unit * width, unit * b, r).end_points
    assert_allclose(moved, shift + unit * base, atol=1e-4)
    turned = stoye_interval(-width, b, 0, a, r).end_points
    # the shortest pair of margins need not be unique to more than its tolerance
    assert_allclose(turned[1] - turned[0], base[1] - base[0], rtol=1e-5)
    plain = np.array(imbens_manski_interval(0, a, width, b).end_points)
    assert_allclose(imbens_manski_interval(-width, b, 0, a).end_points, -plain[::-1], atol=1e-9)


def test_imbens_manski_refuse_a_level_of_one_half_or_less():
    with pytest.raises(ValueError, match=r"level is 0\.01: give a confidence level above one half"):
        imbens_manski_interval(0, 1, 0.5, 1, level=0.01)


def several(values, errors, n=400):
    return Candidates(np.array(values, dtype=float), np.diag(errors).astype(float), n)


def test_one_candidate_is_a_normal_quantile():
    found = several([1.0], [0.2])
    assert smallest(found, 0.5) == 1.0
    assert smallest(found, 0.975) == pytest.approx(1 + Z95 * 0.2)
    assert largest(found, 0.975) == pytest.approx(1 - Z95 * 0.2)


def test_constants_are_taken_as_they_are():
    found = several([1.0, 0.9], [0.2, 0.0])
    assert smallest(found, 0.975) == 0.9
    assert largest(several([0.0, 0.0], [0.0, 0.0]), 0.975) == 0.0


def test_equal_candidates_get_the_quantile_of_their_maximum():
    """Five independent errors: the median of the largest, within its simulation error."""
    found = smallest(several([0.0] * 5, [1.0] * 5), 0.5)
    # standard error of a median of 2000 draws of the maximum is about .02
    assert found == pytest.approx(stats.norm.ppf(0.5**0.2), abs=0.08)


def test_candidates_that_cannot_be_the_smallest_do_not_count():
    near = smallest(several([0.0, 0.0], [1.0, 1.0]), 0.9)
    far = smallest(several([0.0, 0.0, 50.0], [1.0, 1.0, 1.0]), 0.9)
    assert far == pytest.approx(near, abs=0.1)
    assert far == pytest.approx(stats.norm.ppf(math.sqrt(0.9)), abs=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: imbens_manski_interval(math.nan, 1, 1, 1), "lower is nan"),
        (lambda: imbens_manski_interval(0, -1, 1, 1), "lower_error is -1"),
        (lambda: imbens_manski_interval(0, 1, 1, 1, level=95), "level is 95"),
        (lambda: stoye_interval(0, 1, 1, 1, 1.5), r"correlation is 1\.5"),
        (lambda: stoye_interval(0, 1, 1, 1, 0, threshold=-1), "threshold is -1"),
        (lambda: stoye_interval(0, 1, math.inf, 1, 0), "upper is inf"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
