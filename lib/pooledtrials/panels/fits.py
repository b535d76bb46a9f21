"""From the coefficients of a design's columns to the result that every method returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pooledtrials.arguments import Codes, Matrix, Vector
from pooledtrials.panels.design import Design
from pooledtrials.panels.estimate import PanelEstimate
from pooledtrials.panels.layout import Layout
from pooledtrials.panels.options import Options
from pooledtrials.panels.variants import factor


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients of a design's k columns and their covariance.

    Attributes
    ----------
    data, columns : what was fitted
    params : (k,) array
    covariance : (k, k) array; without any small-sample factor if it is clustered
    nobs : rows used
    interviews : positions in ``data`` of one interview of each row used
    counted : columns counted in the factor of a clustered covariance
    left : rows less columns and patient effects
    result : the fit of the package that made it
    """

    data: Layout
    columns: Design
    params: Vector
    covariance: Matrix
    nobs: int
    interviews: Codes
    counted: int
    left: float
    result: Any


def estimate_of(method: str, fit: Fit, options: Options, **more: Any) -> PanelEstimate:
    """The result of a fit; ``more`` are further fields of `PanelEstimate`."""
    data, columns, variant, scale = fit.data, fit.columns, "", 1.0
    used = data.keep(fit.interviews)
    groups = used.n_clusters
    dof = fit.left
    if options.covariance == "clustered":
        variant = options.variant
        scale = factor(variant, fit.nobs, fit.counted, groups, columns.intercept)
        dof = float(groups - 1)
    exposure = data.names[0]
    terms = [exposure, *(name for name in columns.reported if name != exposure)]
    at = [columns.reported[name] for name in terms]
    covariance = scale * fit.covariance[np.ix_(at, at)]
    dof = more.pop("dof", dof)
    table = pd.DataFrame({"estimate": fit.params[at], "se": np.sqrt(np.diag(covariance))}, terms)
    table["t"] = table["estimate"] / table["se"]
    table["p"] = 2 * stats.t.sf(np.abs(table["t"]), dof)
    return PanelEstimate(
        method=method,
        coefficient=float(table.loc[exposure, "estimate"]),
        standard_error=float(table.loc[exposure, "se"]),
        covariance=options.covariance,
        nobs=fit.nobs,
        dof=dof,
        exposure=exposure,
        effects=options.effects,
        variant=variant,
        n_patients=used.n_patients,
        n_trials=used.n_trials,
        n_clusters=groups,
        columns=fit.counted,
        coefficients=table,
        covariance_matrix=pd.DataFrame(covariance, terms, terms),
        **more,
    )
