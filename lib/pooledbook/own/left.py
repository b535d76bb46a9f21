"""Tables of the page *Those who left*: what may have been lost with those not seen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pooledbook.own.discretion import hide_with_complement
from pooledbook.own.records import Records
from pooledtrials import panels
from pooledtrials.results import Estimate

SEED = 2020
IMPUTATIONS = 10
DELTAS = np.linspace(-0.2, 0.2, 21)
"""Shifts of the imputed scores that are tried, in units of the score."""

_LABELS = {"patients": "patient", "waves": "wave", "trials": "trial"}


def follow_up(mine: Records) -> Iterator[str | pd.DataFrame]:
    """Shares interviewed after the start, differences between arms, patterns, and the test."""
    rows = mine.panel
    if rows["wave"].nunique() > 2:
        rows = rows[rows["wave"].gt(0)]
    comparison = {
        trial.specification.trial: next(
            arm.name for arm in trial.specification.design.arms if arm.role == "comparison"
        )
        for trial in mine.trials
    }
    found = panels.follow_up(
        rows["observed"], rows["arm"], rows["patient"], rows["wave"],
        clusters=mine.units(rows) if mine.by_site else None, trials=rows["trial"],
        control=comparison,
    )  # fmt: skip
    shares, patterns, differences = found.shares, found.patterns, found.differences
    if mine.private:
        yield str(found.test)
        held = hide_with_complement(shares[["interviewed"]], shares["randomized"])["interviewed"]
        hidden = held.eq("hidden")
        shares = shares.astype(object)
        shares.loc[hidden, ["interviewed", "share", "standard_error"]] = "hidden"
        yield shares
        return
    yield found.describe()
    yield shares
    yield differences
    yield patterns


def follow_up_predictors(mine: Records) -> Iterator[str | pd.DataFrame]:
    """A logistic regression of being interviewed on what was known at the start, and the arm."""
    planned = _planned(mine)
    names = [*mine.known_at_start(), "active"]
    found = panels.follow_up_predictors(
        planned["observed"], planned[names].astype(float), planned["patient"], planned["wave"],
        clusters=mine.units(planned), trials=planned["trial"],
    )  # fmt: skip
    yield str(found.test) if mine.private else found.describe()
    yield found.frame


def remedies(mine: Records, outcome: str) -> Iterator[str | pd.DataFrame]:
    """The difference between arms as seen, weighted for follow-up, and with the lost imputed."""
    planned = _planned(mine)
    first = f"{outcome}_baseline"
    has_first = planned[first].notna()
    planned = planned[has_first]
    keys = {name: planned[column] for name, column in _LABELS.items()}
    keys["clusters"] = mine.units(planned)
    seen = planned["observed"] & planned[outcome].notna()
    names = [n for n in mine.known_at_start() if n in planned]
    names = list(dict.fromkeys([*names, first, "active"]))
    weights = panels.follow_up_weights(
        seen, planned[names].astype(float), planned["wave"], planned["trial"],
        numerator=planned[["active"]], separate=False,
    )  # fmt: skip
    if not mine.private:
        yield weights.describe()
    held = {"as seen": seen.astype(float), "weighted for follow-up": weights.values}
    found: dict[str, Estimate] = {
        name: panels.weighted_regression(
            planned[outcome], planned["active"], weight, controls=planned[[first]], **keys
        )
        for name, weight in held.items()
    }
    imputed, panel = _imputed(mine, outcome)
    found["imputed"] = panels.analyse_imputations(imputed, _contrast(mine, panel, outcome))
    yield pd.DataFrame(
        {
            name: dict(
                zip(
                    ("estimate", "standard error", "low", "high"),
                    (e.coefficient, e.standard_error, *e.interval().end_points),
                    strict=True,
                )
            )
            for name, e in found.items()
        }
    ).T.rename_axis("difference between arms")


def tipping_point(mine: Records, outcome: str) -> Iterator[str | pd.DataFrame]:
    """What becomes of the difference if those lost from the active arm were better or worse."""
    mine.refuse_if_few_lost(outcome, "the slope of this table")
    imputed, panel = _imputed(mine, outcome)
    shift = panel["active"] * panel["wave"].gt(0)
    found = panels.tipping_point(imputed, _contrast(mine, panel, outcome), outcome, shift, DELTAS)
    yield found.describe()
    yield found.frame.set_index("delta").iloc[::2]


def lee_bounds(mine: Records, outcome: str) -> Iterator[str | pd.DataFrame]:
    """Bounds for those who would be seen in either arm, at the last planned month of each trial."""
    last = mine.panel.groupby("trial")["wave"].transform("max")
    rows = mine.panel[mine.panel["wave"].eq(last)]
    found = panels.lee_bounds(
        rows[outcome], rows["active"], rows["observed"] & rows[outcome].notna(),
        clusters=mine.units(rows), strata=rows["trial"],
    )  # fmt: skip
    if mine.private:
        yield f"Interval for the effect on those who would be seen in either arm: {found.interval}."
    else:
        yield found.describe()
    yield found.to_frame()


def _planned(mine: Records) -> pd.DataFrame:
    """Planned follow-ups of those who were alive, as far as is known."""
    panel = mine.panel
    return panel[panel["wave"].gt(0) & ~panel["died"].eq(1)]


@cache
def _imputed(mine: Records, outcome: str) -> tuple[panels.Imputations, pd.DataFrame]:
    """Impute score and attendance of all planned interviews of those who did not die."""
    panel = mine.panel[~mine.panel["died"].eq(1)]
    asked = panel.groupby("trial")[outcome].transform("count").gt(0)
    panel = panel[asked]
    imputed = panels.impute(
        panel[[outcome, "attendance"]], panel["arm"], panel["patient"], panel["wave"],
        trials=panel["trial"], imputations=IMPUTATIONS, seed=SEED,
    )  # fmt: skip
    return imputed, panel


def _contrast(mine: Records, panel: pd.DataFrame, outcome: str) -> Any:
    """The difference between arms in a completed panel, the first score held constant."""
    later = panel["wave"].gt(0)
    start = panel["wave"].eq(0)
    person = panel["trial"] + " " + panel["patient"]

    def difference(done: pd.DataFrame) -> Estimate:
        first = person.map(dict(zip(person[start], done.loc[start, outcome], strict=True)))
        rows = panel[later]
        return panels.weighted_regression(
            done.loc[later, outcome], rows["active"], np.ones(len(rows)),
            controls=first[later].to_frame("first"), clusters=mine.units(rows),
            **{name: rows[column] for name, column in _LABELS.items()},
        )  # fmt: skip

    return difference
