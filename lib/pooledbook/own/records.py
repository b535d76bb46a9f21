"""The records that the pages of one pool are about: its panel, its names, and how to show of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pooledbook.own.showing import show
from pooledtrials.pooling import AnalysisSet, Trial, load_pool, load_trial
from pooledtrials.pooling.disclosure import THRESHOLD
from pooledtrials.pooling.yaml_file import read_yaml

OUTCOMES: Mapping[str, str] = {"asi_drug": "drug score", "asi_alcohol": "alcohol score"}
"""The outcomes that the pages are about, where the trials have them, and their names."""
READINESS = ("recognition", "ambivalence", "taking_steps")
"""Scales of readiness to change, the benchmark of the book where they were asked repeatedly."""


@dataclass(frozen=True, eq=False)
class Records:
    """One or more trials, as the pages see them.

    Attributes
    ----------
    name, title : of the pool, or of the trial
    trials : with their specifications and logs
    panel : all of them as one
    """

    name: str
    title: str
    trials: tuple[Trial, ...]
    panel: pd.DataFrame

    @cached_property
    def sources(self) -> dict[str, str]:
        """By trial: real, synthetic or private, as its specification says."""
        return {t.specification.trial: t.specification.source for t in self.trials}

    @property
    def private(self) -> tuple[str, ...]:
        """The trials whose small counts are hidden."""
        return tuple(name for name, source in self.sources.items() if source == "private")

    @property
    def by_site(self) -> tuple[str, ...]:
        """The trials that randomized sites."""
        every = (trial.specification for trial in self.trials)
        return tuple(one.trial for one in every if one.design.allocation == "cluster")

    @property
    def data(self) -> str:
        """What kind of records these are, for every caption."""
        kinds = dict.fromkeys(self.sources.values())
        if len(kinds) == 1:
            return next(iter(kinds))
        groups = {
            kind: ", ".join(name for name, source in self.sources.items() if source == kind)
            for kind in kinds
        }
        return "; ".join(f"{kind} ({names})" for kind, names in groups.items())

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes of these pages that anybody here has."""
        return tuple(
            outcome
            for outcome in OUTCOMES
            if outcome in self.panel and self.panel[outcome].notna().any()
        )

    def units(self, rows: pd.DataFrame) -> pd.Series[str]:
        """Label for each row of the panel what was randomized: the patient, or the site."""
        patients = rows["trial"] + " " + rows["patient"].astype(str)
        sites = rows["trial"] + ", site " + rows["site"].astype(str)
        return patients.mask(rows["trial"].isin(self.by_site), sites)

    def clusters(self, rows: AnalysisSet) -> pd.Series[str]:
        """Label the same for each row of an analysis set."""
        return self.units(self.panel.loc[rows.y.index])

    def refuse_if_few_lost(self, outcome: str, what: str) -> None:
        """Say why `what` is not shown of private records, if it tells how few were lost."""
        later = self.panel[self.panel["wave"].gt(0) & self.panel["trial"].isin(self.private)]
        lost = later[outcome].isna().groupby([later["trial"], later["active"]]).sum()
        if lost.between(1, THRESHOLD - 1).any():
            raise ValueError(
                f"few were lost from an arm, and {what} would tell how many: of private records it"
                " is not shown"
            )

    def readiness(self) -> list[str]:
        """The scales of readiness that each trial asked again after the start."""
        later = self.panel[self.panel["wave"].gt(0)]
        return [
            name
            for name in READINESS
            if name in later and later.groupby("trial")[name].nunique().gt(1).all()
        ]

    def known_at_start(self) -> tuple[str, ...]:
        """Baseline numbers that every patient of every trial has, and that differ."""
        start = self.panel[self.panel["wave"].eq(0)]
        first = ["prior_attendance", *(f"{outcome}_baseline" for outcome in self.outcomes)]
        of_trials = [name for t in self.trials for name in t.specification.baseline]
        return tuple(
            name
            for name in dict.fromkeys([*first, *of_trials])
            if pd.api.types.is_numeric_dtype(start[name])
            and start[name].notna().all()
            and start[name].nunique() > 1
        )

    @staticmethod
    def refuse_one_trial(what: str, trials: pd.Series[str]) -> None:
        """Say that `what` needs several trials, if rows of one only are left."""
        if trials.nunique() == 1:
            raise ValueError(f"{trials.iloc[0]} is one trial: {what} needs two or more")

    def once(self, caption: str) -> Callable[[Callable[[], Any]], None]:
        """Decorate a function of nothing: its result is shown, under `caption`."""

        def decorated(compute: Callable[[], Any]) -> None:
            end = "" if caption.endswith("?") else "."
            show(compute, f"{caption}{end} {self.title}: {self.data}.", bool(self.private))

        return decorated

    def per_outcome(self, caption: str) -> Callable[[Callable[[str], Any]], None]:
        """Decorate a function of an outcome: each result is shown, under `caption`."""

        def decorated(compute: Callable[[str], Any]) -> None:
            for outcome in self.outcomes:
                self.once(f"{OUTCOMES[outcome].capitalize()}: {caption}")(
                    lambda outcome=outcome: compute(outcome)  # type: ignore[misc]
                )

        return decorated


def open_records(path: str | Path) -> Records:
    """Load what a YAML file names: a pool, or one trial.

    Raises
    ------
    SpecificationError, RawTableError, PanelError, ValueError
        Whatever is wrong with it, with its place.
    """
    path = Path(path)
    if "pool" in read_yaml(path):
        pool = load_pool(path)
        return Records(pool.name, pool.title, pool.trials, pool.panel)
    trial = load_trial(path)
    specification = trial.specification
    return Records(specification.trial, specification.title, (trial,), trial.panel)
