"""Bad input to every public function: a ValueError that names the argument and what to do."""

from __future__ import annotations

import inspect
from functools import partial

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
ARM = np.where(Z > 0, "new", "usual").astype(object)
TRIAL = np.repeat(["a", "b"], N // 2).astype(object)

NOT_DATA = {
    "stock_yogo_critical_value", "t_test_rejection", "tf_critical_value", "worst_case_size",
    "joint_moments", "null_test", "robust_set",
}  # fmt: skip
FUNCTIONS = {
    name: getattr(package, name)
    for name in package.__all__
    if inspect.isfunction(getattr(package, name)) and name not in NOT_DATA
}
TRIALS = {"arm": ARM, "trial": TRIAL, "control": "usual"}
EXTRA = {
    "k_class": {"kappa": 0.5},
    "complier_means": {"covariates": C},
    "two_sample_tsls": {"z_of_y": Z, "z_of_x": Z},
    "by_trial": TRIALS,
    "pooled_first_stage": TRIALS,
    "trial_instruments": TRIALS,
}
SOUND = {  # what is wrong elsewhere but not there
    ("two_sample_tsls", "short exposure"),
    ("two_sample_tsls", "different indexes"),
    ("trial_instruments", "short arm"),
    ("complier_shares", "indexes of outcome and controls"),  # which refuses any controls
    ("complier_shares", "short controls"),
}
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
    "masked outcome": (
        {"y": np.ma.masked_array(with_value(Y, 1e6), np.arange(N) == 3)},
        r"y is a masked array with 1 masked entries: drop",
    ),
    "masked exposure": (
        {"x": np.ma.masked_array(X, np.arange(N) < 2)}, r"x is a masked array with 2 masked",
    ),
    "missing arm": ({"arm": np.where(G == 1, None, ARM)}, r"arm is missing in 5 of 60 rows"),
    "short arm": ({"arm": ARM[:-1]}, r"arm has 59 rows but y has 60"),
    "short trial": ({"trial": TRIAL[:-1]}, r"trial has 59 rows but (y|arm) has 60"),
    "arms in two columns": (
        {"arm": np.column_stack([ARM, ARM])}, r"arm has shape \(60, 2\): give one label per row"
    ),
    "trials in two columns": (
        {"trial": np.column_stack([ARM, ARM])}, r"trial has shape \(60, 2\): give one label"
    ),
    "indexes of arm and trial": (
        {"arm": pd.Series(ARM), "trial": pd.Series(TRIAL, index=range(5, N + 5))},
        r"trial and arm have different indexes",
    ),
    "indexes of outcome and arm": (
        {"y": pd.Series(Y), "arm": pd.Series(ARM, index=range(5, N + 5))},
        r"arm and y have different indexes",
    ),
    "indexes of outcome and covariates": (
        {"y": pd.Series(Y), "covariates": pd.DataFrame(C, index=range(5, N + 5))},
        r"covariates and y have different indexes",
    ),
    "indexes of outcome and probability": (
        {"y": pd.Series(Y), "probability": pd.Series(np.full(N, 0.5), index=range(5, N + 5))},
        r"probability and y have different indexes",
    ),
    "indexes of outcome and controls": (
        {"y": pd.Series(Y), "controls": pd.DataFrame(C, index=range(5, N + 5))},
        r"controls and y have different indexes",
    ),
    "short controls": ({"controls": C[:-1]}, r"controls has 59 rows but y has 60"),
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
    "masked clusters": (
        {"clusters": np.ma.masked_array(G, G == 2)},
        r"clusters is a masked array with 5 masked",
    ),
}

OPTION_CASES = {
    "covariance": ("robbust", r"covariance is 'robbust': give one of"),
    "form": ("score ", r"form is 'score ': give one of"),
    "reference": ("t", r"reference is 't': give one of"),
    "level": (95, r"level is 95: give a number strictly between 0 and 1"),
    "beta0": (np.inf, r"beta0 is inf: give one finite number"),
    "draws": (0, r"draws is 0: give a whole number, 1 or more"),
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
        if (name, case) not in SOUND
        and {message.split()[0], *changes, *needed} <= set(parameters(function))
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


@pytest.mark.parametrize("name", ["wild_bootstrap_test", "wild_bootstrap_set"])
def test_draws_and_seeds(name):
    function = FUNCTIONS[name]
    for draws in (2.5, np.nan, "99", None):
        with pytest.raises(ValueError, match=rf"draws is {draws!r}: give"):
            function(Y, X, Z, draws=draws)
    for seed in ("one", 1.5, -1):
        for clusters in (None, G % 3):  # drawn, and enumerated
            with pytest.raises(ValueError, match=rf"seed is {seed!r}: give a whole number"):
                function(Y, X, Z, None, clusters, draws=19, seed=seed)


@pytest.mark.parametrize("draws", [2.5, np.nan])
def test_draws_of_assignments(draws):
    with pytest.raises(ValueError, match=f"draws is {draws}: give"):
        package.randomization_test(Y, X, Z, draws=draws)


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
        (partial(package.t_test_rejection, critical=np.nan), (1.0, 0.5), "critical is nan"),
        (partial(package.t_test_rejection, critical=-1.0), (1.0, 0.5), "critical is -1.0: give 0"),
        (
            partial(package.t_test_rejection, first_stage_critical=np.nan),
            (1.0, 0.5),
            "first_stage_critical is nan",
        ),
        (
            partial(package.t_test_rejection, mean_anderson_rubin=np.inf),
            (1.0, 0.5),
            "mean_anderson_rubin is inf",
        ),
    ],
)
def test_functions_of_numbers(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


TWO_SAMPLE_CASES = {
    "short instrument of y": ({"z_of_y": Z[:-1]}, "z_of_y has 59 rows but y has 60"),
    "short instrument of x": ({"z_of_x": Z[:-1]}, "z_of_x has 59 rows but x has 60"),
    "short exposure": ({"x": X[:-1]}, "z_of_x has 60 rows but x has 59"),
    "missing instrument": ({"z_of_x": with_value(Z, np.nan)}, "z_of_x is missing in 1 of 60"),
    "constant instrument": ({"z_of_x": np.ones(N)}, "in the sample of x: z column z0 is constant"),
    "short controls": (
        {"controls_of_y": C, "controls_of_x": C[:-1]}, "controls_of_x has 59 rows but x has 60",
    ),
    "controls of one": ({"controls_of_y": C}, "controls_of_x has 0 columns and controls_of_y 2"),
    "fewer controls": (
        {"controls_of_y": C, "controls_of_x": C[:, 0]},
        "controls_of_x has 1 columns and controls_of_y 2",
    ),
    "controls by another name": (
        {"controls_of_y": pd.DataFrame(C, columns=["a", "b"]),
         "controls_of_x": pd.DataFrame(C, columns=["a", "c"])},
        r"controls_of_x and controls_of_y have columns named differently \(b, c\)",
    ),
    "instruments by another name": (
        {"z_of_y": pd.DataFrame({"a": Z}), "z_of_x": pd.DataFrame({"b": Z})},
        r"z_of_x and z_of_y have columns named differently \(a, b\)",
    ),
    "short clusters": ({"clusters_of_x": G[:-1]}, "clusters_of_x has 59 rows but x has 60"),
    "clusters as few as instruments": (
        {"z_of_y": np.column_stack([Z, C[:, 0]]), "z_of_x": np.column_stack([Z, C[:, 0]]),
         "clusters_of_x": G % 2},
        "clusters_of_x has 2 clusters for 2 instruments",
    ),
    "indexes": (
        {"x": pd.Series(X), "z_of_x": pd.Series(Z, index=range(5, N + 5))},
        "z_of_x and x have different indexes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TWO_SAMPLE_CASES)
def test_two_samples(case):
    changes, message = TWO_SAMPLE_CASES[case]
    with pytest.raises(ValueError, match=message):
        call("two_sample_tsls", **changes)


def test_every_public_function_is_documented_and_typed():
    for name in package.__all__:
        item = getattr(package, name)
        assert len(item.__doc__ or "") > 40, name
        if inspect.isfunction(item):
            hints = inspect.get_annotations(item)
            assert set(parameters(item)) | {"return"} == set(hints), name
