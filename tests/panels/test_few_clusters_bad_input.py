"""Bad input to the functions for few clusters: a ValueError that names the argument and says why."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from pooledtrials.panels import (
    arm_contrast,
    cr2,
    few_clusters_reading,
    smallest_p_value,
    wild_cluster_set,
    wild_cluster_test,
)

N = 60
_g = np.random.default_rng(0)
X = np.repeat(_g.permutation(np.repeat([0.0, 1.0], 6)), 5)
C = _g.normal(size=(N, 2))
Y = X + C[:, 0] + _g.normal(size=N)
G = np.repeat(np.arange(12), 5)
WAVE = np.tile(np.arange(5), 12)
SITE = np.repeat(np.arange(3), 20)
VARYING = X + _g.normal(size=N)

FUNCTIONS = {
    f.__name__: f
    for f in (wild_cluster_test, wild_cluster_set, cr2, few_clusters_reading, arm_contrast)
}
QUICK = {"draws": 19}


def call(name, **changes):
    """The function on good data with some arguments changed; x is called z in arm_contrast."""
    function = FUNCTIONS[name]
    accepted = inspect.signature(function).parameters
    arguments = {"y": Y, "x": X, "clusters": G} | changes
    if "z" in accepted:
        arguments["z"] = arguments["x"]
    if "draws" in accepted:
        arguments = QUICK | arguments
    return function(**{k: v for k, v in arguments.items() if k in accepted})


def with_value(array, value):
    changed = np.array(array, dtype=float)
    changed[3] = value
    return changed


OUTCOME = {
    "missing outcome": ({"y": with_value(Y, np.nan)}, "y is missing in 1 of 60 rows: drop"),
    "infinite outcome": ({"y": with_value(Y, np.inf)}, "y is infinite in 1 of 60 rows"),
    "constant outcome": ({"y": np.ones(N)}, "y is constant: no error is left"),
    "explained outcome": ({"y": 2 * X + 1}, "y is a linear combination .*no error is left"),
    "two outcomes": ({"y": C}, "y has 2 columns: give one outcome at a time"),
    "None": ({"y": None}, "y is None: give an array"),
    "short exposure": ({"x": X[:-1]}, "[xz] has 59 rows but y has 60"),
    "indexes": (
        {"y": pd.Series(Y), "x": pd.Series(X, index=range(5, N + 5))},
        "[xz] and y have different indexes",
    ),
}
DESIGN = {
    "missing exposure": ({"x": with_value(X, np.nan)}, "[xz] is missing in 1 of 60 rows"),
    "text": ({"x": np.array(["a", "b"] * 30)}, "[xz] holds .* not numbers"),
    "two exposures": ({"x": C}, "[xz] has 2 columns: give one at a time"),
    "constant exposure": ({"x": np.ones(N)}, "[xz] is constant: nothing is left"),
    "missing control": ({"controls": with_value(C[:, 0], np.nan)}, "controls is missing in 1"),
    "constant control": ({"controls": np.ones(N)}, "controls column controls0 is constant: drop"),
    "collinear controls": (
        {"controls": pd.DataFrame({"a": C[:, 0], "b": C[:, 1], "c": C @ [1.0, 2.0]})},
        "controls column c is a linear combination .*: drop it",
    ),
    "exposure among controls": (
        {"controls": np.column_stack([X, C])},
        "[xz] is a linear combination of the columns before it",
    ),
    "short controls": ({"controls": C[:-1]}, "controls has 59 rows but [xy] has 60"),
    "too many controls": (
        {"controls": _g.normal(size=(N, N - 2))},
        "[xyz] has 60 rows, too few for 60 columns .*at least 61",
    ),
    "one cluster": ({"clusters": np.zeros(N)}, "clusters has 1 cluster, .*finer level"),
    "missing cluster": ({"clusters": with_value(G, np.nan)}, "clusters is missing in 1 of 60"),
    "short clusters": ({"clusters": G[:-1]}, "clusters has 59 rows but [xy] has 60"),
    "label matrix": ({"clusters": C}, r"clusters has shape \(60, 2\)"),
    "short strata": ({"strata": SITE[:-1]}, "strata has 59 rows but [xy] has 60"),
    "missing stratum": ({"strata": with_value(SITE, np.nan)}, "strata is missing in 1 of 60"),
}
EFFECTS = {
    "short patients": ({"patients": G[:-1]}, "patients has 59 rows but [xy] has 60"),
    "exposure fixed in patients": (
        {"patients": G},
        "x does not vary within patients, whose effects are absorbed: nothing is left",
    ),
    "exposure fixed in both": (
        {"patients": G, "strata": WAVE, "x": 2 * X - 1},
        "x does not vary within patients and strata",
    ),
    "control fixed in patients": (
        {"patients": G, "x": VARYING, "controls": pd.DataFrame({"age": X, "mood": C[:, 0]})},
        "controls column age does not vary within patients",
    ),
    "control that waves explain": (
        {"patients": G, "strata": WAVE, "x": VARYING, "controls": WAVE**2},
        "controls column controls0 is a linear combination .*absorbed effects",
    ),
    "a patient per row": ({"patients": np.arange(N)}, "too few for 61 columns"),
}
OPTIONS = {
    "beta0": (np.inf, "beta0 is inf: give one finite number"),
    "level": (95, "level is 95: give a number strictly between 0 and 1"),
    "draws": (0, "draws is 0: give a whole number, 1 or more"),
    "weights": ("normal", "weights is 'normal': give one of 'rademacher', 'webb'"),
    "statistic": ("rank", "statistic is 'rank': give one of"),
}


def parameters(name):
    return inspect.signature(FUNCTIONS[name]).parameters


@pytest.mark.parametrize("name", FUNCTIONS)
def test_good_data_pass(name):
    call(name)
    call(name, controls=C, strata=SITE)
    call(name, y=pd.Series(Y), x=pd.Series(X), controls=pd.DataFrame(C), clusters=pd.Series(G))


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if "y" in parameters(n)])
@pytest.mark.parametrize("case", OUTCOME)
def test_outcome(name, case):
    changes, message = OUTCOME[case]
    with pytest.raises(ValueError, match=message):
        call(name, **changes)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("case", DESIGN)
def test_design(name, case):
    changes, message = DESIGN[case]
    with pytest.raises(ValueError, match=message):
        call(name, **changes)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if "patients" in parameters(n)])
@pytest.mark.parametrize("case", EFFECTS)
def test_effects(name, case):
    changes, message = EFFECTS[case]
    with pytest.raises(ValueError, match=message):
        call(name, **changes)


@pytest.mark.parametrize(
    ("name", "option"), [(n, o) for n in FUNCTIONS for o in OPTIONS if o in parameters(n)]
)
def test_options(name, option):
    value, message = OPTIONS[option]
    with pytest.raises(ValueError, match=message):
        call(name, **{option: value})


def test_smallest_p_value_knows_its_weights():
    with pytest.raises(ValueError, match="weights is 'mammen': give one of"):
        smallest_p_value(6, "mammen", 99)


@pytest.mark.parametrize(
    ("clusters", "draws", "message"),
    [(0, 99, "n_clusters is 0: give a whole number, 2 or more"), (6, 9.5, "draws is 9.5")],
)
def test_smallest_p_value_takes_whole_numbers(clusters, draws, message):
    with pytest.raises(ValueError, match=message):
        smallest_p_value(clusters, "webb", draws)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clusters": SITE}, "clusters has 3 clusters: .* 2/8 = 0.25 .* takes 6 clusters or more"),
        ({"draws": 9}, "draws is 9: no p-value below 0.1 .* give 19 draws or more"),
    ],
)
def test_no_set_where_ties_allow_no_refusal(changes, message):
    arguments = {"x": VARYING, "draws": 999} | changes
    with pytest.raises(ValueError, match=message):
        call("wild_cluster_set", **arguments)


def test_a_lower_level_makes_do_with_fewer_clusters():
    call("wild_cluster_set", x=VARYING, clusters=SITE, draws=999, level=0.75)
