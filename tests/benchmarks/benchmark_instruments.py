"""Ratios of time, all in one run: ``python tests/benchmarks/benchmark_instruments.py [section ...]``.

Sections are ``sets``, ``parts`` and ``report``; all of them if none is named. Not
collected by pytest, and no time is asserted: machines differ, ratios within a run less so. What is
compared is sampled in turns, so that a busy minute slows all alike.

Design as in the project's performance note: n = 1730, six trials, seven columns partialled out,
six instruments. Two yardsticks: ivmodels' two sets from the same arrays (it takes chi-square
critical values and classical covariances), and one QR of the same n x (p + k + 2) columns.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable, Mapping

import numpy as np
from ivmodels.tests import (
    inverse_anderson_rubin_test,
    inverse_conditional_likelihood_ratio_test,
    inverse_lagrange_multiplier_test,
)
from linearmodels.iv import IV2SLS, IVLIML
from scipy.linalg import lapack

from pooledtrials.arguments import numeric_columns, one_column
from pooledtrials.instruments import acceptance as acceptance_module
from pooledtrials.instruments import (
    anderson_rubin_set,
    conditional_lr_set,
    joint_moments,
    partial_out,
    robust_set,
    weak_instrument_report,
)
from pooledtrials.instruments.factorization import factorize

Data = tuple[np.ndarray, ...]


def data(k: int, n: int = 1730) -> Data:
    g = np.random.default_rng(0)
    trial, arm = g.integers(0, 6, n), g.integers(0, 2, n)
    z = np.eye(6)[trial] * arm[:, None] if k == 6 else arm[:, None].astype(float)
    controls = np.column_stack([np.eye(6)[trial][:, 1:], g.normal(size=n)])
    v = g.normal(size=n)
    x = z @ np.full(k, 0.18) + v
    return 0.5 * x + 0.8 * v + g.normal(size=n), x, z, controls


def medians(calls: Mapping[str, Callable[[], object]], least: float = 0.6) -> dict[str, float]:
    """Median seconds of each call, about ``least`` seconds of each, in turns of 5 ms or one call."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    for call in calls.values():
        call()
    while min(spent.values()) < least:
        for name, call in calls.items():
            turn = 0.0
            while turn < 0.005:
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
                turn += times[name][-1]
            spent[name] += turn
    return {name: float(np.median(samples)) for name, samples in times.items()}


def table(found: Mapping[str, float], yardsticks: Mapping[str, str]) -> None:
    """One row a call: milliseconds, then how many times each yardstick it is, or goes into it."""
    width = max(map(len, found))
    print(f"{'':{width}s} {'ms':>9s}  " + "  ".join(f"{head:>24s}" for head in yardsticks))
    for name, spent in found.items():
        ratios = []
        for reference in yardsticks.values():
            ratio = found[reference] / spent
            words = f"{ratio:.1f} x faster" if ratio >= 1 else f"{1 / ratio:.2f} x its time"
            ratios.append("-" if name == reference else words)
        print(f"{name:{width}s} {1e3 * spent:9.3f}  " + "  ".join(f"{r:>24s}" for r in ratios))
    print()


def peers_sets(arrays: Data) -> None:
    y, x, z, c = arrays
    shared = {"Z": z, "X": x[:, None], "y": y, "C": c, "fit_intercept": True}
    inverse_anderson_rubin_test(**shared)
    inverse_conditional_likelihood_ratio_test(**shared)


def our_sets(arrays: Data, reference: str) -> None:
    moments = joint_moments(partial_out(*arrays), "classical")
    robust_set(moments, "AR", 0.95, reference)
    robust_set(moments, "CLR", 0.95, reference)


def columns(arrays: Data) -> np.ndarray:
    y, x, z, c = arrays
    return np.asfortranarray(np.column_stack([np.ones(y.size), c, z, x, y]))


def sets() -> None:
    print("AR and CLR sets of one data set, from arrays, all checks on")
    arrays = data(6)
    joined = columns(arrays)
    options = {"covariance": "classical"}

    def only_r() -> None:
        lapack.dgeqrf(joined.copy(order="F"), lwork=64 * joined.shape[1], overwrite_a=1)

    calls = {
        "ivmodels: AR set + CLR set": lambda: peers_sets(arrays),
        "AR + CLR from one factorization, chi2": lambda: our_sets(arrays, "chi2"),
        "AR + CLR from one factorization, F": lambda: our_sets(arrays, "F"),
        "anderson_rubin_set alone, chi2": lambda: anderson_rubin_set(
            *arrays, **options, reference="chi2"
        ),
        "conditional_lr_set alone, chi2": lambda: conditional_lr_set(
            *arrays, **options, reference="chi2"
        ),
        "anderson_rubin_set alone, F": lambda: anderson_rubin_set(*arrays, **options),
        "conditional_lr_set alone, F": lambda: conditional_lr_set(*arrays, **options),
        "one QR with Q, numpy": lambda: np.linalg.qr(joined),
        "one QR, R alone, LAPACK": only_r,
    }
    yardsticks = {
        "ivmodels' two sets": "ivmodels: AR set + CLR set",
        "one QR with Q": "one QR with Q, numpy",
        "one QR, R alone": "one QR, R alone, LAPACK",
    }
    table(medians(calls), yardsticks)
    for k in (2, 6, 30):
        acceptance_module._critical_values.cache_clear()
        start = time.perf_counter()
        acceptance_module.acceptance_strength(1e3, 0.05, k)
        spent = time.perf_counter() - start
        print(f"first CLR set with a new (level, k), k = {k}: {1e3 * spent:.1f} ms for its table")
    print("\nRobust sets from moments")
    moments = joint_moments(partial_out(*arrays))
    robust = {f"robust {s} set": lambda s=s: robust_set(moments, s) for s in ("AR", "K", "CLR")}
    peers = {"ivmodels: AR set + CLR set": lambda: peers_sets(arrays)}
    table(medians(peers | robust), {"ivmodels' two classical": "ivmodels: AR set + CLR set"})


def parts() -> None:
    print("Where the time of both sets goes (shares of the whole, chi2)")
    arrays = data(6)
    y, x, z, c = arrays
    joined = columns(arrays)

    def checks() -> None:
        one_column(y, "y", "")
        one_column(x, "x", "", y.size)
        numeric_columns(z, "z", y.size)
        numeric_columns(c, "controls", y.size)

    def stacking() -> None:
        empty = np.empty(joined.shape, order="F")
        empty[:, 0] = 1.0
        empty[:, 1:7], empty[:, 7:13], empty[:, 13], empty[:, 14] = c, z, x, y

    partialled = partial_out(*arrays)

    def from_r(*statistics: str) -> None:
        moments = joint_moments(partialled, "classical")
        for statistic in statistics:
            robust_set(moments, statistic, 0.95, "chi2")

    found = medians(
        {
            "whole": lambda: our_sets(arrays, "chi2"),
            "argument checks and copies": checks,
            "stacking the columns": stacking,
            "R": lambda: factorize(joined.copy(order="F"), 7, 6),
            "partial_out, these three and the rest": lambda: partial_out(*arrays),
            "moments": from_r,
            "moments and AR set": lambda: from_r("AR"),
            "moments and CLR set": lambda: from_r("CLR"),
        }
    )
    for name, spent in found.items():
        print(f"{name:40s} {1e6 * spent:8.1f} us {100 * spent / found['whole']:6.1f} %")
    print()


def report() -> None:
    print("The whole report, robust, against what one would assemble (less complete)")
    for k in (6, 1):
        arrays = data(k)
        calls = {
            f"linearmodels + ivmodels, k = {k}": lambda a=arrays: assembled(a),
            f"weak_instrument_report, k = {k}": lambda a=arrays: weak_instrument_report(*a),
        }
        against = next(iter(calls))
        table(medians(calls, least=1.5), {"linearmodels + ivmodels": against})


def assembled(arrays: Data) -> None:
    """OLS, 2SLS, LIML, first-stage diagnostics, Sargan, Wu-Hausman; classical AR, CLR, LM sets."""
    y, x, z, c = arrays
    exog = np.column_stack([np.ones(y.size), c])
    IVLIML(y, exog, x, z).fit(cov_type="robust", debiased=True)
    IV2SLS(y, np.column_stack([exog, x]), None, None).fit(cov_type="robust", debiased=True)
    fit = IV2SLS(y, exog, x, z).fit(cov_type="robust", debiased=True)
    _ = fit.first_stage.diagnostics, fit.wu_hausman()
    if z.shape[1] > 1:
        _ = fit.sargan
    peers_sets(arrays)
    inverse_lagrange_multiplier_test(Z=z, X=x[:, None], y=y, C=c, fit_intercept=True)


SECTIONS = {"sets": sets, "parts": parts, "report": report}

if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        SECTIONS[name]()
