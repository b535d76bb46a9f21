"""Pages for a reader's own trials: HELP, the synthetic six, and small trials that lack something."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import jupytext
import numpy as np
import pandas as pd
import pytest
import yaml

import pooledbook.own as own
from pooledbook import notebooks
from pooledbook.own import building, discretion, showing
from pooledbook.own import planning as own_planning
from pooledbook.own.__main__ import main
from pooledbook.own.records import OUTCOMES, Records, open_records
from pooledbook.tree import Book, BookError
from pooledtrials import instruments, panels, pooling

ITEMS = [f"D{k}" for k in (*range(3, 12), 13, 27, 29, 31)]
TABLES = {
    "index": ["The trials", "The arms", "Arms that set out"],
    "pooling": [
        "Participant flow", "At the start", "Flags", "harmonisation log", "composite could be scored",
        "rows that analyses use", "Meeting days in thirty",
    ],
    "instruments": [
        "Arms that set out", "active and the comparison arms", "first stage among", "by planned month",
        "instrument of its own", "one instrument: the active arm", "an instrument per trial", "permuting",
    ],
    "panels": [
        "every method", "random effects estimate", "in each trial", "one stage and two",
        "trials as clusters", "specification curve",
    ],
    "left": ["Follow-up by arm", "predicts", "as seen, weighted, and imputed", "tipping point", "Lee bounds"],
    "selection": [
        "robustness of fixed effects", "as strong as readiness", "E-value", "negative controls",
        "sensitivity of the randomized answer", "direct effect", "going weekly", "those lost", "ladder",
    ],
    "planning": ["spreads", "same again", "next trial would need"],
}  # fmt: skip
"""What each page has to show, by words of the caption."""


def make_trial(folder: Path, name: str, months: tuple[int, ...] = (0, 3), **changes: str) -> Path:
    """Invent a small trial: sixty people at ten sites, a table and its specification."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(31)
    people = pd.DataFrame({"pid": np.arange(60), "site": np.arange(60) % 10})
    by_site = changes.get("allocation") == "cluster"
    dealt = np.where(people["site"] < 5, "GO", "STAY") if by_site else np.resize(["GO", "STAY"], 60)
    people["arm"], people["age"] = dealt, rng.integers(21, 62, 60)
    visits = pd.DataFrame({"visit": [f"m{m}" for m in months], "day": [30 * m for m in months]})
    table = people.merge(visits, how="cross")
    n, after = len(table), table["day"].gt(0)
    table["days"] = (rng.random(n) < 0.6) * rng.integers(1, 21, n)
    table[ITEMS] = 0
    table["D8"] = rng.normal(15 - 7 * after, 8).round().clip(0, 30).astype(int)
    table["D29"] = np.minimum(rng.integers(0, 5, n), table["D8"])
    lost = after & (table["pid"] // 2 % 9).eq(0)  # four of each arm, or of the sites' arms
    table[~lost].to_csv(folder / f"{name}.csv", index=False)
    said = {
        "trial": name, "title": f"An invented trial, {name}", "citation": "unpublished",
        "source": changes.get("source", "private"), "population": "nobody",
        "design": {
            "allocation": changes.get("allocation", "individual"),
            "arms": [
                {"code": code, "name": called, "role": role, "facilitates": what, "argument": "none"}
                for code, called, role, what in (
                    ("STAY", "usual", "comparison", "nothing"),
                    ("GO", "referral", "active", changes.get("facilitates", "meetings")),
                )
            ],
        },
        "waves": [{"code": f"m{m}", "month": m, "window": [m * 0.8, m]} for m in months],
        "folder": ".", "tables": {"interviews": {"file": f"{name}.csv", "layout": "long"}},
        "patient": "pid", "visit": "visit", "site": "site", "arm": "arm",
        "time": {"column": "day", "unit": "days"},
        "attendance": {"asked": "days", "window_days": 30, "amount": "days"},
        "baseline": {"age": {"column": "age", "description": "years"}},
        "items": {item: item for item in ITEMS},
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(said, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def bench(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A folder that is enough of a book, so that a test does not write into the checkout."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "chapters" / "src").mkdir(parents=True)
    shutil.copytree(root / "chapters" / "_static", folder / "chapters" / "_static")
    for name in ("_config.yml", "requirements.txt"):
        shutil.copyfile(root / name, folder / name)
    return Book(folder)


Pages = Callable[..., dict[str, str]]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    """Run the cells of pages here, without kernels, and return what each page displays."""

    def run(records: Records, *names: str) -> dict[str, str]:
        monkeypatch.setattr(own, "open_records", lambda _: records)
        found = {}
        for name in names or building.PAGES:
            said: list[str] = []
            for way in ("_display", "_display_drawing"):
                monkeypatch.setattr(showing, way, lambda _, words, said=said: said.append(words))
            page = jupytext.read(Path(own.__file__).parent / f"{name}.md")
            scope: dict[str, object] = {}
            for cell in page.cells:
                if cell.cell_type == "code":
                    exec(cell.source, scope)
            found[name] = "\n".join(said)
        return found

    return run


def refusals(text: str) -> list[str]:
    return re.findall(r"^Not here: (.+)$", text, flags=re.M)


def captions_hold(found: dict[str, str], records: Records, *missing: str) -> None:
    """Every table is there with whose records it shows; only those of `missing` are refused."""
    ending = f"{records.title}: {records.data}."
    for page, text in found.items():
        for words in TABLES[page]:
            lines = [line for line in text.splitlines() if words in line and line.endswith(ending)]
            assert lines, (page, words)
            assert any(line.startswith("Not here: ") for line in lines) == (words in missing), lines


@pytest.fixture(scope="module")
def of_help(root: Path, bench: Book) -> Book:
    source = root / "data" / "trials" / "help.yaml"
    made = building.prepare(bench, open_records(source), source)
    building.execute(made, 2)
    return made


def text_of(made: Book, page: str) -> str:
    notebook = notebooks.read_notebook(made.folder / f"{page}.ipynb")
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert all(o.output_type == "display_data" for o in outputs)
    return "\n".join(o.data["text/plain"] for o in outputs)


def test_every_part_has_its_tables_for_help(of_help: Book, root: Path) -> None:
    records = open_records(root / "data" / "trials" / "help.yaml")
    found = {page: text_of(of_help, page) for page in building.PAGES}
    several = ("instrument of its own", "an instrument per trial", "in each trial")
    several += ("one stage and two", "trials as clusters")
    captions_hold(found, records, "Arms that set out", *several)
    assert "help is one trial: a meta-analysis needs two or more" in found["panels"]
    assert "no arm of help facilitates twelve-step meetings" in found["instruments"]


def test_the_pages_show_what_the_library_finds(of_help: Book) -> None:
    panel = pooling.load_trial("help").panel
    rows = pooling.analysis_set(panel)
    ratio = instruments.wald_ratio(**rows.instrumented)
    shown = text_of(of_help, "instruments")
    assert showing.number(ratio.intention_to_treat.coefficient) in shown
    assert showing.number(10 * ratio.first_stage.coefficient) in shown
    within = panels.fit(**pooling.analysis_set(panel, interviews="all").repeated)
    assert showing.number(within.coefficient) in text_of(of_help, "panels")


@pytest.mark.parametrize("name", ["trials/help", "pools/six"])
def test_the_plan_holds_the_interviews_that_were_held(root: Path, name: str) -> None:
    records = open_records(root / "data" / f"{name}.yaml")
    plans, _ = own_planning.same_again(records, "asi_drug")
    rows = pooling.analysis_set(records.panel, "asi_drug")
    assert sum(plan.interviews for plan in plans) == pytest.approx(len(rows))
    assert sum(plan.patients for plan in plans) == len(
        records.panel.drop_duplicates(["trial", "patient"])
    )


def test_the_site_of_help_needs_nothing_from_elsewhere(of_help: Book) -> None:
    first = building.build(of_help)
    assert first.is_relative_to(of_help.root / "_build")
    pages = sorted((first.parent / "chapters").glob("*.html"))
    assert [page.stem for page in pages] == sorted(building.PAGES)
    for page in pages:
        text = page.read_text("utf8")
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]+\.(?:js|css)', text)
        assert "example/pooled-trials" not in text
    assert "the ladder of evidence" in (first.parent / "chapters" / "selection.html").read_text()


def test_every_part_has_its_tables_for_the_six(root: Path, pages: Pages) -> None:
    records = open_records(root / "data" / "pools" / "six.yaml")
    assert records.data == "synthetic"
    quick = [page for page in building.PAGES if page != "left"]  # imputing the six takes a minute
    found = pages(records, *quick)
    captions_hold(found, records, "Flags", "as strong as readiness")
    assert all(name in found["panels"] for name in records.sources)
    assert "random slopes" in found["panels"] or "if slopes differ" in found["panels"]


@pytest.fixture(scope="module")
def private(bench: Book) -> Path:
    return make_trial(bench.root / "data" / "private" / "small", "small")


def test_a_private_trial_of_one_wave(private: Path, pages: Pages) -> None:
    records = open_records(private)
    found = pages(records)
    several = ("instrument of its own", "an instrument per trial", "in each trial")
    several += ("one stage and two", "trials as clusters")
    only_once = ("negative controls", "spreads", "same again", "next trial would need")
    hidden = ("tipping point", "those lost")
    captions_hold(found, records, *several, *only_once, *hidden, "Flags", "as strong as readiness")
    assert "few were lost from an arm" in found["left"]


def test_small_counts_of_a_private_trial_are_hidden(private: Path, pages: Pages) -> None:
    records = open_records(private)
    later = records.panel[records.panel["wave"].gt(0)]
    lost = later.groupby("arm")["observed"].agg(lambda held: int((~held).sum()))
    assert lost.between(1, 10).all()
    seen = records.panel["observed"].sum()
    # 112 interviews of 120 planned would tell that 8 were missed, wherever it stands
    telling = {str(seen), str(later["observed"].sum()), *map(str, 30 - lost)}
    found = pages(records)
    for page, text in found.items():
        plain = re.sub(r"-?\d+\.\d+(?:e-?\d+)?", "", text)
        assert not telling & set(re.findall(r"(?<![\w.≈<])\d+(?![\w.])", plain)), page
    assert "<11" in found["pooling"]
    assert "hidden" in found["left"]


def test_a_site_randomized_trial_counts_sites(tmp_path: Path, pages: Pages) -> None:
    path = make_trial(tmp_path, "places", (0, 3, 6), allocation="cluster", source="real")
    found = pages(open_records(path), "instruments", "selection", "planning")
    assert "10 clusters, clustered covariance" in found["instruments"]
    assert "places randomized sites" in found["selection"]
    assert len(refusals(found["planning"])) == 2


def test_a_pool_says_whose_records_are_which(root: Path, private: Path, pages: Pages) -> None:
    pool = private.parent / "pool.yaml"
    pool.write_text("pool: both\ntitle: Two\ntrials: [small.yaml, help]\n")
    records = open_records(pool)
    assert records.data == "private (small); real (help)"
    found = pages(records, "index", "panels")
    assert refusals(found["panels"]) == [
        f"Alcohol score: {what} Two: {records.data}."
        for what in (
            "fixed effects in each trial, and their mean.", "one stage and two.", "trials as clusters."
        )
    ]  # fmt: skip
    assert "Without one of two trials there is nothing to pool." in found["panels"]
    assert "No arm of help facilitates meetings." in found["index"]


def test_nothing_is_written_outside_build(bench: Book, private: Path) -> None:
    def outside() -> dict[Path, bytes]:
        files = [p for p in bench.root.rglob("*") if p.is_file() and "_build" not in p.parts]
        return {path: path.read_bytes() for path in files}

    before = outside()
    made = building.prepare(bench, open_records(private), private)
    only = [chapter for chapter in made.chapters() if chapter.name != "pooling"]
    for chapter in only:
        chapter.text.unlink()
    building.execute(made, 1)
    assert (made.folder / "pooling.ipynb").exists()
    assert outside() == before
    settings = yaml.safe_load((made.root / "_config.yml").read_text("utf8"))
    options = settings["sphinx"]["config"]["html_theme_options"]
    assert options["announcement"] == building.WARNING


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("hepl", "Did you mean help?"),
        ("mine", "There are seven, six, ccts"),
        ("nowhere/mine.yaml", "there is no such file"),
    ],
)
def test_a_wrong_name_is_told(
    root: Path, wish: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([wish, "--root", str(root)]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "python -m pooledtrials check" in told


def test_a_trial_that_is_not_ready_is_told(tmp_path: Path, bench: Book) -> None:
    path = make_trial(tmp_path, "broken")
    path.write_text(path.read_text().replace("population:", "populaton:"))
    with pytest.raises(BookError, match=r"(?s)did you mean 'population'.*pooledtrials check"):
        building.ready(path, str(path))


def test_templates_and_contents_agree() -> None:
    folder = Path(own.__file__).parent
    assert {path.stem for path in folder.glob("*.md")} == set(building.PAGES) == set(TABLES)
    for page in building.PAGES:
        assert building.PLACE in (folder / f"{page}.md").read_text("utf8")
    assert set(OUTCOMES) == {"asi_drug", "asi_alcohol"}


def test_warnings_are_told_and_defects_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(showing, "_display", lambda html, plain: said.append(plain))

    def warns() -> str:
        np.float64(1.0) / np.float64(0.0)
        return "done"

    showing.show(warns, "Something", False)
    assert said[0] == "Something"
    assert "divide by zero" in said[-1]
    with pytest.raises(KeyError):
        showing.show(lambda: {}["nothing"], "Something", False)


def test_tables_say_what_their_headers_head() -> None:
    table = pd.DataFrame(
        {"p_value": [0.04, np.nan], "in words": ["<b>", "x" * 40]}, index=["a", "b"]
    )
    html = showing.table_html(table, "A caption")
    assert html.count('scope="row"') == 2
    assert html.count('scope="col"') == 3
    assert "<b>" not in html
    assert '<td class="words long">' in html
    assert ">p value<" in html
    assert "nan" not in html


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("7 of 120 rows are lost", "fewer than 11 of about 120 rows are lost"),
        ("53 patients", "about 50 patients"),
        ("n = 9, F(1, 52)", "n = fewer than 11, F(1, ≈50)"),
        ("3 of rows, at the 95 % level, 0.5", "3 of rows, at the 95 % level, 0.5"),
        ("0 imputed values", "0 imputed values"),
    ],
)
def test_sentences_about_private_people(said: str, shown: str) -> None:
    assert discretion.discreet_words(said) == shown


def test_counts_in_tables_about_private_people() -> None:
    table = pd.DataFrame(
        {"patients": [4, 53, 0], "estimate": [4.0, np.inf, 0.5], "month": [3, 6, 9]}
    )
    shown = discretion.discreet_table(table)
    assert shown["patients"].tolist() == ["<11", "≈50", "0"]
    assert shown["estimate"].tolist() == table["estimate"].tolist()
    assert shown["month"].tolist() == [3, 6, 9]
    single = pd.DataFrame({"value": [4.0, 4.0]}, index=["weighted rows", "largest weight"])
    assert discretion.discreet_table(single)["value"].tolist() == ["<11", 4.0]
    table.attrs[discretion.SAFE] = True
    assert discretion.discreet_table(table) is table


def test_a_remainder_tells_as_much_as_a_count() -> None:
    parts = pd.DataFrame({"interviewed": [30, 28, 4, 15]})
    shown = discretion.hide_with_complement(parts, pd.Series([30, 30, 30, 30]))
    assert shown["interviewed"].tolist() == [30, "hidden", "hidden", 15]
