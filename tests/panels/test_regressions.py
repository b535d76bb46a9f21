"""The panel regressions: O-I1, O-I3, what they equal, and what leaves them unchanged."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linearmodels.panel import FirstDifferenceOLS, PanelOLS, PooledOLS, RandomEffects
from nlswork import NLSWORK_TERMS
from numpy.testing import assert_allclose
from scipy import stats
from small_pool import arguments, small_pool

from pooledtrials.panels import METHODS, VARIANTS, compare, fit, fit_all
from pooledtrials.results import Estimate

CLASSICAL = {"covariance": "classical", "effects": "none"}
POOL = small_pool()


def of_grunfeld(frame, **options):
    return fit(
        frame["inv"], frame["value"], frame["firm"], frame["year"], frame[["capital"]], **options
    )


def of_nlswork(frame, **options):
    controls = frame[[name for name in NLSWORK_TERMS if name != "age"]]
    return fit(frame["ln_wage"], frame["age"], frame["idcode"], frame["year"], controls, **options)


# --- references -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "coefficients", "errors"),
    [
        ("pooled", (0.1155621564, 0.2306784887), None),
        ("within", (0.1101238041, 0.3100653413), (0.0118566942, 0.0173545028)),
        ("between", (0.1346460870, 0.0320314743), None),
        ("random effects", (0.1097811522, 0.3081129828), (0.0104926636, 0.0171804691)),
    ],
)
def test_o_i1_coefficients(grunfeld, method, coefficients, errors):
    """R plm, printed to ten decimals."""
    found = of_grunfeld(grunfeld, method=method, **CLASSICAL)
    assert_allclose(found.coefficients["estimate"], coefficients, rtol=0, atol=5.1e-11)
    assert list(found.coefficients.index) == ["value", "capital"]
    if errors:
        assert_allclose(found.coefficients["se"], errors, rtol=0, atol=5.1e-11)


@pytest.mark.parametrize("small_sample", [False, True])
def test_o_i1_variance_components(grunfeld, small_sample):
    """R plm; the panel is balanced, so that both variants are one."""
    found = of_grunfeld(grunfeld, method="random effects", small_sample=small_sample, **CLASSICAL)
    assert_allclose(found.variance_components["residual"], 2784.458231, atol=5.1e-7, rtol=0)
    assert_allclose(found.variance_components["patient"], 7089.800099, atol=5.1e-7, rtol=0)
    assert_allclose(found.theta[20], 0.8612236207, atol=5.1e-11, rtol=0)


@pytest.mark.parametrize(
    ("variant", "error"),
    [
        ("CR0", 0.0143421437),
        ("linearmodels", 0.0144143968),
        ("CR1S", 0.0151560754),
        ("pyfixest", 0.0151944900),
    ],
)
def test_o_i1_clustered_variants(grunfeld, variant, error):
    found = of_grunfeld(grunfeld, effects="none", variant=variant)
    # The reference for pyfixest is printed to six significant digits.
    tolerance = 5e-9 if variant == "pyfixest" else 5.1e-11
    assert_allclose(found.standard_error, error, atol=tolerance, rtol=0)
    assert (found.n_clusters, found.nobs, found.columns, found.dof) == (10, 200, 2, 9)


def test_o_i1_group_factor_is_not_all_of_linearmodels(grunfeld):
    """Of the five numbers, 'G/(G-1) only' is linearmodels' group_debias, which has (n-1)/n too."""
    found = of_grunfeld(grunfeld, effects="none", variant="CR1")
    zero = of_grunfeld(grunfeld, effects="none", variant="CR0")
    assert_allclose(found.standard_error, zero.standard_error * math.sqrt(10 / 9), rtol=1e-12)
    assert_allclose(found.standard_error * math.sqrt(199 / 200), 0.0150801, atol=5.1e-8)


def test_o_i3_within(nlswork):
    """Stata's manual (xtreg, fe), printed to seven decimals."""
    found = of_nlswork(nlswork, method="within", **CLASSICAL)
    want = {
        "age": (0.0359987, 0.0033864),
        "age2": (-0.000723, 0.0000533),
        "ttl_exp": (0.0334668, 0.0029653),
        "tenure": (0.0357539, 0.0018487),
        "not_smsa": (-0.0890108, 0.0095316),
        "south": (-0.0606309, 0.0109319),
    }
    assert_allclose(
        found.coefficients.loc[list(want), ["estimate", "se"]], list(want.values()), atol=5.1e-8
    )
    single = int((nlswork.groupby("idcode").size() == 1).sum())
    dropped = found.dropped.set_index("what")["count"]
    assert dropped["patients with one interview"] == single
    assert dropped["controls (grade, black)"] == 2
    assert found.nobs == 28_091 - single


def test_o_i3_random_effects(nlswork):
    """Stata's manual (xtreg, re), and linearmodels with small_sample=False."""
    found = of_nlswork(nlswork, method="random effects", **CLASSICAL)
    want = {
        "grade": 0.0646499, "age": 0.0368059, "ttl_exp": 0.0290208, "tenure": 0.0392519,
        "black": -0.053053, "not_smsa": -0.1308252,
    }  # fmt: skip
    assert_allclose(found.coefficients.loc[list(want), "estimate"], [*want.values()], atol=5.1e-8)
    assert_allclose(found.coefficients.loc["grade", "se"], 0.0017812, atol=5.1e-8)
    assert_allclose(found.coefficients.loc["tenure", "se"], 0.0017554, atol=5.1e-8)
    components = found.variance_components
    assert_allclose(components["patient"], 0.0665151, atol=5.1e-8)
    assert_allclose(components["residual"], 0.0845002, atol=5.1e-8)
    assert_allclose(components["intraclass correlation"], 0.4404527, atol=5.1e-8)


def test_o_i3_the_other_swamy_arora(nlswork):
    """The two variances differ where patients have unequal numbers of interviews."""
    plain = of_nlswork(nlswork, method="random effects", **CLASSICAL)
    other = of_nlswork(nlswork, method="random effects", small_sample=True, **CLASSICAL)
    assert other.variance_components["residual"] == plain.variance_components["residual"]
    assert other.variance_components["patient"] < 0.9 * plain.variance_components["patient"]


# --- against linearmodels' own calls ------------------------------------------------------------


def panel_of(pool, *columns):
    cells = pd.get_dummies(pool["trial"] + pool["wave"].astype(str), dtype=float)
    frame = pool.assign(pair=pool["trial"] + pool["patient"].astype(str), one=1.0).join(cells)
    return frame.set_index(["pair", "wave"]), list(cells.columns)


def test_within_counts_cells_beyond_patients():
    """G / (G - 1) * (n - 1) / (n - k), k without patients and with cells less one a trial."""
    kept = POOL[POOL.groupby(["trial", "patient"])["y"].transform("size") > 1]
    frame, cells = panel_of(kept)
    free = [cell for trial in ("t0", "t1", "t2") for cell in cells if cell.startswith(trial)]
    free = [cell for cell in free if cell not in ("t00", "t10", "t20")]
    model = PanelOLS(frame["y"], frame[["x", "c", *free]], entity_effects=True)
    want = model.fit(cov_type="clustered", cluster_entity=True, group_debias=True)
    found = fit(*arguments(POOL))
    assert_allclose(found.coefficient, want.params["x"], rtol=1e-10)
    assert_allclose(found.standard_error, want.std_errors["x"], rtol=1e-10)
    assert found.columns == 2 + len(free)
    assert_allclose(found.interval().intervals[0], want_interval(found), rtol=1e-12)


def want_interval(found):
    half = stats.t.isf(0.025, found.n_clusters - 1) * found.standard_error
    return found.coefficient - half, found.coefficient + half


@pytest.mark.parametrize("covariance", ["clustered", "classical", "robust"])
def test_pooled_and_random_effects(covariance):
    frame, cells = panel_of(POOL)
    regressors = frame[["x", "c", "d", *cells]]
    settings = {
        "clustered": {"cov_type": "clustered", "cluster_entity": True, "group_debias": True},
        "classical": {"cov_type": "unadjusted"},
        "robust": {"cov_type": "robust"},
    }[covariance]
    for method, model in (("pooled", PooledOLS), ("random effects", RandomEffects)):
        want = model(frame["y"], regressors).fit(**settings)
        found = fit(*arguments(POOL), method=method, covariance=covariance)
        table = found.coefficients
        assert_allclose(table["estimate"], want.params[["x", "c", "d"]], rtol=1e-9)
        assert_allclose(table["se"], want.std_errors[["x", "c", "d"]], rtol=1e-9)


def test_first_differences_of_one_trial():
    one = small_pool(schedules=((0, 1, 2, 3, 6),), per_trial=40)
    waves = pd.get_dummies(one["wave"], prefix="w", dtype=float)
    frame = one.join(waves).set_index(["patient", "wave"])
    model = FirstDifferenceOLS(frame["y"], frame[["x", "c", *waves.columns[:-1]]])
    want = model.fit(cov_type="clustered", cluster_entity=True, group_debias=True)
    found = fit(*arguments(one)[:-1], method="first differences")
    assert_allclose(found.coefficient, want.params["x"], rtol=1e-10)
    assert_allclose(found.standard_error, want.std_errors["x"], rtol=1e-10)
    assert found.nobs == want.nobs


# --- by hand ------------------------------------------------------------------------------------


def least_squares(y, columns):
    return np.linalg.lstsq(columns, y, rcond=None)[0]


def dummies(*labels):
    return np.column_stack([pd.get_dummies(label).to_numpy(float) for label in labels])


@given(st.integers(0, 500), st.sampled_from(["trial-wave", "wave", "none"]))
@settings(max_examples=15)
def test_fixed_effects_are_dummies(seed, effects):
    pool = small_pool(seed)
    pairs = pool["trial"] + pool["patient"].astype(str)
    cells = {
        "trial-wave": pool["trial"] + pool["wave"].astype(str),
        "wave": pool["wave"],
        "none": pd.Series("all", pool.index),
    }[effects]
    want = least_squares(pool["y"], np.column_stack([pool[["x", "c"]], dummies(pairs, cells)]))
    found = fit(*arguments(pool), effects=effects)
    assert_allclose(found.coefficients["estimate"], want[:2], rtol=1e-9)


@given(st.integers(0, 500), st.sampled_from(["trial-wave", "wave", "none"]))
@settings(max_examples=15)
def test_mundlak_is_within(seed, effects):
    """Unbalanced, and whatever the variance components (here of both variants)."""
    pool = small_pool(seed)
    fixed = fit(*arguments(pool), effects=effects)
    for small_sample in (False, True):
        found = fit(*arguments(pool), method="mundlak", effects=effects, small_sample=small_sample)
        assert_allclose(found.coefficient, fixed.coefficient, rtol=1e-8)
        assert_allclose(
            found.coefficients.loc["c", "estimate"],
            fixed.coefficients.loc["c", "estimate"],
            rtol=1e-8,
        )
        assert_allclose(
            found.between.coefficient - found.contextual.coefficient, fixed.coefficient, rtol=1e-8
        )


def test_mundlak_between_of_balanced_panel_is_between():
    """Patients need equal numbers of interviews in all trials, or they weigh unequally."""
    balanced = small_pool(missed=0.0, schedules=((0, 1, 2), (0, 6, 12), (0, 3, 9)))
    found = fit(*arguments(balanced), method="mundlak")
    want = fit(*arguments(balanced), method="between")
    assert_allclose(found.between.coefficient, want.coefficient, rtol=1e-9)
    assert isinstance(found.between, Estimate)


def test_mundlak_contextual_error_by_the_difference_of_coefficients():
    found = fit(*arguments(POOL), method="mundlak")
    v = found.covariance_matrix.loc[["x", "mean x"], ["x", "mean x"]].to_numpy()
    assert_allclose(found.between.standard_error**2, np.ones(2) @ v @ np.ones(2), rtol=1e-10)
    assert_allclose(found.contextual.standard_error**2, v[1, 1], rtol=1e-12)


def test_random_effects_limits():
    """No patient variance gives pooled least squares; an immense one gives within."""
    cells = POOL["trial"] + POOL["wave"].astype(str)
    pairs = POOL["trial"] + POOL["patient"].astype(str)
    # Residuals without a between part leave less variance between patients than chance would.
    noise = POOL["y"] - POOL.groupby(pairs)["y"].transform("mean")
    data = (POOL["x"] + noise, *arguments(POOL)[1:])
    found = fit(*data, method="random effects")
    assert found.variance_components["patient"] == 0
    assert set(found.theta.values()) == {0.0}
    pooled = fit(*data, method="pooled")
    assert_allclose(found.coefficient, pooled.coefficient, rtol=1e-10)
    assert_allclose(found.standard_error, pooled.standard_error, rtol=1e-10)
    effects = pd.Series(np.random.default_rng(0).normal(size=pairs.nunique()), pairs.unique())
    far = (POOL["y"] + 1e6 * pairs.map(effects), *arguments(POOL)[1:])
    found, fixed = fit(*far, method="random effects"), fit(*far)
    assert min(found.theta.values()) > 1 - 1e-5
    assert_allclose(found.coefficient, fixed.coefficient, rtol=1e-4)
    assert cells.nunique() == 12


@pytest.mark.parametrize("gaps", ["skip", "span"])
def test_differences_and_lags_by_hand(gaps):
    """Month 6 follows month 0 where a trial planned none between, whatever others planned."""
    place = POOL.groupby("trial")["wave"].rank("dense")
    by = [POOL["trial"], POOL["patient"]]
    steps = place - place.groupby(by).shift()
    cells = dummies(POOL["trial"] + POOL["wave"].astype(str))
    columns = np.column_stack([POOL[["y", "x", "c"]], cells])
    before = pd.DataFrame(columns, POOL.index).groupby(by).shift().to_numpy()
    used = (steps == 1) if gaps == "skip" else steps.notna()
    change = (columns - before)[used]
    found = fit(*arguments(POOL), method="first differences", gaps=gaps)
    assert found.nobs == int(used.sum())
    assert_allclose(found.coefficient, least_squares(change[:, 0], change[:, 1:])[0], rtol=1e-9)
    # lag: x of the row before, everything else of this one
    pairs = (POOL["trial"] + POOL["patient"].astype(str))[used]
    rows = np.column_stack([before[used, 1], columns[used, 2], dummies(pairs), cells[used]])
    found = fit(*arguments(POOL), method="lagged", gaps=gaps)
    assert found.exposure == "previous x"
    assert_allclose(found.coefficient, least_squares(columns[used, 0], rows)[0], rtol=1e-9)


def test_spanning_keeps_more():
    skip = fit(*arguments(POOL), method="first differences")
    span = fit(*arguments(POOL), method="first differences", gaps="span")
    lost = skip.dropped.set_index("what")["count"]["interviews after a gap"]
    assert span.nobs == skip.nobs + lost
    assert "interviews after a gap" not in set(span.dropped["what"])


@pytest.mark.parametrize("clusters", ["site", "trial"])
def test_clusters_coarser_than_patients(clusters):
    """By hand from residuals on dummies; cells nested in clusters are not counted within."""
    y, x, patients, waves, controls, _, trials = arguments(POOL)
    found = fit(y, x, patients, waves, controls, POOL[clusters], trials)
    kept = POOL[POOL.groupby(["trial", "patient"])["y"].transform("size") > 1]
    pairs = kept["trial"] + kept["patient"].astype(str)
    effects = dummies(pairs, kept["trial"] + kept["wave"].astype(str))
    columns = kept[["y", "x", "c"]].to_numpy()
    y_, *x_ = (columns - effects @ np.linalg.pinv(effects) @ columns).T
    X = np.column_stack(x_)
    bread = np.linalg.inv(X.T @ X)
    residual = y_ - X @ (bread @ X.T @ y_)
    scores = pd.DataFrame(X * residual[:, None]).groupby(kept[clusters].array).sum().to_numpy()
    G, n = len(scores), len(kept)
    k = 2 if clusters == "trial" else 2 + 12 - 3
    factor = G / (G - 1) * (n - 1) / (n - k)
    variance = factor * (bread @ scores.T @ scores @ bread)[0, 0]
    assert_allclose(found.standard_error, math.sqrt(variance), rtol=1e-9)
    assert (found.n_clusters, found.dof, found.columns) == (G, G - 1, k)


# --- invariances --------------------------------------------------------------------------------


def numbers(found):
    return np.array([found.coefficient, found.standard_error, found.dof, found.nobs])


@pytest.mark.parametrize("method", METHODS)
def test_order_labels_and_units(method):
    # REML stops at 1e-11 of a variance ratio, which leaves 1e-9 in what is computed from it.
    tolerance = 1e-7 if method == "mixed" else 1e-8
    want = numbers(fit(*arguments(POOL), method=method))
    shuffled = POOL.sample(frac=1, random_state=3)
    assert_allclose(numbers(fit(*arguments(shuffled), method=method)), want, rtol=tolerance)
    relabelled = POOL.assign(
        trial=POOL["trial"].map({"t0": "z", "t1": "a", "t2": "m"}),
        patient=("p" + (7 * POOL["patient"] % 101).astype(str)),
        wave=POOL["wave"] * 30.4 - 5,
    )
    assert_allclose(numbers(fit(*arguments(relabelled), method=method)), want, rtol=tolerance)
    moved = POOL.assign(
        y=1e3 * POOL["y"] + 7e3, x=POOL["x"] / 10 - 40, c=POOL["c"] * 1e-3 + 1, d=5 - POOL["d"]
    )
    scaled = want * np.array([1e4, 1e4, 1, 1])
    assert_allclose(numbers(fit(*arguments(moved), method=method)), scaled, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_effects_of_trial_and_wave_do_not_move_it(method):
    want = numbers(fit(*arguments(POOL), method=method))
    level = POOL["trial"].map({"t0": 3.0, "t1": -2.0, "t2": 0.0}) * (1 + POOL["wave"])
    moved = POOL.assign(y=POOL["y"] + level)
    found = numbers(fit(*arguments(moved), method=method))
    assert_allclose(found, want, rtol=1e-7)


@pytest.mark.parametrize("method", ["within", "first differences", "mundlak"])
def test_what_is_constant_in_patients_does_not_move_it(method):
    constant = 10 * POOL.groupby(["trial", "patient"])["d"].transform("first") ** 3
    want = fit(*arguments(POOL), method=method).coefficient
    found = fit(*arguments(POOL.assign(y=POOL["y"] + constant)), method=method)
    assert_allclose(found.coefficient, want, rtol=1e-7)
    pooled = fit(*arguments(POOL.assign(y=POOL["y"] + constant)), method="pooled").coefficient
    assert abs(pooled - fit(*arguments(POOL), method="pooled").coefficient) > 0.1


def test_one_interview_patients_do_not_matter_within():
    alone = POOL.drop_duplicates(["trial", "patient"]).assign(
        patient=lambda rows: rows["patient"] + 1000, y=99.0, x=-5.0
    )
    more = pd.concat([POOL, alone], ignore_index=True)
    want, found = fit(*arguments(POOL)), fit(*arguments(more))
    assert_allclose(numbers(found), numbers(want), rtol=1e-10)
    dropped = found.dropped.set_index("what")["count"]
    already = int((POOL.groupby(["trial", "patient"]).size() == 1).sum())
    assert dropped["patients with one interview"] == len(alone) + already


def test_trials_absent_are_one_trial():
    apart = POOL["trial"] + POOL["patient"].astype(str)
    y, x, _, waves, controls, _, _ = arguments(POOL)
    found = fit(y, x, apart, waves, controls, effects="wave")
    want = fit(*arguments(POOL), effects="wave")
    assert_allclose(numbers(found), numbers(want), rtol=1e-12)
    assert_allclose(
        numbers(fit(y, x, apart, waves, controls)), numbers(want), rtol=1e-12
    )  # cells are waves


# --- size -----------------------------------------------------------------------------------------


def test_intervals_cover():
    """95 % intervals of two methods in a model where both are right."""
    draws, methods = 150, ("within", "mixed")
    hits = dict.fromkeys(methods, 0)
    for seed in range(draws):
        pool = small_pool(seed, per_trial=20, selection=0.0)
        for method, found in fit_all(*arguments(pool), methods=methods).items():
            hits[method] += found.interval().contains(-0.5)
    # All but 2 in 10,000 of the binomial; 60 clusters cost up to a point of coverage.
    low, high = stats.binom.ppf(0.0001, draws, 0.94), stats.binom.ppf(0.9999, draws, 0.955)
    assert all(low <= hit <= high for hit in hits.values()), hits


def test_selection_on_the_patient_misleads_only_those_who_compare_patients():
    pool = small_pool(1, per_trial=150, selection=0.8)
    found = fit_all(*arguments(pool))
    for method in ("within", "mundlak", "first differences"):
        assert found[method].interval(0.999).contains(-0.5), method
    for method in ("pooled", "between", "random effects", "mixed"):
        assert not found[method].interval(0.999).contains(-0.5), method
    assert not found["mundlak"].contextual.interval(0.999).contains(0)


# --- results --------------------------------------------------------------------------------------


def test_all_methods_side_by_side():
    fits = fit_all(*arguments(POOL))
    table = compare(fits, 0.9)
    assert tuple(table.index) == METHODS
    for method, found in fits.items():
        want = fit(*arguments(POOL), method=method)
        assert_allclose(numbers(found), numbers(want), rtol=1e-12)
        ((low, high),) = want.interval(0.9).intervals
        assert_allclose(
            table.loc[method, ["estimate", "se", "low", "high"]].to_numpy(float),
            [want.coefficient, want.standard_error, low, high],
            rtol=1e-12,
        )
        assert table.loc[method, "n"] == want.nobs
        assert table.loc[method, "patients"] == want.n_patients


@pytest.mark.parametrize("method", METHODS)
def test_description_says_what_it_is(method):
    found = fit(*arguments(POOL), method=method)
    text = found.describe()
    assert f"{found.coefficient:.4g}" in text
    assert "only if" in text
    for line in found.dropped.itertuples():
        assert f"{line.count} {line.what}" in text
    assert found.n_patients == found.n_clusters
    table = found.coefficients
    assert_allclose(table["se"] ** 2, np.diag(found.covariance_matrix), rtol=1e-12)
    assert_allclose(found.p_value, table.loc[found.exposure, "p"], rtol=1e-10)


def test_what_is_dropped_adds_up():
    found = fit(*arguments(POOL), method="first differences")
    counts = found.dropped.set_index("what")["count"]
    left = len(POOL) - counts["first interviews"] - counts["interviews after a gap"]
    assert found.nobs == left
    still = POOL.assign(x=POOL["x"].where(POOL["patient"] > 4, 2.0))
    counts = fit(*arguments(still)).dropped.set_index("what")["count"]
    sizes = still.groupby(["trial", "patient"])["x"].agg(["size", "nunique"])
    unchanged = int(((sizes["size"] > 1) & (sizes["nunique"] == 1)).sum())
    assert counts["patients whose x never changes"] == unchanged


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", METHODS)
def test_variants_are_ordered(method, variant):
    zero = fit(*arguments(POOL), method=method, variant="CR0").standard_error
    found = fit(*arguments(POOL), method=method, variant=variant).standard_error
    assert found == zero if variant == "CR0" else found > zero


def test_arguments_are_not_changed():
    data = arguments(POOL)
    before = [None if item is None else item.copy() for item in data]
    fit_all(*data)
    for item, copy in zip(data, before, strict=True):
        if item is not None:
            (pd.testing.assert_frame_equal if item.ndim == 2 else pd.testing.assert_series_equal)(
                item, copy
            )
