"""Weighted least squares with a sandwich: the analysis that weights were made for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import statsmodels.api as sm

from pooledtrials.arguments import (
    Columns,
    Matrix,
    label_codes,
    numeric_columns,
    one_column,
    same_index,
)
from pooledtrials.panels.independence import centred, independent
from pooledtrials.panels.interview_rows import cell_codes, patient_codes, used_rows
from pooledtrials.panels.layout import refuse_constant
from pooledtrials.results import Estimate


def weighted_regression(
    y: Columns,
    x: Columns,
    weights: Columns,
    patients: Columns | None = None,
    waves: Columns | None = None,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    trials: Columns | None = None,
    *,
    debiased: bool = True,
) -> Estimate:
    """Weighted least squares of y on x, controls and an intercept per trial and wave.

    With x an arm and no controls it is the weighted difference of means. The sandwich takes the
    weights for known, which on average overstates the error where they were estimated by a correct
    model [seaman2013review].

    Parameters
    ----------
    y, x : (n,)
        Looked at where the weight is positive only.
    weights : (n,)
        Not negative, such as ``follow_up_weights(...).values``; rows with 0 are not used.
    patients : (n,) labels, optional
        Whose interviews they are, to cluster by; without it every row is its own patient.
    controls : (n, p), optional
        Looked at where the weight is positive only.
    waves, clusters, trials : (n,) labels, optional
        ``clusters`` take the place of patients.
    debiased : bool
        Whether the covariance is HC1 or CR1 rather than HC0 or CR0.

    Raises
    ------
    ValueError
        For unusable arguments, negative weights, a constant outcome, or x or a control that is
        constant or a combination of other columns in the weighted rows.
    """
    same_index(
        y=y, x=x, weights=weights, patients=patients, waves=waves, controls=controls,
        clusters=clusters, trials=trials,
    )  # fmt: skip
    weight = one_column(weights, "weights", "give one weight per row")
    n, negative = weight.size, int((weight < 0).sum())
    if negative:
        raise ValueError(
            f"weights is negative in {negative} of {n} rows: give 0 to leave a row out"
        )
    used = weight > 0
    if not used.any():
        raise ValueError("weights is 0 in all rows: there is nothing to estimate")
    rows = int(used.sum())
    outcome = one_column(used_rows(y, used, "y"), "y", "give one outcome at a time", rows)
    exposure = one_column(used_rows(x, used, "x"), "x", "give one exposure", rows)
    covariates, labels = np.empty((rows, 0)), ["x"]
    if controls is not None:
        covariates, names = numeric_columns(used_rows(controls, used, "controls"), "controls", rows)
        labels += [f"controls column {name}" for name in names]
    cells = np.unique(cell_codes(trials, waves, n)[0][used], return_inverse=True)[1].reshape(-1)
    intercepts = (cells[:, None] == np.arange(int(cells.max()) + 1)).astype(float)
    refuse_constant(outcome, "y")
    design = centred(np.column_stack([exposure, covariates]))
    if rows <= design.shape[1] + intercepts.shape[1]:
        raise ValueError(
            f"y has {rows} weighted rows, too few for"
            f" {design.shape[1] + intercepts.shape[1]} columns"
        )
    _refuse_dependent(intercepts, design, labels)
    model = sm.WLS(centred(outcome), np.column_stack([design, intercepts]), weights=weight[used])
    groups = label_codes(clusters, "clusters", n)
    if groups is None and patients is not None:
        groups = patient_codes(patients, trials, n)
    if groups is None:
        fit, label = model.fit(cov_type="HC1" if debiased else "HC0"), "robust"
        dof = rows - design.shape[1] - intercepts.shape[1]
    else:
        own = np.unique(groups[used], return_inverse=True)[1].reshape(-1)
        dof = int(own.max())
        if dof == 0:
            raise ValueError("clusters has 1 cluster: leave it out, or cluster at a finer level")
        options = {"groups": own, "use_correction": debiased}
        fit, label = model.fit(cov_type="cluster", cov_kwds=options), "clustered"
    return Estimate(
        "weighted least squares", float(fit.params[0]), float(fit.bse[0]), label, rows, dof
    )


def _refuse_dependent(intercepts: Matrix, columns: Matrix, labels: Sequence[str]) -> None:
    scales = np.concatenate([np.ones(intercepts.shape[1]), np.linalg.norm(columns, axis=0)])
    kept = independent(np.column_stack([intercepts, columns]), scales)[intercepts.shape[1] :]
    if not kept.all():
        raise ValueError(
            f"{labels[int(np.argmin(kept))]} is constant, or a linear combination of other columns"
            " and of trials and waves, in the weighted rows: leave it out"
        )
