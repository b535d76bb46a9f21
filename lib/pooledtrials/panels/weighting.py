"""Inverse-probability weights: those seen stand for others like them who were not.

An interview held with probability p, given what was known at randomization, stands for 1/p planned
ones. If being seen depends on nothing else that matters (missing at random given the predictors),
and everybody had some chance of being seen (positivity), the weighted rows are what all planned
interviews would have shown [seaman2013review]. The same weights turn an exposure that was not
randomized into one that is as good as randomized given the predictors [hernan2020what].

Stabilised weights put in the numerator the probability given less, such as trial, wave and arm
only: their mean is near 1 and they vary less, and what is in the numerator must be in the analysis
[cole2008constructing].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    numeric_columns,
    same_index,
    zero_one,
)
from pooledtrials.panels.interview_rows import cell_codes, refuse_no_columns
from pooledtrials.panels.response_model import cell_shares, response_probability

RARE = 0.05
"""Below this probability a row is flagged: it would stand for more than twenty."""


@dataclass(frozen=True, eq=False)
class InverseProbabilityWeights:
    """Weights and what they rest on.

    Attributes
    ----------
    values : (n,) weights; 0 for a planned interview not held
    probability : (n,) fitted probability of what happened: of being interviewed, or, for treatment
        weights, of the treatment that the row did get
    of : ``"follow-up"`` or ``"treatment"``
    stabilised : whether there is a numerator
    truncated : rows whose weight was moved to a percentile
    balance : per predictor the standardised difference ``before`` and ``after`` weighting, within
        trials and waves: those seen less all planned, or treated less untreated; what is in the
        numerator too is left unbalanced, for the analysis to condition on
    left_out : per trial, the predictors that say nothing there (constant, or implied by others)
    """

    values: Vector
    probability: Vector
    of: str
    stabilised: bool
    truncated: int
    balance: pd.DataFrame
    left_out: dict[str, tuple[str, ...]]

    @property
    def used(self) -> Vector:
        """The weights that are not 0."""
        return self.values[self.values > 0]

    @property
    def effective_sample_size(self) -> float:
        """``(sum w)^2 / sum w^2``: as many equally weighted rows are as informative."""
        return float(self.used.sum() ** 2 / (self.used**2).sum())

    @property
    def rare(self) -> int:
        """Rows whose probability is below `RARE`, where positivity is in doubt."""
        return int((self.probability < RARE).sum())

    def to_frame(self) -> pd.DataFrame:
        """The diagnostics, one row each."""
        used = self.used
        return pd.Series(
            {
                "rows": float(self.values.size),
                "weighted rows": float(used.size),
                "smallest weight": used.min(),
                "mean weight": used.mean(),
                "largest weight": used.max(),
                "effective sample size": self.effective_sample_size,
                "smallest probability": self.probability.min(),
                f"rows with probability below {RARE}": float(self.rare),
                "truncated weights": float(self.truncated),
                "largest difference before": self.balance["before"].abs().max(),
                "largest difference after": self.balance["after"].abs().max(),
            },
            name="value",
        ).to_frame()

    def describe(self) -> str:
        """What the weights are like, in words."""
        used = self.used
        if self.of == "follow-up" and used.size == self.values.size:
            return "Every planned interview was held: all weights are 1."
        return (
            f"{used.size} of {self.values.size} rows are weighted, from {used.min():.3g} to"
            f" {used.max():.3g} (mean {used.mean():.4g}); they are worth"
            f" {self.effective_sample_size:.4g} rows of equal weight."
            f" {self.rare} rows had a probability below {RARE}; {self.truncated} weights were"
            f" truncated. The largest standardised difference of a predictor went from"
            f" {self.balance['before'].abs().max():.2g} to"
            f" {self.balance['after'].abs().max():.2g}."
        )


def follow_up_weights(
    observed: Columns,
    predictors: Columns,
    waves: Columns | None = None,
    trials: Columns | None = None,
    *,
    numerator: Columns | None = None,
    stabilised: bool = True,
    truncate: tuple[float, float] | None = None,
    separate: bool = True,
) -> InverseProbabilityWeights:
    """Weights for interviews held, ``P(held | numerator) / P(held | predictors)``.

    Both probabilities are logistic, with an intercept for each trial and wave.

    Parameters
    ----------
    observed : (n,) of 0 and 1, or bool
        Whether it was held, a row per patient and planned interview.
    predictors : (n, p)
        Known at randomization; put the arm among them.
    waves, trials : (n,) labels, optional
    numerator : (n, q), optional
        Predictors of the numerator beside trial and wave, such as the arm.
    stabilised : bool
        Whether there is a numerator; without it weights are ``1 / P(held | predictors)``.
    truncate : pair of percentiles, optional
        Weights outside, such as ``(1, 99)``, are moved to them: less variance, some bias.
    separate : bool
        Whether each trial has its own slopes, or all trials have the same.

    Raises
    ------
    ValueError
        For unusable arguments, a trial and wave in which nobody was seen, or separation.
    """
    same_index(
        observed=observed, predictors=predictors, waves=waves, trials=trials, numerator=numerator
    )
    event = zero_one(observed, "observed", may_be_constant=True)
    return _weights(
        "follow-up", event, predictors, waves, trials, numerator, stabilised, truncate, separate
    )


def treatment_weights(
    x: Columns,
    predictors: Columns,
    trials: Columns | None = None,
    *,
    numerator: Columns | None = None,
    stabilised: bool = True,
    truncate: tuple[float, float] | None = None,
    separate: bool = True,
) -> InverseProbabilityWeights:
    """Weights for both levels of a binary exposure, ``P(x | numerator) / P(x | predictors)``.

    Parameters
    ----------
    x : (n,) of 0 and 1
        Exposure; each row is weighted by the probability of the one that it had.
    predictors, trials, numerator, stabilised, truncate, separate
        As in `follow_up_weights`.

    Raises
    ------
    ValueError
        For unusable arguments, a trial without contrast, or separation.
    """
    same_index(x=x, predictors=predictors, trials=trials, numerator=numerator)
    event = zero_one(x, "x", may_be_constant=True)
    cells, names = cell_codes(trials, None, event.size)
    share = cell_shares(event, cells)
    constant = (share == 0) | (share == 1)
    if constant.any():
        name = names[int(cells[constant][0])]
        raise ValueError(f"x is constant in {name}: both 0 and 1 are needed")
    return _weights(
        "treatment", event, predictors, None, trials, numerator, stabilised, truncate, separate
    )


def _weights(
    of: str, event: Vector, predictors: Columns, waves: Columns | None, trials: Columns | None,
    numerator: Columns | None, stabilised: bool, truncate: tuple[float, float] | None,
    separate: bool,
) -> InverseProbabilityWeights:  # fmt: skip
    n = event.size
    matrix, names = numeric_columns(predictors, "predictors", n)
    refuse_no_columns(names, "predictors")
    if numerator is not None and not stabilised:
        raise ValueError("numerator is given but stabilised is False: leave one of them out")
    cells, cell_names = cell_codes(trials, waves, n)
    blocks, block_names = cell_codes(trials if separate else None, None, n)
    above = (np.empty((n, 0)), ()) if numerator is None else numeric_columns(
        numerator, "numerator", n
    )  # fmt: skip
    below, expected = np.ones(n), np.ones(n)
    left_out: dict[str, tuple[str, ...]] = {}
    for b, block in enumerate(block_names):
        rows = blocks == b
        where = f" in {block}" if len(block_names) > 1 else ""
        below[rows], missing = response_probability(
            event[rows], matrix[rows], names, cells[rows], cell_names, where
        )
        left_out |= {block: missing} if missing else {}
        if stabilised:
            expected[rows], _ = response_probability(
                event[rows], above[0][rows], above[1], cells[rows], cell_names, where
            )
    if of == "treatment":
        below = np.where(event > 0, below, 1 - below)
        expected = np.where(event > 0, expected, 1 - expected) if stabilised else expected
        used = np.ones(n, dtype=bool)
    else:
        used = event > 0
    raw = np.where(used, expected / below, 0.0)
    values, truncated = _truncated(raw, used, truncate)
    balance = _balance(of, matrix, names, cells, event, values)
    return InverseProbabilityWeights(values, below, of, stabilised, truncated, balance, left_out)


def _truncated(
    weights: Vector, used: Codes, percentiles: tuple[float, float] | None
) -> tuple[Vector, int]:
    if percentiles is None:
        return weights, 0
    low, high = percentiles
    if not 0 <= low < high <= 100:
        raise ValueError(
            f"truncate is {percentiles!r}: give two percentiles, such as (1, 99), the lower first"
        )
    ends = np.percentile(weights[used], [low, high])
    moved = np.where(used, np.clip(weights, *ends), 0.0)
    return moved, int((moved != weights).sum())


def _balance(
    of: str, predictors: Matrix, names: Sequence[str], cells: Codes, event: Vector, weights: Vector
) -> pd.DataFrame:
    """Standardised differences within cells."""
    means = np.column_stack([cell_shares(column, cells) for column in predictors.T])
    centred = predictors - means
    spread = centred.std(axis=0)
    scaled = centred / np.where(spread > 0, spread, 1.0)
    columns = {}
    for name, weight in (("before", np.ones(event.size)), ("after", weights)):
        mean = _mean(scaled, weight * event)
        columns[name] = mean if of == "follow-up" else mean - _mean(scaled, weight * (1 - event))
    return pd.DataFrame(columns, index=pd.Index(names, name="predictor"))


def _mean(columns: Matrix, weight: Vector) -> Vector:
    return np.asarray(weight @ columns / weight.sum())
