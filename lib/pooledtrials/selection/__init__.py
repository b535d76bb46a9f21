"""Selection: how much of it would it take, and what can be said whatever it was.

Sensitivity of regressions and of instruments to confounders that nobody measured, and of
instruments to a direct effect on the outcome. Functions take a fitted result of this library, or
the bare numbers it holds; those that take data take ``y`` outcome, ``x`` exposure, ``z``
instrument, ``controls``, ``clusters``, ``strata``, in this order.
"""

from pooledtrials.selection.benchmarks import ConfounderStrength, benchmark_bound
from pooledtrials.selection.contours import Contours, contours, extreme_scenarios
from pooledtrials.selection.omitted_variables import (
    AdjustedEstimate,
    adjusted_critical_value,
    adjusted_estimate,
    adjusted_interval,
    group_partial_r2,
    partial_f2,
    partial_r2,
)
from pooledtrials.selection.regression_sensitivity import (
    RegressionSensitivity,
    regression_sensitivity,
)
from pooledtrials.selection.robustness import RobustnessValue, robustness_value
from pooledtrials.selection.short_regression import ShortRegression, short_regression

__all__ = [
    "AdjustedEstimate",
    "ConfounderStrength",
    "Contours",
    "RegressionSensitivity",
    "RobustnessValue",
    "ShortRegression",
    "adjusted_critical_value",
    "adjusted_estimate",
    "adjusted_interval",
    "benchmark_bound",
    "contours",
    "extreme_scenarios",
    "group_partial_r2",
    "partial_f2",
    "partial_r2",
    "regression_sensitivity",
    "robustness_value",
    "short_regression",
]
