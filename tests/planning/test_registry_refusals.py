"""Registries that cannot be read: what is wrong, where, and what to do about it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from small_registry import LABELS, small_registry, write

from pooledtrials.planning import RunStopped, registry_sums
from pooledtrials.planning.registry import sums

ROWS = small_registry(400)
Z, CONTROLS = ["first", "second"], ["age", "dose"]


@pytest.fixture
def attempt(tmp_path):
    """Write rows in three files and sum them up."""

    def of(table=ROWS, y="y", x="x", z=Z, controls=CONTROLS, cuts=(300, 700), **options):
        folder = tmp_path / "registry"
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, table, cuts)
        return registry_sums(folder, y, x, z, controls, **LABELS | options)

    return of


def spoilt(column, value, where=(5, 901)):
    """Rows of which some hold another value in a column."""
    at = pl.int_range(pl.len()).is_in(list(where))
    return ROWS.with_columns(pl.when(at).then(pl.lit(value)).otherwise(column).alias(column))


def test_no_such_place(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source is '.*nowhere': there is no such"):
        registry_sums(tmp_path / "nowhere", "y", "x", patients="patient")
    (tmp_path / "registry.csv").write_text("y,x\n")
    with pytest.raises(ValueError, match=r"it holds no file that ends in \.parquet"):
        registry_sums(tmp_path, "y", "x", patients="patient")
    with pytest.raises(ValueError, match=r"source: registry\.csv cannot be read as Parquet"):
        registry_sums(tmp_path / "registry.csv", "y", "x", patients="patient")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"y": "score"}, "y column 'score'"),
        ({"x": "days"}, "x column 'days'"),
        ({"z": ["first", "arm"]}, "z column 'arm'"),
        ({"controls": "sex"}, "controls column 'sex'"),
        ({"patients": "id"}, "patients column 'id'"),
        ({"trials": "site"}, "trials column 'site'"),
        ({"waves": "visit"}, "waves column 'visit'"),
    ],
)
def test_a_missing_column(attempt, options, named):
    with pytest.raises(ValueError, match=rf"{named} is not in part-000\.parquet, which has pat"):
        attempt(**options)


def test_a_column_missing_in_one_file(attempt, tmp_path):
    attempt()
    path = tmp_path / "registry" / "part-001.parquet"
    pl.read_parquet(path).drop("dose").write_parquet(path)
    with pytest.raises(ValueError, match=r"controls column 'dose' is not in part-001\.parquet"):
        registry_sums(path.parent, "y", "x", Z, CONTROLS, **LABELS)
    # which does not matter to those who do not need it
    assert registry_sums(path.parent, "y", "x", Z, "age", **LABELS).nobs == ROWS.height


def test_a_mistyped_column(attempt, tmp_path):
    with pytest.raises(ValueError, match=r"x column 'x' holds String in .*, not numbers"):
        attempt(ROWS.with_columns(pl.col("x").cast(pl.String)))
    with pytest.raises(ValueError, match=r"trials column 'trial' holds List\(String\)"):
        attempt(ROWS.with_columns(pl.concat_list("trial")))
    path = tmp_path / "registry" / "part-002.parquet"
    attempt()
    pl.read_parquet(path).with_columns(pl.col("patient").cast(pl.String)).write_parquet(path)
    with pytest.raises(ValueError, match=r"holds String in part-002\.parquet but Int64 in files"):
        registry_sums(path.parent, "y", "x", Z, CONTROLS, **LABELS)


def test_numbers_of_any_type_are_numbers(attempt):
    """Flags as booleans, scores as decimals and small integers."""
    plain = attempt(ROWS.with_columns(pl.col("age").round()))
    typed = attempt(
        ROWS.with_columns(
            pl.col("first").cast(pl.Boolean),
            pl.col("second").cast(pl.UInt8),
            pl.col("age").round().cast(pl.Decimal(10, 2)),
        )
    )
    assert typed.tsls() == plain.tsls()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_file(attempt, tmp_path, share):
    attempt()
    path = tmp_path / "registry" / "part-001.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"source: part-001\.parquet cannot be read.*truncated"):
        registry_sums(path.parent, "y", "x", Z, CONTROLS, **LABELS)


def test_a_file_whose_middle_is_lost(attempt, tmp_path):
    """Its end, which says where columns lie, is whole; a column is not where it says."""
    attempt()
    path = tmp_path / "registry" / "part-001.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:2_000] + whole[3_000:])
    with pytest.raises(ValueError, match=r"source: part-001\.parquet cannot be read"):
        registry_sums(path.parent, "y", "x", Z, CONTROLS, **LABELS)


@pytest.mark.parametrize(
    ("value", "what"), [(None, "missing"), (np.nan, "missing"), (np.inf, "infinite"), (1e80, "bey")]
)
@pytest.mark.parametrize(
    ("column", "named"), [("y", "y"), ("x", "x"), ("second", "z"), ("dose", "controls")]
)
def test_gaps(attempt, column, named, value, what):
    with pytest.raises(
        ValueError,
        match=rf"{named} column '{column}' is {what}.* in 1 of 300 rows \(rows 0 to 299 of part-000",
    ):
        attempt(spoilt(column, value))


@pytest.mark.parametrize("column", ["patient", "trial", "month"])
def test_labels_that_are_missing(attempt, column):
    argument = {name: key for key, name in LABELS.items()}[column]
    with pytest.raises(ValueError, match=rf"{argument} column '{column}' is missing in "):
        attempt(spoilt(column, None))


def test_labels_that_are_not_a_number(attempt):
    rows = ROWS.with_columns(pl.col("month", "patient").cast(pl.Float64))
    gap = pl.int_range(pl.len()) == 7
    for name in ("month", "patient"):
        spoiled = rows.with_columns(pl.when(gap).then(np.nan).otherwise(name).alias(name))
        with pytest.raises(ValueError, match=rf"column '{name}' is missing"):
            attempt(spoiled)
    assert attempt(rows).nobs == ROWS.height


def test_where_leaves_gaps_out(attempt):
    assert attempt(spoilt("y", None), where=pl.col("y").is_not_null()).nobs == ROWS.height - 2
    with pytest.raises(ValueError, match=r"source has 0 rows \(that where= keeps\)"):
        attempt(where=pl.col("month") > 99)
    with pytest.raises(ValueError, match=r"where cannot be applied to part-000\.parquet \(.*visit"):
        attempt(where=pl.col("visit") > 0)
    with pytest.raises(ValueError, match=r"where gives Int16 in .*, not true or false"):
        attempt(where=pl.col("month"))


def test_rows_that_are_not_sorted(attempt):
    with pytest.raises(ValueError, match=r"source is not sorted by 'patient' \(rows 0 to 299"):
        attempt(ROWS.sample(fraction=1, shuffle=True, seed=1))
    # sorted in every file, and yet the same patients are in two of them
    twice = pl.concat([ROWS[:300], ROWS[:300]])
    with pytest.raises(ValueError, match=r"not sorted by 'patient' over its files.*count twice"):
        attempt(twice, cuts=(300,))


def test_a_patient_twice_at_a_wave(attempt):
    with pytest.raises(ValueError, match=r"waves: 1 patients have two or more rows at one wave"):
        attempt(pl.concat([ROWS, ROWS[5:6]]).sort("patient"))


@pytest.mark.parametrize("cuts", [(), (12,), (13,)])
def test_a_patient_in_two_trials(attempt, cuts):
    """Within a block, and where two blocks meet."""
    person = int(ROWS["patient"][12])
    own = np.flatnonzero(ROWS["patient"].to_numpy() == person)
    assert own.size > 1
    rows = spoilt("trial", "elsewhere", own[1:].tolist())
    with pytest.raises(ValueError, match=rf"1 patients change their trial, the first {person} "):
        attempt(rows, cuts=cuts)


def test_too_much_asked_for(attempt):
    days = ROWS.with_columns(pl.int_range(pl.len()).alias("day"))
    with pytest.raises(ValueError, match=r"waves column 'day' has \d+ values, more than 120"):
        attempt(days, waves="day")
    coarse = days.with_columns(pl.col("day") % 100)
    with pytest.raises(ValueError, match=r"products a patient in 4 trials, whose sums take .* GiB"):
        attempt(coarse, waves="day")


def test_columns_that_say_nothing(attempt):
    with pytest.raises(
        ValueError, match=r"z column 'x' is named twice|x column 'x' is named twice"
    ):
        attempt(z="x")
    with pytest.raises(ValueError, match=r"rows is 0"):
        attempt(rows=0)
    for rows in ("a", 1.5):
        with pytest.raises(ValueError, match=rf"rows is {rows!r}: give a whole number, 1 or more"):
            attempt(rows=rows)
    with pytest.raises(ValueError, match=r"z is 3: give a column's name or a sequence of them"):
        attempt(z=3)
    flat = ROWS.with_columns(pl.lit(0.3).alias("age"))
    with pytest.raises(ValueError, match=r"controls column 'age' is constant: leave it out"):
        attempt(flat).tsls()
    double = ROWS.with_columns((2 * pl.col("dose") + pl.col("age")).alias("both"))
    with pytest.raises(ValueError, match=r"controls column 'both' is a linear combination"):
        attempt(double, controls=["age", "dose", "both"]).tsls()
    steady = ROWS.with_columns(pl.col("first").alias("x"))
    with pytest.raises(ValueError, match=r"x column 'x' does not change within patients"):
        attempt(steady, z="second", controls="age").within()


def test_what_was_not_given_cannot_be_had(attempt):
    sums = attempt(trials=None)
    assert sums.moments().nobs == ROWS.height
    with pytest.raises(
        ValueError, match=r"strata is 'trial', but registry_sums was given no trials"
    ):
        sums.tsls("trial")
    with pytest.raises(ValueError, match=r"strata is 'site'"):
        sums.tsls("site")


def test_a_client_is_not_its_executor(attempt):
    class Client:
        """As Dask's: it can map, and answers with futures."""

        def get_executor(self):
            raise AssertionError("not called for them")

    with pytest.raises(ValueError, match=r"executor is a Client: .*client\.get_executor\(\)"):
        attempt(executor=Client())


def test_an_executor_that_is_closed_takes_no_work(attempt):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RunStopped, match=r"takes no more work .*after shutdown.*; 0 of 3 blocks"):
        attempt(executor=pool)


def _dies():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_explained(attempt):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        pool.submit(_dies)
        with pytest.raises(RunStopped, match=r"the executor .* \(BrokenProcessPool: .*of 3 blocks"):
            attempt(executor=pool)


class _Late(Executor):
    """Works only when a result is asked for; counts what is handed out and not asked for yet."""

    def __init__(self):
        self.open = self.most = 0

    def submit(self, function, /, *arguments):
        executor = self

        class Asked(Future):
            def result(self, timeout=None):
                executor.open -= 1
                return function(*arguments)

        self.open += 1
        self.most = max(self.most, self.open)
        return Asked()


def test_finished_sums_do_not_pile_up(attempt, monkeypatch):
    alone = attempt(rows=50)
    wide = _Late()
    assert attempt(rows=50, executor=wide).tsls() == alone.tsls()
    monkeypatch.setattr(sums, "AHEAD", 3 * alone.shape.bytes)
    narrow = _Late()
    assert attempt(rows=50, executor=narrow).tsls() == alone.tsls()
    assert narrow.most == 3 < wide.most
