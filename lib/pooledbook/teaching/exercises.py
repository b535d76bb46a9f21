"""The exercises of a chapter's text: their tasks, their solutions, and how to check an answer.

Two comments inside a solution, which no page shows, say how a student can check themselves. ::

    <!-- answer: {before_f:.2f} The F of the arms in attendance at the first interview. -->
    <!-- ask: Have you said what F would be near if chance alone had set the arms apart? -->

The first names a number that the chapter keeps for its prose, the decimals that are asked for
(``d`` for a count) and, in words, which number it is. The second is a question, for where the
answer is a judgement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pooledbook.tree import BookError

_SOLUTION: Final = re.compile(
    r"^```\{solution-start\} (?P<label>\S+)\n(?::[^\n]*\n)*```\n"
    r"(?P<body>.*?)^```\{solution-end\}\n```\n+",
    re.MULTILINE | re.DOTALL,
)
_EXERCISE: Final = re.compile(
    r"^```\{exercise-start\}\n:label: (?P<label>\S+)\n```\n"
    r"(?P<task>.*?)^```\{exercise-end\}\n```\n",
    re.MULTILINE | re.DOTALL,
)
_CELL: Final = re.compile(
    r"^```\{code-cell\}[^\n]*\n(?P<source>.*?)^```\n", re.MULTILINE | re.DOTALL
)
_OPTIONS: Final = re.compile(r"\A(?:---\n.*?^---\n|(?::[^\n]*\n)+\n?)", re.MULTILINE | re.DOTALL)
_ANSWER: Final = re.compile(
    r"<!-- answer: \{(?P<key>\w+):(?:\.(?P<decimals>\d)f|d)\} (?P<asks>.*?) -->", re.DOTALL
)
_QUESTION: Final = re.compile(r"<!-- ask: (.*?) -->", re.DOTALL)
_MARK: Final = re.compile(r"<!-- *(?:answer|ask)\b.*?-->", re.DOTALL)
_KINDS: Final = ("Check", "Vary", "Extend")
GLUED: Final = re.compile(r"\{glue:text\}`(?P<key>\w+)(?::(?P<format>[^`]*))?`")


@dataclass(frozen=True)
class Answer:
    """The number that solves an exercise.

    Attributes
    ----------
    key : str
        Under which the chapter keeps it.
    decimals : int or None
        How many are asked for; None for a count, which has to be exact.
    asks : str
        Which number it is, in words.
    """

    key: str
    decimals: int | None
    asks: str


@dataclass(frozen=True)
class Exercise:
    """A task, what solves it, and how a student can check.

    Attributes
    ----------
    label : str
        By which pages refer to it.
    kind : str
        Check, Vary or Extend: the bold word with which its task begins.
    task, solution : str
        As typed in the chapter.
    code, hidden : tuple of str
        The solution's cells: those that the page shows, and those that keep its numbers.
    answer : Answer or None
        Its number, if it has one.
    questions : tuple of str
        To ask oneself where the answer is a judgement.
    """

    label: str
    kind: str
    task: str
    solution: str
    code: tuple[str, ...]
    hidden: tuple[str, ...]
    answer: Answer | None
    questions: tuple[str, ...]


def exercises(text: str, name: str) -> list[Exercise]:
    """Read the exercises of a chapter's text; `name` is for complaints.

    Raises
    ------
    BookError
        If a solution has no exercise or an exercise no solution, if a mark cannot be read, or if a
        number that is kept inside a solution is used outside of it.
    """
    solutions = {found["label"]: found for found in _SOLUTION.finditer(text)}
    tasks = {found["label"]: found["task"].strip() for found in _EXERCISE.finditer(text)}
    if alone := sorted(set(solutions) ^ set(tasks)):
        raise BookError(f"{name}: {alone[0]} has no exercise or no solution")
    _refuse_kept_inside(text, solutions, name)
    return [_exercise(label, task, solutions[label]["body"], name) for label, task in tasks.items()]


def without_solutions(text: str) -> str:
    """Return the text without its solutions: prose, cells and marks."""
    return _SOLUTION.sub("", text)


def _cells(text: str, shown: bool) -> tuple[str, ...]:
    """Return the sources of the code cells that a page shows, or of the others."""
    sources = [found["source"] for found in _CELL.finditer(text)]
    return tuple(
        _OPTIONS.sub("", source).strip("\n")
        for source in sources
        if ("remove-cell" not in (_OPTIONS.match(source) or [""])[0]) == shown
    )


def _exercise(label: str, task: str, solution: str, name: str) -> Exercise:
    kind = next((word for word in _KINDS if task.startswith(f"**{word}.**")), None)
    if kind is None:
        raise BookError(f"{name}: {label} must begin with one of {', '.join(_KINDS)}, in bold")
    answers, questions = list(_ANSWER.finditer(solution)), _QUESTION.findall(solution)
    if len(_MARK.findall(solution)) != len(answers) + len(questions) or len(answers) > 1:
        raise BookError(
            f"{name}: a mark of {label} cannot be read, or there are two answers; write"
            " <!-- answer: {key:.2f} which number --> once ({key:d} for a count), or"
            " <!-- ask: a question -->"
        )
    answer = None
    if answers:
        (found,) = answers
        asks = " ".join(found["asks"].split())
        decimals = int(found["decimals"]) if found["decimals"] else None
        answer = Answer(found["key"], decimals, asks)
    asked = tuple(" ".join(question.split()) for question in questions)
    shown, hidden = _cells(solution, shown=True), _cells(solution, shown=False)
    return Exercise(label, kind, task, solution, shown, hidden, answer, asked)


def _refuse_kept_inside(text: str, solutions: dict[str, re.Match[str]], name: str) -> None:
    used = {found["key"] for found in GLUED.finditer(without_solutions(text))}
    for label, found in solutions.items():
        kept = set(re.findall(r"\b(\w+)=(?!=)", " ".join(_kept(found["body"]))))
        if lost := sorted(kept & used):
            raise BookError(
                f"{name}: {lost[0]} is kept in the solution of {label} and used outside of it;"
                " keep it in a cell before the exercise"
            )


def _kept(solution: str) -> list[str]:
    return re.findall(r"^keep\((.*?)\)\n", solution, re.MULTILINE | re.DOTALL)
