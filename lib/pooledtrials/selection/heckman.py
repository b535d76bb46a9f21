"""Heckman's two-step estimator: selection corrected by a model, not by a bound.

It rests on two things no data can check: that the errors of selection and outcome are jointly
normal, and that something moves selection without touching the outcome [heckman1979sample]. Here it
stands as the contrast to bounds, which need neither.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from statsmodels.tools.sm_exceptions import (
    ConvergenceWarning,
    PerfectSeparationError,
    PerfectSeparationWarning,
)

from pooledtrials.arguments import (
    Codes,
    Columns,
    Matrix,
    Vector,
    choice,
    cluster_codes,
    numeric_columns,
    one_column,
    same_index,
    zero_one,
)
from pooledtrials.clusters import cluster_sums, small_sample_factor
from pooledtrials.results import Estimate, Test


@dataclass(frozen=True, eq=False)
class HeckmanTwoStep:
    """Outcome regression corrected for selection, and the probit of selection.

    Attributes
    ----------
    exposure : effect of x
    mills : coefficient of the inverse Mills ratio, covariance of the two errors over the standard
        deviation of the selection error
    outcome, selection : coefficients and standard errors, a row per column
    rho, sigma : implied correlation of the errors, and standard deviation of the outcome's error; a
        two-step rho can lie outside -1 to 1, a sign that the model does not fit
    exclusion : Wald test that z does not move selection
    collinearity : R2 of the inverse Mills ratio on the other columns of the outcome regression;
        near 1 the correction rests on the curvature of the normal distribution alone
    nobs, selected : rows, and rows with an outcome
    """

    exposure: Estimate
    mills: Estimate
    outcome: pd.DataFrame
    selection: pd.DataFrame
    rho: float
    sigma: float
    exclusion: Test
    collinearity: float
    nobs: int
    selected: int

    def to_frame(self) -> pd.DataFrame:
        """Both equations in one frame, rows (equation, term)."""
        parts = {"selection": self.selection, "outcome": self.outcome}
        return pd.concat(parts, names=["equation", "term"])

    def describe(self) -> str:
        """What the estimate means and what it rests on."""
        low, high = self.exposure.interval().intervals[0]
        text = (
            "Corrected for selection, one unit of exposure goes with"
            f" {self.exposure.coefficient:.4g} (95 % interval {low:.4g} to {high:.4g});"
            f" {self.selected} of {self.nobs} rows have an outcome. The correction rests on jointly"
            " normal errors"
        )
        if self.exclusion.applicable:
            text += (
                " and on z moving selection (p ="
                f" {self.exclusion.p_value:.2g}) without touching the outcome."
            )
        else:
            text += " alone: no variable is excluded from the outcome, so it is barely identified."
        if self.mills.p_value > 0.05:
            text += (
                " The data do not reject that selection and outcome are unrelated"
                f" (p = {self.mills.p_value:.2g}), which is not evidence that they are."
            )
        if abs(self.rho) > 1:
            text += f" The implied correlation is {self.rho:.3g}: the model does not fit."
        return text


def heckman_two_step(
    y: Columns,
    x: Columns,
    z: Columns | None,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    *,
    selected: Columns,
    covariance: str = "classical",
) -> HeckmanTwoStep:
    """Heckman's two-step (heckit) [heckman1979sample].

    Probit of ``selected`` on ``w = (1, x, controls, z)`` gives ``lambda = phi(w'g) / Phi(w'g)``;
    least squares of y on (1, x, controls, lambda) among the selected gives the effect.
    ``sigma^2 = e'e / n1 + b_lambda^2 mean(d)`` with ``d = lambda (lambda + w'g)``, and
    ``rho = b_lambda / sigma``. The errors count that lambda was estimated [greene1981sample].

    Parameters
    ----------
    y : (n,)
        Outcome; where not selected its value is ignored and may be missing.
    x : (n,)
        Exposure, known for all rows.
    z : (n, k) or None
        What moves selection and is excluded from the outcome. None is allowed, and said.
    controls : (n, p), optional
        In both equations.
    clusters : (n,) labels, optional
    selected : (n,) of 0 and 1
        Whether the outcome is observed.
    covariance : ``"classical"``, Heckman's and Greene's, consistent for the model's own
        heteroskedasticity; ``"robust"`` (HC1) or, with clusters, clustered (CR1): the sandwich of
        both steps stacked

    Raises
    ------
    ValueError
        For unusable or collinear arguments, or a probit that predicts selection perfectly.
    """
    choice(covariance, "covariance", ("classical", "robust"))
    data = _equations(y, x, z, controls, clusters, selected)
    probit = _probit(data.kept, data.w)
    w = data.w[data.inside]
    index = w @ probit.coefficients
    mills = np.exp(stats.norm.logpdf(index) - stats.norm.logcdf(index))
    regressors = np.column_stack([w[:, : len(data.own)], mills])
    if np.linalg.matrix_rank(regressors) < regressors.shape[1]:
        raise ValueError(
            "the inverse Mills ratio is a linear combination of x and controls: z must move"
            " selection"
        )
    bread = np.linalg.inv(regressors.T @ regressors)
    b = bread @ (regressors.T @ data.y)
    e = data.y - regressors @ b
    delta = mills * (mills + index)
    sigma = math.sqrt(float(e @ e) / e.size + float(b[-1]) ** 2 * float(delta.mean()))
    # derivative of the second step's equations in the probit's coefficients
    link = float(b[-1]) * (regressors * delta[:, None]).T @ w
    if covariance == "classical" and data.clusters is None:
        kind, dof = "classical", float(e.size - regressors.shape[1])
        rho2 = (float(b[-1]) / sigma) ** 2
        meat = sigma**2 * (regressors * (1 - rho2 * delta)[:, None]).T @ regressors
        meat = meat + link @ probit.covariance @ link.T
        first = probit.covariance
    else:
        kind, dof = "robust", float(e.size - regressors.shape[1])
        if data.clusters is not None:
            kind, dof = "clustered", float(data.clusters.max())
        scores = probit.scores @ probit.covariance @ link.T
        scores[data.inside] += regressors * e[:, None]
        meat = _meat(scores, data.clusters)
        first = probit.covariance @ _meat(probit.scores, data.clusters) @ probit.covariance
    errors = np.sqrt(np.diag(bread @ meat @ bread))

    def estimate(method: str, j: int) -> Estimate:
        return Estimate(method, float(b[j]), float(errors[j]), kind, e.size, dof)

    outside = slice(len(data.own), None)
    return HeckmanTwoStep(
        estimate("Heckman two-step", 1),
        estimate("inverse Mills ratio", -1),
        _table([*data.own, "inverse Mills ratio"], b, errors),
        _table(data.names, probit.coefficients, np.sqrt(np.diag(first))),
        float(b[-1]) / sigma,
        sigma,
        _exclusion(probit.coefficients[outside], first[outside, outside], kind),
        _r2(mills, regressors[:, :-1]),
        data.kept.size,
        e.size,
    )


@dataclass(frozen=True, eq=False)
class _Equations:
    y: Vector  # where selected
    kept: Vector
    w: Matrix  # selection equation; its first columns are the outcome's own
    names: list[str]
    own: list[str]
    clusters: Codes | None

    @property
    def inside(self) -> Any:
        return self.kept == 1


def _equations(
    y: Columns,
    x: Columns,
    z: Columns | None,
    controls: Columns | None,
    clusters: Columns | None,
    selected: Columns,
) -> _Equations:
    same_index(y=y, x=x, z=z, controls=controls, clusters=clusters, selected=selected)
    kept = zero_one(selected, "selected")
    n = kept.size
    blocks = [np.ones((n, 1)), one_column(x, "x", "give one exposure", n)[:, None]]
    names, own = ["intercept", "x"], 2
    for block, name in ((controls, "controls"), (z, "z")):
        if block is not None:
            matrix, labels = numeric_columns(block, name, n)
            blocks.append(matrix)
            names += labels
        if name == "controls":
            own = len(names)
    w = np.column_stack(blocks)
    rank = int(np.linalg.matrix_rank(w))
    if rank < w.shape[1]:
        raise ValueError(
            f"x, controls and z have {w.shape[1] - rank} columns too many (constant, or linear"
            " combinations of others): drop them"
        )
    return _Equations(
        _observed(y, kept == 1), kept, w, names, names[:own], cluster_codes(clusters, n)
    )


@dataclass(frozen=True, eq=False)
class _Probit:
    coefficients: Vector
    covariance: Matrix  # inverse of the information
    scores: Matrix


def _probit(kept: Vector, w: Matrix) -> _Probit:
    model: Any = sm.Probit(kept, w)
    failures = (PerfectSeparationWarning, ConvergenceWarning)
    with warnings.catch_warnings():
        for failure in failures:  # statsmodels goes on with coefficients that mean nothing
            warnings.simplefilter("error", failure)
        try:
            fit = model.fit(disp=0, tol=1e-12, maxiter=100)
        except (np.linalg.LinAlgError, PerfectSeparationError, *failures) as error:
            raise ValueError(
                "selected is predicted (almost) perfectly by x, controls and z: there is no probit"
                " of it; drop what predicts it"
            ) from error
    g = np.asarray(fit.params)
    return _Probit(g, np.asarray(fit.cov_params()), np.asarray(model.score_obs(g)))


def _observed(y: Columns, inside: Any) -> Vector:
    """The outcome where selected, checked there and only there."""
    table: Any = y
    if not isinstance(y, pd.Series | pd.DataFrame):
        table = np.asarray(y)
    if np.ndim(table) == 0:
        raise ValueError(f"y is {y!r}: give one outcome per row, of any value where not selected")
    if table.shape[0] != inside.size:
        raise ValueError(f"y has {table.shape[0]} rows but selected has {inside.size}")
    return one_column(table[inside], "y", "give one outcome at a time")


def _meat(scores: Matrix, groups: Codes | None) -> Matrix:
    n, lost = scores.shape
    if groups is None:
        return small_sample_factor("robust", n, lost, None, True) * scores.T @ scores
    sums = cluster_sums(scores, groups)
    return small_sample_factor("clustered", n, lost, sums.shape[0], True) * sums.T @ sums


def _exclusion(g: Vector, variance: Matrix, covariance: str) -> Test:
    name, null = "Wald test of z in the selection probit", "z does not move selection"
    if g.size == 0:
        return Test.not_applicable(name, null, "no variable is excluded from the outcome")
    statistic = float(g @ np.linalg.solve(variance, g))
    p_value = float(stats.chi2.sf(statistic, g.size))
    return Test(name, statistic, p_value, f"chi2({g.size})", (float(g.size),), null, covariance)


def _table(names: list[str], b: Vector, errors: Vector) -> pd.DataFrame:
    columns = {"coefficient": b, "standard_error": errors}
    return pd.DataFrame(columns, index=pd.Index(names, name="term"))


def _r2(target: Vector, on: Matrix) -> float:
    rest = target - on @ np.linalg.lstsq(on, target, rcond=None)[0]
    return 1 - float(rest @ rest) / float(np.sum((target - target.mean()) ** 2))
