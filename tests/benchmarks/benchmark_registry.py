"""Ratios of time and memory, all in one run: ``python tests/benchmarks/benchmark_registry.py``.

Options are ``--rows`` (10 million by default, for which pyfixest takes some 10 GiB), ``--kinds`` of
registries, ``--turns`` and ``--contenders``. Not collected by pytest, and no time is asserted; that all find the same
coefficient is.

Synthetic registries, five months of each patient, are written into a temporary folder: ``normal``
with errors that are, whose numbers hardly compress, as in the project's performance note; ``twin``
from the twin of the six trials, whose scores and days repeat and are quickly read. Each contender then answers from its files,
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
MONTHS, TRIALS, BLOCK = 5, 6, 200_000
FORMULAS = {
    "iv": "asi_drug ~ asi_drug_baseline | trial | ten_days ~ facilitated",
    "within": "asi_drug ~ ten_days | patient + cell",
}
NEEDED = {
    "iv": ["patient", "trial", "asi_drug", "ten_days", "facilitated", "asi_drug_baseline"],
    "within": ["patient", "trial", "month", "asi_drug", "ten_days"],
}


def write_normal(folder: Path, patients: int) -> Path:
    """Patients with lasting traits, a coin each, and normal errors, in files of 200 000."""
    folder.mkdir()
    for number, first in enumerate(range(0, patients, BLOCK)):
        g = np.random.default_rng((0, number))
        n = min(BLOCK, patients - first)
        person, month = (level.ravel() for level in np.indices((n, MONTHS)))
        trial, arm, start, trait = (
            g.integers(0, TRIALS, n),
            g.integers(0, 2, n),
            *g.normal(size=(2, n)),
        )
        x = (0.3 * arm + 0.5 * trait + 0.2 * start)[person] + g.normal(size=n * MONTHS)
        y = (trait + 0.3 * start + 0.1 * trial)[person] - 0.1 * x + g.normal(size=n * MONTHS)
        pl.DataFrame(
            {
                "patient": first + person,
                "trial": trial[person].astype(np.int16),
                "month": (1 + month).astype(np.int16),
                "facilitated": arm[person].astype(float),
                "ten_days": x,
                "asi_drug": y,
                "asi_drug_baseline": start[person],
            }
        ).write_parquet(folder / f"synthetic-{number:05d}.parquet")
    return folder


def write_twin(folder: Path, patients: int) -> Path:
    from pooledtrials.planning import registry_from_twin

    return registry_from_twin(folder, patients, MONTHS, 1)


KINDS = {"normal": write_normal, "twin": write_twin}


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
    rows, trial = columns(folder, task), pl.col("trial")
    if rows["trial"].dtype == pl.String:
        trial = trial.cast(pl.Categorical).to_physical()
    rows = rows.with_columns(trial.cast(pl.Int32))
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


def patients_of(folder: Path) -> int:
    return pl.scan_parquet(folder / "*.parquet").select(pl.n_unique("patient")).collect().item()


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
    arguments.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS])
    arguments.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        contender, task, folder = given.one
        return measured(contender, Path(folder), task)
    names = list(dict.fromkeys(["pooledtrials", *given.contenders]))
    for kind in given.kinds:
        with TemporaryDirectory() as place:
            small = KINDS[kind](Path(place) / "small", 2_000)
            patients = round(given.rows / rows_of(small) * patients_of(small))
            folder = KINDS[kind](Path(place) / "registry", patients)
            size = sum(path.stat().st_size for path in folder.iterdir())
            print(
                f"\n{kind}: {rows_of(folder)} synthetic rows of {patients} patients,"
                f" {size / 2**20:.0f} MiB of Parquet; {given.turns} turns"
            )
            for task in FORMULAS:
                print(
                    f"\n{task}\n{in_turns(folder, task, names, given.turns).round(2)}", flush=True
                )


if __name__ == "__main__":
    main()
