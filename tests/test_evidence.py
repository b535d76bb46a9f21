"""The ladder of a panel: each rung is the public function's answer, and true sets keep the truth."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pooledtrials import figures, instruments, panels, pooling
from pooledtrials.evidence import WEEKLY, ladder_of_evidence
from pooledtrials.pooling import twin
from pooledtrials.selection import Ladder


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return pooling.load_trial("help").panel


@pytest.fixture(scope="module")
def found(panel) -> Ladder:
    return ladder_of_evidence(
        panel, data="HELP, real", controls=["recognition"], benchmark="taking_steps", draws=199
    )


def test_rungs_are_the_public_functions(panel, found):
    arm = pooling.analysis_set(panel).instrumented
    everything = pooling.analysis_set(panel, interviews="all").repeated
    within = panels.fit(**everything)
    assert found["fixed effects"].estimate == within.coefficient
    assert found["fixed effects"].found == within.interval(0.95)
    assert found["2SLS, usual interval"].estimate == instruments.tsls(**arm).coefficient
    assert found["Anderson-Rubin set"].found == instruments.anderson_rubin_set(**arm)
    named = "fixed effects, had they missed 1x taking_steps"
    assert within.coefficient < found[named].estimate < 0
    assert found[named].found.is_subset(
        found["fixed effects, had they missed 3x taking_steps"].found
    )


def test_rungs_lead_down_from_much_trust_to_little(found):
    groups = list(dict.fromkeys(step.group for step in found.rungs))
    assert groups == ["between people", "within people", "randomized arm", "no model"]
    with_arm, without = (step for step in found.rungs if step.group == "no model")
    assert with_arm.bounds[0] >= without.bounds[0] - 1e-3
    assert f"({WEEKLY:.2g} or more)" in without.name
    assert "HELP, real" in found.describe()


def test_in_a_world_without_effect_the_honest_sets_hold_zero_and_regressions_do_not():
    pool = twin.simulate("selection", "strong", 77)
    found = ladder_of_evidence(
        twin.observed_panel(pool), data="six synthetic trials", draws=499, seed=1
    )
    assert found["fixed effects"].verdict == "lower"
    assert found["Anderson-Rubin set"].found.contains(0.0)
    assert found["randomization set"].found.contains(0.0)
    assert [s.name for s in found.rungs if s.group == "no model"] == [
        "bounds without assumptions (4.3 or more)"
    ]


def test_its_figure_has_a_row_for_each(found):
    fig, ax = plt.subplots()
    assert figures.ladder(found, ax, "change in score (HELP, real)", (-0.05, 0.05)) is ax
    assert len(ax.get_yticklabels()) == len(found.rungs)
    assert ax.get_xlim() == (-0.05, 0.05)
    shown = {text.get_text() for text in ax.texts}
    assert {step.group for step in found.rungs} <= shown
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    on_axis = [s for s in found.rungs if abs(s.estimate) <= 0.05]
    assert len(dots) == len(on_axis)
    plt.close(fig)


def test_the_benchmark_of_a_pool_whose_trials_say_the_same_is_that_of_one_trial(panel, found):
    """Each trial has a first interview that its patients' own levels take up."""
    twice = pd.concat([panel, panel.assign(trial="again")], ignore_index=True)
    pool = ladder_of_evidence(twice, data="HELP twice", benchmark="taking_steps", draws=19)
    for times in (1, 3):
        name = f"fixed effects, had they missed {times}x taking_steps"
        assert pool[name].estimate == pytest.approx(found[name].estimate, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": "asi_drugs"}, "panel has no column 'asi_drugs'"),
        ({"benchmark": "readiness"}, "panel has no column 'readiness'"),
        ({"level": 95}, "level is 95"),
        ({"outcome_range": (0.2, 0.4)}, "outcome"),
    ],
)
def test_bad_input(panel, change, message):
    with pytest.raises(ValueError, match=message):
        ladder_of_evidence(panel, data="HELP", draws=19, **change)
