"""Selection: how much of it would it take, and what can be said whatever it was.

Sensitivity of regressions and of instruments to confounders that nobody measured, and of
instruments to a direct effect on the outcome. Functions take a fitted result of this library, or
the bare numbers it holds; those that take data take ``y`` outcome, ``x`` exposure, ``z``
instrument, ``controls``, ``clusters``, ``strata``, in this order.
"""

from pooledtrials.selection.anderson_rubin_sensitivity import (
    AndersonRubinSensitivity,
    anderson_rubin_sensitivity,
)
from pooledtrials.selection.benchmarks import ConfounderStrength, benchmark_bound
from pooledtrials.selection.contours import Contours, contours, extreme_scenarios
from pooledtrials.selection.exclusion import (
    LocalToZero,
    PlausiblyExogenous,
    local_to_zero,
    plausibly_exogenous,
    union_over,
)
from pooledtrials.selection.exclusion_breakdown import (
    ExclusionBreakdown,
    breakdown_of,
    direct_effects,
    exclusion_breakdown,
)
from pooledtrials.selection.instrument_sensitivity import (
    InstrumentSensitivity,
    instrument_contours,
    instrument_sensitivity,
)
from pooledtrials.selection.just_identified import (
    JustIdentified,
    just_identified,
    just_identified_fit,
)
from pooledtrials.selection.omitted_variables import (
    AdjustedEstimate,
    adjusted_critical_value,
    adjusted_estimate,
    adjusted_interval,
    group_partial_r2,
    partial_f2,
    partial_r2,
)
from pooledtrials.selection.omitted_variables_iv import (
    InstrumentRobustness,
    adjusted_anderson_rubin_critical_value,
    adjusted_anderson_rubin_set,
    instrument_robustness,
    regression_at,
)
from pooledtrials.selection.regression_sensitivity import (
    RegressionSensitivity,
    regression_sensitivity,
)
from pooledtrials.selection.robustness import RobustnessValue, robustness_value
from pooledtrials.selection.short_regression import ShortRegression, short_regression

__all__ = [
    "AdjustedEstimate",
    "AndersonRubinSensitivity",
    "ConfounderStrength",
    "Contours",
    "ExclusionBreakdown",
    "InstrumentRobustness",
    "InstrumentSensitivity",
    "JustIdentified",
    "LocalToZero",
    "PlausiblyExogenous",
    "RegressionSensitivity",
    "RobustnessValue",
    "ShortRegression",
    "adjusted_anderson_rubin_critical_value",
    "adjusted_anderson_rubin_set",
    "adjusted_critical_value",
    "adjusted_estimate",
    "adjusted_interval",
    "anderson_rubin_sensitivity",
    "benchmark_bound",
    "breakdown_of",
    "contours",
    "direct_effects",
    "exclusion_breakdown",
    "extreme_scenarios",
    "group_partial_r2",
    "instrument_contours",
    "instrument_robustness",
    "instrument_sensitivity",
    "just_identified",
    "just_identified_fit",
    "local_to_zero",
    "partial_f2",
    "partial_r2",
    "plausibly_exogenous",
    "regression_at",
    "regression_sensitivity",
    "robustness_value",
    "short_regression",
    "union_over",
]
