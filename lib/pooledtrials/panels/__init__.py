"""Panels of pooled trials: fixed and random effects, few clusters, heterogeneity, lost follow-up.

Arguments come in one order: ``y`` outcome, ``x`` exposure, ``patients``, ``waves``, ``controls``,
``clusters``, ``trials``. Interviews of one patient resemble each other, so errors are clustered by
patient unless coarser clusters are given.
"""

from pooledtrials.panels.arm_contrast import ArmContrast, arm_contrast
from pooledtrials.panels.bias_reduced import BiasReducedEstimate, cr2
from pooledtrials.panels.bounded_outcome import BoundedOutcome, TwoPart, bounded_outcome
from pooledtrials.panels.estimate import PanelEstimate
from pooledtrials.panels.few_clusters import FewClustersReading, few_clusters_reading
from pooledtrials.panels.follow_up import FollowUp, follow_up
from pooledtrials.panels.hausman import hausman_test
from pooledtrials.panels.imputation import Imputations, analyse_imputations, impute
from pooledtrials.panels.joint_tests import (
    JointTest,
    bootstrap_joint_test,
    permutation_joint_test,
)
from pooledtrials.panels.layout import EFFECTS, Layout, layout
from pooledtrials.panels.lee_bounds import LeeBounds, lee_bounds
from pooledtrials.panels.meta_analysis import MetaAnalysis, meta_analysis
from pooledtrials.panels.one_stage import OneStage, compare_stages, one_stage
from pooledtrials.panels.panel_analysis import PanelAnalysis
from pooledtrials.panels.random_intercept import RandomIntercept, RandomInterceptFit
from pooledtrials.panels.redraws import PermuteBetweenUnits, ResamplePatients
from pooledtrials.panels.regressions import METHODS, compare, fit, fit_all
from pooledtrials.panels.response_model import FollowUpPredictors, follow_up_predictors
from pooledtrials.panels.rubin import ImputedEstimate, rubin
from pooledtrials.panels.specification_curve import SpecificationCurve, specification_curve
from pooledtrials.panels.specification_grid import specifications, subsets
from pooledtrials.panels.tau_profile import TauProfile, tau_profile
from pooledtrials.panels.tipping_point import TippingPoint, tipping_point
from pooledtrials.panels.trial_estimates import by_trial
from pooledtrials.panels.variants import VARIANTS
from pooledtrials.panels.weighted_regression import weighted_regression
from pooledtrials.panels.weighting import (
    InverseProbabilityWeights,
    follow_up_weights,
    treatment_weights,
)
from pooledtrials.panels.wild_bootstrap import (
    WildClusterTest,
    smallest_p_value,
    wild_cluster_set,
    wild_cluster_test,
)

__all__ = [
    "EFFECTS",
    "METHODS",
    "VARIANTS",
    "ArmContrast",
    "BiasReducedEstimate",
    "BoundedOutcome",
    "FewClustersReading",
    "FollowUp",
    "FollowUpPredictors",
    "Imputations",
    "ImputedEstimate",
    "InverseProbabilityWeights",
    "JointTest",
    "Layout",
    "LeeBounds",
    "MetaAnalysis",
    "OneStage",
    "PanelAnalysis",
    "PanelEstimate",
    "PermuteBetweenUnits",
    "RandomIntercept",
    "RandomInterceptFit",
    "ResamplePatients",
    "SpecificationCurve",
    "TauProfile",
    "TippingPoint",
    "TwoPart",
    "WildClusterTest",
    "analyse_imputations",
    "arm_contrast",
    "bootstrap_joint_test",
    "bounded_outcome",
    "by_trial",
    "compare",
    "compare_stages",
    "cr2",
    "few_clusters_reading",
    "fit",
    "fit_all",
    "follow_up",
    "follow_up_predictors",
    "follow_up_weights",
    "hausman_test",
    "impute",
    "layout",
    "lee_bounds",
    "meta_analysis",
    "one_stage",
    "permutation_joint_test",
    "rubin",
    "smallest_p_value",
    "specification_curve",
    "specifications",
    "subsets",
    "tau_profile",
    "tipping_point",
    "treatment_weights",
    "weighted_regression",
    "wild_cluster_set",
    "wild_cluster_test",
]
