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
from pooledtrials.panels.hausman import hausman_test
from pooledtrials.panels.layout import EFFECTS, Layout, layout
from pooledtrials.panels.meta_analysis import MetaAnalysis, meta_analysis
from pooledtrials.panels.random_intercept import RandomIntercept, RandomInterceptFit
from pooledtrials.panels.regressions import METHODS, compare, fit, fit_all
from pooledtrials.panels.variants import VARIANTS
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
    "Layout",
    "MetaAnalysis",
    "PanelEstimate",
    "RandomIntercept",
    "RandomInterceptFit",
    "TwoPart",
    "WildClusterTest",
    "arm_contrast",
    "bounded_outcome",
    "compare",
    "cr2",
    "few_clusters_reading",
    "fit",
    "fit_all",
    "hausman_test",
    "layout",
    "meta_analysis",
    "smallest_p_value",
    "wild_cluster_set",
    "wild_cluster_test",
]
