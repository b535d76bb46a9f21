"""A small unbalanced pool of trials with schedules of their own, for identities and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd

SCHEDULES = ((0, 1, 2, 3, 6), (0, 6, 12), (0, 3, 6, 9))


def small_pool(
    seed: int = 0,
    per_trial: int = 14,
    *,
    effect: float = -0.5,
    spread: float = 1.0,
    selection: float = 0.8,
    slope_spread: float = 0.0,
    missed: float = 0.25,
    schedules: tuple[tuple[int, ...], ...] = SCHEDULES,
) -> pd.DataFrame:
    """One row an interview held: trial, patient (unique within the trial), site, wave, y, x, c, d.

    ``c`` changes over time, ``d`` does not. ``selection`` ties exposure to the patient's effect.
    Every patient is interviewed at the first wave, and a share ``missed`` of later ones is missing.
    """
    g = np.random.default_rng(seed)
    rows = []
    for trial, schedule in enumerate(schedules):
        slope = effect + slope_spread * g.normal()
        for patient in range(per_trial):
            person, trait = spread * g.normal(), g.normal()
            for turn, wave in enumerate(schedule):
                if turn and g.random() < missed:
                    continue
                c = g.normal() + 0.5 * person
                x = selection * person + 0.3 * c + 0.1 * turn + g.normal()
                y = slope * x + person + 0.4 * c + 0.2 * trait + 0.3 * trial - 0.1 * turn
                rows.append((f"t{trial}", patient, f"s{trial}{patient % 3}", wave, y, x, c, trait))
    frame = pd.DataFrame(rows, columns=["trial", "patient", "site", "wave", "y", "x", "c", "d"])
    return frame.assign(y=frame["y"] + g.normal(size=len(frame)))


def arguments(pool: pd.DataFrame, controls: tuple[str, ...] = ("c", "d")) -> tuple:
    """The pool in the order of arguments that every function has."""
    covariates = pool[list(controls)] if controls else None
    return (
        pool["y"], pool["x"], pool["patient"], pool["wave"], covariates, None, pool["trial"],
    )  # fmt: skip
