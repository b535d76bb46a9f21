"""The mean outcome had everybody been exposed at one level, bounded by filling in what is not seen.

Everyone at another level is given the least (or greatest) outcome that the assumptions allow: an
end of the outcome's range, their own outcome, or the mean of those who were at the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pooledtrials.arguments import Codes, Matrix, Vector, finite
from pooledtrials.clusters import cluster_sums
from pooledtrials.selection.intersection_bounds import Candidates


@dataclass(frozen=True, eq=False)
class Item:
    """An estimate and each row's influence on it, which averages to zero."""

    value: float
    influence: Vector


@dataclass(frozen=True)
class Monotone:
    """Directions assumed: +1, -1, or 0 for none."""

    response: int = 0
    selection: int = 0


def counterfactual_mean(
    y: Vector, x: Vector, level: float, limits: tuple[float, float], assumed: Monotone, side: int
) -> list[Item]:
    """Lower (``side=-1``) or upper (``+1``) bounds on the mean of y had all been at ``level``.

    With an increasing response, people below the level have at least their own outcome there, and
    people above it at most theirs. With positive selection, the mean of people below is at most the
    mean of those at the level, and that of people above at least. Where both say something on the
    same side for the same people there are two bounds, of which the tighter holds.

    Parameters
    ----------
    y, x : (n,) outcome and exposure of these people
    level : of exposure
    limits : range of the outcome
    assumed : directions
    side : which bound

    Returns
    -------
    list of Item
        One or more; for lower bounds the largest holds, for upper bounds the smallest.
    """
    at = x == level
    extreme = limits[0] if side < 0 else limits[1]
    mean_at = float(y[at].mean()) if at.any() else None
    below, above = x < level, x > level
    # +1: these people's own outcomes bound theirs at the level from below, -1: from above
    own_side = assumed.response * (below.astype(int) - above.astype(int))
    mean_side = -assumed.selection * (below.astype(int) - above.astype(int))
    use_own = own_side == -side
    use_mean = (mean_side == -side) & (mean_at is not None)
    fixed = ~at & ~use_own & ~use_mean
    items = []
    for taken in _choices(x, use_own & use_mean):
        by_mean = use_mean & (~use_own | taken)
        filled = np.where(fixed, extreme, y)
        if mean_at is None:
            items.append(_item(filled))
            continue
        filled = np.where(by_mean, mean_at, filled)
        # the mean of those at the level is itself an estimate
        items.append(_item(filled, by_mean.mean() / at.mean() * at * (y - mean_at)))
    return items


def _choices(x: Vector, both: Codes) -> list[Codes]:
    """For every set of levels with two bounds: who takes the second one."""
    chosen: list[Codes] = [np.zeros(x.size, dtype=bool)]
    for level in np.unique(x[both]):
        chosen += [taken | (both & (x == level)) for taken in chosen]
    return chosen


def _item(filled: Vector, correction: Vector | float = 0.0) -> Item:
    mean = float(filled.mean())
    return Item(mean, np.asarray(filled - mean + correction))


def within(item: Item, cell: Codes) -> Item:
    """An estimate made on the rows of a cell, with the influence of every row of the sample."""
    influence = np.zeros(cell.size)
    influence[cell] = item.influence * (cell.size / np.count_nonzero(cell))
    return Item(item.value, influence)


def weighted(item: Item, cell: Codes) -> Item:
    """The estimate times the share of people in a cell, which is an estimate too."""
    share = float(cell.mean())
    return Item(share * item.value, share * item.influence + item.value * (cell - share))


@dataclass(frozen=True, eq=False)
class Ledger:
    """Estimates that bounds are sums and differences of, each kept once."""

    items: list[Item] = field(default_factory=list)

    def add(self, item: Item) -> int:
        """Keep an estimate; its place."""
        self.items.append(item)
        return len(self.items) - 1

    def candidates(
        self,
        plus: Sequence[tuple[int, ...]],
        minus: Sequence[tuple[int, ...]],
        clusters: Codes | None,
    ) -> Candidates:
        """Every sum of a ``plus`` group less every sum of a ``minus`` group."""
        count = len(self.items)
        loadings = np.zeros((len(plus), len(minus), count))
        for i, group in enumerate(plus):
            loadings[i, :, list(group)] += 1.0
        for j, group in enumerate(minus):
            loadings[:, j, list(group)] -= 1.0
        flat = loadings.reshape(-1, count)
        influence = np.column_stack([item.influence for item in self.items])
        n = influence.shape[0]
        if clusters is not None:
            influence = cluster_sums(influence, clusters)
        # the symmetric root of the covariance does not depend on the order of rows; by singular
        # values and not eigenvalues, so that constants keep an error of zero to rounding
        triangle = np.asarray(np.linalg.qr(influence, mode="r"))
        _, singular, right = np.linalg.svd(triangle, full_matrices=False)
        root: Matrix = (right.T * singular) @ right / n
        values = flat @ np.array([item.value for item in self.items])
        return Candidates(values, flat @ root, influence.shape[0])


def with_constant(candidates: Candidates, constant: float) -> Candidates:
    """The candidates and one that is known."""
    return Candidates(
        np.append(candidates.values, constant),
        np.vstack([candidates.root, np.zeros((1, candidates.root.shape[1]))]),
        candidates.nobs,
    )


def outcome_limits(y: Vector, outcome_range: tuple[float, float]) -> tuple[float, float]:
    """The outcome's logical range, which no outcome may leave."""
    if np.shape(outcome_range) != (2,):
        raise ValueError(
            f"outcome_range is {outcome_range!r}: give two numbers, the least and the greatest"
            " value the outcome can take"
        )
    low, high = (finite(v, "outcome_range") for v in outcome_range)
    if low >= high:
        raise ValueError(f"outcome_range is ({low:g}, {high:g}): give the lower end first")
    outside = int(((y < low) | (y > high)).sum())
    if outside:
        raise ValueError(
            f"y is outside outcome_range ({low:g}, {high:g}) in {outside} rows: give the range the"
            " outcome can take by its definition, not by this sample"
        )
    return low, high
