"""A chapter's two forms, text and notebook: reading, comparing, normalising, writing."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from configparser import RawConfigParser
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupytext.myst import MystMetadataParsingError, myst_to_notebook
from nbformat import NotebookNode

from pooledbook.tree import Book, BookError, Chapter

OURS = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""What every notebook says of its kernel, whichever Python ran it."""
STAMP = "pooledbook"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_NOTES = (b"tEXt", b"zTXt", b"iTXt", b"tIME")


@dataclass(frozen=True)
class State:
    """How a chapter's notebook stands to its text."""

    word: str
    reason: str

    @property
    def fresh(self) -> bool:
        """Whether nothing has changed since the notebook was written."""
        return self.word == "fresh"


def read_text(chapter: Chapter) -> tuple[NotebookNode, list[int]]:
    """Return the notebook that the text gives, without outputs, and the line of each cell."""
    try:
        book = myst_to_notebook(chapter.text.read_text("utf8"), add_source_map=True)
    except MystMetadataParsingError as error:
        raise BookError(f"{chapter.name}: {error}") from None
    header = dict(book.metadata)
    lines = header.pop("source_map")
    for of_jupytext in ("jupytext", "jupyter"):
        header.pop(of_jupytext, None)
    kernel = header.pop("kernelspec", {}).get("name")
    if kernel != OURS["kernelspec"]["name"]:
        raise BookError(
            f"{chapter.name}: the text must begin with a header naming the kernelspec python3"
            f" (found {kernel}); copy the header of another chapter"
        )
    book.metadata = nbformat.from_dict(header | OURS)
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number:03d}"
    return book, lines


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook from its file."""
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        raise BookError(f"{path.name} is not a notebook that can be read: {error}") from None
    return notebook


def body(book: NotebookNode) -> str:
    """Write the cells as text: the form in which text and notebook can be compared."""
    return _as_text([_in_order(cell) for cell in book.cells])


def carried_back(notebook: NotebookNode, chapter: Chapter) -> str:
    """Write the chapter's text with the cells of `notebook`, unchanged ones as they were typed."""
    typed = {_as_text([_in_order(cell)]): cell for cell in read_text(chapter)[0].cells}
    cells = [typed.get(_as_text([_in_order(cell)]), cell) for cell in notebook.cells]
    header = chapter.text.read_text("utf8").split("---\n", 2)[1]
    return f"---\n{header}---\n\n{_as_text(cells)}"


def _in_order(cell: NotebookNode) -> NotebookNode:
    # Notebook files have sorted keys, typed options need not.
    metadata = json.loads(json.dumps(cell.metadata, sort_keys=True))
    ordered: NotebookNode = nbformat.from_dict({**cell, "metadata": metadata})
    return ordered


def _as_text(cells: list[NotebookNode]) -> str:
    language = {"name": "python", "pygments_lexer": "ipython3"}
    bare = nbformat.v4.new_notebook(cells=cells, metadata={"language_info": language})
    return str(jupytext.writes(bare, fmt="md:myst")).split("---\n", 2)[2].lstrip("\n")


def state(book: Book, chapter: Chapter) -> State:
    """Fresh, stale, edited, conflict or missing, and why."""
    if not chapter.notebook.exists():
        return State("missing", "it has no notebook yet")
    notebook = read_notebook(chapter.notebook)
    stamp = notebook.metadata.get(STAMP, {})
    in_text, in_notebook = (
        _seal(body(read_text(chapter)[0])),
        _seal(body(notebook)),
    )
    if in_text != in_notebook:
        if in_notebook == stamp.get("cells"):
            return State("stale", "its text has changed")
        if in_text == stamp.get("cells"):
            return State("edited", "its notebook has cells that its text has not")
        return State("conflict", "its text and its notebook have both changed")
    if stamp.get("digest") != book.digest(chapter):
        return State("stale", "its text, lib, data or the lock has changed")
    if stamp.get("outputs") != outputs_seal(notebook):
        return State("stale", "its stored outputs are not those that were written")
    return State("fresh", "")


def normalise(book: NotebookNode) -> None:
    """Take out whatever differs between two runs of the same cells."""
    book.metadata.update(nbformat.from_dict(OURS))
    for count, cell in enumerate((c for c in book.cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            if output.output_type == "stream":
                output.text = sanitise(output.text)
            elif output.output_type == "error":
                # Only the last line: the frames hold paths and line numbers of this machine.
                output.evalue = sanitise(output.evalue)
                output.traceback = [f"{output.ename}: {output.evalue}"]
            else:
                output.data = {m: _normal_data(m, value) for m, value in output.data.items()}


def _normal_data(mime: str, value: Any) -> Any:
    if mime == "image/png":
        return base64.b64encode(bare_png(base64.b64decode(value))).decode()
    return sanitise(value) if isinstance(value, str) else value


def sanitise(text: str) -> str:
    """Replace in `text` what ``sanitize.cfg`` lists."""
    for pattern, replacement in _patterns():
        text = pattern.sub(replacement, text)
    return text


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    rules = RawConfigParser()
    rules.read_string(files("pooledbook").joinpath("sanitize.cfg").read_text("utf8"))
    return [(re.compile(rules[r]["regex"]), rules[r]["replace"]) for r in rules.sections()]


def bare_png(image: bytes) -> bytes:
    """Take the notes out of a PNG, such as the version of the program that drew it."""
    kept, at = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while at < len(image):
        end = at + 12 + int.from_bytes(image[at : at + 4])
        if image[at + 4 : at + 8] not in PNG_NOTES:
            kept.append(image[at:end])
        at = end
    return b"".join(kept)


def stamped(book: NotebookNode, digest: str, seconds: float) -> NotebookNode:
    """Return `book` as it will be read back: seals that tell what has changed, and its run time."""
    book = nbformat.reads(nbformat.writes(book), as_version=4)
    book.metadata[STAMP] = {
        "digest": digest,
        "cells": _seal(body(book)),
        "outputs": outputs_seal(book),
        "seconds": round(seconds),
    }
    return book


def restamp_cells(book: NotebookNode) -> None:
    """Record that the cells as they stand agree with the text."""
    book.metadata.setdefault(STAMP, {})["cells"] = _seal(body(book))


def outputs_seal(book: NotebookNode) -> str:
    """Return a fingerprint of everything the code cells show."""
    shown = [[c.execution_count, c.outputs] for c in book.cells if c.cell_type == "code"]
    return _seal(json.dumps(shown, sort_keys=True))


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_whole(path: Path, content: str) -> None:
    """Write a file in one step: a reader sees the old one or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf8", newline="\n") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # mkstemp makes it private to its owner
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_notebook(path: Path, book: NotebookNode) -> None:
    """Write a notebook in one step."""
    write_whole(path, nbformat.writes(book) + "\n")
