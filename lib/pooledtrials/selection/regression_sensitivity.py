"""Sensitivity of a regression to what it omits, from the data: statistics, benchmarks, figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from pooledtrials.arguments import Columns, choice, fraction
from pooledtrials.selection.benchmarks import (
    ConfounderStrength,
    as_strong_as,
    benchmark_bound,
    covariate_shares,
    largest_multiple,
)
from pooledtrials.selection.contours import Contours, contours
from pooledtrials.selection.least_squares import (
    COVARIANCES,
    Groups,
    centre,
    coefficients,
    groups_of,
    residuals,
)
from pooledtrials.selection.omitted_variables import adjusted_estimate, partial_r2
from pooledtrials.selection.robustness import RobustnessValue, robustness_value
from pooledtrials.selection.short_regression import ShortRegression

_COLUMNS: Final = (
    "label",
    "benchmark",
    "multiple",
    "r2_exposure",
    "r2_outcome",
    "capped",
    "estimate",
    "standard_error",
    "t_value",
    "low",
    "high",
)


@dataclass(frozen=True, eq=False)
class RegressionSensitivity:
    """How much confounding a regression would survive.

    Attributes
    ----------
    fit : the regression at hand
    partial_r2 : share of the outcome left by the controls that the exposure explains
    robustness : robustness values of the point estimate
    robustness_at_level : and of its significance at ``level``
    benchmarks : frame
        A row per benchmark and multiple: ``label``, ``benchmark``, ``multiple``, ``r2_exposure``
        and ``r2_outcome`` of a confounder so many times as strong, whether the latter was
        ``capped`` at 1, and the ``estimate``, ``standard_error``, ``t_value``, ``low`` and ``high``
        of the regression that adjusts for it, if it draws the estimate to zero.
    level : confidence level
    nobs : rows
    n_absorbed : strata or fixed effects taken out, 1 for an intercept
    """

    fit: ShortRegression
    partial_r2: float
    robustness: RobustnessValue
    robustness_at_level: RobustnessValue
    benchmarks: pd.DataFrame
    level: float
    nobs: int
    n_absorbed: int

    def contours(self, **choices: Any) -> Contours:
        """`contours` of this regression with its benchmarks marked; same choices."""
        return contours(self.fit, self.benchmarks, **choices)

    def to_frame(self) -> pd.DataFrame:
        """The statistics that [cinelli2020making] ask every report to give, as one row."""
        fit = self.fit
        return pd.DataFrame(
            {
                "estimate": [fit.coefficient],
                "standard_error": [fit.inference_error],
                "t_value": [fit.t_value],
                "partial_r2": [self.partial_r2],
                "robustness_value": [self.robustness.value],
                f"robustness_value_{100 * self.level:g}": [self.robustness_at_level.value],
                "dof": [fit.dof],
            }
        )

    def describe(self) -> str:
        """What the statistics and benchmarks say, in words."""
        within = "the controls and fixed effects" if self.n_absorbed > 1 else "the controls"
        words = [
            f"The exposure explains {100 * self.partial_r2:.3g} % of what {within} leave of the"
            " outcome.",
            self.robustness.describe(),
            self.robustness_at_level.describe(),
        ]
        sign = np.sign(self.fit.coefficient)
        for _, row in self.benchmarks.iterrows():
            name = as_strong_as(row["multiple"], row["benchmark"])
            if np.isnan(row["r2_exposure"]):
                words.append(f"No confounder could be {name}.")
                continue
            left = "of the same sign" if sign * row["estimate"] > 0 else "of no or the other sign"
            holds = "excludes" if row["low"] > 0 or row["high"] < 0 else "holds"
            words.append(
                f"A confounder {name} would leave {row['estimate']:.4g}, {left}, and the"
                f" {100 * self.level:g} % interval {holds} zero."
            )
        return " ".join(words)


def regression_sensitivity(
    y: Columns,
    x: Columns,
    controls: Columns | None = None,
    clusters: Columns | None = None,
    strata: Columns | None = None,
    *,
    benchmarks: Groups = (),
    multiples: Sequence[float] = (1.0, 2.0, 3.0),
    covariance: str = "classical",
    q: float = 1.0,
    level: float = 0.95,
) -> RegressionSensitivity:
    """Least squares of y on x and controls, and how much omitted confounding would undo it.

    Parameters
    ----------
    y, x : outcome and exposure, (n,)
    controls : (n, p), optional
        Without an intercept, which is always taken out.
    clusters : (n,) labels, optional
        For inference; the bias needs no errors. See `omitted_variables` for the convention.
    strata : (n,) labels, optional
        Fixed effects of one factor (patients, or trials). All partial R2 are then within; what
        does not vary within is refused as a control and cannot be a benchmark.
    benchmarks : names of controls, or a mapping from a label to several
        Covariates to compare with; the columns of a frame, or ``controls0`` and so on.
    multiples : how many times as strong as a benchmark the confounder is, for exposure and outcome
        alike; multiples at which no confounder can exist have missing values
    covariance : ``"classical"`` or ``"robust"`` (HC1); clustered (CR1) with clusters
    q, level : of the robustness values

    Returns
    -------
    RegressionSensitivity

    Raises
    ------
    ValueError
        For unusable arguments.
    """
    level = fraction(level, "level")
    choice(covariance, "covariance", COVARIANCES)
    data = centre(y, x, None, controls, clusters, strata)
    groups = groups_of(benchmarks, data.names)
    left = residuals(np.column_stack([data.y, data.x]), data.controls)
    found, classical, _, dof = coefficients(left[:, :1], left[:, 1], data)
    wanted = "robust" if data.clusters is not None else covariance
    _, other, label, inference_dof = coefficients(left[:, :1], left[:, 1], data, wanted)
    fit = ShortRegression(
        float(found[0]),
        float(np.sqrt(classical[0, 0])),
        dof,
        float(np.sqrt(other[0, 0])),
        inference_dof,
        label,
    )
    rows = []
    for name, members in groups.items():
        shares = covariate_shares(data, members)
        for multiple in multiples:
            rows.append(_benchmark(fit, name, multiple, shares, level))
    return RegressionSensitivity(
        fit,
        partial_r2(fit),
        robustness_value(fit, q=q),
        robustness_value(fit, q=q, level=level),
        pd.DataFrame(rows, columns=_COLUMNS),
        level,
        data.nobs,
        data.absorbed,
    )


def _benchmark(
    fit: ShortRegression, name: str, multiple: float, shares: ConfounderStrength, level: float
) -> tuple[Any, ...]:
    """One row of the benchmarks."""
    label = f"{multiple:g}x {name}"
    if multiple >= largest_multiple(shares.r2_exposure):
        return (label, name, multiple, *(np.nan,) * 2, False, *(np.nan,) * 5)
    bound = benchmark_bound(
        shares.r2_outcome, shares.r2_exposure, k_exposure=multiple, k_outcome=multiple
    )
    adjusted = adjusted_estimate(fit, bound.r2_outcome, bound.r2_exposure)
    ends = adjusted.interval(level).intervals[0]
    return (
        label,
        name,
        multiple,
        bound.r2_exposure,
        bound.r2_outcome,
        bound.capped,
        adjusted.coefficient,
        adjusted.standard_error,
        adjusted.t_value,
        *ends,
    )
