"""The ladder of evidence: answers as they were given, in order, with what each trusts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.results import Estimate
from pooledtrials.selection import Ladder, Rung, effect_bounds, rung

WORDS = {"group": "arm", "trusts": "the arm works only through meetings"}
ESTIMATE = Estimate("2SLS", -0.3, 0.1, "robust", 100, 98)


def made(*pairs: tuple[float, float]) -> Rung:
    return rung("set", ConfidenceSet(pairs, 0.95), **WORDS)


def test_an_estimate_brings_its_interval():
    found = rung("2SLS", ESTIMATE, **WORDS, level=0.9)
    assert found.estimate == -0.3
    assert found.found == ESTIMATE.interval(0.9)
    assert found.verdict == "lower"


def test_bounds_bring_their_confidence_interval():
    g = np.random.default_rng(1)
    y, x = g.random(200), g.integers(0, 2, 200).astype(float)
    bounds = effect_bounds(y, x, outcome_range=(0, 1))
    found = rung("bounds", bounds, **WORDS)
    assert found.bounds == (bounds.lower, bounds.upper)
    assert found.found == bounds.interval(0.95)
    assert math.isnan(found.estimate)
    assert found.verdict == "open"


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ([(-2.0, -1.0)], "lower"),
        ([(1.0, 2.0)], "higher"),
        ([(-1.0, 2.0)], "open"),
        ([(-math.inf, math.inf)], "open"),
        ([(-math.inf, -1.0), (1.0, math.inf)], "not zero"),
        ([], "rejected"),
    ],
)
def test_what_a_set_says_of_the_sign(pairs, verdict):
    assert made(*pairs).verdict == verdict


def test_the_table_and_the_words_hold_every_answer():
    steps = (rung("2SLS", ESTIMATE, **WORDS), made((-math.inf, -1.0), (1.0, math.inf)))
    found = Ladder(steps, "Change in score", "Invented people")
    table = found.to_frame()
    assert list(table.index) == ["2SLS", "set"]
    assert table.loc["2SLS", "estimate"] == -0.3
    assert (table.loc["set", "low"], table.loc["set", "high"]) == (-math.inf, math.inf)
    assert table.loc["set", "set"] == "(-inf, -1] and [1, inf)"
    text = found.describe()
    assert "Invented people" in text
    assert "set: (-inf, -1] and [1, inf); of either sign, zero excluded." in text
    assert found["set"] is steps[1]


def test_bad_input():
    with pytest.raises(ValueError, match="rungs has 0 entries"):
        Ladder((), "effect", "data")
    with pytest.raises(ValueError, match="rungs has 'set' twice"):
        Ladder((made((0, 1)), made((0, 2))), "effect", "data")
    with pytest.raises(ValueError, match=r"answer of 'a' has level 0.9, the ladder 0.95"):
        rung("a", ConfidenceSet(((0, 1),), 0.9), **WORDS)
    with pytest.raises(ValueError, match="answer of 'a' is a float: give an Estimate"):
        rung("a", 0.3, **WORDS)
    with pytest.raises(ValueError, match="level is 95"):
        rung("a", ESTIMATE, **WORDS, level=95)
    with pytest.raises(KeyError, match="no rung 'b': there are set"):
        Ladder((made((0, 1)),), "effect", "data")["b"]
