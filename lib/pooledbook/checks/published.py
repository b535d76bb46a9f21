"""The published numbers that the book is checked against, from one file that a person wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import yaml

from pooledbook.checks.checked import KINDS, Check, Checks, as_decimal
from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.pooling import data_folder
from pooledtrials.results import Test


@runtime_checkable
class Coefficient(Protocol):
    """An `Estimate`, or what has its two numbers."""

    @property
    def coefficient(self) -> float:
        """The estimate."""

    @property
    def standard_error(self) -> float:
        """Its standard error."""


Result = float | Coefficient | Test | ConfidenceSet


@dataclass(frozen=True)
class PublishedNumber:
    """A number as somebody published it; its fields are those of `checked.Check`."""

    id: str
    what: str
    source: str
    printed: str
    kind: str
    part: str
    differs: str


@dataclass(frozen=True)
class PublishedNumbers:
    """All of them, in the order of the file."""

    numbers: tuple[PublishedNumber, ...]

    @classmethod
    def read(cls, file: Path | None = None) -> PublishedNumbers:
        """Read them from `file`, by default ``data/published/numbers.yaml``.

        Raises
        ------
        ValueError
            If a number is not quoted, a kind is unknown or a field is missing; the message names
            the check.
        """
        file = file or data_folder() / "published" / "numbers.yaml"
        listed = yaml.safe_load(file.read_text(encoding="utf-8"))
        return cls(tuple(number for id, entry in listed.items() for number in _numbers(id, entry)))

    def compare(self, id: str, ours: Mapping[str, Result]) -> Checks:
        """Put what was computed here beside what was published under `id`.

        Parameters
        ----------
        id
            A check of the file.
        ours
            By name, either numbers or results of the library, which give several numbers: see
            `numbers_of`.

        Raises
        ------
        ValueError
            If there is no such check, a published number is left out, or something is computed that
            nobody published: neither may pass unseen.
        """
        wanted = [number for number in self.numbers if number.id == id]
        if not wanted:
            raise ValueError(f"id is {id!r}: the file has {', '.join(self.ids)}")
        found = {name: numbers_of(name, result) for name, result in ours.items()}
        values = {what: value for several in found.values() for what, value in several.items()}
        names = {number.what for number in wanted}
        missing = [what for what in names if what not in values]
        if missing:
            raise ValueError(f"{id}: published but not computed: {', '.join(sorted(missing))}")
        idle = [name for name, several in found.items() if not names & set(several)]
        if idle:
            raise ValueError(f"{id}: computed but published nowhere: {', '.join(idle)}")
        return Checks(
            tuple(
                Check(
                    number.id, number.what, number.source, number.printed, values[number.what],
                    number.kind, number.part, number.differs,
                )
                for number in wanted
            )
        )  # fmt: skip

    @property
    def ids(self) -> list[str]:
        """The checks, in the order of the file."""
        return list(dict.fromkeys(number.id for number in self.numbers))

    def unchecked(self, checks: Iterable[Check]) -> list[str]:
        """Name the checks of the file that have not been made."""
        made = {check.id for check in checks}
        return [id for id in self.ids if id not in made]


def numbers_of(name: str, result: Result) -> dict[str, float]:
    """Name the numbers that a result holds.

    An estimate called ``"2SLS"`` gives ``"2SLS"`` and ``"2SLS SE"``; a `Test` gives its statistic
    and ``"... p"``; an interval ``"... low"`` and ``"... high"``; another set its end points,
    ``"... end 1"`` and so on; a number itself.
    """
    if isinstance(result, Coefficient):
        return {name: result.coefficient, f"{name} SE": result.standard_error}
    if isinstance(result, Test):
        return {name: result.statistic, f"{name} p": result.p_value}
    if isinstance(result, ConfidenceSet):
        ends = result.end_points
        labels = ("low", "high") if result.kind == "interval" else range(1, len(ends) + 1)
        word = "" if result.kind == "interval" else "end "
        return {f"{name} {word}{label}": end for label, end in zip(labels, ends, strict=True)}
    if not isinstance(result, Real):
        raise ValueError(
            f"{name} is a {type(result).__name__}: give a number, an estimate, a test or a set"
        )
    return {name: float(result)}


def _numbers(id: str, entry: Mapping[str, Any]) -> list[PublishedNumber]:
    numbers = []
    for place, of_source in enumerate(entry["published"], start=1):
        where = f"{id}, source {place}"
        absent = {"kind", "source", "numbers"} - set(of_source)
        if absent:
            raise ValueError(f"{where} has no {', '.join(sorted(absent))}")
        if of_source["kind"] not in KINDS:
            raise ValueError(
                f"{where}: kind is {of_source['kind']!r}: give one of {', '.join(KINDS)}"
            )
        for what, printed in of_source["numbers"].items():
            as_decimal(printed, f"{where}, {what}")
            numbers.append(
                PublishedNumber(
                    id, what, of_source["source"], printed, of_source["kind"], entry["part"],
                    of_source.get("differs", ""),
                )
            )  # fmt: skip
    return numbers
