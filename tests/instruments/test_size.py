"""Size and coverage by simulation, within binomial bounds: 4 standard errors of the draws.

Robust procedures keep theirs at every strength, classical ones visibly do not.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pooledtrials.instruments import joint_moments, partial_out, two_step_set
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.instruments.robust_tests import null_test
from pooledtrials.planning.montecarlo.design import Cell, make_design
from pooledtrials.planning.montecarlo.run import run
from pooledtrials.planning.montecarlo.samplers import rows

LEVEL = 0.95
CONCENTRATIONS = (0.0, 1.0, 5.0, 20.0, 100.0)


def bounds(reps, rate=0.05):
    half = 4 * math.sqrt(rate * (1 - rate) / reps)
    return rate - half, rate + half


@pytest.fixture(scope="module")
def design():
    generator = np.random.default_rng(0)
    n = 300
    trial = generator.integers(0, 3, n)
    arm = generator.integers(0, 2, n)
    return make_design(np.eye(3)[trial] * arm[:, None], strata=trial)


def test_classical_size_at_every_strength_and_endogeneity(design):
    reps = 20_000
    cells = [Cell(design.strength(c), 0.4, rho) for c in CONCENTRATIONS for rho in (0.0, 0.5, 0.95)]
    study = run(design, cells, reps, sampler="wishart", seed=1)
    low, high = bounds(reps)
    for name in ("AR", "K", "CLR"):
        rejected = 1 - study.mean(f"covers: {name}")
        # AR is exact under F; K and CLR are referred to an approximation that errs on the safe side
        assert np.all(rejected < high), name
        assert np.all(rejected > low - (0.0 if name == "AR" else 0.004)), name
    # 2SLS and its Wald interval: far off with weak instruments and endogeneity, fine with strong
    wald = 1 - study.mean("covers: 2SLS")
    assert wald[2] > 0.5
    assert wald[5] > 0.4
    assert abs(wald[-3] - 0.05) < 0.01
    # the AR set is bounded as often as the first-stage F rejects: a noncentral F probability
    bounded = study.mean("shape: AR interval") + study.mean("shape: AR empty")
    critical = stats.f.isf(0.05, 3, design.dof)
    for i, cell in enumerate(cells):
        want = min(
            stats.ncf.sf(critical, 3, design.dof, max(float(cell.theta @ cell.theta), 1e-9)), 1.0
        )
        assert abs(bounded[i] - want) < 4.5 * math.sqrt(want * (1 - want) / reps) + 1e-4


def test_robust_size_under_heteroskedasticity():
    """The small treated arms vary more: HC1 tests keep their size, the classical one does not."""
    reps = 4000
    generator = np.random.default_rng(3)
    n = 600
    trial, arm = generator.integers(0, 3, n), generator.random(n) < 0.2
    uneven = make_design(np.eye(3)[trial] * arm[:, None], strata=trial)
    scale = np.where(arm, 2.0, 0.7)
    cells = [Cell(uneven.strength(c), 0.0, 0.9, scale=scale) for c in (0.0, 5.0, 50.0)]
    study = run(uneven, cells, reps, sampler="cell_wishart", covariances=("robust",), seed=2)
    # HC1 with 40 treated rows a trial: up to two points above nominal in finite samples
    low, high = bounds(reps)
    for name in ("AR robust", "K robust", "CLR robust"):
        rejected = 1 - study.mean(f"covers: {name}")
        assert np.all(rejected < high + 0.02), name
        assert np.all(rejected > low), name
    assert (1 - study.mean("covers: 2SLS robust"))[0] > 0.4
    classical = run(uneven, cells, reps, sampler="cell_wishart", seed=2)
    assert np.all(1 - classical.mean("covers: AR") > 0.2)


def test_clustered_size_with_many_clusters():
    """60 clusters, cluster-constant errors: clustered AR, K and CLR with F references."""
    generator = np.random.default_rng(5)
    reps, groups, size, k = 1200, 60, 6, 2
    cluster = np.repeat(np.arange(groups), size)
    n = cluster.size
    rejected = {"AR": 0, "K": 0, "CLR": 0, "robust AR": 0}
    for _ in range(reps):
        z = generator.normal(size=(groups, k))[cluster] + 0.5 * generator.normal(size=(n, k))
        v = generator.normal(size=groups)[cluster] + generator.normal(size=n)
        u = 0.9 * v + 0.5 * generator.normal(size=groups)[cluster]
        data = partial_out(u, 0.05 * z[:, 0] + v, z, None, cluster)
        moments = joint_moments(data)
        for name in ("AR", "K", "CLR"):
            rejected[name] += null_test(moments, name).p_value <= 0.05
        row = joint_moments(partial_out(u, 0.05 * z[:, 0] + v, z))
        rejected["robust AR"] += null_test(row, "AR").p_value <= 0.05
    high = bounds(reps)[1]
    for name in ("AR", "K", "CLR"):
        assert rejected[name] / reps < high + 0.01, name
    assert rejected["robust AR"] / reps > 0.15  # ignoring clusters


def test_null_p_values_are_uniform():
    generator = np.random.default_rng(6)
    reps, n = 800, 100
    values = []
    for _ in range(reps):
        z = generator.normal(size=(n, 2))
        v = generator.normal(size=n)
        data = partial_out(0.9 * v + 0.4 * generator.normal(size=n), 0.1 * z[:, 0] + v, z)
        moments = joint_moments(data, "classical")
        values.append([null_test(moments, s).p_value for s in ("AR", "K", "CLR", "J")])
    for column in np.array(values).T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_statistics_are_independent_of_the_strength_part():
    """K and J are independent chi-squares given rk: their null correlation with rk vanishes."""
    generator = np.random.default_rng(7)
    design = make_design(generator.normal(size=(400, 3)))
    draws = rows(design, Cell(design.strength(4.0), 0.0, 0.8), 4000, generator, ("robust",))
    at = statistics_at(draws.moments(design, "robust"), 0.0)
    bound = 4.5 / math.sqrt(4000)
    for one, two in (
        (at.score, at.rank),
        (at.overidentification, at.rank),
        (at.score, at.overidentification),
    ):
        assert abs(np.corrcoef(one, two)[0, 1]) < bound
    assert abs(at.score.mean() - 1) < 5 * math.sqrt(2 / 4000) + 0.02
    assert abs(at.overidentification.mean() - 2) < 5 * math.sqrt(4 / 4000) + 0.04


@pytest.mark.parametrize("concentration", [0.0, 4.0, 4000.0])
def test_two_step_coverage(concentration):
    generator = np.random.default_rng(8)
    reps, n, k = 150, 250, 3
    covered = weak = 0
    for _ in range(reps):
        z = generator.normal(size=(n, k))
        v = generator.normal(size=n)
        x = z @ np.full(k, math.sqrt(concentration / n / k)) + v
        y = 0.95 * v + 0.3 * generator.normal(size=n)
        found = two_step_set(y, x, z)
        covered += found.chosen.contains(0.0)
        weak += found.weak
    floor = 0.90  # 1 - alpha - gamma
    assert covered / reps > floor - 4 * math.sqrt(floor * (1 - floor) / reps)
    if concentration == 0.0:
        assert weak / reps > 0.9
    if concentration == 4000.0:
        assert weak / reps < 0.1
