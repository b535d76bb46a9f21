"""Pooling: from raw tables, through a trial's specification, to one validated panel."""

from pooledtrials.pooling import asi
from pooledtrials.pooling.attendance import CONVERSIONS, FREQUENCIES, days_from_frequency
from pooledtrials.pooling.decoding import HarmonisationLog
from pooledtrials.pooling.flow import participant_flow
from pooledtrials.pooling.harmonise import Choices, Trial, harmonise, load_trial
from pooledtrials.pooling.locations import data_folder
from pooledtrials.pooling.panel import SCHEMA, UNITS, PanelError, check_panel
from pooledtrials.pooling.reading import RawTableError, read_raw, read_table
from pooledtrials.pooling.specification import (
    Specification,
    SpecificationError,
    read_specification,
)

__all__ = [
    "CONVERSIONS",
    "FREQUENCIES",
    "SCHEMA",
    "UNITS",
    "Choices",
    "HarmonisationLog",
    "PanelError",
    "RawTableError",
    "Specification",
    "SpecificationError",
    "Trial",
    "asi",
    "check_panel",
    "data_folder",
    "days_from_frequency",
    "harmonise",
    "load_trial",
    "participant_flow",
    "read_raw",
    "read_specification",
    "read_table",
]
