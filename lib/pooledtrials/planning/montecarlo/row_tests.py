"""Tests that resample the rows of every replication: milliseconds each, and worth it for some.

They are the public functions of `pooledtrials.instruments` on each replication's own data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pooledtrials.instruments.bootstrap import wild_bootstrap_test
from pooledtrials.instruments.randomization import randomization_test
from pooledtrials.planning.montecarlo.design import Cell, Design
from pooledtrials.planning.montecarlo.operating import Outcome, decisions
from pooledtrials.planning.montecarlo.settings import Settings

Array = npt.NDArray[np.float64]


def row_outcomes(
    design: Design,
    cell: Cell,
    errors: Array,
    settings: Settings,
    generator: np.random.Generator,
) -> Iterator[Outcome]:
    """Decisions of the settings' `row_tests` on data with ``errors`` (reps, 2, n).

    ``randomization`` permutes the assignment within strata, between clusters where a cluster has
    one assignment and between rows otherwise. ``wild AR`` gives signs to clusters, or to rows.
    """
    points = (cell.effect, *settings.hypotheses)
    seeds = generator.integers(2**63, size=(len(settings.row_tests), errors.shape[0]))
    exposure = cell.signal(design) + errors[:, 1]
    outcome = cell.effect * exposure + errors[:, 0]
    for name, own in zip(settings.row_tests, seeds, strict=True):
        p_values = np.array(
            [
                [
                    _p_value(name, design, y, x, b, settings.draws, int(seed))
                    for y, x, seed in zip(outcome, exposure, own, strict=True)
                ]
                for b in points
            ]
        )
        yield f"p: {name}", p_values[0]
        yield from decisions(name, p_values > settings.alpha, settings)


def _p_value(
    name: str, design: Design, y: Array, x: Array, beta0: float, draws: int, seed: int
) -> float:
    """The same draws whatever ``beta0``."""
    test = randomization_test if name == "randomization" else wild_bootstrap_test
    units = design.clusters
    if name == "randomization" and not design.randomized_by_cluster:
        units = None
    given = (y, x, design.z, design.controls, units, design.strata)
    return test(*given, beta0=float(beta0), draws=draws, seed=seed).p_value
