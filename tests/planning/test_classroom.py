"""The game of two worlds as a class plays it: dealing, marking, and what is expected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pooledtrials.planning.studies import classroom, load_study
from pooledtrials.planning.studies.classroom import ROUNDS, Round, deal
from pooledtrials.planning.studies.two_worlds import told_apart


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return load_study("two_worlds")


@pytest.fixture(scope="module")
def dealt(study: pd.DataFrame) -> classroom.Deal:
    return deal(study, students=100, pairs=5, seed=1)


def lower_side(dealt: classroom.Deal) -> pd.Series:
    """What everybody says who takes the lower estimate for the world works."""
    a, b = dealt.pairs["A", "estimate"], dealt.pairs["B", "estimate"]
    return pd.Series(np.where(a < b, "A", "B"), index=dealt.pairs.index)


def test_every_student_gets_pairs_of_every_round(dealt: classroom.Deal) -> None:
    counts = dealt.pairs.groupby(["round", "student"], sort=False).size()
    assert list(counts.index.unique("round")) == [r.name for r in ROUNDS]
    assert (counts == 5).all()
    assert len(counts) == 4 * 100


def test_the_key_says_which_side_is_from_the_world_works(
    dealt: classroom.Deal, study: pd.DataFrame
) -> None:
    for shown in ROUNDS:
        rows = study[study["method"].eq(shown.method) & study["instrument"].eq(shown.instrument)]
        pools = {w: set(rows.loc[rows["world"] == w, "estimate"]) for w in ("works", "selection")}
        pairs, key = dealt.pairs.loc[shown.name], dealt.key.loc[shown.name]
        for (_, pair), side in zip(pairs.iterrows(), key, strict=True):
            other = "B" if side == "A" else "A"
            assert pair[side, "estimate"] in pools["works"]
            assert pair[other, "estimate"] in pools["selection"]


def test_no_pool_is_dealt_twice_in_a_round(dealt: classroom.Deal) -> None:
    for _, pairs in dealt.pairs.groupby(level="round"):
        values = pairs.xs("estimate", axis=1, level=1).to_numpy().ravel()
        assert len(np.unique(values)) > 0.99 * len(values)  # two pools may agree to the last digit


def test_sides_are_a_coin(dealt: classroom.Deal) -> None:
    for _, key in dealt.key.groupby(level="round"):
        assert stats.binomtest(int(key.eq("A").sum()), len(key)).pvalue > 1e-4


def test_the_rule_is_right_as_often_as_told_apart_says(
    dealt: classroom.Deal, study: pd.DataFrame
) -> None:
    marks, shares = dealt.mark(lower_side(dealt)), told_apart(study)["share"]
    for shown in ROUNDS:
        share = shares[shown.instrument, shown.method]
        assert dealt.expected.loc[shown.name, "share"] == share
        bound = 4 * max(0.005, (share * (1 - share) / 500) ** 0.5)
        assert abs(marks.loc[shown.name, "share"] - share) < bound
    assert marks.loc["fixed effects", "p_coin"] > 1e-4
    assert marks.loc["strong arm", "p_coin"] < 1e-10


def test_band_is_the_binomial_of_the_class(study: pd.DataFrame) -> None:
    small = deal(study, students=5, pairs=2, seed=3).expected.loc["fixed effects"]
    assert stats.binom.cdf(10 * small["high"], 10, small["share"]) >= 0.975
    assert stats.binom.cdf(10 * small["low"] - 1, 10, small["share"]) < 0.025


def test_marks_of_all_right_and_all_wrong(dealt: classroom.Deal) -> None:
    wrong = dealt.key.map({"A": "B", "B": "A"})
    assert (dealt.mark(dealt.key)["share"] == 1).all()
    assert (dealt.mark(wrong)["right"] == 0).all()
    some = dealt.key.iloc[:7]
    assert dealt.mark(some)["guesses"].sum() == 7


def test_intervals_are_the_usual_ones(dealt: classroom.Deal, study: pd.DataFrame) -> None:
    pair = dealt.pairs.loc[("strong arm", 1, 1), "A"]
    row = study[study["estimate"].eq(pair["estimate"]) & study["method"].eq("2SLS")].iloc[0]
    assert pair["high"] - pair["low"] == pytest.approx(2 * 1.959964 * row["standard_error"])


def test_same_seed_same_deal(study: pd.DataFrame) -> None:
    one, two = (deal(study, students=3, seed=9) for _ in range(2))
    pd.testing.assert_frame_equal(one.pairs, two.pairs)
    assert one.key.ne(deal(study, students=3, seed=10).key).any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"students": 0}, "at least 1"),
        ({"students": 200}, "deal fewer"),
        ({"other": "works"}, "give one of"),
        ({"rounds": [Round("set", "Anderson-Rubin", "weak")]}, "Anderson-Rubin"),
    ],
)
def test_refusals(study: pd.DataFrame, change: dict[str, object], said: str) -> None:
    usual: dict[str, object] = {"students": 10, "seed": 1}
    with pytest.raises(ValueError, match=said):
        deal(study, **(usual | change))


def test_guesses_must_be_a_side_of_a_dealt_pair(dealt: classroom.Deal) -> None:
    guesses = dealt.key.copy()
    guesses.iloc[0] = "left"
    with pytest.raises(ValueError, match="neither A nor B"):
        dealt.mark(guesses)
    strange = pd.Series(
        ["A"], index=pd.MultiIndex.from_tuples([("weak arm", 101, 1)], names=dealt.key.index.names)
    )
    with pytest.raises(ValueError, match="not dealt"):
        dealt.mark(strange)
