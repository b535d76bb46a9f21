"""What a student is told about a number, and which cells of a chapter an exercise needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pooledbook.teaching.needed import Cell, names_used, needed
from pooledbook.teaching.selfcheck import check, sealed


@pytest.fixture
def table(tmp_path: Path) -> Path:
    entries = {
        "ex-share": sealed("ex-share", 0.5234, 2, "The share."),
        "ex-slope": sealed("ex-slope", -0.0137, 4, "The slope per ten days."),
        "ex-count": sealed("ex-count", 42, None, "How many."),
    }
    path = tmp_path / "checks.json"
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize(
    ("exercise", "answer", "right"),
    [
        ("ex-share", 0.5234, True),
        ("ex-share", 0.52, True),
        ("ex-share", 0.5299, True),
        ("ex-share", 0.5101, True),
        ("ex-share", 0.5301, False),
        ("ex-share", 0.5099, False),
        ("ex-slope", -0.0137, True),
        ("ex-slope", -0.01365, True),
        ("ex-slope", -0.0139, False),
        ("ex-count", 42, True),
        ("ex-count", 42.0, True),
        ("ex-count", 41, False),
        ("ex-count", 42.2, False),
    ],
)
def test_tolerance_is_one_unit(table: Path, exercise: str, answer: float, right: bool) -> None:
    assert check(exercise, answer, table).right is right


@pytest.mark.parametrize(
    ("exercise", "answer", "hint"),
    [
        ("ex-slope", 0.0137, "wrong sign"),
        ("ex-share", 52.34, "in percent"),
        ("ex-slope", -0.00137, "ten times as large"),
        ("ex-count", 0.42, "percent are asked"),
        ("ex-share", 0.7, "The share. Give it to two decimals."),
        ("ex-share", ..., "in place of the dots"),
        ("ex-share", [0.52], "is a list"),
        ("ex-share", True, "is a bool"),
        ("ex-share", float("nan"), "finite"),
    ],
)
def test_a_wrong_answer_gets_help(table: Path, exercise: str, answer: object, hint: str) -> None:
    said = check(exercise, answer, table)
    assert not said.right
    assert hint in repr(said)


def test_no_help_gives_the_answer_away(table: Path) -> None:
    assert "0.52" not in table.read_text()
    assert "0.52" not in repr(check("ex-share", 0.7, table))


def test_equal_answers_of_two_exercises_do_not_look_alike() -> None:
    assert sealed("a", 1, 0, "")["hash"] != sealed("b", 1, 0, "")["hash"]


def test_unknown_exercise_and_missing_table(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ex-share"):
        check("ex-other", 1, table)
    with pytest.raises(ValueError, match="folder it came in"):
        check("ex-share", 1, tmp_path / "nowhere.json")


def cut(*sources: str, wanted: str) -> list[str]:
    return needed([Cell(source, may_be_cut=True) for source in sources], {wanted})


class TestNeeded:
    def test_only_what_the_name_hangs_on(self) -> None:
        assert cut("a = 1", "b = 2", "c = a + 1", wanted="c") == ["a = 1", "", "c = a + 1"]

    def test_shown_cell_stays_whole(self) -> None:
        kept = needed([Cell("a = 1\nb = 2\nb")], {"a"})
        assert kept == ["a = 1\nb = 2\nb"]

    def test_a_function_needs_what_it_reads_when_it_is_called(self) -> None:
        kept = cut("def f():\n    return later", "later = 1", "x = f()", wanted="x")
        assert all(kept)

    def test_names_inside_functions_and_comprehensions_are_their_own(self) -> None:
        kept = cut("i = 5", "x = [i for i in range(3)]", wanted="x")
        assert kept == ["", "x = [i for i in range(3)]"]

    def test_what_is_changed_in_place(self) -> None:
        kept = cut("t = {}", "t['a'] = 1", "t.update(b=2)", "u = 3", wanted="t")
        assert kept == ["t = {}", "t['a'] = 1", "t.update(b=2)", ""]

    def test_what_was_before_is_forgotten(self) -> None:
        assert cut("a = 1", "a = 2", wanted="a") == ["", "a = 2"]

    def test_draws_before_a_draw_are_made(self) -> None:
        kept = cut(
            "import numpy as np\nrng = np.random.default_rng(1)",
            "def draw():\n    return rng.normal()",
            "first = draw()",
            "second = rng.normal()",
            wanted="second",
        )
        assert all(kept)

    def test_files_that_are_written(self) -> None:
        assert cut("path.write_text('x')", "a = 1", wanted="a")[0]

    def test_names_used(self) -> None:
        assert names_used("a = b\nc = a + len(d)") == {"b", "d"}
