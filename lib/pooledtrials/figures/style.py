"""The look of every figure: groups differ by colour and by marker, to read without colour."""

from __future__ import annotations

import matplotlib as mpl
from cycler import cycler

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""The Okabe-Ito palette, told apart by readers who do not see all colours."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""A marker for each colour, so that a figure can be read without colours."""
WIDE = (7.0, 3.2)
"""Width and height in inches of a figure as wide as the text."""


def use_style() -> None:
    """Set the book's look for every figure of this session: no frame, light grid, one palette."""
    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS) + cycler(marker=MARKERS),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "figure.constrained_layout.use": True,
            "figure.figsize": WIDE,
            "figure.facecolor": "white",
            "font.size": 10,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 6,
            "savefig.dpi": 144,
        }
    )
