"""The largest or smallest of several estimated bounds, corrected for having been chosen.

A mean-independent or monotone instrument gives many bounds, of which the tightest holds. In a
sample the tightest is partly the luckiest, so the plain maximum or minimum is biased towards bounds
that are too narrow, and its distribution is not normal: neither a standard error nor the bootstrap
helps. [chernozhukov2013intersection] add a multiple of each candidate's standard error before
choosing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from pooledtrials.arguments import Matrix, Vector
from pooledtrials.resampling import Seed, generator_of

DRAWS: Final = 2000
MOST: Final = 20_000
"""More candidates than this are refused: their joint distribution is simulated."""

_KNOWN: Final = 1e-10  # standard error, relative to its candidates, below which one is a constant
_CHUNK: Final = 2_000_000


@dataclass(frozen=True, eq=False)
class Candidates:
    """Estimates whose largest (or smallest) is a bound.

    Attributes
    ----------
    values : (M,) estimates
    root : (M, r) matrix; ``root @ root.T`` is their covariance
    nobs : independent units, rows or clusters
    """

    values: Vector
    root: Matrix
    nobs: int

    @property
    def errors(self) -> Vector:
        """Standard errors, exactly 0 for candidates that are constants."""
        errors = np.sqrt(np.einsum("ij,ij->i", self.root, self.root))
        scale = max(float(errors.max()), float(np.abs(self.values).max()), 1e-300)
        return np.where(errors <= _KNOWN * scale, 0.0, errors)

    def negative(self) -> Candidates:
        """The same with the sign changed."""
        return Candidates(-self.values, -self.root, self.nobs)


def smallest(candidates: Candidates, probability: float, seed: Seed = 0) -> float:
    """Upper bound that is too low with probability at most ``1 - probability``.

    ``min(v + k s)`` over candidates v with standard errors s, k the ``probability`` quantile of the
    largest standardized error among the candidates that could be the smallest: those within
    ``2 K s`` of ``min(v + K s)``, K the ``1 - 0.1 / log n`` quantile over all
    [chernozhukov2013intersection]. With probability one half it is half-median unbiased.

    Parameters
    ----------
    candidates : upper bounds; for lower bounds pass ``negative()`` and change the sign
    probability : at least one half
    seed : of the simulated normal errors
    """
    errors = candidates.errors
    known = errors == 0
    constant = float(candidates.values[known].min()) if known.any() else math.inf
    v, s = candidates.values[~known], errors[~known]
    if v.size == 0:
        return constant
    if v.size == 1:
        return min(constant, float(v[0] + stats.norm.ppf(probability) * s[0]))
    standardized = candidates.root[~known] / s[:, None]
    all_of_them = np.ones(v.size, dtype=bool)
    cutoff = 1 - 0.1 / math.log(max(candidates.nobs, 3))
    wide = _largest_error(standardized, all_of_them, cutoff, seed)
    near = v <= float(np.min(v + wide * s)) + 2 * wide * s
    k = _largest_error(standardized, near, probability, seed)
    return min(constant, float(np.min(v + k * s)))


def largest(candidates: Candidates, probability: float, seed: Seed = 0) -> float:
    """Lower bound that is too high with probability at most ``1 - probability``."""
    return -smallest(candidates.negative(), probability, seed)


def _largest_error(standardized: Matrix, among: Vector, probability: float, seed: Seed) -> float:
    """Quantile of the largest of some jointly normal errors with unit variances."""
    generator = generator_of(seed)
    part = standardized[among.astype(bool)]
    step = max(1, _CHUNK // part.shape[0])
    draws = generator.standard_normal((DRAWS, part.shape[1]))
    tops = [(draws[i : i + step] @ part.T).max(axis=1) for i in range(0, DRAWS, step)]
    return float(np.quantile(np.concatenate(tops), probability))
