"""From the page templates and a reader's trials to executed notebooks, and to a site of them."""

from __future__ import annotations

import difflib
import os
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode

from pooledbook import notebooks, site
from pooledbook.chapters import each_run
from pooledbook.own.records import Records, open_records
from pooledbook.tree import Book, BookError, Chapter
from pooledtrials.pooling.report import check

PAGES = ("index", "pooling", "instruments", "panels", "left", "selection", "planning")
"""The templates beside this file, in the order of the book."""
PLACE = "@POOL@"
"""In a template: the path of the YAML file, seen from the notebook."""
WITHOUT = {
    "sphinx_exercise", "sphinx_proof", "sphinxcontrib.bibtex",
    "pooledbook.pages.reference", "pooledbook.pages.citation", "pooledbook.pages.colophon",
}  # fmt: skip
"""Extensions of the book that these pages have no use for."""
WARNING = (
    "Private records: these pages are for your own screen. Small counts are hidden within each"
    " table, but what several tables tell together is for you to judge before you show them."
)


def find(book: Book, wish: str) -> Path:
    """Return the YAML file that `wish` names: a path, or a pool or trial that the book ships.

    Raises
    ------
    BookError
        If there is none; the message says what there is.
    """
    path = Path(wish)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if path.is_file():
            return path.resolve()
        raise BookError(f"POOL={wish}: there is no such file\n{_advice(wish)}")
    shipped = {
        file.stem: file
        for folder in ("pools", "trials")
        for file in sorted((book.root / "data" / folder).glob("*.yaml"))
    }
    if wish in shipped:
        return shipped[wish]
    close = difflib.get_close_matches(wish, shipped, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise BookError(
        f"POOL={wish}: the book ships no pool or trial of this name.{meant} There are"
        f" {', '.join(shipped)}; or give the YAML file of your own.\n{_advice('your_trial.yaml')}"
    )


def ready(path: Path, wish: str) -> Records:
    """Load the records if pool and trials are ready for the book.

    Raises
    ------
    BookError
        If they are not, with what the check says.
    """
    well, report = check(path)
    if not well:
        raise BookError(f"{report}\n\nMend this first. {_advice(wish)}")
    return open_records(path)


def prepare(book: Book, records: Records, source: Path) -> Book:
    """Write the pages' texts and all that a site needs into the pool's folder of ``_build``.

    Parameters
    ----------
    source : the YAML file that `records` were loaded from
    """
    made = book.root / "_build" / "own" / records.name
    shutil.rmtree(made / "chapters", ignore_errors=True)
    texts = made / "chapters" / "src"
    texts.mkdir(parents=True)
    for page in PAGES:
        template = files("pooledbook.own").joinpath(f"{page}.md").read_text("utf8")
        place = Path(os.path.relpath(source, made / "chapters")).as_posix()
        notebooks.write_whole(texts / f"{page}.md", template.replace(PLACE, place))
    static = made / "chapters" / "_static"
    shutil.copytree(book.folder / "_static", static)
    style = files("pooledbook.own").joinpath("own.css").read_text("utf8")
    notebooks.write_whole(static / "own.css", style)
    shutil.copyfile(book.root / "requirements.txt", made / "requirements.txt")
    notebooks.write_whole(made / "_config.yml", yaml.safe_dump(_configuration(book, records)))
    contents = {
        "format": "jb-book",
        "root": f"chapters/{PAGES[0]}",
        "chapters": [{"file": f"chapters/{page}"} for page in PAGES[1:]],
    }
    notebooks.write_whole(made / "_toc.yml", yaml.safe_dump(contents))
    return Book(made)


def execute(own: Book, jobs: int) -> None:
    """Execute all pages of `own`, and keep their notebooks.

    Raises
    ------
    BookError
        With what went wrong on each page that could not be executed.
    """

    def keep(chapter: Chapter, notebook: NotebookNode) -> list[str]:
        notebooks.write_notebook(chapter.notebook, notebook)
        return []

    chapters = sorted(own.chapters(), key=lambda c: c.name != "left")  # the longest first
    if complaints := each_run(own, chapters, jobs, keep):
        raise BookError("\n\n".join(complaints))


def build(own: Book) -> Path:
    """Build the site of `own`, and return its first page."""
    with site.alone(own.root):
        return site.build(own.root)


def _configuration(book: Book, records: Records) -> dict[str, Any]:
    """The book's own configuration, without what belongs to the book as published."""
    settings: dict[str, Any] = yaml.safe_load((book.root / "_config.yml").read_text("utf8"))
    for of_the_book in ("repository", "launch_buttons", "bibtex_bibfiles"):
        settings.pop(of_the_book, None)
    settings["title"] = f"{records.title} ({records.data})"
    settings["author"] = settings["copyright"] = ""
    settings["html"] = {"favicon": settings["html"]["favicon"]}
    options = settings["sphinx"]["config"]
    options["extensions"] = [name for name in options["extensions"] if name not in WITHOUT]
    for name in [name for name in options if str(name).startswith("bibtex")]:
        del options[name]
    options["html_css_files"] = [*options["html_css_files"], "own.css"]
    if records.private:
        options["html_theme_options"]["announcement"] = WARNING
    return settings


def _advice(wish: str) -> str:
    return (
        f"Whether a trial or a pool is ready says: .venv/bin/python -m pooledtrials check {wish}"
        " (the chapter Your own trials goes through it)"
    )
