"""Lee's bounds: what the effect can be on those seen in either arm, whoever was lost.

Where an arm keeps more patients in the study, its patients seen are a mixture: those who would be
seen in either arm, and those whom this arm kept. Monotonicity says that nobody is of a third kind,
seen only in the other arm [lee2009training]. Then the share to trim is known,
``q = 1 - p_low / p_high``, and the worst and best case are that those kept had all the lowest or
all the highest outcomes. The effect bounded is that on the always observed, who are not all
patients.

Nothing is assumed of why patients were lost, and the bounds are sharp. They are as wide as the
difference in retention is large; equal retention gives a point, under the same monotonicity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    choice,
    cluster_codes,
    fraction,
    one_column,
    same_index,
    zero_one,
)
from pooledtrials.clusters import cluster_sums
from pooledtrials.coding import labelled
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.panels.interview_rows import used_rows
from pooledtrials.panels.trimming import TRIMMING, lowest_mean
from pooledtrials.partial_identification import imbens_manski_interval
from pooledtrials.results import Estimate

_PARTS: Final = ("lower bound", "upper bound", "difference of those seen")


@dataclass(frozen=True, eq=False)
class LeeBounds:
    """Bounds on the effect on the always observed.

    Attributes
    ----------
    lower, upper : the bounds, with their standard errors
    difference : arms as they were seen, untrimmed; the effect if nobody was lost selectively
    interval : interval for the effect itself [imbens2004confidence], not for both bounds
    cells : a row per stratum: patients and retention by arm, the arm that was ``trimmed`` (1, 0, or
        missing where retention is equal), the ``share_trimmed`` of those seen in it, the
        ``always_observed`` share of all, and the cell's bounds
    always_observed : share of patients who would be seen in either arm
    trim : rule of trimming
    """

    lower: Estimate
    upper: Estimate
    difference: Estimate
    interval: ConfidenceSet
    cells: pd.DataFrame
    always_observed: float
    trim: str

    def to_frame(self) -> pd.DataFrame:
        """Both bounds and the untrimmed difference, with standard errors."""
        parts = [self.lower, self.upper, self.difference]
        return pd.DataFrame(
            {
                "estimate": [part.coefficient for part in parts],
                "standard_error": [part.standard_error for part in parts],
            },
            index=pd.Index(["lower bound", "upper bound", "difference seen"], name="value"),
        )

    def describe(self) -> str:
        """What the bounds say, in words."""
        level = 100 * self.interval.level
        signs = {np.sign(end) for end in self.interval.end_points}
        verdict = "the sign is settled" if len(signs) == 1 else "they leave the sign open"
        return (
            "If no one is lost because of being in the arm that keeps more (monotonicity), the mean"
            f" effect on the {100 * self.always_observed:.0f} % of patients who would be seen in"
            f" either arm lies between {self.lower.coefficient:.3g} and"
            f" {self.upper.coefficient:.3g}; {level:g} % interval for it {self.interval}:"
            f" {verdict}. Among those seen the arms differ by {self.difference.coefficient:.3g}."
        )


def lee_bounds(
    y: Columns,
    x: Columns,
    observed: Columns,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    trim: str = "fractional",
    level: float = 0.95,
) -> LeeBounds:
    """Sharp bounds on the effect of x on those whose outcome would be seen in either arm.

    With arm h of higher retention, q the share trimmed and F its distribution among those seen,
    one bound uses ``E[y | h, F(y) <= 1 - q]`` and the other ``E[y | h, F(y) >= q]``, against the
    other arm's mean. Standard errors count that q is estimated; without strata they are Lee's.

    Parameters
    ----------
    y : (n,)
        Outcome, a row per patient; looked at where ``observed`` only.
    x : (n,) of 0 and 1
        Randomized arm.
    observed : (n,) of 0 and 1, or bool
    clusters : (n,) labels, optional
    strata : (n,) labels, optional
        Cells within which arms were randomized or can be compared, such as trials, or trials by
        levels of a baseline covariate. Bounds are computed in each and averaged by the number of
        always observed: covariates that predict outcome or loss tighten them. Each cell may have
        its own arm of higher retention (monotonicity within cells). Small cells widen the bounds:
        chance differences of retention are trimmed too.
    trim : str
        ``"fractional"`` (default) counts the patient at the cut in part, so that exactly q is
        trimmed: the bounds of the sample's own distribution, with ties and without. ``"floor"``
        drops the whole number ``floor(q n)``, as Lee's and Stata's do: slightly too narrow.
        ``"type-7"`` keeps values up to the interpolated quantile: with a heap at the cut, such as
        scores of zero, it keeps the whole heap and trims too little.
    level : above 0.5

    Raises
    ------
    ValueError
        For unusable arguments, one arm only, or a cell in which fewer than two of an arm were seen.

    Notes
    -----
    Where retention is nearly equal, which arm to trim is itself uncertain: the bounds have a kink
    there, and normal errors are approximate. At exact equality nothing is trimmed.
    """
    same_index(y=y, x=x, observed=observed, clusters=clusters, strata=strata)
    level = fraction(level, "level")
    if level <= 0.5:
        raise ValueError(f"level is {level}: give more than 0.5, mostly 0.95")
    choice(trim, "trim", TRIMMING)
    seen = zero_one(observed, "observed", may_be_constant=True)
    n = seen.size
    if not seen.any():
        raise ValueError("observed is 0 in all rows: there is nothing to estimate")
    arm = zero_one(x, "x", may_be_constant=True)
    if arm.size != n:
        raise ValueError(f"x has {arm.size} rows but observed has {n}: give one arm per row")
    if arm.min() == arm.max():
        raise ValueError(f"x is {arm[0]:g} in all rows: both arms are needed")
    outcome = np.zeros(n)
    outcome[seen > 0] = one_column(
        used_rows(y, seen > 0, "y"), "y", "give one outcome at a time", int(seen.sum())
    )
    groups = cluster_codes(clusters, n)
    stratum, names = labelled(strata, "strata", n)
    cells = []
    for s, name in enumerate(names):
        rows = np.flatnonzero(stratum == s)
        where = "" if strata is None else f" in stratum {name!r}"
        cells.append(_cell(rows, outcome[rows], arm[rows], seen[rows], trim, where))
    values, errors = _averages(cells, n, groups)
    label = "robust" if groups is None else "clustered"
    dof = n - 2 if groups is None else int(groups.max())
    lower, upper, difference = (
        Estimate(f"Lee bounds, {part}", float(value), float(error), label, n, dof)
        for part, value, error in zip(_PARTS, values, errors, strict=True)
    )
    frame = pd.DataFrame(
        [cell.line for cell in cells],
        index=pd.Index(names, name="stratum"),
    )
    shares = np.array([cell.rows.size * cell.low for cell in cells]) / n
    return LeeBounds(
        lower, upper, difference, imbens_manski_interval(
            lower.coefficient, lower.standard_error, upper.coefficient, upper.standard_error,
            level=level,
        ),
        frame.assign(always_observed=shares), float(shares.sum()), trim,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Cell:
    """One stratum: values are lower bound, upper bound and untrimmed difference."""

    rows: Codes
    values: Vector
    influence: Matrix  # (rows, 3)
    low: float  # retention of the arm with less, and each row's influence on it
    low_influence: Vector
    line: dict[str, float]


def _cell(rows: Codes, y: Vector, arm: Vector, seen: Vector, trim: str, where: str) -> _Cell:
    members = [arm == a for a in (0, 1)]
    size = [int(member.sum()) for member in members]
    held = [int(seen[member].sum()) for member in members]
    for a in (0, 1):
        if not size[a]:
            raise ValueError(f"x is {1 - a} in all rows{where}: both arms are needed")
        if not held[a]:
            raise ValueError(
                f"observed is 0 in all {size[a]} rows with x = {a}{where}: an arm of which nobody"
                " was seen bounds nothing; merge strata, or leave the rows out"
            )
        if held[a] == 1:
            raise ValueError(
                f"observed is 1 in one of {size[a]} rows with x = {a}{where}: one outcome shows no"
                " spread, so bounds would have no error; merge strata, or leave the rows out"
            )
    # compared as whole numbers, so that equal retention is equal
    high = int(held[1] * size[0] > held[0] * size[1])
    low = 1 - high
    kept = size[high] * held[low], size[low]  # of those seen in arm h, as a fraction
    retention = [held[a] / size[a] for a in (0, 1)]
    of_retention = [members[a] * (seen - retention[a]) / size[a] for a in (0, 1)]
    means, of_means = [], []
    for a in (0, 1):
        here = members[a] & (seen > 0)
        means.append(float(y[here].mean()))
        of_means.append(here * (y - means[a]) / held[a])
    equal = kept[0] == held[high] * kept[1]
    here = members[high] & (seen > 0)
    share = retention[low] / retention[high]
    of_share = of_retention[low] / retention[high] - share * of_retention[high] / retention[high]
    tails, of_tails = [means[high]] * 2, [of_means[high]] * 2
    for tail, sign in ((0, 1.0), (1, -1.0)) if not equal else ():
        mean, cut = lowest_mean(np.sort(sign * y[here]), kept, trim)
        below = np.maximum(cut - sign * y, 0.0)
        of_tail = here * (cut - below / share - mean) / held[high]
        tails[tail] = sign * mean
        of_tails[tail] = sign * (of_tail + (cut - mean) / share * of_share)
    if high:
        values = [tails[0] - means[0], tails[1] - means[0]]
        influence = [of_tails[0] - of_means[0], of_tails[1] - of_means[0]]
    else:
        values = [means[1] - tails[1], means[1] - tails[0]]
        influence = [of_means[1] - of_tails[1], of_means[1] - of_tails[0]]
    line = {
        "patients_0": size[0], "patients_1": size[1], "retention_0": retention[0],
        "retention_1": retention[1], "trimmed": np.nan if equal else high,
        "share_trimmed": 0.0 if equal else 1 - share, "lower": values[0], "upper": values[1],
        "difference": means[1] - means[0],
    }  # fmt: skip
    return _Cell(
        rows,
        np.array([*values, means[1] - means[0]]),
        np.column_stack([*influence, of_means[1] - of_means[0]]),
        retention[low],
        of_retention[low],
        line,
    )


def _averages(cells: Sequence[_Cell], n: int, clusters: Codes | None) -> tuple[Vector, Vector]:
    """Cell values averaged over the always observed, and errors that count their uncertainty."""
    observed = np.array([cell.rows.size * cell.low for cell in cells])
    values = observed @ np.array([cell.values for cell in cells]) / observed.sum()
    influence = np.empty((n, values.size))
    for cell, weight in zip(cells, observed / observed.sum(), strict=True):
        # a row moves its cell's size, and its retention
        on_weight = (cell.low + cell.rows.size * cell.low_influence) / observed.sum()
        moved = np.outer(on_weight, cell.values - values)
        influence[cell.rows] = weight * cell.influence + moved
    sums = influence if clusters is None else cluster_sums(influence, clusters)
    return values, np.sqrt((sums**2).sum(axis=0))
