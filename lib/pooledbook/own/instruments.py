"""Tables of the page *Instruments*: the offer, the first stage, and the report of an instrument."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pooledbook.own.pooling import facilitation
from pooledbook.own.records import Records
from pooledtrials import instruments
from pooledtrials.pooling import AnalysisSet, analysis_set

__all__ = [
    "arm_effects", "arm_of_each_trial", "facilitation", "first_stage_by_month", "report_tables",
]  # fmt: skip

EVERY = "all trials"
ASKED_ELSEWHERE = ("wild bootstrap", "randomization inference")
"""What the report leaves to others: the page has a section on permuting the arms."""


def arm_effects(mine: Records, outcome: str, part: str, unit: float = 1.0) -> pd.DataFrame:
    """What the active arm changed, by trial and in all of them.

    Parameters
    ----------
    part : ``"intention_to_treat"`` or ``"first_stage"`` of `instruments.wald_ratio`
    unit : by which estimates are multiplied
    """
    whole = analysis_set(mine.panel, outcome)
    sets = {name: _of_trial(mine, outcome, name) for name in whole.trials.unique()}
    if len(sets) > 1:
        sets[EVERY] = whole
    rows, reasons = {}, {}
    for name, chosen in sets.items():
        try:
            found = getattr(_ratio(mine, chosen), part)
        except ValueError as refusal:
            reasons[name] = str(refusal)
            continue
        low, high = found.interval(reference="t").end_points
        rows[name] = {
            "estimate": unit * found.coefficient, "standard error": unit * found.standard_error,
            "low": unit * low, "high": unit * high, "F": found.t_value**2,
            "rows": found.nobs, "patients": chosen.patients.nunique(),
        }  # fmt: skip
    if not rows:
        raise ValueError("\n".join(f"{name}: {reason}" for name, reason in reasons.items()))
    table = pd.DataFrame.from_dict(rows, orient="index")
    if reasons:
        table["why not"] = ""
        table = pd.concat([table, pd.DataFrame({"why not": reasons})])
    return table.rename_axis("trial")


def first_stage_by_month(mine: Records, outcome: str) -> pd.DataFrame:
    """How many more days the active arm attended at each planned month, within trials."""
    rows: dict[int, dict[str, float | str]] = {}
    for month in sorted(mine.panel.loc[mine.panel["wave"].gt(0), "wave"].unique()):
        panel = mine.panel[mine.panel["wave"].eq(month)]
        try:
            chosen = analysis_set(panel, outcome)
            stage = _ratio(mine, chosen).first_stage
        except ValueError as refusal:
            rows[month] = {"why not": str(refusal)}
            continue
        rows[month] = {
            "days": 10 * stage.coefficient, "standard error": 10 * stage.standard_error,
            "F": stage.t_value**2, "patients": chosen.patients.nunique(),
            "trials": str(chosen.trials.nunique()),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").fillna({"why not": ""}).rename_axis("month")


def arm_of_each_trial(mine: Records, outcome: str) -> pd.DataFrame:
    """The active arm of each trial as a column of its own.

    Raises
    ------
    ValueError
        If there is one trial only.
    """
    chosen = analysis_set(mine.panel, outcome)
    mine.refuse_one_trial("an instrument per trial", chosen.trials)
    arm = chosen.z.map({0.0: "comparison", 1.0: "active"})
    return instruments.trial_instruments(arm, chosen.trials, control="comparison")


def report_tables(found: instruments.WeakInstrumentReport) -> Iterator[str | pd.DataFrame]:
    """The report as tables by section, each number with what it is, and its sentences."""
    table = found.to_frame()
    readings = [found.endogeneity, found.asymmetry]
    yield (
        f"{found.nobs} rows, {found.n_clusters} clusters, {found.covariance} covariance."
        f" {next(iter(found.sets.values())).describe()}"
    )
    of_the_page = table["section"].eq("not applicable") & table["item"].isin(ASKED_ELSEWHERE)
    for section, rows in table[~of_the_page].groupby("section", sort=False):
        named = rows.drop(columns="section").set_index("item").rename_axis(str(section))
        filled = named.replace("", np.nan).dropna(axis=1, how="all")
        yield filled.rename(columns={"p_value": "p", "text": "in words"})
    yield "\n".join([found.first_stage.reading(), *(r.describe() for r in readings if r)])


def _of_trial(mine: Records, outcome: str, trial: str) -> AnalysisSet:
    return analysis_set(mine.panel[mine.panel["trial"].eq(trial)], outcome)


def _ratio(mine: Records, chosen: AnalysisSet) -> instruments.WaldRatio:
    return instruments.wald_ratio(**chosen.instrumented | {"clusters": mine.clusters(chosen)})
