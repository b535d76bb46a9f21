"""Tables of the page *Planning*: what the next trial would need, from what these trials showed."""

from __future__ import annotations

import pandas as pd

from pooledbook.own.records import Records
from pooledtrials import instruments, panels, planning
from pooledtrials.pooling import analysis_set

STRENGTHS = (10.0, 104.7)
"""First-stage F of the old rule of thumb, and from which on the usual t-test keeps its level."""


def spreads(mine: Records, outcome: str) -> planning.Spreads:
    """How much score and attendance vary, and how alike a patient's interviews are."""
    rows = analysis_set(mine.panel, outcome)
    return planning.pilot_spreads(**rows.instrumented)


def same_again(mine: Records, outcome: str) -> tuple[tuple[planning.PlannedTrial, ...], float]:
    """These trials with their common step, and the effect that fixed effects show."""
    if mine.by_site:
        raise ValueError(
            f"{', '.join(mine.by_site)} randomized sites: these plans are for people who are"
            " randomized one by one, and would promise too much"
        )
    rows = analysis_set(mine.panel, outcome)
    later = mine.panel[mine.panel["wave"].gt(0)]
    later = later.assign(seen=later.index.isin(rows.y.index))
    stage = instruments.first_stage(**rows.instrumented)
    known = analysis_set(mine.panel, outcome, interviews="all")
    effect = panels.fit(**known.repeated)
    alike = spreads(mine, outcome).planned
    plans = []
    for _, trial in later.groupby("trial", sort=False):
        seen = trial.groupby("wave")["seen"].mean()
        seen = seen[seen.gt(0)]  # a month at which nobody was asked for this score
        if seen.empty:
            continue
        people = trial.drop_duplicates("patient")
        plans.append(
            planning.PlannedTrial(
                patients=len(people),
                step=10 * float(stage.coefficients[0]),
                months=tuple(map(float, seen.index)),
                follow_up=tuple(map(float, seen)),
                active_share=float(people["active"].mean()),
                **alike,
            )
        )
    return tuple(plans), effect.coefficient


def needs(mine: Records, outcome: str) -> pd.DataFrame:
    """Step and patients for strength and for power, and the smallest effect that is found."""
    plans, effect = same_again(mine, outcome)
    rows = {
        f"step for an expected F of {f:g} (days in 30)": planning.step_for_strength(plans, f)
        for f in STRENGTHS
    }
    rows["step for 80 % power, effect as shown (days in 30)"] = planning.step_needed(plans, effect)
    rows["trial size for 80 % power, effect and step as shown"] = planning.patients_needed(
        plans, effect
    )
    rows["smallest effect found with 80 % power, step as shown"] = planning.smallest_effect(plans)
    return pd.DataFrame({"needed": rows}).rename_axis("demand")
