"""All parts asked one question: the ladder of evidence of a panel.

This is the one module that calls every part. It adds no statistics: each rung is a public function
at its defaults, on the analysis set of `pooledtrials.pooling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from pooledtrials import instruments, panels, pooling, selection
from pooledtrials.arguments import fraction
from pooledtrials.resampling import Seed
from pooledtrials.selection import Ladder, Rung, rung

WEEKLY = 30 / 7
"""Meeting days in thirty of someone who goes once a week."""


def ladder_of_evidence(
    panel: pd.DataFrame,
    outcome: str = "asi_drug",
    exposure: str = "attendance",
    *,
    data: str,
    controls: Sequence[str] = (),
    benchmark: str | None = None,
    threshold: float = WEEKLY,
    outcome_range: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
    draws: int = 1999,
    seed: Seed = 0,
) -> Ladder:
    """Every answer of the book to whether the exposure changes the outcome, on one scale.

    Parameters
    ----------
    panel : pandas.DataFrame
        A panel that keeps the schema, of one trial or of a pool.
    outcome, exposure : str
        Columns. Attendance counts in tens of meeting days in thirty.
    data : str
        Which people, and whether they are real or synthetic; stands in every figure and table.
    controls : sequence of str
        Baseline columns that the adjusted regression holds constant besides the first score.
    benchmark : str, optional
        A covariate that changes in a patient over time, such as readiness. Fixed effects are then
        shown again, had they missed a confounder as strong as it, and three times as strong.
    threshold : float
        For bounds the exposure is cut in two: this much or more, in the panel's own unit, against
        less.
    outcome_range : pair of float
        Least and greatest value the outcome can take, for the bounds.
    level, draws, seed
        Level of all sets; permutations and seed of the randomization set.

    Returns
    -------
    Ladder
        From regressions of what people chose, through the randomized arm, to bounds.

    Raises
    ------
    ValueError
        For unusable columns, or whatever a rung refuses.
    """
    fraction(level, "level")
    rungs = [
        *_as_chosen(panel, outcome, exposure, controls, level),
        *_within(panel, outcome, exposure, benchmark, level),
        *_as_randomized(panel, outcome, exposure, level, draws, seed),
        *_bounded(panel, outcome, exposure, threshold, outcome_range, level, seed),
    ]
    unit = "ten more meeting days in thirty" if exposure == "attendance" else f"more {exposure}"
    return Ladder(tuple(rungs), f"Change in {outcome} for {unit}", data)


def _as_chosen(
    panel: pd.DataFrame, outcome: str, exposure: str, controls: Sequence[str], level: float
) -> Iterator[Rung]:
    follow_ups = pooling.analysis_set(panel, outcome, exposure, controls=controls).instrumented
    bare = instruments.ols(**follow_ups | {"controls": None})
    yield rung(
        "as people chose", bare, group="between people", level=level,
        trusts="those who attend more are like those who attend less",
    )  # fmt: skip
    if follow_ups["controls"] is not None:
        yield rung(
            "adjusted", instruments.ols(**follow_ups), group="between people", level=level,
            trusts="they are alike once what was measured at the start is held constant",
        )  # fmt: skip


def _within(
    panel: pd.DataFrame, outcome: str, exposure: str, benchmark: str | None, level: float
) -> Iterator[Rung]:
    repeated = pooling.analysis_set(panel, outcome, exposure, interviews="all").repeated
    yield rung(
        "random effects", panels.fit(**repeated, method="random effects"), group="within people",
        level=level, trusts="nothing about a person, lasting or changing, drives both",
    )  # fmt: skip
    yield rung(
        "fixed effects", panels.fit(**repeated), group="within people", level=level,
        trusts="nothing that changes in a person over time drives both",
    )  # fmt: skip
    if benchmark is None:
        return
    held = pooling.analysis_set(panel, outcome, exposure, interviews="all", controls=[benchmark])
    # a patient's own level takes up the first interview of each trial, not of the pool alone
    later = held.waves.ne(held.waves.groupby(held.trials).transform("min"))
    cells = pd.get_dummies(held.strata.where(later), dtype=float)
    changing = pd.concat([held.controls, cells], axis=1)
    found = selection.regression_sensitivity(
        held.y, held.x, changing, held.patients, held.patients, benchmarks=[benchmark],
        multiples=(1.0, 3.0), level=level,
    )  # fmt: skip
    for row in found.benchmarks.itertuples():
        adjusted = selection.adjusted_interval(
            found.fit, row.r2_outcome, row.r2_exposure, level=level
        )
        yield Rung(
            f"fixed effects, had they missed {row.multiple:g}x {benchmark}", "within people",
            f"nothing that changes drives both more strongly than {row.multiple:g} times"
            f" {benchmark}", row.estimate, adjusted,
        )  # fmt: skip


def _as_randomized(
    panel: pd.DataFrame, outcome: str, exposure: str, level: float, draws: int, seed: Seed
) -> Iterator[Rung]:
    chosen = pooling.analysis_set(panel, outcome, exposure)
    arm = chosen.instrumented
    without_exposure = {name: value for name, value in arm.items() if name != "x"}
    yield rung(
        "arm difference (of being in the arm)", instruments.arm_difference(**without_exposure),
        group="randomized arm", level=level, trusts="the arms were followed up alike",
    )  # fmt: skip
    yield rung(
        "2SLS, usual interval", instruments.tsls(**arm), group="randomized arm", level=level,
        trusts="the arm works only through the exposure, and moves it strongly",
    )  # fmt: skip
    yield rung(
        "Anderson-Rubin set", instruments.anderson_rubin_set(**arm, level=level),
        group="randomized arm", level=level, trusts="the arm works only through the exposure",
    )  # fmt: skip
    permuted = instruments.randomization_set(
        **arm | {"strata": chosen.trials}, level=level, draws=draws, seed=seed
    )
    yield rung(
        "randomization set", permuted, group="randomized arm", level=level,
        trusts="the arm works only through the exposure, by as much in everyone",
    )  # fmt: skip


def _bounded(
    panel: pd.DataFrame,
    outcome: str,
    exposure: str,
    threshold: float,
    outcome_range: tuple[float, float],
    level: float,
    seed: Seed,
) -> Iterator[Rung]:
    chosen = pooling.analysis_set(panel, outcome, exposure)
    much = (panel.loc[chosen.y.index, exposure] >= threshold).astype(float)
    bounded = partial(selection.effect_bounds, outcome_range=outcome_range, seed=seed)
    cut = f"({threshold:.2g} or more)"
    # arms of several trials are no one instrument with the same meaning at each value
    if chosen.trials.nunique() == 1:
        with_arm = bounded(
            chosen.y, much, chosen.z, chosen.patients, instrument="mean independence"
        )
        yield rung(
            f"bounds with the arm {cut}", with_arm, group="no model", level=level,
            trusts="the arm works only through the exposure",
        )  # fmt: skip
    without = bounded(chosen.y, much, None, chosen.patients)
    yield rung(
        f"bounds without assumptions {cut}", without, group="no model", level=level,
        trusts=f"{outcome} lies between {outcome_range[0]:g} and {outcome_range[1]:g}",
    )  # fmt: skip
