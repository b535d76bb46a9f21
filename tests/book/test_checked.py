"""Published numbers beside ours: agreement at printed digits, the file of numbers, refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pooledbook.checks.checked import Check, Checks
from pooledbook.checks.published import PublishedNumbers, numbers_of
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.results import Estimate, Test


def check(published, ours, **more):
    return Check("O-X1", "slope", "somebody2020", published, ours, **more)


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        (".0614", 0.0613966287),
        ("2.40", 2.396270104),
        ("-.1946", -0.1946228482),
        ("\u22121.28", -1.2774241),  # a typographic minus
        ("4.9588647e-05", 4.95886470e-05),
        ("1.2E+3", 1249.0),
        ("379", 379),
        ("0", 0.0),
        (".050", 0.0499999),
    ],
)
def test_what_rounds_to_the_printed_digits_agrees(published, ours):
    found = check(published, ours)
    assert found.agrees
    assert found.as_expected
    assert found.digits == found.published_digits
    assert "agrees" in str(found)


@pytest.mark.parametrize(
    ("published", "ours", "digits"),
    [
        (".0615", 0.0613966287, 2),  # the last digit is wrong: 0.061 agrees
        ("2.40", 2.39, 2),
        (".0614", -0.0614, 0),  # the sign is wrong
        ("4.9588647e-05", 4.9588547e-05, 5),
        ("13.2557853", 13.2557, 5),
        ("1.05", 1.0397, 2),
        ("30", 80.0, 0),
    ],
)
def test_a_wrong_digit_is_reported(published, ours, digits):
    found = check(published, ours)
    assert not found.agrees
    assert not found.as_expected
    assert found.digits == digits < found.published_digits
    assert "differs by" in str(found)


def test_a_number_halfway_agrees_with_either_rounding():
    for published in ("0.12", "0.13"):
        assert check(published, 0.125).agrees  # exact in binary
    for published in ("2.67", "2.68"):
        assert check(published, 2.675).agrees  # not exact, but written so
    assert not check("2.68", 2.67499).agrees
    for published in ("-0.12", "-0.13"):
        assert check(published, -0.125).agrees


def test_trailing_zeros_count():
    assert check("0.10", 0.104).agrees
    assert not check("0.100", 0.104).agrees
    assert check("0.100", 0.1).published_digits == 3


def test_a_declared_difference_has_to_be_one():
    assert check("5.560", 5.5621, differs="3.33 for 1/0.3").as_expected
    found = check("5.562", 5.5621, differs="3.33 for 1/0.3")
    assert found.agrees
    assert not found.as_expected
    assert len(Checks((found, check("1", 1.0))).unexpected) == 1


@given(st.floats(1e-6, 1e6), st.integers(1, 12), st.booleans())
def test_a_number_agrees_with_itself_rounded_and_not_with_its_neighbours(value, digits, negative):
    value = -value if negative else value
    rounded = f"{value:.{digits - 1}e}"
    assert check(rounded, value).agrees
    unit = 10.0 ** (int(rounded.split("e")[1]) - digits + 1)
    for wrong in (value + 1.1 * unit, value - 1.1 * unit):
        found = check(rounded, wrong)
        assert not found.agrees
        assert found.digits < digits


def test_ours_is_shown_with_two_more_digits_and_no_more_than_ten_decimals():
    assert check(".0614", 0.0613966287).shown == "0.061397"
    assert check("2.40", 2.396270104).shown == "2.3963"
    assert check("379", 379).shown == "379.00"
    assert check("1.2E+3", 1249.0).shown == "1249"
    assert check("0", 0.0).shown == "0.00"
    assert check("-.0089714767", -0.00897147671234).shown == "-0.0089714767"
    assert check(".05393688914", 0.0539368891444).shown == "0.0539368891"
    assert check("4.9588647e-05", 4.9588647e-05).shown == "4.958864700e-05"
    assert check("1.0e-12", 1.04e-12).shown == "1.040e-12"


def test_tables_keep_order_and_leave_numbers_unrounded():
    one, two = check(".0614", 0.0613966287), check("2.41", 2.396270104, kind="run", part="trials")
    together = Checks.together([Checks((one,)), Checks((two,))])
    table = together.to_frame()
    assert table["ours"].tolist() == [0.0613966287, 2.396270104]
    assert table["agrees"].tolist() == [True, False]
    assert table["difference"].tolist() == pytest.approx([-3.3713e-06, -0.013729896])
    assert together.side_by_side()["digits"].tolist() == ["3/3", "2/3"]
    assert len(together) == 2


@pytest.mark.parametrize(
    ("published", "ours", "more", "message"),
    [
        ("n/a", 1.0, {}, "O-X1, slope: published is 'n/a': give a number as it was printed"),
        ("nan", 1.0, {}, "published is 'nan'"),
        ("1,234", 1234.0, {}, "published is '1,234'"),
        (0.5, 0.5, {}, "published is 0.5, a float: quote it"),
        ("0.5", float("nan"), {}, "ours is nan: give a finite number"),
        ("0.5", float("inf"), {}, "ours is inf"),
        ("0.5", 0.5, {"kind": "rumour"}, "kind is 'rumour': give one of printed, stored, run"),
    ],
)
def test_bad_input(published, ours, more, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check(published, ours, **more)


# --- results of the library, and the file -------------------------------------------------------


def test_results_give_their_numbers_by_name():
    estimate = Estimate("2SLS", 0.5, 0.1, "robust", 100, 98)
    assert numbers_of("2SLS", estimate) == {"2SLS": 0.5, "2SLS SE": 0.1}
    test = Test("AR", 5.4, 0.02, "F(1, 98)", (1, 98), "no effect")
    assert numbers_of("AR", test) == {"AR": 5.4, "AR p": 0.02}
    interval = ConfidenceSet(((0.1, 0.9),), 0.95)
    assert numbers_of("set", interval) == {"set low": 0.1, "set high": 0.9}
    rays = ConfidenceSet(((-float("inf"), -1.0), (2.0, float("inf"))), 0.95)
    assert numbers_of("set", rays) == {"set end 1": -1.0, "set end 2": 2.0}
    assert numbers_of("n", 3) == {"n": 3.0}
    with pytest.raises(ValueError, match="n is a str: give a number, an estimate"):
        numbers_of("n", "3")


FILE = """
O-X1:
  about: an example
  part: estimators
  published:
    - {kind: printed, source: somebody2020, numbers: {slope: ".50", slope SE: ".10"}}
    - {kind: run, source: other2021, differs: by design, numbers: {slope: "0.5100"}}
O-X2:
  about: another
  part: panels
  published:
    - {kind: run, source: other2021, numbers: {p: "0.02"}}
"""
FIT = Estimate("2SLS", 0.4986, 0.1, "robust", 100, 98)


@pytest.fixture
def numbers(tmp_path):
    file = tmp_path / "numbers.yaml"
    file.write_text(FILE)
    return PublishedNumbers.read(file)


def test_a_result_is_compared_with_every_source(numbers):
    found = numbers.compare("O-X1", {"slope": FIT})
    assert [c.agrees for c in found] == [True, True, False]
    assert [c.source for c in found] == ["somebody2020", "somebody2020", "other2021"]
    assert found.unexpected == []
    assert numbers.unchecked(found) == ["O-X2"]


@pytest.mark.parametrize(
    ("id", "ours", "message"),
    [
        ("O-X9", {"slope": FIT}, "id is 'O-X9': the file has O-X1, O-X2"),
        ("O-X1", {"slope": 0.5}, "O-X1: published but not computed: slope SE"),
        ("O-X1", {"slope": FIT, "F": 3.0}, "O-X1: computed but published nowhere: F"),
        ("O-X2", {"p": float("nan")}, "ours is nan"),
    ],
)
def test_nothing_passes_unseen(numbers, id, ours, message):
    with pytest.raises(ValueError, match=message):
        numbers.compare(id, ours)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('".50"', ".50", "O-X1, source 1, slope: published is 0.5, a float: quote it"),
        ("kind: printed", "kind: rumour", "kind is 'rumour'"),
        ("source: somebody2020, ", "", "O-X1, source 1 has no source"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, old, new, message):
    file = tmp_path / "numbers.yaml"
    file.write_text(FILE.replace(old, new))
    with pytest.raises(ValueError, match=message):
        PublishedNumbers.read(file)


def test_the_books_file_cites_what_the_bibliography_holds(root: Path):
    listed = PublishedNumbers.read()
    entries = {
        key
        for bibliography in (root / "chapters").glob("*.bib")
        for key in re.findall(r"^@\w+\{([^,]+),", bibliography.read_text("utf8"), re.MULTILINE)
    }
    assert len(listed.numbers) > 250
    assert {number.source for number in listed.numbers} <= entries


def test_every_check_of_the_file_is_one_that_the_tests_name(root: Path):
    named = {
        id
        for test in (root / "tests").rglob("test_*.py")
        for id in re.findall(r"O-[A-Z]\d", test.read_text("utf8"))
    }
    ids = PublishedNumbers.read().ids
    assert len(ids) > 40
    assert {id.split(",")[0] for id in ids} <= named
