"""The linear panel regressions: each is least squares of rows that its method transforms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from pooledtrials.arguments import Codes, Matrix, Vector
from pooledtrials.clusters import cluster_sums
from pooledtrials.panels.design import MEAN, Design, design, nested, quasi_demeaned
from pooledtrials.panels.estimate import Dropped, PanelEstimate, dropped_frame
from pooledtrials.panels.fits import Fit, estimate_of
from pooledtrials.panels.layout import Layout, changes, changing_exposure
from pooledtrials.panels.options import Options
from pooledtrials.panels.previous import lagged, previous_rows, without_previous
from pooledtrials.panels.swamy_arora import swamy_arora
from pooledtrials.results import Estimate


def pooled(data: Layout, options: Options) -> PanelEstimate:
    """Least squares of all interviews."""
    columns = design(data, options.effects, "pooled")
    return estimate_of("pooled", _fit(data.y, data, columns, options), options)


def within(data: Layout, options: Options, method: str = "within") -> PanelEstimate:
    """Least squares with an effect of each patient."""
    if options.covariance == "robust":
        raise ValueError(
            f"covariance is 'robust' with method={method!r}: with patient effects and few"
            " interviews it is inconsistent; give 'clustered', which allows for unequal variances"
            " too, or 'classical'"
        )
    changing_exposure(data, f"method={method!r}")
    kept = data.keep((data.sizes > 1)[data.patients])
    if options.covariance == "clustered" and kept.n_clusters < 2:
        raise ValueError(
            f"clusters has 1 cluster with patients interviewed twice, and method={method!r} uses"
            " no others: two or more are needed"
        )
    columns = design(
        kept,
        options.effects,
        method,
        transform=kept.within,
        intercept=False,
        lost=kept.n_patients,
    )
    fit = _fit(kept.within(kept.y), kept, columns, options, lost=kept.n_patients)
    if nested(kept.effect_codes(options.effects), kept.clusters):
        fit = replace(fit, counted=fit.counted - columns.n_effects)
    dropped = [
        Dropped(
            data.n_patients - kept.n_patients,
            "patients with one interview",
            "left out, since they cannot be compared with themselves",
        ),
        Dropped(
            int((~changes(kept)).sum()),
            f"patients whose {kept.names[0]} never changes",
            "they stay and help to estimate the other terms, but say nothing about this one",
        ),
        *_absorbed(columns, "having no change within patients beyond the effects"),
    ]
    return estimate_of(method, fit, options, dropped=dropped_frame(dropped))


def between(data: Layout, options: Options) -> PanelEstimate:
    """Least squares of patients' means, one row a patient, unweighted."""
    columns = design(data, options.effects, "between", transform=data.patient_means)
    first = np.unique(data.patients, return_index=True)[1]
    fit = _fit(data.patient_means(data.y), data, columns, options, used=first)
    dropped = _absorbed(columns, "having the same mean in all patients")
    return estimate_of("between", fit, options, dropped=dropped_frame(dropped))


def random_effects(data: Layout, options: Options) -> PanelEstimate:
    """Feasible GLS with Swamy and Arora's variances."""
    columns = design(data, options.effects, "random effects")
    fit, components = _random(data, columns, "random effects", options)
    return estimate_of("random effects", fit, options, **components)


def mundlak(data: Layout, options: Options) -> PanelEstimate:
    """Random effects with patients' means of every column as regressors."""
    changing_exposure(data, "method='mundlak'")
    columns = design(data, options.effects, "mundlak", means=True)
    fit, components = _random(data, columns, "mundlak", options)
    alone = Dropped(
        int((data.sizes == 1).sum()),
        "patients with one interview",
        "they stay, for the comparison between patients",
    )
    found = estimate_of("mundlak", fit, options, dropped=dropped_frame([alone]), **components)
    at, mean = data.names[0], MEAN + data.names[0]
    difference = float(found.coefficients.loc[mean, "estimate"])
    covariance = found.covariance_matrix.loc[[at, mean], [at, mean]].to_numpy()

    def of(name: str, coefficient: float, variance: float) -> Estimate:
        error = float(np.sqrt(variance))
        return Estimate(name, coefficient, error, found.covariance, found.nobs, found.dof)

    return replace(
        found,
        contextual=of("mundlak, contextual", difference, covariance[1, 1]),
        between=of("mundlak, between", found.coefficient + difference, covariance.sum()),
    )


def first_differences(data: Layout, options: Options) -> PanelEstimate:
    """Least squares of changes from the previous interview, without an intercept."""
    left = without_previous(data, options.gaps)
    changing_exposure(data, "method='first differences'")
    now, before = previous_rows(data, options.gaps)

    def difference(values: Matrix) -> Matrix:
        return np.asarray(values[now] - values[before])

    columns = design(
        data, options.effects, "first differences", transform=difference, intercept=False
    )
    fit = _fit(difference(data.y), data, columns, options, used=now)
    dropped = [
        *left,
        Dropped(
            int((difference(data.x) == 0).sum()),
            f"differences with {data.names[0]} unchanged",
            "they stay and help to estimate the other terms, but say nothing about this one",
        ),
        *_absorbed(columns, "having no differences beyond the effects"),
    ]
    return estimate_of("first differences", fit, options, dropped=dropped_frame(dropped))


def lagged_within(data: Layout, options: Options) -> PanelEstimate:
    """The within regression on the exposure of the previous interview."""
    left = without_previous(data, options.gaps)
    found = within(lagged(data, options.gaps), options, "lagged")
    both = pd.concat([dropped_frame(left), found.dropped], ignore_index=True)
    return replace(found, dropped=both)


def _fit(
    y: Vector,
    data: Layout,
    columns: Design,
    options: Options,
    *,
    lost: int = 0,
    used: Codes | None = None,
) -> Fit:
    """Least squares of transformed rows.

    ``(X'X)^-1 M (X'X)^-1`` with ``M = s2 X'X``, ``n / (n - k) sum_i e_i^2 x_i x_i'`` or ``sum_g
    X_g'e_g e_g'X_g``, of X = QR by way of Q; ``lost`` degrees of freedom go to patient effects.
    ``used`` has one interview of each row.
    """
    interviews = np.arange(data.nobs) if used is None else used
    n, k = columns.columns.shape
    Q, R = linalg.qr(columns.columns, mode="economic", check_finite=False)
    params = linalg.solve_triangular(R, Q.T @ y)
    residual = y - columns.columns @ params
    left = float(n - lost - k)
    scores = Q * residual[:, None]
    if options.covariance == "clustered":
        sums = cluster_sums(scores, data.clusters[interviews])
        middle = sums.T @ sums
    elif options.covariance == "robust":
        middle = n / left * scores.T @ scores
    else:
        middle = float(residual @ residual) / left * np.eye(k)
    half = linalg.solve_triangular(R, middle)
    return Fit(
        data=data,
        columns=columns,
        params=params,
        covariance=linalg.solve_triangular(R, half.T),
        nobs=n,
        interviews=interviews,
        counted=k,
        left=left,
    )


def _random(
    data: Layout, columns: Design, method: str, options: Options
) -> tuple[Fit, dict[str, Any]]:
    """Least squares of quasi-demeaned rows; variances and theta by number of interviews."""
    k = columns.levels.shape[1]
    if data.n_patients <= k or data.nobs - data.n_patients <= k:
        raise ValueError(
            f"y has {data.nobs} rows of {data.n_patients} patients, too few for {k} columns under"
            f" method={method!r}: its variances need more patients, and more rows beyond one a"
            f" patient, than columns; use fewer controls, or effects='wave' or 'none'"
        )
    patient, residual = swamy_arora(data, columns.levels, options.small_sample)
    theta = 1 - np.sqrt(residual / (residual + patient * data.sizes))
    transformed = replace(columns, columns=quasi_demeaned(data, columns.levels, theta))
    fit = _fit(quasi_demeaned(data, data.y, theta), data, transformed, options)
    shares = dict(zip(data.sizes.tolist(), theta.tolist(), strict=True))
    return fit, {
        "variance_components": {
            "patient": patient,
            "residual": residual,
            "intraclass correlation": patient / (patient + residual),
        },
        "theta": {size: shares[size] for size in sorted(shares)},
    }


def _absorbed(columns: Design, why: str) -> list[Dropped]:
    what = f"control{'' if len(columns.absorbed) == 1 else 's'} ({', '.join(columns.absorbed)})"
    return [Dropped(len(columns.absorbed), what, f"left out, {why}")]
