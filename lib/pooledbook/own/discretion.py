"""What is hidden of private records: counts of people, in tables and in sentences.

A table of counts whose parts sum to a known total needs `pooling.suppress`, which hides a second
part too. Here is the second line of defence, for whatever a result happens to say of how many:
counts of 1 to 10 are hidden, and others rounded to tens, since 113 rows here and 120 planned
interviews there would tell that 7 were missed.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from pooledtrials.pooling.disclosure import THRESHOLD

SAFE = "counts are safe"
"""The key of ``attrs`` under which a table says that its counts have been seen to."""
BASE = 10
"""Counts that are not hidden are rounded to a multiple of this."""

_PEOPLE = r"patients?|people|persons?|interviews?|rows?|observations?|clusters?|units?|answers?"
_COUNTED = re.compile(
    rf"\b(?:n|nobs|used|randomized|interviewed|held|seen|died|imputed|dof|{_PEOPLE})\b"
)
_IN_WORDS = re.compile(
    rf"(?<![\w.,+-])\d+(?=(?: of \d+)? (?:(?!of\b)\w+ )?(?:{_PEOPLE}|values|weights)\b)"
    r"|(?<=\bn = )\d+(?![\w.])"
)
_DEGREES = re.compile(r"(?<=\bF\()(\d+), (\d+)(?=\))|(?<=\bt\()(\d+)(?=\))")


def hidden(count: float) -> str:
    """Write a count of private people."""
    if 0 < count < THRESHOLD:
        return f"<{THRESHOLD}"
    return str(int(count)) if count == 0 else f"≈{int(BASE * round(count / BASE))}"


def discreet_table(table: pd.DataFrame) -> pd.DataFrame:
    """Hide counts of people, wherever a column, or a row of a single column, says it counts them.

    Sentences in cells are treated as `discreet_words` does. A table that says that its counts are
    `SAFE` is returned as it is.
    """
    if table.attrs.get(SAFE):
        return table
    shown = table.astype(object)
    labels = [_counts(label) and table.shape[1] == 1 for label in table.index]
    for place, column in enumerate(table.columns):
        counted = _counts(column)
        shown.isetitem(
            place,
            [
                _cell(value, counted or labelled)
                for value, labelled in zip(shown.iloc[:, place], labels, strict=True)
            ],
        )
    return shown


def discreet_words(text: str) -> str:
    """Hide counts of people in a sentence, and degrees of freedom, which count them too."""
    text = _IN_WORDS.sub(lambda found: _about(int(found[0])), text)
    return _DEGREES.sub(
        lambda found: f"{found[1]}, {hidden(int(found[2]))}" if found[1] else hidden(int(found[3])),
        text,
    )


def hide_with_complement(parts: pd.DataFrame, whole: pd.Series) -> pd.DataFrame:
    """Hide each count of `parts` that is small, or whose remainder to `whole` is.

    Parameters
    ----------
    parts : counts, a column per kind
    whole : the total that each of them is a part of, shown beside them
    """
    rest = parts.rsub(whole, axis=0)
    small = (parts.gt(0) & parts.lt(THRESHOLD)) | (rest.gt(0) & rest.lt(THRESHOLD))
    return parts.astype(object).mask(small, "hidden")


def _counts(name: Any) -> bool:
    words = name if isinstance(name, tuple) else (name,)
    return any(_COUNTED.search(str(word).replace("_", " ")) for word in words)


def _cell(value: Any, counted: bool) -> Any:
    if isinstance(value, str):
        return discreet_words(value)
    number = pd.to_numeric(value, errors="coerce")
    if not counted or not np.isfinite(number) or number != round(number):
        return value
    return hidden(float(number))


def _about(count: int) -> str:
    return (
        f"fewer than {THRESHOLD}" if 0 < count < THRESHOLD else hidden(count).replace("≈", "about ")
    )
