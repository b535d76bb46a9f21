"""A synthetic twin of the six trials, whose truth is known. No row of it is a real patient."""

from pooledtrials.pooling.twin.designs import Arm, Design
from pooledtrials.pooling.twin.forms import write_raw_tables
from pooledtrials.pooling.twin.generator import Twin, simulate, simulate_blocks
from pooledtrials.pooling.twin.panel import observed_panel
from pooledtrials.pooling.twin.parameters import Parameters
from pooledtrials.pooling.twin.shipped import shipped
from pooledtrials.pooling.twin.trials import DESIGNS
from pooledtrials.pooling.twin.truth import Truth
from pooledtrials.pooling.twin.what_if import scores_after
from pooledtrials.pooling.twin.worlds import INSTRUMENTS, WORLDS, Instrument, World

__all__ = [
    "DESIGNS",
    "INSTRUMENTS",
    "WORLDS",
    "Arm",
    "Design",
    "Instrument",
    "Parameters",
    "Truth",
    "Twin",
    "World",
    "observed_panel",
    "scores_after",
    "shipped",
    "simulate",
    "simulate_blocks",
    "write_raw_tables",
]
