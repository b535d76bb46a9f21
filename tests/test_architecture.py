"""The plan of the house: parts do not import each other, and nothing imports chapters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "lib"
PACKAGE = LIBRARY / "pooledtrials"
PARTS = {"pooling", "instruments", "panels", "selection"}
LANGUAGE = {
    path.stem
    for path in PACKAGE.glob("*.py")
    if path.stem not in {"__init__", "__main__", "evidence", "tables"}
}
"""What every part may import: checks, results, sets, draws."""

MAY_IMPORT = {
    **dict.fromkeys(PARTS, LANGUAGE),
    "planning": LANGUAGE | PARTS,
    # results only: figures take them, and import their types for the checker alone
    "figures": set(),
    "tables": set(),
    "evidence": LANGUAGE | PARTS,
    "__main__": {"pooling"},
    **dict.fromkeys(LANGUAGE, LANGUAGE),
}
PLANNING_MAY_IMPORT = {
    "montecarlo": set(),
    "registry": {"montecarlo"},
    "next_trial": {"montecarlo"},
    "studies": {"montecarlo", "registry", "next_trial"},
}
"""The packages of `planning`, each on those before it."""

TOOLS_OF_THE_BOOK = {"pooledbook", "chapters"}


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports when it runs, not those under ``if TYPE_CHECKING``."""
    pending: list[ast.AST] = [ast.parse(path.read_text("utf8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        else:
            pending += ast.iter_child_nodes(node)


def of_package(path: Path) -> set[str]:
    """First names below ``pooledtrials`` that a file imports."""
    found = (name.split(".") for name in imported(path))
    return {parts[1] for parts in found if parts[0] == "pooledtrials" and len(parts) > 1}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_dependencies_run_one_way(part):
    files = [p for p in PACKAGE.rglob("*.py") if part_of(p) == part]
    assert files
    strangers = {
        (str(path.relative_to(PACKAGE)), name)
        for path in files
        for name in of_package(path) - MAY_IMPORT[part] - {part}
    }
    assert strangers == set()


def test_every_module_has_a_place_in_the_plan():
    assert {part_of(p) for p in PACKAGE.rglob("*.py")} - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("package", sorted(PLANNING_MAY_IMPORT))
def test_planning_is_built_in_layers(package):
    files = list((PACKAGE / "planning" / package).rglob("*.py"))
    assert files
    below = {
        (str(path.relative_to(PACKAGE)), name.split(".")[2])
        for path in files
        for name in imported(path)
        if name.startswith("pooledtrials.planning.")
    }
    assert {name for _, name in below} - {package} <= PLANNING_MAY_IMPORT[package], below


def test_planning_has_no_other_package():
    packages = {path.parent.name for path in (PACKAGE / "planning").glob("*/__init__.py")}
    assert packages == set(PLANNING_MAY_IMPORT)


def test_the_library_knows_nothing_of_the_book():
    readers = {
        str(path.relative_to(LIBRARY))
        for path in PACKAGE.rglob("*.py")
        if TOOLS_OF_THE_BOOK & {name.split(".")[0] for name in imported(path)}
    }
    assert readers == set()


def test_the_rule_would_notice(tmp_path):
    """The reader of imports finds what the rule forbids, and passes over what is for types."""
    module = tmp_path / "module.py"
    module.write_text(
        "from typing import TYPE_CHECKING\n"
        "from pooledtrials import panels\n"
        "from pooledtrials.instruments.tf import tf_test\n"
        "if TYPE_CHECKING:\n    from pooledtrials.pooling import Pool\n"
        "def f():\n    import pooledtrials.selection.oster\n"
    )
    assert of_package(module) == {"panels", "instruments", "selection"}
