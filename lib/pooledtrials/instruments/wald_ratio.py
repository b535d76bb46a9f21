"""The Wald ratio: effect of the instrument on the outcome over its effect on the exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pooledtrials.arguments import Columns, fraction
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.moments import joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.robust_sets import robust_set
from pooledtrials.instruments.unmoved import refuse_unmoved
from pooledtrials.results import Estimate


@dataclass(frozen=True)
class WaldRatio:
    """A ratio with its two parts and two intervals.

    Attributes
    ----------
    intention_to_treat : effect of one unit of the instrument on the outcome
    first_stage : its effect on the exposure
    ratio : their quotient, with the delta-method standard error
    delta : Wald interval of the ratio, always an interval and too short when the first stage is
        weak
    fieller : Fieller's set [fieller1954problems], identical to the Anderson-Rubin set: an interval,
        two rays or the whole line
    """

    intention_to_treat: Estimate
    first_stage: Estimate
    ratio: Estimate
    delta: ConfidenceSet
    fieller: ConfidenceSet


def wald_ratio(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    level: float = 0.95,
    covariance: str = "robust",
    debiased: bool = True,
    reference: str = "F",
) -> WaldRatio:
    """Intention to treat over first stage, for one instrument.

    The ratio is 2SLS; its delta error is the robust 2SLS error. With a binary instrument and
    monotone take-up it estimates the mean effect on compliers (`noncompliance`).

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere; ``z`` has one column.
    level, covariance, debiased, reference
        As in `anderson_rubin_set`; ``reference="F"`` gives t quantiles for the delta interval too.

    Raises
    ------
    ValueError
        With several instruments, one that does not move x at all, or unusable arguments.
    """
    level = fraction(level, "level")
    data = partial_out(y, x, z, controls, clusters, strata)
    if data.n_instruments != 1:
        raise ValueError(
            f"z has {data.n_instruments} columns, and a ratio needs one instrument: choose one, or"
            " use tsls"
        )
    refuse_unmoved(data)
    moments = joint_moments(data, covariance, debiased=debiased)
    unit = float(data.r[0, 0])
    parts = [
        Estimate(
            name,
            float(vector[0]) / unit,
            float(np.sqrt(moments.omega[a, a, 0, 0])) / abs(unit),
            moments.covariance,
            data.nobs,
            moments.dof,
        )
        for a, (name, vector) in enumerate(
            [("intention to treat", moments.reduced_form), ("first stage", moments.first_stage)]
        )
    ]
    pi = float(moments.first_stage[0])
    b = float(moments.reduced_form[0]) / pi
    w = moments.omega[:, :, 0, 0]
    error = float(np.sqrt(w[0, 0] - 2 * b * w[0, 1] + b * b * w[1, 1])) / abs(pi)
    ratio = Estimate("Wald ratio", b, error, moments.covariance, data.nobs, moments.dof)
    delta = ratio.interval(level, "t" if reference == "F" else "normal")
    return WaldRatio(parts[0], parts[1], ratio, delta, robust_set(moments, "AR", level, reference))
