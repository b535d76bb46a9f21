"""The mixed model: random intercepts of patients, and random slopes of trials or patients.

Random intercepts, alone or with trial slopes, are fitted by this package's own likelihood; slopes
that differ between patients by statsmodels' MixedLM.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from pooledtrials.arguments import Matrix, Vector
from pooledtrials.clusters import cluster_sums
from pooledtrials.panels.design import Design, design
from pooledtrials.panels.estimate import PanelEstimate
from pooledtrials.panels.fits import Fit, estimate_of
from pooledtrials.panels.independence import centred
from pooledtrials.panels.layout import Layout, several_trials
from pooledtrials.panels.options import Options
from pooledtrials.panels.random_intercept import RandomIntercept
from pooledtrials.panels.trial_slopes import trial_slopes


def mixed(data: Layout, options: Options) -> PanelEstimate:
    """Likelihood estimate of a model with random intercepts, and slopes if asked for."""
    if options.covariance == "robust":
        raise ValueError(
            "covariance is 'robust' with method='mixed': rows of a patient depend on one another by"
            " the model; give 'clustered' or 'classical'"
        )
    if options.slopes is not None and options.covariance == "clustered":
        raise ValueError(
            f"covariance is 'clustered' with slopes={options.slopes!r}: errors of a random slope"
            " come from its estimated variance; pass covariance='classical'"
        )
    columns = design(data, options.effects, "mixed")
    if options.slopes == "trials":
        return _trial_slopes(data, columns, options)
    if options.slopes == "patients":
        return _patient_slopes(data, columns, options)
    found = RandomIntercept.of(columns.levels, data.patients).fit(
        centred(data.y), reml=options.reml
    )
    covariance = found.covariance
    if options.covariance == "clustered":
        share = found.patient_variance / found.residual_variance
        covariance = _sandwich(data, columns.levels, found.coefficients, share, covariance)
        covariance = covariance / found.residual_variance**2
    return estimate_of(
        "mixed",
        _fit(data, columns, found.coefficients, covariance),
        options,
        variance_components={
            "patient": found.patient_variance,
            "residual": found.residual_variance,
            "intraclass correlation": found.patient_variance
            / (found.patient_variance + found.residual_variance),
        },
        theta=found.theta,
        log_likelihood=found.log_likelihood,
    )


def _sandwich(data: Layout, X: Matrix, b: Vector, lam: float, bread: Matrix) -> Matrix:
    """``bread (sum_g s_g s_g') bread`` with scores ``s_g = X_g'(I - w J / T) e_g``."""
    residual = centred(data.y) - X @ b
    shrinkage = lam / (1 + lam * data.sizes)
    sums = np.bincount(data.patients, weights=residual)
    weighted = residual - (shrinkage * sums)[data.patients]
    scores = cluster_sums(X * weighted[:, None], data.clusters)
    return np.asarray(bread @ (scores.T @ scores) @ bread)


def _trial_slopes(data: Layout, columns: Design, options: Options) -> PanelEstimate:
    several_trials(data, "slopes='trials'")
    if data.sizes.max() == 1:
        raise ValueError("patients has at most 1 row each: slopes='trials' needs two of some")
    # About the trial's mean: a slope's variance then does not depend on where x has its zero.
    means = np.bincount(data.trials, weights=data.x) / np.bincount(data.trials)
    found = trial_slopes(
        centred(data.y),
        columns.levels,
        data.x - means[data.trials],
        data.patients,
        data.trials,
        reml=options.reml,
    )
    return estimate_of(
        "mixed",
        _fit(data, columns, found.coefficients, found.covariance),
        options,
        dof=float(data.n_trials - 1),
        variance_components={
            "slope": found.slope_variance,
            "patient": found.patient_variance,
            "residual": found.residual_variance,
        },
        log_likelihood=found.log_likelihood,
    )


def _patient_slopes(data: Layout, columns: Design, options: Options) -> PanelEstimate:
    """Correlated random intercept and slope of each patient, by MixedLM in units of spread."""
    scale_y, center, scale_x = (float(v) for v in (np.std(data.y), data.x.mean(), np.std(data.x)))
    lengths = np.linalg.norm(columns.levels, axis=0) / math.sqrt(data.nobs)
    slopes = np.column_stack([np.ones(data.nobs), (data.x - center) / scale_x])
    with warnings.catch_warnings():
        # MixedLM warns of a boundary when a variance is below 0.01 in whatever units.
        warnings.filterwarnings("ignore", "The MLE may be on the boundary", ConvergenceWarning)
        # Its first choice, BFGS, can leave the region where the likelihood is defined; L-BFGS does
        # not, but stops a thousandth short of the variances, and BFGS goes the rest of the way.
        model = MixedLM(
            centred(data.y) / scale_y,
            columns.levels / lengths,
            groups=data.patients,
            exog_re=slopes,
        )
        near = model.fit(reml=options.reml, method="lbfgs")
        result = model.fit(
            reml=options.reml, method="bfgs", start_params=near.params_object, gtol=1e-8
        )
    if not result.converged:
        raise ValueError(
            "slopes='patients' finds no maximum of the likelihood, mostly since patients have too"
            " few interviews for a slope each: use slopes='trials' or None"
        )
    p = lengths.size
    units = scale_y / lengths
    to_zero = scale_y * np.array([[1.0, -center / scale_x], [0.0, 1 / scale_x]])
    random = to_zero @ np.asarray(result.cov_re) @ to_zero.T
    covariance = np.asarray(result.cov_params())[:p, :p] * np.outer(units, units)
    shift = math.log(scale_y) * (data.nobs - p if options.reml else data.nobs)
    shift += float(np.log(lengths).sum()) if options.reml else 0.0
    return estimate_of(
        "mixed",
        _fit(data, columns, np.asarray(result.fe_params) * units, covariance),
        options,
        dof=float(data.n_patients - 1),
        variance_components={
            "patient": float(random[0, 0]),
            "slope": float(random[1, 1]),
            "intercept-slope correlation": float(
                random[0, 1] / math.sqrt(random[0, 0] * random[1, 1])
            ),
            "residual": float(result.scale) * scale_y**2,
        },
        log_likelihood=float(result.llf) - shift,
    )


def _fit(data: Layout, columns: Design, params: Vector, covariance: Matrix) -> Fit:
    k = columns.levels.shape[1]
    return Fit(
        data=data,
        columns=columns,
        params=params,
        covariance=covariance,
        nobs=data.nobs,
        interviews=np.arange(data.nobs),
        counted=k,
        left=float(data.nobs - k),
        result=None,
    )
