"""Bad input to the functions of a panel: a ValueError that names the argument and what to do.

Whatever takes ``y, x, patients, waves`` first is found here by its signature.
"""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest
from small_pool import arguments, small_pool

import pooledtrials.panels as package
from pooledtrials.panels import METHODS, RandomIntercept, compare, fit, fit_all, hausman_test

POOL = small_pool()
N = len(POOL)
NAMES = ("y", "x", "patients", "waves", "controls", "clusters", "trials")
GOOD = dict(zip(NAMES, arguments(POOL), strict=True))
ONCE = POOL.groupby(["trial", "patient"]).cumcount() == 0

FOUND = {
    name: function
    for name, function in vars(package).items()
    if name in package.__all__
    and inspect.isfunction(function)
    and list(inspect.signature(function).parameters)[:4] == list(NAMES[:4])
}
FUNCTIONS = {
    **{name: function for name, function in FOUND.items() if name != "fit"},
    **{f"fit {method}": partial(fit, method=method) for method in METHODS},
    "fit trial slopes": partial(fit, method="mixed", slopes="trials", covariance="classical"),
    "hausman contrast": partial(hausman_test, form="contrast"),
}
THEMSELVES = {
    "fit within": "method='within'",
    "fit mundlak": "method='mundlak'",
    "fit first differences": "method='first differences'",
    "fit lagged": "method='lagged'",
    "fit_all": "method='within'",
    "hausman_test": "method='mundlak'",
    "hausman contrast": "method='within'",
}
"""Functions that compare patients with themselves, and the method that says so."""


def with_value(name, value):
    changed = GOOD[name].astype(float).copy()
    changed.iloc[3] = value
    return {name: changed}


def rows(mask):
    """The pool's rows of a mask, as arguments."""
    return dict(zip(NAMES, arguments(POOL[mask]), strict=True))


REPEATED = POOL["wave"].where(POOL.index != 1, POOL["wave"].iloc[0])
CASES = {
    "missing outcome": (with_value("y", np.nan), rf"y is missing in 1 of {N} rows"),
    "missing exposure": (with_value("x", np.nan), rf"x is missing in 1 of {N} rows"),
    "infinite exposure": (with_value("x", np.inf), rf"x is infinite in 1 of {N} rows"),
    "missing patient": (with_value("patients", np.nan), rf"patients is missing in 1 of {N}"),
    "missing wave": (with_value("waves", np.nan), rf"waves is missing in 1 of {N} rows"),
    "missing trial": (
        {"trials": GOOD["trials"].where(POOL.index != 3)},
        rf"trials is missing in 1 of {N}",
    ),
    "missing control": (
        {"controls": POOL[["c", "d"]].mask(POOL["y"] == POOL["y"].iloc[3])},
        rf"controls is missing in 1 of {N}",
    ),
    "text": ({"x": POOL["trial"]}, r"x holds .* not numbers"),
    "two columns of waves": ({"waves": POOL[["wave", "c"]]}, r"waves has 2 columns: give one"),
    "no column of waves": ({"waves": POOL[[]]}, r"waves has 0 columns: give one"),
    "infinite wave": (
        {"waves": POOL["wave"].replace(6, np.inf)},
        r"waves is infinite in \d+ of \d+ rows: correct or drop them",
    ),
    "text waves": ({"waves": POOL["wave"].astype(str)}, r"waves holds .* order in time"),
    "short exposure": ({"x": POOL["x"].iloc[:-1]}, rf"x has {N - 1} rows but y has {N}"),
    "short patients": (
        {"patients": POOL["patient"].iloc[:-1]},
        rf"patients has {N - 1} rows but y has {N}",
    ),
    "short waves": ({"waves": POOL["wave"].iloc[:-1]}, rf"waves has {N - 1} rows but y has {N}"),
    "other index": (
        {"x": POOL["x"].set_axis(range(9, N + 9))},
        r"x and y have different indexes",
    ),
    "two outcomes": ({"y": POOL[["y", "c"]]}, r"y has 2 columns"),
    "two exposures": ({"x": POOL[["x", "c"]]}, r"x has 2 columns"),
    "no rows": (rows(POOL["y"] > 1e9), r"y has 0 rows"),
    "no outcome": ({"y": None}, r"y is None"),
    "no patients": ({"patients": None}, r"patients is None"),
    "no waves": ({"waves": None}, r"waves is None"),
    "constant outcome": ({"y": 0 * POOL["y"] + 3}, r"y is constant"),
    "constant exposure": ({"x": 0 * POOL["x"] + 3}, r"x is constant"),
    "constant control": ({"controls": POOL[["c"]] * 0 + 1}, r"controls column c is constant"),
    "collinear controls": (
        {"controls": POOL[["c", "d"]].assign(e=POOL["c"] - 2 * POOL["d"])},
        r"controls column e is a linear combination",
    ),
    "control named as the exposure": (
        {"controls": POOL[["c"]].set_axis(["x"], axis=1)},
        r"controls has a second column named 'x'",
    ),
    "one wave only": (rows(POOL["wave"] == 0), r"waves has 1 wave: a panel needs"),
    "one patient": (
        rows((POOL["trial"] == "t0") & (POOL["patient"] == 1)),
        r"patients has 1 patient: two or more",
    ),
    "two rows of a patient at a wave": (
        {"waves": REPEATED},
        r"waves repeats 1 pairs of patient and wave \(first: patient 0 at wave 0\)",
    ),
    "labels of several trials without trials": (
        {"trials": None},
        r"waves repeats .* or give trials if patient labels are unique only within trials",
    ),
    "clusters that split patients": (
        {"clusters": POOL["wave"]},
        r"clusters splits \d+ of 42 patients \(first: 0\)",
    ),
    "one cluster": ({"clusters": POOL["trial"].str[:1]}, r"clusters has 1 cluster"),
    "missing cluster": (
        {"clusters": POOL["site"].where(POOL.index != 3)},
        rf"clusters is missing in 1 of {N}",
    ),
}


def call(name, **changes):
    function = FUNCTIONS[name]
    inner = function.func if isinstance(function, partial) else function
    accepted = inspect.signature(inner).parameters
    return function(**{k: v for k, v in (GOOD | changes).items() if k in accepted})


def test_functions_are_found():
    assert {"fit", "fit_all", "hausman_test", "layout"} <= set(FOUND)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_good_data_pass(name):
    call(name)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_data(name, case):
    changes, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        call(name, **changes)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "one_stage"])
def test_patient_in_two_trials(name):
    """Refused where labels are said to stand for one person everywhere."""
    function = FUNCTIONS[name]
    with pytest.raises(ValueError, match="patients has 14 labels in more than one trial"):
        function(*arguments(POOL), labels_within_trials=False)


@pytest.mark.parametrize(("name", "method"), THEMSELVES.items())
def test_exposure_constant_within_patients(name, method):
    with pytest.raises(ValueError, match=rf"x is constant within each of \d+ patients: {method}"):
        call(name, x=POOL["d"].rename("x"), controls=POOL[["c"]])


@pytest.mark.parametrize("name", ["fit pooled", "fit between", "fit random effects", "fit mixed"])
def test_exposure_constant_within_patients_is_no_matter_between(name):
    call(name, x=POOL["d"].rename("x"), controls=POOL[["c"]])


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("layout", "one_stage")])
def test_exposure_that_cells_explain(name):
    level = POOL["trial"].map({"t0": 1.0, "t1": 2.0, "t2": 5.0}) * POOL["wave"]
    with pytest.raises(
        ValueError, match=r"x \((previous )?x\) (is a linear combination|has patient means)"
    ):
        call(name, x=level.rename("x"))


@pytest.mark.parametrize("name", [f"fit {m}" for m in ("pooled", "random effects", "mixed")])
def test_control_that_cells_explain(name):
    controls = POOL[["c"]].assign(last=(POOL["trial"] == "t2").astype(float))
    with pytest.raises(ValueError, match=r"controls column last is a linear combination"):
        call(name, controls=controls)
    assert "control (last)" in set(call("fit within", controls=controls).dropped["what"])


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("layout", "one_stage")])
def test_too_few_rows(name):
    few = POOL[(POOL["patient"] < 3) & POOL["trial"].isin(["t0", "t1"])]
    g = np.random.default_rng(0)
    controls = pd.DataFrame(g.normal(size=(len(few), len(few) - 3)), few.index).add_prefix("e")
    few_rows = dict(zip(NAMES, arguments(few), strict=True))
    with pytest.raises(ValueError, match=r"y has \d+ rows .*too few for"):
        call(name, **few_rows | {"controls": controls})


def test_one_interview_each():
    alone = POOL[ONCE].assign(wave=lambda rows: rows["patient"] % 2)
    data = dict(zip(NAMES, arguments(alone), strict=True))
    for name, method in THEMSELVES.items():
        if name in ("fit first differences", "fit lagged"):
            with pytest.raises(ValueError, match="waves has no two interviews of one patient"):
                call(name, **data)
        else:
            with pytest.raises(ValueError, match=f"x is constant within each.*{method}|too few"):
                call(name, **data)
    for name in ("fit mixed", "fit trial slopes"):
        with pytest.raises(ValueError, match=r"patients has .*two"):
            call(name, **data)


def test_no_neighbouring_interviews():
    apart = POOL[POOL["wave"].isin([0, 6]) & (POOL["trial"] != "t1")]
    third = POOL[(POOL["trial"] != "t1") & (POOL["patient"] == 0)].assign(patient=99)
    sparse = pd.concat([apart, third[~third["wave"].isin([0, 6])]]).reset_index(drop=True)
    sparse = sparse[(sparse["patient"] != 99) | (sparse["wave"].isin([2, 3]))]
    for method in ("first differences", "lagged"):
        with pytest.raises(ValueError, match=r"no two interviews .* pass gaps='span'"):
            fit(*arguments(sparse, ("c",)), method=method)
    assert fit(*arguments(sparse, ("c",)), method="first differences", gaps="span").nobs > 10


def test_one_trial():
    one = POOL[POOL["trial"] == "t0"]
    slopes = {"method": "mixed", "slopes": "trials", "covariance": "classical"}
    for trials in (one["trial"], None):
        with pytest.raises(ValueError, match="trials has 1 trial: slopes='trials' needs two"):
            fit(*arguments(one)[:-1], trials, **slopes)
    assert fit(*arguments(one)).n_trials == 1


def test_cluster_left_alone_within():
    """One cluster whose patients all came once."""
    pool = POOL[(POOL["trial"] == "t0") | ONCE & (POOL["trial"] == "t1")]
    pool = pool.assign(wave=pool["wave"] + pool["patient"] % 2 * (pool["trial"] == "t1"))
    y, x, patients, waves, controls, _, trials = arguments(pool)
    with pytest.raises(ValueError, match="clusters has 1 cluster with patients interviewed twice"):
        fit(y, x, patients, waves, controls, pool["trial"], trials)


OPTIONS = {
    "method": "fixed",
    "methods": ("fixed",),
    "effects": "trial",
    "covariance": "HC3",
    "variant": "CR2",
    "gaps": "ignore",
    "slopes": "sites",
    "form": "score",
    "terms": "x",
}


@pytest.mark.parametrize(
    ("function", "option"),
    [
        (function, option)
        for function in (fit, fit_all, hausman_test)
        for option in OPTIONS
        if option in inspect.signature(function).parameters
    ],
)
def test_options(function, option):
    with pytest.raises(ValueError, match=rf"{option} is .*: give one of"):
        function(*arguments(POOL), **{option: OPTIONS[option]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "within", "covariance": "robust"}, "covariance is 'robust'.*inconsistent"),
        ({"method": "lagged", "covariance": "robust"}, "covariance is 'robust'.*inconsistent"),
        ({"method": "mixed", "covariance": "robust"}, "covariance is 'robust'.*method='mixed'"),
        ({"method": "mixed", "slopes": "trials"}, "covariance='classical'"),
        ({"method": "mixed", "slopes": "patients"}, "covariance='classical'"),
    ],
)
def test_errors_that_a_method_does_not_have(options, message):
    with pytest.raises(ValueError, match=message):
        fit(*arguments(POOL), **options)


def test_contrast_is_classical():
    with pytest.raises(ValueError, match="covariance is 'clustered' with form='contrast'"):
        hausman_test(*arguments(POOL), form="contrast", covariance="clustered")


def test_table_of_nothing():
    with pytest.raises(ValueError, match="fits has 0 results"):
        compare({})
    with pytest.raises(ValueError, match="level is 95"):
        compare({"within": fit(*arguments(POOL))}, level=95)


X = np.column_stack([np.ones(N), POOL["x"]])
PATIENTS = POOL["trial"] + POOL["patient"].astype(str)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.where(np.arange(2 * N).reshape(N, 2) == 5, np.nan, X)}, "X is missing in 1"),
        ({"X": np.column_stack([X, X[:, 1]])}, "X column X2 is a combination"),
        ({"X": np.empty((N, 0))}, "X has 0 columns"),
        ({"X": X[:-1]}, rf"patients has {N} rows"),
        ({"patients": None}, "patients is None"),
        ({"patients": np.zeros(N)}, "patients has 1 patients"),
        ({"patients": np.arange(N)}, "at most 1 rows"),
        ({"X": np.eye(4), "patients": [1, 1, 2, 3]}, "X has 4 rows, too few for 4 columns"),
        ({"y": POOL["y"][:-1]}, rf"y has {N - 1} rows but X has {N}"),
        ({"y": with_value("y", np.nan)["y"]}, "y is missing in 1"),
        ({"y": 3 + 2 * X[:, 1]}, "y is a linear combination of the columns of X"),
    ],
)
def test_random_intercept(changes, message):
    data = {"X": X, "patients": PATIENTS, "y": POOL["y"]} | changes
    with pytest.raises(ValueError, match=message):
        RandomIntercept.of(data["X"], data["patients"]).fit(data["y"])


def test_random_intercept_indexes():
    with pytest.raises(ValueError, match="patients and X have different indexes"):
        RandomIntercept.of(POOL[["x", "c"]], PATIENTS.set_axis(range(1, N + 1)))


def test_public_names_are_documented_and_typed():
    for name in package.__all__:
        item = getattr(package, name)
        assert len(item.__doc__ or "") > 40, name
        if inspect.isfunction(item):
            hints = inspect.get_annotations(item)
            assert set(inspect.signature(item).parameters) | {"return"} == set(hints), name
