"""Clusters that leave nothing to estimate a variance from are refused, few that do are not."""

from __future__ import annotations

import numpy as np
import pytest

from pooledtrials import instruments as iv


@pytest.mark.parametrize(
    "function",
    [
        iv.first_stage, iv.anderson_rubin_test, iv.anderson_rubin_set, iv.tsls, iv.wald_ratio,
        iv.tf_test, iv.gmm, iv.complier_shares, iv.wild_bootstrap_test, iv.weak_instrument_report,
    ],
)  # fmt: skip
def test_an_arm_that_is_one_cluster_has_no_clustered_error(function):
    g = np.random.default_rng(5)
    arm = np.repeat([0.0, 1.0], 40)
    x = (g.random(80) < 0.3 + 0.3 * arm).astype(float)
    y = x + g.normal(size=80)
    few = "clusters (has 2 clusters for 1 instrument|are too few where an instrument varies)"
    with pytest.raises(ValueError, match=few):
        function(y, x, arm, None, arm)


@pytest.mark.parametrize(
    "function",
    [
        iv.first_stage, iv.anderson_rubin_test, iv.anderson_rubin_set, iv.kleibergen_test,
        iv.wild_bootstrap_test, iv.weak_instrument_report,
    ],
)  # fmt: skip
def test_a_trial_that_is_one_site_has_no_clustered_error_of_its_own(function):
    g = np.random.default_rng(6)
    trial, arm = np.repeat(["many", "one"], 60), np.tile([0.0, 1.0], 60)
    site = np.where(trial == "one", 9, np.arange(120) // 2 % 6)
    own = np.column_stack([arm * (trial == name) for name in ("many", "one")])
    x = own @ [1.0, 1.0] + g.normal(size=120)
    with pytest.raises(ValueError, match="clusters are too few where an instrument varies"):
        function(x + g.normal(size=120), x, own, None, site, trial)


@pytest.mark.parametrize("seed", range(5))
def test_few_clusters_of_either_arm_are_no_mistake(seed):
    g = np.random.default_rng(seed)
    village = np.repeat(np.arange(4), 20)
    arm = (village > 1).astype(float)
    x = arm + g.normal(size=80)
    assert iv.first_stage(x + g.normal(size=80), x, arm, None, village).f_test.statistic > 0
