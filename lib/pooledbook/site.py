"""``python -m pooledbook.site``: build the site from the notebooks as they are."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pooledbook.tree import Book, BookError

BUILD = "from jupyter_book.cli.main import main; main()"
"""The command of the running Python, whatever ``jupyter-book`` is on the PATH."""


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Wait until nobody else builds the book at `root`, and keep others waiting meanwhile."""
    (root / "_build").mkdir(exist_ok=True)
    with (root / "_build" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(root: Path) -> Path:
    """Build the site of the book at `root`, every warning an error; return its first page."""
    made = root / "_build"
    seal = made / ".machinery"
    machinery = _machinery(root)
    if not seal.exists() or seal.read_text("utf8") != machinery:
        # Sphinx sees changed pages, but not a page that has left the contents, a changed style
        # sheet, or our own code.
        _forget(made, "html", ".doctrees")
    write(root, "html")
    seal.write_text(machinery, "utf8")
    return made / "html" / "index.html"


def write(root: Path, builder: str) -> None:
    """Let Jupyter Book write the book at `root` into ``_build``, every warning an error."""
    command = [
        sys.executable, "-c", BUILD, "build", "--builder", builder, "-W", "-n", "--keep-going",
        "-q", str(root),
    ]  # fmt: skip
    with tempfile.TemporaryFile("w+", encoding="utf8") as log:
        # A file, not a pipe: a helper that outlived the build would keep a pipe open for ever.
        outcome = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
        log.seek(0)
        story = log.read()
    if outcome.returncode:
        # Sphinx would not repeat a warning about a page it has read: the next build would pass.
        _forget(root / "_build", ".doctrees")
        raise BookError(f"the book was not built ({builder}):\n{story}")


def _machinery(root: Path) -> str:
    seal = hashlib.sha256()
    code = sorted((root / "lib" / "pooledbook").rglob("*.py"))
    static = sorted(path for path in (root / "chapters" / "_static").rglob("*") if path.is_file())
    for path in (
        root / "_config.yml",
        root / "_toc.yml",
        root / "requirements.txt",
        *code,
        *static,
    ):
        seal.update(path.read_bytes())
    return seal.hexdigest()


def _forget(made: Path, *folders: str) -> None:
    for folder in folders:
        shutil.rmtree(made / folder, ignore_errors=True)


def main() -> int:
    """Build the book around the working directory; 0 when all is well."""
    try:
        book = Book.around(Path())
        with alone(book.root):
            print(f"the site is built: {build(book.root).relative_to(book.root)}")
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
