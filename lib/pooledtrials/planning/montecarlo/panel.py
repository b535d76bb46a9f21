"""Layer 3 of the Monte Carlo: statistics of many replications from their moments.

Nothing is computed here that the public functions do not compute by the same lines:
`homoskedastic_panel` and `robust_panel` take leading axes. `compiled_panel` mirrors them one
replication at a time; NumPy is its reference, and what runs without a compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pooledtrials.clusters import small_sample_factor
from pooledtrials.instruments import homoskedastic_panel as kernel
from pooledtrials.instruments.effective_f import effective_f_statistic
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.planning.montecarlo.design import Design
from pooledtrials.planning.montecarlo.draws import Draws

Array = npt.NDArray[np.float64]

ESTIMATORS: Final = ("OLS", "2SLS", "LIML", "Fuller")
"""k-class estimators of every study, in the order of the arrays below; Fuller's alpha is 1."""


@dataclass(frozen=True, eq=False)
class Classical:
    """Classical statistics; the axes of P are hypotheses, in distances from the truth.

    Attributes
    ----------
    error, standard_error, bread : (4, reps)
        Estimates less the truth, their errors, denominators of the k-class.
    first_stage_f : (reps,)
    larger, smaller : (reps,) roots, see `homoskedastic_panel.Invariants`
    score, strength : (P, reps) QS and QT
    """

    error: Array
    standard_error: Array
    bread: Array
    first_stage_f: Array
    larger: Array
    smaller: Array
    score: Array
    strength: Array


@dataclass(frozen=True, eq=False)
class Robust:
    """Robust or clustered statistics.

    Attributes
    ----------
    standard_error : (4, reps), nan for OLS where its scores were not drawn
    effective_f : (reps,)
    at_infinity : (reps,) AR of an infinite effect: the set is unbounded where it is not rejected
    anderson_rubin, score, rank, ratio : (P, reps), see `robust_panel`; the last three may be nan
    """

    standard_error: Array
    effective_f: Array
    at_infinity: Array
    anderson_rubin: Array
    score: Array
    rank: Array
    ratio: Array


def classical_statistics(draws: Draws, design: Design, points: Array, engine: str) -> Classical:
    """`Classical` at the hypotheses ``points``."""
    n, k, dof, partialled = design.nobs, design.n_instruments, design.dof, design.n_partialled
    if engine == "numba":
        from pooledtrials.planning.montecarlo.compiled_panel import classical

        out = np.empty((15 + 2 * points.size, draws.first_stage.shape[0]))
        given = (draws.reduced_form, draws.first_stage, draws.residual_gram)
        classical(*given, points, n, partialled, out)
        at = out[15:].reshape(2, points.size, -1)
        return Classical(out[:4], out[4:8], out[8:12], out[12], out[13], out[14], at[0], at[1])
    moments = draws.moments(design, "classical")
    gram, residual, sigma = moments.gram, draws.residual_gram, moments.error_covariance
    liml = kernel.liml_kappa(gram, residual, k)
    kappas = np.stack([np.zeros_like(liml), np.ones_like(liml), liml, liml - 1 / dof])
    found = kernel.k_class(gram, residual, kappas, n, partialled + 1)
    roots = kernel.invariants(gram, sigma, k)
    return Classical(
        found.coefficient,
        found.standard_error,
        gram[:, 1, 1] + (1 - kappas) * residual[:, 1, 1],
        kernel.first_stage_f(gram, residual, k, dof),
        roots.larger,
        roots.smaller,
        np.stack([kernel.score_statistic(gram, sigma, b) for b in points]),
        np.stack([kernel.strength_statistic(gram, sigma, b) for b in points]),
    )


def score_sets(
    draws: Draws, design: Design, bound: npt.ArrayLike, engine: str
) -> kernel.QuadraticSets:
    """The classical sets {b: QS(b) <= bound}, one bound for all or one for each replication."""
    reps = draws.first_stage.shape[0]
    bounds = np.broadcast_to(np.asarray(bound, dtype=float), (reps,))
    if engine == "numba":
        from pooledtrials.planning.montecarlo.compiled_panel import score_sets as sets

        code, ends = np.empty(reps, dtype=np.int8), np.empty((2, reps))
        given = (draws.reduced_form, draws.first_stage, draws.residual_gram)
        sets(*given, design.dof, np.ascontiguousarray(bounds), code, ends)
        return kernel.QuadraticSets(code, ends[0], ends[1])
    moments = draws.moments(design, "classical")
    return kernel.lower_set(moments.gram, moments.error_covariance, bounds)


def robust_statistics(
    draws: Draws,
    design: Design,
    covariance: str,
    classical: Classical,
    points: Array,
    conditional: bool,
    engine: str,
) -> Robust:
    """`Robust` at the hypotheses ``points``, after `classical_statistics`.

    Parameters
    ----------
    covariance : ``"robust"`` or ``"clustered"``
    conditional : whether K, the rank statistic and LR are wanted; they take most of the time
    """
    scores, groups = draws.scores(covariance), design.n_clusters
    n, p, k = design.nobs, design.n_partialled, design.n_instruments
    factor = small_sample_factor(covariance, n, p + 1, groups, True)
    if engine == "numba":
        from pooledtrials.planning.montecarlo.compiled_panel import robust

        reps = draws.first_stage.shape[0]
        out = np.empty((6 + 4 * points.size, reps))
        own = np.empty((0, 2, 2)) if scores.own is None else scores.own
        robust(
            draws.reduced_form,
            draws.first_stage,
            (scores.wald, scores.fitted, own),
            (small_sample_factor(covariance, n, p + k, groups, True), factor),
            classical.error,
            classical.bread,
            points,
            conditional,
            out,
        )
        return Robust(out[:4], out[4], out[5], *out[6:].reshape(4, points.size, reps))
    moments = draws.moments(design, covariance)
    own = np.full_like(scores.fitted, np.nan) if scores.own is None else scores.own
    meat = np.stack([own, scores.fitted, scores.fitted, scores.fitted])
    b = classical.error
    squares = meat[..., 0, 0] - 2 * b * meat[..., 0, 1] + b * b * meat[..., 1, 1]
    at = [statistics_at(moments, b) for b in points]
    missing = np.full((points.size, draws.first_stage.shape[0]), np.nan)
    return Robust(
        np.sqrt(factor * np.maximum(squares, 0.0)) / np.abs(classical.bread),
        effective_f_statistic(moments),
        statistics_at(moments, np.inf).anderson_rubin,
        np.stack([s.anderson_rubin for s in at]),
        np.stack([s.score for s in at]) if conditional else missing,
        np.stack([s.rank for s in at]) if conditional else missing,
        np.stack([s.likelihood_ratio for s in at]) if conditional else missing,
    )
