"""Harmonisation recovers what the generator meant, through all six raw forms and for any seed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pooledtrials.pooling import CONVERSIONS, asi, data_folder, load_trial, twin
from pooledtrials.pooling.twin.forms import FORMS, FREQUENCY_FLOORS

TRIALS = tuple(FORMS)
LABELS = {"ccts": "C{:04d}", "cra_tsf": "S-{:03d}", "hivcm": "HIV{:03d}"}
WITH_STATUS = ("stage12", "ccts", "hivcm")
WORDS = dict(CONVERSIONS["midpoint"])


def pooled_beside_meant(trial: str, seed: int, world: str, instrument: str) -> pd.DataFrame:
    """Return the panel of a synthetic trial with what the generator meant in ``meant_*``."""
    generated = twin.simulate(world, instrument, seed)
    with tempfile.TemporaryDirectory() as folder:
        twin.write_raw_tables(generated, Path(folder))
        panel = load_trial(trial, folder=Path(folder)).panel
    meant = generated.interviews[generated.interviews["trial"].eq(trial)]
    patients = generated.patients[generated.patients["trial"].eq(trial)]
    meant = meant.merge(patients.drop(columns="trial"), on="patient")
    label = LABELS.get(trial, "{}")
    meant = meant.assign(patient=meant["patient"].map(label.format))
    beside = panel.merge(meant.add_prefix("meant_"), left_on=["patient", "wave"],
                         right_on=["meant_patient", "meant_wave"], validate="1:1")  # fmt: skip
    assert len(beside) == len(panel) == len(meant)
    return beside


def floats(values: pd.Series) -> np.ndarray:
    return values.astype("Float64").to_numpy(dtype=float, na_value=np.nan)


def meant_score(beside: pd.DataFrame, area: str, trial: str) -> np.ndarray:
    held = beside[beside["observed"]]
    codes = [item.code for item in asi.items_of(area)]
    items = held[[f"meant_{code}" for code in codes]].set_axis(codes, axis=1).astype(float)
    rule = "complete"
    if trial == "disulfiram" and area == "alcohol":
        items["D23"], rule = np.nan, "prorate"
    score = asi.composite(items, area, missing=rule)
    return score.reindex(beside.index).to_numpy()


seeds = st.integers(min_value=0, max_value=2**32 - 1)
cells = st.tuples(st.sampled_from(["works", "selection"]), st.sampled_from(["weak", "strong"]))


@pytest.mark.parametrize("trial", TRIALS)
@settings(max_examples=3)
@given(seed=seeds, cell=cells)
def test_what_the_form_keeps_comes_back_exactly(
    trial: str, seed: int, cell: tuple[str, str]
) -> None:
    beside = pooled_beside_meant(trial, seed, *cell)
    held = beside["meant_held"].astype(bool)
    assert beside["observed"].equals(held.rename("observed"))
    assert beside["active"].equals(beside["meant_active"].astype(float).rename("active"))
    assert beside.groupby("arm")["meant_arm"].nunique().eq(1).all()
    assert beside.groupby("meant_arm")["arm"].nunique().eq(1).all()
    for covariate in ("age", "female", "race", "taking_steps", "recognition", "homeless"):
        if covariate in beside and f"meant_{covariate}" in beside:
            assert (beside[covariate] == beside[f"meant_{covariate}"]).all(), covariate
    rounding = 0.005 if trial == "ccts" else 1e-12
    months = floats(beside["meant_day"]) / 30.4375
    np.testing.assert_allclose(beside["month"], months, atol=rounding + 1e-12)
    scored = [column for column in beside if column.startswith("asi_") and "base" not in column]
    assert {"asi_alcohol", "asi_drug"} <= set(scored)
    for column in scored:
        expected = meant_score(beside, column.removeprefix("asi_"), trial)
        np.testing.assert_allclose(beside[column], expected, atol=1e-12, err_msg=column)
    np.testing.assert_array_equal(beside["days_alcohol"], floats(beside["meant_D1"]))
    if trial in WITH_STATUS:
        assert (beside["missing_reason"] == beside["meant_reason"]).all()


@pytest.mark.parametrize("trial", TRIALS)
@settings(max_examples=3)
@given(seed=seeds, cell=cells)
def test_attendance_comes_back_within_the_loss_of_its_form(
    trial: str, seed: int, cell: tuple[str, str]
) -> None:
    beside = pooled_beside_meant(trial, seed, *cell)
    pooled, meant = floats(beside["attendance"]), floats(beside["meant_attendance"])
    meetings = floats(beside["meant_meetings"])
    assert np.array_equal(np.isnan(pooled), np.isnan(meant))
    seen = ~np.isnan(meant)
    pooled, meant, meetings = pooled[seen], meant[seen], meetings[seen]
    if trial in ("stage12", "cra_tsf", "disulfiram"):
        np.testing.assert_allclose(pooled, meant, atol=1e-12)
    elif trial == "referral":
        steps = [0, *reversed(WORDS.values())]
        answers = np.searchsorted(FREQUENCY_FLOORS, meant, side="right") - 1
        np.testing.assert_allclose(pooled, np.take(steps, answers))
        assert (np.diff(pooled[np.argsort(meant, kind="stable")]) >= 0).all()
    elif trial == "ccts":
        # A week's count, rounded: half a meeting a week either way, and no more than every day.
        loss = 0.5 * 30 / 7
        assert (np.abs(pooled - np.minimum(meetings, 30)) <= loss + 1e-9).all()
    else:
        np.testing.assert_allclose(pooled, np.minimum(meetings, 30))
        assert (pooled >= meant).all()


def test_the_shipped_specifications_declare_the_generated_designs() -> None:
    for trial in TRIALS:
        design = twin.DESIGNS[trial]
        specification = load_trial(trial).specification
        assert [wave.month for wave in specification.waves] == list(design.waves)
        assert len(specification.design.arms) == len(design.arms)
        assert specification.source == "synthetic"
        assert "synthetic" in specification.title.lower()
    assert data_folder().is_dir()
