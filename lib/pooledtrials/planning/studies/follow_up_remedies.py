"""What each remedy for lost follow-up answers on one synthetic pool, beside the whole pool.

Every function returns answers by method; an answer is an estimate, its standard error and the ends
of its interval, nan where there is none.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from pooledtrials import panels
from pooledtrials.pooling.analysis_set import PER_DAYS
from pooledtrials.results import Estimate

NOBODY_LOST: Final = "nobody lost"

COVARIATES: Final = ("age", "female", "homeless", "recognition", "ambivalence", "taking_steps")
"""Known of every patient at randomization, beside scores and attendance."""

Answer = tuple[float, float, float, float]


def weights(panel: pd.DataFrame) -> panels.InverseProbabilityWeights:
    """Weights of follow-ups held, from what was known at randomization; arm in the numerator."""
    rows = panel[panel["wave"] > 0]
    known = [*COVARIATES, "asi_drug_baseline", "asi_alcohol_baseline", "prior_attendance", "active"]
    return panels.follow_up_weights(
        rows["observed"], rows[known], rows["wave"], rows["trial"],
        numerator=rows[["active"]], separate=False,
    )  # fmt: skip


def arm_contrasts(
    panel: pd.DataFrame,
    whole: pd.DataFrame,
    weighting: panels.InverseProbabilityWeights,
    completed: panels.Imputations,
    level: float,
) -> dict[str, Answer]:
    """Facilitated less comparison, drug composite at follow-ups, by trial and month."""
    rows = panel[panel["wave"] > 0]
    first, score = rows[["asi_drug_baseline"]], rows["asi_drug"]
    seen, all_alike = rows["observed"].astype(float), pd.Series(1.0, rows.index)

    def contrast(y: pd.Series[float], weight: object, adjusted: bool = True) -> Estimate:
        return panels.weighted_regression(
            y, rows["active"], np.asarray(weight), rows["patient"], rows["wave"],
            first if adjusted else None, trials=rows["trial"],
        )  # fmt: skip

    found = {
        NOBODY_LOST: contrast(whole.loc[rows.index, "asi_drug"], all_alike),
        "seen, unadjusted": contrast(score, seen, adjusted=False),
        "seen": contrast(score, seen),
        "weighted": contrast(score, weighting.values),
        "imputed": panels.analyse_imputations(
            completed, lambda frame: contrast(frame.loc[rows.index, "asi_drug"], all_alike)
        ),
        "first score carried on": contrast(score.fillna(rows["asi_drug_baseline"]), all_alike),
    }
    answers = {method: _answer(estimate, level) for method, estimate in found.items()}
    bounds = panels.lee_bounds(
        score, rows["active"], rows["observed"], rows["trial"] + " " + rows["patient"],
        rows["trial"], level=level,
    )  # fmt: skip
    ends = bounds.lower.coefficient, bounds.upper.coefficient
    answers["Lee bounds"] = (math.nan, math.nan, *ends)
    answers["Lee interval"] = (math.nan, math.nan, *bounds.interval.intervals[0])
    return answers


def fixed_effects(
    panel: pd.DataFrame, whole: pd.DataFrame, completed: panels.Imputations, level: float
) -> dict[str, Answer]:
    """Drug composite per ten more meeting days in thirty, all interviews."""

    def within(frame: pd.DataFrame) -> Estimate:
        who = panel.loc[frame.index]
        return panels.fit(
            frame["asi_drug"], frame["attendance"] / PER_DAYS, patients=who["patient"],
            waves=who["wave"], trials=who["trial"],
        )  # fmt: skip

    held = panel[panel["observed"]]
    found = {
        NOBODY_LOST: within(whole),
        "seen": within(held),
        "imputed": panels.analyse_imputations(completed, within),
    }
    return {method: _answer(estimate, level) for method, estimate in found.items()}


def levels(
    panel: pd.DataFrame,
    whole: pd.DataFrame,
    weighting: panels.InverseProbabilityWeights,
    completed: panels.Imputations,
) -> dict[str, Answer]:
    """Mean drug composite at follow-ups."""
    rows = panel[panel["wave"] > 0]
    seen = rows["observed"]
    shares = rows.groupby(["trial", "wave"])["observed"].transform("mean")
    score = rows.loc[seen, "asi_drug"]
    filled = [frame.loc[rows.index, "asi_drug"].mean() for frame in completed.completed]
    found = {
        NOBODY_LOST: whole.loc[rows.index, "asi_drug"].mean(),
        # each trial and month counts by its planned interviews, not by those held
        "seen": np.average(score, weights=1 / shares[seen]),
        "weighted": np.average(score, weights=1 / weighting.probability[seen]),
        "imputed": np.mean(filled),
        "first score carried on": rows["asi_drug"].fillna(rows["asi_drug_baseline"]).mean(),
    }
    return {method: _number(float(value)) for method, value in found.items()}


def shifts_needed(
    panel: pd.DataFrame, whole: pd.DataFrame, completed: panels.Imputations
) -> dict[str, Answer]:
    """By how much imputed composites were too low, on average, by arm."""
    imputed = np.mean([frame["asi_drug"] for frame in completed.completed], axis=0)
    short = (whole["asi_drug"] - imputed)[~panel["observed"]]
    return {
        name: _number(float(short[panel["active"] == active].mean()))
        for active, name in enumerate(("comparison", "facilitated"))
    }


def losses(panel: pd.DataFrame) -> dict[str, Answer]:
    """Share of follow-ups lost by arm, and the p-value of equal follow-up among survivors."""
    rows = panel[panel["wave"] > 0]
    found = {
        name: 1 - rows.loc[rows["active"] == active, "observed"].mean()
        for active, name in enumerate(("comparison", "facilitated"))
    }
    survivors = rows[rows["died"] == 0]  # the test wants all planned interviews of a patient
    equal = panels.follow_up(
        survivors["observed"], survivors["active"], survivors["patient"], survivors["wave"],
        trials=survivors["trial"],
    ).test.p_value  # fmt: skip
    return {name: _number(float(v)) for name, v in (found | {"p of equal loss": equal}).items()}


def _answer(found: Estimate, level: float) -> Answer:
    return found.coefficient, found.standard_error, *found.interval(level).intervals[0]


def _number(value: float) -> Answer:
    return value, math.nan, math.nan, math.nan
