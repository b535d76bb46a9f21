"""Many synthetic pools in two worlds: what every estimator of the book answers, and the truth.

In one world meetings lower use, in the other only motivation does. The second comes in two tempers:
``"selection"``, in which a motivated spell lasts for months, and ``"short spells"``, in which it is
mostly over by the next month. All three show an analyst the same fixed and random effects; the last
shows the same first differences and lags as the world in which meetings work, too.

Each replication generates the six trials anew, hands what an analyst would see to every estimator,
and writes down beside each answer the effect that was true in that pool. No estimator reads the
truth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from pooledtrials import instruments, panels, pooling
from pooledtrials.arguments import choice, fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.pooling import twin
from pooledtrials.results import Estimate

AREAS: Final = ("drug", "alcohol")

SHORT_SPELLS: Final = "short spells"
"""Name of the world of selection in which motivation changes fast."""

_FAST: Final = replace(twin.Parameters(), motivation_month=0.2)
# Solved like the named worlds, for the drug score: fixed and random effects of forty copies of the
# six trials are those of "works" under the same instrument.
_SHORT: Final[Mapping[str, twin.World]] = MappingProxyType(
    {
        "weak": twin.World(SHORT_SPELLS, changing_drug=0.2426, persistent_drug=0.3025),
        "strong": twin.World(SHORT_SPELLS, changing_drug=0.2493, persistent_drug=0.3159),
    }
)

WORLDS: Final = (*twin.WORLDS, SHORT_SPELLS)
"""Worlds of the study."""

_INSTRUMENTAL: Final = ("least squares, follow-ups", "2SLS", "Anderson-Rubin")

METHODS: Final = (*panels.METHODS, *_INSTRUMENTAL)
"""Estimators: those of repeated interviews, and those of the randomized arm."""

COLUMNS: Final = (
    "world",
    "instrument",
    "seed",
    "method",
    "estimate",
    "standard_error",
    "length",
    "truth",
    "covers",
    "excludes_zero",
    "f",
)


def replicate(
    world: str, instrument: str, seed: int, *, area: str = "drug", level: float = 0.95
) -> pd.DataFrame:
    """Generate one synthetic pool and ask every estimator.

    Parameters
    ----------
    world : {"works", "selection", "short spells"}
        What lowers the score; short spells are solved for the drug score only.
    instrument : {"weak", "strong"}
        What facilitation does to attendance.
    seed : int
        Of the pool. One seed gives the same invented people in every world.
    area : {"drug", "alcohol"}
        Which ASI composite is the outcome.
    level : float
        Of intervals and sets.

    Returns
    -------
    pandas.DataFrame
        A row per method of `METHODS`, columns `COLUMNS`. ``estimate``, ``standard_error`` and
        ``length`` (of the interval or set, possibly infinite) are changes of the composite per ten
        more meeting days in thirty. ``truth`` is what the method aims at: the average effect over
        patients, or for the methods of the arm the effect on those whom the arm moves. ``covers``
        and ``excludes_zero`` are about the interval or set, and ``f`` is the first stage's,
        clustered by patient, the same for all methods of a pool.

    Raises
    ------
    ValueError
        For an unknown world, instrument, area or level, or short spells with another area.
    """
    choice(area, "area", AREAS)
    fraction(level, "level")
    pool = generate(world, instrument, seed)
    if world == SHORT_SPELLS and area != "drug":
        raise ValueError(f"area is {area!r}: world {SHORT_SPELLS!r} is solved for 'drug' only")
    panel = twin.observed_panel(pool)
    everything = pooling.analysis_set(panel, f"asi_{area}", interviews="all").repeated
    arm = pooling.analysis_set(panel, f"asi_{area}").instrumented
    average = pool.truth.average_effect[area]
    moved = float(pool.truth.complier_effect.loc[("all", -1, area), "effect"])
    answers: dict[str, tuple[float, float, ConfidenceSet, float]] = {
        name: _answer(found, average, level) for name, found in panels.fit_all(**everything).items()
    }
    least_squares, two_stage = instruments.ols(**arm), instruments.tsls(**arm)
    answers["least squares, follow-ups"] = _answer(least_squares, average, level)
    answers["2SLS"] = _answer(two_stage, moved, level)
    honest = instruments.anderson_rubin_set(**arm, level=level)
    answers["Anderson-Rubin"] = (math.nan, math.nan, honest, moved)
    f = instruments.first_stage(**arm).f_test.statistic
    rows = [
        (
            world, instrument, seed, name, estimate, error, found.length, truth,
            found.contains(truth), not found.contains(0.0), f,
        )
        for name, (estimate, error, found, truth) in answers.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def generate(world: str, instrument: str, seed: int) -> twin.Twin:
    """Generate the synthetic pool of one replication; parameters as in `replicate`.

    Raises
    ------
    ValueError
        For an unknown world or instrument, or a seed below 0.
    """
    choice(world, "world", WORLDS)
    choice(instrument, "instrument", tuple(twin.INSTRUMENTS))
    if world == SHORT_SPELLS:
        return twin.simulate(_SHORT[instrument], instrument, seed, parameters=_FAST)
    return twin.simulate(world, instrument, seed)


def two_worlds(
    seeds: Sequence[int],
    *,
    worlds: Sequence[str] = WORLDS,
    levers: Sequence[str] = tuple(twin.INSTRUMENTS),
    area: str = "drug",
    level: float = 0.95,
    executor: Executor | None = None,
) -> Iterator[pd.DataFrame]:
    """Replicate every world with every instrument, the same seeds in each.

    Parameters
    ----------
    seeds : sequence of int
    worlds, levers : sequences of str
    area, level
        As in `replicate`.
    executor : concurrent.futures.Executor, optional
        Where replications run; here, one after the other, without one. The results and their order
        do not depend on it.

    Yields
    ------
    pandas.DataFrame
        One replication, as `replicate` returns it.

    Raises
    ------
    ValueError
        For unusable arguments, or no seeds.
    """
    if not seeds:
        raise ValueError("seeds has 0 entries: give at least one")
    places = [(w, lever, seed) for seed in seeds for lever in levers for w in worlds]
    run = partial(_at, area=area, level=level)
    yield from (map(run, places) if executor is None else executor.map(run, places))


def grade(replications: pd.DataFrame) -> pd.DataFrame:
    """Grade every method in every world: bias, spread, coverage, with Monte Carlo errors.

    Parameters
    ----------
    replications
        Rows of `replicate`, of many seeds.

    Returns
    -------
    pandas.DataFrame
        By instrument, world and method: ``pools``; ``median`` and ``lower``/``upper quartile`` of
        the estimates; ``bias``, the mean of estimate less truth, with ``bias_error``; ``spread``,
        the estimates' standard deviation, beside ``standard_error``, the mean of those reported;
        ``coverage`` of the truth and ``excludes_zero`` as shares with ``coverage_error`` and
        ``excludes_zero_error``; ``unbounded``, the share of sets without end.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    lacking = [name for name in COLUMNS if name not in replications]
    if lacking:
        raise ValueError(f"replications has no column {lacking[0]!r}: give rows of replicate")
    rows = replications.assign(
        off=replications["estimate"] - replications["truth"],
        unbounded=np.isinf(replications["length"]),
    )
    groups = rows.groupby(["instrument", "world", "method"], sort=False)
    count = groups.size()
    covered, excluded = groups["covers"].mean(), groups["excludes_zero"].mean()
    return pd.DataFrame(
        {
            "pools": count,
            "lower quartile": groups["estimate"].quantile(0.25),
            "median": groups["estimate"].median(),
            "upper quartile": groups["estimate"].quantile(0.75),
            "bias": groups["off"].mean(),
            "bias_error": groups["off"].std() / np.sqrt(count),
            "spread": groups["estimate"].std(),
            "standard_error": groups["standard_error"].mean(),
            "coverage": covered,
            "coverage_error": np.sqrt(covered * (1 - covered) / count),
            "excludes_zero": excluded,
            "excludes_zero_error": np.sqrt(excluded * (1 - excluded) / count),
            "unbounded": groups["unbounded"].mean(),
            "f": groups["f"].mean(),
        }
    )


def told_apart(replications: pd.DataFrame, other: str = "selection") -> pd.DataFrame:
    """How well one answer tells in which of two worlds its pool was generated.

    Of a pool from each world, the share of pairs in which the estimate of the world where meetings
    lower use is the lower one, ties counting half: the area under the ROC curve. One half is a
    guess, 1 certainty; its standard error is that of DeLong and others
    [delong1988comparing].

    Parameters
    ----------
    replications
        Rows of `replicate`, of many seeds in both worlds.
    other : {"selection", "short spells"}
        The world compared with ``"works"``.

    Returns
    -------
    pandas.DataFrame
        By instrument and method: ``share``, from 0 to 1, and ``standard_error``. Methods without
        an estimate are left out.

    Raises
    ------
    ValueError
        If a world is missing.
    """
    choice(other, "other", WORLDS[1:])
    compared = ("works", other)
    lacking = [world for world in compared if world not in set(replications["world"])]
    if lacking:
        raise ValueError(f"replications has no pool of world {lacking[0]!r}: both are compared")
    rows = {}
    for place, group in replications.groupby(["instrument", "method"], sort=False):
        lower, higher = (
            group.loc[group["world"] == world, "estimate"].dropna().to_numpy() for world in compared
        )
        if min(lower.size, higher.size) > 1:
            won = np.less.outer(lower, higher) + 0.5 * np.equal.outer(lower, higher)
            spread = won.mean(axis=1).var(ddof=1) / lower.size
            spread += won.mean(axis=0).var(ddof=1) / higher.size
            rows[place] = {"share": won.mean(), "standard_error": math.sqrt(spread)}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index, names=["instrument", "method"])
    return frame


def _at(place: tuple[str, str, int], *, area: str, level: float) -> pd.DataFrame:
    return replicate(*place, area=area, level=level)


def _answer(
    found: Estimate, truth: float, level: float
) -> tuple[float, float, ConfidenceSet, float]:
    return found.coefficient, found.standard_error, found.interval(level), truth
