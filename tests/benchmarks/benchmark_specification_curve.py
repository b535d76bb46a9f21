"""Ratios of time, all in one run: ``python tests/benchmarks/benchmark_specification_curve.py``.

Not collected by pytest, and no time is asserted: machines differ, ratios within a run less so.
A curve of 192 specifications on the synthetic pool, against the loop that a user would write with
linearmodels, an indicator column for each trial and month. Both give the same numbers, and the
script stops if they do not. Then a joint test, whose draws are curves.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from linearmodels.panel import PanelOLS, PooledOLS, RandomEffects

from pooledtrials import pooling
from pooledtrials.panels import (
    PanelAnalysis,
    ResamplePatients,
    bootstrap_joint_test,
    specification_curve,
    subsets,
)


def per_ten(panel: pd.DataFrame) -> pd.Series[float]:
    return panel["attendance"] / 10


def log_days(panel: pd.DataFrame) -> pd.Series[float]:
    return np.log1p(panel["attendance"])


def weekly(panel: pd.DataFrame) -> pd.Series[float]:
    return (panel["attendance"] > 4.2).where(panel["attendance"].notna()).astype(float)


def follow_ups(panel: pd.DataFrame) -> pd.Series[bool]:
    return panel["wave"] > 0


CHOICES = {
    "outcome": {"drug": "asi_drug", "alcohol": "asi_alcohol"},
    "exposure": {"per ten days": per_ten, "log": log_days, "any": "attended", "weekly": weekly},
    "controls": subsets(["age", "asi_psychiatric"]),
    "rows": {"all": None, "follow-ups": follow_ups},
    "method": ["within", "random effects", "pooled"],
}


def loop(panel: pd.DataFrame) -> tuple[list[float], list[float]]:
    """The same specifications, written out."""
    estimates, errors = [], []
    for outcome, coding, controls, rows, method in itertools.product(
        *(
            options if isinstance(options, list) else options.values()
            for options in CHOICES.values()
        )
    ):
        frame = pd.DataFrame(
            {
                "y": panel[outcome],
                "x": panel[coding] if isinstance(coding, str) else coding(panel),
                **{name: panel[name] for name in controls},
                "pair": panel["trial"] + " " + panel["patient"].astype(str),
                "cell": panel["trial"] + " " + panel["wave"].astype(str),
                "wave": panel["wave"],
            }
        )
        frame = (frame if rows is None else frame[rows(panel)]).dropna()
        if method == "within":
            frame = frame[frame.groupby("pair")["y"].transform("size") > 1]
        cells = pd.get_dummies(frame["cell"], dtype=float)
        data = frame.join(cells).set_index(["pair", "wave"])
        columns = [*cells, *controls, "x"]
        settings = {"cov_type": "clustered", "cluster_entity": True, "group_debias": True}
        if method == "within":
            columns = [c for c in columns if c != "age"]  # constant in patients
            # cells that patient effects imply: the first of each trial
            first = frame.sort_values("wave").groupby(frame["cell"].str.rsplit(n=1).str[0])["cell"]
            columns = [c for c in columns if c not in set(first.first())]
            model = PanelOLS(data["y"], data[columns], entity_effects=True)
            settings |= {"auto_df": False, "count_effects": False}
        else:
            model = {"pooled": PooledOLS, "random effects": RandomEffects}[method](
                data["y"], data[columns]
            )
        found = model.fit(**settings)
        estimates.append(float(found.params["x"]))
        errors.append(float(found.std_errors["x"]))
    return estimates, errors


def timed(function: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    found = function()
    return time.perf_counter() - start, found


def main() -> None:
    panel = pooling.load_pool("six").panel
    analysis = PanelAnalysis("asi_drug", "attendance")
    ours, curve = timed(lambda: specification_curve(panel, CHOICES, analysis))
    theirs, (estimates, errors) = timed(lambda: loop(panel))
    frame = curve.frame
    print(f"{len(frame)} specifications of {len(panel)} rows, {len(curve.failed)} not estimated")
    gap = np.abs(frame["estimate"] / estimates - 1).max(), np.abs(frame["se"] / errors - 1).max()
    print(f"largest relative differences: estimates {gap[0]:.1e}, standard errors {gap[1]:.1e}")
    if max(gap) > 1e-7:
        raise SystemExit("the loop and the curve are of different analyses")
    print(f"curve {ours:.2f} s, loop with linearmodels {theirs:.2f} s: ratio {theirs / ours:.2f}")
    with ProcessPoolExecutor(2) as executor:
        list(executor.map(abs, range(2)))
        two, _ = timed(lambda: specification_curve(panel, CHOICES, analysis, executor=executor))
    print(f"two processes {two:.2f} s: ratio to one {ours / two:.2f}")
    few = {**CHOICES, "exposure": {"per ten days": per_ten}, "controls": {"none": ()}}
    small = specification_curve(panel, few, analysis)
    test, _ = timed(lambda: bootstrap_joint_test(small, panel, ResamplePatients(), draws=19))
    print(f"bootstrap of {len(small.frame)} specifications: {test / 19:.2f} s a draw")


if __name__ == "__main__":
    main()
