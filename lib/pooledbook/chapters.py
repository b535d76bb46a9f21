"""``python -m pooledbook.chapters``: execute, check, sync and list the chapters."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nbformat import NotebookNode

from pooledbook import notebooks
from pooledbook.compare import differences, unified
from pooledbook.tree import Book, BookError, Chapter

HEARTBEAT = 10.0
"""Seconds after which a chapter that is still running says where it is."""


class Progress:
    """Lines for a terminal and a log alike: start, heartbeat, end, each with its chapter."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self._lock = threading.Lock()

    def run(
        self, name: str, work: Callable[[Callable[[int, int], None]], NotebookNode]
    ) -> NotebookNode:
        """Do `work`, which reports its cells, and tell the story of it."""
        begun = time.monotonic()
        position = "starting its kernel"

        def at_cell(number: int, count: int) -> None:
            nonlocal position
            position = f"cell {number}/{count}"

        finished = threading.Event()

        def heartbeat() -> None:
            while not finished.wait(HEARTBEAT):
                self._say(f"{name}: {position}, {time.monotonic() - begun:.0f} s so far")

        self._say(f"{name}: running")
        watcher = threading.Thread(target=heartbeat, daemon=True)
        watcher.start()
        outcome = "FAILED"
        try:
            result = work(at_cell)
            outcome = "done"
            return result
        finally:
            finished.set()
            watcher.join()
            with self._lock:
                self.done += 1
            seconds = time.monotonic() - begun
            self._say(f"{name}: {outcome} in {seconds:.1f} s ({self.done} of {self.total})")

    def _say(self, line: str) -> None:
        with self._lock:
            print(line, flush=True)


def each_run(
    book: Book,
    chapters: Sequence[Chapter],
    jobs: int,
    use: Callable[[Chapter, NotebookNode], list[str]],
) -> list[str]:
    """Run the chapters side by side, hand each notebook to `use`, and gather all complaints."""
    from pooledbook.run import run  # slow to import, and not needed when all is fresh

    progress = Progress(len(chapters))

    def one(chapter: Chapter) -> list[str]:
        try:
            return use(
                chapter, progress.run(chapter.name, lambda at_cell: run(book, chapter, at_cell))
            )
        except BookError as error:
            return [str(error)]

    with ThreadPoolExecutor(jobs) as pool:
        try:
            return [line for lines in pool.map(one, chapters) for line in lines]
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print("interrupted; unfinished chapters keep their old notebook", file=sys.stderr)
            # The workers wait for kernels that never saw the signal; kernels end with us.
            os._exit(130)


def execute(book: Book, names: Sequence[str], force: bool, jobs: int) -> list[str]:
    """Bring notebooks up to date with their texts."""
    book.refuse_orphans()
    complaints, due = [], []
    for chapter in book.select(names):
        state = notebooks.state(book, chapter)
        if state.word in ("edited", "conflict"):
            complaints.append(
                f"{chapter.name}: not executed, {state.reason}; {advice(book, chapter)}"
            )
        elif force or not state.fresh:
            due.append(chapter)

    def keep(chapter: Chapter, notebook: NotebookNode) -> list[str]:
        notebooks.write_notebook(chapter.notebook, notebook)
        return []

    complaints += each_run(book, due, jobs, keep)
    if not due and not complaints:
        print("all chapters are up to date")
    return complaints


def check(book: Book, names: Sequence[str], rerun: bool, jobs: int) -> list[str]:
    """Say where a notebook is not what its text gives; change nothing."""
    book.refuse_orphans()
    complaints, sound = [], []
    for chapter in book.select(names):
        state = notebooks.state(book, chapter)
        if state.fresh:
            sound.append(chapter)
        else:
            complaints.append(f"{chapter.name}: {state.word}: {state.reason}{cell_diff(chapter)}")

    def compare(chapter: Chapter, notebook: NotebookNode) -> list[str]:
        stored = notebooks.read_notebook(chapter.notebook)
        return [f"{chapter.name}: {found}" for found in differences(stored, notebook)]

    if rerun:
        complaints += each_run(book, sound, jobs, compare)
    if not complaints:
        print(f"{len(sound)} chapters agree with their texts" + " and with a new run" * rerun)
    return complaints


def sync(book: Book, names: Sequence[str]) -> list[str]:
    """Carry cells edited in a notebook back to its text."""
    complaints = []
    for chapter in book.select(names):
        state = notebooks.state(book, chapter)
        if state.word == "conflict":
            complaints.append(
                f"{chapter.name}: not synced, {state.reason}; {advice(book, chapter)}"
            )
        elif state.word == "edited":
            notebook = notebooks.read_notebook(chapter.notebook)
            notebooks.write_whole(chapter.text, notebooks.carried_back(notebook, chapter))
            notebooks.restamp_cells(notebook)
            notebooks.write_notebook(chapter.notebook, notebook)
            print(f"{chapter.name}: its text now has the notebook's cells; next: execute")
        else:
            print(f"{chapter.name}: nothing to carry back")
    return complaints


def show(book: Book) -> list[str]:
    """List the chapters and how their notebooks stand."""
    for chapter in book.chapters():
        state = notebooks.state(book, chapter)
        print(f"{state.word:9}{chapter.name}" + (f"  ({state.reason})" if state.reason else ""))
    book.refuse_orphans()
    return []


def advice(book: Book, chapter: Chapter) -> str:
    """Say how to keep either of two versions."""
    text, notebook = (p.relative_to(book.root).as_posix() for p in (chapter.text, chapter.notebook))
    return (
        f"to keep the notebook's cells, undo the changes of {text} and run sync; "
        f"to keep the text, delete {notebook} and run execute"
    )


def cell_diff(chapter: Chapter) -> str:
    """Show how the cells of notebook and text differ, if they do."""
    if not chapter.notebook.exists():
        return ""
    old = notebooks.body(notebooks.read_notebook(chapter.notebook))
    new = notebooks.body(notebooks.read_text(chapter)[0])
    return "\n" + unified(old, new, ("notebook", "text")) if old != new else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="pooledbook.chapters", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the book (default: around here)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, purpose in (
        ("execute", "run the chapters whose text, library, data or lock has changed"),
        ("check", "say where a notebook is not what its text gives"),
        ("sync", "carry cells edited in a notebook back to its text"),
        ("list", "show which chapters are fresh"),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose)
        if name != "list":
            command.add_argument("chapter", nargs="*", help="a name or a file (default: all)")
        if name == "execute":
            command.add_argument("--force", action="store_true", help="also the fresh ones")
        if name == "check":
            command.add_argument("--execute", action="store_true", help="run and compare outputs")
        if name == "sync":
            command.add_argument("--all", action="store_true", help="every chapter")
        if name in ("execute", "check"):
            command.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="at once")
    wish = parser.parse_args(arguments)
    if wish.command == "sync" and bool(wish.chapter) == wish.all:
        parser.error("sync needs either notebooks or --all")
    try:
        book = Book.around(wish.root)
        if wish.command == "execute":
            complaints = execute(book, wish.chapter, wish.force, wish.jobs)
        elif wish.command == "check":
            complaints = check(book, wish.chapter, wish.execute, wish.jobs)
        elif wish.command == "sync":
            complaints = sync(book, wish.chapter)
        else:
            complaints = show(book)
    except BookError as error:
        complaints = [str(error)]
    for complaint in complaints:
        print(f"\n{complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
