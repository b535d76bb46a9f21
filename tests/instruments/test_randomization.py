"""Randomization inference: enumeration, exact inversion, exact size, the sad paths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import rankdata

from pooledtrials.instruments import randomization_set, randomization_test


def small_trial(seed=0, n=10, balanced=False):
    generator = np.random.default_rng(seed)
    z = generator.permutation(np.repeat([0.0, 1.0], n // 2))
    if balanced:  # as many of either arm in the first half and in the second
        z = np.tile([0.0, 1.0], n // 2)
    x = z * (generator.random(n) < 0.7) + (1 - z) * (generator.random(n) < 0.2)
    y = x + generator.normal(size=n)
    return y, x, z


def own_ranks(assignments, residual):
    return np.einsum("dgk,g->d", assignments, rankdata(residual)) ** 2


def test_enumerated_p_value_from_its_definition():
    y, x, z = small_trial(3)
    for beta0 in (0.0, 1.0, -2.0):
        e = y - beta0 * x
        own = abs(e[z == 1].mean() - e[z == 0].mean())
        count = 0
        for chosen in itertools.combinations(range(10), 5):
            treated = np.isin(np.arange(10), chosen)
            count += abs(e[treated].mean() - e[~treated].mean()) >= own - 1e-12
        found = randomization_test(y, x, z, beta0=beta0)
        assert found.p_value == count / math.comb(10, 5)
        assert found.distribution == "all 252 assignments"


def test_strata_are_permuted_within():
    y, x, z = small_trial(4, 8)
    strata = np.array(["a", "a", "b", "b", "b", "a", "b", "a"])
    ways = 1
    for s in ("a", "b"):
        inside = z[strata == s]
        ways *= math.comb(inside.size, int(inside.sum()))
    found = randomization_test(y, x, z, strata=strata)
    assert found.distribution == f"all {ways} assignments"


def test_clusters_are_the_units():
    generator = np.random.default_rng(5)
    cluster = np.repeat(np.arange(8), 15)
    z = (np.arange(8) % 2)[cluster].astype(float)
    x = (generator.random(120) < 0.2 + 0.5 * z).astype(float)
    y = x + generator.normal(size=8)[cluster] + generator.normal(size=120)
    found = randomization_test(y, x, z, clusters=cluster)
    assert found.distribution == "all 70 assignments"
    assert round(found.p_value * 70, 9) == round(found.p_value * 70)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("strata", [False, True])
def test_exact_set_agrees_with_the_test_everywhere(seed, strata):
    y, x, z = small_trial(seed, 12, balanced=strata)
    groups = np.repeat([0, 1], 6) if strata else None
    options = {"strata": groups, "draws": 1000}
    for level in (0.8, 0.95):
        found = randomization_set(y, x, z, level=level, **options)
        for b in np.tan(np.linspace(-1.5, 1.5, 81)):
            p_value = randomization_test(y, x, z, beta0=float(b), **options).p_value
            assert found.contains(b) == (p_value > 1 - level)


def test_exact_set_with_several_arms_agrees_with_the_search():
    generator = np.random.default_rng(6)
    n = 90
    arm = generator.permutation(np.repeat([0, 1, 2], 30))
    z = np.eye(3)[arm][:, 1:]
    x = arm + generator.normal(size=n)
    y = x + generator.normal(size=n)
    one = randomization_set(y, x, z, draws=499, seed=3)

    def same(assignments, residual):
        moment = np.einsum("dgk,g->dk", assignments, residual)
        return np.einsum("dk,kl,dl->d", moment, weight, moment)

    centred = z - z.mean(axis=0)
    weight = np.linalg.inv(centred.T @ centred)
    two = randomization_set(y, x, z, draws=499, seed=3, statistic=same)
    assert one.kind == two.kind == "interval"
    assert_allclose(one.end_points, two.end_points, rtol=1e-8)
    assert one.resolution == 0 < two.resolution


def test_ranks_bound_the_influence_of_an_outlier():
    generator = np.random.default_rng(7)
    z = generator.permutation(np.repeat([0.0, 1.0], 60))
    x = (generator.random(120) < 0.2 + 0.6 * z).astype(float)
    y = x + generator.normal(size=120)
    y[0] += 1000
    rank = randomization_set(y, x, z, statistic="rank", draws=499)
    mean = randomization_set(y, x, z, draws=499)
    assert rank.length < mean.length / 10
    assert rank.contains(1.0)


def test_size_is_exact_with_a_useless_instrument_and_heavy_tails():
    generator = np.random.default_rng(8)
    reps, rejected = 1500, 0
    for i in range(reps):
        z = generator.permutation(np.repeat([0.0, 1.0], 6))
        v = generator.standard_t(1.5, size=12)
        x, y = v, v + generator.standard_t(1.5, size=12)
        rejected += randomization_test(y - x, x, z, beta0=0.0, draws=199, seed=i).p_value <= 0.05
    assert abs(rejected / reps - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / reps)


TIED = {
    "binary": lambda generator, n: (generator.random(n) < 0.4).astype(float),
    "Poisson": lambda generator, n: generator.poisson(1.0, n) / 7,
}


@pytest.mark.parametrize("statistic", ["rank", own_ranks])
@pytest.mark.parametrize("outcome", TIED)
def test_tied_outcomes_keep_the_size(outcome, statistic):
    """Ranks of rounding errors that tell the arms apart rejected more than half of the time."""
    generator = np.random.default_rng(3)
    reps, rejected, n = 250, 0, 60
    for i in range(reps):
        z = generator.permutation(np.repeat([0.0, 1.0], n // 2))
        x = (generator.random(n) < 0.2 + 0.5 * z).astype(float)
        y = TIED[outcome](generator, n)
        found = randomization_test(y, x, z, statistic=statistic, draws=99, seed=i)
        rejected += found.p_value <= 0.05
    assert rejected / reps < 0.05 + 3.3 * math.sqrt(0.05 * 0.95 / reps)


@pytest.mark.parametrize("statistic", ["rank", own_ranks])
@pytest.mark.parametrize("outcome", TIED)
def test_tied_outcomes_in_other_units(outcome, statistic):
    generator = np.random.default_rng(4)
    strata = np.repeat([0, 1, 2], 20)
    for i in range(10):
        z = generator.permuted(np.tile([0.0, 1.0], (3, 10)), axis=1).ravel()
        x = (generator.random(60) < 0.2 + 0.5 * z).astype(float)
        y = TIED[outcome](generator, 60)
        for groups in (None, strata):
            one, *others = (
                randomization_test(
                    values, x, z, strata=groups, statistic=statistic, draws=199, seed=i
                ).p_value
                for values in (y, y + 1, 3 * y)
            )
            assert others == [one, one]


def test_seed_decides():
    generator = np.random.default_rng(9)
    z = generator.integers(0, 2, 60).astype(float)
    x, y = z + generator.normal(size=60), generator.normal(size=60)
    one, two, three = (
        randomization_test(y, x, z, draws=99, seed=s, beta0=0.3).p_value for s in (1, 1, 2)
    )
    assert one == two
    sets = {randomization_set(y, x, z, draws=99, seed=s).end_points for s in (1, 2)}
    assert len(sets) == 2
    assert three >= 0.01


def test_refusals():
    y, x, z = small_trial(1, 12)
    clusters = np.repeat([0, 1, 2], 4)
    with pytest.raises(ValueError, match=r"z varies within \d clusters"):
        randomization_test(y, x, z, clusters=clusters)
    fixed = np.array([0.0, 1.0, 0.0])[clusters]
    with pytest.raises(ValueError, match=r"strata varies within \d clusters"):
        randomization_test(y, x, fixed, clusters=clusters, strata=np.tile([0, 1], 6))
    with pytest.raises(ValueError, match="statistic is 'median'"):
        randomization_test(y, x, z, statistic="median")
    with pytest.raises(ValueError, match="draws is 0"):
        randomization_test(y, x, z, draws=0)
    with pytest.raises(ValueError, match="one number per permutation"):
        randomization_test(y, x, z, statistic=lambda a, r: np.zeros(3))
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=r"statistic is missing or infinite for \d+ of \d+"):
            randomization_test(y, x, z, statistic=lambda a, r, v=value: np.full(len(a), v))

    def sometimes(assignments, residual):
        return np.where(assignments[:, 0, 0] > 0, np.nan, 1.0)

    with pytest.raises(ValueError, match="return finite numbers"):
        randomization_set(y, x, z, statistic=sometimes)
