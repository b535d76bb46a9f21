"""How many digits two computations of one number share, a dot for each number."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from pooledtrials.figures.style import COLOURS, MARKERS

_ABREAST, _STEP = 6, 0.14


def agreed_digits(checks: pd.DataFrame, ax: Axes) -> Axes:
    """Draw a dot for each check at the digits that agree, in one row for each part.

    Dots of one part and number of digits are laid out in a block, so that they can be counted.
    Filled dots agree at every published digit; open ones agree no further than where they stand.

    Parameters
    ----------
    checks
        A row per check: ``part``, ``kind``, ``digits``, the number of significant digits that
        agree, and ``agrees``, whether these are all that were published.
    ax
        The axis to draw on.

    Raises
    ------
    ValueError
        If a column is missing, or there are more than six kinds.
    """
    missing = {"part", "kind", "digits", "agrees"} - set(checks.columns)
    if missing:
        raise ValueError(f"checks has no column {', '.join(sorted(missing))}")
    parts, kinds = (list(dict.fromkeys(checks[name])) for name in ("part", "kind"))
    if len(kinds) > len(COLOURS):
        raise ValueError(f"checks has {len(kinds)} kinds: at most {len(COLOURS)} can be told apart")
    styles = dict(zip(kinds, list(zip(COLOURS, MARKERS, strict=True)), strict=False))
    by_kind = checks.sort_values("kind", key=lambda kind: kind.map(kinds.index), kind="stable")
    ordered = by_kind.sort_values("agrees", ascending=False, kind="stable")
    for (part, digits), block in ordered.groupby(["part", "digits"], sort=False):
        row = len(parts) - 1 - parts.index(part)
        lines = -(-len(block) // _ABREAST)
        for place, check in enumerate(block.itertuples()):
            line, column = divmod(place, _ABREAST)
            abreast = min(_ABREAST, len(block) - line * _ABREAST)
            colour, marker = styles[check.kind]
            ax.plot(
                digits + _STEP * (column - (abreast - 1) / 2),
                row + _STEP * ((lines - 1) / 2 - line),
                color=colour, marker=marker, markersize=4, linestyle="none",
                markerfacecolor=colour if check.agrees else "none",
            )  # fmt: skip
    for kind, (colour, marker) in styles.items():
        ax.plot([], [], color=colour, marker=marker, linestyle="none", label=kind)
    if not checks["agrees"].all():
        ax.plot([], [], color="black", marker="o", markerfacecolor="none", linestyle="none",
                label="not all digits")  # fmt: skip
    ax.set_yticks(range(len(parts)), parts[::-1])
    ax.set_xticks(range(int(checks["digits"].min()), int(checks["digits"].max()) + 1))
    ax.set(xlabel="significant digits that agree", ylim=(-0.6, len(parts) - 0.4))
    ax.grid(axis="y", visible=False)
    ax.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return ax
