"""Every source that a docstring names by key is in the book's bibliography."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEY = re.compile(r"\[([a-z]+(?:19|20)\d\d[a-z0-9]*)\]")


def test_docstrings_cite_what_the_bibliography_holds() -> None:
    entries = {
        key
        for bibliography in (ROOT / "chapters").glob("*.bib")
        for key in re.findall(r"^@\w+\{([^,]+),", bibliography.read_text("utf8"), re.MULTILINE)
    }
    cited = {
        (key, module.name)
        for module in (ROOT / "lib").rglob("*.py")
        for key in KEY.findall(module.read_text("utf8"))
    }
    assert cited
    assert {(key, name) for key, name in cited if key not in entries} == set()
