"""Ratios of time and memory, all in one run: ``python tests/benchmarks/benchmark_registry.py``.

Options are ``--rows`` (10 million by default, for which pyfixest takes some 10 GiB), ``--months``
that patients are followed, ``--turns`` and ``--contenders``. Not collected by pytest, and no time is asserted; that all find the same
coefficient is.

A synthetic registry is written into a temporary folder. Each contender then answers from its files,
in turns, each time in a process of its own: seconds are from the first file to the answer, without
imports, and memory is the most that the process held. Tasks: ``iv``, two-stage least squares within
trials, clustered by patient, of which `pooledtrials` also gives the Anderson-Rubin set and the
others do not; and ``within``, fixed effects of patients and of months in trials. `read` only reads
the columns that ``iv`` needs: no way of answering can be faster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import polars as pl

KEPT = pl.col("month") > 0
FORMULAS = {
    "iv": "asi_drug ~ asi_drug_baseline | trial | ten_days ~ facilitated",
    "within": "asi_drug ~ ten_days | patient + cell",
}
NEEDED = {
    "iv": ["patient", "trial", "asi_drug", "ten_days", "facilitated", "asi_drug_baseline"],
    "within": ["patient", "trial", "month", "asi_drug", "ten_days"],
}


def columns(folder: Path, task: str) -> pl.DataFrame:
    return (
        pl.scan_parquet(folder / "*.parquet")
        .filter(KEPT)
        .select(NEEDED[task])
        .collect(engine="streaming")
    )


def read(folder: Path, task: str) -> float:
    return float(columns(folder, task).height)


def ours(folder: Path, task: str) -> float:
    from pooledtrials.instruments import robust_set
    from pooledtrials.planning import registry_sums

    instrumented = {"z": "facilitated", "controls": "asi_drug_baseline"}
    chosen = instrumented if task == "iv" else {"waves": "month"}
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        sums = registry_sums(
            folder, "asi_drug", "ten_days", patients="patient", trials="trial", where=KEPT,
            executor=executor, **chosen,
        )  # fmt: skip
    if task == "within":
        return sums.within("trial-wave").coefficient
    robust_set(sums.moments(), "AR")
    return sums.tsls().coefficient


def numbered(folder: Path, task: str) -> pl.DataFrame:
    """The rows with trials, and months in trials, as numbers, for peers take no text."""
    rows = columns(folder, task).with_columns(
        pl.col("trial").cast(pl.Categorical).to_physical().cast(pl.Int32)
    )
    if task == "within":
        rows = rows.with_columns(cell=100 * pl.col("trial") + pl.col("month"))
    return rows


def by_fereg(folder: Path, task: str) -> float:
    import fereg

    fit = fereg.feols(FORMULAS[task], numbered(folder, task), vcov={"CRV1": "patient"})
    return float(fit.coef()["ten_days"])


def by_pyfixest(folder: Path, task: str) -> float:
    import pyfixest

    rows = numbered(folder, task)
    frame = pd.DataFrame({name: rows[name].to_numpy() for name in rows.columns})
    fit = pyfixest.feols(FORMULAS[task], frame, vcov={"CRV1": "patient"})
    return float(fit.coef()["ten_days"])


CONTENDERS: dict[str, Callable[[Path, str], float]] = {
    "read": read,
    "pooledtrials": ours,
    "fereg": by_fereg,
    "pyfixest": by_pyfixest,
}


def measured(contender: str, folder: Path, task: str) -> None:
    """Answer once, in this process, and print what it took."""
    small = folder.parent / "small"
    CONTENDERS[contender](small, task)  # imports, and whatever else happens once
    start, used = time.perf_counter(), time.process_time()
    answer = CONTENDERS[contender](folder, task)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    # not `resource`, whose peak a process takes over from the one that started it
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    print(json.dumps({"answer": answer, "seconds": seconds, "cpu": cpu, "MiB": peak}))


def rows_of(folder: Path) -> int:
    return pl.scan_parquet(folder / "*.parquet").filter(KEPT).select(pl.len()).collect().item()


def in_turns(folder: Path, task: str, names: Sequence[str], turns: int) -> pd.DataFrame:
    """Medians of each contender; a process for each turn."""
    found = []
    for _ in range(turns):
        for name in names:
            command = [sys.executable, __file__, "--one", name, task, str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append({"contender": name} | json.loads(done.stdout.splitlines()[-1]))
    table = pd.DataFrame(found).groupby("contender", sort=False).median()
    answers = table["answer"].drop("read", errors="ignore")
    np.testing.assert_allclose(answers, answers.iloc[0], rtol=1e-7)
    own = table.loc["pooledtrials"]
    for name in ("seconds", "cpu", "MiB"):
        table[f"{name}, ratio"] = table[name] / own[name]
    return table.drop(columns="answer")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=float, default=1e7)
    arguments.add_argument("--months", type=int, default=5)
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS])
    arguments.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        contender, task, folder = given.one
        return measured(contender, Path(folder), task)
    from pooledtrials.planning.registry.generator import POOL, registry_from_twin

    names = list(dict.fromkeys(["pooledtrials", *given.contenders]))
    with TemporaryDirectory() as place:
        one = rows_of(registry_from_twin(Path(place) / "small", POOL, given.months, 1))
        patients = round(given.rows * POOL / one)
        folder = registry_from_twin(Path(place) / "registry", patients, given.months, 1)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(
            f"{rows_of(folder)} synthetic rows of {patients} patients, {size / 2**20:.0f} MiB of"
            f" Parquet; {given.turns} turns",
            flush=True,
        )
        for task in FORMULAS:
            print(f"\n{task}\n{in_turns(folder, task, names, given.turns).round(2)}", flush=True)


if __name__ == "__main__":
    main()
