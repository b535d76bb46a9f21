"""Pooling: from raw tables, through a trial's specification, to one validated panel."""

from pooledtrials.pooling import asi, twin
from pooledtrials.pooling.analysis_set import AnalysisSet, analysis_set
from pooledtrials.pooling.answers import Choices
from pooledtrials.pooling.attendance import CONVERSIONS, FREQUENCIES, days_from_frequency
from pooledtrials.pooling.disclosure import suppress
from pooledtrials.pooling.flow import participant_flow, shown_flow
from pooledtrials.pooling.harmonise import Trial, harmonise, load_trial
from pooledtrials.pooling.locations import data_folder
from pooledtrials.pooling.log import HarmonisationLog
from pooledtrials.pooling.panel import SCHEMA, UNITS, PanelError, check_panel
from pooledtrials.pooling.pool import Pool, load_pool
from pooledtrials.pooling.reading import RawTableError, read_table
from pooledtrials.pooling.shaping import RawTrial, read_raw
from pooledtrials.pooling.specification import Specification, read_specification
from pooledtrials.pooling.yaml_file import SpecificationError

__all__ = [
    "CONVERSIONS",
    "FREQUENCIES",
    "SCHEMA",
    "UNITS",
    "AnalysisSet",
    "Choices",
    "HarmonisationLog",
    "PanelError",
    "Pool",
    "RawTableError",
    "RawTrial",
    "Specification",
    "SpecificationError",
    "Trial",
    "analysis_set",
    "asi",
    "check_panel",
    "data_folder",
    "days_from_frequency",
    "harmonise",
    "load_pool",
    "load_trial",
    "participant_flow",
    "read_raw",
    "read_specification",
    "read_table",
    "shown_flow",
    "suppress",
    "twin",
]
