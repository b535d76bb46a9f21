"""The sheets of the class experiment: what is printed agrees with the deal, and gives nothing away."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from pooledbook.teaching import handout
from pooledtrials.planning.studies import load_study
from pooledtrials.planning.studies.classroom import ROUNDS, Deal, deal

STUDENTS = 3


@pytest.fixture(scope="module")
def dealt() -> Deal:
    return deal(load_study("two_worlds"), STUDENTS, seed=5)


@pytest.fixture(scope="module")
def sheets(dealt: Deal) -> BeautifulSoup:
    return BeautifulSoup(handout.cards(dealt), "html.parser")


def test_a_sheet_a_student_with_every_round(sheets: BeautifulSoup) -> None:
    assert len(sheets.find_all("section")) == STUDENTS
    for sheet in sheets.find_all("section"):
        headings = [tag.get_text() for tag in sheet.find_all("h2")]
        assert len(headings) == len(ROUNDS)
        assert all(r.name in words for r, words in zip(ROUNDS, headings, strict=True))
        assert len(sheet.select(".pair")) == 4 * len(ROUNDS)
        assert "synthetic" in sheet.get_text()


def test_pairs_say_what_was_dealt(dealt: Deal, sheets: BeautifulSoup) -> None:
    spoken = [tag["aria-label"] for tag in sheets.find("section").find_all("svg")]
    row = dealt.pairs.loc[(ROUNDS[0].name, 1, 1)]
    assert spoken[0].startswith(f"A: {row['A', 'estimate']:.3f}, from {row['A', 'low']:.3f}")
    assert f"B: {row['B', 'estimate']:.3f}" in spoken[0]


def test_what_is_drawn_stays_on_the_card(sheets: BeautifulSoup) -> None:
    for line in sheets.find_all("line"):
        assert 0 <= float(line["x1"]) <= float(line["x2"]) <= handout.WIDTH


def test_sheets_do_not_give_the_key_away(dealt: Deal, sheets: BeautifulSoup) -> None:
    for world in ("works", "selection"):
        assert world not in str(sheets)
    for answers in ("".join(side) for _, side in dealt.key.groupby(level=["round", "student"])):
        assert answers not in sheets.get_text().replace(" ", "")


def test_the_key_is_the_deals(dealt: Deal) -> None:
    rows = BeautifulSoup(handout.key(dealt), "html.parser").select("tbody tr")
    assert len(rows) == STUDENTS
    for row in rows:
        sheet, *cells = [tag.get_text().split() for tag in row.find_all(["th", "td"])]
        for shown, sides in zip(ROUNDS, cells, strict=True):
            assert sides == list(
                dealt.key.xs((shown.name, int(sheet[0])), level=("round", "student"))
            )


def test_nothing_comes_from_elsewhere(dealt: Deal) -> None:
    for page in (handout.cards(dealt), handout.key(dealt)):
        assert "http" not in page
        assert "<script" not in page


def test_command_writes_both_or_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chapters/src").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert handout.main(["--students", "2", "--seed", "1"]) == 0
    assert {p.name for p in (tmp_path / "_build/class").iterdir()} == {"cards.html", "key.html"}
    assert handout.main(["--students", "900", "--seed", "1"]) == 1
    assert "deal fewer" in capsys.readouterr().err
