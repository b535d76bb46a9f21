"""Ratios of time, all in one run: ``python tests/benchmarks/benchmark_montecarlo.py [section ...]``.

Sections are ``peers``, ``parts``, ``cores`` and ``growth``; all of them if none is named. Not
collected by pytest, and no time is asserted. What is compared is sampled in turns, each call on one
thread and in seconds of processor time, so that a busy minute slows all alike; ``cores`` takes the
time on the wall and wants an idle machine.

Design as in the project's performance note: n = 1730, six trials, seven columns partialled out, six
instruments, concentration 12. Yardsticks: what one would write for each replication with
linearmodels, pyfixest and ivmodels (and the same with linearmodels' own table of the first stage);
the cheapest mix of peers, statsmodels and ivmodels, which has no effective F; NumPy's own normals;
and the floor of a sampler of rows, these normals written out in the compiled loop plus the 363
kflop of residuals and robust sums at the speed of dgemm.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyfixest
from ivmodels import KClass
from ivmodels.tests import (
    anderson_rubin_test,
    conditional_likelihood_ratio_test,
    inverse_anderson_rubin_test,
)
from linearmodels.iv import IV2SLS, IVLIML
from statsmodels.regression.linear_model import OLS
from statsmodels.sandbox.regression import gmm

from pooledtrials.planning import Cell, Design, make_design, run
from pooledtrials.planning.montecarlo.blocks import job_of, run_block
from pooledtrials.planning.montecarlo.normals import standard_normals
from pooledtrials.planning.montecarlo.operating import outcomes
from pooledtrials.planning.montecarlo.panel import classical_statistics, robust_statistics
from pooledtrials.planning.montecarlo.samplers import SAMPLERS

ROWS, TRIALS = 1730, 6
FULL: dict[str, Any] = {"sampler": "rows", "covariances": ("classical", "robust")}


def columns(k: int, n: int = ROWS, groups: int = 0) -> dict[str, Any]:
    """Instruments (an arm in each of k groups of trials), a covariate, trials, clusters."""
    g = np.random.default_rng(0)
    trial, arm = g.integers(0, TRIALS, n), g.integers(0, 2, n)
    clusters = None if not groups else np.arange(n) * groups // n
    z = np.eye(k)[trial % k] * arm[:, None] if k <= TRIALS else g.normal(size=(n, k))
    return {"z": z, "controls": g.normal(size=n), "clusters": clusters, "strata": trial}


def design(k: int, n: int = ROWS, groups: int = 0, covariate: bool = True) -> Design:
    given = columns(k, n, groups)
    return make_design(**given | ({} if covariate else {"controls": None}))


def cell(made: Design) -> Cell:
    return Cell(made.strength(12.0), 0.0, 0.5)


def medians(
    calls: Mapping[str, Callable[[], object]],
    turns: int = 7,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median seconds of each call, sampled in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(turns):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: float(np.median(spent)) for name, spent in times.items()}


def one_data_set(k: int) -> dict[str, Any]:
    """Columns of one replication, as peers want them."""
    given = columns(k)
    g = np.random.default_rng(1)
    v = g.normal(size=ROWS)
    x = given["z"] @ np.full(k, 0.18) + v
    exog = np.column_stack([np.eye(TRIALS)[given["strata"]], given["controls"]])
    return given | {"x": x, "y": 0.5 * v + g.normal(size=ROWS), "exog": exog}


def ivmodels_tests(z: Any, x: Any, y: Any, exog: Any) -> None:
    shared = {"Z": z, "X": x[:, None], "y": y, "C": exog, "fit_intercept": False}
    anderson_rubin_test(**shared, beta=np.zeros(1))
    conditional_likelihood_ratio_test(**shared, beta=np.zeros(1))
    inverse_anderson_rubin_test(**shared)


def one_replication(k: int, table: bool = False) -> Callable[[], object]:
    """What one would write: every estimate, test and set of the panel, robust errors.

    The first-stage F comes with pyfixest's effective F; ``table`` asks linearmodels for it too.
    """
    given = one_data_set(k)
    z, x, y, exog = (given[name] for name in ("z", "x", "y", "exog"))
    names = [f"z{j}" for j in range(k)]
    frame = pd.DataFrame(z, columns=names).assign(w=given["controls"], trial=given["strata"])
    formula = f"y ~ w + C(trial) | x ~ {' + '.join(names)}"

    def replicate() -> None:
        models: list[Any] = [
            IV2SLS(y, np.column_stack([exog, x]), None, None),
            IVLIML(y, exog, x, z),
            IVLIML(y, exog, x, z, fuller=1.0),
            IV2SLS(y, exog, x, z),
        ]
        fits = [model.fit(cov_type="robust") for model in models]
        [fit.std_errors for fit in fits]
        if table:
            fits[-1].first_stage.diagnostics  # noqa: B018  (worked out when it is asked for)
        with warnings.catch_warnings():  # of a first stage that is weak, as it is meant to be
            warnings.simplefilter("ignore")
            pyfixest.feols(formula, frame.assign(y=y, x=x), vcov="hetero").IV_Diag()
        ivmodels_tests(z, x, y, exog)

    return replicate


def cheapest_mix(k: int) -> Callable[[], object]:
    """The panel less the effective F, from the quickest peers."""
    given = one_data_set(k)
    z, x, y, exog = (given[name] for name in ("z", "x", "y", "exog"))
    columns, instruments = np.column_stack([exog, x]), np.column_stack([exog, z])

    def replicate() -> None:
        [OLS(y, columns).fit(cov_type="HC1").bse, gmm.IV2SLS(y, columns, instruments).fit().bse]
        OLS(x, instruments).fit().f_test(np.eye(instruments.shape[1])[exog.shape[1] :])
        for kappa in ("liml", "fuller(1)"):
            model = KClass(kappa=kappa, fit_intercept=False)
            model.fit(x[:, None], y, Z=z, C=exog)
        ivmodels_tests(z, x, y, exog)

    return replicate


def drawing(engine: str) -> Callable[[], object]:
    """Normals of a hundred replications."""
    generator = np.random.Generator(np.random.SFC64(0))
    return lambda: standard_normals(generator, (100, 2 * ROWS), engine)


def study(made: Design, reps: int, **options: Any) -> Callable[[], object]:
    return lambda: run(made, [cell(made)], reps, workers=1, **options)


def peers() -> None:
    """Every engine against peers and floor, for 6, 3 and 1 instruments."""
    square = np.random.default_rng(0).normal(size=(1024, 1024))
    light = {"methods": ("OLS", "2SLS", "LIML", "Fuller", "AR")}
    for k in (6, 3, 1):
        trials, dummies = design(k), design(k, covariate=False)
        g = np.random.default_rng(2)
        given = columns(k)
        indicators = np.eye(TRIALS)[given["strata"]][:, 1:]
        # nothing alike between rows: no trial's rows can be summed first
        scattered = make_design(
            given["z"] + g.normal(size=given["z"].shape),
            np.column_stack([indicators, given["controls"]]),
        )
        both = ("classical", "robust")
        reps = {
            "rows, classical + robust": (4096, study(trials, 4096, **FULL)),
            "rows, the same, columns without groups": (2048, study(scattered, 2048, **FULL)),
            "rows, classical": (4096, study(trials, 4096, sampler="rows")),
            "cell_wishart, classical + robust": (
                2**15, study(dummies, 2**15, sampler="cell_wishart", covariances=both),
            ),
            "cell_wishart, without K and CLR": (
                2**15, study(dummies, 2**15, sampler="cell_wishart", covariances=both, **light),
            ),
            "wishart, classical": (2**17, study(trials, 2**17)),
            "rows in NumPy, classical + robust": (
                128, study(trials, 128, engine="numpy", **FULL),
            ),
            "wishart in NumPy, classical": (2**14, study(trials, 2**14, engine="numpy")),
        }  # fmt: skip
        calls = {name: call for name, (_, call) in reps.items()}
        yard = {"loop": one_replication(k), "table": one_replication(k, table=True)}
        yard |= {"mix": cheapest_mix(k), "dgemm": lambda: square @ square}
        yard |= {"normals": drawing("numba"), "numpy": drawing("numpy")}
        found = medians(yard | calls)
        flop = 2 * ROWS * (2 * 2 * (7 + k) + 2.5 * k * (k + 1) / 2)  # 363 000 for six
        normals, gemm = found["normals"] / 100, found["dgemm"] / (2 * 1024**3) * flop
        loop, table, mix = found["loop"], found["table"], found["mix"]
        print(
            f"\nk = {k}: loop {1e3 * loop:.1f} ms, with linearmodels' first stage {1e3 * table:.1f},"
            f" cheapest mix {1e3 * mix:.1f}; normals {1e6 * normals:.2f} us, NumPy's"
            f" {1e4 * found['numpy']:.2f}, {flop / 1e3:.0f} kflop at"
            f" {2 * 1024**3 / found['dgemm'] / 1e9:.0f} GFlop/s {1e6 * gemm:.2f}: floor"
            f" {1e6 * (normals + gemm):.2f}"
        )
        heads = ("us", "x loop", "x with table", "x mix", "of floor", "of normals", "of NumPy's")
        print(f"{'':42s}" + "".join(f"{head:>13s}" for head in heads))
        for name, (count, _) in reps.items():
            each = found[name] / count
            faster = "".join(f"{peer / each:13,.0f}" for peer in (loop, table, mix))
            limits = (normals + gemm, normals, found["numpy"] / 100)
            print(
                f"{name:42s}{1e6 * each:13.3f}{faster}"
                + "".join(f"{each / limit:13.3f}" for limit in limits)
            )


def parts() -> None:
    """Where the time goes, six instruments; shares of a whole block."""
    for sampler, count, made in (
        ("rows", 512, design(6)),
        ("cell_wishart", 2**12, design(6, covariate=False)),
        ("wishart", 2**14, design(6)),
    ):
        robust = sampler != "wishart"
        covariances = ("classical", "robust") if robust else ("classical",)
        whole = run(made, [cell(made)], count, sampler=sampler, covariances=covariances, workers=1)
        settings, here, at = whole.plan.settings, cell(made), np.zeros(1)
        generator = np.random.Generator(np.random.SFC64(0))
        given = (made, here, count, generator, covariances, "numba")
        draws = SAMPLERS[sampler](*given)
        base = classical_statistics(draws, made, at, "numba")
        robustly = (draws, made, "robust", base, at)
        job = job_of(whole.plan, whole.plan.blocks[0])
        calls: dict[str, Callable[[], object]] = {
            "normals alone": partial(standard_normals, generator, (count, 2 * ROWS), "numba"),
            "draws and their moments": partial(SAMPLERS[sampler], *given),
            "classical statistics": partial(classical_statistics, draws, made, at, "numba"),
            "robust: AR alone": partial(robust_statistics, *robustly, False, "numba"),
            "robust: AR, K, CLR": partial(robust_statistics, *robustly, True, "numba"),
            "statistics, decisions, sets, p-values": partial(
                lambda *rest: [*outcomes(*rest)], made, here, draws, settings
            ),
            "block": partial(run_block, job),
        }
        if not robust:
            calls = {name: call for name, call in calls.items() if "robust" not in name}
        if sampler != "rows":
            del calls["normals alone"]
        found = medians(calls, 15)
        print(f"\n{sampler}")
        for name, spent in found.items():
            share = 100 * spent / found["block"]
            print(f"  {name:40s} {1e6 * spent / count:8.3f} us {share:6.1f} %")


def cores() -> None:
    """Two workers against one: time of one over twice the time of two, tasks of 0.3 to 0.5 s."""
    import dask
    from distributed import Client, LocalCluster

    # or workers give memory back after every array, and ask for it again
    for name, most in (("TRIM", 2**26), ("MMAP", 2**25)):
        dask.config.set({f"distributed.nanny.pre-spawn-environ.MALLOC_{name}_THRESHOLD_": most})
    made = design(6)
    tasks = {
        "rows": (FULL | {"block": 24_000}, 24_000 * 8),
        "wishart": ({"block": 2**20}, 2**20 * 8),
    }
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        for name, (options, reps) in tasks.items():
            where = {
                "one": {"workers": 1},
                "threads": {"workers": 2},
                "dask": {"executor": client.get_executor()},
            }
            calls = {
                place: partial(run, made, [cell(made)], reps, **options, **w)
                for place, w in where.items()
            }
            found = medians(calls, 5, time.perf_counter)
            print(
                f"{name}: a task {found['one'] / 8:.2f} s; efficiency on two threads"
                f" {found['one'] / 2 / found['threads']:.2f}, on two Dask processes"
                f" {found['one'] / 2 / found['dask']:.2f}"
            )


def growth() -> None:
    """Microseconds a replication, by rows, replications, instruments and clusters."""
    classical, clustered = {"sampler": "rows"}, {"sampler": "rows", "covariances": ("clustered",)}
    tables: dict[str, dict[object, tuple[int, Callable[[], object]]]] = {
        "rows, classical + robust, by n": {
            n: (c := max(2**21 // n // 16 * 16, 256), study(design(6, n), c, **FULL))
            for n in (500, 1730, 5_000, 20_000, 100_000)
        },
        "rows, classical + robust, by instruments": {
            k: (2048, study(design(k), 2048, **FULL)) for k in (1, 3, 6, 12)
        },
        "rows, clustered, by clusters": {
            g: (2048, study(design(6, groups=g), 2048, **clustered)) for g in (20, 173, 865, 1730)
        },
        "rows, classical, by replications": {
            r: (r, study(design(6), r, **classical)) for r in (100, 1_000, 10_000, 100_000)
        },
        "wishart, by replications": {
            r: (r, study(design(6), r)) for r in (1_000, 10_000, 100_000, 1_000_000)
        },
        "wishart, by instruments": {k: (2**16, study(design(k), 2**16)) for k in (1, 3, 6, 12)},
        "wishart, by n": {n: (2**16, study(design(6, n), 2**16)) for n in (500, 1730, 20_000)},
        "numpy rows, classical + robust, by n": {
            n: (64, study(design(6, n), 64, engine="numpy", **FULL)) for n in (500, 1730, 5_000)
        },
    }
    for title, rows in tables.items():
        found = medians({str(at): call for at, (_, call) in rows.items()}, 5)
        each = [f"{at}: {1e6 * found[str(at)] / count:.3g}" for at, (count, _) in rows.items()]
        print(f"{title}: {', '.join(each)} us")


SECTIONS = {"peers": peers, "parts": parts, "cores": cores, "growth": growth}

if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        print(f"\n{SECTIONS[name].__doc__}")
        SECTIONS[name]()
