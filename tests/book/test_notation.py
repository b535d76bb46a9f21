"""The notation page knows every numbered assumption of the book."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOX = re.compile(r"```\{prf:assumption\}.*\n:label: (\S+)")


def test_every_assumption_is_listed_once():
    texts = [path.read_text("utf8") for path in (ROOT / "chapters" / "src").rglob("*.md")]
    labels = [label for text in texts for label in BOX.findall(text)]
    page = (ROOT / "chapters" / "notation.md").read_text("utf8")
    listed = re.findall(r"\{prf:ref\}`([\w-]+)`", page.split("## The assumptions")[1])
    assert len(labels) > 30
    assert sorted(listed) == sorted(labels)


def test_every_assumption_says_how_it_could_fail():
    for path in (ROOT / "chapters" / "src").rglob("*.md"):
        for box in re.findall(
            r"```\{prf:assumption\}(.*?)\n```", path.read_text("utf8"), re.DOTALL
        ):
            assert "*How it " in box, f"{path.name}: {box[:60]}"
