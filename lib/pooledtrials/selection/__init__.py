"""Selection: how much of it would it take, and what can be said whatever it was.

Sensitivity of regressions and of instruments to confounders that nobody measured, and of
instruments to a direct effect on the outcome. Functions take a fitted result of this library, or
the bare numbers it holds; those that take data take ``y`` outcome, ``x`` exposure, ``z``
instrument, ``controls``, ``clusters``, ``strata``, in this order.
"""

from pooledtrials.partial_identification import imbens_manski_interval, stoye_interval
from pooledtrials.selection.anderson_rubin_sensitivity import (
    AndersonRubinSensitivity,
    anderson_rubin_sensitivity,
)
from pooledtrials.selection.balke_pearl import (
    BalkePearl,
    balke_pearl_bounds,
    balke_pearl_from_probabilities,
)
from pooledtrials.selection.benchmarks import ConfounderStrength, benchmark_bound
from pooledtrials.selection.bounds import Bounds, bounds_table
from pooledtrials.selection.contours import Contours, contours, extreme_scenarios
from pooledtrials.selection.e_value import EValue, bounding_factor, e_value, e_value_difference
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
from pooledtrials.selection.heckman import HeckmanTwoStep, heckman_two_step
from pooledtrials.selection.instrument_sensitivity import (
    InstrumentSensitivity,
    instrument_contours,
    instrument_sensitivity,
)
from pooledtrials.selection.iv_inequalities import (
    InstrumentValidity,
    instrumental_inequality,
    kitagawa_test,
)
from pooledtrials.selection.just_identified import (
    JustIdentified,
    just_identified,
    just_identified_fit,
)
from pooledtrials.selection.ladder import Ladder, Rung, rung
from pooledtrials.selection.m_statistics import m_statistic_bounds
from pooledtrials.selection.missing_outcomes import missing_outcome_bounds
from pooledtrials.selection.negative_controls import NegativeControls, leads, negative_controls
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
from pooledtrials.selection.oster import (
    CoefficientMovement,
    OsterDelta,
    OsterEffect,
    coefficient_movement,
    oster_delta,
    oster_effect,
)
from pooledtrials.selection.regression_sensitivity import (
    RegressionSensitivity,
    regression_sensitivity,
)
from pooledtrials.selection.robustness import RobustnessValue, robustness_value
from pooledtrials.selection.rosenbaum import (
    SensitivityBounds,
    amplification,
    hodges_lehmann_bounds,
    mcnemar_bounds,
    signed_rank_bounds,
)
from pooledtrials.selection.short_regression import ShortRegression, short_regression
from pooledtrials.selection.worst_case import bounds_by_assumption, effect_bounds

__all__ = [
    "AdjustedEstimate",
    "AndersonRubinSensitivity",
    "BalkePearl",
    "Bounds",
    "CoefficientMovement",
    "ConfounderStrength",
    "Contours",
    "EValue",
    "ExclusionBreakdown",
    "HeckmanTwoStep",
    "InstrumentRobustness",
    "InstrumentSensitivity",
    "InstrumentValidity",
    "JustIdentified",
    "Ladder",
    "LocalToZero",
    "NegativeControls",
    "OsterDelta",
    "OsterEffect",
    "PlausiblyExogenous",
    "RegressionSensitivity",
    "RobustnessValue",
    "Rung",
    "SensitivityBounds",
    "ShortRegression",
    "adjusted_anderson_rubin_critical_value",
    "adjusted_anderson_rubin_set",
    "adjusted_critical_value",
    "adjusted_estimate",
    "adjusted_interval",
    "amplification",
    "anderson_rubin_sensitivity",
    "balke_pearl_bounds",
    "balke_pearl_from_probabilities",
    "benchmark_bound",
    "bounding_factor",
    "bounds_by_assumption",
    "bounds_table",
    "breakdown_of",
    "coefficient_movement",
    "contours",
    "direct_effects",
    "e_value",
    "e_value_difference",
    "effect_bounds",
    "exclusion_breakdown",
    "extreme_scenarios",
    "group_partial_r2",
    "heckman_two_step",
    "hodges_lehmann_bounds",
    "imbens_manski_interval",
    "instrument_contours",
    "instrument_robustness",
    "instrument_sensitivity",
    "instrumental_inequality",
    "just_identified",
    "just_identified_fit",
    "kitagawa_test",
    "leads",
    "local_to_zero",
    "m_statistic_bounds",
    "mcnemar_bounds",
    "missing_outcome_bounds",
    "negative_controls",
    "oster_delta",
    "oster_effect",
    "partial_f2",
    "partial_r2",
    "plausibly_exogenous",
    "regression_at",
    "regression_sensitivity",
    "robustness_value",
    "rung",
    "short_regression",
    "signed_rank_bounds",
    "stoye_interval",
    "union_over",
]
