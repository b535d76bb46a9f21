"""Tables collect what the fits say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from linearmodels import IV2SLS

from pooledtrials import tables


@dataclass
class Draw:
    y: pd.Series
    X: pd.DataFrame


@pytest.fixture
def draw() -> Draw:
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"one": 1.0, "x": rng.normal(size=40)})
    return Draw(pd.Series(2 * X["x"] + rng.normal(size=40), name="y"), X)


def test_estimates_are_those_of_the_fits(draw: Draw) -> None:
    fits = {
        "robust": IV2SLS(draw.y, draw.X, None, None).fit(cov_type="robust"),
        "classical": IV2SLS(draw.y, draw.X, None, None).fit(cov_type="unadjusted"),
    }
    table = tables.estimates(fits, "x", level=0.9)
    assert list(table.index) == ["robust", "classical"]
    slope = np.polyfit(draw.X["x"], draw.y, 1)[0]
    np.testing.assert_allclose(table["estimate"], slope)
    np.testing.assert_allclose((table["high"] + table["low"]) / 2, slope)
    half = (table["high"] - table["low"]) / 2
    np.testing.assert_allclose(half / table["se"], 1.6448536, rtol=1e-6)
    assert table["n"].tolist() == [40, 40]


def test_a_term_that_is_not_there_is_named(draw: Draw) -> None:
    fit = IV2SLS(draw.y, draw.X, None, None).fit()
    with pytest.raises(KeyError, match="term: plain has no 'z'; it has one, x"):
        tables.estimates({"plain": fit}, "z")
