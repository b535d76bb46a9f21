"""Small counts of private patients are not shown, nor what would give them away."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

THRESHOLD = 11
"""Counts from 1 to one below this are hidden: a usual rule of those who release health data."""


def suppress(
    table: pd.DataFrame, parts: Sequence[Sequence[str]] = (), threshold: int = THRESHOLD
) -> pd.DataFrame:
    """Hide small counts, and the counts from which they could be worked out.

    Parameters
    ----------
    table
        Counts, one row per group.
    parts
        Sets of columns whose sum is known to the reader, such as
        ``[("interviewed", "not_interviewed")]`` where the number randomized is shown. If one of a
        set is hidden in a row, the smallest of the others is hidden too, since the sum would tell
        (complementary suppression).
    threshold
        Counts below this, but for 0, are hidden.

    Returns
    -------
    pandas.DataFrame
        The table as text; a hidden count reads ``<11`` (or whatever the threshold is), and one
        hidden with it reads ``hidden``.

    Raises
    ------
    ValueError
        If a count is negative or not whole, a named column is absent, or the threshold is below 2.
    """
    if threshold < 2:
        raise ValueError(
            f"threshold: {threshold} hides nothing; use 2 or more ({THRESHOLD} is usual)"
        )
    absent = sorted({column for group in parts for column in group} - set(table.columns))
    if absent:
        raise ValueError(f"parts: no column {absent[0]!r}; there are {', '.join(table.columns)}")
    wrong = table.lt(0) | table.ne(table.round())
    if wrong.any(axis=None):
        raise ValueError(
            f"table: {table[wrong].stack().dropna().iloc[0]:g} is not a count of patients"
        )
    small = table.gt(0) & table.lt(threshold)
    shown = table.astype(int).astype(str).mask(small, f"<{threshold}")
    for group in parts:
        columns = list(group)
        for row in table.index[small[columns].sum(axis=1).eq(1)]:
            others = table.loc[row, columns][~small.loc[row, columns]]
            others = others[others.gt(0)]
            if len(others):
                shown.loc[row, others.idxmin()] = "hidden"
    return shown
