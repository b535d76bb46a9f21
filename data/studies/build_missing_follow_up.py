"""Run the study of lost follow-up: ``python data/studies/build_missing_follow_up.py``.

80 synthetic pools in each place: every rule of loss in each world, with the strong instrument. It
takes a quarter of an hour on two cores. Writes ``missing_follow_up.parquet``, a row per pool,
quantity and method, and ``missing_follow_up.yaml``, how it was made.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd

from pooledtrials.planning.studies import write_study
from pooledtrials.planning.studies.missing_follow_up import missing_follow_up

FIRST_SEED, POOLS, LEVER = 2_000_000, 80, "strong"


def main() -> None:
    """Run all replications in processes and write the table with its record."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pools", type=int, default=POOLS)
    pools = arguments.parse_args().pools
    started = time.perf_counter()
    seeds = range(FIRST_SEED, FIRST_SEED + pools)
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as executor:
        parts = missing_follow_up(seeds, levers=[LEVER], executor=executor)
        table = pd.concat(parts, ignore_index=True)
    record = {
        "made by": "data/studies/build_missing_follow_up.py",
        "first seed": FIRST_SEED,
        "pools in each place": pools,
        "instrument": LEVER,
        "outcome": "asi_drug",
        "core hours": round((time.perf_counter() - started) * workers / 3600, 2),
    }
    write_study(Path(__file__).parent / "missing_follow_up.parquet", table, record)


if __name__ == "__main__":
    main()
