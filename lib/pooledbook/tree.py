"""Where the chapters of a book live, and what their outputs depend on."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

NOT_SOURCES = {"__pycache__", "private"}
"""Folders under ``lib`` and ``data`` that never change what a chapter prints.

``data/private`` is a reader's own: it must not make the shipped chapters stale.
"""


class BookError(Exception):
    """Something a person has to put right; its text says what and how."""


@dataclass(frozen=True)
class Chapter:
    """One executable chapter: a MyST text and the notebook made from it."""

    name: str
    text: Path
    notebook: Path


@dataclass(frozen=True)
class Book:
    """A folder with ``chapters/src``, ``lib``, ``data`` and the lock ``requirements.txt``."""

    root: Path

    @classmethod
    def around(cls, start: Path) -> Book:
        """Find the book that contains the folder `start`."""
        start = start.resolve()
        for folder in (start, *start.parents):
            if (folder / "chapters" / "src").is_dir():
                return cls(folder)
        raise BookError(f"no book here: neither {start} nor a folder above it has chapters/src")

    @property
    def folder(self) -> Path:
        """Where the pages and notebooks are."""
        return self.root / "chapters"

    def chapters(self) -> list[Chapter]:
        """List all chapters, in alphabetical order."""
        texts = sorted((self.folder / "src").rglob("*.md"))
        names = [t.relative_to(self.folder / "src").with_suffix("").as_posix() for t in texts]
        return [
            Chapter(name, text, self.folder / f"{name}.ipynb")
            for name, text in zip(names, texts, strict=True)
            if ".ipynb_checkpoints" not in text.parts
        ]

    def select(self, wanted: Iterable[str]) -> list[Chapter]:
        """Find the chapters that `wanted` names, by name, last word or file; all if empty."""
        chapters = self.chapters()
        chosen = [self._find(chapters, word) for word in wanted]
        return [c for c in chapters if c in chosen] if chosen else chapters

    def _find(self, chapters: list[Chapter], word: str) -> Chapter:
        path = Path(word).resolve()
        for chapter in chapters:
            if word in (chapter.name, chapter.name.rsplit("/", 1)[-1]):
                return chapter
            if path in (chapter.text, chapter.notebook):
                return chapter
        plain = word.removesuffix(".ipynb").removesuffix(".md").rsplit("/", 1)[-1]
        by_last_word = {c.name.rsplit("/", 1)[-1]: c.name for c in chapters}
        close = difflib.get_close_matches(plain, by_last_word, n=1, cutoff=0.5)
        hint = f"; did you mean {by_last_word[close[0]]}?" if close else ""
        raise BookError(f"no chapter {word}: there is no chapters/src/{plain}.md{hint}")

    def refuse_orphans(self) -> None:
        """Every notebook must have a text, or the next reader edits the wrong file."""
        known = {c.notebook for c in self.chapters()}
        orphans = [
            n.relative_to(self.root).as_posix()
            for n in sorted(self.folder.rglob("*.ipynb"))
            if n not in known and not {".ipynb_checkpoints", "_build"} & set(n.parts)
        ]
        if orphans:
            raise BookError(
                f"notebook without a text: {', '.join(orphans)}; "
                "write its text under chapters/src, or delete it"
            )

    def digest(self, chapter: Chapter) -> str:
        """Return a fingerprint of all that the outputs of `chapter` depend on."""
        seal = hashlib.sha256(self._surroundings)
        seal.update(chapter.text.read_bytes())
        return seal.hexdigest()

    @cached_property
    def _surroundings(self) -> bytes:
        lock = self.root / "requirements.txt"
        if not lock.is_file():
            raise BookError(f"no lock: {lock.name} is missing")
        seal = hashlib.sha256()
        for path in (lock, *self._sources("lib"), *self._sources("data")):
            content = path.read_bytes()
            seal.update(f"{path.relative_to(self.root).as_posix()} {len(content)}\n".encode())
            seal.update(content)
        return seal.digest()

    def _sources(self, top: str) -> Iterator[Path]:
        for path in sorted((self.root / top).rglob("*")):
            parts = path.relative_to(self.root).parts
            ignored = any(
                p in NOT_SOURCES or p.startswith(".") or p.endswith((".egg-info", ".pyc"))
                for p in parts
            )
            if path.is_file() and not ignored:
                yield path
