"""``python -m pooledbook.teaching.student``: the student edition, the book without its solutions.

It is a folder to hand out, ``_build/student``: a book of its own with the same library and data,
the built site, and an exercise notebook for every chapter. What the solutions say, compute, keep or
draw is not in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml
from nbformat import NotebookNode

from pooledbook import notebooks, site
from pooledbook.teaching.exercises import exercises, without_solutions
from pooledbook.teaching.needed import Cell
from pooledbook.teaching.selfcheck import TABLE
from pooledbook.teaching.worksheets import Chapter as Source
from pooledbook.teaching.worksheets import checks, kept_in, worksheet
from pooledbook.tree import Book, BookError, Chapter

LEFT_OUT: Final = ("chapters/back/for_teachers", "chapters/back/about_this_book")
"""Pages for teachers, or with a way to the whole book."""
_NOT_COPIED: Final = {"tests", "_build", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
_NEVER: Final = shutil.ignore_patterns(
    "__pycache__", "*.egg-info", ".ipynb_checkpoints", "private", "*.pyc"
)
_LINK: Final = r"\[(?P<words>[^\]]+)\]\((?P<to>[^)#\s]+)(?:#[^)\s]*)?\)"
_ENTRY: Final = rf"^(?:- |\*\*[^*\n]+\*\* ){_LINK}.*\n?(?:(?!- |:).+\n?)*"
_LABEL: Final = r"^ *(?::label:|name:) (\S+)$|^\(([\w-]+)\)=$|^\$\$ \(([\w-]+)\)$"
_REFERENCE: Final = r"\{(?:prf:ref|numref|ref|eq)\}`(?:[^`<]*<)?([\w-]+)>?`"
README: Final = """\
# Works If You Work It? The student edition

The book without the solutions of its exercises. Open `_build/html/index.html` to read it.

The exercises are in `exercises/`, a notebook for each chapter. On Linux or macOS with Python 3.11
or newer and `make`, the command `make lab` sets up everything (once, with a network) and opens
JupyterLab; go to `exercises/` there. A cell that begins with `check(` says whether your number is
right, to within one unit of the last decimal asked for, and if not, what may have gone wrong. Where
an answer is a judgement you find questions to ask yourself instead.
"""


def make(book: Book, to: Path, withheld: Sequence[str] = LEFT_OUT) -> Book:
    """Write the student edition's sources and exercise notebooks into the folder `to`.

    `withheld` are pages, as the contents name them, that are left out together with all links to
    them. Raises `BookError` if a chapter was not executed, or a mark cannot be read.
    """
    shutil.rmtree(to, ignore_errors=True)
    _copy_surroundings(book, to)
    student = Book(to)
    labels = _labels(c for c in book.chapters() if f"chapters/{c.name}" in withheld)
    for page in sorted(book.folder.rglob("*.md")):
        name = page.relative_to(book.root).with_suffix("").as_posix()
        if "src" not in page.relative_to(book.folder).parts and name not in withheld:
            written = unlinked(page.read_text("utf8"), PurePosixPath(name).parent, withheld)
            notebooks.write_whole(to / f"{name}.md", unreferred(written, labels))
    table: dict[str, Any] = {}
    for chapter in book.chapters():
        if f"chapters/{chapter.name}" not in withheld:
            text = without_solutions(chapter.text.read_text("utf8"))
            folder = PurePosixPath("chapters", chapter.name).parent
            text = unreferred(unlinked(text, folder, withheld), labels)
            table |= _student_chapter(book, student, chapter, text)
    notebooks.write_whole(to / "exercises" / TABLE, json.dumps(table, indent=1) + "\n")
    return student


def unlinked(text: str, folder: PurePosixPath, withheld: Sequence[str]) -> str:
    """Return `text`, of a page in `folder`, without links to pages that are `withheld`.

    An entry of a list that begins with such a link goes as a whole, and so does a paragraph in
    which it follows a first word in bold. Of other links the words stay.
    """

    def leads_out(found: re.Match[str]) -> bool:
        target: list[str] = []
        for part in (folder / found["to"]).with_suffix("").parts:
            target = target[:-1] if part == ".." else [*target, part]
        return "/".join(target) in withheld

    def whole(found: re.Match[str]) -> str:
        return "" if leads_out(found) else found[0]

    def words(found: re.Match[str]) -> str:
        return found["words"] if leads_out(found) else found[0]

    text = re.sub(_ENTRY, whole, text, flags=re.MULTILINE)
    return re.sub(_LINK, words, text)


def unreferred(text: str, labels: Set[str]) -> str:
    """Return `text` with words in place of references to `labels`, which are on withheld pages."""

    def words(found: re.Match[str]) -> str:
        return "a later chapter" if found[1] in labels else found[0]

    return re.sub(_REFERENCE, words, text)


def _labels(chapters: Iterable[Chapter]) -> set[str]:
    found = "\n".join(chapter.text.read_text("utf8") for chapter in chapters)
    groups = re.findall(_LABEL, found, re.MULTILINE)
    return {label for group in groups for label in group if label}


def _copy_surroundings(book: Book, to: Path) -> None:
    to.mkdir(parents=True)
    for path in sorted(book.root.iterdir()):
        hidden = path.name.startswith(".") and path.name != ".ci"
        if hidden or path.name in _NOT_COPIED or path.name == "chapters" or path.suffix == ".yml":
            continue
        if path.is_dir():
            shutil.copytree(path, to / path.name, ignore=_NEVER)
        else:
            shutil.copy2(path, to / path.name)
    for path in (p for p in book.folder.rglob("*") if p.is_file()):
        below = path.relative_to(book.root)
        if path.suffix not in (".md", ".ipynb") and not any(p.startswith(".") for p in below.parts):
            (to / below).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to / below)
    (to / "README.md").write_text(README, "utf8")


def _student_chapter(book: Book, student: Book, chapter: Chapter, text: str) -> dict[str, Any]:
    """Write the chapter as `text` has it, and its exercise notebook; return its checks."""
    whole = _executed(book, chapter)
    copy = dataclasses.replace(
        chapter,
        text=student.folder / "src" / f"{chapter.name}.md",
        notebook=student.folder / f"{chapter.name}.ipynb",
    )
    notebooks.write_whole(copy.text, text)
    bare, _ = notebooks.read_text(copy)
    _carry_outputs(whole, bare)
    notebooks.normalise(bare)
    bare.metadata[notebooks.STAMP] = dict(whole.metadata.get(notebooks.STAMP, {}))
    notebooks.restamp_cells(bare)
    bare.metadata[notebooks.STAMP]["outputs"] = notebooks.outputs_seal(bare)
    if notebooks.state(book, chapter).fresh:
        bare.metadata[notebooks.STAMP]["digest"] = student.digest(copy)
    notebooks.write_notebook(copy.notebook, bare)
    found = source_of(chapter, bare, whole)
    if not found.exercises:
        return {}
    last = chapter.name.rsplit("/", 1)[-1]
    notebooks.write_notebook(student.root / "exercises" / f"{last}.ipynb", worksheet(found))
    return checks(found)


def source_of(chapter: Chapter, bare: NotebookNode, whole: NotebookNode) -> Source:
    """Gather what an exercise notebook needs to know of a chapter.

    `bare` is its notebook without solutions, `whole` the executed one.
    """
    text = chapter.text.read_text("utf8")
    cells = [
        Cell(
            cell.source, "mystnb" in cell.metadata or "remove-cell" in cell.metadata.get("tags", [])
        )
        for cell in bare.cells
        if cell.cell_type == "code"
    ]
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    return Source(
        chapter.name,
        title[1] if title else chapter.name,
        tuple(cells),
        kept_in(whole),
        tuple(exercises(text, chapter.name)),
    )


def _executed(book: Book, chapter: Chapter) -> NotebookNode:
    """Return the chapter's notebook if its outputs are those of its text's cells."""
    if chapter.notebook.exists():
        notebook = notebooks.read_notebook(chapter.notebook)
        typed, _ = notebooks.read_text(chapter)
        if _code(notebook) == _code(typed):
            return notebook
    raise BookError(f"{chapter.name}: its notebook is not that of its text; make book first")


def _carry_outputs(whole: NotebookNode, bare: NotebookNode) -> None:
    """Give the cells of `bare`, which are some of those of `whole`, the outputs they have there."""
    left = iter(cell for cell in whole.cells if cell.cell_type == "code")
    for cell in (cell for cell in bare.cells if cell.cell_type == "code"):
        twin = next(other for other in left if other.source == cell.source)
        cell.outputs = twin.outputs


def _code(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def write_settings(book: Book, student: Book, withheld: Sequence[str]) -> None:
    """Write the site's settings and contents for students: no link leads to the solutions."""
    settings = yaml.safe_load((book.root / "_config.yml").read_text("utf8"))
    settings["title"] += " (student edition)"
    for leads_to_the_whole_book in ("repository", "launch_buttons"):
        settings.pop(leads_to_the_whole_book, None)
    settings["html"] |= dict.fromkeys(("use_repository_button", "use_issues_button"), False)
    contents = yaml.safe_load((book.root / "_toc.yml").read_text("utf8"))
    for name, held in (("_config.yml", settings), ("_toc.yml", _without(contents, withheld))):
        written = yaml.safe_dump(held, allow_unicode=True, sort_keys=False)
        notebooks.write_whole(student.root / name, written)


def _without(entry: dict[str, Any], withheld: Sequence[str]) -> dict[str, Any]:
    kept = dict(entry)
    for below in ("parts", "chapters", "sections"):
        if below in entry:
            inner = [_without(e, withheld) for e in entry[below] if e.get("file") not in withheld]
            kept[below] = [e for e in inner if e.get("chapters", True)]
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the student edition of the book around the working folder; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="pooledbook.teaching.student", description=__doc__)
    parser.add_argument(
        "--without", metavar="CHAPTER", action="append", default=[],
        help="leave this chapter out, such as one to be read after a class (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--no-site", action="store_true", help="sources and exercises only")
    wish = parser.parse_args(arguments)
    try:
        book = Book.around(Path())
        held = [f"chapters/{c.name}" for c in book.select(wish.without)] if wish.without else []
        withheld = (*LEFT_OUT, *held)
        with site.alone(book.root):
            student = make(book, book.root / "_build" / "student", withheld)
            write_settings(book, student, withheld)
        if not wish.no_site:
            with site.alone(student.root):
                site.build(student.root)
        sheets = len(list((student.root / "exercises").glob("*.ipynb")))
        where = student.root.relative_to(book.root)
        print(f"the student edition is made: {where}, with {sheets} exercise notebooks")
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
