"""Intention to treat: what being assigned does, whatever was taken up."""

from __future__ import annotations

from pooledtrials.arguments import Columns, choice
from pooledtrials.instruments.moments import score_error
from pooledtrials.instruments.partialling import factor_one
from pooledtrials.results import Estimate


def arm_difference(
    y: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    debiased: bool = True,
) -> Estimate:
    """Difference of ``y`` for one unit of the assignment ``z``, given controls and strata.

    The least squares coefficient of z in the regression of y on z, intercept, strata indicators and
    controls. With a 0/1 assignment and nothing else it is the difference between the arms' means;
    with strata it is the mean of the strata's differences, weighted by ``n_s p_s (1 - p_s)``, p_s
    the share assigned in stratum s. For the outcome it is the effect of assignment (intention to
    treat, the reduced form), for the exposure the first stage; their quotient is `wald_ratio`.

    Randomization alone justifies it, whether people took up what they were assigned to or not. It
    is not the effect of the exposure, and dilutes it by noncompliance. Controls must have been
    measured before assignment.

    Parameters
    ----------
    y : (n,)
        Outcome, or exposure.
    z : (n,)
        Assignment, one column. 0 and 1, or a dose.
    controls : (n, p), optional
        Baseline covariates, which make the error smaller.
    clusters : (n,) labels, optional
        Units of randomization, or patients with several rows.
    strata : (n,) labels, optional
        Within which assignment was randomized, such as trials: an indicator each.
    covariance : ``"robust"`` (HC1) or ``"classical"``; clustered (CR1) with ``clusters``
    debiased : bool
        Small-sample factors as everywhere (see `moments`); False gives HC0, CR0.

    Returns
    -------
    Estimate
        In units of y per unit of z.

    Raises
    ------
    ValueError
        With several assignments, or unusable arguments, see `partial_out`.
    """
    choice(covariance, "covariance", ("classical", "robust"))
    data = factor_one(y, z, "y", controls, clusters, strata)
    if data.n_instruments != 1:
        raise ValueError(
            f"z has {data.n_instruments} columns, and a difference is between two arms: give one,"
            " on the rows of its arm and of the arm to compare it with"
        )
    unit = float(data.r[0, 0])
    error = score_error(
        data, data.q[:, 0], data.factors.residual[:, 0], covariance, debiased
    ) / abs(unit)
    return Estimate(
        "difference between arms",
        float(data.factors.coefficients[0, 0]) / unit,
        error,
        covariance if data.clusters is None else "clustered",
        data.nobs,
        float(data.dof if data.n_clusters is None else data.n_clusters - 1),
    )
