"""A Dask cluster of two processes: the same bits, also when it is maimed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from small_registry import LABELS, small_registry, write

from pooledtrials.planning import Cell, Progress, RunStopped, make_design, registry_sums, run

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

SETTINGS = {
    "sampler": "rows",
    "covariances": ("classical", "robust", "clustered"),
    "hypotheses": (0.0,),
    "seed": 5,
    "block": 256,
}
REPS, BLOCKS = 2560, 20


def study(**options):
    g = np.random.default_rng(0)
    trial, arm = g.integers(0, 3, 300), g.integers(0, 2, 300)
    z, clusters = np.eye(3)[trial] * arm[:, None], np.arange(300) // 3
    design = make_design(z, g.normal(size=300), clusters, trial)
    cells = [Cell(design.strength(c), 0.2, 0.5, shared=0.1) for c in (2.0, 10.0)]
    return run(design, cells, REPS, **SETTINGS | options)


def sums(found):
    return [
        (name, t.count, t.missing, t.infinite, t.total, t.square, None if t.histogram is None
         else t.histogram.tobytes())
        for tallies in found.tallies for name, t in tallies.items()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def serial():
    return sums(study(workers=1))


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,
        # the first task of a worker imports and compiles: here, and not in a test
        distributed.Client(made) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        yield made


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as made:
        made.wait_for_workers(2, timeout=60)
        yield made


def test_same_bits_on_the_cluster(client, serial):
    assert sums(study(executor=client.get_executor())) == serial
    assert sums(study(workers=2)) == serial


def test_a_worker_that_is_killed(cluster, client, serial, tmp_path):
    """Dask hands its blocks to another; the run goes on to the same answer."""

    def kill(progress: Progress) -> None:
        if progress.computed == 4:
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

    found = study(executor=client.get_executor(), folder=tmp_path, progress=kill)
    assert sums(found) == serial


def test_a_client_that_goes_away(client, serial, tmp_path):
    """A clear error, finished blocks kept, and the same call goes on from them, elsewhere."""

    def leave(progress: Progress) -> None:
        if progress.computed == 5:
            client.close()

    with pytest.raises(RunStopped, match=rf"\d+ of {BLOCKS} blocks are done: those are kept in"):
        study(executor=client.get_executor(), folder=tmp_path, progress=leave)
    kept = len(list(tmp_path.glob("*/*.parquet")))
    assert kept >= 5
    told: list[Progress] = []
    assert sums(study(folder=tmp_path, progress=told.append)) == serial
    assert told[-1].computed == BLOCKS - kept


def test_a_client_is_not_its_executor(client):
    with pytest.raises(ValueError, match=r"executor is a Client: .*client\.get_executor\(\)"):
        study(executor=client)


def test_same_bits_of_a_registry(client, tmp_path):
    """Blocks of rows, summed up by two processes."""
    rows = small_registry(2_000)
    arguments = (write(tmp_path / "r", rows, (3_000,)), "y", "x", ["first", "second"], "dose")
    alone = registry_sums(*arguments, **LABELS, rows=500)
    spread = registry_sums(*arguments, **LABELS, rows=500, executor=client.get_executor())
    for name in ("patients", "repeated", "first", "second", "first_within", "second_within"):
        assert np.array_equal(getattr(spread.products, name), getattr(alone.products, name)), name
    assert spread.tsls() == alone.tsls()


def test_a_broken_registry_is_explained_across_the_cluster(client, tmp_path):
    folder = write(tmp_path / "r", small_registry(500).with_columns(y=float("nan")))
    with pytest.raises(ValueError, match=r"y column 'y' is missing in \d+ of \d+ rows"):
        registry_sums(folder, "y", "x", **LABELS, executor=client.get_executor())


def test_the_whole_process_is_killed(serial, tmp_path):
    """No last words, no clean-up: what was finished is on disk."""
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_dask import study

        def die(progress):
            if progress.computed == 7:
                os.kill(os.getpid(), signal.SIGKILL)

        study(folder=sys.argv[1], workers=2, progress=die)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    kept = len(list(tmp_path.glob("*/*.parquet")))
    assert kept >= 7
    told: list[Progress] = []
    assert sums(study(folder=tmp_path, progress=told.append)) == serial
    assert told[-1].computed == BLOCKS - kept
