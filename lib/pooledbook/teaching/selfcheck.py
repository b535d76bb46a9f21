"""Checks that tell a student whether a number is right without saying what it is.

The table beside the exercise notebooks holds no answer, only a salted hash of each, rounded as the
exercise asks. Whoever wants can find an answer by trying thousands of numbers. It takes longer than
the exercise.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Final

TABLE: Final = "checks.json"
ROUNDS: Final = 20_000
_SLIPS: Final = (
    (-1.0, "It has the right size and the wrong sign."),
    (100.0, "It would be right a hundred times as large: is it a share where percent are asked?"),
    (0.01, "It would be right a hundred times smaller: is it in percent where a share is asked?"),
    (10.0, "It would be right ten times as large: per one day, or per ten?"),
    (0.1, "It would be right ten times smaller: per one day, or per ten?"),
)


@dataclass(frozen=True)
class Checked:
    """What a check says; a notebook shows it as the value of a cell."""

    right: bool
    says: str

    def __repr__(self) -> str:
        return self.says


def check(exercise: str, answer: object, table: Path | None = None) -> Checked:
    """Say whether `answer` solves the exercise, and if not, what may have gone wrong.

    Parameters
    ----------
    exercise
        Its label.
    answer
        One number, not rounded. It is right if it is less than one unit of the last decimal asked
        for away from the solution, as rounded to that decimal. A count has to be exact.
    table
        The file with the hashes; by default ``checks.json`` in the working folder.

    Raises
    ------
    ValueError
        If the table is not there or does not know the exercise.
    """
    known = _read(table or Path(TABLE))
    if exercise not in known:
        raise ValueError(f"no check for {exercise!r}: give one of {', '.join(known)}")
    seal = known[exercise]
    asked = asking(seal["asks"], seal["decimals"])
    if answer is Ellipsis:
        return Checked(False, f"No answer yet: put a number in place of the dots. {asked}")
    if isinstance(answer, bool) or not isinstance(answer, Real):
        kind = type(answer).__name__
        return Checked(False, f"The answer is a {kind}, and one number is needed. {asked}")
    value = float(answer)
    if not math.isfinite(value):
        return Checked(False, f"The answer is {value}, and a finite number is needed. {asked}")
    if _fits(exercise, value, seal):
        exact = seal["decimals"] is None
        return Checked(
            True, "Right." if exact else f"Right, to within {10 ** -seal['decimals']:g}."
        )
    slips = (hint for factor, hint in _SLIPS if _fits(exercise, factor * value, seal))
    return Checked(False, " ".join([f"Not yet. {asked}", *slips]))


def sealed(exercise: str, value: float, decimals: int | None, asks: str) -> dict[str, Any]:
    """Make the table's entry of an exercise: what it asks for, and a hash of the rounded answer."""
    step = round(value * 10 ** (decimals or 0))
    return {"asks": asks, "decimals": decimals, "hash": _hash(exercise, step)}


def asking(which: str, decimals: int | None) -> str:
    """Say which number an exercise asks for, and how exactly."""
    if decimals is None:
        return f"{which} It is a count, and has to be exact."
    words = {0: "a whole number", 1: "one decimal", 2: "two decimals", 3: "three decimals"}
    return f"{which} Give it to {words.get(decimals, f'{decimals} decimals')}."


def _fits(exercise: str, value: float, seal: dict[str, Any]) -> bool:
    if seal["decimals"] is None:
        return value.is_integer() and _hash(exercise, int(value)) == seal["hash"]
    below = math.floor(value * 10 ** seal["decimals"])
    return any(_hash(exercise, step) == seal["hash"] for step in (below, below + 1))


def _hash(exercise: str, step: int) -> str:
    # The label is the salt: equal answers of two exercises must not look alike.
    made = hashlib.pbkdf2_hmac("sha256", str(step).encode(), exercise.encode(), ROUNDS)
    return made.hex()[:32]


def _read(table: Path) -> dict[str, dict[str, Any]]:
    if not table.is_file():
        raise ValueError(
            f"no {table.name} in {table.resolve().parent.name}: open the notebook from the folder"
            " it came in"
        )
    known: dict[str, dict[str, Any]] = json.loads(table.read_text("utf8"))
    return known
