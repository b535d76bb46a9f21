"""Small registries for tests: unbalanced, four trials, two instruments, controls of two kinds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

LABELS: dict[str, Any] = {"patients": "patient", "trials": "trial", "waves": "month"}


def small_registry(patients: int = 5_500, seed: int = 0) -> pl.DataFrame:
    """Some 20 000 rows sorted by patient; ``age`` is constant in a patient, ``dose`` is not."""
    g = np.random.default_rng(seed)
    trial, arm = g.integers(0, 4, patients), g.integers(0, 3, patients)
    person, month = (level.ravel() for level in np.indices((patients, 7)))
    held = (month < 4 + trial[person]) & (g.random(person.size) < 0.65)
    person, month = person[held], month[held]
    n, hidden, age = person.size, g.normal(size=patients), g.normal(40.0, 9.0, patients)
    first = (arm[person] == 1).astype(float)
    second = ((arm[person] == 2) & (trial[person] < 2)).astype(float)
    dose = 100 + g.normal(size=n) + 0.3 * hidden[person]
    x = 5 + 0.3 * first + 0.2 * second + 0.5 * hidden[person] + 0.2 * dose + g.normal(size=n)
    y = -0.1 * x + hidden[person] + 0.01 * age[person] + 0.1 * dose + g.normal(size=n)
    return pl.DataFrame(
        {
            "patient": person,
            "trial": np.array(["north", "east", "south", "west"])[trial[person]],
            "month": month.astype(np.int16),
            "x": x,
            "y": y + 0.05 * trial[person] * month,
            "first": first,
            "second": second,
            "age": age[person],
            "dose": dose,
        }
    )


def write(folder: Path, rows: pl.DataFrame, cuts: Sequence[int] = ()) -> Path:
    """Write rows as files that are cut before some of them."""
    folder.mkdir(exist_ok=True)
    edges = [0, *sorted(cuts), rows.height]
    for number, (start, end) in enumerate(pairwise(edges)):
        rows[start:end].write_parquet(folder / f"part-{number:03d}.parquet")
    return folder
