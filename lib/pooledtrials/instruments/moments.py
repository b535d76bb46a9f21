"""The joint covariance of reduced form and first stage, computed once.

After partialling out, the instruments have an orthonormal basis ``q``. The reduced form
``q'y`` and the first stage ``q'x`` are two k-vectors, and every statistic of this package is a
function of them and of one covariance matrix ``omega`` of the 2k numbers. What "classical",
"robust" or "clustered" means is decided here and nowhere else.

Conventions (`n` rows, `p` columns partialled out with the intercept, `k` instruments, `G`
clusters)
-------------------------------------------------------------------------------------------
``form="wald"`` takes the scores ``q_i * e_i`` with residuals ``e`` of the regressions of y and x on
instruments and controls, the usual covariance of regression coefficients. Debiased, the factors
are 1 / (n - p - k) for classical, n / (n - p - k) for robust (HC1), and
G / (G - 1) * (n - 1) / (n - p - k) for clustered (CR1): linearmodels with ``debiased=True``, R
``sandwich`` HC1, Stata ``small``. ``debiased=False`` gives RSS / n, HC0 and CR0 (linearmodels'
default, ``ivreg2`` without ``small``).

``form="score"`` takes y and x themselves for the residuals, that is, the residuals under the null
of a zero reduced form and first stage; at ``beta0`` the combination y - beta0 x is the null
residual, and the tests become the LM forms of Stata's ``weakiv`` [finlay2013weakiv], which uses no
small-sample factor (``debiased=False``). Debiased, p + k above becomes p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from pooledtrials.arguments import Codes, Matrix, Vector, choice
from pooledtrials.clusters import cluster_sums, small_sample_factor
from pooledtrials.instruments.partialling import Factored, Partialled

COVARIANCES: Final = ("classical", "robust", "HC3")
FORMS: Final = ("wald", "score")
_ROUNDING: Final = 1e-16
"""Of a variance: what is left of it when scores cancel is less, by orders of magnitude."""


@dataclass(frozen=True, eq=False)
class Moments:
    """All that tests and sets need of one data set, or of many (leading axes are replications).

    Attributes
    ----------
    reduced_form, first_stage : (..., k) arrays
        ``q'y`` and ``q'x``.
    omega : (..., 2, 2, k, k) array
        ``omega[..., a, b, :, :]`` is the covariance of part a with part b, reduced form first.
    residual_gram : (..., 2, 2) array
        Cross products of the residuals of (y, x) on instruments and controls.
    nobs, n_partialled : n and p
    dof : float
        Denominator degrees of freedom of an F reference: n - p - k, or G - 1 with clusters.
    covariance, form, debiased : the convention in force
    """

    reduced_form: npt.NDArray[np.float64]
    first_stage: npt.NDArray[np.float64]
    omega: npt.NDArray[np.float64]
    residual_gram: npt.NDArray[np.float64]
    nobs: int
    n_partialled: int
    dof: float
    covariance: str
    form: str
    debiased: bool

    @property
    def n_instruments(self) -> int:
        """Number of instruments, k."""
        return int(self.first_stage.shape[-1])

    @cached_property
    def gram(self) -> npt.NDArray[np.float64]:
        """(..., 2, 2) cross products of (y, x) projected on the instruments."""
        pair = np.stack([self.reduced_form, self.first_stage], axis=-2)
        return np.asarray(pair @ np.swapaxes(pair, -1, -2))

    @cached_property
    def error_covariance(self) -> npt.NDArray[np.float64]:
        """(..., 2, 2) covariance of the errors: of the classical ``omega``, ``kron(this, I)``."""
        base = self.residual_gram if self.form == "wald" else self.residual_gram + self.gram
        lost = self.n_partialled + (self.n_instruments if self.form == "wald" else 0)
        return base / (self.nobs - lost if self.debiased else self.nobs)

    @cached_property
    def joint_covariance(self) -> npt.NDArray[np.float64]:
        """(..., 2k, 2k) ``omega`` as one matrix, reduced form first."""
        wide = 2 * self.n_instruments
        return np.swapaxes(self.omega, -3, -2).reshape(*self.omega.shape[:-4], wide, wide)

    @cached_property
    def joint_wald(self) -> npt.NDArray[np.float64]:
        """(...) Wald statistic of a zero reduced form and first stage, 2k degrees of freedom."""
        both = np.concatenate([self.reduced_form, self.first_stage], axis=-1)
        solved = np.linalg.solve(self.joint_covariance, both[..., None])[..., 0]
        return np.asarray(np.vecdot(both, solved))


def joint_moments(
    data: Partialled,
    covariance: str = "robust",
    *,
    form: str = "wald",
    debiased: bool = True,
) -> Moments:
    """Reduced form, first stage and their joint covariance.

    Parameters
    ----------
    data : Partialled
        From `partial_out`. If it has clusters, the covariance is clustered whatever ``covariance``.
    covariance : ``"classical"``, ``"robust"`` (HC1, HC0 if not debiased) or ``"HC3"``
        HC3 divides residuals by one less their leverage and has no further factor.
    form : ``"wald"`` or ``"score"``
    debiased : whether to apply the small-sample factors of the module's conventions

    Returns
    -------
    Moments

    Raises
    ------
    ValueError
        For an unknown word, HC3 in the score form, leverages of one under HC3, two clusters or no
        more than instruments, or an instrument whose clusters cancel (the clustered covariance is
        singular then).
    """
    choice(covariance, "covariance", COVARIANCES)
    choice(form, "form", FORMS)
    k, dof, label = data.n_instruments, float(data.dof), covariance
    if data.clusters is not None:
        label, dof = "clustered", float(refuse_few_clusters(data) - 1)
    classical = label == "classical"
    omega = np.empty((2, 2, k, k)) if classical else _row_covariance(data, label, form, debiased)
    moments = Moments(
        data.reduced_form,
        data.first_stage,
        omega,
        data.residual_gram,
        data.nobs,
        data.n_partialled,
        dof,
        label,
        form,
        debiased,
    )
    if classical:
        np.multiply.outer(moments.error_covariance, np.eye(k), out=omega)
    return moments


def _row_covariance(
    data: Partialled, label: str, form: str, debiased: bool
) -> npt.NDArray[np.float64]:
    """``omega`` where rows or clusters have variances of their own."""
    columns = (data.y_residual, data.x_residual) if form == "wald" else (data.y, data.x)
    errors = np.column_stack(columns)
    if label == "HC3":
        if form == "score":
            raise ValueError(
                "covariance is 'HC3' with form 'score', but HC3 is defined on regression"
                " residuals: use form='wald' or covariance='robust'"
            )
        errors = errors / (1 - _leverage(data))[:, None]
    lost = data.n_partialled + (data.n_instruments if form == "wald" else 0)
    factor = small_sample_factor(label, data.nobs, lost, data.n_clusters, debiased)
    meat = score_meat(data.q, errors, data.clusters)
    if data.clusters is not None:
        for part in range(2):
            smallest = float(np.linalg.eigvalsh(meat[part, part])[0])
            refuse_cancelled(smallest, float(np.mean(errors[:, part] ** 2)))
    return factor * meat


def score_meat(weights: Matrix, errors: Matrix, clusters: Codes | None) -> Matrix:
    """(2, 2, k, k) sum over units of outer products of the scores ``weights_i * errors_i``.

    Units are rows, or clusters over which the scores are summed first.
    """
    n, k = weights.shape
    scores = (errors[:, :, None] * weights[:, None, :]).reshape(n, 2 * k)
    if clusters is not None:
        scores = cluster_sums(scores, clusters)
    return np.ascontiguousarray((scores.T @ scores).reshape(2, k, 2, k).transpose(0, 2, 1, 3))


def score_error(
    data: Factored, instrument: Vector, residual: Vector, covariance: str, debiased: bool
) -> float:
    """Standard deviation of ``sum_i h_i e_i`` for one instrument h, made or given.

    With e the residuals of a regression on one variable and what was partialled out, of which
    ``p + 1`` degrees of freedom are lost; divided by ``|h'x|`` it is the standard error of
    ``h'y / h'x``.
    """
    lost = data.n_partialled + 1
    if data.clusters is None and covariance == "classical":
        variance = float(residual @ residual) / (data.nobs - (lost if debiased else 0))
        return math.sqrt(variance * float(instrument @ instrument))
    scores = (instrument * residual)[:, None]
    if data.clusters is not None:
        scores = cluster_sums(scores, data.clusters)
    label = "robust" if data.clusters is None else "clustered"
    factor = small_sample_factor(label, data.nobs, lost, data.n_clusters, debiased)
    meat = float(np.sum(scores**2))
    if data.clusters is not None:
        refuse_cancelled(meat, float(np.mean(residual**2) * (instrument @ instrument)))
    return math.sqrt(factor * meat)


def refuse_cancelled(meat: float, scale: float) -> None:
    """Refuse a clustered variance in which every cluster's scores sum to zero.

    Residuals sum to zero over the rows that an instrument alone moves. If these rows are whole
    clusters, as where a trial has one site or an arm is one village, what is left is rounding.
    ``scale`` is what the variance would be if rows were independent.

    Raises
    ------
    ValueError
        If ``meat`` is nothing beside ``scale``.
    """
    if meat <= _ROUNDING * scale and scale > 0:
        raise ValueError(
            "clusters are too few where an instrument varies (an arm, or the arm of a trial, that"
            " is one cluster or two): a clustered variance there is zero whatever the data; use"
            " finer clusters, instruments that share clusters, or randomization inference"
        )


def refuse_few_clusters(data: Partialled) -> int:
    """The number of clusters, if it exceeds the number of instruments, and two.

    With two clusters, errors of reduced form and first stage are multiples of each other: some
    effect has no variance at all, and every set breaks there.
    """
    groups, k = data.n_clusters or 0, data.n_instruments
    if groups <= max(k, 2):
        raise ValueError(
            f"clusters has {groups} clusters for {k} instrument{'s' * (k > 1)}, and the clustered"
            " covariance of reduced form and first stage then is singular: use fewer instruments,"
            " finer clusters, or randomization inference"
        )
    return groups


def _leverage(data: Partialled) -> Matrix:
    joint = np.einsum("ij,ij->i", data.basis, data.basis)
    joint = joint + np.einsum("ij,ij->i", data.q, data.q)
    full = int((joint > 1 - 1e-10).sum())
    if full:
        raise ValueError(
            f"covariance is 'HC3', but {full} rows have a leverage of one (a column of controls or"
            " z that is theirs alone): use covariance='robust'"
        )
    return np.asarray(joint)
