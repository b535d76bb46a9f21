"""The atlas: places are what they say, the committed study is what the code makes, and is right."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from pooledtrials.instruments import t_test_rejection
from pooledtrials.planning.studies import load_study, study_record
from pooledtrials.planning.studies.atlas import (
    CLINIC_SIZE,
    CLINICS,
    CONCENTRATIONS,
    ENDOGENEITIES,
    PLACE,
    PLACES,
    PROBABILITIES,
    RESAMPLED_PLACES,
    SHARED,
    Place,
    atlas_design,
    characteristics_at,
    resampled_at,
)
from pooledtrials.planning.studies.atlas_curves import against_f, curves

KEY = [*PLACE, "method", "covariance", "characteristic"]
EXACT = ("AR", "K", "CLR")


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return load_study("atlas")


@pytest.fixture(scope="module")
def record() -> dict[str, object]:
    return study_record("atlas")


def again(place: Place, record: dict[str, object]) -> pd.DataFrame:
    reps = record["replications of each place"]
    number = reps["with clusters" if place.clusters else "without clusters"]
    return characteristics_at(place, number, record["first seed"])


def compare(study: pd.DataFrame, made: pd.DataFrame, reps: int) -> None:
    """Every number of a place; on another processor one replication may fall the other way."""
    both = made.merge(study, on=KEY, suffixes=("", "_kept"), how="left", validate="1:1")
    assert both["value_kept"].notna().all()
    share = both["value"].between(0, 1)
    for column in ("value", "mc_error"):
        assert_allclose(
            both.loc[share, column], both.loc[share, f"{column}_kept"], rtol=1e-5, atol=1.5 / reps
        )
        assert_allclose(both.loc[~share, column], both.loc[~share, f"{column}_kept"], rtol=1e-4)


@pytest.mark.parametrize(
    "place", [Place(0, 1, 3.0, 0.75), Place(0, 6, 24.0, 0.5), Place(12, 1, 0.0, 0.95)]
)
def test_the_study_is_what_the_code_makes(study, record, place):
    made = again(place, record)
    here = study.loc[
        (study[[*PLACE]] == list(made.loc[0, [*PLACE]])).all(axis=1)
        & study["covariance"].ne("resampled")
    ]
    assert len(here) == len(made)
    reps = record["replications of each place"]
    compare(study, made, reps["with clusters" if place.clusters else "without clusters"])


def test_tests_that_resample_are_what_the_code_makes(study, record):
    reps = record["replications of each place"]["tests that resample"]
    compare(study, resampled_at(Place(12, 1, 9.0, 0.5), reps, record["first seed"]), reps)


def test_the_study_is_whole(study):
    assert not study.duplicated(KEY).any()
    assert len(PLACES) == 160
    assert len(study[[*PLACE]].drop_duplicates()) == len(PLACES)
    counts = study[study["covariance"].ne("resampled")].groupby(["clusters", "instruments"]).size()
    assert (counts % (len(CONCENTRATIONS) * len(ENDOGENEITIES)) == 0).all()
    resampled = study[study["covariance"].eq("resampled")]
    assert len(resampled) == len(RESAMPLED_PLACES) * 2 * 3
    assert study["value"].notna().all()
    shares = study[study["characteristic"].str.contains("size|power|unbounded")]
    assert shares["value"].between(0, 1).all()


def test_exact_tests_have_their_size_everywhere(study, record):
    """Four standard errors for some 240 shares: one beyond them in sixty such studies."""
    reps = record["replications of each place"]
    exact = study[
        study["characteristic"].eq("size")
        & study["method"].isin(EXACT)
        & study["clusters"].eq(0)
        & study["covariance"].eq("classical")
    ]
    assert len(exact) == 3 * 80
    bound = 4 * math.sqrt(0.05 * 0.95 / reps["without clusters"])
    anderson = exact[exact["method"].eq("AR")]
    assert (anderson["value"] - 0.05).abs().max() < bound
    # K and CLR take the law of large samples, of which 1200 patients fall short a little
    assert (exact["value"] - 0.05).abs().max() < bound + 0.001
    bound = 4 * math.sqrt(0.05 * 0.95 / reps["tests that resample"])
    resampled = study[study["characteristic"].eq("size") & study["covariance"].eq("resampled")]
    assert (resampled["value"] - 0.05).abs().max() < bound


def test_one_instrument_makes_three_tests_one(study):
    single = study[study["instruments"].eq(1) & study["characteristic"].ne("median length")]
    wide = single.pivot(index=KEY[:4] + KEY[5:], columns="method", values="value").dropna(
        subset=["AR", "K"]
    )
    assert (wide["AR"] == wide["K"]).all()
    assert (wide["AR"] == wide["CLR"]).all()
    tests = wide.index.get_level_values("characteristic").isin(["size", "power at 1"])
    assert (wide.loc[tests, "2SLS"] == wide.loc[tests, "LIML"]).all()


def test_strength_is_what_the_first_stage_shows(study):
    """The mean of F is that of a noncentral F with the design's degrees of freedom."""
    shown = study[study["method"].eq("first-stage F") & study["clusters"].eq(0)]
    k, dof = shown["instruments"], CLINICS * CLINIC_SIZE - 1 - shown["instruments"]
    mean = dof * (k + shown["concentration"]) / (k * (dof - 2))
    assert ((shown["value"] - mean).abs() < 4.5 * shown["mc_error"]).all()


def test_the_t_test_errs_as_the_limit_experiment_says(study):
    sizes = study[
        study["method"].eq("2SLS")
        & study["characteristic"].eq("size")
        & study["clusters"].eq(0)
        & study["instruments"].eq(1)
    ]
    for row in sizes.itertuples():
        limit = t_test_rejection(math.sqrt(row.concentration), row.endogeneity)[0]
        assert row.value == pytest.approx(limit, abs=4.5 * row.mc_error + 0.002)


def test_power_of_anderson_rubin_is_noncentral(study):
    """Of an effect b: the variance of u - b v is 1 - 2 rho b + b^2."""
    powers = study[
        study["method"].eq("AR")
        & study["clusters"].eq(0)
        & study["characteristic"].eq("power at 1")
    ]
    k, dof = powers["instruments"], CLINICS * CLINIC_SIZE - 1 - powers["instruments"]
    moved = powers["concentration"] / (2 - 2 * powers["endogeneity"])
    law = stats.ncf.sf(stats.f.isf(0.05, k, dof), k, dof, np.maximum(moved, 1e-9))
    assert ((powers["value"] - law).abs() < 4.5 * powers["mc_error"] + 1e-4).all()


def test_estimators_without_a_mean_have_none(study):
    means = study[study["characteristic"].eq("mean bias")]
    assert not means["method"].eq("LIML").any()
    assert set(means.loc[means["method"].eq("2SLS"), "instruments"]) == {6}
    assert (means["mc_error"] < 0.05).all()


def test_quantiles_are_in_order(study):
    quantiles = study[study["characteristic"].str.startswith("quantile")].copy()
    quantiles["p"] = quantiles["characteristic"].str.split().str[1].astype(float)
    wide = quantiles.pivot(index=[*PLACE, "method"], columns="p", values="value")
    assert_allclose(wide.columns, PROBABILITIES)
    assert (np.diff(wide, axis=1) > 0).all()
    median = study[study["characteristic"].eq("median bias")].set_index([*PLACE, "method"])
    assert_allclose(wide[0.5].sort_index(), median["value"].sort_index())


def test_designs_are_balanced_and_orthogonal():
    for instruments in (1, 6):
        z = atlas_design(12, instruments).z
        assert z.shape == (CLINICS * CLINIC_SIZE, instruments)
        assert_allclose(z.mean(axis=0), 0.5)
        centred = z - 0.5
        assert_allclose(centred.T @ centred, np.eye(instruments) * z.shape[0] / 4)
    assert atlas_design(12, 6).n_clusters == CLINICS
    assert atlas_design(12, 6).randomized_by_cluster
    assert atlas_design(0, 6).n_clusters == 0


def test_shared_errors_are_met_by_a_harder_push():
    """A contrast of clinics is as many standard errors from zero with shared errors as without."""
    for instruments in (1, 6):
        q = atlas_design(12, instruments).q
        clinic = atlas_design(12, instruments).clusters
        together = (clinic[:, None] == clinic[None]).astype(float)
        variance = q.T @ ((1 - SHARED) * np.eye(q.shape[0]) + SHARED * together) @ q
        strengths = []
        for clusters, spread in ((12, variance), (0, np.eye(instruments))):
            theta = Place(clusters, instruments, 9.0, 0.5).cell().theta
            strengths.append(theta @ np.linalg.solve(spread, theta))
        assert_allclose(strengths, 9.0)


def test_places_have_streams_of_their_own():
    assert [place.number for place in PLACES] == list(range(len(PLACES)))
    one, other = (
        characteristics_at(Place(0, 1, 3.0, rho), 500, 1).query("method == 'AR'")["value"].tolist()
        for rho in (0.0, 0.25)
    )
    assert one[0] != other[0]


def test_curves_look_up(study):
    found = curves(study, "size", ["AR", "2SLS"], clusters=0, instruments=6, endogeneity=0.5)
    assert list(found.columns) == ["AR", "2SLS"]
    assert list(found.index) == list(CONCENTRATIONS)
    row = study[
        study["method"].eq("2SLS") & study["characteristic"].eq("size") & study["clusters"].eq(0)
        & study["instruments"].eq(6) & study["endogeneity"].eq(0.5) & study["concentration"].eq(9)
    ]  # fmt: skip
    assert found.loc[9.0, "2SLS"] == row["value"].item()
    by_f = against_f(study, "size", ["AR", "2SLS"], 6)
    assert list(by_f.index) == [1.0, 1.2, 1.5, 2.0, 2.5, 5.0, 9.2, 17.5]
    assert (by_f.to_numpy() == found.to_numpy()).all()
    along = curves(
        study, "median bias", ["OLS"], "endogeneity", clusters=0, instruments=1, concentration=9.0
    )
    assert list(along.index) == list(ENDOGENEITIES)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((5, 1, 3.0, 0.5), "clusters is 5: the atlas has 0, 12"),
        ((0, 2, 3.0, 0.5), "instruments is 2: the atlas has 1, 6"),
        ((0, 1, 4.0, 0.5), "concentration is 4.0: the atlas has 0, 1, 3, 6, 9, 24, 49, 99"),
        ((0, 1, 3.0, -0.5), "endogeneity is -0.5: the atlas has 0, 0.25, 0.5"),
    ],
)
def test_places_off_the_grid_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Place(*values)


def test_look_ups_that_find_nothing_are_refused(study):
    place = {"clusters": 0, "instruments": 6, "endogeneity": 0.5}
    with pytest.raises(ValueError, match=r"no 'size' \(classical\) of tF at clusters 0"):
        curves(study, "size", ["AR", "tF"], **place)
    with pytest.raises(ValueError, match="it has methods none there"):
        curves(study, "sizes", ["AR"], **place)
    with pytest.raises(ValueError, match="along is 'strength'"):
        curves(study, "size", ["AR"], "strength", **place)
    with pytest.raises(ValueError, match="the place gives clusters, instruments: along is one of"):
        curves(study, "size", ["AR"], clusters=0, instruments=1)


def test_no_replications_are_refused():
    with pytest.raises(ValueError, match="reps is 0"):
        characteristics_at(Place(0, 1, 3.0, 0.5), 0, 1)
    with pytest.raises(ValueError, match="seed is -"):
        resampled_at(Place(0, 1, 3.0, 0.5), 10, -1000)
