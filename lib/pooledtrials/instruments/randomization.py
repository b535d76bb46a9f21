"""Randomization inference: exact-size tests of an effect, from the assignment alone.

If ``beta0`` is every unit's effect of exposure, ``y - beta0 x`` is what the outcome would have been
without exposure, and assignment cannot have changed it: permuting the assignment as it was
randomized gives the exact law of any statistic of the two [imbens2005robust]. No strength of the
instrument, no sample size and no error law is assumed. Assignment is permuted within strata, and
for cluster-randomized trials between clusters.

``"difference"`` compares ``m'W^-1 m`` with ``m = Z'(y - beta0 x)``, Z centred within strata and W
its cross product over randomized units: a quadratic in beta0 for every permutation, so that the
confidence set is exact. ``"rank"`` puts ranks of the residual in place of it and is robust to
outliers; it, and any function you supply, is inverted by a search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    finite,
    fraction,
    label_codes,
    numeric_columns,
)
from pooledtrials.clusters import cluster_sums
from pooledtrials.confidence_set import ConfidenceSet, from_boundaries
from pooledtrials.instruments.homoskedastic_panel import (
    EMPTY,
    INTERVAL,
    TWO_RAYS,
    WHOLE_LINE,
    quadratic_sets,
)
from pooledtrials.instruments.inversion import accepted_steps
from pooledtrials.instruments.moments import joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.robust_panel import on_circle
from pooledtrials.resampling import Seed, assignments, generator_of
from pooledtrials.results import Test

Statistic = Callable[[npt.NDArray[np.float64], Vector], Vector]

# relative: a permutation that reproduces the data must count as a tie, equal residuals as equal
_TIE = 1e-10
_CHUNK = 4_000_000


def randomization_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    beta0: float = 0.0,
    statistic: str | Statistic = "difference",
    draws: int = 9999,
    seed: Seed = 0,
) -> Test:
    """Randomization test of ``beta = beta0`` for every unit.

    Parameters
    ----------
    y, x : (n,)
    z : (n,) or (n, k)
        Assignment; several columns (arms) are permuted as rows.
    controls : (n, p), optional
        Baseline covariates, partialled out of y and x: more power, the same size.
    clusters : (n,) labels, optional
        Units of randomization, with one assignment and one stratum each. Default: rows.
    strata : (n,) labels, optional
        Assignment is permuted within them.
    beta0 : float
    statistic : ``"difference"``, ``"rank"`` or a function
        A function takes permuted assignments (draws, units, k), centred within strata, and unit
        sums of the residual (units,), and returns (draws,), finite, large values against the null.
    draws : int
        Random permutations, or all distinct assignments if they are no more than that.
    seed : int, SeedSequence or Generator

    Returns
    -------
    Test
        The p-value is the share of assignments with a statistic at least as large, the actual one
        included, so the size never exceeds the level.

    Raises
    ------
    ValueError
        For unusable arguments, assignments or strata that vary within a cluster, no stratum in
        which assignment varies, or a statistic of your own that is not finite.
    """
    beta0 = finite(beta0, "beta0")
    trial = _prepare(y, x, z, controls, clusters, strata, draws, seed)
    values, own = _statistics(trial, beta0, statistic)
    name = statistic if isinstance(statistic, str) else "own statistic"
    return Test(
        f"randomization test ({name})",
        own,
        _p_value(values, own, trial.exact),
        trial.words,
        (trial.assignments.shape[0],),
        f"the effect is {beta0:g} for every unit",
        "randomization",
    )


def randomization_set(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    statistic: str | Statistic = "difference",
    draws: int = 4999,
    seed: Seed = 0,
    points: int = 200,
) -> ConfidenceSet:
    """Effects the randomization test accepts, the same permutations for all.

    For ``"difference"`` the inversion is exact: each permutation's comparison with the actual
    assignment is a quadratic inequality in beta0, and the p-value is counted between their roots.
    Otherwise ``points`` angles are looked up and crossings bisected, see `accepted_steps`.

    Parameters
    ----------
    level : float
    points : int
    y, x, z, controls, clusters, strata, statistic, draws, seed
        As in `randomization_test`.
    """
    level = fraction(level, "level")
    trial = _prepare(y, x, z, controls, clusters, strata, draws, seed)
    if statistic == "difference":
        return _exact_set(trial, 1 - level, level)
    if points < 8:
        raise ValueError(f"points is {points}: give at least 8 angles to examine")
    circle = on_circle(joint_moments(partial_out(y, x, z, controls, None, strata), "classical"))

    def test(beta0: float) -> tuple[float, float]:
        values, own = _statistics(trial, beta0, statistic)
        return _p_value(values, own, trial.exact), own

    return accepted_steps(circle, test, level, points)


@dataclass(frozen=True, eq=False)
class _Trial:
    """Randomized units: sums of the partialled y and x, assignment, permutations of it."""

    y: Vector
    x: Vector
    z: Matrix  # (units, k), centred within strata
    assignments: Codes  # (draws, units): row of z that each unit gets
    exact: bool
    words: str


def _prepare(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None,
    clusters: Columns | None,
    strata: Columns | None,
    draws: int,
    seed: Seed,
) -> _Trial:
    data = partial_out(y, x, z, controls, clusters, strata)
    assigned, _ = numeric_columns(z, "z", data.nobs)
    cells = label_codes(strata, "strata", data.nobs)
    cells = np.zeros(data.nobs, dtype=np.intp) if cells is None else cells
    units = np.arange(data.nobs) if data.clusters is None else data.clusters
    first = np.full(int(units.max()) + 1, -1)
    first[units[::-1]] = np.arange(data.nobs)[::-1]
    for name, array in (("z", assigned), ("strata", cells[:, None])):
        mixed = np.unique(units[(array != array[first[units]]).any(axis=1)]).size
        if mixed:
            raise ValueError(
                f"{name} varies within {mixed} clusters, but clusters are the units that were"
                " randomized: leave clusters out if individuals were"
            )
    z_unit, cell = assigned[first], cells[first]
    drawn, exact = assignments(z_unit, cell, draws, generator_of(seed))
    means = cluster_sums(z_unit, cell) / np.bincount(cell)[:, None]
    centred = z_unit - means[cell]
    if not np.any(centred):
        raise ValueError("z does not vary within any stratum: there is nothing to permute")
    words = f"{drawn.shape[0]} permutations"
    if exact:
        words = f"all {drawn.shape[0]} assignments"
    # not data.y and data.x, which are put together from their parts along z and outside it: the
    # residual must not depend on the assignment, not even by rounding, or ranks tell arms apart
    pair = np.column_stack([data.raw_y, data.raw_x])
    pair = pair - pair.mean(axis=0)
    sums = cluster_sums(pair - data.basis @ (data.basis.T @ pair), units)
    return _Trial(sums[:, 0], sums[:, 1], centred, drawn, exact, words)


def _blocks(trial: _Trial) -> Iterator[npt.NDArray[np.float64]]:
    """Permuted assignments (draws, units, k) in blocks that fit the memory."""
    units, k = trial.z.shape
    width = max(1, _CHUNK // (units * k))
    for i in range(0, trial.assignments.shape[0], width):
        yield trial.z[trial.assignments[i : i + width]]


def _statistics(trial: _Trial, beta0: float, statistic: str | Statistic) -> tuple[Vector, float]:
    residual = trial.y - beta0 * trial.x
    if statistic != "difference":
        residual = _with_ties(residual)
    if callable(statistic):
        values = np.concatenate([np.asarray(statistic(b, residual)) for b in _blocks(trial)])
        if values.shape != (trial.assignments.shape[0],):
            raise ValueError(
                f"statistic returned shape {values.shape}: give one number per permutation"
            )
        own = float(np.asarray(statistic(trial.z[None], residual))[0])
        unusable = int((~np.isfinite(np.append(values, own))).sum())
        if unusable:
            raise ValueError(
                f"statistic is missing or infinite for {unusable} of {values.size + 1} assignments,"
                " and cannot be compared there: return finite numbers, large against the null"
            )
        return values, own
    if statistic not in ("difference", "rank"):
        raise ValueError(
            f"statistic is {statistic!r}: give 'difference', 'rank' or a function of permuted"
            " assignments and residual"
        )
    if statistic == "rank":
        residual = stats.rankdata(residual)
        residual = residual - residual.mean()
    root = np.linalg.inv(np.linalg.cholesky(trial.z.T @ trial.z))
    moment = np.concatenate([np.einsum("dgk,g->dk", b, residual) for b in _blocks(trial)])
    actual = root @ (trial.z.T @ residual)
    return np.sum((moment @ root.T) ** 2, axis=1), float(actual @ actual)


def _with_ties(residual: Vector) -> Vector:
    """Residuals that are equal but for rounding, made equal.

    By the gaps between neighbours, since a grid would part equal values at its boundaries.
    """
    order = np.argsort(residual)
    ascending = residual[order]
    starts = np.diff(ascending, prepend=-np.inf) > _TIE * np.abs(residual).max()
    tied = np.empty_like(residual)
    tied[order] = ascending[starts][np.cumsum(starts) - 1]
    return tied


def _p_value(values: Vector, own: float, exact: bool) -> float:
    at_least = int(np.sum(values >= own * (1 - math.copysign(_TIE, own))))
    if exact:  # the actual assignment is one of them
        return at_least / values.size
    return (at_least + 1) / (values.size + 1)


def _exact_set(trial: _Trial, alpha: float, level: float) -> ConfidenceSet:
    """Count, between all roots at once, the permutations that do at least as well."""
    root = np.linalg.inv(np.linalg.cholesky(trial.z.T @ trial.z))
    pair = np.column_stack([trial.y, trial.x])
    moment = np.concatenate(
        [
            (np.swapaxes(b, 1, 2).reshape(-1, pair.shape[0]) @ pair).reshape(b.shape[0], -1, 2)
            for b in _blocks(trial)
        ]
    )
    moment = root @ moment
    own = root @ (trial.z.T @ pair)
    gram, actual = np.swapaxes(moment, 1, 2) @ moment, own.T @ own
    excess = actual - gram  # {a'excess a <= 0}: at least as large as the actual statistic
    # ties are common with a binary exposure and must not turn into roots at rounding distance
    scale = np.sqrt(np.outer(np.diag(actual), np.diag(actual)))
    excess = np.where(np.abs(excess) <= 100 * _TIE * scale, 0.0, excess)
    sets = quadratic_sets(excess)
    code = sets.code
    # p-values just right of each root, from starts and ends of the pieces
    interval, rays = code == INTERVAL, code == TWO_RAYS
    always = int((code == WHOLE_LINE).sum()) + int(rays.sum())
    assert int((code == EMPTY).sum()) + always + int(interval.sum()) == code.size
    starts = np.concatenate([sets.lower[interval], sets.upper[rays]])
    ends = np.concatenate([sets.upper[interval], sets.lower[rays]])
    edges = np.sort(np.unique(np.concatenate([starts, ends])))
    starts, ends = np.sort(starts), np.sort(ends)

    def accepts(b: float) -> bool:
        inside = always + int(np.searchsorted(starts, b, side="right"))
        inside -= int(np.searchsorted(ends, b, side="left"))
        if trial.exact:
            return inside / code.size > alpha
        return (inside + 1) / (code.size + 1) > alpha

    return from_boundaries(edges, accepts, level)
