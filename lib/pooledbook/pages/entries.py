"""What the reference pages hold: which public names, in which order, and who uses them."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pooledbook.notebooks import read_text
from pooledbook.tree import Book

LIBRARY = "pooledtrials"
FOLDER = "reference"
PAGES = ("pooling", "instruments", "panels", "selection", "planning", "figures", "results")
LINE = re.compile(r"^(?:#{2,3} (?P<heading>.+)|```\{entry\} (?P<names>.+))$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One entry of a page: a function with the classes of its results, or a class alone.

    Attributes
    ----------
    page : name of the page, such as ``"panels"``
    heading : the stage under which it stands
    names : paths below the library, such as ``"panels.fit"``; the first gives its name
    """

    page: str
    heading: str
    names: tuple[str, ...]


def entries_of(text: str, page: str) -> Iterator[Entry]:
    """List the entries of the text of one page."""
    heading = ""
    for found in LINE.finditer(text):
        if found["heading"]:
            heading = found["heading"]
        else:
            yield Entry(page, heading, tuple(path(name, page) for name in found["names"].split()))


def path(name: str, page: str) -> str:
    """Complete a name as an entry gives it: without a dot it is of the page's own package."""
    return name if "." in name else f"{page}.{name}"


@cache
def all_entries(root: Path) -> tuple[Entry, ...]:
    """List the entries of all reference pages of the book at `root`."""
    folder = root / "chapters" / "src" / FOLDER
    return tuple(
        entry
        for page in PAGES
        if (folder / f"{page}.md").exists()
        for entry in entries_of((folder / f"{page}.md").read_text("utf8"), page)
    )


def resolve(path: str) -> Any:
    """Return the thing that a path below the library names."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"{LIBRARY}.{module}"), name)


def home(thing: Any) -> str:
    """Return the file of the library in which a function or class is written, if it is one."""
    if not (inspect.isfunction(thing) or inspect.isclass(thing)):
        return ""
    file = Path(inspect.getfile(thing))
    return "/".join(file.parts[file.parts.index(LIBRARY) :])


def constant(path: str) -> str:
    """Return the text below a constant where its module defines it, which Python forgets."""
    module, _, name = path.rpartition(".")
    package = importlib.import_module(f"{LIBRARY}.{module}")
    imports = [n for n in ast.walk(_tree(package)) if isinstance(n, ast.ImportFrom)]
    (defining,) = [n.module for n in imports if name in [alias.name for alias in n.names]]
    body = _tree(importlib.import_module(str(defining))).body
    for node, below in itertools.pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if name in [getattr(target, "id", "") for target in targets] and isinstance(
            below, ast.Expr
        ):
            return inspect.cleandoc(str(ast.literal_eval(below.value)))
    return "A constant."


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


@cache
def uses(root: Path) -> dict[str, tuple[str, ...]]:
    """Map each name used in a chapter's code, such as ``"panels.fit"``, to its chapters."""
    found: dict[str, list[str]] = {}
    book = Book.around(root)
    for chapter in book.chapters():
        if not chapter.name.startswith(f"{FOLDER}/"):
            cells = read_text(chapter)[0].cells
            code = "\n\n".join(cell.source for cell in cells if cell.cell_type == "code")
            for name in used_in(code):
                found.setdefault(name, []).append(chapter.name)
    return {name: tuple(chapters) for name, chapters in found.items()}


def used_in(code: str) -> set[str]:
    """List the names of the library that a text of code uses, by package and name."""
    tree = ast.parse(code)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == LIBRARY:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    dotted = {_dotted(node, known) for node in ast.walk(tree)} | set(known.values())
    short: set[str] = set()
    for name in dotted:
        parts = name.split(".")[1:]
        # A name imported from a module deep in a package is that package's.
        short |= {".".join(parts), f"{parts[0]}.{parts[-1]}"} if len(parts) > 1 else set()
    return short


def _dotted(node: ast.AST, known: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, known)
        return f"{before}.{node.attr}" if before else ""
    return ""
