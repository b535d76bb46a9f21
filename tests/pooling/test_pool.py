"""A pool is its trials, in every world and with every instrument; and the report on it is plain."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pooledtrials.pooling import (
    SpecificationError,
    check_panel,
    data_folder,
    load_pool,
    load_trial,
)
from pooledtrials.pooling.report import check

SIZES = {
    "stage12": 471,
    "ccts": 487,
    "referral": 345,
    "cra_tsf": 145,
    "disulfiram": 112,
    "hivcm": 170,
}


@pytest.mark.parametrize("world", ["works", "selection"])
@pytest.mark.parametrize("instrument", ["weak", "strong"])
def test_seven_trials_load_in_one_call(world: str, instrument: str) -> None:
    pool = load_pool("seven", world=world, instrument=instrument, seed=11)
    sizes = pool.panel.groupby("trial")["patient"].nunique().to_dict()
    assert sizes == SIZES | {"help": 470}
    assert sum(SIZES.values()) == 1730
    assert set(pool.synthetic) == set(SIZES)
    assert pool.panel.equals(check_panel(pool.panel, "again"))
    flow = pool.flow
    assert (flow["interviewed"] + flow["not_interviewed"] == flow["randomized"]).all()
    assert flow.groupby("trial")["randomized"].first().gt(0).all()
    randomized = flow.xs(0, level="wave").groupby("trial")["randomized"].sum().to_dict()
    assert randomized == sizes


def test_the_shipped_pool_is_its_trials() -> None:
    pool = load_pool("six")
    for trial in pool.trials:
        alone = load_trial(trial.specification.trial).panel
        together = pool.panel[pool.panel["trial"].eq(trial.specification.trial)]
        shared = together[list(alone.columns)].reset_index(drop=True)
        pd.testing.assert_frame_equal(shared, alone, check_dtype=False)
    assert set(pool.log["trial"]) == set(SIZES)
    assert list(pool.flags.columns) == ["trial", "place", "field", "found", "doubt"]


def test_one_seed_one_pool() -> None:
    first, again, other = (
        load_pool("six", world="works", instrument="weak", seed=seed).panel for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first["asi_drug"].equals(other["asi_drug"])


def test_world_instrument_and_seed_go_together() -> None:
    with pytest.raises(ValueError, match="world, instrument and seed go together"):
        load_pool("six", world="works")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "pool: p\ntitle: t\ntrials: [help, help]\n",
            r"p\.yaml: trials: help stands in the pool twice",
        ),
        ("pool: p\ntitle: t\ntrials: []\n", r"p\.yaml: trials: .*at least 1"),
        ("pool: p\ntitle: t\ntrails: [help]\n", r"p\.yaml: .*'trails'; did you mean 'trials'"),
        ("pool: p\ntitle: t\ntrials: [halp]\n", r"halp\.yaml: no such file; did you mean 'help'"),
        ("pool: My pool\ntitle: t\ntrials: [help]\n", r"p\.yaml: pool: .*pattern"),
    ],
)
def test_fault_of_a_pool_file_is_named(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(content)
    with pytest.raises(SpecificationError, match=message):
        load_pool(path)
    ready, report = check(path)
    assert not ready
    assert re.search(message, report)


def test_report_says_what_was_read_mapped_flagged_and_lost() -> None:
    ready, report = check(data_folder() / "trials" / "help.yaml")
    assert ready
    assert "read     470 patients, 1472 of 2350 planned interviews" in report
    assert "asi_medical, asi_alcohol, asi_drug" in report
    assert "flagged  6 rows" in report
    assert re.search(r"usual care +0 +235 +235 +0", report)


def test_report_on_private_records_names_no_patient_and_no_small_count(tmp_path: Path) -> None:
    for folder in ("trials", "help"):
        shutil.copytree(data_folder() / folder, tmp_path / folder)
    path = tmp_path / "trials" / "help.yaml"
    text = path.read_text(encoding="utf-8").replace("source: real", "source: private")
    lines = (tmp_path / "help" / "help.csv").read_text(encoding="utf-8").splitlines()
    few = [line for line in lines[1:] if int(line.split(",")[0]) <= 40]
    (tmp_path / "help" / "help.csv").write_text("\n".join([lines[0], *few]), encoding="utf-8")
    path.write_text(text.replace("rows: 1472", f"rows: {len(few)}"), encoding="utf-8")
    ready, report = check(path)
    assert ready
    assert "patient " not in report
    assert "<11" in report
    assert not re.search(r"[a-z_] ([1-9]|10)(,| and|$)", report.split("flow\n")[0], re.MULTILINE)
    shown = [int(word) for word in re.findall(r"\b\d+\b", report.split("flow\n")[1])]
    months = {0, 6, 12, 18, 24}
    assert not {number for number in shown if 0 < number < 11} - months - {11}


@pytest.mark.parametrize(("name", "code"), [("help.yaml", 0), ("halp.yaml", 1)])
def test_command_line(name: str, code: int) -> None:
    path = data_folder() / "trials" / name
    command = [sys.executable, "-m", "pooledtrials", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("470 patients" in done.stdout) == (code == 0)
    assert ("did you mean 'help'" in done.stderr) == (code == 1)
