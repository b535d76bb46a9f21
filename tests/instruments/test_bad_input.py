"""Bad input to every public function: a ValueError that names the argument and what to do."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

import pooledtrials.instruments as package

N = 60
_g = np.random.default_rng(0)
Z = _g.permutation(np.repeat([0.0, 1.0], N // 2))
X = (_g.random(N) < 0.2 + 0.6 * Z).astype(float)
Y = X + _g.normal(size=N)
C = _g.normal(size=(N, 2))
G = np.repeat(np.arange(12), 5)

NOT_DATA = {
    "stock_yogo_critical_value", "t_test_rejection", "tf_critical_value", "worst_case_size",
    "joint_moments", "null_test", "robust_set", "trial_instruments",
}  # fmt: skip
SPECIAL = {"two_sample_tsls", "by_trial", "pooled_first_stage"}
FUNCTIONS = {
    name: getattr(package, name)
    for name in package.__all__
    if inspect.isfunction(getattr(package, name)) and name not in NOT_DATA | SPECIAL
}
EXTRA = {"k_class": {"kappa": 0.5}, "complier_means": {"covariates": C}}
QUICK = {"draws": 19}


def call(name, **changes):
    """The function on good data with some arguments changed."""
    function = FUNCTIONS[name]
    accepted = inspect.signature(function).parameters
    arguments = {"y": Y, "x": X, "z": Z} | EXTRA.get(name, {}) | changes
    if "draws" in accepted:
        arguments |= QUICK
    return function(**{k: v for k, v in arguments.items() if k in accepted})


def with_value(array, value):
    changed = np.array(array, dtype=float)
    changed[3] = value
    return changed


CASES = {
    "missing outcome": ({"y": with_value(Y, np.nan)}, r"y is missing in 1 of 60 rows"),
    "missing exposure": ({"x": with_value(X, np.nan)}, r"x is missing in 1 of 60 rows"),
    "missing instrument": ({"z": with_value(Z, np.nan)}, r"z is missing in 1 of 60 rows"),
    "infinite outcome": ({"y": with_value(Y, np.inf)}, r"y is infinite in 1 of 60 rows"),
    "text": ({"x": np.array(["a", "b"] * 30)}, r"x holds .* not numbers"),
    "numbers as text": ({"x": X.astype(str)}, r"x holds .* not numbers"),
    "short exposure": ({"x": X[:-1]}, r"x has 59 rows but y has 60"),
    "short instrument": ({"z": Z[:-1]}, r"z has 59 rows but y has 60"),
    "two outcomes": ({"y": C}, r"y has 2 columns"),
    "two exposures": ({"x": np.column_stack([X, Y])}, r"x has 2 columns"),
    "constant exposure": ({"x": np.ones(N)}, r"x is constant"),
    "constant instrument": ({"z": np.ones(N)}, r"z .*constant"),
    "no rows": ({"y": Y[:0], "x": X[:0], "z": Z[:0]}, r"y has 0 rows"),
    "different indexes": (
        {"y": pd.Series(Y), "x": pd.Series(X, index=range(5, N + 5))},
        r"x and y have different indexes",
    ),
    "indexes of outcome and instrument": (
        {"y": pd.Series(Y), "z": pd.Series(Z, index=range(5, N + 5))},
        r"z and y have different indexes",
    ),
    "None": ({"y": None}, r"y is None"),
}  # fmt: skip

CONTROL_CASES = {
    "missing control": ({"controls": with_value(C[:, 0], np.nan)}, r"controls is missing in 1"),
    "constant control": ({"controls": np.ones(N)}, r"controls column controls0 is constant"),
    "collinear controls": (
        {"controls": pd.DataFrame({"a": C[:, 0], "b": C[:, 1], "c": C @ [1.0, 2.0]})},
        r"controls column c is a linear combination",
    ),
    "instrument among controls": (
        {"controls": np.column_stack([Z, C])},
        r"z column z0 is a linear combination",
    ),
    "exposure among controls": (
        {"controls": np.column_stack([X, C])},
        r"x is a linear combination",
    ),
    "too many controls": (
        {"controls": _g.normal(size=(N, N - 2))},
        r"y has 60 rows, too few for 59 columns",
    ),
    "short strata": ({"strata": G[:-1]}, r"strata has 59 rows but y has 60"),
    "no instrument": ({"z": np.empty((N, 0))}, r"z has 0 columns"),
    "twice the same instrument": (
        {"z": pd.DataFrame({"a": Z, "b": C[:, 0], "c": Z + C[:, 0]})},
        r"z column c is a linear combination",
    ),
    "full compliance": ({"x": 2 * Z + 1}, r"x is a linear combination"),
}

CLUSTER_CASES = {
    "one cluster": ({"clusters": np.zeros(N)}, r"clusters has 1 cluster"),
    "missing cluster": ({"clusters": with_value(G, np.nan)}, r"clusters is missing in 1 of 60"),
    "short clusters": ({"clusters": G[:-1]}, r"clusters has 59 rows but y has 60"),
}

OPTION_CASES = {
    "covariance": ("robbust", r"covariance is 'robbust': give one of"),
    "form": ("score ", r"form is 'score ': give one of"),
    "reference": ("t", r"reference is 't': give one of"),
    "level": (95, r"level is 95: give a number strictly between 0 and 1"),
    "beta0": (np.inf, r"beta0 is inf: give one finite number"),
    "draws": (0, r"draws is 0: give 1 or more"),
    "method": ("jive2", r"method is 'jive2': give one of"),
    "weights": ("normal", r"weights is 'normal': give one of"),
    "score": ("k", r"score is 'k': give one of"),
    "tau": (0, r"tau is 0: give a number strictly between 0 and 1"),
    "distortion": (1.5, r"distortion is 1.5: give a number strictly between 0 and 1"),
    "kappa": (np.nan, r"kappa is nan: give one finite number"),
    "alpha": (np.nan, r"alpha is nan: give one finite number"),
    "points": (3, r"points is 3: give at least 8"),
}


def parameters(function):
    return inspect.signature(function).parameters


def asked(cases, *needed):
    """Functions that take the ``needed`` arguments, and the cases that concern theirs."""
    return [
        (name, case)
        for name, function in FUNCTIONS.items()
        for case, (changes, message) in cases.items()
        if {message.split()[0], *changes, *needed} <= set(parameters(function))
    ]


@pytest.mark.parametrize(("name", "case"), asked(CASES))
def test_data(name, case):
    changes, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        call(name, **changes)


@pytest.mark.parametrize(("name", "case"), asked(CONTROL_CASES, "controls", "strata"))
def test_controls_and_strata(name, case):
    changes, message = CONTROL_CASES[case]
    with pytest.raises(ValueError, match=message):
        call(name, **changes)


@pytest.mark.parametrize(("name", "case"), asked(CLUSTER_CASES))
def test_clusters(name, case):
    changes, message = CLUSTER_CASES[case]
    if name in ("sargan_test", "liml_overidentification_test"):
        message = "clusters is given"
    with pytest.raises(ValueError, match=message):
        call(name, **changes)


@pytest.mark.parametrize(
    ("name", "option"),
    [(n, o) for n, f in FUNCTIONS.items() for o in OPTION_CASES if o in parameters(f)],
)
def test_options(name, option):
    value, message = OPTION_CASES[option]
    function = FUNCTIONS[name]
    # a second instrument, so that nothing is refused or answered before the option is looked at
    z = Z if name in ("wald_ratio", "complier_means", "randomization_set") else None
    several = np.column_stack([Z, C[:, 0]])
    changes = {option: value, "z": several if z is None else z}
    if option == "points" and "statistic" in parameters(function):
        changes["statistic"] = "rank" if "randomization" in name else "AR"
    arguments = {"y": Y, "x": X} | EXTRA.get(name, {}) | changes
    if name in ("tf_test", "endogeneity_reading", "asymmetry_reading"):
        arguments["z"] = Z
    if "draws" in parameters(function) and option != "draws":
        arguments |= QUICK
    accepted = parameters(function)
    with pytest.raises(ValueError, match=message):
        function(**{k: v for k, v in arguments.items() if k in accepted})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_good_data_pass(name):
    """The baseline of this file is sound: every refusal above is the change's."""
    if name == "j_set":
        with pytest.raises(ValueError, match="z has 1 column"):
            call(name)
        return
    call(name)


def test_few_clusters_for_many_instruments():
    z = np.column_stack([Z, C])
    clusters = G % 3
    for function in (package.anderson_rubin_set, package.conditional_lr_test, package.gmm):
        with pytest.raises(ValueError, match="clusters has 3 clusters for 3 instruments"):
            function(Y, X, z, None, clusters)


def test_strata_of_response_weights():
    weights = package.causal_response_weights
    with pytest.raises(ValueError, match="strata has 59 rows but y has 60"):
        weights(Y, X, Z, strata=G[:-1])
    with pytest.raises(ValueError, match="z does not vary within any stratum"):
        weights(Y, X, Z, strata=Z)
    with pytest.raises(ValueError, match="z does not change the mean of x"):
        weights(np.arange(8.0), np.tile([0.0, 1.0], 4), np.repeat([0.0, 1.0], 4))


def test_one_arm_at_a_time():
    with pytest.raises(ValueError, match="z has 2 columns, and a difference is between two arms"):
        package.arm_difference(Y, np.column_stack([Z, C[:, 0]]))


def test_hc3_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="HC3 is defined on regression residuals"):
        package.anderson_rubin_set(Y, X, Z, covariance="HC3", form="score")
    alone = np.zeros(N)
    alone[0] = 1
    with pytest.raises(ValueError, match="leverage of one"):
        package.anderson_rubin_set(Y, X, Z, alone, covariance="HC3")
    with pytest.raises(ValueError, match="leverage of one"):
        package.jive(Y, X, Z, alone)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (package.tf_critical_value, (-1.0,), "first_stage_f is -1"),
        (package.tf_critical_value, (np.nan,), "first_stage_f is nan"),
        (package.stock_yogo_critical_value, (2, 0.1), "k is 2, but the mean"),
        (package.stock_yogo_critical_value, (0, 0.1), "k is 0"),
        (package.stock_yogo_critical_value, (3, 0.05, "size"), "must exceed 0.05"),
        (package.stock_yogo_critical_value, (3, 0.1, "liml size"), "not computed"),
        (package.stock_yogo_critical_value, (7, 0.1, "bias", "printed"), "no such printed"),
        (package.t_test_rejection, (1.0, 1.5), "rho is 1.5"),
        (package.worst_case_size, (0.5, 2.0), "alpha is 2"),
    ],
)
def test_functions_of_numbers(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def test_special_signatures():
    with pytest.raises(ValueError, match="y is missing in 1"):
        package.two_sample_tsls(with_value(Y, np.nan), X, Z, Z)
    with pytest.raises(ValueError, match="z has 59 rows"):
        package.two_sample_tsls(Y, X, Z[:-1], Z)
    arm, trial = np.where(Z > 0, "new", "usual"), np.repeat(["a", "b"], N // 2)
    for function in (package.by_trial, package.pooled_first_stage):
        with pytest.raises(ValueError, match="x is missing in 1"):
            function(Y, with_value(X, np.nan), arm, trial, control="usual")
        with pytest.raises(ValueError, match="trial has 59 rows"):
            function(Y, X, arm, trial[:-1], control="usual")


def test_every_public_function_is_documented_and_typed():
    for name in package.__all__:
        item = getattr(package, name)
        assert len(item.__doc__ or "") > 40, name
        if inspect.isfunction(item):
            hints = inspect.get_annotations(item)
            assert set(parameters(item)) | {"return"} == set(hints), name
