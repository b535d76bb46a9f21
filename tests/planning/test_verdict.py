"""What the verdict says, held to 500 synthetic pools in each cell, with Monte Carlo errors.

The study itself is held to the code that makes it in `test_two_worlds`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pooledtrials.planning.studies import load_study
from pooledtrials.planning.studies.two_worlds import SHORT_SPELLS, WORLDS, grade, told_apart
from pooledtrials.pooling import twin

LEVERS = tuple(twin.INSTRUMENTS)
WITHOUT_EFFECT = ("selection", SHORT_SPELLS)
AS_PUBLISHED = ("within", "random effects")


@pytest.fixture(scope="module")
def study() -> pd.DataFrame:
    return load_study("two_worlds")


@pytest.fixture(scope="module")
def grades(study: pd.DataFrame) -> pd.DataFrame:
    return grade(study)


@pytest.fixture(scope="module")
def games(study: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {other: told_apart(study, other) for other in WITHOUT_EFFECT}


def binomial_bounds(share: float, count: int) -> tuple[float, float]:
    """Between which shares a fair count falls in all but one of 10 000 cases."""
    low, high = stats.binom.ppf((5e-5, 1 - 5e-5), count, share)
    return low / count, high / count


@pytest.mark.parametrize("method", AS_PUBLISHED)
def test_published_regressions_answer_alike_and_confidently(grades, method):
    rows = grades.xs(method, level="method")
    assert rows["median"].max() - rows["median"].min() < 0.0008
    assert (rows["excludes_zero"] == 1).all()
    for lever in LEVERS:
        assert all(rows.loc[(lever, world), "coverage"] == 0 for world in WITHOUT_EFFECT)


@pytest.mark.parametrize("method", AS_PUBLISHED)
@pytest.mark.parametrize("other", WITHOUT_EFFECT)
def test_published_regressions_do_not_tell_the_worlds_apart(games, method, other):
    for lever in LEVERS:
        game = games[other].loc[(lever, method)]
        assert abs(game["share"] - 0.5) < 0.05 + 2 * game["standard_error"]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("lever", LEVERS)
def test_the_robust_set_covers_as_promised(grades, world, lever):
    row = grades.loc[(lever, world, "Anderson-Rubin")]
    low, high = binomial_bounds(0.95, 500)
    assert low <= row["coverage"] <= high


def test_a_weak_instrument_says_nothing(grades):
    rows = grades.loc["weak"]
    for world in WORLDS:
        two_stage = rows.loc[(world, "2SLS")]
        assert two_stage["upper quartile"] - two_stage["lower quartile"] > 5 * 0.013
        low, high = binomial_bounds(0.05, 500)
        assert low <= rows.loc[(world, "Anderson-Rubin"), "excludes_zero"] <= high
        assert rows.loc[(world, "Anderson-Rubin"), "unbounded"] > 0.5


def test_a_strong_instrument_finds_the_truth_and_tells_the_worlds_apart(study, grades, games):
    two_stage = study[(study["method"] == "2SLS") & (study["instrument"] == "strong")]
    for world, rows in two_stage.groupby("world"):
        off = rows["estimate"] - rows["truth"]
        spread = 1.2533 * off.std() / np.sqrt(len(off))  # of a median, about
        assert abs(off.median()) < 4 * spread, world
    for other in WITHOUT_EFFECT:
        assert games[other].loc[("strong", "2SLS"), "share"] > 0.85
        assert games[other].loc[("weak", "2SLS"), "share"] < 0.65
    robust = grades.loc["strong"].xs("Anderson-Rubin", level="method")["excludes_zero"]
    assert robust["works"] > 0.35
    assert robust["selection"] < binomial_bounds(0.05, 500)[1]


@pytest.mark.parametrize("method", ["first differences", "lagged"])
def test_what_time_tells_depends_on_how_long_motivation_lasts(games, method):
    def won(other: str) -> float:
        share = games[other].loc[("weak", method), "share"]
        return max(share, 1 - share)

    assert won("selection") > 0.97
    assert won(SHORT_SPELLS) < 0.75
