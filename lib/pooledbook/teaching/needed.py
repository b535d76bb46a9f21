"""Which statements of a chapter an exercise needs, found by reading them backwards.

Names are followed through functions that use them. What draws random numbers or writes to the disk
is kept whenever something after it may depend on it, so that a short set-up ends where the whole
chapter would have.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

_WRITES: Final = frozenset({"write_text", "write_bytes", "to_csv", "unlink", "mkdir", "extractall"})
_DISK: Final = "<disk>"
_SCOPES: Final = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A cell's code; of a cell that may be cut, single statements can be left out."""

    source: str
    may_be_cut: bool = False


@dataclass(frozen=True)
class _Statement:
    uses: frozenset[str]
    sets: frozenset[str]
    changes: frozenset[str]


def names_used(source: str) -> set[str]:
    """Return the names that `source` reads before it sets them."""
    wanted: set[str] = set()
    for node in reversed(ast.parse(source).body):
        wanted = (wanted - _plainly_set(node)) | _read(node)
    return {name for name in wanted if not hasattr(builtins, name)} - {_DISK}


def names_set(source: str) -> set[str]:
    """Return the names that the statements of `source` set."""
    return {name for node in ast.parse(source).body for name in _stored(node)}


def needed(cells: Sequence[Cell], wanted: set[str]) -> list[str]:
    """Return, for each cell, what of its code is needed for the names `wanted`; often nothing."""
    parsed = [ast.parse(cell.source).body for cell in cells]
    every = [node for body in parsed for node in body]
    through = _through_functions(every)
    modules = {name for node in every if _imports(node) for name in _plainly_set(node)}
    live, kept = wanted | {_DISK}, []
    live |= {name for seed in wanted for name in through.get(seed, ())}
    for cell, body in zip(reversed(cells), reversed(parsed), strict=True):
        statements = [_statement(node, through, modules) for node in body]
        chosen, after = _choose(statements, live, whole=False)
        if any(chosen) and not cell.may_be_cut:
            chosen, after = _choose(statements, live, whole=True)
        live = after
        kept.append(_source(cell.source, body, chosen))
    return kept[::-1]


def _choose(
    statements: list[_Statement], live: set[str], whole: bool
) -> tuple[list[bool], set[str]]:
    live, chosen = set(live), []
    for statement in reversed(statements):
        keep = whole or bool((statement.sets | statement.changes) & live)
        if keep:
            live = (live - statement.sets) | statement.uses
        chosen.append(keep)
    return chosen[::-1], live


def _statement(node: ast.stmt, through: dict[str, set[str]], modules: set[str]) -> _Statement:
    sets, uses = _plainly_set(node), _read(node)
    uses |= {name for used in uses for name in through.get(used, ())}
    changes = (_stored(node) - sets) | (_called_for_effect(node) - modules)
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        changes |= {name for name in uses if name == _DISK or name in through.get("<random>", ())}
    return _Statement(frozenset(uses), frozenset(sets), frozenset(changes))


def _through_functions(nodes: list[ast.stmt]) -> dict[str, set[str]]:
    """For each function of the chapter, all that calling it may read; and the random generators."""
    through: dict[str, set[str]] = {}
    random = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            through.setdefault(node.name, set()).update(_read(node))
        elif "default_rng" in ast.dump(node):
            random |= _plainly_set(node)
    growing = True
    while growing:
        growing = False
        for reads in through.values():
            more = {name for read in reads for name in through.get(read, ())} - reads
            reads |= more
            growing |= bool(more)
    return through | {"<random>": random}


def _read(node: ast.stmt) -> set[str]:
    """Names of the module that `node` reads, in itself or in the functions that it makes."""
    found = set(_global_reads(symtable.symtable(ast.unparse(node), "a statement", "exec")))
    if any(isinstance(n, ast.Attribute) and n.attr in _WRITES for n in ast.walk(node)):
        found.add(_DISK)
    return found


def _global_reads(table: symtable.SymbolTable) -> Iterator[str]:
    outermost = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (outermost or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _global_reads(inner)


def _imports(node: ast.AST) -> TypeGuard[ast.Import | ast.ImportFrom]:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _plainly_set(node: ast.stmt) -> set[str]:
    """Names that `node` sets whatever happens, so that what they were before is forgotten."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if _imports(node):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return _stored(node) - {_base(n) for n in ast.walk(node) if _is_part(n)}
    return set()


def _stored(node: ast.stmt) -> set[str]:
    """Names that `node` sets or changes, outside of functions and comprehensions."""
    if _imports(node) or isinstance(node, ast.FunctionDef | ast.ClassDef):
        return _plainly_set(node)
    found = set()
    for inner in _outside_scopes(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store | ast.Del):
            found.add(inner.id)
        elif _is_part(inner):
            found.add(_base(inner))
    return found - {""}


def _outside_scopes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _SCOPES):
            yield from _outside_scopes(child)


def _is_part(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Subscript) and isinstance(
        node.ctx, ast.Store | ast.Del
    )


def _base(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _called_for_effect(node: ast.stmt) -> set[str]:
    """Return the object whose method a bare call runs, as in ``held.append(1)``."""
    call = node.value if isinstance(node, ast.Expr) else None
    method = call.func if isinstance(call, ast.Call) else None
    if isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name):
        return {method.value.id}
    return set()


def _source(source: str, body: list[ast.stmt], chosen: list[bool]) -> str:
    if all(chosen):
        return source
    lines = source.splitlines()
    parts = [
        "\n".join(lines[_first_line(node) - 1 : node.end_lineno])
        for node, keep in zip(body, chosen, strict=True)
        if keep
    ]
    return "\n".join(parts)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])
