"""Panels of pooled trials: fixed and random effects, few clusters, heterogeneity, lost follow-up.

Arguments come in one order: ``y`` outcome, ``x`` exposure, ``patients``, ``waves``, ``controls``,
``clusters``, ``trials``. Interviews of one patient resemble each other, so errors are clustered by
patient unless coarser clusters are given.
"""

from pooledtrials.panels.bounded_outcome import BoundedOutcome, TwoPart, bounded_outcome
from pooledtrials.panels.layout import EFFECTS, Layout, layout
from pooledtrials.panels.meta_analysis import MetaAnalysis, meta_analysis

__all__ = [
    "EFFECTS",
    "BoundedOutcome",
    "Layout",
    "MetaAnalysis",
    "TwoPart",
    "bounded_outcome",
    "layout",
    "meta_analysis",
]
