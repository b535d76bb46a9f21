"""Ratios of time, all in one run: ``python tests/benchmarks/benchmark_panels.py``.

Not collected by pytest, and no time is asserted: machines differ, ratios within a run less so.
Design: 1730 patients in six trials, some 8060 interviews, effects of trial x wave.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from linearmodels.panel import PanelOLS, RandomEffects
from statsmodels.regression.mixed_linear_model import MixedLM

from pooledtrials.panels import METHODS, RandomIntercept, fit, fit_all, hausman_test


def pool(patients: int = 1730, seed: int = 0) -> pd.DataFrame:
    """Six trials of five waves, the last ones missed most, in which selection is on the patient."""
    g = np.random.default_rng(seed)
    person, wave = (level.ravel() for level in np.indices((patients, 5)))
    held = g.random(person.size) < np.array([1.0, 0.95, 0.93, 0.92, 0.86])[wave]
    effect = g.normal(size=patients)
    x = 0.5 * effect[person] + g.normal(size=person.size)
    y = -0.1 * x + effect[person] + g.normal(size=person.size)
    frame = pd.DataFrame({"trial": person % 6, "patient": person, "wave": wave, "x": x, "y": y})
    return frame[held].reset_index(drop=True)


def seconds(function: Callable[[], object], least: float = 0.4) -> float:
    """Median time of a call over about ``least`` seconds."""
    function()
    times: list[float] = []
    while sum(times) < least or len(times) < 3:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def show(name: str, ours: float, theirs: float, against: str) -> None:
    print(f"{name:58s} {1e3 * ours:10.3f} ms  {theirs / ours:9.2f} x {against}")


def regressions(data: pd.DataFrame) -> None:
    """`fit` against the direct calls of linearmodels that it makes; then all methods."""
    columns = [data[name] for name in ("y", "x", "patient", "wave")]
    arguments = (*columns, None, None, data["trial"])
    indexed = data.set_index(["patient", "wave"])
    cell = (5 * data["trial"] + data["wave"]).to_numpy()
    cells = pd.Series(cell, indexed.index, name="cell")
    # one of each trial's cells is implied by patients
    free = pd.get_dummies(cells, dtype=float).loc[:, lambda d: d.columns % 5 > 0]
    clustered = {"cov_type": "clustered", "cluster_entity": True, "group_debias": True}

    # linearmodels computes errors when they are read
    def absorbing() -> object:
        model = PanelOLS(indexed["y"], indexed[["x"]], entity_effects=True, other_effects=cells)
        return model.fit(**clustered).std_errors

    def with_columns() -> object:
        model = PanelOLS(indexed["y"], indexed[["x"]].join(free), entity_effects=True)
        return model.fit(**clustered).std_errors

    def random() -> object:
        exog = indexed[["x"]].join(pd.get_dummies(cells, dtype=float))
        return RandomEffects(indexed["y"], exog).fit(**clustered).std_errors

    within = seconds(lambda: fit(*arguments))
    show("fit(method='within')", within, seconds(absorbing), "PanelOLS, both effects absorbed")
    show("  the same", within, seconds(with_columns), "PanelOLS, cells as columns")
    ours = seconds(lambda: fit(*arguments, method="random effects"))
    show("fit(method='random effects')", ours, seconds(random), "RandomEffects")
    parts = sum(seconds(lambda m=m: fit(*arguments, method=m)) for m in METHODS)
    show("fit_all, eight methods", seconds(lambda: fit_all(*arguments)), parts, "the eight alone")
    show("hausman_test", seconds(lambda: hausman_test(*arguments)), within, "fit(method='within')")


def likelihoods(data: pd.DataFrame) -> None:
    """Random intercepts, fifteen fixed effects, one imputation; then slopes of trials."""
    g = np.random.default_rng(1)
    trials = np.equal.outer(data["trial"].to_numpy(), np.arange(6))
    X = np.column_stack([trials, data["x"], g.normal(size=(len(data), 8))]).astype(float)
    y, patients = data["y"].to_numpy(), data["patient"].to_numpy()
    model = RandomIntercept.of(X, patients)

    def mixedlm() -> None:
        MixedLM(y, X, groups=patients).fit(reml=True)

    theirs = seconds(mixedlm, least=1.0)
    show(
        "RandomIntercept.fit, cross-products formed",
        seconds(lambda: model.fit(y)),
        theirs,
        "MixedLM",
    )
    both = seconds(lambda: RandomIntercept.of(X, patients).fit(y))
    show("RandomIntercept.of and fit", both, theirs, "MixedLM")
    show("one X'X (limit)", seconds(lambda: X.T @ X), theirs, "MixedLM")

    few = data[data["patient"] < 240]
    few_columns = [few[name] for name in ("y", "x", "patient", "wave")]
    frame = few.assign(
        z=few["x"] - few.groupby("trial")["x"].transform("mean"),
        cell=5 * few["trial"] + few["wave"],
    )

    def mixedlm_slopes() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of variances near 0
            MixedLM.from_formula(
                "y ~ C(cell) + x", frame, groups="trial", re_formula="0 + z",
                vc_formula={"patient": "0 + C(patient)"},
            ).fit(method="lbfgs")  # fmt: skip

    slopes = {"method": "mixed", "slopes": "trials", "covariance": "classical"}
    ours = seconds(lambda: fit(*few_columns, None, None, few["trial"], **slopes))
    theirs = seconds(mixedlm_slopes, least=1.0)
    show("fit(slopes='trials'), 240 patients", ours, theirs, "MixedLM")
    columns = [data[name] for name in ("y", "x", "patient", "wave")]
    whole = seconds(lambda: fit(*columns, None, None, data["trial"], **slopes))
    show("  1730 patients", whole, theirs, "MixedLM on 240")


def main() -> None:
    data = pool()
    print(f"{len(data)} interviews of {data['patient'].nunique()} patients")
    regressions(data)
    likelihoods(data)


if __name__ == "__main__":
    main()
