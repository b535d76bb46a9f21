"""Bounds without a model: Manski's worst case, and what monotonicity takes off it.

Nobody is seen under two exposures. The mean outcome had all been exposed at level t is the mean of
those who were, and for everybody else a value that is only known to lie in the outcome's range
[manski1990nonparametric]. Assumptions replace that range by something narrower: *monotone treatment
response*, exposure never lowers (or never raises) anybody's outcome [manski1997monotone]; *monotone
treatment selection*, those who chose more would do better (or worse) on average at any exposure
[manski2000monotone]; and an instrument of which the mean outcome is independent, or in which it is
monotone. All of it is bookkeeping of cell means: no regression, no distribution, no covariates.

The exposure is ordered, with few levels. "At least v days of attendance" is the binary exposure
``days >= v``; the effect is then that of the mix of attendance above v against the mix below, each
person at the level they chose within it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from pooledtrials.arguments import (
    Codes,
    Columns,
    Vector,
    choice,
    cluster_codes,
    one_column,
    same_index,
)
from pooledtrials.resampling import Seed
from pooledtrials.selection.bounds import Bounds
from pooledtrials.selection.counterfactual_means import (
    Ledger,
    Monotone,
    counterfactual_mean,
    outcome_limits,
    weighted,
    with_constant,
    within,
)
from pooledtrials.selection.intersection_bounds import MOST, Candidates

RESPONSES = {"unrestricted": 0, "increasing": 1, "decreasing": -1}
SELECTIONS = {"unrestricted": 0, "positive": 1, "negative": -1}
INSTRUMENTS = ("unrestricted", "increasing", "decreasing", "mean independence")

_MOST_LEVELS = 6


def effect_bounds(
    y: Columns,
    x: Columns,
    z: Columns | None = None,
    clusters: Columns | None = None,
    *,
    outcome_range: tuple[float, float],
    contrast: tuple[float, float] | None = None,
    response: str = "unrestricted",
    selection: str = "unrestricted",
    instrument: str = "unrestricted",
    seed: Seed = 0,
) -> Bounds:
    """Bounds on the mean effect of an exposure, under the assumptions asked for and no others.

    Standard errors are robust (each bound is a mean of filled-in outcomes) or clustered; where a
    bound is the best of several, as with an instrument, see `Bounds`.

    Parameters
    ----------
    y : (n,)
        Outcome.
    x : (n,)
        Exposure, at most six ordered levels.
    z : (n,), optional
        Instrument with few ordered levels; at most five if monotone.
    clusters : (n,) labels, optional
    outcome_range : least and greatest value the outcome can take, by its definition
    contrast : the two levels of x compared, ``E[y(second)] - E[y(first)]``; default its lowest and
        highest
    response : ``"increasing"`` if exposure never lowers anyone's outcome, ``"decreasing"`` if it
        never raises it, or ``"unrestricted"``
    selection : ``"positive"`` if those with more exposure would have the higher mean outcome at any
        exposure, ``"negative"`` if the lower, or ``"unrestricted"``
    instrument : ``"mean independence"`` if mean potential outcomes are the same at every z, as
        after randomization with exclusion; ``"increasing"`` or ``"decreasing"`` if they are
        monotone in it; or ``"unrestricted"``. Response and selection are then assumed at every z.
    seed : of the correction for choosing among several bounds

    Raises
    ------
    ValueError
        For unusable arguments, too many levels, or outcomes outside the range.
    """
    directions = Monotone(
        RESPONSES[choice(response, "response", tuple(RESPONSES))],
        SELECTIONS[choice(selection, "selection", tuple(SELECTIONS))],
    )
    choice(instrument, "instrument", INSTRUMENTS)
    data = _data(y, x, z, clusters, outcome_range, contrast, instrument)
    ledger = Ledger()
    first, second = data.contrast
    ends = {
        (level, side): _mean(data, ledger, level, directions, side)
        for level in (first, second)
        for side in (-1, 1)
    }
    count = max(len(ends[second, s]) * len(ends[first, -s]) for s in (-1, 1))
    if count > MOST:
        raise ValueError(
            f"x and z give {count} bounds to choose from: group their values into fewer levels"
        )
    lower = ledger.candidates(ends[second, -1], ends[first, 1], data.clusters)
    upper = ledger.candidates(ends[second, 1], ends[first, -1], data.clusters)
    # an increasing response has no negative effects: sharp without an instrument, and one more
    # bound with one, or where selection works against it
    alone = instrument == "unrestricted" and directions.response * directions.selection >= 0
    if directions.response > 0:
        lower = _zero(lower) if alone else with_constant(lower, 0.0)
    if directions.response < 0:
        upper = _zero(upper) if alone else with_constant(upper, 0.0)
    words = _words(response, selection, instrument)
    return Bounds(
        f"mean effect E[y({second:g})] - E[y({first:g})]",
        tuple(words),
        tuple(words.values()),
        lower,
        upper,
        seed,
    )


def bounds_by_assumption(
    y: Columns,
    x: Columns,
    z: Columns | None = None,
    clusters: Columns | None = None,
    *,
    outcome_range: tuple[float, float],
    contrast: tuple[float, float] | None = None,
    response: str = "unrestricted",
    selection: str = "unrestricted",
    instrument: str = "unrestricted",
    seed: Seed = 0,
) -> tuple[Bounds, ...]:
    """The bounds under none, each, and every combination of the assumptions named.

    Read from the end it drops one assumption after another, and shows which of them a conclusion
    hangs on. `bounds_table` puts them side by side.

    Parameters
    ----------
    y, x, z, clusters, outcome_range, contrast, response, selection, instrument, seed
        As in `effect_bounds`; assumptions left ``"unrestricted"`` are not made anywhere.

    Returns
    -------
    tuple of Bounds
        From no assumption to all of them.

    Raises
    ------
    ValueError
        As `effect_bounds`.
    """
    asked = {"response": response, "selection": selection, "instrument": instrument}
    made = [name for name, value in asked.items() if value != "unrestricted"]
    rows = []
    for size in range(len(made) + 1):
        for names in itertools.combinations(made, size):
            kept = {name: asked[name] for name in names}
            used = z if "instrument" in kept else None
            rows.append(
                effect_bounds(
                    y, x, used, clusters, outcome_range=outcome_range, contrast=contrast,
                    seed=seed, **kept,
                )
            )  # fmt: skip
    return tuple(rows)


@dataclass(frozen=True, eq=False)
class _Data:
    y: Vector
    x: Vector
    cells: tuple[Codes, ...]  # rows at each value of the instrument, in the order assumed
    clusters: Codes | None
    limits: tuple[float, float]
    contrast: tuple[float, float]
    independent: bool


def _data(
    y: Columns,
    x: Columns,
    z: Columns | None,
    clusters: Columns | None,
    outcome_range: tuple[float, float],
    contrast: tuple[float, float] | None,
    instrument: str,
) -> _Data:
    same_index(y=y, x=x, z=z, clusters=clusters)
    outcome = one_column(y, "y", "give one outcome at a time")
    n = outcome.size
    exposure = one_column(x, "x", "give one exposure", n)
    levels = np.unique(exposure)
    if not 2 <= levels.size <= _MOST_LEVELS:
        raise ValueError(
            f"x has {levels.size} distinct values: give 2 to {_MOST_LEVELS} ordered levels, such as"
            " x >= v"
        )
    pair = (float(levels[0]), float(levels[-1])) if contrast is None else contrast
    if not np.isin(pair, levels).all() or pair[0] >= pair[1]:
        raise ValueError(f"contrast is {contrast!r}: give two values of x, the lower one first")
    if (z is None) != (instrument == "unrestricted"):
        raise ValueError(
            f"z is {'not ' if z is None else ''}given and instrument is {instrument!r}: give z and"
            " say what is assumed of it, or neither"
        )
    cells: tuple[Codes, ...] = (np.ones(n, dtype=bool),)
    if z is not None:
        values = one_column(z, "z", "give one instrument", n)
        steps = np.unique(values)
        if steps.size < 2:
            raise ValueError("z is constant: an instrument must vary")
        if instrument == "decreasing":
            steps = steps[::-1]
        cells = tuple(values == step for step in steps)
    return _Data(
        outcome,
        exposure,
        cells,
        cluster_codes(clusters, n),
        outcome_limits(outcome, outcome_range),
        (float(pair[0]), float(pair[1])),
        instrument == "mean independence",
    )


def _mean(
    data: _Data, ledger: Ledger, level: float, assumed: Monotone, side: int
) -> list[tuple[int, ...]]:
    """Bounds on the mean at one level, each a sum of estimates in the ledger."""
    found = [
        [
            within(item, cell)
            for item in counterfactual_mean(
                data.y[cell], data.x[cell], level, data.limits, assumed, side
            )
        ]
        for cell in data.cells
    ]
    if len(found) == 1 or data.independent:
        # the same mean at every z: each cell bounds it
        return [(ledger.add(item),) for items in found for item in items]
    options = []
    for u, cell in enumerate(data.cells):
        # a mean that increases in z is at least what any lower z allows, at most what a higher does
        usable = found[: u + 1] if side < 0 else found[u:]
        options.append([ledger.add(weighted(item, cell)) for items in usable for item in items])
    if math.prod(len(o) for o in options) > MOST:
        raise ValueError(
            f"z has {len(data.cells)} distinct values, too many for a monotone instrument: group"
            " them into at most 5 ordered levels"
        )
    return list(itertools.product(*options))


def _zero(candidates: Candidates) -> Candidates:
    return Candidates(np.zeros(1), np.zeros((1, candidates.root.shape[1])), candidates.nobs)


def _words(response: str, selection: str, instrument: str) -> dict[str, str]:
    """Short name and sentence of each assumption made."""
    said = {}
    if response != "unrestricted":
        verb = "lowers" if response == "increasing" else "raises"
        said["monotone response"] = f"exposure never {verb} anyone's outcome"
    if selection != "unrestricted":
        degree = "higher" if selection == "positive" else "lower"
        said["monotone selection"] = (
            f"those with more exposure would have the {degree} mean outcome at any exposure"
        )
    if instrument == "mean independence":
        said["mean-independent instrument"] = "mean potential outcomes are the same at every z"
    elif instrument != "unrestricted":
        verb = "falls" if instrument == "increasing" else "rises"
        said["monotone instrument"] = f"no mean potential outcome {verb} as z rises"
    return said
