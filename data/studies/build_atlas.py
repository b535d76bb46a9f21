"""Make the atlas: ``python data/studies/build_atlas.py`` (five minutes of one core).

Every place of `pooledtrials.planning.studies.atlas`: bias, size, power, length and share of
unbounded sets of the estimators, tests and sets of the book, with Monte Carlo errors, and quantiles
of the estimates. Writes ``atlas.parquet``, a row per place, method and characteristic, and
``atlas.yaml``, how it was made.
"""

from __future__ import annotations

import argparse
import os
import resource
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd

from pooledtrials.planning.studies import write_study
from pooledtrials.planning.studies.atlas import (
    PLACES,
    RESAMPLED_PLACES,
    characteristics_at,
    resampled_at,
)

SEED = 3_000_000
MOMENT_REPS, ROW_REPS, RESAMPLED_REPS = 200_000, 20_000, 1_000


def main() -> None:
    """Run all places in processes and write the table with its record."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with ProcessPoolExecutor(os.cpu_count() or 1) as executor:
        # what takes longest first
        resampled = executor.map(
            partial(resampled_at, reps=RESAMPLED_REPS, seed=SEED), RESAMPLED_PLACES[::-1]
        )
        reps = [ROW_REPS if place.clusters else MOMENT_REPS for place in PLACES]
        others = executor.map(partial(characteristics_at, seed=SEED), PLACES, reps)
        table = pd.concat([*others, *resampled], ignore_index=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    record = {
        "made by": "data/studies/build_atlas.py",
        "first seed": SEED,
        "replications of each place": {
            "without clusters": MOMENT_REPS,
            "with clusters": ROW_REPS,
            "tests that resample": RESAMPLED_REPS,
        },
        "core hours": round((used.ru_utime + used.ru_stime) / 3600, 2),
    }
    write_study(Path(__file__).parent / "atlas.parquet", table, record)


if __name__ == "__main__":
    main()
