"""Tables of the page *Panels*: regressions by every method, and over every defensible choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pooledbook.own.records import Records
from pooledtrials import panels


def regressions(rows: dict[str, Any]) -> pd.DataFrame:
    """The slope by every method, and why a method that cannot be used cannot."""
    fits, reasons = {}, {}
    for method in panels.METHODS:
        try:
            fits[method] = panels.fit(**rows, method=method)
        except ValueError as refusal:
            reasons[method] = str(refusal)
    if not fits:
        raise ValueError("\n".join(f"{name}: {reason}" for name, reason in reasons.items()))
    table = panels.compare(fits)
    if reasons:
        table["why not"] = ""
        table = pd.concat([table, pd.DataFrame({"why not": reasons})])
    return table.rename_axis("method")


def pooled(found: panels.MetaAnalysis) -> Iterator[str | pd.DataFrame]:
    """A meta-analysis in words, trial by trial, and without each trial if there are enough."""
    yield found.describe()
    yield found.trials
    if len(found.trials) > 2:
        yield found.leave_one_out()
    else:
        yield "Without one of two trials there is nothing to pool."


def specification_curve(mine: Records, outcome: str) -> panels.SpecificationCurve:
    """Fixed and random effects, pooled and first differences, with rows and exposure varied."""
    person = mine.panel.groupby(["trial", "patient"])["observed"]
    panel = mine.panel.assign(
        days=mine.panel["attendance"] / 10,
        capped=mine.panel["attendance"].clip(upper=20) / 10,
        always=True,
        later=mine.panel["wave"].gt(0),
        never_missed=person.transform("all"),
    )
    choices: dict[str, Any] = {
        "rows": {
            "all interviews": "always", "follow-ups only": "later",
            "people never missed": "never_missed",
        },
        "exposure": {"daily is 30 days": "days", "daily is 20 days": "capped"},
        "method": ["pooled", "random effects", "within", "first differences"],
    }  # fmt: skip
    if readiness := mine.readiness():
        choices["controls"] = {"none": (), "readiness": tuple(readiness)}
    return panels.specification_curve(panel, choices, panels.PanelAnalysis(outcome, "days"))
