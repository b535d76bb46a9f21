"""Ratios of time, all in one run: ``python tests/benchmarks/benchmark_instruments.py``.

Not collected by pytest, and no time is asserted: machines differ, ratios within a run less so.
Design as in the project's performance note: n = 1730, six trials, seven columns partialled out.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable

import numpy as np
from ivmodels.tests import (
    inverse_anderson_rubin_test,
    inverse_conditional_likelihood_ratio_test,
    inverse_lagrange_multiplier_test,
)
from linearmodels.iv import IV2SLS, IVLIML

from pooledtrials.instruments import (
    anderson_rubin_set,
    conditional_lr_set,
    joint_moments,
    partial_out,
    weak_instrument_report,
)
from pooledtrials.instruments.robust_sets import robust_set
from pooledtrials.planning.design import Cell, make_design
from pooledtrials.planning.montecarlo import run


def data(k: int, n: int = 1730) -> tuple[np.ndarray, ...]:
    g = np.random.default_rng(0)
    trial, arm = g.integers(0, 6, n), g.integers(0, 2, n)
    z = np.eye(6)[trial] * arm[:, None] if k == 6 else arm[:, None].astype(float)
    controls = np.column_stack([np.eye(6)[trial][:, 1:], g.normal(size=n)])
    v = g.normal(size=n)
    x = z @ np.full(k, 0.18) + v
    return 0.5 * x + 0.8 * v + g.normal(size=n), x, z, controls


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
    print(f"{name:58s} {1e3 * ours:10.3f} ms  {theirs / ours:9.1f} x {against}")


def main() -> None:
    y, x, z, c = data(6)
    column = x[:, None]

    def peers_sets() -> None:
        inverse_anderson_rubin_test(Z=z, X=column, y=y, C=c, fit_intercept=True)
        inverse_conditional_likelihood_ratio_test(Z=z, X=column, y=y, C=c, fit_intercept=True)

    def our_sets() -> None:
        moments = joint_moments(partial_out(y, x, z, c), "classical")
        robust_set(moments, "AR", 0.95, "chi2")
        robust_set(moments, "CLR", 0.95, "chi2")

    def our_functions() -> None:
        anderson_rubin_set(y, x, z, c, covariance="classical")
        conditional_lr_set(y, x, z, c, covariance="classical")

    ivmodels = seconds(peers_sets)
    show("AR + CLR sets, one factorization", seconds(our_sets), ivmodels, "ivmodels' two sets")
    show("AR + CLR sets, two public calls", seconds(our_functions), ivmodels, "ivmodels' two sets")
    joined = np.column_stack([np.ones(y.size), c, z, x, y])
    one_qr = seconds(lambda: np.linalg.qr(joined))
    show("one QR of the same columns (limit)", one_qr, ivmodels, "ivmodels' two sets")
    moments = joint_moments(partial_out(y, x, z, c))
    for name in ("AR", "K", "CLR"):
        spent = seconds(lambda name=name: robust_set(moments, name))
        show(f"robust {name} set from moments", spent, ivmodels, "ivmodels' two classical sets")

    exog = np.column_stack([np.ones(y.size), c])

    def assembled() -> None:
        for model in (IV2SLS, IVLIML):
            fit = model(y, exog, x, z).fit(cov_type="robust", debiased=True)
        IV2SLS(y, np.column_stack([exog, x]), None, None).fit(cov_type="robust", debiased=True)
        fit = IV2SLS(y, exog, x, z).fit(cov_type="robust", debiased=True)
        _ = fit.first_stage.diagnostics, fit.sargan, fit.wu_hausman()
        peers_sets()
        inverse_lagrange_multiplier_test(Z=z, X=column, y=y, C=c, fit_intercept=True)

    report = seconds(lambda: weak_instrument_report(y, x, z, c))
    show("full report", report, seconds(assembled), "linearmodels + ivmodels, less complete")

    loop = seconds(lambda: IV2SLS(y, exog, x, z).fit(cov_type="robust"), least=1.0)
    design = make_design(z, c)
    plain = make_design(z, c[:, :5])
    generator = np.random.Generator(np.random.SFC64(0))
    normals = seconds(lambda: generator.standard_normal(2 * y.size))
    for sampler, robust, reps, used in (
        ("wishart", False, 40_000, design),
        ("cell_wishart", False, 5_000, plain),
        ("cell_wishart", True, 2_000, plain),
        ("rows", False, 1_024, design),
        ("rows", True, 512, design),
    ):
        cell = Cell(used.strength(12.0), 0.0, 0.5)
        run(used, [cell], 64, sampler=sampler, robust=robust)
        spent = seconds(
            lambda s=sampler, r=robust, n=reps, d=used, c_=cell: run(
                d, [c_], n, sampler=s, robust=r
            )
        )
        label = f"{sampler}{', robust' if robust else ''}: {reps / spent:,.0f} replications/s"
        show(label, spent / reps, loop, "linearmodels 2SLS loop")
        print(f"{'':58s} {spent / reps / normals:10.2f} x drawing the rows' normals")


if __name__ == "__main__":
    main()
