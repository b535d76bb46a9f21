"""Draws that stand in for chance: signs of clusters, and assignments within strata.

Both are enumerated where there are no more of them than draws asked for: nothing is random then.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from pooledtrials.arguments import Codes, Matrix, whole

Seed = int | np.random.Generator | np.random.SeedSequence


def generator_of(seed: Seed) -> np.random.Generator:
    """The generator a seed starts; a Generator is itself.

    Raises
    ------
    ValueError
        If it is no seed.
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ValueError(
            f"seed is {seed!r}: give a whole number, 0 or more, a SeedSequence or a Generator"
        ) from None


def sign_patterns(groups: int, draws: int, weights: str, seed: Seed) -> tuple[Matrix, str]:
    """(draws, groups) multipliers, all patterns if there are at most ``draws``, and words."""
    draws, generator = whole(draws, "draws", 1), generator_of(seed)
    points = np.array([-1.0, 1.0])
    if weights == "webb":
        half = np.sqrt(np.array([0.5, 1.0, 1.5]))
        points = np.concatenate([-half, half])
    if groups * np.log(points.size) <= np.log(draws) + 1e-9:
        every = np.array(list(itertools.product(points, repeat=groups)))
        return every, f"all {every.shape[0]} {weights} patterns"
    drawn = points[generator.integers(0, points.size, size=(draws, groups))]
    return drawn, f"{draws} {weights} draws"


def assignments(
    z: Matrix, cell: Codes, draws: int, generator: np.random.Generator
) -> tuple[Codes, bool]:
    """(draws, units) rows of z, each from the unit's own stratum; and whether all are there.

    All distinct assignments if there are at most ``draws``, the actual one among them, or random
    permutations within strata.
    """
    draws = whole(draws, "draws", 1)
    _, kind = np.unique(z, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    members = [np.flatnonzero(cell == c) for c in range(int(cell.max()) + 1)]
    count = 1
    for rows in members:
        left = rows.size
        for size in np.bincount(kind[rows]):
            count *= math.comb(left, int(size))
            left -= int(size)
        if count > draws:
            break
    if count <= draws:
        options = [list(_arrangements(kind[rows])) for rows in members]
        every = np.empty((count, z.shape[0]), dtype=np.intp)
        # each kind's row is taken from the stratum: z may have been centred within strata
        row_of = [dict(zip(kind[rows].tolist(), rows.tolist(), strict=True)) for rows in members]
        for i, parts in enumerate(itertools.product(*options)):
            for rows, part, own in zip(members, parts, row_of, strict=True):
                every[i, rows] = [own[t] for t in part]
        return every, True
    drawn = np.empty((draws, z.shape[0]), dtype=np.intp)
    for rows in members:
        drawn[:, rows] = generator.permuted(np.tile(rows, (draws, 1)), axis=1)
    return drawn, False


def _arrangements(kinds: Codes) -> Iterator[tuple[int, ...]]:
    """Every distinct order of a multiset, by choosing places kind after kind."""

    def fill(free: tuple[int, ...], left: list[tuple[int, int]]) -> Iterator[dict[int, int]]:
        if not left:
            yield {}
            return
        (kind, size), *rest = left
        for chosen in itertools.combinations(free, size):
            remaining = tuple(f for f in free if f not in set(chosen))
            for tail in fill(remaining, rest):
                yield tail | dict.fromkeys(chosen, kind)

    counts = [(int(k), int((kinds == k).sum())) for k in np.unique(kinds)]
    for places in fill(tuple(range(kinds.size)), counts):
        yield tuple(places[i] for i in range(kinds.size))


def randomized_units(z: Matrix, cell: Codes, units: Codes) -> tuple[Matrix, Codes]:
    """Assignment and stratum of each randomized unit, which all of its rows must share.

    Parameters
    ----------
    z : (n, k) assignment of each row
    cell : (n,) stratum of each row
    units : (n,) codes 0, ..., G - 1 of the units that were randomized

    Returns
    -------
    (G, k) and (G,) arrays

    Raises
    ------
    ValueError
        If assignment or stratum varies within a unit.
    """
    first = np.empty(int(units.max()) + 1, dtype=np.intp)
    first[units[::-1]] = np.arange(units.size)[::-1]
    for name, array in (("z", z), ("strata", cell[:, None])):
        mixed = np.unique(units[(array != array[first[units]]).any(axis=1)]).size
        if mixed:
            raise ValueError(
                f"{name} varies within {mixed} clusters, but clusters are the units that were"
                " randomized: leave clusters out if individuals were"
            )
    return z[first], cell[first]


def sign_blocks(groups: int, draws: int, weights: str, seed: Seed) -> tuple[Iterator[Matrix], str]:
    """Multipliers and words as in `sign_patterns`, a block of draws at a time.

    Random ones are never all in memory, and are not those of `sign_patterns` for the same seed.
    """
    draws, generator = whole(draws, "draws", 1), generator_of(seed)
    points = 6 if weights == "webb" else 2
    if points**groups <= draws:
        every, words = sign_patterns(groups, draws, weights, seed)
        width = _block_width(groups)
        return (every[i : i + width] for i in range(0, len(every), width)), words
    return _drawn_blocks(groups, draws, weights, generator), f"{draws} {weights} draws"


def _drawn_blocks(
    groups: int, draws: int, weights: str, generator: np.random.Generator
) -> Iterator[Matrix]:
    """Signs from single random bits; Webb's points from small integers."""
    half = np.sqrt(np.array([0.5, 1.0, 1.5]))
    points = np.concatenate([-half, half])
    width = _block_width(groups)
    for i in range(0, draws, width):
        rows = min(width, draws - i)
        if weights == "webb":
            drawn = generator.integers(0, 6, size=(rows, groups), dtype=np.uint8)
            yield np.asarray(points[drawn], dtype=float)
        else:
            packed = generator.integers(0, 256, size=(rows, -(-groups // 8)), dtype=np.uint8)
            bits = np.unpackbits(packed, axis=1, count=groups)
            yield np.asarray(bits * 2.0 - 1.0, dtype=float)


def _block_width(groups: int) -> int:
    """Draws in a block, so that some copies of it fit the cache."""
    return max(1, 100_000 // groups)
