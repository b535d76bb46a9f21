"""The harmonisation log: every recode counted, every doubtful row listed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Recode:
    """What a rule turned into what, in how many rows."""

    field: str
    column: str
    rule: str
    before: str
    after: str
    rows: int


@dataclass(frozen=True)
class Flag:
    """A row that was kept with a doubt, or a value that could not be mapped."""

    place: str
    field: str
    found: str
    doubt: str


@dataclass
class HarmonisationLog:
    """Everything between a trial's raw tables and its panel, in the order it was done."""

    trial: str
    recodes: list[Recode] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)

    def write(
        self, field: str, column: str, rule: str, before: object, after: object, rows: int
    ) -> None:
        """Add a recode, unless it touched no row."""
        if rows:
            self.recodes.append(Recode(field, column, rule, str(before), str(after), int(rows)))

    def flag(
        self, places: pd.Series, field: str, found: pd.Series, doubtful: pd.Series, doubt: str
    ) -> None:
        """Add a flag for each doubtful row."""
        rows = doubtful[doubtful].index
        self.flags += [Flag(places[row], field, str(found[row]), doubt) for row in rows]

    def to_frame(self) -> pd.DataFrame:
        """Return the recodes as a table: trial, field, column, rule, before, after, rows."""
        frame = pd.DataFrame(self.recodes, columns=list(Recode.__dataclass_fields__))
        frame.insert(0, "trial", self.trial)
        return frame

    def flags_to_frame(self) -> pd.DataFrame:
        """Return the flags as a table: trial, place, field, found, doubt."""
        frame = pd.DataFrame(self.flags, columns=list(Flag.__dataclass_fields__))
        frame.insert(0, "trial", self.trial)
        return frame
