"""The microscope's JavaScript against the page's own drawing, in the node that builds the book."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pooledbook.interactive import microscope
from pooledbook.interactive.microscope_shapes import (
    ESTIMATORS,
    LEVELS,
    TESTS,
    data_of,
    sentence,
    shapes,
)
from pooledbook.pages.offline import node_of_the_wheel
from pooledtrials.planning.studies import load_study
from pooledtrials.planning.studies.atlas import CONCENTRATIONS, ENDOGENEITIES
from pooledtrials.planning.studies.atlas_curves import curves

SCRIPT = Path(__file__).parents[2] / "chapters" / "_static" / "microscope.js"
DIRECTIONS = ("instruments", "strength", "endogeneity", "hypothesis")
SETTINGS = [
    dict(zip(DIRECTIONS, at, strict=True)) for at in itertools.product(*map(range, (2, 8, 5, 3)))
]


@pytest.fixture(scope="module")
def atlas():
    return load_study("atlas")


@pytest.fixture(scope="module")
def data(atlas):
    return data_of(atlas)


def in_node(expression: str, tmp_path: Path, **values: Any) -> Any:
    """Evaluate an expression of the script's functions, ``js``, and of values."""
    given = tmp_path / "values.json"
    given.write_text(json.dumps(values), "utf8")
    program = (
        f"const js = require({json.dumps(str(SCRIPT))}), v = require({json.dumps(str(given))});"
        f"console.log(JSON.stringify({expression}));"
    )
    said = subprocess.run(
        [node_of_the_wheel(), "-e", program], capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


def test_on_paper_there_is_a_picture_of_the_place(atlas):
    pictures = [
        microscope.Microscope(atlas, instruments=k, concentration=c)._repr_png_()
        for k, c in ((1, 3.0), (6, 3.0), (6, 99.0))
    ]
    assert len(set(pictures)) == 3
    image = Image.open(BytesIO(pictures[0]))
    assert image.format == "PNG"
    assert image.width > 500
    assert (np.asarray(image.convert("L")) < 200).mean() > 0.05


def test_drawings_and_words_of_every_setting_are_those_of_the_page(data, tmp_path):
    asked = {"data": data, "settings": SETTINGS}
    found = in_node("v.settings.map(s => js.shapes(v.data, s))", tmp_path, **asked)
    said = in_node("v.settings.map(s => js.sentence(v.data, s))", tmp_path, **asked)
    for at, drawn, words in zip(SETTINGS, found, said, strict=True):
        assert drawn == shapes(data, at)
        assert words == sentence(data, at)


def test_numbers_shown_are_those_of_the_atlas(atlas, data):
    place = {"clusters": 0, "instruments": 6, "endogeneity": 0.75}
    sizes = curves(atlas, "size", ["2SLS", "CLR"], **place)
    medians = curves(atlas, "median bias", ["2SLS", "OLS"], **place)
    unbounded = curves(atlas, "unbounded", ["AR"], **place)
    for i, concentration in enumerate(CONCENTRATIONS):
        words = sentence(data, {"instruments": 1, "strength": i, "endogeneity": 3, "hypothesis": 0})
        numbers = [float(n.replace("\u2212", "-")) for n in re.findall(r"\u2212?\d+\.\d+", words)]
        f, rho, _, _, median, ols, size, _, clr, share = numbers
        assert f == pytest.approx(1 + concentration / 6, abs=0.051)
        assert rho == 0.75
        assert median == pytest.approx(medians.loc[concentration, "2SLS"], abs=0.00501)
        assert ols == pytest.approx(medians.loc[concentration, "OLS"], abs=0.00501)
        assert size == pytest.approx(100 * sizes.loc[concentration, "2SLS"], abs=0.0501)
        assert clr == pytest.approx(100 * sizes.loc[concentration, "CLR"], abs=0.0501)
        assert share == pytest.approx(100 * unbounded.loc[concentration, "AR"], abs=0.0501)


def test_a_hill_stands_where_its_quantiles_are(atlas, data):
    heights, low, median, high, below, above = data["laws"][0][4][2][1]
    place = {"clusters": 0, "instruments": 1, "endogeneity": 0.5}
    at = {
        p: curves(atlas, f"quantile {p:g}", ["2SLS"], **place).loc[9.0, "2SLS"]
        for p in (0.01, 0.025, 0.25, 0.5, 0.75, 0.99)
    }
    assert [low, median, high] == pytest.approx([at[p] for p in (0.25, 0.5, 0.75)], abs=0.00501)
    weights = [LEVELS.index(h) for h in heights]
    middle = next(i for i in range(61) if sum(weights[: i + 1]) >= sum(weights) / 2)
    assert -1.5 + 0.05 * middle == pytest.approx(at[0.5], abs=0.06)
    assert max(weights) == 61
    assert at[0.01] < -1.5 < at[0.025]
    assert 1 <= below <= 2.5
    assert at[0.99] < 1.5
    assert above == 0


def test_one_instrument_has_no_second_opinion(data):
    for c, r in itertools.product(range(len(CONCENTRATIONS)), range(len(ENDOGENEITIES))):
        rates = dict(zip(TESTS, data["rates"][0][c][r][0], strict=True))
        assert rates["AR"] == rates["K"] == rates["CLR"]
        assert data["rates"][1][c][r][0][list(TESTS).index("tF")] is None


def test_markup_says_everything_without_a_script(atlas):
    glass = microscope.Microscope(atlas, instruments=6, concentration=9.0, endogeneity=0.75)
    html = glass._repr_html_()
    words = repr(glass)
    assert words.startswith("Six instruments, mean F 2.5, endogeneity 0.75.")
    assert html.count(words) == 2  # for eyes, and for the drawing's description
    for name in ("strength", "endogeneity"):
        assert f'<label for="microscope-{name}">' in html
        assert f'<output for="microscope-{name}"' in html
    assert re.findall(r'name="(\w+)" value="(\d)" checked', html) == [
        ("instruments", "1"), ("hypothesis", "0"),
    ]  # fmt: skip
    assert 'value="4" aria-valuetext="concentration 9"' in html
    for name in (*ESTIMATORS.values(), *TESTS.values()):
        assert f">{name}</text>" in html
    assert "does not exist" in html  # tF
    assert "<form hidden>" in html
    assert "http" not in html
    assert len(html) < 80_000


def test_script_is_small_and_idle_elsewhere():
    assert SCRIPT.stat().st_size < 6000
    page = "globalThis.document = { querySelectorAll: () => [] };"
    program = f"{page} eval({json.dumps('var module; ' + SCRIPT.read_text('utf8'))});"
    subprocess.run([node_of_the_wheel(), "-e", program], check=True)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"instruments": 2}, "instruments is 2: the atlas has 1, 6"),
        ({"concentration": 4.0}, "concentration is 4.0: the atlas has 0, 1, 3"),
        ({"endogeneity": -0.5}, "endogeneity is -0.5: the atlas has 0, 0.25"),
    ],
)
def test_places_off_the_sliders_are_refused(atlas, place, message):
    with pytest.raises(ValueError, match=message):
        microscope.Microscope(atlas, **place)
