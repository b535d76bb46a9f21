"""The game of two worlds, dealt to a class: say which of two synthetic pools meetings helped in.

Each pair shows what one method answered in a pool where meetings lower use and in another where
they do nothing. Who takes the lower answer for the first is right as often as `told_apart` says.
Everyone is dealt pairs of their own, because guesses about the same pair are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from pooledtrials.arguments import choice
from pooledtrials.planning.studies.two_worlds import WORLDS, told_apart

_Z: Final = float(stats.norm.ppf(0.975))
SIDES: Final = ("A", "B")


@dataclass(frozen=True)
class Round:
    """A round of the game: one method under one instrument.

    Attributes
    ----------
    name : str
        How the round is called in class.
    method : str
        One of the methods of the study that have a standard error.
    instrument : {"weak", "strong"}
        How far the arms move attendance.
    """

    name: str
    method: str
    instrument: str


ROUNDS: Final = (
    Round("fixed effects", "within", "weak"),
    Round("weak arm", "2SLS", "weak"),
    Round("strong arm", "2SLS", "strong"),
    Round("first differences", "first differences", "weak"),
)
"""The rounds in the order in which they teach most."""


@dataclass(frozen=True)
class Deal:
    """Pairs for a class, the answers to them, and what to expect.

    Attributes
    ----------
    pairs : pandas.DataFrame
        A row per round, student and pair. For each of the sides A and B: ``estimate``, ``low`` and
        ``high``, changes of the drug score per ten more meeting days in thirty with a 95 % interval
        of the usual kind. Everything is synthetic.
    key : pandas.Series
        With the same index: the side on which meetings lower use.
    expected : pandas.DataFrame
        By round: ``share`` of right answers if everybody takes the lower estimate for the world in
        which meetings work, and the ``low`` and ``high`` between which a class with as many pairs
        would fall 95 times in a hundred.
    """

    pairs: pd.DataFrame
    key: pd.Series
    expected: pd.DataFrame

    def mark(self, guesses: pd.Series) -> pd.DataFrame:
        """Mark the guesses of a class.

        Parameters
        ----------
        guesses
            A or B, by round, student and pair; those who gave none may be left out.

        Returns
        -------
        pandas.DataFrame
            By round: ``guesses``, those ``right``, their ``share``, and ``p_coin``, the exact
            two-sided binomial p-value for a class that tosses coins.

        Raises
        ------
        ValueError
            If a guess is neither A nor B, or is about a pair that was not dealt.
        """
        odd = guesses[~guesses.isin(SIDES)]
        if len(odd):
            raise ValueError(f"guesses has {len(odd)} that are neither A nor B: {odd.iloc[0]!r}")
        strange = guesses.index.difference(self.key.index)
        if len(strange):
            raise ValueError(f"guesses has {len(strange)} about pairs not dealt: {strange[0]}")
        right = guesses.eq(self.key.reindex(guesses.index))
        by_round = right.groupby(level="round", sort=False).agg(guesses="size", right="sum")
        by_round["share"] = by_round["right"] / by_round["guesses"]
        by_round["p_coin"] = [
            stats.binomtest(int(row.right), int(row.guesses)).pvalue
            for row in by_round.itertuples()
        ]
        return by_round


def deal(
    replications: pd.DataFrame,
    students: int,
    pairs: int = 4,
    *,
    rounds: Sequence[Round] = ROUNDS,
    other: str = "selection",
    seed: int | np.random.SeedSequence | np.random.Generator,
) -> Deal:
    """Deal pairs of synthetic pools to a class.

    Parameters
    ----------
    replications
        Rows of `pooledtrials.planning.studies.two_worlds.replicate`, of many seeds in both worlds.
    students
        How many people play.
    pairs
        How many pairs each of them gets in each round.
    rounds
        What is shown, in order.
    other
        The world in which meetings do nothing: "selection" or "short spells".
    seed
        Of the deal.

    Raises
    ------
    ValueError
        If there are more pairs in a round than pools in a world, or the study lacks a world, a
        method or its standard errors.
    """
    if students < 1 or pairs < 1:
        raise ValueError(f"students is {students} and pairs {pairs}: give at least 1 of each")
    choice(other, "other", WORLDS[1:])
    rng = np.random.default_rng(seed)
    shares = told_apart(replications, other)["share"]
    tables, keys, expected = [], [], {}
    count = students * pairs
    for shown in rounds:
        index = pd.MultiIndex.from_product(
            [[shown.name], range(1, students + 1), range(1, pairs + 1)],
            names=["round", "student", "pair"],
        )
        works, idle = (_drawn(replications, shown, w, count, rng) for w in ("works", other))
        first = rng.integers(2, size=count).astype(bool)  # whether A is the world works
        sides = [np.where(first[:, None], *two) for two in ((works, idle), (idle, works))]
        columns = pd.MultiIndex.from_product([SIDES, ["estimate", "low", "high"]])
        tables.append(pd.DataFrame(np.hstack(sides), index=index, columns=columns))
        keys.append(pd.Series(np.where(first, *SIDES), index=index, name="works"))
        share = float(shares.loc[(shown.instrument, shown.method)])
        low, high = stats.binom.ppf([0.025, 0.975], count, share) / count
        expected[shown.name] = {"share": share, "low": low, "high": high}
    frame = pd.DataFrame.from_dict(expected, orient="index").rename_axis("round")
    return Deal(pd.concat(tables), pd.concat(keys), frame)


def _drawn(
    replications: pd.DataFrame, shown: Round, world: str, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Estimates and ends of intervals of `count` pools, none of them twice."""
    rows = replications[
        (replications["method"] == shown.method)
        & (replications["instrument"] == shown.instrument)
        & (replications["world"] == world)
    ]
    errors = rows["standard_error"].to_numpy(dtype=float)
    if not len(rows) or np.isnan(errors).any():
        raise ValueError(f"replications has no {shown.method!r} with standard errors in {world!r}")
    if count > len(rows):
        raise ValueError(
            f"students times pairs is {count}, and replications has {len(rows)} pools of"
            f" {world!r}: deal fewer"
        )
    taken = rng.choice(len(rows), size=count, replace=False)
    estimate, reach = rows["estimate"].to_numpy(dtype=float)[taken], _Z * errors[taken]
    return np.column_stack([estimate, estimate - reach, estimate + reach])
