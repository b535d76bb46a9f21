"""The microscope on paper: a picture of one place, from the numbers that the page draws."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pooledbook.interactive.microscope_shapes import (
    END,
    ESTIMATORS,
    LEVELS,
    TESTS,
    asked,
    at_place,
)


def still(data: Mapping[str, Any], at: Mapping[str, int]) -> bytes:
    """Return a PNG of the hills and bars of one place.

    Parameters
    ----------
    data
        What `microscope_shapes.data_of` returns.
    at
        The place by number along each direction, and the hypothesis.
    """
    place = at["instruments"], at["strength"], at["endogeneity"]
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    laws, rates = figure.subplots(2, 1)
    for i, (heights, low, median, high, *_) in enumerate(at_place(data["laws"], place)):
        hill = np.array([LEVELS.index(letter) for letter in heights]) / (len(LEVELS) - 1)
        effects = np.linspace(-END, END, hill.size)
        laws.fill_between(effects, -i, -i + 0.75 * hill, alpha=0.45, color="C0", linewidth=0)
        laws.hlines(-i - 0.1, *np.clip([low, high], -END, END), color="C0", linewidth=3)
        laws.plot(np.clip(median, -END, END), -i - 0.1, marker="|", color="black", markersize=9)
    laws.axvline(0, linestyle="--", color="grey", marker="none")
    laws.set_yticks([-i for i in range(len(ESTIMATORS))], list(ESTIMATORS.values()))
    laws.set(xlabel="estimate (synthetic trials; the truth is 0)", xlim=(-END, END))

    shown = [
        (name, rate)
        for name, rate in zip(
            TESTS.values(), at_place(data["rates"], place)[at["hypothesis"]], strict=True
        )
        if rate is not None
    ]
    names, percent = zip(*reversed(shown), strict=True)
    rates.barh(names, percent, color="C0")
    for row, rate in enumerate(percent):  # clear of the line at 5 %
        rates.text(max(rate, 5) + 1, row, f"{rate:.1f}", va="center")
    rates.axvline(5, linestyle="--", color="grey", marker="none")
    rates.set(xlabel=f"how often tests at 5 % reject {asked(at['hypothesis'])} (%)", xlim=(0, 110))
    rates.grid(visible=False, axis="y")
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
