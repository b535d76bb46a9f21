"""The simulation engine: the kernel is the public functions', samplers agree, any executor."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.instruments import (
    anderson_rubin_set,
    anderson_rubin_test,
    conditional_lr_set,
    conditional_lr_test,
    first_stage,
    fuller,
    kleibergen_test,
    liml,
    ols,
    tsls,
)
from pooledtrials.instruments.estimators import sandwich_meat
from pooledtrials.planning.design import Cell, make_design
from pooledtrials.planning.montecarlo import Tally, run, run_block
from pooledtrials.planning.operating import classical_outcomes, robust_outcomes
from pooledtrials.planning.samplers import Draws, cell_wishart, rows, wishart


@pytest.fixture(scope="module")
def arms():
    generator = np.random.default_rng(0)
    n = 240
    trial, arm = generator.integers(0, 3, n), generator.integers(0, 2, n)
    return np.eye(3)[trial] * arm[:, None], trial


@pytest.fixture(scope="module")
def design(arms):
    return make_design(arms[0], strata=arms[1])


def one_data_set(design, arms, seed, effect=0.3):
    """Row data and the same data as one replication of draws."""
    g = np.random.default_rng(seed)
    n = design.nobs
    v = g.normal(size=n) * np.exp(arms[0][:, 0])
    u = 0.7 * v + g.normal(size=n)
    theta = design.strength(8.0)
    x = design.q @ theta + v
    y = effect * x + u

    def errors(generator, reps, rows_):
        return np.broadcast_to(np.column_stack([u, v]), (reps, rows_, 2))

    cell = Cell(theta, effect, errors=errors)
    draws = rows(design, cell, 1, g, True)
    return y, x, cell, draws


@pytest.mark.parametrize("seed", range(4))
def test_panel_gives_what_the_public_functions_give(design, arms, seed):
    """One replication through the engine equals the public functions on its rows."""
    y, x, cell, draws = one_data_set(design, arms, seed)
    data = (y, x, arms[0], None, None, arms[1])
    iid = {"covariance": "classical"}
    out = {k: v[0] for k, v in classical_outcomes(design, cell, draws, 0.95, "F").items()}
    for name, estimator in (("OLS", ols), ("2SLS", tsls), ("LIML", liml), ("Fuller", fuller)):
        found = estimator(*data, **iid)
        assert_allclose(out[f"error: {name}"], found.coefficient - 0.3, rtol=1e-9)
        inside = found.interval().contains(0.3)
        assert out[f"covers: {name}"] == inside
    assert_allclose(out["F"], first_stage(*data, **iid).f_test.statistic, rtol=1e-9)
    for name, make, test in (
        ("AR", anderson_rubin_set, anderson_rubin_test),
        ("CLR", conditional_lr_set, conditional_lr_test),
    ):
        found = make(*data, **iid)
        assert out[f"shape: {name} {found.kind}"] == 1
        assert_allclose(out[f"length: {name}"], found.length, rtol=1e-5)
        assert out[f"covers: {name}"] == (test(*data, beta0=0.3, **iid).p_value >= 0.05)
    assert out["covers: K"] == (kleibergen_test(*data, beta0=0.3, **iid).p_value >= 0.05)
    out = {k: v[0] for k, v in robust_outcomes(design, cell, draws, 0.95, "F").items()}
    stage = first_stage(*data)
    assert_allclose(out["F: effective"], stage.effective.statistic, rtol=1e-9)
    assert_allclose(out["error: 2SLS"], tsls(*data).coefficient - 0.3, rtol=1e-9)
    assert out["covers: 2SLS robust"] == tsls(*data).interval().contains(0.3)
    for name, test in (
        ("AR robust", anderson_rubin_test),
        ("K robust", kleibergen_test),
        ("CLR robust", conditional_lr_test),
    ):
        assert out[f"covers: {name}"] == (test(*data, beta0=0.3).p_value >= 0.05)


def test_robust_variance_of_one_replication(design, arms):
    y, x, _, draws = one_data_set(design, arms, 9)
    found = tsls(y, x, arms[0], None, None, arms[1])
    stage = draws.first_stage[0]
    n, p = design.nobs, design.n_partialled
    meat = sandwich_meat(draws.score_meat[0], stage, found.coefficient)
    error = math.sqrt(n / (n - p - 1) * float(meat)) / float(stage @ stage)
    assert_allclose(error, found.standard_error, rtol=1e-9)


def statistics_of(draws: Draws):
    gram = draws.residual_gram
    out = [draws.reduced_form[:, 0], draws.first_stage[:, -1]]
    out += [gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]]
    if draws.wald_meat is not None:
        for meat in (draws.wald_meat, draws.score_meat):
            out += [meat[:, 0, 1, 0, 0], meat[:, 1, 1, 0, 0], meat[:, 0, 0, 2, 2]]
    return out


def test_samplers_have_the_same_law(design):
    """Two-sample Kolmogorov-Smirnov on moments: rows is the definition, the others are exact."""
    reps = 4000
    plain = Cell(design.strength(6.0), 0.4, 0.7)
    scale = np.random.default_rng(1).uniform(0.3, 3, design.cells.max() + 1)[design.cells]
    uneven = Cell(design.strength(6.0), 0.4, 0.7, scale=scale)
    cases = [
        (wishart, plain, False),
        (cell_wishart, plain, False),
        (cell_wishart, plain, True),
        (cell_wishart, uneven, True),
    ]
    values = []
    for i, (sampler, cell, robust) in enumerate(cases):
        one = statistics_of(sampler(design, cell, reps, np.random.default_rng(10 + i), robust))
        two = statistics_of(rows(design, cell, reps, np.random.default_rng(50 + i), robust))
        values += [stats.ks_2samp(a, b).pvalue for a, b in zip(one, two, strict=True)]
    assert min(values) > 0.05 / len(values) / 5


def test_same_answer_on_any_executor(design):
    cells = [Cell(design.strength(c), 0.0, 0.5) for c in (0.0, 10.0)]
    options = {"sampler": "cell_wishart", "seed": 7}
    alone = run(design, cells, 12_000, **options)
    with ThreadPoolExecutor(3) as pool:
        together = run(design, cells, 12_000, executor=pool, **options)
    assert alone.to_frame().equals(together.to_frame())
    other = run(design, cells, 12_000, sampler="cell_wishart", seed=8)
    assert not alone.to_frame().equals(other.to_frame())
    # a cell's stream depends on its place, not on what else is run
    first = run(design, cells[:1], 12_000, **options)
    assert first.to_frame().loc[0].equals(alone.to_frame().loc[0])


def test_tasks_travel_to_other_processes(design):
    cell = Cell(design.strength(3.0), 0.0, 0.5)
    task = (design, cell, 50, "rows", True, 0.95, "F", 1, (0, 0))
    function, arguments = pickle.loads(pickle.dumps((run_block, task)))
    one, two = run_block(*task), function(*arguments)
    assert one.keys() == two.keys()
    assert all(one[name].total == two[name].total for name in one)


def test_quantiles_of_a_tally():
    values = np.random.default_rng(2).standard_cauchy(200_000)
    tally = Tally.of(values[:100_000]) + Tally.of(values[100_000:])
    for p in (0.05, 0.25, 0.5, 0.9):
        want = np.quantile(values, p)
        assert abs(tally.quantile(p) - want) < 0.002 * (1 + want**2)
    with_infinite = Tally.of(np.array([1.0, 2.0, np.inf, np.inf]))
    assert with_infinite.total == 3.0
    assert with_infinite.quantile(0.9) > 1e3


def test_f_of_the_study_has_its_known_mean(design):
    """E[F] = (k + mu^2) / k * dof / (dof - 2): the instruments are as strong as was said."""
    reps, k = 40_000, design.n_instruments
    study = run(design, [Cell(design.strength(9.0), 0.0, 0.3)], reps)
    want = (k + 9.0) / k * design.dof / (design.dof - 2)
    frame = study.to_frame().loc[(0, "F")]
    assert abs(frame["mean"] - want) < 5 * frame["standard_error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "normal"}, "sampler is 'normal'"),
        ({"reps": 0}, "reps is 0"),
        ({"level": 95}, "level is 95"),
        ({"cells": []}, "cells has 0 entries"),
        ({"reference": "t"}, "reference is 't'"),
        ({"robust": True}, "exact only for normal errors"),
    ],
)
def test_run_refuses(design, change, message):
    arguments = {"cells": [Cell(design.strength(1.0))], "reps": 10} | change
    with pytest.raises(ValueError, match=message):
        run(design, **arguments)


def test_samplers_refuse_what_they_cannot_do(design, arms):
    g = np.random.default_rng(3)
    scale = np.linspace(1, 2, design.nobs)
    uneven = Cell(design.strength(1.0), scale=scale)
    with pytest.raises(ValueError, match="sampler is 'wishart'"):
        wishart(design, uneven, 5, g, False)
    with pytest.raises(ValueError, match="scale varies within cells"):
        cell_wishart(design, uneven, 5, g, False)
    assert rows(design, uneven, 5, g, False).reduced_form.shape == (5, 3)
    own = Cell(design.strength(1.0), errors=lambda generator, reps, n: np.zeros((reps, n)))
    with pytest.raises(ValueError, match="errors returned shape"):
        rows(design, own, 5, g, False)
    with pytest.raises(ValueError, match="errors are not normal"):
        cell_wishart(design, own, 5, g, False)
    continuous = make_design(g.normal(size=(50, 1)))
    with pytest.raises(ValueError, match="50 rows form 50 cells"):
        cell_wishart(continuous, Cell(continuous.strength(1.0)), 5, g, False)
    with pytest.raises(ValueError, match="covariance is 'robust', but this sampler"):
        wishart(design, Cell(design.strength(1.0)), 5, g, False).moments(design, "robust")


def test_designs_and_cells_refuse(design):
    with pytest.raises(ValueError, match="concentration is -1"):
        design.strength(-1.0)
    with pytest.raises(ValueError, match="direction has shape"):
        design.strength(1.0, [1.0])
    with pytest.raises(ValueError, match="rho is 1"):
        Cell(design.strength(1.0), rho=1.0)
    with pytest.raises(ValueError, match="theta of cell 0"):
        run(design, [Cell(np.ones(2))], 5)
    with pytest.raises(ValueError, match="z column z1 is a linear combination"):
        make_design(np.column_stack([np.arange(9.0), 2 * np.arange(9.0)]))
