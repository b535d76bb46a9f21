"""Numbers for the prose of a chapter, taken from its cells and never typed."""

from __future__ import annotations

import numbers

from myst_nb import glue

DIGITS = 6
"""Significant digits kept: more than a sentence shows, fewer than two processors may differ in."""


def keep(**values: float | str) -> None:
    """Keep each value under its name, for ``{glue:text}`name:.2f``` in the chapter's prose.

    Raises
    ------
    TypeError
        If a value is neither a number nor a text; the message names it.
    """
    for name, value in values.items():
        if isinstance(value, str):
            glue(name, value, display=False)
        elif isinstance(value, numbers.Integral):
            glue(name, int(value), display=False)
        elif isinstance(value, numbers.Real):
            glue(name, float(f"{value:.{DIGITS}g}"), display=False)
        else:
            raise TypeError(f"{name}: a number or a text is needed, found {type(value).__name__}")
