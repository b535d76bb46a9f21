"""How a page shows a result: its words, its table with a caption, or why there is none."""

from __future__ import annotations

import base64
import io
import numbers
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from pooledbook.own.discretion import discreet_table, discreet_words

LONG = 24
"""Characters of a cell from which on it is read as words, which may wrap."""


@dataclass(frozen=True)
class Drawing:
    """A figure and what it shows, in words."""

    figure: Figure
    words: str


def show(compute: Callable[[], Any], caption: str, discreet: bool) -> None:
    """Compute a result and display it; a refusal is displayed as the reason that it gives.

    Parameters
    ----------
    compute : called once; what it returns may be words, a table, a `Drawing`, a result with
        ``describe`` or ``to_frame``, or a sequence of these
    caption : what it is, and whose records it shows
    discreet : whether small counts are hidden
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            found = compute()
            shown = list(parts(found))
        except (ValueError, ArithmeticError) as refusal:
            plt.close("all")
            _display_refusal(caption, _said(str(refusal), discreet))
            return
    _display(f'<p class="own-caption">{escape(caption)}</p>', caption)
    for part in shown:
        if isinstance(part, str):
            _display_words(_said(part, discreet))
        elif isinstance(part, Drawing):
            _display_drawing(part, _said(part.words, discreet))
        else:
            table = discreet_table(part) if discreet else part
            _display(table_html(table, caption), table.map(number).to_string())
    for told in sorted({str(warning.message) for warning in heard}):
        _display_words(f"A warning came with it: {_said(told, discreet)}")


def parts(found: Any) -> Iterator[str | pd.DataFrame | Drawing]:
    """Take a result apart into what can be displayed."""
    if isinstance(found, str | pd.DataFrame | Drawing):
        yield found
    elif isinstance(found, pd.Series):
        yield found.to_frame(found.name or "value")
    elif isinstance(found, Iterable):
        for one in found:
            yield from parts(one)
    else:
        yield found.describe() if hasattr(found, "describe") else str(found)
        if hasattr(found, "to_frame"):
            yield found.to_frame()


def number(value: Any) -> str:
    """Write one cell: four significant digits, whole numbers whole, nothing where nothing is."""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return "" if pd.isna(value) else f"{value:.4g}"
    return "" if value is None or value is pd.NA else str(value)


def table_html(table: pd.DataFrame, label: str) -> str:
    """Write a table that scrolls inside itself.

    Headers say of what they are headers, and a keyboard can reach what scrolls.
    """
    names = ["" if name is None else heading(name) for name in table.index.names]
    told = [_words(table.iloc[:, place]) for place in range(table.shape[1])]
    head = [f'<th scope="col" class="words">{escape(name)}</th>' for name in names]
    head += [
        f'<th scope="col"{_class(words)}>{escape(heading(column))}</th>'
        for column, words in zip(table.columns, told, strict=True)
    ]
    lines = []
    for key, row in zip(table.index, table.itertuples(index=False, name=None), strict=True):
        labels = key if isinstance(key, tuple) else (key,)
        cells = [
            f'<th scope="row"{_class(False, len(number(part)) > LONG)}>{escape(number(part))}</th>'
            for part in labels
        ]
        for value, words in zip(row, told, strict=True):
            text = number(value)
            cells.append(f"<td{_class(words, len(text) > LONG)}>{escape(text)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="own-scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="dataframe own"><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def heading(name: Any) -> str:
    """Write the name of a column or of a choice as words; names of scores stay as they are."""
    parts = map(str, name) if isinstance(name, tuple) else (str(name),)
    return " ".join(part if part.startswith("asi_") else part.replace("_", " ") for part in parts)


def _words(column: pd.Series) -> bool:
    """Whether a column holds no numbers, not even rounded or hidden ones."""
    bare = column.map(lambda value: str(value).lstrip("≈<"))
    return not pd.to_numeric(bare, errors="coerce").notna().any()


def _class(words: bool, long: bool = False) -> str:
    names = " ".join(name for name, given in (("words", words), ("long", long)) if given)
    return f' class="{names}"' if names else ""


def _said(text: str, discreet: bool) -> str:
    return discreet_words(text) if discreet else text


def _display_words(text: str) -> None:
    if text:
        lines = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line.strip())
        _display(f'<div class="own-words">{lines}</div>', text)


def _display_refusal(caption: str, reason: str) -> None:
    lines = "<br>".join(escape(line) for line in reason.splitlines())
    _display(
        f'<div class="admonition note own-refusal"><p class="admonition-title">Not here: '
        f"{escape(caption)}</p><p>{lines}</p></div>",
        f"Not here: {caption}\n{reason}",
    )


def _display_drawing(drawing: Drawing, words: str) -> None:
    with io.BytesIO() as file:
        drawing.figure.savefig(file, format="png", dpi=144, bbox_inches="tight")
        image = base64.b64encode(file.getvalue()).decode()
    plt.close(drawing.figure)
    data = {"image/png": image, "text/plain": words}
    display(data, raw=True)  # type: ignore[no-untyped-call]


def _display(html: str, plain: str) -> None:
    display({"text/html": html, "text/plain": plain}, raw=True)  # type: ignore[no-untyped-call]
