"""The generator, made up like HELP, resembles HELP; its estimates are those of the script."""

from __future__ import annotations

import importlib.util
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import yaml

from pooledtrials.pooling import Trial, data_folder
from pooledtrials.pooling.twin import Twin, simulate
from pooledtrials.pooling.twin.moments import HELP_LIKE, moments
from pooledtrials.pooling.twin.panel import observed_panel
from pooledtrials.pooling.twin.parameters import DEFAULTS, Parameters

# How far a large synthetic HELP may be from the real one, by moment. Each is stated, not fitted:
# HELP's own standard errors are about 0.006 for mean composites, 0.5 for days, 0.02 for shares.
TOLERANCE = {
    "asi_drug, baseline: mean": 0.02,
    "asi_drug, baseline: SD": 0.015,
    "asi_drug, baseline: share 0": 0.07,
    "asi_alcohol, baseline: mean": 0.03,
    "asi_alcohol, baseline: SD": 0.07,
    "asi_alcohol, baseline: share 0": 0.08,
    "attendance, baseline: mean": 1.0,
    "attendance, baseline: SD": 1.5,
    "attendance, baseline: share 0": 0.06,
    "attendance, baseline: variance / mean": 3.0,
    "attendance, baseline: share 20 or more": 0.04,
    "asi_drug, late: mean": 0.015,
    "asi_drug, late: SD": 0.015,
    "asi_drug, late: share 0": 0.07,
    "asi_alcohol, late: mean": 0.04,
    "asi_alcohol, late: SD": 0.02,
    "asi_alcohol, late: share 0": 0.10,
    "attendance, late: mean": 1.5,
    "attendance, late: SD": 0.5,
    "attendance, late: share 0": 0.04,
    "attendance, late: variance / mean": 1.5,
    "attendance, late: share 20 or more": 0.08,
    "asi_drug: within-person": 0.12,
    "asi_alcohol: within-person": 0.08,
    "attendance: within-person": 0.08,
    "interviewed, late": 0.02,
    "lost, per SD of baseline asi_drug": 0.03,
    "lost, per SD of baseline attendance": 0.04,
    "FE, asi_drug": 0.004,
    "RE, asi_drug": 0.004,
    "FE, asi_alcohol": 0.012,
    "RE, asi_alcohol": 0.014,
}


@pytest.fixture(scope="module")
def both(help_trial: Trial) -> pd.DataFrame:
    twin = simulate("works", "weak", 3, copies=20, designs={"help_like": HELP_LIKE})
    return pd.DataFrame({"help": moments(help_trial.panel), "twin": moments(observed_panel(twin))})


@pytest.mark.parametrize("moment", TOLERANCE)
def test_synthetic_help_resembles_help(moment: str, both: pd.DataFrame) -> None:
    assert both.loc[moment, "twin"] == pytest.approx(
        both.loc[moment, "help"], abs=TOLERANCE[moment]
    )


def test_every_moment_has_a_tolerance(both: pd.DataFrame) -> None:
    assert list(both.index) == list(TOLERANCE)
    assert both.notna().all(axis=None)


def test_moments_of_help_are_known(help_trial: Trial) -> None:
    """Against pandas on the same panel, for one of each kind."""
    panel = help_trial.panel
    late = panel[panel["observed"] & (panel["wave"] > 0)]
    found = moments(panel)
    assert found["asi_drug, late: mean"] == pytest.approx(late["asi_drug"].mean())
    assert found["interviewed, late"] == pytest.approx(1002 / 1880)
    assert found["FE, asi_drug"] == pytest.approx(-0.013988, abs=1e-6)
    assert found["RE, asi_alcohol"] == pytest.approx(-0.018360, rel=2e-3)


def test_within_person_is_an_intraclass_correlation() -> None:
    rng = np.random.default_rng(0)
    n, waves, share = 4000, 4, 0.4
    score = share**0.5 * rng.normal(size=(n, 1)) + (1 - share) ** 0.5 * rng.normal(size=(n, waves))
    panel = pd.DataFrame(
        {
            "trial": "a",
            "patient": np.repeat(np.arange(n), waves),
            "wave": np.tile(np.arange(waves), n),
            "observed": True,
            "attendance": score.ravel() + 5,
            "asi_drug": score.ravel(),
            "asi_alcohol": score.ravel(),
        }
    )
    assert moments(panel)["asi_drug: within-person"] == pytest.approx(share, abs=0.04)


def test_panel_without_a_column_is_refused(weak: Twin) -> None:
    panel = observed_panel(weak).drop(columns=["attendance", "asi_drug"])
    with pytest.raises(ValueError, match="panel lacks attendance, asi_drug"):
        moments(panel)


def test_defaults_are_the_estimates() -> None:
    """What the parameters call an estimate from HELP stands in the script's file."""
    folder = data_folder() / "six"
    found = yaml.safe_load((folder / "from_help.yaml").read_text(encoding="utf-8"))
    for name in (
        "attendance_curve", "attendance_baseline", "attendance_rise", "attendance_decline",
        "course_drug", "course_alcohol", "severity_persistent", "secondary_cut", "dollars_a_day",
        "problem_days", "problem_days_alcohol", "alcohol_days", "drunk_share", "medical_days",
    ):  # fmt: skip
        default = getattr(DEFAULTS, name)
        plain = list(default) if isinstance(default, tuple) else default
        assert (dict(plain) if name == "secondary_cut" else plain) == found[name], name
        source = next(f.metadata["source"] for f in fields(Parameters) if f.name == name)
        assert source == "HELP", name
    assert {c: list(cuts) for c, cuts in DEFAULTS.rating_cuts.items()} == found["rating_cuts"]
    for scale, (mean, sd, _) in DEFAULTS.readiness.items():
        assert [mean, sd] == found["readiness"][scale]
    persistent = (
        DEFAULTS.attendance_persistent, DEFAULTS.attendance_drug, DEFAULTS.attendance_alcohol,
        DEFAULTS.attendance_habit,
    )  # fmt: skip
    assert sum(load**2 for load in persistent) == pytest.approx(
        found["attendance_stable"], abs=1e-3
    )


def test_estimation_script_gives_the_committed_file() -> None:
    folder = data_folder() / "six"
    spec = importlib.util.spec_from_file_location("estimate", folder / "estimate_from_help.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    committed = yaml.safe_load((folder / "from_help.yaml").read_text(encoding="utf-8"))
    assert module.estimate() == committed
