"""Ratios of time, all in one run: ``python tests/benchmarks/benchmark_wild_cluster.py``.

Not collected by pytest, and no time is asserted: machines differ, ratios within a run less so.
The peer is the package wildboottest; pyfixest's method of that name hands over to it, so that a
ratio to pyfixest would be one to the same code and pyfixest's set-up.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import collections
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import statsmodels.api as sm
from wildboottest.wildboottest import wildboottest

from pooledtrials.panels import arm_contrast, cr2, wild_cluster_set, wild_cluster_test
from pooledtrials.resampling import sign_blocks

DRAWS = 9999


def data(groups: int, size: int) -> tuple[np.ndarray, ...]:
    """Outcome, exposure, three controls and clusters of equal size."""
    g = np.random.default_rng(0)
    cluster = np.repeat(np.arange(groups), size)
    x = g.normal(size=groups)[cluster] + g.normal(size=cluster.size)
    controls = g.normal(size=(cluster.size, 3))
    y = controls.sum(axis=1) + g.normal(size=groups)[cluster] + g.normal(size=cluster.size)
    return y, x, controls, cluster


def seconds(function: Callable[[], object], least: float = 0.6) -> float:
    """Median time of a call over about ``least`` seconds, one call if it takes longer."""
    start = time.perf_counter()
    function()
    first = time.perf_counter() - start
    if first > 5:
        return first
    times: list[float] = []
    while sum(times) < least or len(times) < 3:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def peer(y: np.ndarray, x: np.ndarray, controls: np.ndarray, cluster: np.ndarray) -> float:
    model = sm.OLS(y, np.column_stack([x, np.ones(x.size), controls]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces that it enumerates
        found = wildboottest(
            model, DRAWS, cluster, model.exog_names[0], seed=1, parallel=False, show=False
        )
    return float(found["p-value"].iloc[0])


def show(name: str, ours: float, theirs: float, against: str) -> None:
    print(f"{name:58s} {1e3 * ours:10.3f} ms  {theirs / ours:9.2f} x {against}")


def int8_signs(groups: int) -> None:
    """As the project's performance note drew them: one small integer a sign."""
    np.random.default_rng(1).integers(0, 2, size=(DRAWS, groups), dtype=np.int8)


def block_signs(groups: int) -> None:
    """As the bootstrap draws them: bits, unpacked into a block of floats at a time."""
    collections.deque(sign_blocks(groups, DRAWS, "rademacher", 1)[0], maxlen=0)


def main() -> None:
    for groups, size in ((6, 288), (1730, 5)):
        rows = data(groups, size)
        print(f"\n{groups} clusters of {size} rows, {DRAWS} draws asked for")
        theirs = seconds(partial(peer, *rows))
        test = seconds(partial(wild_cluster_test, *rows, draws=DRAWS, seed=1))
        whole_set = seconds(partial(wild_cluster_set, *rows, draws=DRAWS, seed=1))
        show("wild_cluster_test", test, theirs, f"wildboottest ({theirs:.2f} s)")
        show("wild_cluster_set, exact", whole_set, theirs, "wildboottest's p-value alone")
        show("cr2", seconds(partial(cr2, *rows)), theirs, "wildboottest")
        if groups > 6:
            for name, draw in (("int8", int8_signs), ("blocks of bits", block_signs)):
                signs = seconds(partial(draw, groups))
                show(f"drawing the signs alone, {name}", signs, test, "is wild_cluster_test")
        ours = wild_cluster_test(*rows, draws=DRAWS, seed=1).p_value
        print(f"p-values: {ours:.4f} here, {peer(*rows):.4f} there")
    rows = data(6, 288)
    webb = seconds(partial(wild_cluster_test, *rows, draws=6**6, weights="webb"))
    print(f"\nall 46656 Webb patterns of 6 clusters: {1e3 * webb:.1f} ms")
    rows = data(1730, 5)
    arm = np.repeat(np.random.default_rng(2).permutation(1730) % 2, 5)
    contrast = seconds(partial(arm_contrast, rows[0], arm, rows[2], rows[3], draws=DRAWS, seed=1))
    print(f"arm_contrast, 1730 patients, {DRAWS} permutations, exact set: {1e3 * contrast:.0f} ms")


if __name__ == "__main__":
    main()
