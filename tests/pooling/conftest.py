"""Fixtures: the HELP trial as shipped, and copies of it that a test may break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pooledtrials.pooling import Trial, data_folder, load_trial


@pytest.fixture(scope="session")
def help_trial() -> Trial:
    return load_trial("help")


@pytest.fixture
def help_copy(tmp_path: Path) -> Path:
    """Return the path of a HELP specification whose raw table lies beside it, both to be edited."""
    for folder in ("trials", "help"):
        (tmp_path / folder).mkdir()
    shutil.copy(data_folder() / "trials" / "help.yaml", tmp_path / "trials")
    shutil.copy(data_folder() / "help" / "help.csv", tmp_path / "help")
    return tmp_path / "trials" / "help.yaml"


@pytest.fixture
def break_table(help_copy: Path) -> Callable[[Callable[[list[str]], list[str]]], Path]:
    """Return a function that edits the lines of the raw table (header first)."""

    def edit(change: Callable[[list[str]], list[str]]) -> Path:
        table = help_copy.parent.parent / "help" / "help.csv"
        lines = table.read_text(encoding="utf-8").splitlines()
        table.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
        return help_copy

    return edit


@pytest.fixture
def break_specification(help_copy: Path) -> Callable[[str, str], Path]:
    """Return a function that replaces one text in the specification by another."""

    def edit(old: str, new: str) -> Path:
        text = help_copy.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"the specification does not hold {old!r}"
        help_copy.write_text(text.replace(old, new, 1), encoding="utf-8")
        return help_copy

    return edit
