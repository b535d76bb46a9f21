"""Figures: functions that take a result and an axis, draw, and return the axis."""

from pooledtrials.figures.agreement import agreed_digits
from pooledtrials.figures.atlas import quantile_fan, rate_map
from pooledtrials.figures.bounds import bounds
from pooledtrials.figures.designs import answers, expected_strength, flow, timeline
from pooledtrials.figures.diagrams import causal_diagram, moments, replications
from pooledtrials.figures.first_stages import by_month, response_weights, wedge
from pooledtrials.figures.follow_up import follow_up_patterns, tipping_point
from pooledtrials.figures.forest import forest
from pooledtrials.figures.graded import graded
from pooledtrials.figures.growth import growth, narrowing
from pooledtrials.figures.heterogeneity import tau_profile
from pooledtrials.figures.ladder import ladder
from pooledtrials.figures.planning import by_interviews, costs, foreseen, requirements
from pooledtrials.figures.results import distributions, intervals, means, shares
from pooledtrials.figures.sensitivity import exclusion, sensitivity_contours
from pooledtrials.figures.sets import (
    against_strength,
    confidence_sets,
    p_values,
    weak_instrument_report,
)
from pooledtrials.figures.specifications import specification_curve
from pooledtrials.figures.style import COLOURS, MARKERS, WIDE, use_style

__all__ = [
    "COLOURS",
    "MARKERS",
    "WIDE",
    "against_strength",
    "agreed_digits",
    "answers",
    "bounds",
    "by_interviews",
    "by_month",
    "causal_diagram",
    "confidence_sets",
    "costs",
    "distributions",
    "exclusion",
    "expected_strength",
    "flow",
    "follow_up_patterns",
    "foreseen",
    "forest",
    "graded",
    "growth",
    "intervals",
    "ladder",
    "means",
    "moments",
    "narrowing",
    "p_values",
    "quantile_fan",
    "rate_map",
    "replications",
    "requirements",
    "response_weights",
    "sensitivity_contours",
    "shares",
    "specification_curve",
    "tau_profile",
    "timeline",
    "tipping_point",
    "use_style",
    "weak_instrument_report",
    "wedge",
]
