"""The linear panel regressions, fitted by linearmodels and brought to one result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from linearmodels.panel import (
    BetweenOLS,
    FirstDifferenceOLS,
    PanelOLS,
    PooledOLS,
    RandomEffects,
)
from linearmodels.panel.utility import AbsorbingEffectError

from pooledtrials.arguments import Codes, Matrix
from pooledtrials.panels.design import MEAN, Design, design, index, nested
from pooledtrials.panels.estimate import Dropped, PanelEstimate, dropped_frame
from pooledtrials.panels.fits import Fit, estimate_of
from pooledtrials.panels.independence import centred
from pooledtrials.panels.layout import Layout, changes, changing_exposure
from pooledtrials.panels.options import Options
from pooledtrials.panels.previous import lagged, previous_rows, times, without_previous
from pooledtrials.results import Estimate


def pooled(data: Layout, options: Options) -> PanelEstimate:
    """Least squares of all interviews."""
    columns = design(data, options.effects, "pooled")
    model = PooledOLS(_outcome(data), _frame(data, columns), check_rank=False)
    return estimate_of("pooled", _fit(model, data, columns, options), options)


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
    model = PanelOLS(_outcome(kept), _frame(kept, columns), entity_effects=True, check_rank=False)
    fit = _fit(
        model,
        kept,
        columns,
        options,
        lost=kept.n_patients,
        auto_df=False,
        count_effects=options.covariance == "classical",
    )
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
    model = BetweenOLS(_outcome(data), _frame(data, columns), check_rank=False)
    first = np.unique(data.patients, return_index=True)[1]
    fit = _fit(model, data, columns, options, used=first)
    dropped = _absorbed(columns, "having the same mean in all patients")
    return estimate_of("between", fit, options, dropped=dropped_frame(dropped))


def random_effects(data: Layout, options: Options) -> PanelEstimate:
    """Feasible GLS with Swamy and Arora's variances."""
    columns = design(data, options.effects, "random effects")
    fit = _random(data, columns, "random effects", options)
    return estimate_of("random effects", fit, options, **_components(fit))


def mundlak(data: Layout, options: Options) -> PanelEstimate:
    """Random effects with patients' means of every column as regressors."""
    changing_exposure(data, "method='mundlak'")
    columns = design(data, options.effects, "mundlak", means=True)
    fit = _random(data, columns, "mundlak", options)
    alone = Dropped(
        int((data.sizes == 1).sum()),
        "patients with one interview",
        "they stay, for the comparison between patients",
    )
    found = estimate_of("mundlak", fit, options, dropped=dropped_frame([alone]), **_components(fit))
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
    time = times(data, options.gaps)
    model = FirstDifferenceOLS(_outcome(data, time), _frame(data, columns, time), check_rank=False)
    fit = _fit(model, data, columns, options, used=now, time=time)
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


def _outcome(data: Layout, time: Codes | None = None) -> pd.Series:
    return pd.Series(centred(data.y), index=index(data, time), name="y")


def _frame(data: Layout, columns: Design, time: Codes | None = None) -> pd.DataFrame:
    names = [str(j) for j in range(columns.levels.shape[1])]
    return pd.DataFrame(columns.levels, index=index(data, time), columns=names)


def _fit(
    model: Any,
    data: Layout,
    columns: Design,
    options: Options,
    *,
    lost: int = 0,
    used: Codes | None = None,
    time: Codes | None = None,
    **settings: Any,
) -> Fit:
    """Fit a model of linearmodels; ``used`` has one interview of each row it uses."""
    if options.covariance == "clustered":
        groups = pd.DataFrame({"cluster": data.clusters}, index=index(data, time))
        settings |= {"cov_type": "clustered", "clusters": groups, "debiased": False}
    else:
        cov_type = {"classical": "unadjusted", "robust": "robust"}[options.covariance]
        settings |= {"cov_type": cov_type, "debiased": True}
    try:
        result = model.fit(**settings)
    except AbsorbingEffectError as error:
        named = ", ".join(name for name in columns.reported if name != data.names[0])
        raise ValueError(
            f"x ({data.names[0]}){f' or controls ({named})' if named else ''} hardly changes within"
            " patients, so little that patient effects cannot be told from it: drop the control"
            " that hardly changes, or use method='mundlak'"
        ) from error
    k = columns.levels.shape[1]
    return Fit(
        data=data,
        columns=columns,
        params=result.params.to_numpy(),
        covariance=result.cov.to_numpy(),
        nobs=int(result.nobs),
        interviews=np.arange(data.nobs) if used is None else used,
        counted=k,
        left=float(result.nobs - lost - k),
        result=result,
    )


def _random(data: Layout, columns: Design, method: str, options: Options) -> Fit:
    k = columns.levels.shape[1]
    if data.n_patients <= k or data.nobs - data.n_patients <= k:
        raise ValueError(
            f"y has {data.nobs} rows of {data.n_patients} patients, too few for {k} columns under"
            f" method={method!r}: its variances need more patients, and more rows beyond one a"
            f" patient, than columns; use fewer controls, or effects='wave' or 'none'"
        )
    model = RandomEffects(_outcome(data), _frame(data, columns), check_rank=False)
    return _fit(model, data, columns, options, small_sample=options.small_sample)


def _components(fit: Fit) -> dict[str, Any]:
    """Variances and theta of a random-effects fit."""
    variances = fit.result.variance_decomposition
    patient, residual = float(variances["Effects"]), float(variances["Residual"])
    share = 1 - np.sqrt(residual / (residual + patient * np.unique(fit.data.sizes)))
    sizes = np.unique(fit.data.sizes).tolist()
    return {
        "variance_components": {
            "patient": patient,
            "residual": residual,
            "intraclass correlation": patient / (patient + residual),
        },
        "theta": dict(zip(sizes, share.tolist(), strict=True)),
    }


def _absorbed(columns: Design, why: str) -> list[Dropped]:
    what = f"control{'' if len(columns.absorbed) == 1 else 's'} ({', '.join(columns.absorbed)})"
    return [Dropped(len(columns.absorbed), what, f"left out, {why}")]
