"""The microscope: laws of estimators and rejection rates of tests at a chosen place of the atlas.

What is written here stands by itself, on paper and without JavaScript; ``_static/microscope.js``
moves it. Both draw the same: `tests/planning/test_microscope_js.py` holds them to it. What cannot
show a page shows a picture (`microscope_still`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import pandas as pd

from pooledbook.interactive.microscope_shapes import (
    BAR,
    BARS,
    ESTIMATORS,
    HILL,
    HILLS,
    HYPOTHESES,
    LEFT,
    PERCENT,
    TESTS,
    WIDTH,
    Shapes,
    across,
    data_of,
    sentence,
    shapes,
)
from pooledbook.interactive.microscope_still import still
from pooledtrials.planning.studies.atlas import CONCENTRATIONS, ENDOGENEITIES, INSTRUMENTS

STYLE: Final = """
.microscope { max-width: 44rem; margin: 1rem 0; }
.microscope svg { width: 100%; height: auto; display: block; }
.microscope text { fill: var(--pst-color-text-base, #222); font: 15px sans-serif; }
.microscope .frame { stroke: var(--pst-color-text-muted, #666); fill: none; }
.microscope .guide { stroke: var(--pst-color-text-muted, #666); stroke-dasharray: 5 4; fill: none; }
.microscope .hill, .microscope .bar { fill: var(--pst-color-primary, #0072b2); }
.microscope .hill { fill-opacity: 0.45; }
.microscope .half { stroke: var(--pst-color-primary, #0072b2); stroke-width: 5; fill: none; }
.microscope .median { stroke: var(--pst-color-text-base, #222); stroke-width: 3; fill: none; }
.microscope form > div { display: grid; grid-template-columns: 9rem 1fr 9rem; gap: 0 1rem;
  align-items: center; margin: 0.4rem 0; }
.microscope input[type="range"] { width: 100%; min-height: 1.75rem;
  accent-color: var(--pst-color-primary, #0072b2); }
.microscope fieldset { border: 0; padding: 0; margin: 0.4rem 0; display: flex; flex-wrap: wrap;
  gap: 0.2rem 1.2rem; align-items: center; }
.microscope legend { float: left; width: 9rem; padding: 0; font-size: 1rem; margin: 0; }
.microscope fieldset label { min-height: 1.75rem; display: flex; align-items: center; gap: 0.4rem; }
.microscope fieldset input { width: 1.25rem; height: 1.25rem; }
.microscope output { font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  .microscope text { font-size: 22px; }
  .microscope form > div { grid-template-columns: 1fr auto; }
  .microscope form > div input { grid-row: 2; grid-column: 1 / 3; }
  .microscope legend { width: 100%; }
}
@media print { .microscope form { display: none; } }
"""


@dataclass(frozen=True, eq=False)
class Microscope:
    """The atlas under a glass that can be moved; a notebook shows it as the value of a cell.

    Attributes
    ----------
    atlas : pandas.DataFrame
        The study's table; its places without clusters are shown.
    instruments, concentration, endogeneity
        The place that is shown first.

    Raises
    ------
    ValueError
        If the atlas has no such place.
    """

    atlas: pd.DataFrame
    instruments: int = 1
    concentration: float = 3.0
    endogeneity: float = 0.5

    def __post_init__(self) -> None:
        for name, known in (
            ("instruments", INSTRUMENTS),
            ("concentration", CONCENTRATIONS),
            ("endogeneity", ENDOGENEITIES),
        ):
            if getattr(self, name) not in known:
                grid = ", ".join(f"{value:g}" for value in known)
                raise ValueError(f"{name} is {getattr(self, name)}: the atlas has {grid}")

    @property
    def at(self) -> dict[str, int]:
        """The place by number along each direction, and the hypothesis."""
        return {
            "instruments": INSTRUMENTS.index(self.instruments),
            "strength": CONCENTRATIONS.index(self.concentration),
            "endogeneity": ENDOGENEITIES.index(self.endogeneity),
            "hypothesis": 0,
        }

    def __repr__(self) -> str:
        return sentence(data_of(self.atlas), self.at)

    def _repr_html_(self) -> str:
        data, at = data_of(self.atlas), self.at
        words = sentence(data, at)
        return f"""<style>{STYLE}</style>
<div class="microscope">
<form hidden>
{_slider("strength", "Strength", at["strength"], data["strengths"])}\
{_slider("endogeneity", "Endogeneity", at["endogeneity"], data["endogeneities"])}\
{_choice("instruments", "Instruments", at["instruments"], ("one", "six"))}\
{_choice("hypothesis", "Effect tested", at["hypothesis"], tuple(HYPOTHESES.values()))}\
</form>
<svg viewBox="0 0 640 512" role="img" aria-labelledby="microscope-title microscope-desc">
<title id="microscope-title">Laws of four estimators, and rejection rates of seven tests</title>
<desc id="microscope-desc">{words}</desc>
{_drawing(shapes(data, at))}
</svg>
<p data-part="words" aria-live="polite">{words}</p>
<p data-part="still">The sliders need JavaScript. The drawing shows one place of the atlas.</p>
<script type="application/json">{json.dumps(data, separators=(",", ":"))}</script>
</div>
<script src="../../_static/microscope.js" defer></script>
"""

    def _repr_png_(self) -> bytes:
        return still(data_of(self.atlas), self.at)


def _drawing(found: Shapes) -> str:
    """The fixed parts, and the moving ones as they stand first."""
    ground, five = HILLS + HILL * (len(ESTIMATORS) - 1), LEFT + 5 * PERCENT
    end = BARS + BAR * len(TESTS)
    parts = [f'<path class="guide" d="M{across(0):.1f},8V{ground + 20}"/>']
    for i, name in enumerate(ESTIMATORS.values()):
        parts += [
            _text(4, HILLS + HILL * i, name),
            _moving("path", "hill", i, found),
            _moving("path", "half", i, found),
            _moving("path", "median", i, found),
            _moving("text", "below", i, found, x=LEFT + 2, y=HILLS + HILL * i - 8),
            _moving("text", "above", i, found, x=636, y=HILLS + HILL * i - 8, anchor="end"),
        ]
    parts.append(f'<path class="frame" d="M{LEFT},{ground + 20}H{LEFT + WIDTH}"/>')
    for effect in (-1.5, -1, -0.5, 0, 0.5, 1, 1.5):
        parts.append(_text(across(effect), ground + 42, f"{effect:g}".replace("-", "\u2212"),
                           "middle"))  # fmt: skip
    parts.append(_text(636, ground + 66, "estimate; the truth is 0", "end"))
    parts.append(_moving("text", "asked", None, found, x=4, y=BARS - 16))
    for i, name in enumerate(TESTS.values()):
        top = BARS + BAR * i
        parts += [
            _text(4, top + 18, name),
            _moving("rect", "bar", i, found, x=LEFT, y=top + 4, height=18),
            _moving("text", "rate", i, found, y=top + 18),
        ]
    parts.append(f'<path class="guide" d="M{five:.1f},{BARS}V{end}"/>')
    parts.append(f'<path class="frame" d="M{LEFT},{BARS}V{end}"/>')
    return "\n".join(parts)


def _moving(
    tag: str, part: str, number: int | None, found: Shapes, anchor: str = "", **fixed: float
) -> str:
    name = part if number is None else f"{part}{number}"
    given = dict(found[name])
    text = given.pop("text", "")
    attributes = "".join(f' {key}="{value}"' for key, value in (fixed | given).items())
    attributes += f' text-anchor="{anchor}"' if anchor else ""
    return f'<{tag} class="{part}" data-part="{name}"{attributes}>{escape(text)}</{tag}>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _slider(name: str, label: str, value: int, says: Sequence[str]) -> str:
    return (
        f'<div><label for="microscope-{name}">{label}</label>'
        f'<input type="range" id="microscope-{name}" name="{name}" min="0" max="{len(says) - 1}"'
        f' step="1" value="{value}" aria-valuetext="{says[value]}"/>'
        f'<output for="microscope-{name}" aria-live="off">{says[value]}</output></div>\n'
    )


def _choice(name: str, label: str, chosen: int, says: Sequence[str]) -> str:
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{i}"'
        f"{' checked' if i == chosen else ''}/>{escape(words)}</label>"
        for i, words in enumerate(says)
    )
    return f"<fieldset><legend>{label}</legend>{buttons}</fieldset>\n"
