"""Specifications: every combination of the choices that an analysis leaves open.

Each choice, such as the outcome or the method, has named options; a specification takes one option
of each [steegen2016increasing].
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import pandas as pd

Choices: TypeAlias = Mapping[str, Mapping[str, Any] | Sequence[str]]
"""Options by choice: what each name stands for, or names that stand for themselves."""

RESULTS: Final = ("estimate", "se", "low", "high", "p", "n", "reason")
"""Columns that follow the choices in the frame of a curve."""


def subsets(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Every subset of some columns by name, from ``"none"`` to all of them.

    The options of a choice of controls: ``{"controls": subsets(["age", "female"])}`` has the four
    options ``none``, ``age``, ``female`` and ``age + female``.

    Parameters
    ----------
    names : p columns
        There are ``2 ** p`` subsets.

    Raises
    ------
    ValueError
        If names repeat, or are one text.
    """
    if isinstance(names, str):
        raise ValueError(f"names is {names!r}: give a list of names")
    _refuse_repeated("names", names)
    return {
        " + ".join(chosen) or "none": chosen
        for size in range(len(names) + 1)
        for chosen in itertools.combinations(names, size)
    }


def specifications(choices: Choices) -> pd.DataFrame:
    """Every combination of options, a row each; the first choice varies slowest.

    Rows that make no sense can be left out before anything is estimated: pass what is left of the
    frame to `specification_curve`.

    Parameters
    ----------
    choices : mapping of choices to their options
        Options are a mapping of names to what they stand for, or a list of names that stand for
        themselves.

    Returns
    -------
    pandas.DataFrame
        A column per choice, holding names of options.

    Raises
    ------
    ValueError
        Without choices or options, and for names that repeat, are no text, or are those of a
        curve's results.
    """
    options = named_options(choices)
    rows = itertools.product(*options.values())
    return pd.DataFrame(list(rows), columns=list(options)).rename_axis("specification")


def named_options(choices: Choices) -> dict[str, dict[str, Any]]:
    """What each option of each choice stands for, checked."""
    if not isinstance(choices, Mapping) or not choices:
        raise ValueError(
            "choices has no choice: give a mapping such as {'method': ['within', 'pooled']}"
        )
    return {_name(choice): _options(choice, options) for choice, options in choices.items()}


def checked_grid(grid: pd.DataFrame | None, options: Mapping[str, Mapping[str, Any]]) -> Any:
    """The specifications asked for, all of them by default, each option one that exists."""
    if grid is None:
        return specifications({choice: list(names) for choice, names in options.items()})
    if not isinstance(grid, pd.DataFrame) or sorted(map(str, grid)) != sorted(options):
        raise ValueError(
            f"specifications does not have the columns {', '.join(options)}: give rows of"
            " specifications(choices)"
        )
    kept = grid[list(options)]
    for choice, names in options.items():
        unknown = kept.loc[~kept[choice].isin(list(names)), choice]
        if len(unknown):
            raise ValueError(
                f"specifications has {len(unknown)} rows whose {choice} is no option (first:"
                f" {unknown.iloc[0]!r}): choose among {', '.join(names)}"
            )
    repeated = int(kept.duplicated().sum())
    if repeated or not kept.index.is_unique:
        raise ValueError(
            f"specifications repeats {repeated or int(kept.index.duplicated().sum())} rows or"
            " labels of rows: keep one of each"
        )
    if kept.empty:
        raise ValueError("specifications has 0 rows: there is nothing to estimate")
    return kept.rename_axis("specification")


def words(row: Mapping[str, str]) -> str:
    """One specification in words."""
    return ", ".join(f"{choice} {option}" for choice, option in row.items())


def _name(choice: Any) -> str:
    if not isinstance(choice, str) or not choice:
        raise ValueError(f"choices has a choice named {choice!r}: give it a name, as text")
    if choice in RESULTS:
        raise ValueError(
            f"choices has a choice named {choice!r}, which is a column of the results"
            f" ({', '.join(RESULTS)}): rename it"
        )
    return choice


def _options(choice: str, options: Any) -> dict[str, Any]:
    named = isinstance(options, Mapping)
    if not named and (isinstance(options, str) or not isinstance(options, Sequence)):
        raise ValueError(
            f"choices: {choice} is {options!r}: give a mapping of names to what they stand for, or"
            " a list of names"
        )
    names = list(options)
    if not names:
        raise ValueError(f"choices: {choice} has 0 options: give one or more")
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"choices: {choice} has an option named {name!r}: give each a name, as in"
                f" {{'a name': {name!r}}}"
            )
    _refuse_repeated(f"choices: {choice}", names)
    return dict(options) if named else dict(zip(names, names, strict=True))


def _refuse_repeated(argument: str, names: Sequence[str]) -> None:
    again = sorted({name for name in names if list(names).count(name) > 1})
    if again:
        raise ValueError(f"{argument} has {again[0]!r} more than once: name each option once")
