"""The tF procedure: a 5 % t-test whose critical value depends on the first-stage F [lee2022valid].

For one instrument only, and 5 % only: the published critical values (84 of them, on the root of F
from 2.0 to 10.3) belong to that case. Linear in the root of F between them. From F = 106.09 on
the value is 1.96; below F = 4, where the table ends, it is infinite here (it must be so up to
3.8416, and tends to it between), where other programs go on with 18.66.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from pooledtrials.arguments import Columns, finite
from pooledtrials.confidence_set import ConfidenceSet, whole_line
from pooledtrials.instruments.estimators import k_class_estimate
from pooledtrials.instruments.moments import joint_moments
from pooledtrials.instruments.partialling import partial_out
from pooledtrials.instruments.strength import first_stage_f_test
from pooledtrials.results import Estimate

# lee2022valid, table 3: critical values at root F = 2.0, 2.1, ..., 10.3
_CRITICAL: Final = (
    18.66, 9.74, 7.37, 6.18, 5.43, 4.92, 4.54, 4.25, 4.01, 3.82, 3.65, 3.51, 3.39, 3.29, 3.19,
    3.11, 3.03, 2.97, 2.91, 2.85, 2.80, 2.75, 2.71, 2.67, 2.63, 2.60, 2.57, 2.54, 2.51, 2.48,
    2.46, 2.43, 2.41, 2.39, 2.37, 2.35, 2.33, 2.32, 2.30, 2.29, 2.27, 2.26, 2.24, 2.23, 2.22,
    2.21, 2.20, 2.19, 2.17, 2.16, 2.16, 2.15, 2.14, 2.13, 2.12, 2.11, 2.10, 2.10, 2.09, 2.08,
    2.08, 2.07, 2.06, 2.06, 2.05, 2.04, 2.04, 2.03, 2.03, 2.02, 2.02, 2.01, 2.01, 2.00, 2.00,
    1.99, 1.99, 1.99, 1.98, 1.98, 1.97, 1.97, 1.97, 1.96,
)  # fmt: skip
_ROOTS: Final = tuple(j / 10 for j in range(20, 104))


@dataclass(frozen=True)
class TF:
    """A tF result.

    Attributes
    ----------
    estimate : 2SLS
    first_stage_f : F under the same covariance
    critical_value : what |t| must exceed, infinite for F below 4
    interval : 95 % set, the whole line where the critical value is infinite
    p_value : two-sided, of t shrunk by 1.96 over the critical value; 1 where that is infinite
    """

    estimate: Estimate
    first_stage_f: float
    critical_value: float
    interval: ConfidenceSet
    p_value: float


def tf_critical_value(first_stage_f: float) -> float:
    """The 5 % critical value of |t| given the first-stage F of one instrument.

    Raises
    ------
    ValueError
        If F is not a non-negative number.
    """
    f = finite(first_stage_f, "first_stage_f")
    if f < 0:
        raise ValueError(f"first_stage_f is {f}: an F statistic is not negative")
    if f < 4:
        return math.inf
    return float(np.interp(math.sqrt(f), _ROOTS, _CRITICAL))


def tf_test(
    y: Columns,
    x: Columns,
    z: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    covariance: str = "robust",
    debiased: bool = True,
) -> TF:
    """2SLS t-test and interval at 5 % with the tF critical value [lee2022valid].

    Correct in size for any strength; longer than the Anderson-Rubin set on average.

    Parameters
    ----------
    y, x, z, controls, clusters, strata
        As everywhere; ``z`` has one column.
    covariance, debiased
        Of the standard error and the F alike.

    Raises
    ------
    ValueError
        With several instruments (the critical values do not hold), one that does not move x at
        all, or unusable arguments.
    """
    data = partial_out(y, x, z, controls, clusters, strata)
    if data.n_instruments != 1:
        raise ValueError(
            f"z has {data.n_instruments} columns, but tF is derived for one instrument only: use"
            " conditional_lr_set or anderson_rubin_set"
        )
    estimate = k_class_estimate(data, 1.0, "2SLS", covariance, debiased)
    f = first_stage_f_test(joint_moments(data, covariance, debiased=debiased)).statistic
    return tf_from(estimate, f)


def tf_from(estimate: Estimate, f: float) -> TF:
    """`tf_test` of a 2SLS estimate on one instrument and its first-stage F."""
    critical = tf_critical_value(f)
    if math.isinf(critical):
        return TF(estimate, f, critical, whole_line(0.95), 1.0)
    half = critical * estimate.standard_error
    interval = ConfidenceSet(((estimate.coefficient - half, estimate.coefficient + half),), 0.95)
    p_value = float(2 * stats.norm.sf(abs(estimate.t_value) * _CRITICAL[-1] / critical))
    return TF(estimate, f, critical, interval, p_value)
