"""Studies in a folder: they go on from what is whole, and from nothing else."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pooledtrials.planning import Cell, Progress, RunStopped, make_design, run
from pooledtrials.planning.montecarlo import plan
from pooledtrials.planning.montecarlo.ledger import Ledger

DESIGN = make_design(np.tile([0.0, 0, 1, 1, 0], 12), np.arange(60.0), np.arange(60) // 4)
CELLS = [Cell(DESIGN.strength(c), 0.0, 0.6, labels={"strength": c}) for c in (1.0, 9.0)]
OPTIONS = {"seed": 3, "block": 60, "hypotheses": (0.5,), "workers": 1}
REPS, BLOCKS = 270, 10


def study(folder=None, told=None, cells=CELLS, reps=REPS, **changes):
    progress = None if told is None else told.append
    return run(DESIGN, cells, reps, folder=folder, progress=progress, **OPTIONS | changes)


def equal(one, two):
    assert one.to_frame().equals(two.to_frame())
    for left, right in zip(one.tallies, two.tallies, strict=True):
        for name, tally in left.items():
            other = right[name]
            assert (tally.total, tally.square) == (other.total, other.square)
            assert (tally.histogram is None) == (other.histogram is None)
            if tally.histogram is not None:
                np.testing.assert_array_equal(tally.histogram, other.histogram)
    return True


WHOLE = study()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    assert equal(study(folder), WHOLE)
    return folder


def files(folder):
    return sorted(Path(folder).glob("*/*.parquet"))


def test_one_file_a_block_and_a_plan(finished):
    (inner,) = finished.iterdir()
    assert len(files(finished)) == BLOCKS
    assert {p.suffix for p in inner.iterdir()} == {".parquet", ".json"}
    record = json.loads((inner / "plan.json").read_text())
    assert record["digest"].startswith(inner.name)
    assert record["reps"] == REPS
    assert record["settings"]["seed"] == 3
    assert record["labels"] == [{"strength": 1.0}, {"strength": 9.0}]
    assert record["versions"]["numpy"] == np.__version__
    table = pl.read_parquet(files(finished)[0])
    assert set(table["outcome"]) == set(WHOLE.tallies[0])
    assert table["count"].to_list() == [60] * table.height


def test_a_finished_study_is_only_read(finished):
    told: list[Progress] = []
    before = {p: p.stat().st_mtime_ns for p in files(finished)}
    assert equal(study(finished, told), WHOLE)
    assert told[-1].done == BLOCKS
    assert told[-1].computed == 0
    assert {p: p.stat().st_mtime_ns for p in files(finished)} == before


damage = st.sampled_from(["keep", "delete", "truncate", "empty", "flip", "append", "swap"])


@settings(max_examples=60)
@given(st.lists(damage, min_size=BLOCKS, max_size=BLOCKS), st.integers(0, 10**6))
def test_any_damage_is_found_and_mended(finished, done, at):
    """Whatever happens to the files, the result is the same, and whole blocks are not redone."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(finished, folder, dirs_exist_ok=True)
        paths = files(folder)
        for path, what in zip(paths, done, strict=True):
            content = path.read_bytes()
            place = at % len(content)
            if what == "delete":
                path.unlink()
            elif what == "truncate":
                path.write_bytes(content[:place])
            elif what == "empty":
                path.write_bytes(b"")
            elif what == "flip":
                changed = bytearray(content)
                changed[place] ^= 1 << at % 8
                path.write_bytes(bytes(changed))
            elif what == "append":
                path.write_bytes(content + b"\0")
            elif what == "swap":  # another block's content under this one's name
                path.write_bytes(
                    next(p for p in files(finished) if p.name != path.name).read_bytes()
                )
        told: list[Progress] = []
        assert equal(study(folder, told), WHOLE)
        assert told[-1].computed == sum(what != "keep" for what in done)
        # and what was mended stays
        told.clear()
        assert equal(study(folder, told), WHOLE)
        assert told[-1].computed == 0
        assert len(files(folder)) == BLOCKS


def test_a_block_renamed_to_another_place_does_not_count(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    first = files(tmp_path)[0]
    first.rename(first.with_name(first.name.replace("block-00000", "block-00001")))
    told: list[Progress] = []
    assert equal(study(tmp_path, told), WHOLE)
    assert told[-1].computed == 1


def test_a_plan_that_is_damaged_is_written_again(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (record,) = tmp_path.glob("*/plan.json")
    text = record.read_text()
    record.write_text(text[:40])
    told: list[Progress] = []
    assert equal(study(tmp_path, told), WHOLE)
    assert record.read_text() == text
    assert told[-1].computed == 0


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"reps": 271},
        {"block": 61},
        {"level": 0.9},
        {"reference": "chi2"},
        {"methods": ("AR",)},
        {"hypotheses": (0.25,)},
        {"engine": "numpy"},
        {"draws": 7},
        {"sampler": "rows"},
        {"cells": CELLS[:1]},
        {"cells": CELLS[::-1]},
        {"cells": [CELLS[0], Cell(DESIGN.strength(9.0), 0.0, 0.61)]},
        {"cells": [CELLS[0], Cell(DESIGN.strength(9.0), 0.1, 0.6)]},
    ],
)
def test_what_decides_a_number_begins_anew(finished, tmp_path, change):
    """In a subfolder of its own, beside the old one, which stays as it is."""
    if change == {"engine": "numpy"} and WHOLE.engine == "numpy":
        pytest.skip("there is no other engine")
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    told: list[Progress] = []
    changed = study(tmp_path, told, **change)
    assert told[-1].computed == told[-1].total
    assert len(list(tmp_path.iterdir())) == 2
    assert equal(changed, study(**change))
    told.clear()
    assert equal(study(tmp_path, told), WHOLE)
    assert told[-1].computed == 0


def test_designs_versions_and_kernels_are_part_of_a_plan(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    told: list[Progress] = []
    other = make_design(DESIGN.z, DESIGN.controls * 1.001 + 0.1 * DESIGN.z, np.arange(60) // 4)
    run(other, CELLS, REPS, folder=tmp_path, progress=told.append, **OPTIONS)
    assert told[-1].computed == BLOCKS
    monkeypatch.setattr(plan, "KERNEL", plan.KERNEL + 1)
    study(tmp_path, told)
    assert told[-1].computed == BLOCKS
    assert len(list(tmp_path.iterdir())) == 3


def test_what_decides_no_number_does_not(finished, tmp_path):
    """Labels, workers, where it runs."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    told: list[Progress] = []
    cells = [Cell(c.theta, c.effect, c.rho, labels={"name": "x"}) for c in CELLS]
    assert equal(study(tmp_path, told, cells=cells, workers=3), WHOLE)
    assert told[-1].computed == 0


def skewed(generator, reps, n):
    values = generator.standard_exponential((reps, n, 2)) - 1
    return values if "a" in {"a", "b", "c", "d"} else (lambda v: -v)(values)


def heavy(generator, reps, n):
    return generator.standard_t(4, (reps, n, 2))


def test_errors_of_ones_own_are_told_apart(tmp_path):
    told: list[Progress] = []
    options = {"sampler": "rows", "reps": 40, "block": 40}
    for errors, computed in ((skewed, 1), (heavy, 1), (skewed, 0)):
        cells = [Cell(DESIGN.strength(2.0), errors=errors)]
        study(tmp_path, told, cells=cells, **options)
        assert told[-1].computed == computed
    cells = [Cell(DESIGN.strength(2.0), errors=lambda g, r, n: skewed(g, r, n))]
    with pytest.raises(ValueError, match="errors of cell 0 cannot be kept apart"):
        study(tmp_path, cells=cells, **options)
    assert study(cells=cells, **options).tallies  # without a folder it may be anything


def test_a_digest_is_the_same_in_another_process():
    """Also of a function whose code holds a set, whatever the order of hashes."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_ledger as t;"
        "from pooledtrials.planning.montecarlo.plan import Plan;"
        "cells = (t.Cell(t.DESIGN.strength(2.0), errors=t.skewed), *t.CELLS);"
        "settings = t.run(t.DESIGN, cells, 2, sampler='rows').plan.settings;"
        "print(Plan((t.DESIGN,), cells, 20, settings).digest())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    found = {process.communicate()[0] for process in running}
    assert len(found) == 1
    assert len(found.pop().strip()) == 64


def test_the_kernel_s_version_goes_with_its_numbers():
    """Raise `plan.KERNEL` whenever these change: folders would mix what does not belong together."""
    asked = {"methods": ("2SLS", "LIML", "AR", "K", "CLR"), "engine": "numpy"}
    assert plan.KERNEL == 2
    frozen = {  # replications of more than one chunk, and sums
        "wishart": (17_000, (2247.383868, 104999.539492, 8514.64765)),
        "cell_wishart": (4_500, (-11078.468898, 28317.308855, 2247.107511)),
        "rows": (600, (-110.134534, 3691.997044, 292.83984)),
    }
    for sampler, (reps, sums) in frozen.items():
        two = make_design(np.tile([0.0, 0, 1, 1, 0], 12))
        found = run(two, [Cell(two.strength(5.0), 0.0, 0.6)], reps, sampler=sampler, **asked)
        tallies = found.tallies[0]
        totals = [tallies[name].total for name in ("error: 2SLS", "F", "p: CLR")]
        np.testing.assert_allclose(totals, sums, rtol=1e-6)


def test_a_full_disk_is_said_and_the_rest_kept(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if len(calls) == 5:  # the plan, three blocks, and no room
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    words = r"could not be written \(OSError: .*No space left on device\); 3 of 10 blocks are done"
    with pytest.raises(RunStopped, match=words):
        study(tmp_path)
    assert len(files(tmp_path)) == 3
    assert not list(tmp_path.glob("*/*.part"))
    told: list[Progress] = []
    assert equal(study(tmp_path, told), WHOLE)
    assert told[-1].computed == BLOCKS - 3


def test_parts_that_a_killed_run_left_are_removed_in_time(tmp_path):
    study(tmp_path)
    (inner,) = tmp_path.iterdir()
    old, new = inner / "old.part", inner / "new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    assert equal(study(tmp_path), WHOLE)
    assert not old.exists()
    assert new.exists()  # perhaps of a run that goes on


def test_two_runs_at_once_share_a_folder(tmp_path):
    """The second finds what the first has kept, and neither harms the other."""

    def meanwhile(progress):
        if progress.done == 4:
            assert equal(study(tmp_path), WHOLE)

    assert equal(run(DESIGN, CELLS, REPS, folder=tmp_path, progress=meanwhile, **OPTIONS), WHOLE)
    assert len(files(tmp_path)) == BLOCKS


def test_a_folder_must_be_one_and_writable(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "inner"):
        with pytest.raises(ValueError, match="of which some part is a file: give a folder"):
            study(folder)

    def refused(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    with pytest.raises(ValueError, match=r"cannot be written to \(Permission denied\)"):
        study(tmp_path / "locked")


def test_an_unreadable_block_is_computed(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    lost = files(tmp_path)[2]
    real = Path.read_bytes

    def read(self):
        if self == lost:
            raise OSError(errno.EIO, "Input/output error")
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read)
    told: list[Progress] = []
    assert equal(study(tmp_path, told), WHOLE)
    assert told[-1].computed == 1


def test_a_ledger_reads_what_it_wrote(tmp_path):
    ledger = Ledger(tmp_path, WHOLE.plan)
    block = WHOLE.plan.blocks[0]
    assert ledger.read(block) is None
    ledger.write(block, WHOLE.tallies[0])
    found = Ledger(tmp_path, WHOLE.plan).read(block)
    assert list(found) == list(WHOLE.tallies[0])
    for name, tally in WHOLE.tallies[0].items():
        assert (found[name].total, found[name].count) == (tally.total, tally.count)
