"""The study of costs: its answers are those of its registries, and its memory is level."""

from __future__ import annotations

import polars as pl
import pytest
from numpy.testing import assert_allclose

from pooledtrials.planning import registry_from_twin, registry_sums
from pooledtrials.planning.studies import load_study, study_record

STUDY, RECORD = load_study("registry_cost"), study_record("registry_cost")


@pytest.mark.parametrize("place", [0, 1])
def test_answers_are_those_of_the_registry(tmp_path, place):
    """The two smallest registries, written and summed up again."""
    row = STUDY[STUDY["way"] == "one pass"].sort_values("rows").iloc[place]
    folder = registry_from_twin(
        tmp_path / "r", int(row["patients"]), RECORD["months"], RECORD["seed"],
        world=RECORD["world"], instrument=RECORD["lever"],
    )  # fmt: skip
    sums = registry_sums(
        folder, "asi_drug", "ten_days", "facilitated", "asi_drug_baseline",
        patients="patient", trials="trial", where=pl.col("month") > 0,
    )  # fmt: skip
    assert sums.nobs == row["rows"]
    ols, tsls, first = sums.ols(), sums.tsls(), sums.first_stage()
    found = [
        ols.coefficient, ols.standard_error, tsls.coefficient, tsls.standard_error,
        first.coefficients[0], first.f_test.statistic,
    ]  # fmt: skip
    assert_allclose(
        found, row[["ols", "ols_se", "tsls", "tsls_se", "first_stage", "F"]].tolist(), rtol=1e-6
    )


def test_both_ways_found_the_same():
    answers = STUDY.set_index(["rows", "way"])[["ols", "ols_se", "tsls", "tsls_se", "F"]]
    one, memory = (answers.xs(way, level="way") for way in ("one pass", "in memory"))
    assert one.index.equals(memory.index)
    assert_allclose(one, memory, rtol=1e-6)


def test_one_pass_reaches_ten_million_rows_in_bounded_memory():
    one = STUDY[STUDY["way"] == "one pass"].set_index("rows").sort_index()
    assert one.index[0] < 1.1e4
    assert one.index[-1] > 0.99e7
    assert one["mib_peak"].max() < 1024
    # a block is full at a million rows: ten times as many take hardly more
    million, ten = one.loc[one.index > 0.9e6, "mib_peak"].iloc[[0, -1]]
    assert ten < 1.2 * million
    assert one["core_seconds"].iloc[-1] < 30
