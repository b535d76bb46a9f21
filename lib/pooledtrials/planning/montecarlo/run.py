"""Operating characteristics by simulation: how often tests err, sets hold the truth, and how wide.

Layers: `design` (what stays fixed, and the cells of a grid), `samplers` (moments of many
replications), `panel` and `operating` (statistics and outcomes), `tally` (what is kept of them),
and here the run. A study is cut into blocks with random streams of their own (`plan`), computed by
whoever is asked to (`dispatch`), kept on disk on request (`ledger`). Memory does not grow with the
number of replications.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pooledtrials.arguments import Number, sequence_of, whole
from pooledtrials.planning.montecarlo.blocks import Tallies
from pooledtrials.planning.montecarlo.characteristics import characteristics
from pooledtrials.planning.montecarlo.design import Cell, Design
from pooledtrials.planning.montecarlo.dispatch import Progress, check_executor, computed
from pooledtrials.planning.montecarlo.ledger import Ledger
from pooledtrials.planning.montecarlo.panel import ESTIMATORS
from pooledtrials.planning.montecarlo.plan import Plan
from pooledtrials.planning.montecarlo.settings import TESTS, Settings
from pooledtrials.planning.montecarlo.tally import Tally


@dataclass(frozen=True, eq=False)
class Study:
    """Results of a run.

    Attributes
    ----------
    plan : Plan
        What was run: designs, cells, replications, settings (the engine among them).
    tallies : tuple of dictionaries
        Of each cell, a `Tally` for each outcome (see `operating` for their names).
    """

    plan: Plan
    tallies: tuple[Tallies, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Cells, in the order of every table."""
        return self.plan.cells

    @property
    def level(self) -> float:
        """Confidence level of the sets."""
        return self.plan.settings.level

    @property
    def engine(self) -> str:
        """Engine that computed it: bits are the same within an engine."""
        return self.plan.settings.engine

    def mean(self, outcome: str) -> npt.NDArray[np.float64]:
        """Mean of an outcome in every cell; coverage for ``covers: ...``.

        Raises
        ------
        ValueError
            If there is no such outcome.
        """
        for tallies in self.tallies:
            if outcome not in tallies:
                raise ValueError(f"outcome is {outcome!r}: give one of {', '.join(tallies)}")
        return np.array([tallies[outcome].mean for tallies in self.tallies])

    def to_frame(self) -> pd.DataFrame:
        """One row per cell and outcome: count, mean, its standard error, median, quartiles."""
        rows = [
            {
                "cell": i,
                "outcome": name,
                "count": tally.count,
                "missing": tally.missing,
                "infinite": tally.infinite,
                "mean": tally.mean,
                "standard_error": tally.standard_error,
                "lower_quartile": tally.quantile(0.25),
                "median": tally.quantile(0.5),
                "upper_quartile": tally.quantile(0.75),
            }
            for i, tallies in enumerate(self.tallies)
            for name, tally in tallies.items()
        ]
        return pd.DataFrame(rows).set_index(["cell", "outcome"])

    def characteristics(self) -> pd.DataFrame:
        """The long table of operating characteristics.

        Returns
        -------
        pandas.DataFrame
            The cells' labels, ``method``, ``covariance``, ``characteristic``, ``value`` and
            ``mc_error``, its Monte Carlo standard error. Characteristics are ``mean bias``,
            ``median bias``, ``size`` (one less coverage), ``power at ...``, ``median length``,
            ``unbounded`` (share of sets) and, of the F statistics, ``mean``.
        """
        return characteristics(self.cells, self.tallies)


def run(
    design: Design | Sequence[Design],
    cells: Sequence[Cell],
    reps: int,
    *,
    sampler: str = "wishart",
    methods: Sequence[str] = (*ESTIMATORS, *TESTS),
    covariances: Sequence[str] = ("classical",),
    hypotheses: Sequence[float] = (),
    level: float = 0.95,
    reference: str = "F",
    draws: int = 199,
    seed: int = 0,
    engine: str = "auto",
    executor: Executor | None = None,
    workers: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    block: int | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Study:
    """Replicate every cell and count.

    Parameters
    ----------
    design : Design or sequence of Design
        From `make_design`; with several, each cell says which is its own.
    cells : sequence of Cell
    reps : int
        Replications per cell.
    sampler : ``"wishart"``, ``"cell_wishart"`` or ``"rows"``
        See `samplers`; one whose conditions fail for a cell refuses.
    methods : of ``"OLS"``, ``"2SLS"``, ``"LIML"``, ``"Fuller"``, ``"AR"``, ``"K"``, ``"CLR"``,
        ``"tF"`` (one instrument, 5 %), and with ``sampler="rows"`` ``"randomization"`` and
        ``"wild AR"``, which take milliseconds a replication
    covariances : of ``"classical"``, ``"robust"`` (HC1) and ``"clustered"`` (CR1)
        ``"robust"`` takes the sampler ``"cell_wishart"`` or ``"rows"``, ``"clustered"`` the latter.
    hypotheses : numbers
        Effects that tests try, besides the true one: their power, where the truth is another.
    level : confidence level of the sets; one less it is the level of tests
    reference : ``"F"`` or ``"chi2"``
    draws : resampling draws of ``"randomization"`` and ``"wild AR"``
    seed : int
        The answer depends on it, not on the executor or the number of workers.
    engine : ``"auto"``, ``"numba"`` or ``"numpy"``
        Compiled, or NumPy. The two agree to about ten digits in each replication; within one, on
        one kind of processor, a study is the same to the last bit. The study's ``engine`` says
        which it was.
    executor : concurrent.futures.Executor, optional
        Threads, processes, joblib's loky or a Dask client's ``get_executor()``. Dask tells its
        workers to give memory back after every array, which doubles the time of the moment
        samplers; ``MALLOC_TRIM_THRESHOLD_`` and ``MALLOC_MMAP_THRESHOLD_`` of 64 and 32 MiB in
        its ``distributed.nanny.pre-spawn-environ`` undo that.
    workers : int, optional
        Threads, without an executor; default as many as there are processors to run on.
    folder : path, optional
        Where finished blocks are kept. The same call again goes on from them; a call that differs
        in anything that decides a number begins anew beside them.
    block : int, optional
        Replications to a task, which are at stake if it is lost. Streams are keyed by block, so
        that another size gives other draws. Default: about a third of a second's worth.
    progress : function, optional
        Called with a `Progress` after every block, such as ``print``.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        For unusable arguments.
    RunStopped
        If the executor fails or the disk is full; finished blocks are kept, given a folder.
    """
    settings = Settings(
        sampler,
        sequence_of(str, methods, "methods", "a sequence of names, as in ('2SLS', 'AR')"),
        sequence_of(str, covariances, "covariances", "a sequence of names, as in ('classical',)"),
        sequence_of(Number, hypotheses, "hypotheses", "a sequence of numbers"),
        level,
        reference,
        draws,
        seed,
        engine,
    )
    designs = sequence_of(Design, design, "design", "a Design or a sequence of them", alone=True)
    chosen = sequence_of(Cell, cells, "cells", "a sequence of Cell")
    plan = Plan(designs, chosen, reps, settings, block)
    check_executor(executor)
    if executor is not None and workers is not None:
        raise ValueError("workers and executor are both given: an executor has its own workers")
    threads = len(os.sched_getaffinity(0)) if workers is None else whole(workers, "workers", 1)
    ledger = None if folder is None else Ledger(folder, plan)
    merged: list[dict[str, Tally]] = [{} for _ in plan.cells]
    for at, tallies in computed(plan, executor, threads, ledger, progress):
        into = merged[at.cell]
        for name, tally in tallies.items():
            into[name] = into[name] + tally if name in into else tally
    return Study(plan, tuple(merged))
