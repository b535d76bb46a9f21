"""``python -m pooledbook.teaching.handout``: the game of two worlds on paper, a sheet a student.

It writes two files into ``_build/class``: ``cards.html`` to print and hand out, and ``key.html``,
which is the teacher's. Neither needs anything from elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import pandas as pd

from pooledbook.notebooks import write_whole
from pooledbook.tree import Book, BookError
from pooledtrials.planning.studies import load_study
from pooledtrials.planning.studies.classroom import SIDES, Deal, deal

WIDTH, HEIGHT, MARGIN = 300, 64, 22
STYLE: Final = """
@page { size: A4; margin: 12mm; }
body { font: 14px/1.35 sans-serif; color: #000; background: #fff; max-width: 46rem;
  margin: 0 auto; padding: 0 1rem; }
section { break-after: page; }
h1 { font-size: 1.25rem; margin: 0.5rem 0 0.2rem; }
h2 { font-size: 1rem; margin: 0.7rem 0 0.2rem; }
.pairs { display: grid; grid-template-columns: 1fr 1fr; gap: 0.3rem 1.2rem; }
.pair { break-inside: avoid; border-top: 1px solid #999; padding-top: 0.1rem; display: grid;
  grid-template-columns: 1.1rem 1fr; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 11px sans-serif; }
line { stroke: #000; stroke-width: 1.6; }
.zero { stroke-width: 0.8; stroke-dasharray: 3 3; }
table { border-collapse: collapse; }
td, th { border: 1px solid #999; padding: 0.1rem 0.5rem; text-align: center; }
@media (max-width: 36rem) { .pairs { grid-template-columns: 1fr; } }
"""
RULES: Final = """\
<p>Each pair shows what one analyst found in two pools of six trials, in drug-score points per ten
more meeting days in thirty: a dot and its 95&nbsp;% interval. In one of the two, meetings lower
drug use. In the other they do nothing, and motivated people both attend and use less. All patients
are <strong>synthetic</strong>. Circle A or B: <em>in which pool do meetings work?</em></p>
"""


def cards(dealt: Deal) -> str:
    """Write the sheets to hand out, one a student."""
    limits = {name: _limits(pairs) for name, pairs in dealt.pairs.groupby(level="round")}
    sheets = []
    for student, rows in dealt.pairs.groupby(level="student"):
        parts = [f"<section><h1>Two worlds: sheet {student}</h1>", RULES]
        for number, (name, pairs) in enumerate(rows.groupby(level="round", sort=False), 1):
            drawn = "".join(_pair(index[-1], row, *limits[name]) for index, row in pairs.iterrows())
            parts.append(f"<h2>Round {number}: {escape(str(name))} ({_end(limits[name])})</h2>")
            parts.append(f'<div class="pairs">{drawn}</div>')
        sheets.append("\n".join([*parts, "</section>"]))
    return _page("Two worlds", "\n".join(sheets))


def key(dealt: Deal) -> str:
    """Write the teacher's page: the right sides, a sheet a row, and what to expect."""
    rounds = list(dealt.expected.index)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("sheet", *rounds))
    rows = []
    for student, answers in dealt.key.groupby(level="student"):
        sides = ("&nbsp;".join(answers.xs(name, level="round")) for name in rounds)
        rows.append(f"<tr><th>{student}</th>{''.join(f'<td>{s}</td>' for s in sides)}</tr>")
    expected = "".join(
        f"<li>{escape(str(name))}: {100 * row.share:.0f}&nbsp;% right, if everybody takes the lower"
        f" estimate; a class of this size mostly between {100 * row.low:.0f} and"
        f" {100 * row.high:.0f}&nbsp;%.</li>"
        for name, row in zip(rounds, dealt.expected.itertuples(), strict=True)
    )
    return _page(
        "Two worlds: the key",
        f"<h1>Two worlds: the key</h1><p>The side on which meetings work, pair by pair.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<h2>What to expect</h2><ul>{expected}</ul>",
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _limits(pairs: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis: symmetric about zero, and wide enough for most intervals of the round."""
    ends = pairs.loc[:, pd.IndexSlice[:, ["low", "high"]]].abs()
    reach = float(ends.quantile(0.97).max())
    return -reach, reach


def _end(limits: tuple[float, float]) -> str:
    return f"the axis ends at &minus;{limits[1]:.2g} and {limits[1]:.2g}"


def _pair(number: int, row: pd.Series, low: float, high: float) -> str:
    said = "; ".join(
        f"{side}: {row[side, 'estimate']:.3f}, from {row[side, 'low']:.3f} to"
        f" {row[side, 'high']:.3f}"
        for side in SIDES
    )
    lines = "".join(
        _line(row[side], side, y, low, high) for side, y in zip(SIDES, (18, 44), strict=True)
    )
    middle = _place(0.0, low, high)
    zero = f'<line class="zero" x1="{middle:.1f}" x2="{middle:.1f}" y1="4" y2="{HEIGHT - 6}"/>'
    opened = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">'
    return f'<div class="pair">{number}{opened}{zero}{lines}</svg></div>'


def _line(side: pd.Series, name: str, y: int, low: float, high: float) -> str:
    start, stop = (_place(side[end], low, high) for end in ("low", "high"))
    dot = ""
    if low <= side["estimate"] <= high:
        dot = f'<circle cx="{_place(side["estimate"], low, high):.1f}" cy="{y}" r="3.5"/>'
    beyond = "".join(
        f'<text x="{place:.1f}" y="{y + 4}" text-anchor="{anchor}">{arrow}</text>'
        for out, place, anchor, arrow in (
            (side["low"] < low, start, "end", "&#9664;"),
            (side["high"] > high, stop, "start", "&#9654;"),
        )
        if out
    )
    return (
        f'<text x="0" y="{y + 4}">{name}</text>'
        f'<line x1="{start:.1f}" x2="{stop:.1f}" y1="{y}" y2="{y}"/>{dot}{beyond}'
    )


def _place(value: float, low: float, high: float) -> float:
    inside = min(max(value, low), high)
    return MARGIN + (inside - low) / (high - low) * (WIDTH - 2 * MARGIN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheets and the key; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="pooledbook.teaching.handout", description=__doc__)
    parser.add_argument("--students", type=int, default=24)
    parser.add_argument("--pairs", type=int, default=4, help="a student and round (default: 4)")
    parser.add_argument("--seed", type=int, required=True, help="any number: it fixes the deal")
    parser.add_argument("--other", default="selection", help='or "short spells"')
    wish = parser.parse_args(arguments)
    try:
        folder = Book.around(Path()).root / "_build" / "class"
        dealt = deal(
            load_study("two_worlds"), wish.students, wish.pairs, other=wish.other, seed=wish.seed
        )
    except (BookError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    write_whole(folder / "cards.html", cards(dealt))
    write_whole(folder / "key.html", key(dealt))
    print("written: _build/class/cards.html (to print) and _build/class/key.html (yours)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
