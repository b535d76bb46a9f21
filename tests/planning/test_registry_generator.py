"""Synthetic registries from the twin: whose patients they are, and how they are written."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from pooledtrials.planning import registry_designs, registry_from_twin, registry_sums
from pooledtrials.planning.registry import generator
from pooledtrials.pooling import twin

resource = pytest.importorskip("resource")

MONTHS = 6
LABELS = {"patients": "patient", "trials": "trial", "waves": "month"}


def sums(folder, **options):
    return registry_sums(
        folder, "asi_drug", "ten_days", "facilitated", "asi_drug_baseline",
        where=pl.col("month") > 0, **LABELS | options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin") / "registry"
    return registry_from_twin(folder, 2 * generator.POOL, MONTHS, 7, world="works")


def test_the_people_are_the_twin_s(written):
    """Month by month the numbers of `twin.simulate`, from which nothing else was drawn."""
    pool = twin.simulate("works", "weak", 7, designs=registry_designs(MONTHS))
    panel = twin.observed_panel(pool).dropna(subset=["asi_drug", "attendance"])
    ours = pl.read_parquet(written).filter(pl.col("patient") < generator.POOL)
    assert ours["patient"].n_unique() == generator.POOL
    theirs = panel.sort_values(["trial", "month"])
    for trial, own in ours.group_by("trial"):
        found = theirs[theirs["trial"] == trial[0]]
        assert own.height == len(found)
        assert_allclose(np.sort(own["asi_drug"]), np.sort(found["asi_drug"]), atol=1e-12)
        assert_allclose(np.sort(10 * own["ten_days"]), np.sort(found["attendance"]))


def test_a_larger_one_begins_with_the_smaller(written, tmp_path):
    few = registry_from_twin(tmp_path / "few", 1, MONTHS, 7, world="works")
    whole, part = pl.read_parquet(written), pl.read_parquet(few)
    assert part.equals(whole.filter(pl.col("patient") < generator.POOL))


def test_files_do_not_matter(written, tmp_path, monkeypatch):
    monkeypatch.setattr(generator, "_ROWS", 1)
    copies = registry_from_twin(tmp_path / "many", 2 * generator.POOL, MONTHS, 7, world="works")
    assert len(list(copies.iterdir())) == 2
    assert pl.read_parquet(copies).equals(pl.read_parquet(written))


def test_files_say_that_they_are_synthetic(written):
    for path in written.iterdir():
        assert path.name.startswith("synthetic-")
        said = pl.read_parquet_metadata(path)["synthetic"]
        assert "every patient is invented" in said
        assert "'works'" in said


def test_it_can_be_read(written):
    found = sums(written)
    assert found.n_patients <= 2 * generator.POOL
    assert found.shape.trials == 6
    assert found.moments().n_instruments == 1


def test_selection_bias_stays_and_the_instrument_finds_zero(tmp_path):
    """The truth of *selection* is 0: what a strong lever says, and no regression does."""
    folder = registry_from_twin(
        tmp_path / "r", 30_000, MONTHS, 1, world="selection", instrument="strong"
    )
    found = sums(folder)
    assert abs(found.tsls().coefficient) < 3.5 * found.tsls().standard_error
    for estimate in (found.ols(), found.within()):
        assert estimate.coefficient < -10 * estimate.standard_error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patients": 0}, "patients is 0"),
        ({"patients": 2.5}, "patients is 2.5"),
        ({"patients": True}, "patients is True"),
        ({"months": 1}, "months is 1"),
        ({"months": 61}, "months is 61: give at most 60"),
        ({"seed": -1}, "seed is -1"),
        ({"world": "heaven"}, "world is 'heaven'"),
        ({"instrument": "violin"}, "instrument is 'violin'"),
    ],
)
def test_refusals(tmp_path, options, message):
    arguments = {"folder": tmp_path / "r", "patients": 10, "months": 3, "seed": 1}
    with pytest.raises(ValueError, match=message):
        registry_from_twin(**arguments | options)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"there is something already: choose another"):
        registry_from_twin(tmp_path, 10, 3, 1)
    with pytest.raises(FileExistsError, match=r"there is something already"):
        registry_from_twin(tmp_path / "mine.txt", 10, 3, 1)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    assert registry_from_twin(tmp_path / "empty", 10, 3, 1).is_dir()


def test_no_room_on_the_disk(tmp_path):
    """The system lets no file grow beyond 20 kB: an error, and no remains."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match=r"could not be written .*removed; make room"):
            registry_from_twin(tmp_path / "r", 10, 6, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_an_interrupted_one_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(generator, "_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        registry_from_twin(tmp_path / "r", 10, 3, 1)
    assert not list(tmp_path.iterdir())
