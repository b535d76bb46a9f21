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


def same_again(mine: Records, outcome: str) -> tuple[planning.PlannedTrial, float]:
    """A trial of all these patients with their step, and the effect that fixed effects show."""
    if mine.by_site:
        raise ValueError(
            f"{', '.join(mine.by_site)} randomized sites: these plans are for people who are"
            " randomized one by one, and would promise too much"
        )
    rows = analysis_set(mine.panel, outcome)
    later = mine.panel[mine.panel["wave"].gt(0)]
    stage = instruments.first_stage(**rows.instrumented)
    known = analysis_set(mine.panel, outcome, interviews="all")
    effect = panels.fit(**known.repeated)
    plan = planning.PlannedTrial(
        patients=int(mine.panel.groupby("trial")["patient"].nunique().sum()),
        step=10 * float(stage.coefficients[0]),
        months=tuple(float(month) for month in sorted(later["wave"].unique())),
        follow_up=min(1.0, len(rows) / len(later)),
        active_share=float(later["active"].mean()),
        **spreads(mine, outcome).planned,
    )
    return plan, effect.coefficient


def needs(mine: Records, outcome: str) -> pd.DataFrame:
    """Step and patients for strength and for power, and the smallest effect that is found."""
    plan, effect = same_again(mine, outcome)
    rows = {
        f"step for an expected F of {f:g} (days in 30)": planning.step_for_strength(plan, f)
        for f in STRENGTHS
    }
    rows["step for 80 % power, effect as shown (days in 30)"] = planning.step_needed(plan, effect)
    rows["trial size for 80 % power, effect and step as shown"] = planning.patients_needed(
        plan, effect
    )
    rows["smallest effect found with 80 % power, step as shown"] = planning.smallest_effect(plan)
    return pd.DataFrame({"needed": rows}).rename_axis("demand")
