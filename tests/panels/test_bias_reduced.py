"""CR2 and its degrees of freedom: Stata, dense matrices, known designs, size; the reading."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from dense_regression import clustered_t, dense_cr2, dense_design
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.panels import cr2, few_clusters_reading, wild_cluster_test
from pooledtrials.panels.absorption import absorb
from pooledtrials.panels.bias_reduced import adjusted_weights


def stata_example():
    """Data of dfadjust's tests/testthat/test_clustervar.R, whose numbers are Stata's."""
    y = np.concatenate([np.cos(np.arange(10)), np.tan(np.arange(1, 11))])
    x = np.concatenate([np.sin(np.arange(1, 11)), np.sin(np.arange(2, 12))])
    return y, x, np.tile([2, 1, 3, 2, 2, 3, 3, 1, 1, 2], 2)


def test_stata_hc2_and_clustered():
    """Stata: reg y x, vce(hc2) and cluster(clusters)."""
    y, x, clusters = stata_example()
    found = cr2(y, x)
    assert_allclose(found.coefficient, 0.3241183110, rtol=1e-9)
    assert_allclose(found.standard_error, 0.4421048122, rtol=1e-9)
    clustered = wild_cluster_test(y, x, clusters=clusters)
    assert_allclose(0.3241183110 / clustered.statistic, 0.1814501834, rtol=1e-8)


def panel(seed=0, groups=6):
    """Trials of unequal size, patients with one to four of four interviews."""
    g = np.random.default_rng(seed)
    rows = pd.DataFrame(
        [
            (trial, 100 * trial + patient, wave)
            for trial, patient, wave in itertools.product(range(groups), range(7), range(4))
            if patient < 2 + trial and g.random() < 0.75
        ],
        columns=["trial", "patient", "wave"],
    )
    n = len(rows)
    rows["x"] = g.normal(size=groups)[rows["trial"]] + g.normal(size=n)
    rows["c"] = g.normal(size=n) + 0.5 * rows["x"]
    rows["y"] = rows["c"] + g.normal(size=groups)[rows["trial"]] + g.normal(size=n)
    return rows.sample(frac=1, random_state=seed)


LAYOUTS = {
    "no effects": {"clusters": "trial"},
    "rows": {},
    "patients": {"patients": "patient"},
    "patients and waves": {"patients": "patient", "strata": "wave"},
    "patients and waves in trials": {"clusters": "trial", "patients": "patient", "strata": "wave"},
    "waves across trials": {"clusters": "trial", "strata": "wave"},
    "trials": {"clusters": "trial", "strata": "trial"},
    "patients across waves": {"clusters": "wave", "patients": "patient", "strata": "trial"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_absorbed_effects_are_columns_of_the_design(layout):
    """The adjustment is that of the design with a dummy for every effect."""
    rows = panel(1)
    labels = {name: rows[column] for name, column in LAYOUTS[layout].items()}
    design = dense_design(rows["x"], rows["c"], labels.get("patients"), labels.get("strata"))
    clusters = labels.get("clusters", labels.get("patients", pd.Series(range(len(rows)))))
    error, dof = dense_cr2(design, rows["y"].to_numpy(), clusters.to_numpy())
    found = cr2(rows["y"], rows["x"], rows["c"], **labels)
    assert_allclose(found.standard_error, error, rtol=1e-9)
    assert_allclose(found.dof, dof, rtol=1e-8)
    assert found.nobs == len(rows)


@pytest.mark.parametrize("layout", [k for k in LAYOUTS if k != "patients across waves"])
def test_unbiased_in_the_working_model(layout):
    """tr P'P = sum x_g' A_g (I - H_gg) A_g x_g = x'x, hence E V = sigma^2 / x'x."""
    rows = panel(2)
    labels = {name: rows[column] for name, column in LAYOUTS[layout].items()}
    data = absorb(
        rows["y"],
        rows["x"],
        rows["c"],
        **(dict.fromkeys(("clusters", "patients", "strata")) | labels),
    )
    weights = adjusted_weights(data).adjusted
    columns = np.column_stack([data.x / np.sqrt(data.variation), data.basis])
    reach = np.array(
        [
            columns[data.clusters == g].T @ weights[data.clusters == g]
            for g in range(data.n_clusters)
        ]
    )
    assert_allclose(weights @ weights - np.sum(reach**2), data.variation, rtol=1e-10)


@pytest.mark.parametrize(
    ("treated", "untreated", "size"), [(3, 3, 5), (5, 5, 2), (2, 6, 4), (4, 3, 1)]
)
def test_arms_of_equal_clusters_are_welch_on_cluster_means(treated, untreated, size):
    g = np.random.default_rng(treated)
    arm = np.repeat(np.repeat([1.0, 0.0], [treated, untreated]), size)
    clusters = np.repeat(np.arange(treated + untreated), size)
    y = g.normal(size=treated + untreated)[clusters] + g.normal(size=clusters.size)
    means = y.reshape(-1, size).mean(axis=1)
    one, zero = means[:treated], means[treated:]
    found = cr2(y, arm, clusters=clusters)
    welch = stats.ttest_ind(one, zero, equal_var=False)
    assert_allclose(found.t_value, welch.statistic, rtol=1e-10)
    # Welch's degrees of freedom at equal variances, the working model
    a, b = 1 / treated, 1 / untreated
    assert_allclose(
        found.dof, (a + b) ** 2 / (a**2 / (treated - 1) + b**2 / (untreated - 1)), rtol=1e-10
    )
    if treated == untreated:
        assert_allclose(found.dof, treated + untreated - 2, rtol=1e-10)
        assert_allclose(found.p_value, stats.ttest_ind(one, zero).pvalue, rtol=1e-9)


def test_order_of_standard_errors_where_it_is_provable():
    """CR0 < CR2 with arms of equal clusters, HC0 < HC2 always; CR0 < CR1 by its factor."""
    g = np.random.default_rng(0)
    clusters = np.repeat(np.arange(8), 3)
    arm = np.repeat([0.0, 1, 1, 0, 1, 0, 0, 1], 3)
    y = g.normal(size=8)[clusters] + g.normal(size=24)
    for labels in (clusters, np.arange(24)):
        coefficient, t = clustered_t(dense_design(arm), y, labels)
        assert coefficient / t < cr2(y, arm, clusters=labels).standard_error
        assert abs(wild_cluster_test(y, arm, clusters=labels, draws=9).statistic) < abs(t)


@given(st.integers(0, 5), st.floats(-3, 3), st.floats(0.2, 5))
def test_shift_scale_permute_relabel(seed, shift, scale):
    rows = panel(seed)
    first = cr2(rows["y"], rows["x"], rows["c"], rows["trial"], rows["patient"], rows["wave"])
    moved = rows.sample(frac=1, random_state=seed)
    second = cr2(
        scale * moved["y"] + shift * moved["x"] + moved["trial"],
        moved["x"],
        moved["c"] - 2 * moved["wave"],
        moved["trial"].map("trial {}".format),
        moved["patient"],
        moved["wave"],
    )
    assert_allclose(second.coefficient, scale * first.coefficient + shift, atol=1e-9)
    assert_allclose(second.standard_error, scale * first.standard_error, rtol=1e-8)
    assert_allclose(second.dof, first.dof, rtol=1e-8)


def test_singular_adjustment_takes_the_generalized_inverse():
    """A control that is one cluster's indicator: its rows fit their own mean."""
    rows = panel(3)
    alone = (rows["trial"] == 2).astype(float)
    controls = np.column_stack([rows["c"], alone])
    design = dense_design(rows["x"], controls)
    error, dof = dense_cr2(design, rows["y"].to_numpy(), rows["trial"].to_numpy())
    found = cr2(rows["y"], rows["x"], controls, rows["trial"])
    assert_allclose([found.standard_error, found.dof], [error, dof], rtol=1e-8)
    assert found.perfectly_fitted == 0  # nothing of x lies in that direction


def test_the_only_exposed_cluster_is_told():
    g = np.random.default_rng(0)
    clusters = np.repeat(np.arange(6), 4)
    x = (clusters == 0).astype(float)
    y = g.normal(size=6)[clusters] + g.normal(size=24)
    found = cr2(y, x, clusters=clusters)
    assert found.perfectly_fitted == 1
    assert "1 of the clusters fit some of the exposure perfectly" in found.describe()
    assert "standard error is too small" in found.describe()
    reading = few_clusters_reading(x, clusters=clusters)
    assert any("fit some of the exposure perfectly" in w for w in reading.warnings)
    with pytest.raises(ValueError, match="clusters has 2 clusters that fit the exposure perfectly"):
        cr2(y[:8], x[:8], clusters=clusters[:8])


def test_p_value_and_interval_are_those_of_t():
    rows = panel(4)
    found = cr2(rows["y"], rows["x"], rows["c"], rows["trial"])
    low, high = found.interval(0.9).intervals[0]
    half = stats.t.isf(0.05, found.dof) * found.standard_error
    assert_allclose([low, high], [found.coefficient - half, found.coefficient + half])
    edge = stats.t.sf(abs(found.coefficient - low) / found.standard_error, found.dof)
    assert_allclose(edge, 0.05, rtol=1e-9)
    assert_allclose(found.p_value, 2 * stats.t.sf(abs(found.t_value), found.dof))
    assert f"{found.dof:.1f} degrees of freedom" in found.describe()


def test_reading_of_equal_clusters():
    clusters = np.repeat(np.arange(6), 10)
    x = np.repeat([0.0, 1, 0, 1, 0, 1], 10)
    found = few_clusters_reading(x, clusters=clusters)
    assert_allclose([found.effective_common, found.effective_independent], 6)
    assert_allclose(found.dof, 4)
    assert found.smallest_rademacher == 2 / 64
    assert found.smallest_webb == 6 / 6**6
    assert found.sizes == (10, 10.0, 10)
    assert_allclose(found.largest_share, 1 / 6)
    assert len(found.warnings) == 1
    assert "cannot reject at 1 %" in found.warnings[0]
    assert "6 clusters of 10 to 10 rows" in found.describe()
    assert found.to_frame().loc["clusters", "value"] == 6


def test_effective_number_from_its_definition():
    """(X'X)^-1 X_g' Omega_g X_g (X'X)^-1 of the whole design [carter2017asymptotic]."""
    rows = panel(5)
    X = dense_design(rows["x"], rows["c"])
    bread = np.linalg.inv(X.T @ X)
    for rho, name in ((0, "effective_independent"), (1, "effective_common")):
        parts = []
        for g in range(6):
            own = X[rows["trial"] == g]
            omega = rho * np.ones((len(own), len(own))) + (1 - rho) * np.eye(len(own))
            parts.append((bread @ own.T @ omega @ own @ bread)[0, 0])
        parts = np.array(parts)
        want = 6 / (1 + np.mean((parts / parts.mean() - 1) ** 2))
        found = few_clusters_reading(rows["x"], rows["c"], rows["trial"])
        assert_allclose(getattr(found, name), want, rtol=1e-9)


def test_reading_with_effects_in_clusters_has_no_common_error():
    rows = panel(5)
    found = few_clusters_reading(rows["x"], rows["c"], rows["trial"], rows["patient"])
    assert np.isnan(found.effective_common)
    assert 1 < found.effective_independent < 6
    assert "share one error" not in found.describe()


def test_reading_warns_of_uneven_exposure():
    g = np.random.default_rng(0)
    clusters = np.repeat(np.arange(4), [80, 5, 5, 5])
    found = few_clusters_reading(g.normal(size=95) * np.where(clusters, 0.3, 2), clusters=clusters)
    text = found.describe()
    assert "cannot reject at 5 %" in text
    assert "poor approximation" in text
    assert "spread unevenly" in text
    assert "One cluster carries" in text
    many = few_clusters_reading(g.normal(size=2000), clusters=np.repeat(np.arange(200), 10))
    assert many.warnings == ()
    assert "wild" not in many.describe()


@pytest.mark.parametrize("groups", [6, 10])
def test_size(groups):
    """Unbalanced clusters with errors in common: CR0 with the normal law rejects far too often.

    CR2 with its own degrees of freedom does not, although errors are not those of its model.
    """
    g = np.random.default_rng(groups)
    reps, cr0, reduced = 1500, 0, 0
    sizes = np.resize([4, 8, 12], groups)
    clusters = np.repeat(np.arange(groups), sizes)
    for _ in range(reps):
        x = g.normal(size=groups)[clusters] + g.normal(size=clusters.size)
        y = 0.7 * g.normal(size=groups)[clusters] + g.normal(size=clusters.size)
        cr0 += abs(clustered_t(dense_design(x), y, clusters)[1]) > stats.norm.isf(0.025)
        reduced += cr2(y, x, clusters=clusters).p_value <= 0.05
    bound = 0.05 + 3.3 * np.sqrt(0.05 * 0.95 / reps)
    assert reduced / reps < bound
    assert cr0 / reps > 2 * 0.05
