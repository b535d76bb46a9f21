"""Exercise notebooks: a set-up, a task, an empty cell and a check for each exercise."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any, Final

import nbformat
from nbformat import NotebookNode

from pooledbook.notebooks import OURS
from pooledbook.teaching.exercises import GLUED, Answer, Exercise
from pooledbook.teaching.needed import Cell, names_set, names_used, needed
from pooledbook.teaching.selfcheck import asking, sealed
from pooledbook.tree import BookError

PLACE: Final = "# your work\n\nanswer = ..."
QUESTIONS: Final = {
    "Check": (
        "Did you reach the answer by a second way, and do the two agree?",
        "Could you say beforehand what it had to be near, and why?",
    ),
    "Vary": (
        "Did you change one thing only, and run again everything that hangs on it?",
        "Which sentence of the chapter would you now write differently?",
    ),
    "Extend": (
        "Did you write down what is true, or what you assume, before you looked at a result?",
        "Whom, or which worlds, does your answer say nothing about?",
    ),
}
"""What to ask oneself where a solution names neither a number nor questions of its own."""
_ROLE: Final = re.compile(r"\{[\w:]+\}`(?:(?P<text>[^`<]*?) *<)?(?P<target>[^`>]*)>?`")
_STANDS_FOR: Final = {"numref": "the figure", "eq": "the equation", "prf": "the box", "ref": "it"}
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Chapter:
    """What an exercise notebook needs to know of its chapter.

    Attributes
    ----------
    name, title : str
        Part and chapter, and its first heading.
    cells : tuple of Cell
        The code outside of solutions.
    kept : mapping
        Numbers and texts that the executed chapter keeps for its prose, by name.
    exercises : tuple of Exercise
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    kept: dict[str, Any]
    exercises: tuple[Exercise, ...]


def kept_in(notebook: NotebookNode) -> dict[str, Any]:
    """Return what the executed cells keep for the prose."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            text = output.get("data", {}).get("application/papermill.record/text/plain")
            if name and text is not None:
                found[name] = ast.literal_eval(text)
    return found


def worksheet(chapter: Chapter) -> NotebookNode:
    """Make the exercise notebook of a chapter."""
    last = chapter.name.rsplit("/", 1)[-1]
    cells = [
        _words(
            f"# Exercises: {chapter.title}\n\n"
            f"For the chapter [{chapter.title}](../_build/html/chapters/{chapter.name}.html). Run"
            " the set-up once. Then each exercise has an empty cell for your work, and a way to"
            " check it. Exercises do not need one another.\n\n"
            "## Set-up\n\nCells of the chapter that the exercises build on."
        )
    ]
    cells += [_code(source) for source in setup(chapter)]
    cells.append(_code("from pooledbook.teaching.selfcheck import check"))
    for exercise in chapter.exercises:
        task = plain(exercise.task, chapter.kept)
        if exercise.answer:
            task += f"\n\n*The number to check:* {in_words(exercise.answer)}"
        cells += [_words(f"## {exercise.kind}\n\n{task}"), *_to_fill_in(exercise)]
    for number, cell in enumerate(cells):
        cell["id"] = f"{last.replace('_', '-')[:40]}-{number:03d}"
    made: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=OURS)
    return made


def setup(chapter: Chapter) -> list[str]:
    """Return the chapter's code that its exercises need, cell by cell."""
    have = {name for cell in chapter.cells for name in names_set(cell.source)}
    wanted: set[str] = set()
    for exercise in chapter.exercises:
        code = "\n".join(exercise.code)
        named = set(re.findall(r"`([A-Za-z_]\w*)", exercise.task))
        wanted |= (names_used(code) | named) & have
        if exercise.answer:
            wanted |= names_used(_worked(exercise, exercise.answer)) & have
    return [source for source in needed(chapter.cells, wanted) if source]


def checks(chapter: Chapter) -> dict[str, dict[str, Any]]:
    """Return the chapter's part of the table of checks."""
    table = {}
    for exercise in chapter.exercises:
        answer = exercise.answer
        if answer is None:
            continue
        value = chapter.kept.get(answer.key)
        if not isinstance(value, int | float):
            raise BookError(
                f"{chapter.name}: the answer of {exercise.label} is {answer.key}, and the executed"
                f" chapter keeps {value!r} under that name; keep a number, and execute the chapter"
            )
        table[exercise.label] = sealed(exercise.label, value, answer.decimals, answer.asks)
    return table


def filled_in(sheet: NotebookNode, chapter: Chapter) -> NotebookNode:
    """Return the notebook with the solutions' work in its empty cells: for tests and teachers."""
    filled: NotebookNode = nbformat.reads(nbformat.writes(sheet), as_version=4)
    labels = {e.label: e for e in chapter.exercises if e.answer}
    for place, cell in enumerate(filled.cells):
        asked = re.fullmatch(r'check\("([^"]+)", answer\)', cell.source)
        if asked:
            exercise = labels[asked[1]]
            assert exercise.answer
            filled.cells[place - 1].source = _worked(exercise, exercise.answer)
    return filled


def plain(text: str, kept: dict[str, Any]) -> str:
    """Turn the book's roles into words that any notebook shows."""

    def value(found: re.Match[str]) -> str:
        if found["key"] not in kept:
            raise BookError(f"{found['key']} is not kept by the executed chapter: execute it")
        return format(kept[found["key"]], found["format"] or "")

    def words(found: re.Match[str]) -> str:
        role = found[0][1:].split("}")[0].split(":")[0]
        if role == "cite":
            return ""
        return found["text"] or _STANDS_FOR.get(role, found["target"])

    return _LINK.sub(r"\1", _ROLE.sub(words, GLUED.sub(value, text))).replace(" .", ".")


def in_words(answer: Answer) -> str:
    """Say which number is asked for, and how exactly."""
    return asking(answer.asks, answer.decimals)


def _to_fill_in(exercise: Exercise) -> list[NotebookNode]:
    questions = exercise.questions or (() if exercise.answer else QUESTIONS[exercise.kind])
    cells = []
    if exercise.answer:
        cells += [_code(PLACE), _code(f'check("{exercise.label}", answer)')]
    else:
        cells.append(_code("# your work"))
    if questions:
        asked = "\n".join(f"- [ ] {question}" for question in questions)
        cells.append(_words(f"Ask yourself, and write a line on each:\n\n{asked}"))
    return cells


def _worked(exercise: Exercise, answer: Answer) -> str:
    """Return the code of the solution, and what it keeps as `answer`."""
    expression, hidden = None, []
    for source in exercise.hidden:
        for node in ast.parse(source).body:
            call = node.value if isinstance(node, ast.Expr) else None
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "keep":
                given = {word.arg: ast.unparse(word.value) for word in call.keywords}
                expression = given.get(answer.key, expression)
            else:
                hidden.append(ast.unparse(node))
    if expression is None:
        raise BookError(
            f"{exercise.label}: its answer is {answer.key}, and its solution does not keep that"
        )
    last = f"answer = {expression}"
    helpers = needed([Cell(source, True) for source in hidden], names_used(last))
    code = "\n".join([*exercise.code, *filter(None, helpers), last])
    return code


def _words(text: str) -> NotebookNode:
    made: NotebookNode = nbformat.v4.new_markdown_cell(text)
    return made


def _code(source: str) -> NotebookNode:
    made: NotebookNode = nbformat.v4.new_code_cell(source)
    return made
