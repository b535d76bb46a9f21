"""Run the study of two worlds: ``python data/studies/build_two_worlds.py`` (about an hour).

500 synthetic pools in each world (motivation in long spells and in short ones) with each
instrument, every estimator of the book on each. Writes
``two_worlds.parquet``, a row per pool and method, and ``two_worlds.yaml``, how it was made.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd

from pooledtrials.planning.studies import write_study
from pooledtrials.planning.studies.two_worlds import two_worlds

FIRST_SEED, POOLS, AREA = 1_000_000, 500, "drug"


def main() -> None:
    """Run all replications in processes and write the table with its record."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pools", type=int, default=POOLS)
    pools = arguments.parse_args().pools
    started = time.perf_counter()
    seeds = range(FIRST_SEED, FIRST_SEED + pools)
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as executor:
        table = pd.concat(two_worlds(seeds, area=AREA, executor=executor), ignore_index=True)
    record = {
        "made by": "data/studies/build_two_worlds.py",
        "first seed": FIRST_SEED,
        "pools in each world with each instrument": pools,
        "outcome": f"asi_{AREA}",
        "core hours": round((time.perf_counter() - started) * workers / 3600, 2),
    }
    write_study(Path(__file__).parent / "two_worlds.parquet", table, record)


if __name__ == "__main__":
    main()
