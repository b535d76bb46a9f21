"""Arms as randomized: enumeration by hand, exact sets, repeated interviews, size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from dense_regression import dense_design
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pooledtrials.panels import arm_contrast, cr2


def totals(values, units):
    return np.array([values[units == u].sum() for u in np.unique(units)])


def slow_p_value(y, z, controls, units, strata, beta0, statistic):
    """Every assignment within strata, each a regression of unit totals, from its definition."""
    base = dense_design(z, controls, None, strata)[:, 1:]
    e = y - beta0 * z
    e = totals(e - base @ (base.T @ e), units)
    first = np.array([np.flatnonzero(units == u)[0] for u in np.unique(units)])
    cell, arm = strata[first], z[first]

    def value(assigned):
        c = assigned - np.array([assigned[cell == s].mean() for s in cell])
        t = (c @ e) / (c @ c)
        if statistic == "difference":
            return abs(t)
        return abs(t) * (c @ c) / np.sqrt(np.sum(c**2 * (e - t * c) ** 2))

    options = []
    for s in np.unique(cell):
        members = np.flatnonzero(cell == s)
        treated = int(arm[members].sum())
        options.append(list(itertools.combinations(members, treated)))
    drawn = [
        value(np.isin(np.arange(arm.size), np.concatenate(chosen)).astype(float))
        for chosen in itertools.product(*options)
    ]
    return np.mean(np.array(drawn) >= value(arm) * (1 - 1e-9)), len(drawn)


def trial(seed=0, units=10, interviews=3):
    """Two strata, units with one to three rows, a baseline covariate of the unit."""
    g = np.random.default_rng(seed)
    size = g.integers(1, interviews + 1, size=units)
    unit = np.repeat(np.arange(units), size)
    half = units // 2
    strata = np.repeat([0, 1], [half, units - half])
    arm = np.concatenate([g.permutation(np.arange(k) % 2) for k in (half, units - half)])
    base = g.normal(size=units)
    y = (base + 0.8 * arm + g.normal(size=units))[unit] + 0.5 * g.normal(size=unit.size)
    order = g.permutation(unit.size)
    columns = y, arm[unit].astype(float), base[unit], unit, strata[unit]
    return tuple(c[order] for c in columns)


@pytest.mark.parametrize("statistic", ["studentized", "difference"])
@pytest.mark.parametrize("interviews", [1, 3])
def test_enumerated_p_value_from_its_definition(statistic, interviews):
    y, z, base, unit, strata = trial(1, 10, interviews)
    want, count = slow_p_value(y, z, base, unit, strata, 0.0, statistic)
    found = arm_contrast(y, z, base, unit, strata, statistic=statistic)
    assert count == math.comb(5, 2) ** 2
    assert found.test.distribution == "all 100 assignments"
    assert found.test.p_value == want
    assert found.units == 10


@pytest.mark.parametrize("statistic", ["studentized", "difference"])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_set_is_where_the_p_value_exceeds_the_level(statistic, level):
    y, z, base, unit, strata = trial(2, 9)
    found = arm_contrast(y, z, base, unit, strata, statistic=statistic, level=level).effects
    assert found.contains(cr2(y, z, base, unit, strata=strata).coefficient)
    for beta0 in np.linspace(-6, 8, 57):
        p_value, _ = slow_p_value(y, z, base, unit, strata, beta0, statistic)
        assert found.contains(beta0) == (p_value > 1 - level + 1e-12)


def test_set_shifts_the_outcome_to_the_test():
    """Random draws too: the p-value of no effect on y - b z crosses the level at end points."""
    y, z, base, unit, strata = trial(3, 40)
    options = {"draws": 499, "seed": 4}
    found = arm_contrast(y, z, base, unit, strata, **options)
    assert found.test.distribution == "499 permutations"
    assert found.effects.bounded
    for point in found.effects.end_points:
        near = [
            arm_contrast(y - (point + s) * z, z, base, unit, strata, **options).test.p_value > 0.05
            for s in (-1e-6, 1e-6)
        ]
        assert near[0] != near[1]


def test_estimate_is_least_squares_with_cr2():
    y, z, base, unit, strata = trial(4, 20)
    found = arm_contrast(y, z, base, unit, strata, draws=99)
    assert found.estimate == cr2(y, z, base, unit, strata=strata)
    frame = found.to_frame()
    assert frame.loc[0, "estimate"] == found.estimate.coefficient
    assert frame.loc[0, "p_randomization"] == found.test.p_value
    assert f"{found.test.p_value:.4g} of 99 permutations" in found.describe()


def test_two_arms_studentized_is_welch_like():
    """Equal arms of single rows: t^2 differs from Welch's by the factor of its variances."""
    g = np.random.default_rng(0)
    z = g.permutation(np.repeat([0.0, 1.0], 8))
    y = z + g.normal(size=16) * (1 + z)
    one, zero = y[z == 1], y[z == 0]
    found = arm_contrast(y, z, draws=99)
    assert_allclose(found.estimate.coefficient, one.mean() - zero.mean(), rtol=1e-12)
    variance = one.var() / 8 + zero.var() / 8
    assert_allclose(
        found.test.statistic, (one.mean() - zero.mean()) / np.sqrt(variance), rtol=1e-10
    )
    difference = arm_contrast(y, z, statistic="difference", draws=99)
    assert_allclose(difference.test.statistic, one.mean() - zero.mean(), rtol=1e-10)


@given(st.integers(0, 30), st.floats(-3, 3), st.floats(0.2, 5))
def test_shift_scale_permute_relabel(seed, shift, scale):
    y, z, base, unit, strata = trial(5, 10)
    first = arm_contrast(y, z, base, unit, strata)
    order = np.random.default_rng(seed).permutation(y.size)
    names = np.array([f"patient {u}" for u in unit])
    moved = (scale * y + shift * base + strata, z, 2 * base + 1, names, strata)
    second = arm_contrast(*(v[order] for v in moved))
    assert second.test.p_value == first.test.p_value
    assert_allclose(second.test.statistic, first.test.statistic, rtol=1e-8)
    assert_allclose(
        second.effects.intervals, first.effects.shifted_and_scaled(0, scale).intervals, rtol=1e-8
    )


def test_dose_and_other_coding():
    y, z, _, unit, _ = trial(6, 8)
    first = arm_contrast(y, z, clusters=unit)
    coded = arm_contrast(y, 3 - 2 * z, clusters=unit)
    assert coded.test.p_value == first.test.p_value
    assert_allclose(coded.estimate.coefficient, -first.estimate.coefficient / 2, rtol=1e-12)
    dose = arm_contrast(y, z * (1 + unit % 2), clusters=unit)
    assert 0 < dose.test.p_value <= 1


def test_refusals_of_what_was_not_randomized():
    y, z, _, unit, _ = trial(7, 10)
    rows = np.flatnonzero(unit == np.bincount(unit).argmax())
    mixed = z.copy()
    mixed[rows[0]] = 1 - z[rows[0]]
    with pytest.raises(ValueError, match="z varies within 1 clusters"):
        arm_contrast(y, mixed, clusters=unit)
    with pytest.raises(ValueError, match="strata varies within"):
        arm_contrast(y, z, clusters=unit, strata=np.arange(y.size) % 2)
    with pytest.raises(ValueError, match="z does not vary within strata"):
        arm_contrast(y, z, clusters=unit, strata=z)
    with pytest.raises(ValueError, match="clusters has 2 randomized units in 1 strata, too few"):
        arm_contrast(np.arange(6.0) ** 2, np.repeat([0.0, 1.0], 3), clusters=np.repeat([0, 1], 3))


@pytest.mark.parametrize("statistic", ["studentized", "difference"])
def test_size_under_the_sharp_null(statistic):
    """Exact: at most the level, and close to it where there are many assignments."""
    g = np.random.default_rng(3)
    reps = 800
    patients = np.repeat(np.arange(24), 3)
    strata = np.repeat([0, 1, 2], 24)
    rejected = 0
    for _ in range(reps):
        arm = np.concatenate([g.permutation(np.repeat([0.0, 1.0], 4)) for _ in range(3)])
        y = g.standard_t(3, size=24)[patients] + g.normal(size=72) + strata
        found = arm_contrast(
            y,
            arm[patients],
            clusters=patients,
            strata=strata,
            statistic=statistic,
            draws=199,
            seed=g,
        )
        rejected += found.test.p_value <= 0.05
    spread = 3.3 * np.sqrt(0.05 * 0.95 / reps)
    assert abs(rejected / reps - 0.05) < spread


def test_studentized_keeps_its_size_for_no_effect_on_average():
    """Unequal arms, an effect that averages to nothing: the plain difference does not."""
    g = np.random.default_rng(5)
    reps, n = 500, 60
    rejected = {"studentized": 0, "difference": 0}
    for _ in range(reps):
        z = g.permutation(np.repeat([0.0, 1.0], [45, 15]))
        y = g.normal(size=n) * np.where(z == 1, 3.0, 1.0)
        for statistic in rejected:
            found = arm_contrast(y, z, statistic=statistic, draws=199, seed=g)
            rejected[statistic] += found.test.p_value <= 0.05
    spread = 3.3 * np.sqrt(0.05 * 0.95 / reps)
    assert rejected["difference"] / reps > 0.05 + spread
    assert rejected["studentized"] / reps < 0.05 + 0.03 + spread
