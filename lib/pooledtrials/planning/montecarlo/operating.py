"""Layer 4 of the Monte Carlo: what is asked of each replication.

Which test rejects the truth or another effect, which set holds the truth, what shape and length it
has. Outcomes have names: ``error: 2SLS`` (estimate less truth), ``covers: AR`` (true or false; one
less the size of the test), ``rejects 0.5: AR`` (the hypothesis that the effect is 0.5),
``unbounded: AR``, ``length: AR`` (infinite if unbounded, 0 if empty), ``shape: AR interval``,
``p: CLR`` (of the truth), ``F``, ``F: effective``; with ``robust`` or ``clustered`` after the
method where the covariance is not classical.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from pooledtrials.instruments import homoskedastic_panel as kernel
from pooledtrials.instruments.acceptance import acceptance_table
from pooledtrials.instruments.conditional import chi2_or_f_isf
from pooledtrials.instruments.tf import tf_critical_value
from pooledtrials.planning.montecarlo.conditional_table import conditional_table
from pooledtrials.planning.montecarlo.design import Cell, Design
from pooledtrials.planning.montecarlo.draws import Draws
from pooledtrials.planning.montecarlo.panel import (
    ESTIMATORS,
    Classical,
    Robust,
    classical_statistics,
    robust_statistics,
    score_sets,
)
from pooledtrials.planning.montecarlo.settings import Settings

Array = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Outcome = tuple[str, Array | Truths]

_KINDS = (
    ("empty", kernel.EMPTY),
    ("interval", kernel.INTERVAL),
    ("two rays", kernel.TWO_RAYS),
    ("whole line", kernel.WHOLE_LINE),
)


def outcomes(design: Design, cell: Cell, draws: Draws, settings: Settings) -> Iterator[Outcome]:
    """Every outcome of many replications that the settings ask for, by name."""
    points = np.array([0.0, *(b - cell.effect for b in settings.hypotheses)])
    found = classical_statistics(draws, design, points, settings.engine)
    for name, error in zip(ESTIMATORS, found.error, strict=True):
        if name in settings.methods:
            yield f"error: {name}", error
    for covariance in settings.covariances:
        if covariance == "classical":
            yield from _classical(design, draws, found, points, settings)
        else:
            yield from _robust(design, draws, found, points, covariance, settings)


def _classical(
    design: Design, draws: Draws, found: Classical, points: Array, settings: Settings
) -> Iterator[Outcome]:
    k, dof, methods = design.n_instruments, settings.dof(design.dof), settings.methods
    yield "F", found.first_stage_f
    f = found.first_stage_f
    yield from _t_tests(found.error, found.standard_error, f, points, "", settings)
    if "AR" in methods:
        critical = chi2_or_f_isf(settings.alpha, k, dof)
        yield from decisions("AR", found.score <= critical, settings)
        yield from _set("AR", score_sets(draws, design, critical, settings.engine))
    score = found.score
    if "K" in methods:
        if k > 1:
            score = found.score - found.larger * found.smaller / found.strength
        yield from decisions("K", score <= chi2_or_f_isf(settings.alpha, 1, dof), settings)
    if "CLR" in methods:
        ratio = found.score if k == 1 else np.maximum(found.larger - found.strength, 0.0)
        p_value = conditional_table(k, dof)(ratio, found.strength, settings.engine)
        yield "p: CLR", p_value[0]
        yield from decisions("CLR", p_value >= settings.alpha, settings)
        needed = acceptance_table(settings.alpha, k, dof)(found.larger)
        bound = found.larger + found.smaller - needed
        sets = score_sets(draws, design, bound, settings.engine)
        code = np.where(needed == 0, kernel.WHOLE_LINE, sets.code).astype(np.int8)
        yield from _set("CLR", kernel.QuadraticSets(code, sets.lower, sets.upper))


def _robust(
    design: Design,
    draws: Draws,
    classical: Classical,
    points: Array,
    covariance: str,
    settings: Settings,
) -> Iterator[Outcome]:
    k, methods, suffix = design.n_instruments, settings.methods, f" {covariance}"
    conditional = bool({"K", "CLR"} & set(methods))
    found: Robust = robust_statistics(
        draws, design, covariance, classical, points, conditional, settings.engine
    )
    dof = settings.dof(design.dof if covariance == "robust" else design.n_clusters - 1)
    yield "F: effective" + ("" if covariance == "robust" else suffix), found.effective_f
    # of one instrument, the effective F is the robust one
    f = found.effective_f
    yield from _t_tests(classical.error, found.standard_error, f, points, suffix, settings)
    critical = chi2_or_f_isf(settings.alpha, k, dof)
    if "AR" in methods:
        yield from decisions(f"AR{suffix}", found.anderson_rubin <= critical, settings)
        yield f"unbounded: AR{suffix}", found.at_infinity <= critical
    if "K" in methods:
        accepts = found.score <= chi2_or_f_isf(settings.alpha, 1, dof)
        yield from decisions(f"K{suffix}", accepts, settings)
    if "CLR" in methods:
        p_value = conditional_table(k, dof)(found.ratio, found.rank, settings.engine)
        yield f"p: CLR{suffix}", p_value[0]
        yield from decisions(f"CLR{suffix}", p_value >= settings.alpha, settings)


def _t_tests(
    error: Array, standard_error: Array, f: Array, points: Array, suffix: str, settings: Settings
) -> Iterator[Outcome]:
    """Decisions of t-tests, and lengths of their intervals.

    Where there is no standard error nothing is rejected.
    """
    quantile = float(stats.norm.isf(settings.alpha / 2))
    wanted = [(name, i, quantile) for i, name in enumerate(ESTIMATORS) if name in settings.methods]
    critical: list[tuple[str, int, float | Array]] = [*wanted]
    if "tF" in settings.methods:
        critical.append(("tF", 1, np.interp(np.sqrt(f), *_tf_table(), left=np.inf)))
    for name, i, value in critical:
        if np.isnan(standard_error[i]).all():  # those of OLS, from cells
            continue
        half = value * standard_error[i]
        yield from decisions(name + suffix, ~(np.abs(error[i] - points[:, None]) > half), settings)
        yield f"length: {name}{suffix}", 2 * half
        if name == "tF":
            yield f"unbounded: tF{suffix}", np.isinf(half)


def decisions(name: str, accepted: Truths, settings: Settings) -> Iterator[Outcome]:
    """Of the truth, which comes first, and of the hypotheses."""
    yield f"covers: {name}", accepted[0]
    for b, row in zip(settings.hypotheses, accepted[1:], strict=True):
        yield f"rejects {b:g}: {name}", ~row


def _set(name: str, sets: kernel.QuadraticSets) -> Iterator[Outcome]:
    for kind, code in _KINDS:
        yield f"shape: {name} {kind}", sets.code == code
    yield f"unbounded: {name}", sets.code >= kernel.TWO_RAYS
    length = np.where(sets.code == kernel.INTERVAL, sets.upper - sets.lower, np.inf)
    yield f"length: {name}", np.where(sets.code == kernel.EMPTY, 0.0, length)


@cache
def _tf_table() -> tuple[Array, Array]:
    """Roots of F between which tF's critical value is linear, and the values."""
    roots = np.arange(20, 104) / 10
    return roots, np.array([tf_critical_value(root**2) for root in roots])
