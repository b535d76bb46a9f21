"""Wild bootstrap for few clusters: O-E2, a slow second computation, size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pooledtrials.instruments import tsls, wild_bootstrap_set, wild_bootstrap_test
from pooledtrials.resampling import sign_patterns


@pytest.fixture
def regions(card):
    region = card[[f"reg66{j}" for j in range(1, 10)]].to_numpy().argmax(axis=1)
    return card["lwage"], card["educ"], card["nearc4"], card[["exper", "expersq", "black"]], region


def test_o_e2_restricted_efficient(regions, truths):
    want = truths["O-E2"]
    found = [tsls(*regions), tsls(*regions, debiased=False)]
    assert_allclose(found[0].coefficient, want["tsls"], rtol=1e-9)
    assert_allclose([f.standard_error for f in found], want["se"], rtol=1e-8)
    for beta0, p_value in want["p"]:
        test = wild_bootstrap_test(*regions, beta0=beta0, statistic="WRE")
        assert test.p_value == p_value
        assert test.distribution == "all 512 rademacher patterns"
    interval = wild_bootstrap_set(*regions, statistic="WRE")
    main = [pair for pair in interval.intervals if pair[0] < want["tsls"] < pair[1]]
    assert_allclose(main[0], want["set"], atol=1e-4)
    # a second, narrow piece that an expanding search from the estimate cannot see: real, see below
    assert len(interval.intervals) == 2
    other = next(pair for pair in interval.intervals if pair not in main)
    for beta0 in (float(np.mean(other)), 0.1, 0.2):
        fast = wild_bootstrap_test(*regions, beta0=beta0, statistic="WRE").p_value
        assert slow_restricted_efficient(regions, beta0) == fast
    assert slow_restricted_efficient(regions, float(np.mean(other))) > 0.05


def slow_restricted_efficient(data, beta0):
    """WRE from its definition, one regression at a time."""
    y, x, z = (np.asarray(v, dtype=float) for v in data[:3])
    w = np.column_stack([np.ones(y.size), np.asarray(data[3], dtype=float)])
    groups = np.asarray(data[4])

    def t_squared(y, x):
        instruments, regressors = np.column_stack([z, w]), np.column_stack([x, w])
        coefficient = np.linalg.solve(instruments.T @ regressors, instruments.T @ y)
        residual = y - regressors @ coefficient
        bread = np.linalg.inv(instruments.T @ regressors)
        sums = np.array(
            [(instruments * residual[:, None])[groups == g].sum(0) for g in np.unique(groups)]
        )
        variance = bread @ (sums.T @ sums) @ bread.T
        return (coefficient[0] - beta0) ** 2 / variance[0, 0]

    gamma, *_ = np.linalg.lstsq(w, y - beta0 * x, rcond=None)
    u = y - beta0 * x - w @ gamma
    first = np.column_stack([z, w, u])
    pi, *_ = np.linalg.lstsq(first, x, rcond=None)
    fitted = first[:, :-1] @ pi[:-1]
    v = x - fitted
    own = t_squared(y, x)
    count = 0
    for signs in itertools.product([-1.0, 1.0], repeat=9):
        s = np.array(signs)[groups]
        x_star = fitted + v * s
        y_star = beta0 * x_star + w @ gamma + u * s
        count += t_squared(y_star, x_star) > own * (1 + 1e-9)
    return count / 512


def test_anderson_rubin_from_its_definition(regions):
    beta0 = 0.2
    y, x, z = (np.asarray(v, dtype=float) for v in regions[:3])
    w = np.column_stack([np.ones(y.size), np.asarray(regions[3], dtype=float)])
    groups = np.asarray(regions[4])

    def statistic(e0):
        full = np.column_stack([z, w])
        b, *_ = np.linalg.lstsq(full, e0, rcond=None)
        scores = full * (e0 - full @ b)[:, None]
        sums = np.array([scores[groups == g].sum(0) for g in np.unique(groups)])
        bread = np.linalg.inv(full.T @ full)
        return b[0] ** 2 / (bread @ (sums.T @ sums) @ bread)[0, 0]

    b, *_ = np.linalg.lstsq(w, y - beta0 * x, rcond=None)
    u = y - beta0 * x - w @ b
    own = statistic(u)
    drawn = [statistic(u * np.array(s)[groups]) for s in itertools.product([-1, 1], repeat=9)]
    found = wild_bootstrap_test(*regions, beta0=beta0)
    assert_allclose(found.statistic, own, rtol=1e-9)
    assert found.p_value == np.mean(np.array(drawn) > own * (1 + 1e-9))


def test_patterns_are_enumerated_only_when_few_and_seeded_otherwise():
    assert sign_patterns(5, 32, "rademacher", 0)[0].shape == (32, 5)
    assert sign_patterns(5, 31, "rademacher", 0)[0].shape == (31, 5)
    assert sign_patterns(3, 216, "webb", 0)[0].shape == (216, 3)
    one, two = (sign_patterns(20, 99, "webb", 7)[0] for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, sign_patterns(20, 99, "webb", 8)[0])
    webb = sign_patterns(3, 216, "webb", 0)[0]
    assert_allclose([webb.mean(), (webb**2).mean()], [0, 1], atol=1e-12)


def test_end_points_are_where_the_p_value_crosses(regions):
    found = wild_bootstrap_set(*regions)
    for point in found.end_points:
        sides = [
            wild_bootstrap_test(*regions, beta0=point + d).p_value > 0.05 for d in (-1e-6, 1e-6)
        ]
        assert sides[0] != sides[1]


def test_several_instruments_and_rows_as_clusters(card):
    from card_controls import CARD_4

    small = card.iloc[:150]
    data = (small["lwage"], small["educ"], small[["nearc2", "nearc4"]], small[CARD_4])
    for statistic in ("AR", "WRE"):
        one = wild_bootstrap_test(*data, draws=99, seed=1, statistic=statistic)
        two = wild_bootstrap_test(*data, draws=99, seed=1, statistic=statistic)
        assert one.p_value == two.p_value
        assert 0 <= one.p_value <= 1
        assert one.distribution == "99 rademacher draws"


def test_size_with_eight_clusters():
    """Weak instrument, strong endogeneity: the bootstrap AR test keeps its size, chi2 does not."""
    from pooledtrials.instruments import anderson_rubin_test

    generator = np.random.default_rng(1)
    reps, groups, size = 400, 8, 20
    cluster = np.repeat(np.arange(groups), size)
    rejected = {"bootstrap": 0, "chi2": 0}
    for _ in range(reps):
        z = generator.normal(size=groups)[cluster] + generator.normal(size=groups * size)
        common = generator.normal(size=(groups, 2))[cluster]
        v = common[:, 0] + generator.normal(size=groups * size)
        u = 0.9 * v + 0.4 * (common[:, 1] + generator.normal(size=groups * size))
        x = 0.1 * z + v
        data = (u, x, z, None, cluster)
        rejected["bootstrap"] += wild_bootstrap_test(*data).p_value <= 0.05
        found = anderson_rubin_test(*data, reference="chi2", debiased=False)
        rejected["chi2"] += found.p_value <= 0.05
    bound = 0.05 + 3.3 * np.sqrt(0.05 * 0.95 / reps)
    assert rejected["bootstrap"] / reps < bound
    assert rejected["chi2"] / reps > bound
