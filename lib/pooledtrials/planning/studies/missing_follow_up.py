"""Many synthetic pools with lost follow-up: what every remedy answers, and what whole pools say.

The twin keeps every interview as it would have been had it been held. So an answer from those who
were seen can be laid beside the answer that the same pool would have given had nobody been lost:
the difference is what the loss did, and no other chance is in it. No remedy reads the truth.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from pooledtrials import panels
from pooledtrials.arguments import choice, fraction
from pooledtrials.planning.studies import follow_up_remedies as remedies
from pooledtrials.planning.studies.follow_up_remedies import NOBODY_LOST
from pooledtrials.pooling import twin


@dataclass(frozen=True)
class Loss:
    """Who is lost.

    Attributes
    ----------
    comparison, facilitated : by how much the relative risk of a missed interview rises per standard
        deviation of severity gained since baseline, and falls per standard deviation of motivation,
        in arms that do not and that do facilitate
    follow_up : target shares interviewed at the first and last follow-up of every trial; None for
        each trial's own
    """

    comparison: tuple[float, float]
    facilitated: tuple[float, float]
    follow_up: tuple[float, float] | None


_USUAL: Final = (twin.Parameters().dropout_severity, twin.Parameters().dropout_motivation)
_STRONG: Final = (1.0, 0.5)
_COIN: Final = (0.0, 0.0)
_TWO_THIRDS: Final = (0.72, 0.58)

LOSSES: Final[Mapping[str, Loss]] = MappingProxyType(
    {
        "as in the twin": Loss(_USUAL, _USUAL, None),
        "by chance": Loss(_COIN, _COIN, _TWO_THIRDS),
        "doing badly": Loss(_STRONG, _STRONG, _TWO_THIRDS),
        "doing badly, one arm": Loss(_STRONG, _COIN, _TWO_THIRDS),
    }
)
"""Rules of loss. By the twin's own a fifth is lost. By the other three it is a third: by a coin; of
those who do badly more, in both arms alike; of those who do badly more in the comparison arm, and
by a coin in the facilitated one."""

COLUMNS: Final = (
    *("world", "instrument", "loss", "seed", "quantity", "method"),
    *("estimate", "standard_error", "low", "high", "whole"),
)

IMPUTATIONS: Final = 5
CYCLES: Final = 5


def lose(world: str, instrument: str, seed: int, loss: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Generate one synthetic pool with follow-up lost by a rule, and what was lost.

    People, answers and deaths of a seed are the same under every rule.

    Parameters
    ----------
    world, instrument, seed
        Of the pool, see `twin.simulate`.
    loss : str
        One of `LOSSES`.

    Returns
    -------
    panel : pandas.DataFrame
        As `twin.observed_panel` gives it, without planned interviews after a death.
    whole : pandas.DataFrame
        With the same index: ``asi_drug`` and ``attendance`` as they would have been.

    Raises
    ------
    ValueError
        For an unknown world, instrument or rule.
    """
    choice(loss, "loss", tuple(LOSSES))
    rule = LOSSES[loss]
    designs = {
        name: replace(design, follow_up=rule.follow_up or design.follow_up)
        for name, design in twin.DESIGNS.items()
    }
    simulated = {
        risks: twin.simulate(
            world, instrument, seed, designs=designs,
            parameters=replace(
                twin.Parameters(), dropout_severity=risks[0], dropout_motivation=risks[1]
            ),
        )
        for risks in {rule.comparison, rule.facilitated}
    }  # fmt: skip
    seen = {risks: twin.observed_panel(pool) for risks, pool in simulated.items()}
    facilitated = seen[rule.comparison]["active"].eq(1)
    panel = pd.concat([seen[rule.comparison][~facilitated], seen[rule.facilitated][facilitated]])
    panel = panel[panel["missing_reason"].ne("died")].sort_index()
    complete = simulated[rule.comparison].truth.complete
    return panel, complete.loc[panel.index, ["asi_drug", "attendance"]].astype(float)


def replicate(
    world: str, instrument: str, seed: int, loss: str, *, level: float = 0.95
) -> pd.DataFrame:
    """Generate one synthetic pool, lose follow-up by a rule, and ask every remedy.

    Parameters
    ----------
    world, instrument, seed, loss
        As in `lose`.
    level : float
        Of intervals.

    Returns
    -------
    pandas.DataFrame
        A row per quantity and method, columns `COLUMNS`. Quantities: ``arm contrast`` (facilitated
        less comparison, ASI drug composite at follow-ups, first score held constant),
        ``fixed effects`` (per ten more meeting days in thirty), ``level`` (mean composite at
        follow-ups), ``shift needed`` (by how much imputed composites were too low on average, by
        arm) and ``lost`` (share of follow-ups by arm, and the p-value of equal follow-up).
        ``whole`` is the same pool's answer had nobody been lost. Of ``Lee bounds`` there is no
        estimate: ``low`` and ``high`` are the bounds, and of ``Lee interval`` the interval.

    Raises
    ------
    ValueError
        For an unknown world, instrument or rule, or a bad level.
    """
    fraction(level, "level")
    panel, whole = lose(world, instrument, seed, loss)
    completed = panels.impute(
        panel[["asi_drug", "attendance"]], panel["active"], panel["patient"], panel["wave"],
        panel[list(remedies.COVARIATES)], panel["trial"],
        imputations=IMPUTATIONS, cycles=CYCLES, seed=seed,
    )  # fmt: skip
    weights = remedies.weights(panel)
    answers = {
        "arm contrast": remedies.arm_contrasts(panel, whole, weights, completed, level),
        "fixed effects": remedies.fixed_effects(panel, whole, completed, level),
        "level": remedies.levels(panel, whole, weights, completed),
        "shift needed": remedies.shifts_needed(panel, whole, completed),
        "lost": remedies.losses(panel),
    }
    rows = [
        (
            world, instrument, loss, seed, quantity, method, *answer,
            found[NOBODY_LOST][0] if NOBODY_LOST in found else math.nan,
        )
        for quantity, found in answers.items()
        for method, answer in found.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def missing_follow_up(
    seeds: Sequence[int],
    *,
    worlds: Sequence[str] = tuple(twin.WORLDS),
    levers: Sequence[str] = tuple(twin.INSTRUMENTS),
    losses: Sequence[str] = tuple(LOSSES),
    executor: Executor | None = None,
) -> Iterator[pd.DataFrame]:
    """Replicate every rule of loss in every world with every instrument, the same seeds in each.

    Parameters
    ----------
    seeds : sequence of int
    worlds, levers, losses : sequences of str
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
    places = list(itertools.product(worlds, levers, seeds, losses))
    yield from (map(_at, places) if executor is None else executor.map(_at, places))


def grade(replications: pd.DataFrame) -> pd.DataFrame:
    """Grade every remedy under every rule of loss, with Monte Carlo errors.

    Parameters
    ----------
    replications
        Rows of `replicate`, of many seeds.

    Returns
    -------
    pandas.DataFrame
        By loss, instrument, world, quantity and method: ``pools``; ``mean`` estimate; ``bias``, the
        mean of estimate less what the whole pool says, with ``bias_error``; ``noise``, the standard
        deviation of that difference; ``spread`` of the estimates beside the mean ``standard_error``
        reported; ``coverage``, the share of intervals that contain what whole pools say on average,
        with ``coverage_error``; ``length``, the mean length of the intervals.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    lacking = [name for name in COLUMNS if name not in replications]
    if lacking:
        raise ValueError(f"replications has no column {lacking[0]!r}: give rows of replicate")
    target = replications.groupby(["instrument", "world", "quantity"])["whole"].transform("mean")
    rows = replications.assign(
        off=replications["estimate"] - replications["whole"],
        covered=target.between(replications["low"], replications["high"])
        .astype(float)
        .where(replications["low"].notna()),
        length=replications["high"] - replications["low"],
    )
    groups = rows.groupby(["loss", "instrument", "world", "quantity", "method"], sort=False)
    count, covered = groups.size(), groups["covered"].mean()
    return pd.DataFrame(
        {
            "pools": count,
            "mean": groups["estimate"].mean(),
            "bias": groups["off"].mean(),
            "bias_error": groups["off"].std() / np.sqrt(count),
            "noise": groups["off"].std(),
            "spread": groups["estimate"].std(),
            "standard_error": groups["standard_error"].mean(),
            "coverage": covered,
            "coverage_error": np.sqrt(covered * (1 - covered) / count),
            "length": groups["length"].mean(),
        }
    )


def _at(place: tuple[str, str, int, str]) -> pd.DataFrame:
    return replicate(*place)
