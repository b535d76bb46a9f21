"""The specification curve: one question, every defensible analysis, all the answers at once.

What a regression says depends on choices that could have gone another way. A curve makes every
combination of them and shows all estimates, sorted, with the choices behind each
[simonsohn2020specification]. Its spread is what the choices decide; what all specifications have in
common, such as a confounder that nobody measured, it cannot show.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import fraction
from pooledtrials.panels.panel_analysis import PanelAnalysis
from pooledtrials.panels.specification_grid import (
    RESULTS,
    Choices,
    checked_grid,
    named_options,
    words,
)
from pooledtrials.panels.specification_moves import by_choice, by_option
from pooledtrials.results import Estimate

Analysis: TypeAlias = Callable[..., Estimate]
"""``analysis(panel, **options) -> Estimate``, an argument per choice."""

_BLOCK: Final = 8
"""Specifications of one task: each task carries the panel to its worker."""


@dataclass(frozen=True, eq=False)
class SpecificationCurve:
    """What every specification found.

    Attributes
    ----------
    frame : a row per specification, in the order asked for
        A column per choice with the option's name; ``estimate``, ``se``, and ``low``, ``high`` of
        the interval, in units of the outcome per unit of the exposure; ``p``; ``n`` rows; and
        ``reason``, empty unless the specification could not be estimated.
    choices : options by choice, and what each stands for
    analysis : what was called
    level : of the intervals
    """

    frame: pd.DataFrame
    choices: Mapping[str, Mapping[str, Any]]
    analysis: Analysis
    level: float

    @property
    def estimated(self) -> pd.DataFrame:
        """The rows with an estimate."""
        return self.frame[self.frame["reason"] == ""]

    @property
    def failed(self) -> pd.DataFrame:
        """The rows without one, with the reason."""
        return self.frame.loc[self.frame["reason"] != "", [*self.choices, "reason"]]

    @property
    def significant(self) -> pd.Series[bool]:
        """Whether each estimate's interval leaves 0 out."""
        found = self.estimated
        return (found["low"] > 0) | (found["high"] < 0)

    def ordered(self) -> pd.DataFrame:
        """The rows with an estimate from the smallest to the largest; equal ones keep order."""
        return self.estimated.sort_values("estimate", kind="stable")

    def summary(self) -> pd.DataFrame:
        """The curve in a few numbers, one row each."""
        found, significant = self.estimated, self.significant
        numbers = {
            "specifications": len(self.frame),
            "not estimated": len(self.failed),
            "smallest": found["estimate"].min(),
            "lower quartile": found["estimate"].quantile(0.25),
            "median": found["estimate"].median(),
            "upper quartile": found["estimate"].quantile(0.75),
            "largest": found["estimate"].max(),
            "share negative": (found["estimate"] < 0).mean(),
            "share positive": (found["estimate"] > 0).mean(),
            "share significant": significant.mean(),
            "share significant and negative": (significant & (found["estimate"] < 0)).mean(),
            "share significant and positive": (significant & (found["estimate"] > 0)).mean(),
        }
        return pd.Series(numbers, name="value", dtype=float).to_frame()

    def by_option(self) -> pd.DataFrame:
        """What specifications with each option found, see `specification_moves`."""
        return by_option(self.frame, self.choices)

    def by_choice(self) -> pd.DataFrame:
        """How much each choice moves the estimate, see `specification_moves`."""
        return by_choice(self.estimated, self.choices)

    def describe(self) -> str:
        """What the curve shows, in words."""
        ordered, numbers = self.ordered(), self.summary()["value"]
        names = list(self.choices)
        several = [f"{len(options)} of {name}" for name, options in self.choices.items()]
        lines = [
            f"{len(self.frame)} specifications from these options: {', '.join(several)}.",
            f"The estimate has a median of {numbers['median']:.4g}. It goes from"
            f" {numbers['smallest']:.4g} ({words(ordered.iloc[0][names])}) to"
            f" {numbers['largest']:.4g} ({words(ordered.iloc[-1][names])}).",
            f"{_percent(numbers['share negative'])} of estimates are negative;"
            f" {_percent(numbers['share significant'])} have a {100 * self.level:g} % interval"
            f" without 0 ({_percent(numbers['share significant and negative'])} below it,"
            f" {_percent(numbers['share significant and positive'])} above).",
        ]
        moves = self.by_choice()
        if moves["total"].notna().any():
            first = moves["total"].idxmax()
            lines.append(
                f"The choice that moves it most is {first}: {_percent(moves.at[first, 'total'])} of"
                f" the variance over specifications involves it, and switching it alone moves the"
                f" estimate by {moves.at[first, 'switch']:.3g} in the median."
            )
        lines += [
            f"{count} could not be estimated: {reason}"
            for reason, count in self.failed["reason"].value_counts(sort=False).items()
        ]
        lines.append(
            "Specifications share the data, so that the share of significant ones is no test, and"
            " they share whatever none of them holds constant."
        )
        return "\n".join(lines)


def specification_curve(
    panel: pd.DataFrame,
    choices: Choices,
    analysis: Analysis,
    *,
    specifications: pd.DataFrame | None = None,
    level: float = 0.95,
    executor: Executor | None = None,
) -> SpecificationCurve:
    """Estimate every specification once.

    Estimates lie on one curve only if they have one unit: scale options of the outcome and the
    exposure alike, for instance with ``standardised`` of `PanelAnalysis`.

    Parameters
    ----------
    panel : pandas.DataFrame
        What the analysis is given, first.
    choices : mapping of choices to their options
        An option is a name and what it stands for, anything that the analysis understands: the
        name of a column, names of controls, a function of the panel. A list holds options whose
        names stand for themselves.
    analysis : function of the panel and of an argument per choice, or a `PanelAnalysis`
        Returns an `Estimate`. A ValueError says that a specification cannot be estimated, and is
        kept as its reason; any other exception ends the run.
    specifications : rows of `specifications`, optional
        The combinations to estimate; all of them by default.
    level : level of the intervals
    executor : concurrent.futures.Executor, optional
        Threads, processes or a Dask client's executor; None runs here. Results are the same, in
        the same order. Processes need analysis and options that can be pickled: functions that a
        module defines, not lambdas.

    Returns
    -------
    SpecificationCurve

    Raises
    ------
    ValueError
        For unusable choices, an analysis that does not take them, unknown columns with a
        `PanelAnalysis`, something returned that is no `Estimate`, and if nothing could be
        estimated.
    """
    if not isinstance(panel, pd.DataFrame):
        raise ValueError(f"panel is a {type(panel).__name__}: give a DataFrame")
    fraction(level, "level")
    options = named_options(choices)
    grid = checked_grid(specifications, options)
    _refuse_unwanted(analysis, panel, options)
    rows: list[dict[str, str]] = grid.to_dict("records")
    blocks = [rows[i : i + _BLOCK] for i in range(0, len(rows), _BLOCK)]
    tasks = [(panel, analysis, options, block, level) for block in blocks]
    if executor is None:
        parts = [_estimate(*task) for task in tasks]
    else:
        futures = [executor.submit(_estimate, *task) for task in tasks]
        parts = [future.result() for future in futures]
    found = [result for part in parts for result in part]
    results = pd.DataFrame(found, columns=list(RESULTS), index=grid.index)
    curve = SpecificationCurve(pd.concat([grid, results], axis=1), options, analysis, level)
    if curve.estimated.empty:
        raise ValueError(
            f"analysis could estimate none of {len(rows)} specifications; the first"
            f" ({words(rows[0])}): {found[0][-1]}"
        )
    return curve


def estimates_only(
    panel: pd.DataFrame,
    analysis: Analysis,
    options: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Mapping[str, str]],
    level: float,
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Estimate, standard error and half width of the interval, (rows, 3), and reasons for nan."""
    found = _estimate(panel, analysis, options, rows, level)
    table = np.array([(b, se, (high - low) / 2) for b, se, low, high, *_ in found])
    return table, [str(result[-1]) for result in found]


def _estimate(
    panel: pd.DataFrame,
    analysis: Analysis,
    options: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Mapping[str, str]],
    level: float,
) -> list[tuple[Any, ...]]:
    """The columns `RESULTS` of some specifications."""
    return [_one(panel, analysis, options, row, level) for row in rows]


def _one(
    panel: pd.DataFrame,
    analysis: Analysis,
    options: Mapping[str, Mapping[str, Any]],
    row: Mapping[str, str],
    level: float,
) -> tuple[Any, ...]:
    chosen = {name: options[name][option] for name, option in row.items()}
    nothing = (math.nan,) * 5
    try:
        found = analysis(panel, **chosen)
    except ValueError as error:
        return (*nothing, 0, str(error) or type(error).__name__)
    except Exception as error:
        error.add_note(f"in the specification with {words(row)}")
        raise
    if not isinstance(found, Estimate):
        raise ValueError(
            f"analysis returned a {type(found).__name__} for {words(row)}: return an Estimate"
        )
    estimate, error_of = found.coefficient, found.standard_error
    if not (math.isfinite(estimate) and 0 < error_of < math.inf):
        reason = f"the estimate is {estimate:g} with a standard error of {error_of:g}"
        return (*nothing, found.nobs, reason)
    ((low, high),) = found.interval(level).intervals
    return (estimate, error_of, low, high, found.p_value, found.nobs, "")


def _refuse_unwanted(
    analysis: Analysis, panel: pd.DataFrame, options: Mapping[str, Mapping[str, Any]]
) -> None:
    if not callable(analysis):
        raise ValueError(f"analysis is {analysis!r}: give a function or a PanelAnalysis")
    if isinstance(analysis, PanelAnalysis):
        analysis.check(panel, options)
        return
    try:
        inspect.signature(analysis).bind(panel, **dict.fromkeys(options))
    except TypeError as error:
        raise ValueError(
            f"analysis cannot be called with the panel and {', '.join(options)} ({error}): name"
            " choices as its arguments"
        ) from None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
