"""Patients' cross products: all that a regression with errors clustered by patient needs.

Let ``v_pt`` hold, of patient p at interview t, an indicator of each wave and the measured columns.
The patient's cross products are ``V_p = sum_t v_pt v_pt'``. Residuals and regressors, whatever is
partialled out of them, are combinations ``r'v`` and ``l'v`` of the columns, so the patient's score
is ``l'V_p r``. Coefficients need the sum of the V_p, and a clustered covariance, which is made of
squared scores, needs the sum of the products of all pairs of their entries. Neither grows with the
number of patients. Both are added up in one pass, in parts if need be.

Regressions within patients need the same of ``V_p - n_p (mean of v)(mean of v)'``.

Sums are kept by trial, for the effect of a wave may differ between trials.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np

from pooledtrials.arguments import Codes, Matrix
from pooledtrials.planning.montecarlo.products import gram
from pooledtrials.planning.registry.rows import Rows

_PATIENTS = 8192  # at a time, so that what belongs to them stays in a processor's cache


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which entries of symmetric matrices are kept, as a row of numbers.

    Attributes
    ----------
    size : columns of the matrices
    left, right : (f,) positions of the f entries, none below the diagonal
    """

    size: int
    left: Codes
    right: Codes

    @property
    def count(self) -> int:
        """Entries, f."""
        return int(self.left.size)

    @cached_property
    def place(self) -> Codes:
        """(size, size) place of each entry in the row, -1 if it is not kept."""
        places = np.full((self.size, self.size), -1, dtype=np.intp)
        places[self.left, self.right] = places[self.right, self.left] = np.arange(self.count)
        return places

    def matrix(self, entries: Matrix) -> Matrix:
        """(..., size, size) symmetric matrices of (..., f) entries; those not kept are 0."""
        whole = np.zeros((*entries.shape[:-1], self.size, self.size))
        whole[..., self.left, self.right] = entries
        whole[..., self.right, self.left] = entries
        return whole

    def weights(self, left: Matrix, right: Matrix) -> Matrix:
        """(..., f) weights w that make ``w'entries`` equal to ``left' matrix right``."""
        i, j = self.left, self.right
        straight, crossed = left[..., i] * right[..., j], left[..., j] * right[..., i]
        return np.asarray(straight + np.where(i == j, 0.0, crossed))


@lru_cache
def plain_pairs(waves: int, columns: int) -> Pairs:
    """Entries of ``V_p`` other than those of two waves, which no interview is in."""
    left, right = np.triu_indices(waves + columns)
    kept = (left == right) | (right >= waves)
    return Pairs(waves + columns, left[kept], right[kept])


@lru_cache
def within_pairs(waves: int, columns: int) -> Pairs:
    """Entries of the matrix within patients, in which a single wave is nothing."""
    size = columns + (waves if waves > 1 else 0)
    return Pairs(size, *np.triu_indices(size))


@dataclass(frozen=True, eq=False)
class CrossProducts:
    """Sums over patients, by trial.

    Attributes
    ----------
    patients : (trials,) array
    repeated : (trials, 3) array
        Patients with two or more interviews, their interviews, and how many of these patients have
        an exposure that never changes.
    first, second : (trials, f) and (trials, f, f) arrays
        Sums of the entries of ``V_p``, and of products of two of them.
    first_within, second_within : the same of the matrix within patients
    """

    patients: Matrix
    repeated: Matrix
    first: Matrix
    second: Matrix
    first_within: Matrix
    second_within: Matrix

    def __add__(self, other: CrossProducts) -> CrossProducts:
        names = [field.name for field in fields(self)]
        return CrossProducts(*(getattr(self, name) + getattr(other, name) for name in names))

    @classmethod
    def zero(cls, trials: int, plain: Pairs, within: Pairs) -> CrossProducts:
        """Sums over nobody."""
        f, w = plain.count, within.count
        shapes = ((), (3,), (f,), (f, f), (w,), (w, w))
        return cls(*(np.zeros((trials, *shape)) for shape in shapes))


@dataclass(frozen=True)
class Shape:
    """How many trials, waves, measured columns and, among these, instruments there are.

    Measured columns come in the order controls, instruments, exposure, outcome.
    """

    trials: int
    waves: int
    columns: int
    instruments: int

    @property
    def plain(self) -> Pairs:
        """Entries of ``V_p``."""
        return plain_pairs(self.waves, self.columns)

    @property
    def within(self) -> Pairs:
        """Entries of the matrix within patients, from which instruments are left out."""
        return within_pairs(self.waves, self.columns - self.instruments)

    @property
    def changing(self) -> Codes:
        """Positions in ``plain`` of the columns of ``within``."""
        first = 0 if self.waves > 1 else 1
        end = self.waves + self.columns - 2
        places = np.arange(first, end + 2)
        return places[(places < end - self.instruments) | (places >= end)]

    @property
    def bytes(self) -> int:
        """Size of the sums."""
        return 8 * self.trials * (self.plain.count**2 + self.within.count**2)


def cross_products(
    rows: Rows, shape: Shape, first: int = 0, last: int | None = None
) -> CrossProducts:
    """Sums of the cross products of patients ``first`` up to, not including, ``last``.

    Raises
    ------
    ValueError
        If a patient has two rows at one of several waves.
    """
    sums = CrossProducts.zero(shape.trials, shape.plain, shape.within)
    for start in range(first, rows.starts.size if last is None else last, _PATIENTS):
        stop = min(start + _PATIENTS, rows.starts.size if last is None else last)
        _add(sums, rows, shape, slice(start, stop))
    return sums


def _add(sums: CrossProducts, rows: Rows, shape: Shape, patients: slice) -> None:
    """Add some patients to ``sums``, which are the caller's own."""
    starts, ends = rows.starts[patients], rows.ends[patients]
    values = rows.values[:, starts[0] : ends[-1]]
    begins = starts - starts[0]
    entries = _entries(values, rows.cells[starts[0] : ends[-1]], begins, shape)
    centred = _centred(entries, shape)
    sizes, x = ends - starts, values[-2]
    several = sizes > 1
    steady = np.maximum.reduceat(x, begins) == np.minimum.reduceat(x, begins)
    counts = np.stack([several, several * sizes, several & steady])
    trials = rows.trials[patients]
    for trial in np.flatnonzero(np.bincount(trials)):
        here = np.flatnonzero(trials == trial)
        sums.patients[trial] += here.size
        sums.repeated[trial] += counts[:, here].sum(axis=1)
        for table, first, second in (
            (entries, sums.first, sums.second),
            (centred, sums.first_within, sums.second_within),
        ):
            chosen = table if here.size == trials.size else table.take(here, axis=1)
            first[trial] += chosen.sum(axis=1)
            second[trial] += gram(chosen)


def _entries(values: Matrix, cells: Codes, starts: Codes, shape: Shape) -> Matrix:
    """(f, N) entries of each patient's ``V_p``."""
    n, waves, columns = starts.size, shape.waves, shape.columns
    entries = np.empty((shape.plain.count, n))
    by_wave = entries[: waves * (1 + columns)].reshape(waves, 1 + columns, n)
    if waves == 1:
        by_wave[0, 0] = np.diff(starts, append=cells.size)
        np.add.reduceat(values, starts, axis=1, out=by_wave[0, 1:])
    else:
        _add_by_wave(by_wave, values, cells, starts)
    squares = entries[waves * (1 + columns) :]
    for row, left, right in zip(squares, *np.triu_indices(columns), strict=True):
        np.add.reduceat(values[left] * values[right], starts, out=row)
    return entries


def _add_by_wave(by_wave: Matrix, values: Matrix, cells: Codes, starts: Codes) -> None:
    """Fill in each patient's interviews and values at each of several waves."""
    waves, _, n = by_wave.shape
    place = cells * n + np.repeat(np.arange(n), np.diff(starts, append=cells.size))
    held = np.bincount(place, minlength=waves * n).reshape(waves, n)
    if held.max() > 1:
        raise ValueError(
            f"waves: {(held > 1).any(axis=0).sum()} patients have two or more rows at one wave:"
            " keep one row for each patient and wave"
        )
    by_wave[:, 0] = held
    for j, column in enumerate(values):
        by_wave[:, 1 + j] = np.bincount(place, column, minlength=waves * n).reshape(waves, n)


def _centred(entries: Matrix, shape: Shape) -> Matrix:
    """(w, N) entries of each patient's matrix within patients."""
    waves, columns = shape.waves, shape.columns
    by_wave = entries[: waves * (1 + columns)].reshape(waves, 1 + columns, -1)
    totals = np.concatenate([by_wave[:, 0], by_wave[:, 1:].sum(axis=0)])[shape.changing]
    means = totals / by_wave[:, 0].sum(axis=0)
    pairs = shape.within
    centred = -totals[pairs.left] * means[pairs.right]
    source = shape.plain.place[shape.changing[pairs.left], shape.changing[pairs.right]]
    kept = source >= 0
    centred[kept] += entries[source[kept]]
    return np.asarray(centred)
