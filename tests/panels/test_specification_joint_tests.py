"""Joint tests of a curve: their statistics by hand, redraws, sizes, refusals."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from scipy import stats
from small_pool import small_pool

from pooledtrials.panels import (
    PanelAnalysis,
    PermuteBetweenUnits,
    ResamplePatients,
    bootstrap_joint_test,
    permutation_joint_test,
    specification_curve,
)
from pooledtrials.results import Estimate

POOL = small_pool(3, per_trial=12)
POOL = POOL.assign(arm=(POOL["patient"] % 2).astype(float))
CHOICES = {"method": ["within", "pooled"], "controls": {"none": (), "c": ("c",)}}


@pytest.fixture(scope="module")
def curve():
    return specification_curve(POOL, CHOICES, PanelAnalysis("y", "x"))


def patients(panel):
    return panel["trial"] + " " + panel["patient"].astype(str)


# --- redraws ------------------------------------------------------------------------------------


def test_resampled_panels_are_whole_patients_of_their_trials():
    original = dict(list(POOL.groupby(patients(POOL))))
    drawn = ResamplePatients()(POOL, np.random.default_rng(0))
    assert drawn["patient"].nunique() == len(original)
    assert drawn.groupby("trial")["patient"].nunique().to_dict() == {"t0": 12, "t1": 12, "t2": 12}
    sources = []
    for _, part in drawn.groupby("patient"):
        found = [
            key
            for key, whole in original.items()
            if np.array_equal(whole["y"].to_numpy(), part["y"].to_numpy())
        ]
        assert len(found) == 1
        assert_frame_equal(
            part.drop(columns="patient").reset_index(drop=True),
            original[found[0]].drop(columns="patient").reset_index(drop=True),
        )
        sources += found
    assert len(set(sources)) < len(sources)


def test_resampled_clusters_are_whole():
    drawn = ResamplePatients("site")(POOL, np.random.default_rng(0))
    sizes = POOL.groupby("site")["y"].agg(lambda y: tuple(y)).tolist()
    assert set(drawn.groupby("site")["y"].agg(lambda y: tuple(y))) <= set(sizes)
    assert drawn["site"].nunique() == POOL["site"].nunique()
    assert (drawn.groupby("patient")["site"].nunique() == 1).all()
    assert not drawn.duplicated(["patient", "wave"]).any()


def test_each_patient_is_drawn_equally_often():
    """Counts over 500 draws, multinomial in each of three trials of twelve patients."""
    redraw, generator = ResamplePatients(), np.random.default_rng(5)
    one = POOL.drop_duplicates(["trial", "patient"]).assign(own=lambda p: patients(p))
    counts = pd.concat([redraw(one, generator)["own"] for _ in range(500)]).value_counts()
    statistic = ((counts - 500) ** 2 / 500).sum()
    assert statistic < stats.chi2.isf(1e-4, 33)
    assert len(counts) == 36


def test_arms_are_exchanged_within_trials():
    unequal = POOL.assign(arm=lambda p: (p["patient"] < 2 + 2 * (p["trial"] == "t1")) * 1.0)
    permute = PermuteBetweenUnits(["arm"])
    drawn = permute(unequal, np.random.default_rng(2))
    assert_frame_equal(drawn.drop(columns="arm"), unequal.drop(columns="arm"))
    first = drawn.drop_duplicates(["trial", "patient"])
    assert first.groupby("trial")["arm"].sum().to_dict() == {"t0": 2, "t1": 4, "t2": 2}
    assert (drawn.groupby(["trial", "patient"])["arm"].nunique() == 1).all()
    assert not np.array_equal(drawn["arm"], unequal["arm"])


def test_columns_are_exchanged_together():
    named = POOL.assign(label=np.where(POOL["arm"] == 1, "active", "control"))
    drawn = PermuteBetweenUnits(["arm", "label"])(named, np.random.default_rng(2))
    assert ((drawn["arm"] == 1) == (drawn["label"] == "active")).all()


# --- tests --------------------------------------------------------------------------------------


def test_bootstrap_by_hand(curve):
    """The same draws through the same analyses, one at a time."""
    found = bootstrap_joint_test(curve, POOL, draws=19, seed=4)
    keys = np.random.default_rng(4).integers(2**63, size=19)
    own, rows, sorted_ = curve.frame, [], []
    for key in keys:
        drawn = ResamplePatients()(POOL, np.random.default_rng(key))
        one = specification_curve(drawn, CHOICES, PanelAnalysis("y", "x")).frame
        b = one["estimate"] - own["estimate"]
        below, above = b < -(one["high"] - one["estimate"]), b > one["high"] - one["estimate"]
        rows.append((b.median(), max(below.mean(), above.mean()), (b / one["se"]).mean()))
        sorted_.append(np.sort(b))
    assert_allclose(found.statistics, rows, rtol=1e-12)
    statistics = np.array(
        [
            own["estimate"].median(),
            max((own["high"] < 0).mean(), (own["low"] > 0).mean()),
            (own["estimate"] / own["se"]).mean(),
        ]
    )
    assert_allclose([t.statistic for t in found.tests.values()], statistics)
    p = (1 + (np.abs(rows) >= np.abs(statistics)).sum(axis=0)) / 20
    assert_allclose([t.p_value for t in found.tests.values()], p)
    assert_allclose(found.band, np.quantile(sorted_, [0.025, 0.5, 0.975], axis=0).T)
    assert found.failures == 0


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_executors_give_the_same(curve, pool):
    want = bootstrap_joint_test(curve, POOL, draws=19, seed=1)
    with pool(2) as executor:
        found = bootstrap_joint_test(curve, POOL, draws=19, seed=1, executor=executor)
    assert_frame_equal(found.statistics, want.statistics, check_exact=True)
    other = bootstrap_joint_test(curve, POOL, draws=19, seed=2)
    assert not np.allclose(other.statistics, want.statistics)


def test_a_strong_effect_is_found_and_described():
    clear = small_pool(3, per_trial=12, effect=-3.0, selection=0.0)
    curve = specification_curve(clear, CHOICES, PanelAnalysis("y", "x"))
    found = bootstrap_joint_test(curve, clear, draws=39)
    assert [t.p_value for t in found.tests.values()] == [1 / 40] * 3
    words = found.describe()
    assert "no specification's coefficient differs from 0" in words
    assert "No p-value can be below 0.025." in words
    assert list(found.to_frame().columns) == ["statistic", "median under the null", "p"]


def test_permutation_of_nothing_is_the_data():
    """Exchanges that change nothing are all as extreme as the data."""
    curve = specification_curve(POOL, {"method": ["pooled"]}, PanelAnalysis("y", "arm"))
    found = permutation_joint_test(curve, POOL, lambda panel, generator: panel, draws=19)
    assert [t.p_value for t in found.tests.values()] == [1.0] * 3


# --- size ---------------------------------------------------------------------------------------


def difference(panel, exposure, rows):
    """Least squares of one row a patient, robust, quick enough to simulate with."""
    part = panel[panel[rows]] if rows != "all" else panel
    x, y = part[exposure].to_numpy(), part["y"].to_numpy()
    x = x - x.mean()
    b = x @ y / (x @ x)
    e = y - y.mean() - b * x
    error = np.sqrt(((x * e) ** 2).sum()) / (x @ x)
    return Estimate("difference", b, error, "robust", x.size, x.size - 2)


def population(g, n=60):
    x = g.normal(size=n)
    return pd.DataFrame(
        {
            "trial": "t",
            "patient": np.arange(n),
            "y": g.normal(size=n) * np.exp(0.3 * x),
            "x": x,
            "noisy": x + g.normal(size=n),
            "arm": (np.arange(n) % 2).astype(float),
            "some": g.random(n) < 0.7,
        }
    )


SMALL = {"exposure": ["x", "noisy"], "rows": ["all", "some"]}


def test_size_of_the_bootstrap():
    """Rejections at 10 % in 100 simulations, within 99.9 % of the binomial, and 3 % for n = 60."""
    g = np.random.default_rng(11)
    rejections = np.zeros(3)
    for _ in range(100):
        panel = population(g)
        curve = specification_curve(panel, SMALL, difference)
        found = bootstrap_joint_test(curve, panel, draws=39, seed=g)
        rejections += [test.p_value <= 0.1 for test in found.tests.values()]
    assert (rejections <= stats.binom.isf(0.0005, 100, 0.13)).all()
    assert (rejections[[0, 2]] >= stats.binom.ppf(0.0005, 100, 0.07)).all()


def test_size_of_the_permutation():
    """Exact: at most 10 %, and 10 % where the statistic has no ties."""
    g = np.random.default_rng(12)
    choices = {"exposure": ["arm"], "rows": ["all", "some"]}
    permute = PermuteBetweenUnits(["arm"])
    rejections = np.zeros(3)
    for _ in range(100):
        panel = population(g)
        curve = specification_curve(panel, choices, difference)
        found = permutation_joint_test(curve, panel, permute, draws=39, seed=g)
        rejections += [test.p_value <= 0.1 for test in found.tests.values()]
    assert (rejections <= stats.binom.isf(0.0005, 100, 0.1)).all()
    assert (rejections[[0, 2]] >= stats.binom.ppf(0.0005, 100, 0.1)).all()


# --- failures and bad input -----------------------------------------------------------------------


def test_failures_of_draws_are_counted():
    def sometimes(panel, a):
        if a == "rare" and panel["x"].iloc[0] > 0.6:
            raise ValueError("too much")
        return Estimate("m", panel["x"].mean(), 1.0, "classical", 9, 7)

    panel = population(np.random.default_rng(0)).assign(x=lambda p: p["x"].rank(pct=True) - 0.1)
    panel = panel.sort_values("x").reset_index(drop=True)
    curve = specification_curve(panel, {"a": ["always", "rare"]}, sometimes)
    found = bootstrap_joint_test(curve, panel, draws=59)
    assert 0 < found.failures < 30
    assert found.statistics.notna().all(axis=None)
    assert f"{found.failures} estimates of draws do not exist" in found.describe()


def test_specifications_that_draws_cannot_have():
    def only_this(panel, a):
        if a == "own" and panel is not POOL:
            raise ValueError("other rows")
        return Estimate("m", 1.0, 1.0, "classical", 9, 7)

    curve = specification_curve(POOL, {"a": ["any", "own"]}, only_this)
    with pytest.raises(
        ValueError, match=r"1 specifications that cannot .*first: a own; other rows"
    ):
        bootstrap_joint_test(curve, POOL, draws=19)


@pytest.mark.parametrize("draws", [0, 18, 99.5, None])
def test_too_few_draws(curve, draws):
    with pytest.raises(ValueError, match=r"draws is .*: give a whole number, 19 or more"):
        bootstrap_joint_test(curve, POOL, draws=draws)


@pytest.mark.parametrize(
    ("redraw", "words"),
    [
        (ResamplePatients("clinic"), "panel has no column 'clinic'"),
        (ResamplePatients(patients="person"), "panel has no column 'person'"),
        (ResamplePatients(strata="trial"), "strata is 'trial': give a list"),
        (PermuteBetweenUnits("arm"), "columns is 'arm': give a list"),
        (PermuteBetweenUnits(["dose"]), "columns has 'dose', which the panel does not"),
        (PermuteBetweenUnits(["x"]), r"columns: x varies within \d+ units"),
        (lambda panel, generator: panel["y"], "the redraw gave a Series: return a panel"),
    ],
)
def test_redraws_that_cannot_be(curve, redraw, words):
    with pytest.raises(ValueError, match=words):
        permutation_joint_test(curve, POOL, redraw, draws=19)


def test_patients_without_label():
    panel = POOL.assign(patient=POOL["patient"].where(POOL.index > 1))
    with pytest.raises(ValueError, match="patient is missing in 2 of"):
        ResamplePatients()(panel, np.random.default_rng(0))
