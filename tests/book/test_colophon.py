"""The page that says with what the book was made."""

from __future__ import annotations

import posixpath
import re
from importlib.metadata import version
from pathlib import Path

from bs4 import BeautifulSoup

from pooledbook.pages import colophon
from pooledbook.tree import Book

ROOT = Path(__file__).parents[2]


def test_every_chapter_says_how_long_it_ran():
    book = Book.around(ROOT)
    rows = colophon.run_times(book)
    assert [page for page, *_ in rows] == [f"chapters/{c.name}" for c in book.chapters()]
    assert all(0 < seconds < 600 for *_, seconds in rows)
    assert all(title and "#" not in title for _, title, _ in rows)


def test_versions_are_those_of_the_lock():
    found = dict(colophon.versions(ROOT))
    lock = (ROOT / "requirements.txt").read_text("utf8")
    for name in set(found) - {"Python"}:
        assert re.search(rf"^{name}==({re.escape(version(name))})\b", lock, re.MULTILINE), name
    assert {"numpy", "linearmodels", "jupyter-book"} <= set(found)


def test_the_page_links_each_chapter(site: Path):
    page = BeautifulSoup(
        (site / "chapters/back/about_this_book.html").read_text("utf8"), "html.parser"
    )
    links = {a["href"] for a in page.select("table a")}
    for chapter in Book.around(ROOT).chapters():
        target = posixpath.relpath(f"chapters/{chapter.name}.html", "chapters/back")
        assert target in links
