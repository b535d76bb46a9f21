"""``python -m pooledbook.pdf``: the whole book as one PDF, from the notebooks as they are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from pooledbook.site import alone, write
from pooledbook.tree import Book, BookError

NAME = "works_if_you_work_it.pdf"
LINES = 30
"""Of TeX's log, when it fails."""


def sources(root: Path) -> Path:
    """Write the LaTeX of the book at `root`; return its main file."""
    # What a failed run of TeX leaves behind makes the next one fail.
    shutil.rmtree(root / "_build" / "latex", ignore_errors=True)
    write(root, "latex")
    return root / "_build" / "latex" / "book.tex"


def build(root: Path) -> Path:
    """Set the book at `root`; return the PDF."""
    main = sources(root)
    # Sphinx's own Makefile knows the index and how often to run.
    said = subprocess.run(
        ["make", "LATEXMKOPTS=-interaction=nonstopmode -halt-on-error"],
        cwd=main.parent, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if said.returncode:
        story = "\n".join(said.stdout.splitlines()[-LINES:])
        raise BookError(f"the PDF was not set:\n{story}\n{said.stderr}")
    log = main.with_suffix(".log").read_text("utf8", errors="replace")
    lost = re.findall(r"(?:Reference|Citation) `[^']*' .*undefined|Missing character: .*", log)
    if lost:
        raise BookError("the PDF lacks what the book has:\n" + "\n".join(sorted(set(lost))))
    return Path(shutil.copy(main.with_suffix(".pdf"), root / "_build" / NAME))


def run() -> int:
    """Set the book around the working directory; 0 when all is well."""
    try:
        book = Book.around(Path())
        with alone(book.root):
            print(f"the PDF is set: {build(book.root).relative_to(book.root)}")
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
