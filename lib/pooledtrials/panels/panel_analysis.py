"""One panel regression as an object: the columns and settings that a specification can replace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from pooledtrials.arguments import choice
from pooledtrials.panels.imputation import Imputations
from pooledtrials.panels.options import Options
from pooledtrials.panels.regressions import METHODS, fit
from pooledtrials.panels.rubin import pool_estimates
from pooledtrials.panels.weighted_regression import weighted_regression
from pooledtrials.results import Estimate

Column: TypeAlias = str | Callable[[pd.DataFrame], "pd.Series[Any]"]
"""A column by its name, or a function of the panel that makes it."""


@dataclass(frozen=True)
class PanelAnalysis:
    """A regression of `fit`, told by columns of a panel; called with a panel, it estimates.

    ``PanelAnalysis("asi_drug", "attendance")(panel)`` is one analysis. Arguments by name replace
    fields, ``analysis(panel, method="pooled")``, which is how a curve runs its specifications:
    every field can be a choice. Rows in which the outcome, the exposure, a control or the weight is
    missing are left out (complete cases).

    Attributes
    ----------
    outcome, exposure : name of a column, or function of the panel
        A function gets the panel before rows are chosen, so that it can look at other interviews,
        and returns a Series with the panel's index. For a pool of processes it has to be one that
        a module defines by name.
    controls : names of columns
    rows : name of a column of true and false, or such a function, optional
        The rows of the analysis. They are chosen before the methods ``"lagged"`` and ``"first
        differences"`` look for previous interviews.
    weights : name of a column, or function of the panel, optional
        Such as the values of `follow_up_weights`; rows with 0 are left out. They need
        ``method="pooled"`` and ``effects="trial-wave"``: see `weighted_regression`.
    imputations : Imputations, or function of the panel that returns them, optional
        The analysis is that of every completed panel, combined by Rubin's rules.
    method, effects, covariance, variant, gaps
        As in `fit`.
    patients, waves, trials, clusters : names of columns
        ``trials`` and ``clusters`` can be None.
    standardised : whether outcome and exposure are divided by their standard deviations
        Over all rows of the panel that have them. Estimates with attendance in days, logs or as
        any against none have different units; standardised, they can lie on one curve.
    """

    outcome: Column
    exposure: Column
    controls: Sequence[str] = ()
    rows: Column | None = None
    weights: Column | None = None
    imputations: Imputations | Callable[[pd.DataFrame], Imputations] | None = None
    method: str = "within"
    effects: str = "trial-wave"
    covariance: str = "clustered"
    variant: str = "CR1S"
    gaps: str = "skip"
    patients: str = "patient"
    waves: str = "wave"
    trials: str | None = "trial"
    clusters: str | None = None
    standardised: bool = False

    def __post_init__(self) -> None:
        choice(self.method, "method", METHODS)
        Options(self.effects, self.covariance, self.variant, gaps=self.gaps)
        if isinstance(self.controls, str):
            raise ValueError(
                f"controls is {self.controls!r}: give names of columns, as in ({self.controls!r},)"
            )

    def __call__(self, panel: pd.DataFrame, **chosen: Any) -> Estimate:
        """The estimate, with the fields in ``chosen`` replaced.

        Raises
        ------
        ValueError
            For unknown fields, settings or columns, and as `fit` and `weighted_regression`.
        """
        self.check(panel, {name: {"given": option} for name, option in chosen.items()})
        return replace(self, **chosen)._estimate(panel)

    def check(self, panel: pd.DataFrame, choices: Mapping[str, Mapping[str, Any]]) -> None:
        """Refuse choices that are no fields, and options that are no settings or columns.

        Raises
        ------
        ValueError
            Naming the first one.
        """
        known = [field.name for field in fields(self)]
        for name in choices:
            if name not in known:
                raise ValueError(
                    f"choices has {name!r}, no part of a PanelAnalysis: choose among"
                    f" {', '.join(known)}, or write an analysis of your own"
                )
        options = [{name: option} for name, named in choices.items() for option in named.values()]
        for option in options:
            replace(self, **option)._refuse_unknown(panel, list(option))
        self._refuse_unknown(panel, [name for name in known if name not in choices])

    def _refuse_unknown(self, panel: pd.DataFrame, arguments: list[str]) -> None:
        for argument in _COLUMNS:
            value = getattr(self, argument)
            names = value if argument == "controls" else [value]
            for name in names:
                if argument in arguments and isinstance(name, str) and name not in panel:
                    raise ValueError(
                        f"{argument} is {name!r}, but panel has no such column: choose among"
                        f" {', '.join(map(str, panel))}"
                    )

    def _estimate(self, panel: pd.DataFrame) -> Estimate:
        spreads = (1.0, 1.0)
        if self.standardised:
            spreads = (
                float(_values(panel, self.outcome, "outcome").std()),
                float(_values(panel, self.exposure, "exposure").std()),
            )
        if self.imputations is None:
            return self._of_complete_cases(panel, spreads)
        made = self.imputations
        imputations = made if isinstance(made, Imputations) else made(panel)
        if not imputations.missing.index.equals(panel.index):
            raise ValueError(
                f"imputations have {len(imputations.missing)} rows that are not the"
                f" {len(panel)} of the panel: impute this panel, or give a function that does"
            )
        return pool_estimates(
            [
                self._of_complete_cases(panel.assign(**completed), spreads)
                for completed in imputations.completed
            ]
        )

    def _of_complete_cases(self, panel: pd.DataFrame, spreads: tuple[float, float]) -> Estimate:
        y = _values(panel, self.outcome, "outcome") / spreads[0]
        x = _values(panel, self.exposure, "exposure") / spreads[1]
        controls = panel[list(self.controls)]
        used = y.notna() & x.notna() & controls.notna().all(axis=1)
        if self.rows is not None:
            used &= _flags(panel, self.rows)
        weights = None
        if self.weights is not None:
            weights = _values(panel, self.weights, "weights")
            used &= weights.notna() & (weights > 0)
        if not used.any():
            raise ValueError(
                f"panel has no row left of {len(panel)}: all lack something, or are not chosen"
            )
        labels: dict[str, Any] = {
            name: None if column is None else panel.loc[used, column]
            for name, column in (
                ("patients", self.patients),
                ("waves", self.waves),
                ("clusters", self.clusters),
                ("trials", self.trials),
            )
        }
        held = controls[used] if len(self.controls) else None
        if weights is None:
            return fit(
                y[used], x[used], controls=held, **labels, method=self.method,
                effects=self.effects, covariance=self.covariance, variant=self.variant,
                gaps=self.gaps,
            )  # fmt: skip
        for name, needed in (
            ("method", "pooled"), ("effects", "trial-wave"), ("covariance", "clustered"),
            ("variant", "CR1S"),
        ):  # fmt: skip
            if getattr(self, name) != needed:
                raise ValueError(f"weights need {name}={needed!r}, not {getattr(self, name)!r}")
        return weighted_regression(y[used], x[used], weights[used], controls=held, **labels)


_COLUMNS = (
    "outcome", "exposure", "controls", "rows", "weights", "patients", "waves", "trials", "clusters",
)  # fmt: skip
_NUMBERS = ("boolean", "integer", "floating", "mixed-integer-float", "decimal", "empty")


def _values(panel: pd.DataFrame, column: Column, argument: str) -> pd.Series[float]:
    """The numbers that a column or a function of the panel has, one a row."""
    made = panel[column] if isinstance(column, str) else column(panel)
    if not isinstance(made, pd.Series) or not made.index.equals(panel.index):
        raise ValueError(
            f"{argument}: the function gave a {type(made).__name__} without the panel's index:"
            " return a Series with one value per row of the panel"
        )
    if pd.api.types.infer_dtype(made, skipna=True) not in _NUMBERS:
        raise ValueError(f"{argument} holds {made.dtype} values, not numbers: code them as numbers")
    return made.where(made.notna(), np.nan).astype(float)


def _flags(panel: pd.DataFrame, column: Column) -> pd.Series[bool]:
    flags = _values(panel, column, "rows")
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError("rows holds values other than true and false: give a condition")
    return flags == 1
