"""Many synthetic pools with a known truth: tables that the book ships, and what makes them."""

from pooledtrials.planning.studies.store import load_study, study_record, write_study

__all__ = ["load_study", "study_record", "write_study"]
