"""Joint tests of a specification curve: whether it is farther from 0 than chance would make it.

Specifications share their data, so that many of them are significant together or not at all. What
chance does to the whole curve is seen by drawing panels and running all specifications on each
[simonsohn2020specification], in one of two ways.

*Bootstrap*: patients are drawn with replacement, and each specification's estimate ``b*`` is set
against its own in the data: ``b* - b`` is how far chance moves an estimate whose coefficient is 0.
For least squares it is what the outcome ``y - x b`` gives, which has no effect in it by
construction. The null is that every specification's coefficient is 0, whatever confounds it.

*Permutation*: what was randomized is exchanged between patients. The null is that it has no effect
on anybody, and p-values are exact if the exchanges are those that randomization could have made.

Three statistics: the median estimate, the larger of the shares significantly below and above 0,
and the mean t ratio. For those with a sign, p-values are two-sided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import Matrix, Vector
from pooledtrials.panels.redraws import PermuteBetweenUnits, ResamplePatients
from pooledtrials.panels.specification_curve import SpecificationCurve, estimates_only
from pooledtrials.panels.specification_grid import words
from pooledtrials.resampling import Seed, generator_of
from pooledtrials.results import Test

STATISTICS: Final = ("median estimate", "share significant", "mean t")

Redraw: TypeAlias = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
"""``redraw(panel, generator) -> panel``."""

PATIENTS: Final = ResamplePatients()
"""Resamples patients within trials, by the columns ``patient`` and ``trial``."""

_BLOCK: Final = 4
"""Draws of one task: each task carries the panel to its worker."""


@dataclass(frozen=True, eq=False)
class JointTest:
    """A curve against those that chance gave.

    Attributes
    ----------
    tests : by statistic, one of `STATISTICS`
    statistics : a row per draw, a column per statistic, under the null
    band : by rank of the estimate, from the smallest: ``low``, ``median`` and ``high`` of the
        estimates with that rank in curves under the null, at the curve's level
    how : ``"bootstrap"`` or ``"permutation"``
    failures : specifications of all draws that could not be estimated; statistics are of the others
    """

    tests: Mapping[str, Test]
    statistics: pd.DataFrame
    band: pd.DataFrame
    how: str
    failures: int

    def to_frame(self) -> pd.DataFrame:
        """Each statistic, its median under the null, and its p-value."""
        return pd.DataFrame(
            {
                "statistic": {name: test.statistic for name, test in self.tests.items()},
                "median under the null": self.statistics.median(),
                "p": {name: test.p_value for name, test in self.tests.items()},
            }
        ).loc[list(STATISTICS)]

    def describe(self) -> str:
        """What the tests say, in words."""
        draws = len(self.statistics)
        lines = [
            f"If {next(iter(self.tests.values())).null}, curves of {draws} {self.how} draws would"
            " show:"
        ]
        for name, row in self.to_frame().iterrows():
            lines.append(
                f"{name}: {row['statistic']:.4g}, against {row['median under the null']:.4g} in the"
                f" median draw, p = {row['p']:.3g}."
            )
        lines.append(f"No p-value can be below {1 / (draws + 1):.2g}.")
        if self.failures:
            lines.append(f"{self.failures} estimates of draws do not exist and were left out.")
        return "\n".join(lines)


def bootstrap_joint_test(
    curve: SpecificationCurve,
    panel: pd.DataFrame,
    resample: Redraw = PATIENTS,
    *,
    draws: int = 199,
    seed: Seed = 0,
    executor: Executor | None = None,
) -> JointTest:
    """Test that every specification's coefficient is 0, by resampling patients.

    It fails where a bootstrap does: with few patients or clusters in a stratum.

    Parameters
    ----------
    curve : SpecificationCurve
        Of this panel; specifications that could not be estimated are left out.
    panel : pandas.DataFrame
        What the curve was made of. Options that hold values for its rows, such as `Imputations`,
        do not fit a resampled panel: give columns, or functions of the panel.
    resample : function of a panel and a generator
        Draws whole patients, or the clusters that errors are clustered by, as `ResamplePatients`.
    draws : how many
    seed : int, SeedSequence or Generator
        The answer depends on it, not on the executor.
    executor : as in `specification_curve`

    Raises
    ------
    ValueError
        For fewer than 19 draws, something drawn that is no frame, or a specification that cannot be
        estimated in half of the draws.
    """
    null = "no specification's coefficient differs from 0"
    return _joint_test(curve, panel, resample, "bootstrap", null, draws, seed, executor)


def permutation_joint_test(
    curve: SpecificationCurve,
    panel: pd.DataFrame,
    permute: PermuteBetweenUnits | Redraw,
    *,
    draws: int = 199,
    seed: Seed = 0,
    executor: Executor | None = None,
) -> JointTest:
    """Test that what was randomized has no effect on anybody, by randomizing it anew.

    It is for exposures that were randomized, such as arms. Attendance was not: exchanging it
    between patients would also break what ties it to everything else about them.

    Parameters
    ----------
    permute : function of a panel and a generator
        Exchanges what was randomized, as `PermuteBetweenUnits`.
    curve, panel, draws, seed, executor
        As in `bootstrap_joint_test`.

    Raises
    ------
    ValueError
        As `bootstrap_joint_test`.
    """
    null = "what was randomized has no effect on anybody"
    return _joint_test(curve, panel, permute, "permutation", null, draws, seed, executor)


def _joint_test(
    curve: SpecificationCurve,
    panel: pd.DataFrame,
    redraw: Redraw,
    how: str,
    null: str,
    draws: int,
    seed: Seed,
    executor: Executor | None,
) -> JointTest:
    if not isinstance(draws, int | np.integer) or draws < 19:
        raise ValueError(f"draws is {draws!r}: give a whole number, 19 or more")
    found = curve.estimated
    rows: list[dict[str, str]] = found[list(curve.choices)].to_dict("records")
    keys = generator_of(seed).integers(2**63, size=draws)
    blocks = [keys[i : i + _BLOCK] for i in range(0, draws, _BLOCK)]
    tasks = [(curve, panel, redraw, rows, block) for block in blocks]
    if executor is None:
        parts = [_tables(*task) for task in tasks]
    else:
        futures = [executor.submit(_tables, *task) for task in tasks]
        parts = [future.result() for future in futures]
    tables = np.concatenate([table for table, _ in parts])
    _refuse_failing(tables, [r for _, reasons in parts for r in reasons], rows)
    if how == "bootstrap":
        tables[:, :, 0] -= found["estimate"].to_numpy()
    half = (found["high"] - found["low"]) / 2
    own = _statistics(np.column_stack([found["estimate"], found["se"], half]))
    drawn = np.array([_statistics(table) for table in tables])
    # a draw that is the data itself counts, whatever its rounding
    as_large = np.abs(drawn) >= np.abs(own) * (1 - 1e-12)
    p_values = (1 + as_large.sum(axis=0)) / (draws + 1)
    return JointTest(
        tests={
            name: Test(name, float(own[j]), float(p_values[j]), f"{draws} {how} draws", (), null)
            for j, name in enumerate(STATISTICS)
        },
        statistics=pd.DataFrame(drawn, columns=list(STATISTICS)).rename_axis("draw"),
        band=_band(tables[:, :, 0], curve.level),
        how=how,
        failures=int(np.isnan(tables[:, :, 0]).sum()),
    )


def _tables(
    curve: SpecificationCurve,
    panel: pd.DataFrame,
    redraw: Redraw,
    rows: Sequence[Mapping[str, str]],
    keys: npt.NDArray[np.int64],
) -> tuple[Matrix, list[list[str]]]:
    """Estimates, standard errors and half widths, (draws, specifications, 3); and reasons."""
    tables, reasons = [], []
    for key in keys:
        drawn = redraw(panel, np.random.default_rng(key))
        if not isinstance(drawn, pd.DataFrame):
            raise ValueError(f"the redraw gave a {type(drawn).__name__}: return a panel")
        table, why = estimates_only(drawn, curve.analysis, curve.choices, rows, curve.level)
        tables.append(table)
        reasons.append(why)
    return np.array(tables), reasons


def _statistics(table: Matrix) -> Vector:
    """The three statistics of one curve, (specifications, 3), where it has estimates."""
    estimate, error, half = table[~np.isnan(table[:, 0])].T
    if not estimate.size:
        return np.zeros(3)
    below, above = (estimate < -half).mean(), (estimate > half).mean()
    return np.array([np.median(estimate), max(below, above), (estimate / error).mean()])


def _band(estimates: Matrix, level: float) -> pd.DataFrame:
    """Quantiles by rank, over draws in which every specification has an estimate."""
    whole = np.sort(estimates[~np.isnan(estimates).any(axis=1)], axis=1)
    shares = [(1 - level) / 2, 0.5, (1 + level) / 2]
    if not len(whole):
        whole = np.full((1, estimates.shape[1]), np.nan)
    values = np.quantile(whole, shares, axis=0).T
    return pd.DataFrame(values, columns=["low", "median", "high"]).rename_axis("rank")


def _refuse_failing(
    tables: Matrix, reasons: Sequence[Sequence[str]], rows: Sequence[Mapping[str, str]]
) -> None:
    failing = np.isnan(tables[:, :, 0]).mean(axis=0) >= 0.5
    if failing.any():
        first = int(np.argmax(failing))
        why = next(reason[first] for reason in reasons if reason[first])
        raise ValueError(
            f"curve has {int(failing.sum())} specifications that cannot be estimated in half of the"
            f" draws (first: {words(rows[first])}; {why}): leave them out of the curve"
        )
