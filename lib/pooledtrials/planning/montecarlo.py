"""Operating characteristics by simulation: design, samplers, panel and, here, the run.

A study is a list of cells; each is cut into blocks of replications with a random stream of its own,
keyed by (cell, block), so that the answer does not depend on how many workers there are or which
finishes first. Blocks return counts, sums and histograms, never replications: memory does not grow
with their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import choice, fraction
from pooledtrials.planning.design import Cell, Design
from pooledtrials.planning.operating import classical_outcomes, robust_outcomes
from pooledtrials.planning.samplers import SAMPLERS

_BLOCK: Final = {"wishart": 20_000, "cell_wishart": 5_000, "rows": 512}
_CHUNK: Final = {"wishart": 2_000, "cell_wishart": 500, "rows": 256}
_BINS: Final = 4096


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums over replications of one outcome.

    ``histogram`` counts ``arctan(value)`` in equal bins from -pi/2 to pi/2, enough for quantiles of
    estimates, sets' lengths and F statistics, also infinite ones.
    """

    count: int
    total: float
    square: float
    histogram: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> Tally:
        """The tally of one block; infinite values count in the histogram only."""
        position = (np.arctan(values) / math.pi + 0.5) * _BINS
        place = np.clip(position.astype(np.int64), 0, _BINS - 1)
        finite = values[np.isfinite(values)]
        histogram = np.bincount(place, minlength=_BINS)
        return cls(values.size, float(finite.sum()), float(finite @ finite), histogram)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.count + other.count,
            self.total + other.total,
            self.square + other.square,
            self.histogram + other.histogram,
        )

    def quantile(self, probability: float) -> float:
        """Quantile, to the width of a bin, linear within it."""
        below = np.concatenate([[0], np.cumsum(self.histogram)])
        place = float(np.interp(probability * self.count, below, np.arange(_BINS + 1)))
        return math.tan((place / _BINS - 0.5) * math.pi)


@dataclass(frozen=True, eq=False)
class Study:
    """Results of a run: one dictionary of tallies per cell."""

    cells: tuple[Cell, ...]
    tallies: tuple[dict[str, Tally], ...]
    level: float

    def mean(self, outcome: str) -> npt.NDArray[np.float64]:
        """Mean of an outcome in every cell; coverage for ``covers: ...``."""
        return np.array([t[outcome].total / t[outcome].count for t in self.tallies])

    def to_frame(self) -> pd.DataFrame:
        """One row per cell and outcome: count, mean, its standard error, median, quartiles."""
        rows = []
        for i, tallies in enumerate(self.tallies):
            for name, tally in tallies.items():
                mean = tally.total / tally.count
                spread = max(tally.square / tally.count - mean**2, 0.0)
                rows.append(
                    {
                        "cell": i,
                        "outcome": name,
                        "count": tally.count,
                        "mean": mean,
                        "standard_error": math.sqrt(spread / tally.count),
                        "lower_quartile": tally.quantile(0.25),
                        "median": tally.quantile(0.5),
                        "upper_quartile": tally.quantile(0.75),
                    }
                )
        return pd.DataFrame(rows).set_index(["cell", "outcome"])


def run(
    design: Design,
    cells: Sequence[Cell],
    reps: int,
    *,
    sampler: str = "wishart",
    robust: bool = False,
    level: float = 0.95,
    reference: str = "F",
    seed: int = 0,
    executor: Executor | None = None,
) -> Study:
    """Replicate every cell and count.

    Parameters
    ----------
    design : Design
        From `make_design`.
    cells : sequence of Cell
    reps : int
        Replications per cell.
    sampler : ``"wishart"``, ``"cell_wishart"`` or ``"rows"``
        See `samplers`; one whose conditions fail for a cell refuses.
    robust : bool
        Robust outcomes in place of classical ones (not with ``"wishart"``).
    level : confidence level of the sets
    reference : ``"F"`` or ``"chi2"``
    seed : int
        The answer depends on it, not on the executor.
    executor : concurrent.futures.Executor, optional
        Threads, processes, joblib's loky or a Dask client's executor; None runs here.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    choice(sampler, "sampler", tuple(SAMPLERS))
    choice(reference, "reference", ("F", "chi2"))
    fraction(level, "level")
    if reps < 1:
        raise ValueError(f"reps is {reps}: give 1 or more")
    if not cells:
        raise ValueError("cells has 0 entries: give at least one Cell")
    for i, cell in enumerate(cells):
        if np.shape(cell.theta) != (design.n_instruments,):
            raise ValueError(
                f"theta of cell {i} has shape {np.shape(cell.theta)}, but the design has"
                f" {design.n_instruments} instruments: use design.strength(...)"
            )
    size = _BLOCK[sampler]
    tasks = [
        (design, cell, min(size, reps - start), sampler, robust, level, reference, seed, (i, j))
        for i, cell in enumerate(cells)
        for j, start in enumerate(range(0, reps, size))
    ]
    if executor is None:
        results = [run_block(*task) for task in tasks]
    else:
        futures: list[Future[dict[str, Tally]]] = [executor.submit(run_block, *t) for t in tasks]
        results = [future.result() for future in futures]
    merged: list[dict[str, Tally]] = [{} for _ in cells]
    for task, found in zip(tasks, results, strict=True):
        into = merged[task[-1][0]]
        for name, tally in found.items():
            into[name] = into[name] + tally if name in into else tally
    return Study(tuple(cells), tuple(merged), level)


def run_block(
    design: Design,
    cell: Cell,
    reps: int,
    sampler: str,
    robust: bool,
    level: float,
    reference: str,
    seed: int,
    key: tuple[int, int],
) -> dict[str, Tally]:
    """One block of one cell, in chunks that stay in cache; its stream is keyed by ``key``."""
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))
    outcomes = robust_outcomes if robust else classical_outcomes
    tallies: dict[str, Tally] = {}
    for start in range(0, reps, _CHUNK[sampler]):
        count = min(_CHUNK[sampler], reps - start)
        draws = SAMPLERS[sampler](design, cell, count, generator, robust)
        for name, values in outcomes(design, cell, draws, level, reference).items():
            tally = Tally.of(values)
            tallies[name] = tallies[name] + tally if name in tallies else tally
    return tallies
