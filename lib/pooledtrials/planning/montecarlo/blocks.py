"""One block of a study: draw, evaluate and count, in chunks that stay in cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from pooledtrials.planning.montecarlo.design import Cell, Design
from pooledtrials.planning.montecarlo.operating import Outcome, outcomes
from pooledtrials.planning.montecarlo.plan import Block, Plan
from pooledtrials.planning.montecarlo.row_tests import row_outcomes
from pooledtrials.planning.montecarlo.samplers import SAMPLERS, reduce_rows, row_errors
from pooledtrials.planning.montecarlo.settings import Settings
from pooledtrials.planning.montecarlo.tally import Tally

_S = TypeVar("_S")
_T = TypeVar("_T")

Tallies = dict[str, Tally]

_CHUNK: Final = {"wishart": 2**14, "cell_wishart": 2**12, "rows": 2**9}
"""Replications: few enough to stay in cache, enough that threads seldom wait for each other."""


@dataclass(frozen=True, eq=False)
class Job:
    """What travels to a worker: one block with its design, its cell and the settings."""

    design: Design
    cell: Cell
    settings: Settings
    block: Block


def job_of(plan: Plan, block: Block) -> Job:
    """The job of one block."""
    design = plan.design_of(block.cell)
    if plan.settings.sampler == "rows" and plan.settings.engine == "numba":
        _ = design.features  # made once here, not by every worker
    return Job(design, plan.cells[block.cell], plan.settings, block)


def run_block(job: Job) -> Tallies:
    """Tallies of every outcome of one block."""
    settings, block = job.settings, job.block
    seed = np.random.SeedSequence(settings.seed, spawn_key=(block.cell, block.number))
    generator = np.random.Generator(np.random.SFC64(seed))
    tallies: Tallies = {}
    for start in range(0, block.reps, _CHUNK[settings.sampler]):
        count = min(_CHUNK[settings.sampler], block.reps - start)
        for name, values in _chunk(job, count, generator):
            if values.dtype == np.bool_:
                found = Tally.of_truths(values.astype(bool))
            else:
                found = Tally.of(values.astype(float, copy=False), settings.engine)
            tallies[name] = tallies[name] + found if name in tallies else found
    return tallies


def attempt(work: Callable[[_S], _T], given: _S) -> _T | Exception:
    """Do the work, an error as its value: what an executor itself raises is then its own."""
    try:
        return work(given)
    except Exception as error:
        return error


def _chunk(job: Job, count: int, generator: np.random.Generator) -> Iterator[Outcome]:
    design, cell, settings = job.design, job.cell, job.settings
    if not settings.row_tests:
        sampler = SAMPLERS[settings.sampler]
        draws = sampler(design, cell, count, generator, settings.covariances, settings.engine)
        return outcomes(design, cell, draws, settings)
    errors = np.concatenate(list(row_errors(design, cell, count, generator)))
    draws = reduce_rows(design, cell, errors, settings.covariances, settings.engine)
    found = [*outcomes(design, cell, draws, settings)]
    found += row_outcomes(design, cell, errors, settings, generator)
    return iter(found)
