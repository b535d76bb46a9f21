"""Figures: functions that take a result and an axis, draw, and return the axis."""

from pooledtrials.figures.designs import answers, flow, strength, timeline
from pooledtrials.figures.diagrams import causal_diagram, moments, replications
from pooledtrials.figures.results import distributions, intervals, means, shares
from pooledtrials.figures.style import COLOURS, MARKERS, WIDE, use_style

__all__ = [
    "COLOURS",
    "MARKERS",
    "WIDE",
    "answers",
    "causal_diagram",
    "distributions",
    "flow",
    "intervals",
    "means",
    "moments",
    "replications",
    "shares",
    "strength",
    "timeline",
    "use_style",
]
