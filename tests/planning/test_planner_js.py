"""The calculator's JavaScript against the library, in the node that builds the book."""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from scipy import stats

from pooledbook.interactive import planner
from pooledbook.pages.offline import node_of_the_wheel
from pooledtrials.planning import PlannedTrial, patients_needed, prospects

SCRIPT = Path(__file__).parents[2] / "chapters" / "_static" / "planner.js"

PLAN = PlannedTrial(
    patients=1730, step=5.0, attendance_sd=11.2, score_sd=0.113, attendance_icc=0.33,
    score_icc=0.38, months=(3, 6, 12), follow_up=(0.9, 0.85, 0.8), half_month=24,
)  # fmt: skip
PLANS = [
    (PLAN, 0.014),
    (replace(PLAN, step=0.5, half_month=1), 0.001),
    (replace(PLAN, patients=6000, step=15.0, half_month=48), 0.060),
    (replace(PLAN, months=(6,), follow_up=1.0, active_share=0.25, patients=100), 0.03),
    (replace(PLAN, attendance_icc=0.0, score_icc=1.0, follow_up=(0.5, 0.9, 0.4)), 0.02),
]


def in_node(expression: str, **values: Any) -> Any:
    """Evaluate an expression of the script's functions, ``js``, and of values."""
    program = (
        f"const js = require({json.dumps(str(SCRIPT))}), v = {json.dumps(values)};"
        f"console.log(JSON.stringify({expression}));"
    )
    said = subprocess.run(
        [node_of_the_wheel(), "-e", program], capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


def test_the_normal_distribution():
    at = [-9, -5, -1.959963984540054, -0.3, 0, 0.7, 2.5, 6, 7.99, 8.01]
    found = in_node("v.at.map(js.normal)", at=at)
    assert_allclose(found, stats.norm.cdf(at), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("plan", "effect"), PLANS)
def test_what_to_expect(plan, effect):
    found = in_node("js.expected(v.plan)", plan=planner.plan_of(plan, effect))
    want = prospects(plan, -effect, 0.0)
    assert_allclose(found["step"], want.mean_step, rtol=1e-12)
    assert_allclose(found["f"], want.expected_f, rtol=1e-12)
    assert_allclose(found["power"], want.intention_to_treat, rtol=1e-10)
    assert found["needed"] == patients_needed(plan, effect)


@pytest.mark.parametrize(("plan", "effect"), PLANS)
def test_drawing_and_words_are_those_that_stand_on_the_page(plan, effect):
    data = planner.plan_of(plan, effect)
    assert in_node("js.curve(v.plan)", plan=data) == planner.curve(plan, effect)
    assert in_node("js.sentence(v.plan)", plan=data) == planner.sentence(plan, effect)


def test_the_curve_rises_through_the_mark():
    points = [tuple(map(float, p.split(","))) for p in planner.curve(*PLANS[0])[1:].split("L")]
    assert all(a[0] < b[0] and a[1] >= b[1] for a, b in itertools.pairwise(points))
    html = planner.Planner(*PLANS[0])._repr_html_()
    x, y = (float(re.search(rf'{c}="([\d.]+)"', html)[1]) for c in ("cx", "cy"))
    before = [p for p in points if p[0] <= x][-1]
    assert math.hypot(before[0] - x, before[1] - y) < 8


def test_markup_says_everything_without_a_script():
    html = planner.Planner(*PLANS[0])._repr_html_()
    words = planner.sentence(*PLANS[0])
    assert html.count(words) == 2  # for eyes, and for the drawing's description
    assert repr(planner.Planner(*PLANS[0])) == words
    names = re.findall(r'<input type="range" id="planner-(\w+)"', html)
    assert names == ["patients", "step", "half", "effect"]
    for name in names:
        assert f'<label for="planner-{name}">' in html
        assert f'<output for="planner-{name}"' in html
    assert "<form hidden>" in html
    assert "http" not in html


def test_on_paper_there_is_a_picture():
    picture = planner.Planner(*PLANS[0])._repr_png_()
    image = Image.open(BytesIO(picture))
    assert image.format == "PNG"
    assert image.width > 500
    dark = np.asarray(image.convert("L")) < 200
    assert dark.mean() > 0.01
    other = planner.Planner(*PLANS[1])._repr_png_()
    assert other != picture


def test_script_is_small_and_idle_elsewhere():
    assert SCRIPT.stat().st_size < 6000
    page = "globalThis.document = { querySelectorAll: () => [] };"
    program = f"{page} eval({json.dumps('var module; ' + SCRIPT.read_text('utf8'))});"
    subprocess.run([node_of_the_wheel(), "-e", program], check=True)


@pytest.mark.parametrize(
    ("changes", "effect", "message"),
    [
        ({"patients": 7000}, 0.014, "patients is 7000: give 10 to 6000 in steps of 10"),
        ({"step": 5.2}, 0.014, "step is 5.2: give 0.5 to 15 in steps of 0.5"),
        ({"half_month": math.inf}, 0.014, "half is inf: give 1 to 48"),
        ({}, -0.014, "effect is -0.014: give 0.001 to 0.06"),
    ],
)
def test_plans_off_the_sliders_are_refused(changes, effect, message):
    with pytest.raises(ValueError, match=message):
        planner.Planner(replace(PLAN, **changes), effect)
