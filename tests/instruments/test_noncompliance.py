"""LATE, compliers and ordered exposures: O-G0 to O-G2."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from pooledtrials.instruments import (
    anderson_rubin_set,
    arm_difference,
    causal_response_weights,
    complier_means,
    complier_shares,
    first_stage,
    tsls,
    wald_ratio,
)

IID = {"covariance": "classical"}


def test_o_g0_nhefs(nhefs, truths):
    want = truths["O-G0"]
    assert len(nhefs) == 1476
    y, x, z = nhefs["wt82_71"], nhefs["qsmk"], nhefs["z"]
    assert_allclose([y[z == v].mean() for v in (0, 1)], want["means"], atol=5e-4)
    assert_allclose([x[z == v].mean() for v in (0, 1)], want["quit"], atol=5e-5)
    found = wald_ratio(y, x, z, **IID)
    errors = [found.ratio.standard_error, tsls(y, x, z, debiased=False).standard_error]
    assert_allclose([found.ratio.coefficient, *errors], want["tsls"], rtol=1e-7)
    stage = first_stage(y, x, z, **IID).f_test.statistic
    assert_allclose(stage, want["F"], rtol=1e-7)
    large = tsls(y, x, z, debiased=False, **IID).standard_error
    assert_allclose(large, want["large_sample_error"], atol=5e-6)  # Stata's, 5 dp
    printed = [found.ratio.coefficient, *found.ratio.interval().end_points]
    assert_allclose(np.round(printed, 2), want["printed"], atol=0.05)  # 2.40, -36.5, 41.3
    assert found.fieller.kind == "whole line"
    assert found.delta.kind == "interval"


def test_o_g1_vitamin_a(vitamin_a, truths):
    want = truths["O-G1"]
    data = (vitamin_a["y"], vitamin_a["x"], vitamin_a["z"])
    found = wald_ratio(*data, **IID)
    assert_allclose(found.intention_to_treat.coefficient, want["itt"], rtol=1e-9)
    assert_allclose(found.first_stage.coefficient, want["first_stage"], rtol=1e-9)
    errors = [found.ratio.standard_error, tsls(*data, debiased=False).standard_error]
    assert_allclose([found.ratio.coefficient, *errors], want["late"], rtol=1e-8)
    shares = complier_shares(*data).to_frame()["share"]
    assert_allclose(shares, [want["first_stage"], 0.0, 1 - want["first_stage"]], atol=1e-10)


def test_o_g2_jobs(jobs, truths):
    want = truths["O-G2"]
    data = (jobs["depress2"], jobs["comply"], jobs["treat"])
    found = wald_ratio(*data, **IID)
    errors = [tsls(*data, debiased=d).standard_error for d in (False, True)]
    numbers = [found.ratio.coefficient, found.ratio.standard_error, *errors]
    assert_allclose(numbers, want["late"], rtol=1e-8)
    itt = found.intention_to_treat
    assert_allclose([itt.coefficient, itt.standard_error], want["itt"], rtol=1e-8)
    assert_allclose(found.first_stage.coefficient, want["first_stage"], rtol=1e-12)
    assert_allclose(anderson_rubin_set(*data, **IID).end_points, want["set"], rtol=1e-8)
    adjusted = (*data, jobs[["depress1", "econ_hard", "age", "sex"]])
    numbers = [
        tsls(*adjusted).coefficient,
        tsls(*adjusted, **IID).standard_error,
        tsls(*adjusted).standard_error,
    ]
    assert_allclose(numbers, want["adjusted"], rtol=1e-8)
    stage = first_stage(*adjusted, **IID).f_test.statistic
    assert_allclose(stage, want["F"], rtol=1e-8)
    points = anderson_rubin_set(*adjusted, **IID).end_points
    assert_allclose(points, want["set_adjusted"], rtol=1e-8)
    means = complier_means(*data, jobs[["depress1", "age", "sex"]])
    # the printed ones have 7 decimals
    for group, key in (
        ("treated_compliers", "treated_compliers"),
        ("compliers", "kappa"),
        ("never_takers", "never_takers"),
    ):
        assert_allclose(means[group]["mean"], want[key], rtol=1e-8, atol=5e-8)
    assert "always_takers" not in means.columns.get_level_values(0)


def test_complier_errors_against_a_bootstrap():
    generator = np.random.default_rng(2)
    n = 2000
    z = generator.integers(0, 2, n).astype(float)
    kind = generator.choice(3, n, p=[0.5, 0.2, 0.3])
    x = np.where(kind == 0, z, kind == 1).astype(float)
    w = generator.normal(size=(n, 1)) + kind[:, None]
    y = generator.normal(size=n)
    frame, shares = complier_means(y, x, z, w), complier_shares(y, x, z).to_frame()
    draws, means = [], []
    for _ in range(400):
        i = generator.integers(0, n, n)
        means.append(complier_means(y[i], x[i], z[i], w[i])["compliers"]["mean"].iloc[0])
        draws.append(complier_shares(y[i], x[i], z[i]).to_frame()["share"].to_numpy())
    # relative error of a bootstrap standard error with 400 draws is about 3.5 %
    assert_allclose(frame["compliers"]["standard_error"].iloc[0], np.std(means), rtol=0.15)
    assert_allclose(shares["standard_error"], np.std(draws, axis=0), rtol=0.15)


def test_complier_means_find_the_compliers():
    """Types known by construction: means within five standard errors of the truth."""
    generator = np.random.default_rng(8)
    n = 20_000
    z = (generator.random(n) < 0.3).astype(float)
    kind = generator.choice(3, n, p=[0.4, 0.25, 0.35])
    x = np.where(kind == 0, z, kind == 1).astype(float)
    w = generator.normal(size=n) + kind
    frame = complier_means(np.zeros(n) + generator.normal(size=n), x, z, w)
    for group, true in (("compliers", 0), ("always_takers", 1), ("never_takers", 2)):
        mean, error = frame[group].iloc[0]
        assert abs(mean - true) < 5 * error < 0.5


def test_causal_response_weights_sum_to_one_and_weigh_the_steps():
    generator = np.random.default_rng(3)
    n = 40_000
    z = generator.integers(0, 2, n).astype(float)
    latent = generator.normal(size=n)
    x = np.digitize(latent + 0.7 * z, [-0.5, 0.5, 1.5]).astype(float)
    effects = np.array([0.0, 1.0, 1.5, 4.0])  # of reaching 0, 1, 2, 3: steps of 1, 0.5, 2.5
    y = effects[x.astype(int)] + latent + generator.normal(size=n)
    frame = causal_response_weights(y, x, z)
    assert_allclose(frame["weight"].sum(), 1.0, rtol=1e-12)
    found = tsls(y, x, z)
    average = float(frame["weight"] @ [1.0, 0.5, 2.5])
    assert abs(found.coefficient - average) < 5 * found.standard_error
    # weighted shifts are the first stage exactly
    stage = wald_ratio(y, x, z).first_stage.coefficient
    assert_allclose((frame["shift"] * frame["step"]).sum(), stage, rtol=1e-10)


@pytest.fixture
def stratified():
    """Steps of an ordered exposure in strata of unequal size and share assigned."""
    generator = np.random.default_rng(7)
    n = 900
    strata = generator.choice(4, n, p=[0.1, 0.2, 0.3, 0.4])
    z = (generator.random(n) < np.array([0.3, 0.5, 0.5, 0.7])[strata]).astype(float)
    latent = generator.normal(size=n) + 0.5 * strata
    x = np.digitize(latent + 0.7 * z, [0.0, 1.0, 2.0])
    x = np.array([0.0, 1.0, 3.0, 4.0])[x]  # steps of unequal width
    y = latent + x + generator.normal(size=n)
    return y, x, z, strata


def test_stratified_response_weights_are_those_of_tsls_with_strata(stratified):
    y, x, z, strata = stratified
    frame = causal_response_weights(y, x, z, None, strata)
    assert_allclose(frame["weight"].sum(), 1.0, rtol=1e-12)
    stage = arm_difference(x, z, None, None, strata).coefficient
    assert_allclose(float(frame["shift"] @ frame["step"]), stage, rtol=1e-10)
    for value, row in frame.iterrows():
        reached = (x >= value).astype(float)
        want = arm_difference(reached, z, None, None, strata, debiased=False)
        assert_allclose(row["shift"], want.coefficient, rtol=1e-10)
        assert_allclose(row["standard_error"], want.standard_error, rtol=1e-10)
    # an outcome that is a step function of the exposure: 2SLS is the weights times its slopes
    effect = {0.0: 0.0, 1.0: 2.0, 3.0: 2.5, 4.0: -1.0}
    outcome = np.array([effect[v] for v in x]) + 3.0 * strata
    slopes = np.diff(list(effect.values())) / frame["step"]
    found = tsls(outcome, x, z, None, None, strata).coefficient
    assert_allclose(found, float(frame["weight"] @ slopes), rtol=1e-10)
    # without strata the weights are others, and would miss it
    pooled = causal_response_weights(y, x, z)
    assert abs(float(pooled["weight"] @ slopes) - found) > 0.01


def test_clustered_response_weights_and_one_stratum(stratified):
    y, x, z, strata = stratified
    one = causal_response_weights(y, x, z, None, np.zeros(y.size))
    pd.testing.assert_frame_equal(one, causal_response_weights(y, x, z), rtol=1e-12)
    clusters = np.arange(y.size) % 60
    frame = causal_response_weights(y, x, z, clusters, strata)
    want = arm_difference((x >= 3).astype(float), z, None, clusters, strata, debiased=False)
    assert_allclose(frame.loc[3.0, "standard_error"], want.standard_error, rtol=1e-10)


def test_clustered_shares_need_more_than_one_cluster():
    y, x, z = np.arange(4.0), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match="clusters has 1 cluster"):
        complier_shares(y, x, z, None, np.zeros(4))
    with pytest.raises(ValueError, match="swap the coding of z"):
        complier_shares(np.arange(4.0), np.array([1, 1, 0, 1]), z)
    with pytest.raises(ValueError, match="neither 0 nor 1 in 1 rows"):
        complier_shares(y, np.array([0, 1, 2, 1]), z)
    assert isinstance(causal_response_weights(y, x + z, z), pd.DataFrame)


def test_complier_errors_count_that_the_assignment_share_is_estimated():
    """Against the jackknife, where leaving that out would be off by more than ten per cent."""
    generator = np.random.default_rng(12)
    n = 500
    z = (generator.random(n) < 0.3).astype(float)
    kind = generator.choice(3, n, p=[0.3, 0.35, 0.35])
    x = np.where(kind == 0, z, kind == 1).astype(float)
    w = 0.3 * generator.normal(size=n) + 3.0 * (kind == 1) - 3.0 * (kind == 2)
    y = generator.normal(size=n)
    estimated = complier_means(y, x, z, w)["compliers"]["standard_error"].iloc[0]
    keep = ~np.eye(n, dtype=bool)
    left = [complier_means(y[k], x[k], z[k], w[k])["compliers"]["mean"].iloc[0] for k in keep]
    jackknife = np.sqrt((n - 1) * np.var(left))
    assert_allclose(estimated, jackknife, rtol=0.02)
    known = complier_means(y, x, z, w, probability=np.full(n, z.mean()))
    assert abs(known["compliers"]["standard_error"].iloc[0] / jackknife - 1) > 0.1
