"""Measure what one pass over a registry costs: ``python data/studies/build_registry_cost.py``.

Synthetic registries of 10 thousand to 10 million rows in the world *selection*, where meetings do
nothing, with the weak lever of the six trials. Each is answered from its files in one pass, and by
the functions of `instruments`, in memory: least squares, first stage, two-stage least squares,
Anderson-Rubin set, within trials, clustered by patient. Each answer has a process of its own and
one core; of several ``--turns`` medians are kept. Writes ``registry_cost.parquet``, a row per way
and size, and ``registry_cost.yaml``, how and on what machine it was made (about two minutes).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import polars as pl

from pooledtrials import instruments
from pooledtrials.planning import registry_from_twin, registry_sums
from pooledtrials.planning.registry.generator import POOL
from pooledtrials.planning.studies import write_study

SIZES = (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7)
MONTHS, SEED, TURNS = 6, 1, 1
ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
WORLD, LEVER = "selection", "weak"
ROLES = {"y": "asi_drug", "x": "ten_days", "z": "facilitated", "controls": "asi_drug_baseline"}
FOLLOW_UP = pl.col("month") > 0


def one_pass(folder: Path) -> dict[str, float]:
    """Answer from the sums of one pass over the files."""
    sums = registry_sums(folder, **ROLES, patients="patient", trials="trial", where=FOLLOW_UP)
    instruments.robust_set(sums.moments(), "AR")
    return answers(sums.ols(), sums.tsls(), sums.first_stage())


def in_memory(folder: Path) -> dict[str, float]:
    """Answer from all rows as arrays."""
    needed = [*ROLES.values(), "patient", "trial"]
    rows = pl.scan_parquet(folder / "*.parquet").filter(FOLLOW_UP).select(needed).collect()
    given = {argument: rows[column].to_numpy() for argument, column in ROLES.items()}
    given |= {"clusters": rows["patient"].to_numpy()}
    given |= {"strata": rows["trial"].cast(pl.Categorical).to_physical().to_numpy()}
    instruments.anderson_rubin_set(**given)
    first = instruments.first_stage(**given)
    return answers(instruments.ols(**given), instruments.tsls(**given), first)


def answers(
    ols: instruments.Estimate, tsls: instruments.Estimate, first: instruments.FirstStage
) -> dict[str, float]:
    """What was found, to be kept beside what it cost."""
    return {
        "ols": ols.coefficient,
        "ols_se": ols.standard_error,
        "tsls": tsls.coefficient,
        "tsls_se": tsls.standard_error,
        "first_stage": float(first.coefficients[0]),
        "F": first.f_test.statistic,
    }


WAYS = {"one pass": one_pass, "in memory": in_memory}


def measured(way: str, folder: Path, small: Path) -> dict[str, float]:
    """Cost and answers of one way in this process, not counting what happens only once."""
    WAYS[way](small)
    before, start, used = mebibytes("VmRSS"), time.perf_counter(), time.process_time()
    found = WAYS[way](folder)
    seconds, core_seconds = time.perf_counter() - start, time.process_time() - used
    return {
        "seconds": seconds,
        "core_seconds": core_seconds,
        "mib_before": before,
        "mib_peak": mebibytes("VmHWM"),
    } | found


def mebibytes(kind: str) -> float:
    """Memory that this process holds (``VmRSS``) or has held at most (``VmHWM``)."""
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[kind].split()[0]) / 1024


def write_registry(folder: Path, patients: int) -> Path:
    """Write the study's synthetic registry of so many patients, in whole pools."""
    return registry_from_twin(folder, patients, MONTHS, SEED, world=WORLD, instrument=LEVER)


def rows_of(folder: Path) -> int:
    """Rows of the months after randomization."""
    return pl.scan_parquet(folder / "*.parquet").filter(FOLLOW_UP).select(pl.len()).collect().item()


def compared(sizes: list[float], turns: int) -> pd.DataFrame:
    """Every way at every size, in turns."""
    found = []
    with TemporaryDirectory() as place:
        small = write_registry(Path(place) / "small", POOL)
        one = rows_of(small)
        for size in sizes:
            pools = max(round(size / one), 1)
            folder = write_registry(Path(place) / f"{size:.0f}", pools * POOL)
            shape = {
                "rows": rows_of(folder),
                "patients": pools * POOL,
                "mib_of_files": sum(p.stat().st_size for p in folder.iterdir()) / 2**20,
            }
            for way in [*WAYS] * turns:
                command = [sys.executable, __file__, "--one", way, str(folder), str(small)]
                done = subprocess.run(
                    command, env=os.environ | ONE_CORE, check=True, stdout=subprocess.PIPE
                )
                found.append({"way": way} | shape | json.loads(done.stdout))
    table = pd.DataFrame(found)
    return table.groupby(["way", "rows"], sort=False, as_index=False).median()


def main() -> None:
    """Measure, and write the table with its record."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", type=float, nargs="+", default=SIZES)
    arguments.add_argument("--turns", type=int, default=TURNS)
    arguments.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        way, folder, small = given.one
        print(json.dumps(measured(way, Path(folder), Path(small))))
        return
    table = compared(list(given.sizes), given.turns)
    record = {
        "made by": "data/studies/build_registry_cost.py",
        "seed": SEED,
        "world": WORLD,
        "lever": LEVER,
        "months": MONTHS,
        "turns": given.turns,
        "cores of the machine": os.cpu_count(),
        "cores used": 1,
        "other work on the machine": "yes: core_seconds count this work only, seconds do not",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "polars": pl.__version__,
        },
    }
    write_study(Path(__file__).parent / "registry_cost.parquet", table, record)


if __name__ == "__main__":
    main()
