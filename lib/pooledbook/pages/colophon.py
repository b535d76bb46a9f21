"""Sphinx extension: with what the book was made, and how long each chapter ran.

The directive ``run-times`` lists what the execution of each chapter left in its notebook;
``versions`` lists the packages of the environment that builds the site, which is the locked one.
"""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pooledbook import notebooks
from pooledbook.tree import Book


def run_times(book: Book) -> list[tuple[str, str, int]]:
    """List the page, title and seconds of every chapter that says how long it ran."""
    rows = []
    for chapter in book.chapters():
        if not chapter.notebook.exists():
            continue
        notebook = notebooks.read_notebook(chapter.notebook)
        seconds = notebook.metadata.get(notebooks.STAMP, {}).get("seconds")
        if seconds is not None:
            title = notebook.cells[0].source.lstrip("# ").splitlines()[0]
            rows.append((f"chapters/{chapter.name}", title, int(seconds)))
    return rows


def versions(root: Path) -> list[tuple[str, str]]:
    """List Python and the packages that the library and the chapters name, with their versions."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["book"]]
    names = sorted({re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in wanted}, key=str.lower)
    return [("Python", platform.python_version()), *((name, version(name)) for name in names)]


def table(header: Sequence[str], rows: Iterable[Sequence[nodes.Node]]) -> nodes.table:
    """Return a table of cells that are made already."""

    def line(cells: Iterable[nodes.Node]) -> nodes.row:
        entries = [nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells]
        return nodes.row("", *entries)

    columns = [nodes.colspec(colwidth=1) for _ in header]
    head = nodes.thead("", line(nodes.Text(word) for word in header))
    body = nodes.tbody("", *(line(cells) for cells in rows))
    return nodes.table("", nodes.tgroup("", *columns, head, body, cols=len(columns)))


class RunTimes(SphinxDirective):
    """A table of chapters and seconds."""

    def run(self) -> list[nodes.Node]:
        """Read the notebooks, and link each to its page."""
        book = Book.around(Path(self.env.app.confdir))
        rows = []
        for page, title, seconds in run_times(book):
            if page not in self.env.found_docs:
                continue
            self.env.note_dependency(str(book.root / f"{page}.ipynb"))
            link = addnodes.pending_xref(
                "", nodes.inline("", title), refdomain="std", reftype="doc", refexplicit=True,
                refwarn=True, reftarget=f"/{page}",
            )  # fmt: skip
            rows.append((link, nodes.Text(f"{seconds} s")))
        return [table(("chapter", "run time"), rows)]


class Versions(SphinxDirective):
    """A table of packages and their versions."""

    def run(self) -> list[nodes.Node]:
        """Ask the running environment."""
        rows = [
            (nodes.literal("", name), nodes.Text(number))
            for name, number in versions(Path(self.env.app.confdir))
        ]
        return [table(("package", "version"), rows)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("run-times", RunTimes)
    app.add_directive("versions", Versions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
