"""A published number beside the book's own, compared at the digits that were published."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import pandas as pd

DECIMALS, SMALL = 10, 1e-4
"""How many decimals are shown at most: the book's stored outputs keep no more, since processors
differ in them. Numbers below `SMALL` are written with a power of ten instead."""

KINDS = ("printed", "stored", "run")
"""Where a published number stands: printed in a book, paper or manual; stored as the output of
another program by somebody else; or what another program gave when this book's makers ran it."""


@dataclass(frozen=True)
class Check:
    """One published number and what this book's library computes for it.

    They agree if they differ by no more than half a unit of the last digit that was published, so
    that a number halfway between two roundings agrees with either.

    Attributes
    ----------
    id : name of the check, the one that the tests use
    what : the quantity
    source : citation key of who published it
    published : the number as printed, so that its digits can be counted: ``".0614"``, ``"-1.0e-3"``
    ours : the number computed here
    kind : one of `KINDS`
    part : what it is about, for tables and figures by part
    differs : why the two are *known* to differ; empty if they should agree

    Raises
    ------
    ValueError
        If `published` is no finite number, `ours` is not finite, or `kind` is unknown.
    """

    id: str
    what: str
    source: str
    published: str
    ours: float
    kind: str = "printed"
    part: str = ""
    differs: str = ""

    def __post_init__(self) -> None:
        where = f"{self.id}, {self.what}"
        as_decimal(self.published, where)
        if not math.isfinite(self.ours):
            raise ValueError(f"{where}: ours is {self.ours}: give a finite number")
        if self.kind not in KINDS:
            raise ValueError(f"{where}: kind is {self.kind!r}: give one of {', '.join(KINDS)}")

    @property
    def agrees(self) -> bool:
        """Whether the two are the same at the published digits."""
        return self._distance <= self._unit / 2

    @property
    def as_expected(self) -> bool:
        """Whether they agree, or are declared to differ and do."""
        return self.agrees != bool(self.differs)

    @property
    def difference(self) -> float:
        """Ours less the published number."""
        return float(_shortest(self.ours) - self._number)

    @property
    def published_digits(self) -> int:
        """Significant digits published; zeros in front do not count."""
        return len(self._number.as_tuple().digits)

    @property
    def digits(self) -> int:
        """How many of the published digits agree, from the first on."""
        if self.agrees:
            return self.published_digits
        same = self._number.adjusted() + 1 - math.log10(2 * self._distance)
        return max(0, min(math.floor(same), self.published_digits - 1))

    @property
    def shown(self) -> str:
        """Ours, with two digits more than were published, but no more than `DECIMALS`."""
        small = self.ours != 0 and abs(self.ours) < SMALL
        if small:
            return f"{self.ours:.{min(self.published_digits + 1, DECIMALS)}e}"
        return f"{self.ours:.{min(max(2 - self._exponent, 0), DECIMALS)}f}"

    @property
    def _number(self) -> Decimal:
        return as_decimal(self.published, self.id)

    @property
    def _distance(self) -> Decimal:
        return abs(_shortest(self.ours) - self._number)

    @property
    def _exponent(self) -> int:
        return int(self._number.as_tuple().exponent)

    @property
    def _unit(self) -> Decimal:
        return Decimal(1).scaleb(self._exponent)

    def __str__(self) -> str:
        verdict = "agrees" if self.agrees else f"differs by {self.difference:.2g}"
        return (
            f"{self.id}, {self.what}: published {self.published} ({self.source}), ours"
            f" {self.shown}: {verdict}"
        )


@dataclass(frozen=True)
class Checks:
    """Several checks, as a table to read and as a table of numbers."""

    all: tuple[Check, ...]

    @classmethod
    def together(cls, parts: Iterable[Checks]) -> Checks:
        """Put several together, in their order."""
        return cls(tuple(check for part in parts for check in part))

    def __iter__(self) -> Iterator[Check]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    @property
    def unexpected(self) -> list[str]:
        """What should agree and does not, or is declared to differ and does not, in words."""
        return [str(check) for check in self if not check.as_expected]

    def side_by_side(self) -> pd.DataFrame:
        """Return a table to read: texts, with the digits that were published and a few more."""
        rows = [
            {
                "check": check.id,
                "quantity": check.what,
                "published": check.published,
                "ours": check.shown,
                "digits": f"{check.digits}/{check.published_digits}",
                "kind": check.kind,
            }
            for check in self
        ]
        return pd.DataFrame(rows).set_index(["check", "quantity"])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per check, numbers unrounded."""
        rows = [
            {
                "id": check.id,
                "part": check.part,
                "quantity": check.what,
                "kind": check.kind,
                "source": check.source,
                "published": check.published,
                "ours": check.ours,
                "difference": check.difference,
                "digits": check.digits,
                "published digits": check.published_digits,
                "agrees": check.agrees,
                "known to differ": check.differs,
            }
            for check in self
        ]
        return pd.DataFrame(rows)


def as_decimal(printed: str, where: str) -> Decimal:
    """Read a printed number exactly, with its trailing zeros.

    Raises
    ------
    ValueError
        If it is not a text, or the text is no finite number; the message says `where`.
    """
    if not isinstance(printed, str):
        raise ValueError(
            f"{where}: published is {printed!r}, a {type(printed).__name__}: quote it, since a"
            " number has lost its trailing zeros"
        )
    try:
        number = Decimal(printed.replace("\u2212", "-"))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise ValueError(f"{where}: published is {printed!r}: give a number as it was printed")
    return number


def _shortest(value: float) -> Decimal:
    # The shortest decimal that reads back as the same float: 0.125 is a tie of 0.12 and 0.13, and
    # so is 2.675 of 2.67 and 2.68, though the nearest float lies a hair below it.
    return Decimal(repr(float(value)))
