"""Tables of the page *Selection*: how wrong it could be, and what holds whatever selection was."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib import pyplot as plt

from pooledbook.own.records import OUTCOMES, READINESS, Records
from pooledbook.own.showing import Drawing
from pooledtrials import figures, panels, selection
from pooledtrials.evidence import WEEKLY, ladder_of_evidence
from pooledtrials.pooling import analysis_set

SEED = 2020


def benchmarked(mine: Records, outcome: str) -> Iterator[str | pd.DataFrame]:
    """Fixed effects, had they missed a confounder as strong as readiness, or stronger."""
    names = mine.readiness()
    if not names:
        raise ValueError(
            f"none of {', '.join(READINESS)} was asked again after the start in every trial here:"
            " a confounder of fixed effects changes over time, and its benchmark has to. Give a"
            " covariate that you did ask at every interview"
        )
    rows = analysis_set(mine.panel, outcome, interviews="all", controls=names)
    assert rows.controls is not None
    later = rows.waves.ne(rows.waves.groupby(rows.trials).transform("min"))
    months = pd.get_dummies(rows.strata.where(later), dtype=float)
    found = selection.regression_sensitivity(
        rows.y, rows.x, rows.controls.join(months), mine.clusters(rows), rows.patients,
        benchmarks={"readiness": names},
    )  # fmt: skip
    yield found.describe()
    yield found.benchmarks.set_index("label")


def negative_controls(mine: Records, outcome: str) -> Iterator[str | pd.DataFrame]:
    """The slope on the next attendance, and of the first score on later attendance."""
    rows = analysis_set(mine.panel, outcome, interviews="all")
    found, reasons = {}, {}
    try:
        ahead = selection.leads(rows.y, rows.x, rows.patients, rows.waves, rows.trials)
        found["attendance next time"] = panels.fit(
            ahead["y"], ahead["lead"], ahead["patient"], ahead["wave"], ahead[["x"]],
            trials=ahead["trial"],
        )  # fmt: skip
    except ValueError as refusal:
        reasons["attendance next time"] = str(refusal)
    first = f"{outcome}_baseline"
    try:
        past = analysis_set(mine.panel, first)
        found["score at the start"] = panels.fit(**past.repeated, method="pooled")
    except ValueError as refusal:
        reasons["score at the start"] = str(refusal)
    lines = "\n".join(f"{name}: {reason}" for name, reason in reasons.items())
    if not found:
        raise ValueError(lines)
    placebos = selection.negative_controls(found)
    yield placebos.describe()
    yield placebos.to_frame()
    yield lines


def bounds(mine: Records, outcome: str) -> Iterator[str | pd.DataFrame]:
    """Bounds on going weekly without assumptions and, in one trial, with its arm."""
    rows = analysis_set(mine.panel, outcome)
    weekly = mine.panel.loc[rows.y.index, "attendance"].ge(WEEKLY).astype(float)
    least, most = score_range(mine, outcome)
    one = rows.trials.nunique() == 1
    found = selection.bounds_by_assumption(
        rows.y, weekly, rows.z if one else None, mine.clusters(rows),
        outcome_range=(least, most), seed=SEED,
        instrument="mean independence" if one else "unrestricted",
    )  # fmt: skip
    yield "\n".join(each.describe() for each in found)
    yield selection.bounds_table(found)


def missing_outcome_bounds(mine: Records, outcome: str) -> selection.Bounds:
    """Bounds on the difference between arms whatever the scores of those not seen are."""
    later = mine.panel[mine.panel["wave"].gt(0) & ~mine.panel["died"].eq(1)]
    mine.refuse_if_few_lost(outcome, "the width of these bounds")
    return selection.missing_outcome_bounds(
        later[outcome], later["active"], mine.units(later),
        observed=later["observed"] & later[outcome].notna(),
        outcome_range=score_range(mine, outcome),
    )  # fmt: skip


def ladder(mine: Records, outcome: str) -> Iterator[str | pd.DataFrame | Drawing]:
    """Every answer on one scale, drawn and in words."""
    names = mine.readiness()
    found = ladder_of_evidence(
        mine.panel, outcome, data=f"{mine.title}: {mine.data}",
        benchmark=names[-1] if names else None, outcome_range=score_range(mine, outcome),
        draws=999, seed=SEED,
    )  # fmt: skip
    figure, ax = plt.subplots(figsize=(7, 0.5 * len(found.rungs) + 0.8))
    figures.ladder(
        found, ax, limits=(-0.1, 0.1),
        xlabel=f"change in {OUTCOMES[outcome]} per ten meeting days ({mine.data})",
    )  # fmt: skip
    yield Drawing(figure, found.describe())
    if mine.by_site:
        yield (
            f"The ladder counts patients as clusters, but {', '.join(mine.by_site)} randomized"
            " sites: what it shows of the randomized arm is too sure of itself. The page"
            " Instruments counts sites."
        )
    table = found.to_frame()
    yield table[["group", "estimate", "set", "zero", "trusts"]]


def score_range(mine: Records, outcome: str) -> tuple[float, float]:
    """Least and greatest composite: 0 and 1, or a little more where a trial's rule has no cap."""
    return 0.0, max(1.0, float(mine.panel[outcome].max()))
