"""The reference: each public name has an entry, and each entry an example that was executed."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from pooledbook.pages.docstrings import as_rst, items, linked
from pooledbook.pages.entries import (
    FOLDER,
    LIBRARY,
    PAGES,
    Entry,
    all_entries,
    constant,
    entries_of,
    resolve,
    used_in,
    uses,
)
from pooledbook.pages.reference import link_among, methods, readable, whole_docstring
from pooledtrials.results import Estimate

ROOT = Path(__file__).parents[2]
ENTRIES = all_entries(ROOT)
DOCUMENTED = [path for entry in ENTRIES for path in entry.names]
PACKAGES = [page for page in PAGES if page != "results"] + ["pooling.twin"]
ENTRY = re.compile(r"^```\{entry\} (.+)$", re.MULTILINE)


def shown(text: str) -> str:
    return f"<{text}>"


def examples(page: str) -> list[tuple[list[str], nbformat.NotebookNode]]:
    """Return the entries of a page's notebook, each with the cell below it."""
    cells = nbformat.read(ROOT / "chapters" / FOLDER / f"{page}.ipynb", as_version=4).cells
    return [
        (ENTRY.findall(cell.source), below)
        for cell, below in itertools.pairwise(cells)
        if ENTRY.search(cell.source)
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_an_entry(package: str) -> None:
    module = importlib.import_module(f"{LIBRARY}.{package}")
    common = [resolve(path) for path in DOCUMENTED if path.split(".")[0] not in PACKAGES]
    missing = {
        name
        for name in module.__all__
        if f"{package}.{name}" not in DOCUMENTED
        and not any(getattr(module, name) is thing for thing in common)
    }
    assert missing == set()


def test_every_entry_is_of_something_that_exists_and_is_public() -> None:
    for path in DOCUMENTED:
        module, _, name = path.rpartition(".")
        names = getattr(importlib.import_module(f"{LIBRARY}.{module}"), "__all__", [name])
        assert name in names, path
        assert resolve(path) is not None


def test_no_name_has_two_entries() -> None:
    assert sorted(set(DOCUMENTED)) == sorted(DOCUMENTED)


@pytest.mark.parametrize("page", PAGES)
def test_every_entry_has_an_executed_example_below_it(page: str) -> None:
    found = examples(page)
    assert len(found) == sum(entry.page == page for entry in ENTRIES)
    for names, cell in found:
        (name,) = names  # one entry to an example
        assert cell.cell_type == "code", name
        assert cell.execution_count, name
        assert cell.outputs, name
        first = name.split()[0].rsplit(".", 1)[-1]
        if not inspect.isclass(next(resolve(p) for p in DOCUMENTED if p.endswith(f".{first}"))):
            assert re.search(rf"\b{first}\b", cell.source), name


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_an_overview_and_groups_its_entries(page: str) -> None:
    text = (ROOT / "chapters" / "src" / FOLDER / f"{page}.md").read_text("utf8")
    assert text.index("```{overview}") < text.index("\n## ") < text.index("```{entry}")
    assert all(entry.heading for entry in ENTRIES)


def test_the_site_shows_each_entry_with_the_chapters_that_use_it(site: Path) -> None:
    for page in PAGES:
        html = (site / "chapters" / FOLDER / f"{page}.html").read_text("utf8")
        soup = BeautifulSoup(html, "html.parser")
        for entry in (entry for entry in ENTRIES if entry.page == page):
            for path in entry.names:
                signature = soup.find(id=f"{LIBRARY}.{path}")
                assert signature is not None, path
                links = {a["href"] for a in signature.find_next("dd").find_all("a", href=True)}
                for chapter in uses(ROOT).get(path, ()):
                    if (site / "chapters" / f"{chapter}.html").exists():
                        assert f"../{chapter}.html" in links, path


def test_a_chapter_uses_what_its_code_names() -> None:
    code = (
        "from pooledtrials import instruments as iv, pooling\n"
        "from pooledtrials.pooling import twin\n"
        "from pooledtrials.selection.bounds import Bounds\n"
        "import pandas as pd\n"
        "iv.tsls(**rows); twin.simulate(); pooling.load_trial('help').panel\n"
        "pd.DataFrame()\n"
    )
    used = used_in(code)
    named = {"instruments.tsls", "pooling.twin.simulate", "pooling.load_trial", "selection.Bounds"}
    assert named <= used
    assert not {name for name in used if "DataFrame" in name or "panel" in name.split(".")[:2]}


def test_chapters_use_the_library() -> None:
    found = uses(ROOT)
    assert "pooling/one_real_trial" in found["pooling.load_trial"]
    assert not any(
        chapter.startswith(FOLDER) for chapters in found.values() for chapter in chapters
    )


def test_entries_are_read_with_their_heading() -> None:
    text = "## Strength\n\n```{entry} first_stage FirstStage\n```\n\n```{entry} results.Test\n```\n"
    assert list(entries_of(text, "instruments")) == [
        Entry("instruments", "Strength", ("instruments.first_stage", "instruments.FirstStage")),
        Entry("instruments", "Strength", ("results.Test",)),
    ]


def test_a_name_is_looked_up_on_its_own_page_first() -> None:
    entries = [
        Entry("panels", "Fit", ("panels.by_trial",)),
        Entry("instruments", "Trials", ("instruments.by_trial",)),
    ]
    assert "pooledtrials.panels.by_trial" in link_among(entries, "by_trial", "panels")
    assert "pooledtrials.instruments.by_trial" in link_among(entries, "by_trial", "instruments")
    assert "pooledtrials.panels.by_trial" in link_among(entries, "panels.by_trial", "instruments")
    assert link_among(entries, "nowhere", "panels") == "``nowhere``"


def test_prose_keeps_its_literals_and_gets_its_links() -> None:
    text = "``|t|`` of `fit` in [lee2022valid], |t| not [at 1]"
    written = r"``|t|`` of <fit> in :cite:p:`lee2022valid`, \|t\| not [at 1]"
    assert linked(text, shown) == written


def test_a_section_is_read_as_it_was_meant() -> None:
    section = (
        "y, x : (n,)\n    Outcome.\nsize : rejection rate\n    of the test\nstatistic\n    AR."
    )
    assert list(items(section)) == [
        ("y, x", "(n,)", "Outcome."),
        ("size", "", "rejection rate of the test"),
        ("statistic", "", "AR."),
    ]


def test_a_docstring_becomes_prose_and_fields() -> None:
    docstring = (
        "Fit.\n\nParameters\n----------\n**rows : frames\n\nAfter.\n\nReturns\n-------\nTest\n"
    )
    written = as_rst(docstring, shown)
    assert ":Parameters:\n   **\\*\\*rows**\n      frames" in written
    assert "\n\nAfter.\n\n" in written
    assert ":Returns:\n   <Test>" in written


def test_every_constant_is_described_where_it_is_defined() -> None:
    kinds = (inspect.isclass, inspect.isfunction, inspect.ismodule)
    constants = [p for p in DOCUMENTED if not any(kind(resolve(p)) for kind in kinds)]
    assert "panels.EFFECTS" in constants
    assert [p for p in constants if len(constant(p)) < 25] == []


def test_a_function_says_what_it_returns() -> None:
    def bare(x: float) -> Estimate:
        """Fit.

        Raises
        ------
        ValueError
            Always.
        """

    assert whole_docstring(bare) == (
        "Fit.\n\nReturns\n-------\nEstimate\n\nRaises\n------\nValueError\n    Always."
    )


def test_signatures_are_names_and_defaults() -> None:
    def estimate(y: list[float], *, level: float = 0.95, names: tuple[str, ...] = ("a" * 30,)):
        return y, level, names

    assert readable(estimate) == "(y, *, level=0.95, names=...)"


def test_members_are_those_that_the_library_gives() -> None:
    members = {name: words for name, _, words in methods(resolve("results.Estimate"))}
    assert members["t_value"] == "Coefficient over standard error."
    assert "interval(level=0.95, reference='normal')" in members
    assert not any(name.startswith("_") for name in members)
