"""The simulation: outcomes are the public functions', samplers agree, known laws are met."""

from __future__ import annotations

import math

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
    tf_test,
    tsls,
    worst_case_size,
)
from pooledtrials.planning import Cell, make_design, run
from pooledtrials.planning.montecarlo.compiled import available
from pooledtrials.planning.montecarlo.operating import outcomes
from pooledtrials.planning.montecarlo.panel import classical_statistics
from pooledtrials.planning.montecarlo.samplers import cell_wishart, rows, wishart
from pooledtrials.planning.montecarlo.settings import COVARIANCES, METHODS, Settings

ENGINES = ("numpy", "numba") if available() else ("numpy",)
ESTIMATORS = {"OLS": ols, "2SLS": tsls, "LIML": liml, "Fuller": fuller}
TESTS = {"AR": anderson_rubin_test, "K": kleibergen_test, "CLR": conditional_lr_test}


@pytest.fixture(scope="module")
def arms():
    generator = np.random.default_rng(0)
    n = 240
    trial, arm = generator.integers(0, 3, n), generator.integers(0, 2, n)
    return np.eye(3)[trial] * arm[:, None], trial


@pytest.fixture(scope="module")
def design(arms):
    return make_design(arms[0], strata=arms[1])


def settings(methods=METHODS[:7], covariances=("classical",), engine="numpy", **changes):
    given = {
        "sampler": "rows",
        "hypotheses": (0.0, 0.5),
        "level": 0.95,
        "reference": "F",
        "draws": 99,
        "seed": 0,
    } | changes
    return Settings(methods=methods, covariances=covariances, engine=engine, **given)


def one_data_set(design, seed, asked, effect=0.3):
    """Rows of a data set, and what the engine answers from them as its one replication."""
    g = np.random.default_rng(seed)
    n = design.nobs
    v = g.normal(size=n) * np.exp(design.z[:, 0])
    u = 0.7 * v + g.normal(size=n)
    theta = design.strength(8.0)
    x = design.q @ theta + v

    def errors(generator, reps, rows_):
        return np.broadcast_to(np.column_stack([u, v]), (reps, rows_, 2))

    cell = Cell(theta, effect, errors=errors)
    draws = rows(design, cell, 1, g, asked.covariances, asked.engine)
    found = dict(outcomes(design, cell, draws, asked))
    return effect * x + u, x, {name: values[0] for name, values in found.items()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(3))
def test_outcomes_are_what_the_public_functions_say(arms, seed, engine):
    """One replication through the engine equals the public functions on its rows."""
    clusters = np.random.default_rng(9).integers(0, 30, arms[1].size)
    design = make_design(arms[0], clusters=clusters, strata=arms[1])
    y, x, out = one_data_set(design, seed, settings(covariances=COVARIANCES, engine=engine))
    for covariance in COVARIANCES:
        groups = clusters if covariance == "clustered" else None
        data = (y, x, arms[0], None, groups, arms[1])
        option = {} if covariance == "clustered" else {"covariance": covariance}
        word = "" if covariance == "classical" else f" {covariance}"
        for name, estimator in ESTIMATORS.items():
            found = estimator(*data, **option)
            assert_allclose(out[f"error: {name}"], found.coefficient - 0.3, rtol=1e-9)
            interval = found.interval()
            assert_allclose(out[f"length: {name}{word}"], interval.length, rtol=1e-9)
            for outcome, b, holds in (("covers", 0.3, True), ("rejects 0.5", 0.5, False)):
                assert out[f"{outcome}: {name}{word}"] == (interval.contains(b) == holds)
        for name, test in TESTS.items():
            p_values = [test(*data, beta0=b, **option).p_value for b in (0.3, 0.0, 0.5)]
            assert out[f"covers: {name}{word}"] == (p_values[0] >= 0.05)
            assert out[f"rejects 0: {name}{word}"] == (p_values[1] < 0.05)
            assert out[f"rejects 0.5: {name}{word}"] == (p_values[2] < 0.05)
            if name == "CLR":
                assert_allclose(out[f"p: CLR{word}"], p_values[0], atol=1e-6)
        stage = first_stage(*data, **option)
        if covariance == "classical":
            assert_allclose(out["F"], stage.f_test.statistic, rtol=1e-9)
        else:
            label = "F: effective" + (" clustered" if groups is not None else "")
            assert_allclose(out[label], stage.effective.statistic, rtol=1e-9)
        for name, make in (("AR", anderson_rubin_set), ("CLR", conditional_lr_set)):
            if f"unbounded: {name}{word}" not in out:
                continue
            found = make(*data, **option)
            assert out[f"unbounded: {name}{word}"] == math.isinf(found.length)
            if covariance == "classical":
                assert out[f"shape: {name} {found.kind}"]
                assert_allclose(out[f"length: {name}"], found.length, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("strength", [2.0, 9.0, 400.0])
def test_one_instrument_and_tf(engine, strength):
    g = np.random.default_rng(4)
    z = g.integers(0, 2, 150).astype(float)
    design = make_design(z)
    asked = settings(METHODS[:8], ("classical", "robust"), engine)
    v = g.normal(size=150)
    u = 0.5 * v + g.normal(size=150)

    def errors(generator, reps, n):
        return np.broadcast_to(np.column_stack([u, v]), (reps, n, 2))

    cell = Cell(design.strength(strength), 0.3, errors=errors)
    draws = rows(design, cell, 1, g, asked.covariances, engine)
    out = {name: values[0] for name, values in outcomes(design, cell, draws, asked)}
    x = design.q @ cell.theta + v
    for covariance, word in (("classical", ""), ("robust", " robust")):
        found = tf_test(0.3 * x + u, x, z, covariance=covariance)
        assert out[f"covers: tF{word}"] == found.interval.contains(0.3)
        assert out[f"rejects 0: tF{word}"] == (not found.interval.contains(0.0))
        assert_allclose(out[f"length: tF{word}"], found.interval.length, rtol=1e-9)
        assert out[f"unbounded: tF{word}"] == math.isinf(found.interval.length)
        # with one instrument K and CLR are AR
        for outcome in ("covers", "rejects 0", "rejects 0.5"):
            answers = {out[f"{outcome}: {name}{word}"] for name in ("AR", "K", "CLR")}
            assert len(answers) == 1


def statistics_of(draws):
    gram = draws.residual_gram
    out = [draws.reduced_form[:, 0], draws.first_stage[:, -1]]
    out += [gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]]
    if draws.robust is not None:
        wald = draws.robust.wald
        out += [wald[:, 0, 1, 0, 0], wald[:, 1, 1, 0, 0], wald[:, 0, 0, 2, 2]]
        out += [draws.robust.fitted[:, 0, 1], draws.robust.fitted[:, 0, 0]]
    return out


@pytest.mark.parametrize("engine", ENGINES)
def test_samplers_have_the_same_law(design, engine):
    """Two-sample Kolmogorov-Smirnov on moments: rows is the definition, the others are exact."""
    reps = 4000
    plain = Cell(design.strength(6.0), 0.4, 0.7)
    by_cell = np.random.default_rng(1).uniform(0.3, 3, (2, design.cells.max() + 1))
    scale, deviations = by_cell[:, design.cells]
    uneven = Cell(design.strength(6.0), 0.4, 0.7, scale=scale, deviations=deviations)
    cases = [
        (wishart, plain, ()),
        (cell_wishart, plain, ()),
        (cell_wishart, plain, ("robust",)),
        (cell_wishart, uneven, ("robust",)),
    ]
    values = []
    for i, (sampler, cell, words) in enumerate(cases):
        streams = [np.random.Generator(np.random.SFC64(seed + i)) for seed in (10, 50)]
        one = statistics_of(sampler(design, cell, reps, streams[0], words, engine))
        two = statistics_of(rows(design, cell, reps, streams[1], words, engine))
        values += [stats.ks_2samp(a, b).pvalue for a, b in zip(one, two, strict=True)]
    assert min(values) > 0.05 / len(values) / 5


def test_shared_errors_have_the_intracluster_correlation_they_say():
    """Of cluster means, var = shared + (1 - shared) / size."""
    clusters = np.repeat(np.arange(40), 5)
    design = make_design(np.tile([0.0, 1, 0, 1, 1], 40), clusters=clusters)
    cell = Cell(design.strength(0.0), rho=0.6, shared=0.3)
    from pooledtrials.planning.montecarlo.samplers import row_errors

    drawn = np.concatenate(list(row_errors(design, cell, 2000, np.random.default_rng(2))))
    means = drawn.reshape(2000, 2, 40, 5).mean(axis=-1)
    for part in (0, 1):
        assert_allclose(means[:, part].var(), 0.3 + 0.7 / 5, rtol=0.02)
        assert_allclose(drawn[:, part].var(), 1.0, rtol=0.01)
    assert_allclose(np.corrcoef(means[:, 0].ravel(), means[:, 1].ravel())[0, 1], 0.6, atol=0.01)


def test_f_of_the_study_has_its_known_mean(design):
    """E[F] = (k + mu^2) / k * dof / (dof - 2): the instruments are as strong as was said."""
    reps, k = 40_000, design.n_instruments
    study = run(design, [Cell(design.strength(9.0), 0.0, 0.3)], reps)
    want = (k + 9.0) / k * design.dof / (design.dof - 2)
    frame = study.to_frame().loc[(0, "F")]
    assert abs(frame["mean"] - want) < 5 * frame["standard_error"]


def test_p_values_of_the_truth_are_uniform_and_power_rises(design):
    """AR's size is its level; powers lie between level and one and rise with distance."""
    reps = 40_000
    cell = Cell(design.strength(25.0), 0.0, 0.5)
    study = run(design, [cell], reps, hypotheses=(0.1, 0.3, 1.0), seed=3)
    band = 4.5 * math.sqrt(0.05 * 0.95 / reps)
    assert abs(1 - study.mean("covers: AR")[0] - 0.05) < band
    assert abs(study.mean("p: CLR")[0] - 0.5) < 0.01
    for name in ("AR", "K", "CLR"):
        power = [study.mean(f"rejects {b:g}: {name}")[0] for b in (0.1, 0.3, 1.0)]
        assert 0.05 < power[0] < power[1] < power[2] < 1
    # AR's power is a noncentral F's: the hypothesis b moves QS by b^2 theta'theta / var(u - b v)
    for b in (0.1, 0.3, 1.0):
        shift = b**2 * 25.0 / (1 - 2 * b * 0.5 + b**2)
        want = stats.ncf.sf(stats.f.isf(0.05, 3, design.dof), 3, design.dof, shift)
        found = study.mean(f"rejects {b:g}: AR")[0]
        assert abs(found - want) < 4.5 * math.sqrt(want * (1 - want) / reps)


@pytest.mark.parametrize(("rho", "size"), [(0.565, 0.05), (0.76, 0.10)])
def test_o_c8_worst_case_over_strength_by_simulation(rho, size):
    """O-C8: the worst size of the t-test over strengths, simulated, one instrument."""
    design = make_design(np.tile([0.0, 1.0], 1000))
    reps = 100_000
    strengths = np.concatenate([[0.0], np.geomspace(0.3, 30, 14)])
    cells = [Cell(design.strength(c), 0.0, rho) for c in strengths]
    study = run(design, cells, reps, methods=("2SLS",), seed=11)
    rejected = 1 - study.mean("covers: 2SLS")
    # the largest of 15 binomials: up to three errors above the largest probability
    error = math.sqrt(size * (1 - size) / reps)
    assert -4 * error - 5e-4 < rejected.max() - size < 4.5 * error + 5e-4
    assert abs(worst_case_size(rho) - size) < 2e-3


@pytest.mark.parametrize(("mean_f", "size"), [(6.88, 0.10), (142.6, 0.05)])
def test_o_c8_worst_case_over_endogeneity_by_simulation(mean_f, size):
    """O-C8: the worst size of the t-test over endogeneity, at a given mean F."""
    design = make_design(np.tile([0.0, 1.0], 1000))
    reps = 200_000
    cells = [Cell(design.strength(mean_f - 1), 0.0, rho) for rho in (0.5, 0.9, 0.99, 0.9999)]
    rejected = 1 - run(design, cells, reps, methods=("2SLS",), seed=5).mean("covers: 2SLS")
    assert abs(rejected.max() - size) < 4.5 * math.sqrt(size * (1 - size) / reps) + 2e-3


@pytest.mark.parametrize("engine", ENGINES)
def test_o_c8_the_rule_of_104_7_by_simulation(engine):
    """O-C8: F > 104.7 and |t| > 1.96 has size 5 % at worst, over strength; t alone has more."""
    design = make_design(np.tile([0.0, 1.0], 1000))
    reps, generator = 200_000, np.random.default_rng(12)
    rule, t_alone = [], []
    for mean in np.arange(6.0, 16.0):
        cell = Cell(design.strength(mean**2), 0.0, 0.9999)
        draws = wishart(design, cell, reps, generator, ("classical",), engine)
        found = classical_statistics(draws, design, np.zeros(1), engine)
        tsls_t = np.abs(found.error[1] / found.standard_error[1]) > 1.96
        rule.append(float(np.mean(tsls_t & (found.first_stage_f > 104.7))))
        t_alone.append(float(np.mean(tsls_t)))
    error = math.sqrt(0.05 * 0.95 / reps)
    assert abs(max(rule) - 0.05) < 4.5 * error + 2e-3
    assert max(t_alone) > 0.05 + 4.5 * error


@pytest.mark.parametrize("engine", ENGINES)
def test_the_long_table(engine):
    """Labels, methods, covariances and characteristics, and errors that are binomial."""
    clusters = np.repeat(np.arange(60), 4)
    z = np.repeat(np.random.default_rng(3).normal(size=(60, 2)), 4, axis=0)
    design = make_design(z, clusters=clusters)
    cell = Cell(design.strength(8.0), 0.0, 0.4, shared=0.2, labels={"strength": 8.0, "arm": "a"})
    study = run(
        design,
        [cell],
        600,
        sampler="rows",
        covariances=COVARIANCES,
        hypotheses=(1.0,),
        engine=engine,
    )
    table = study.characteristics().set_index(["method", "covariance", "characteristic"])
    assert (table["strength"] == 8.0).all()
    assert (table["arm"] == "a").all()
    size = table.loc[("AR", "clustered", "size")]
    assert_allclose(size["mc_error"], math.sqrt(size["value"] * (1 - size["value"]) / 600))
    assert size["value"] < 0.12
    # ignoring clusters in which errors and instruments are alike rejects too often
    assert table.loc[("AR", "robust", "size"), "value"] > size["value"] + 0.02
    frame = study.to_frame()
    assert table.loc[("2SLS", "", "mean bias"), "value"] == frame.loc[(0, "error: 2SLS"), "mean"]
    names = set(table.index.get_level_values("characteristic"))
    assert names == {
        "mean bias", "median bias", "size", "power at 1", "median length", "unbounded", "mean",
    }  # fmt: skip
    assert set(table.index.get_level_values("method")) == {
        *METHODS[:7], "first-stage F", "effective F",
    }  # fmt: skip
    assert table["value"].notna().all()


def test_several_designs_in_one_study(design):
    other = make_design(design.z[:, :1] + design.z[:, 1:2])
    cells = [Cell(design.strength(4.0), design=0), Cell(other.strength(4.0), design=1)]
    study = run([design, other], cells, 500)
    alone = run(other, [Cell(other.strength(4.0))], 500)
    assert study.mean("F").shape == (2,)
    assert study.tallies[1]["F"].total != alone.tallies[0]["F"].total  # another place's stream
    assert_allclose(study.mean("F")[1], alone.mean("F")[0], rtol=0.3)


def test_methods_and_covariances_choose_outcomes(design):
    cell = Cell(design.strength(4.0))
    study = run(design, [cell], 200, methods=("LIML", "AR"), covariances=("classical",))
    assert set(study.tallies[0]) == {
        "error: LIML", "F", "covers: LIML", "length: LIML", "covers: AR", "unbounded: AR",
        "length: AR", *(f"shape: AR {k}" for k in ("empty", "interval", "two rays", "whole line")),
    }  # fmt: skip
    robust = run(
        design, [cell], 200, sampler="cell_wishart", methods=("OLS", "2SLS"),
        covariances=("robust",),
    )  # fmt: skip
    # robust errors of OLS are beyond cells
    assert set(robust.tallies[0]) == {
        "error: OLS", "error: 2SLS", "F: effective", "covers: 2SLS robust", "length: 2SLS robust",
    }  # fmt: skip
    with pytest.raises(ValueError, match="outcome is 'covers: CLR': give one of error: LIML"):
        study.mean("covers: CLR")
