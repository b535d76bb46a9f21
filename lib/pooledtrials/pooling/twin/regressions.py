"""The three reference regressions to which the synthetic twin is calibrated, and nothing more.

Chapters use the full estimators of other packages; these are their few lines for one exposure,
people, and trial x wave cells, fast on a hundred thousand people. In each, the cells are
partialled out trial by trial, since no person and no cell belongs to two trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

_Vector: TypeAlias = npt.NDArray[np.float64]
_Labels: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Cells:
    """Who, in which trial, at which wave: whole labels from 0, each of shape (interviews,)."""

    person: _Labels
    trial: _Labels
    cell: _Labels

    @classmethod
    def of(cls, table: pd.DataFrame) -> Cells:
        """Label the rows of a table with columns ``trial``, ``patient`` and ``wave``."""
        trial = pd.factorize(table["trial"])[0].astype(np.int64)
        wave = pd.factorize(table["wave"])[0].astype(np.int64)
        patient = table["patient"].to_numpy(np.int64)
        person = pd.factorize(trial * (patient.max() + 1) + patient)[0]
        return cls(person, trial, pd.factorize(trial * (wave.max() + 1) + wave)[0])

    def means(self, values: _Vector) -> _Vector:
        """Mean of each row's person."""
        mean: _Vector = (np.bincount(self.person, weights=values) / self.size())[self.person]
        return mean

    def size(self) -> _Vector:
        """Interviews of each person."""
        return np.bincount(self.person).astype(np.float64)

    def residuals(self, values: _Vector, theta: _Vector) -> _Vector:
        """Take ``theta`` of the person's mean and the cells, treated alike, out of values."""
        rest = values - theta * self.means(values)
        for trial in range(int(self.trial.max()) + 1):
            rows = np.flatnonzero(self.trial == trial)
            person = pd.factorize(self.person[rows])[0]
            cell = pd.factorize(self.cell[rows])[0]
            dummies = np.equal.outer(cell, np.arange(cell.max() + 1)).astype(np.float64)
            mean = np.empty((int(person.max()) + 1, dummies.shape[1]))
            for j, dummy in enumerate(dummies.T):
                mean[:, j] = np.bincount(person, weights=dummy)
            mean /= np.bincount(person)[:, None]
            dummies -= theta[rows, None] * mean[person]
            # Within people a trial's dummies sum to 0; a pseudo-inverse lets that be.
            inverse = np.linalg.pinv(dummies.T @ dummies, rcond=1e-10, hermitian=True)
            rest[rows] -= dummies @ (inverse @ (dummies.T @ rest[rows]))
        return rest


def fixed_effects(y: _Vector, x: _Vector, cells: Cells) -> float:
    """Coefficient of x on y with effects of persons and of trial x wave cells."""
    exposure = cells.residuals(x, np.ones(len(x)))
    return float(exposure @ y / (exposure @ exposure))


def random_effects(y: _Vector, x: _Vector, cells: Cells) -> float:
    """Coefficient of x on y with random persons (Swamy-Arora) and trial x wave cells.

    Variances as in ``linearmodels.RandomEffects``: of the within residuals over their degrees of
    freedom, and of the between residuals less the former over the harmonic mean of interviews.
    """
    n, people, columns = len(y), int(cells.person.max()) + 1, int(cells.cell.max()) + 2
    ones = np.ones(n)
    within_x = cells.residuals(x, ones)
    within = cells.residuals(y, ones) - fixed_effects(y, x, cells) * within_x
    noise = float(within @ within) / (n - people - columns + 1)
    between = _between_residuals(y, x, cells, people, columns - 1)
    average = people / float((1 / cells.size()).sum())
    spread = max(0.0, float(between @ between) / (people - columns) - noise / average)
    theta = (1 - np.sqrt(noise / (cells.size() * spread + noise)))[cells.person]
    moved_x, moved_y = cells.residuals(x, theta), cells.residuals(y, theta)
    return float(moved_x @ moved_y / (moved_x @ moved_x))


def _between_residuals(y: _Vector, x: _Vector, cells: Cells, people: int, count: int) -> _Vector:
    """Residuals of the regression of persons' means on the means of x and of the cells."""
    size = cells.size()
    design = np.bincount(cells.person * count + cells.cell, minlength=people * count)
    means = design.reshape(people, count) / size[:, None]
    regressors = np.column_stack([np.bincount(cells.person, weights=x) / size, means])
    outcome = np.bincount(cells.person, weights=y) / size
    inverse = np.linalg.pinv(regressors.T @ regressors, rcond=1e-10, hermitian=True)
    residuals: _Vector = outcome - regressors @ (inverse @ (regressors.T @ outcome))
    return residuals


class FirstStage(NamedTuple):
    """Days of attendance per unit of the instrument, its F, and rows and persons behind it."""

    days: float
    f: float
    interviews: int
    persons: int


def first_stage(x: _Vector, z: _Vector, cells: Cells) -> FirstStage:
    """Regress x on z and trial x wave cells, clustered by person.

    The covariance carries G / (G - 1) x (n - 1) / (n - k) for G persons, n rows and k columns.
    """
    nothing = np.zeros(len(x))
    lever, moved = cells.residuals(z, nothing), cells.residuals(x, nothing)
    power = float(lever @ lever)
    days = float(lever @ moved) / power
    score = np.bincount(cells.person, weights=lever * (moved - days * lever))
    n, people = len(x), len(score)
    scale = people / (people - 1) * (n - 1) / (n - int(cells.cell.max()) - 2)
    error = sqrt(scale * float(score @ score)) / power
    return FirstStage(days, (days / error) ** 2, n, people)
