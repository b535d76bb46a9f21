"""What the microscope shows of a place of the atlas: laws of estimators, rates of tests, words.

Numbers go to the page rounded as they are shown, so that nothing is left to the script to round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.interpolate import PchipInterpolator

from pooledtrials.planning.studies.atlas import (
    CONCENTRATIONS,
    ENDOGENEITIES,
    INSTRUMENTS,
    PROBABILITIES,
)

ESTIMATORS: Final = {"OLS": "least squares", "2SLS": "2SLS", "LIML": "LIML", "Fuller": "Fuller"}
TESTS: Final = {
    "2SLS": "2SLS t", "LIML": "LIML t", "Fuller": "Fuller t", "tF": "tF",
    "AR": "Anderson-Rubin", "K": "K", "CLR": "CLR",
}  # fmt: skip
HYPOTHESES: Final = {"size": "0, the truth", "power at -1": "\u22121", "power at 1": "1"}

LEVELS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Heights of a hill, a letter each."""

LEFT, WIDTH, END, STEP = 184, 440, 1.5, 0.05
HILLS, HILL, RISE = 48, 46, 34
BARS, BAR, PERCENT = 300, 29, 3.6

Shapes = dict[str, dict[str, str]]


def data_of(atlas: pd.DataFrame) -> dict[str, Any]:
    """Everything that the page shows, by instruments, strength and endogeneity.

    ``laws`` are of each estimator the heights of its density at steps of 0.05 from -1.5 to 1.5 as
    letters, its quartiles with the median between, and the percentages beyond either end; ``rates``
    percentages by hypothesis and test, None where there is no such test.
    """
    here = atlas[atlas["clusters"].eq(0) & atlas["covariance"].isin(["classical", ""])]
    key = ["instruments", "concentration", "endogeneity", "method", "characteristic"]
    values: dict[tuple[Any, ...], float] = here.set_index(key)["value"].to_dict()

    def everywhere(found: Any) -> list[Any]:
        return [
            [[found(k, c, r) for r in ENDOGENEITIES] for c in CONCENTRATIONS] for k in INSTRUMENTS
        ]

    def laws(*place: float) -> list[list[Any]]:
        return [
            _law([values[*place, name, f"quantile {p:g}"] for p in PROBABILITIES])
            for name in ESTIMATORS
        ]

    def rates(*place: float) -> list[list[float | None]]:
        return [
            [_percent(values.get((*place, name, asked))) for name in TESTS] for asked in HYPOTHESES
        ]

    return {
        "strengths": [f"concentration {c:g}" for c in CONCENTRATIONS],
        "endogeneities": [f"{r:.2f}" for r in ENDOGENEITIES],
        "f": [[f"{1 + c / k:.{1 if k > 1 else 0}f}" for c in CONCENTRATIONS] for k in INSTRUMENTS],
        "laws": everywhere(laws),
        "rates": everywhere(rates),
        "unbounded": everywhere(lambda *place: _percent(values[*place, "AR", "unbounded"])),
    }


def shapes(data: Mapping[str, Any], at: Mapping[str, int]) -> Shapes:
    """Attributes of everything that moves, by part; ``text`` is its content."""
    place = at["instruments"], at["strength"], at["endogeneity"]
    found: Shapes = {}
    for i, (heights, low, median, high, below, above) in enumerate(at_place(data["laws"], place)):
        ground = HILLS + HILL * i
        found[f"hill{i}"] = {"d": _hill(heights, ground)}
        found[f"half{i}"] = {"d": f"M{across(low):.1f},{ground + 5}H{across(high):.1f}"}
        found[f"median{i}"] = {"d": f"M{across(median):.1f},{ground - 3}V{ground + 11}"}
        found[f"below{i}"] = {"text": f"\u2039 {below} %" if below else ""}
        found[f"above{i}"] = {"text": f"{above} % \u203a" if above else ""}
    for i, rate in enumerate(at_place(data["rates"], place)[at["hypothesis"]]):
        width = PERCENT * (rate or 0)
        beside = LEFT + max(width, PERCENT * 5) + 8  # clear of the line at 5 %
        found[f"bar{i}"] = {"width": f"{width:.2f}"}
        text = "does not exist" if rate is None else f"{rate:.1f} %"
        found[f"rate{i}"] = {"x": f"{beside:.2f}", "text": text}
    found["asked"] = {"text": f"how often tests at 5 % reject {asked(at['hypothesis'])}"}
    return found


def sentence(data: Mapping[str, Any], at: Mapping[str, int]) -> str:
    """Say what the drawing shows."""
    k, place = at["instruments"], (at["instruments"], at["strength"], at["endogeneity"])
    laws, rates = at_place(data["laws"], place), at_place(data["rates"], place)[at["hypothesis"]]
    names = list(TESTS)
    clr = f", CLR in {rates[names.index('CLR')]:.1f} %" if k else ""
    return (
        f"{('One instrument', 'Six instruments')[k]}, mean F {data['f'][k][at['strength']]},"
        f" endogeneity {data['endogeneities'][at['endogeneity']]}."
        f" Half of the 2SLS estimates lie between {_signed(laws[1][1])} and {_signed(laws[1][3])},"
        f" their median is {_signed(laws[1][2])}; that of least squares is {_signed(laws[0][2])}."
        f" At the 5 % level the 2SLS t-test rejects {asked(at['hypothesis'])} in"
        f" {rates[0]:.1f} % of trials, Anderson-Rubin in {rates[names.index('AR')]:.1f} %{clr}."
        f" {at_place(data['unbounded'], place):.1f} % of the Anderson-Rubin sets are unbounded."
    )


def _law(quantiles: Sequence[float]) -> list[Any]:
    """Heights, quartiles and shares beyond, from quantiles joined by a monotone curve."""
    curve = PchipInterpolator(quantiles, PROBABILITIES, extrapolate=False)

    def below(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return np.asarray(curve(np.clip(x, quantiles[0], quantiles[-1])), dtype=float)

    steps = round(2 * END / STEP)
    edges = -END + STEP * (np.arange(steps + 2) - 0.5)
    shares = np.diff(below(edges))
    heights = np.rint((len(LEVELS) - 1) * shares / shares.max()).astype(int)
    low, high = below([-END, END])
    quartiles = (quantiles[PROBABILITIES.index(p)] for p in (0.25, 0.5, 0.75))
    return [
        "".join(LEVELS[h] for h in heights),
        *(round(q, 2) + 0.0 for q in quartiles),
        # beyond the outermost quantiles nothing is known but that it is less than one percent
        round(100 * low) if quantiles[0] < -END else 0,
        round(100 * (1 - high)) if quantiles[-1] > END else 0,
    ]


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def at_place(values: Any, place: Sequence[int]) -> Any:
    """Return what nested lists hold at a place."""
    for i in place:
        values = values[i]
    return values


def across(effect: float) -> float:
    """Horizontal place of an effect, at the edge if it lies beyond."""
    return LEFT + WIDTH / 2 * (1 + min(max(effect / END, -1), 1))


def _hill(heights: str, ground: int) -> str:
    points = [
        f"{LEFT + WIDTH * i / (len(heights) - 1):.1f},"
        f"{ground - RISE * LEVELS.index(letter) / (len(LEVELS) - 1):.1f}"
        for i, letter in enumerate(heights)
    ]
    return f"M{LEFT},{ground}L{'L'.join(points)}L{LEFT + WIDTH},{ground}Z"


def asked(hypothesis: int) -> str:
    """Name the effect that is tested."""
    return ("the true effect", "an effect of \u22121", "an effect of 1")[hypothesis]


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")
