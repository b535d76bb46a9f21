"""Layer 3 of the Monte Carlo: the panel, the kernel of `pooledtrials.instruments` on many draws.

Nothing is estimated or tested here that the public functions do not compute by the same lines:
`homoskedastic_panel` and `robust_panel` take leading axes. What is added is the bookkeeping of a
study: which statistic rejects the truth, which set covers it, what shape the sets have.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from pooledtrials.instruments import homoskedastic_panel as panel
from pooledtrials.instruments.acceptance import acceptance_table
from pooledtrials.instruments.conditional import chi2_or_f_isf, conditional_p_value
from pooledtrials.instruments.effective_f import effective_f_statistic
from pooledtrials.instruments.estimators import sandwich_meat
from pooledtrials.instruments.robust_panel import statistics_at
from pooledtrials.planning.design import Cell, Design
from pooledtrials.planning.samplers import Draws

Array = npt.NDArray[np.float64]


def classical_outcomes(
    design: Design, cell: Cell, draws: Draws, level: float, reference: str
) -> dict[str, Array]:
    """Every classical estimate, test of the truth and set of each replication.

    Returns
    -------
    dict
        ``error: NAME`` (estimate less truth), ``covers: NAME`` (0 or 1), ``F``, and for the AR and
        CLR sets ``shape: SET KIND`` (0 or 1) and ``length: SET`` (infinite if unbounded).
    """
    moments = draws.moments(design, "classical")
    gram, residual, sigma = moments.gram, draws.residual_gram, moments.error_covariance
    n, k = design.nobs, design.n_instruments
    lost, alpha = design.n_partialled + 1, 1 - level
    dof = moments.dof if reference == "F" else None
    kappa = panel.liml_kappa(gram, residual, k)
    out: dict[str, Array] = {"F": panel.first_stage_f(gram, residual, k, design.dof)}
    quantile = float(stats.norm.isf(alpha / 2))
    for name, value in (
        ("OLS", np.zeros_like(kappa)),
        ("2SLS", np.ones_like(kappa)),
        ("LIML", kappa),
        ("Fuller", kappa - 1 / design.dof),
    ):
        found = panel.k_class(gram, residual, value, n, lost)
        error = found.coefficient - cell.effect
        out[f"error: {name}"] = error
        out[f"covers: {name}"] = (np.abs(error) <= quantile * found.standard_error).astype(float)
    roots = panel.invariants(gram, sigma, k)
    ar_set = panel.lower_set(gram, sigma, chi2_or_f_isf(alpha, k, dof))
    needed = acceptance_table(alpha, k, dof)(roots.larger)
    clr_set = panel.lower_set(gram, sigma, roots.trace - needed)
    clr_set = panel.QuadraticSets(
        np.where(needed == 0, panel.WHOLE_LINE, clr_set.code).astype(np.int8),
        clr_set.lower,
        clr_set.upper,
    )
    qs = panel.score_statistic(gram, sigma, cell.effect)
    qt = panel.strength_statistic(gram, sigma, cell.effect)
    out["covers: AR"] = (qs <= chi2_or_f_isf(alpha, k, dof)).astype(float)
    out["covers: CLR"] = (qt >= needed).astype(float)
    score = qs - roots.determinant / qt
    out["covers: K"] = (score <= chi2_or_f_isf(alpha, 1, dof)).astype(float)
    for name, sets in (("AR", ar_set), ("CLR", clr_set)):
        for kind, code in (
            ("empty", panel.EMPTY),
            ("interval", panel.INTERVAL),
            ("two rays", panel.TWO_RAYS),
            ("whole line", panel.WHOLE_LINE),
        ):
            out[f"shape: {name} {kind}"] = (sets.code == code).astype(float)
        length = np.where(sets.code == panel.INTERVAL, sets.upper - sets.lower, np.inf)
        out[f"length: {name}"] = np.where(sets.code == panel.EMPTY, 0.0, length)
    return out


def robust_outcomes(
    design: Design, cell: Cell, draws: Draws, level: float, reference: str
) -> dict[str, Array]:
    """The heteroskedasticity-robust part: effective F, 2SLS with HC1 error, AR, K and CLR."""
    moments = draws.moments(design, "robust")
    if draws.score_meat is None:
        raise ValueError("draws have no score_meat: use sampler='rows' or 'cell_wishart'")
    k, alpha = design.n_instruments, 1 - level
    dof = moments.dof if reference == "F" else None
    stage = draws.first_stage
    square = np.einsum("ri,ri->r", stage, stage)
    estimate = np.einsum("ri,ri->r", stage, draws.reduced_form) / square
    factor = design.nobs / (design.nobs - design.n_partialled - 1)
    variance = factor * sandwich_meat(draws.score_meat, stage, estimate) / square**2
    quantile = float(stats.norm.isf(alpha / 2))
    at = statistics_at(moments, cell.effect)
    p_value = conditional_p_value(at.likelihood_ratio, at.rank, k, dof)
    covers = np.abs(estimate - cell.effect) <= quantile * np.sqrt(variance)
    return {
        "F: effective": effective_f_statistic(moments),
        "error: 2SLS": estimate - cell.effect,
        "covers: 2SLS robust": covers.astype(float),
        "covers: AR robust": (at.anderson_rubin <= chi2_or_f_isf(alpha, k, dof)).astype(float),
        "covers: K robust": (at.score <= chi2_or_f_isf(alpha, 1, dof)).astype(float),
        "covers: CLR robust": (p_value >= alpha).astype(float),
    }
