"""Two worlds: replications mean what they say, and the committed study is what the code makes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pooledtrials import instruments, panels, pooling
from pooledtrials.planning.studies import load_study, study_record, write_study
from pooledtrials.planning.studies.two_worlds import (
    COLUMNS,
    METHODS,
    SHORT_SPELLS,
    WORLDS,
    generate,
    grade,
    replicate,
    told_apart,
    two_worlds,
)
from pooledtrials.pooling import twin


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return load_study("two_worlds")


@pytest.mark.parametrize(
    "place", [("works", "weak", 3), ("selection", "strong", 411), (SHORT_SPELLS, "weak", 77)]
)
def test_the_study_is_what_the_code_makes(study, place):
    world, lever, nth = place
    seed = study_record("two_worlds")["first seed"] + nth
    kept = study.query("world == @world and instrument == @lever and seed == @seed")
    again = replicate(world, lever, seed)
    assert list(kept["method"]) == list(again["method"]) == list(METHODS)
    for column in COLUMNS:
        if again[column].dtype.kind == "f":
            np.testing.assert_allclose(kept[column], again[column], rtol=2e-6, err_msg=column)
        else:
            assert kept[column].tolist() == again[column].tolist()


def test_the_study_is_whole(study):
    pools = study_record("two_worlds")["pools in each world with each instrument"]
    assert pools >= 500
    counts = study.groupby(["world", "instrument", "method"]).size()
    assert len(counts) == len(WORLDS) * 2 * len(METHODS)
    assert (counts == pools).all()


def test_answers_are_those_of_the_public_functions():
    row = replicate("works", "strong", 12).set_index("method")
    pool = twin.simulate("works", "strong", 12)
    panel = twin.observed_panel(pool)
    arm = pooling.analysis_set(panel).instrumented
    within = panels.fit(**pooling.analysis_set(panel, interviews="all").repeated)
    assert row.loc["within", "estimate"] == within.coefficient
    assert row.loc["2SLS", "estimate"] == instruments.tsls(**arm).coefficient
    honest = instruments.anderson_rubin_set(**arm)
    truth = pool.truth.complier_effect.loc[("all", -1, "drug"), "effect"]
    assert row.loc["Anderson-Rubin", "covers"] == honest.contains(truth)
    assert row.loc["Anderson-Rubin", "length"] == honest.length
    assert row.loc["within", "truth"] == pool.truth.average_effect["drug"]


def test_where_it_runs_does_not_matter():
    options = {"worlds": ["works"], "levers": ["weak"]}
    alone = pd.concat(two_worlds([5, 6], **options))
    with ThreadPoolExecutor(2) as executor:
        together = pd.concat(two_worlds([5, 6], **options, executor=executor))
    pd.testing.assert_frame_equal(alone, together)


def test_grades_by_hand():
    rows = pd.DataFrame(
        {
            "world": "works", "instrument": "weak", "seed": [1, 2, 3, 4], "method": "within",
            "estimate": [1.0, 2.0, 3.0, 6.0], "standard_error": 1.0,
            "length": [1.0, np.inf, 1.0, 1.0], "truth": 2.0, "covers": [True, True, True, False],
            "excludes_zero": [False, False, True, True], "f": 4.0,
        }
    )  # fmt: skip
    found = grade(rows).loc[("weak", "works", "within")]
    assert found["bias"] == 1.0
    assert found["median"] == 2.5
    assert found["coverage"] == 0.75
    assert found["coverage_error"] == pytest.approx((0.75 * 0.25 / 4) ** 0.5)
    assert found["unbounded"] == 0.25
    assert found["excludes_zero"] == 0.5


def test_telling_apart_is_the_rank_sum():
    g = np.random.default_rng(5)
    rows = pd.DataFrame(
        {
            "world": ["works"] * 40 + ["selection"] * 30, "instrument": "weak", "method": "2SLS",
            "estimate": np.concatenate([g.normal(-1, 1, 40), g.normal(0, 1, 30)]),
        }
    )  # fmt: skip
    found = told_apart(rows).loc[("weak", "2SLS")]
    rank_sum = stats.mannwhitneyu(rows["estimate"][40:], rows["estimate"][:40]).statistic
    assert found["share"] == pytest.approx(rank_sum / 1200)
    again = [
        told_apart(rows.assign(estimate=np.concatenate([g.normal(-1, 1, 40), g.normal(0, 1, 30)])))
        for _ in range(200)
    ]
    spread = np.std([one["share"].iloc[0] for one in again])
    assert found["standard_error"] == pytest.approx(spread, rel=0.25)


def test_short_spells_are_short_and_their_meetings_do_nothing():
    pools = {world: generate(world, "weak", 9) for world in ("selection", SHORT_SPELLS)}
    lasting = {}
    for world, pool in pools.items():
        hidden = pool.truth.complete.pivot(
            index=["trial", "patient"], columns="wave", values="changing"
        )
        lasting[world] = hidden[2].corr(hidden[3])
        assert pool.truth.average_effect["drug"] == 0
    assert lasting["selection"] > 0.7 > 0.4 > lasting[SHORT_SPELLS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("work", "weak", 1), "work"),
        (("works", "feeble", 1), "feeble"),
        (("works", "weak", -1), "seed is -1"),
    ],
)
def test_bad_places(arguments, message):
    with pytest.raises(ValueError, match=message):
        replicate(*arguments)


def test_other_bad_input():
    with pytest.raises(ValueError, match="area is 'drugs': give one of"):
        replicate("works", "weak", 1, area="drugs")
    with pytest.raises(ValueError, match="level is 95"):
        replicate("works", "weak", 1, level=95)
    with pytest.raises(ValueError, match="is solved for 'drug' only"):
        replicate(SHORT_SPELLS, "weak", 1, area="alcohol")
    with pytest.raises(ValueError, match="other is 'works': give one of"):
        told_apart(pd.DataFrame(), "works")
    with pytest.raises(ValueError, match="no pool of world 'selection'"):
        told_apart(pd.DataFrame({"world": ["works"]}))
    with pytest.raises(ValueError, match="seeds has 0 entries"):
        next(two_worlds([]))
    with pytest.raises(ValueError, match="replications has no column 'truth'"):
        grade(pd.DataFrame(columns=[c for c in COLUMNS if c != "truth"]))
    with pytest.raises(
        FileNotFoundError, match=r"no study 'three' in data/studies: there are .*two_worlds"
    ):
        load_study("three")


def test_a_study_keeps_seven_digits(tmp_path, monkeypatch):
    monkeypatch.setenv("POOLEDTRIALS_DATA", str(tmp_path))
    (tmp_path / "trials").mkdir()
    (tmp_path / "studies").mkdir()
    table = pd.DataFrame({"a": [1 / 3, -2e-9 / 3, 0.0, np.inf, np.nan], "b": list("vwxyz")})
    write_study(tmp_path / "studies" / "small.parquet", table, {"first seed": 7})
    found = load_study("small")
    np.testing.assert_array_equal(found["a"], [0.3333333, -6.666667e-10, 0.0, np.inf, np.nan])
    assert found["b"].tolist() == list("vwxyz")
    assert study_record("small") == {"first seed": 7}
