"""Running a chapter's cells in a kernel that is the same for everybody."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from traitlets import default

from pooledbook.notebooks import normalise, read_text, stamped
from pooledbook.tree import Book, BookError, Chapter

CELL_SECONDS = 900
TRACEBACK_LINES = 12
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FIXED = {
    # One thread, so that sums are added in the same order on any number of cores.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
PERSONAL = ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONWARNINGS")
"""Settings of whoever runs this that would change the outputs."""


class ThisPython(AsyncKernelManager):
    """A kernel of the running interpreter, whatever kernelspecs a person has installed."""

    @default("kernel_spec_manager")
    def _only_the_native_one(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)


def run(book: Book, chapter: Chapter, at_cell: Callable[[int, int], None]) -> NotebookNode:
    """Return the executed and normalised notebook of `chapter`.

    `at_cell` is told the number of each code cell as it starts, and how many there are.
    Raises `BookError` naming chapter, cell and cause; nothing is written.
    """
    notebook, lines = read_text(chapter)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    current = code[0] if code else 0

    def started(cell: NotebookNode, cell_index: int) -> None:
        nonlocal current
        if cell.cell_type == "code":
            current = cell_index
            at_cell(code.index(cell_index) + 1, len(code))

    def place(index: int) -> str:
        first = next(iter(notebook.cells[index].source.splitlines()), "")
        number = code.index(index) + 1 if code else 0
        where = f"line {lines[index]} of {chapter.text.relative_to(book.root).as_posix()}"
        return f"{chapter.name}: code cell {number} of {len(code)} ({where})\n    {first}\n"

    chapter.notebook.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as profile:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            kernel_manager_class=ThisPython,
            # ipykernel warns of an unencrypted local connection each time it starts
            extra_arguments=["--IPKernelApp.log_level=40"],
            resources={"metadata": {"path": str(chapter.notebook.parent)}},
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            store_widget_state=False,
            shutdown_kernel="immediate",
            on_cell_start=started,
        )
        try:
            client.execute(env=_environment(profile))
        except CellExecutionError as error:
            reason = f"{error.ename}: {error.evalue}\n{_short(error.traceback)}"
            raise BookError(place(current) + reason) from None
        except (CellControlSignal, DeadKernelError) as error:
            raise BookError(place(current) + f"{type(error).__name__}: {error}") from None
    seconds = time.monotonic() - begun
    for index in code:
        _inspect(notebook.cells[index], place(index), book.root)
    normalise(notebook)
    return stamped(notebook, book.digest(chapter), seconds)


def _environment(profile: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in PERSONAL}
    return kept | FIXED | {"IPYTHONDIR": profile}


def _short(traceback: str) -> str:
    lines = ANSI.sub("", traceback).strip().splitlines()
    return "\n".join(f"    {line}" for line in lines[-TRACEBACK_LINES:])


def _inspect(cell: NotebookNode, place: str, root: Path) -> None:
    """Refuse what no reader should see: stray warnings and this machine's paths."""
    for output in cell.outputs:
        stray = output.get("name") == "stderr" and "allow-stderr" not in cell.metadata.get(
            "tags", []
        )
        if stray:
            raise BookError(
                f"{place}it writes to stderr; mend its cause, or tag the cell allow-stderr:\n"
                + _short(output.text)
            )
        if str(root) in _words(output):
            raise BookError(f"{place}its output holds a path of this machine, {root}")


def _words(output: NotebookNode) -> str:
    values: list[Any] = [output.get("text", ""), *output.get("data", {}).values()]
    return "\n".join(value for value in values if isinstance(value, str))
