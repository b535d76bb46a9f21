"""Where a study runs does not change a bit of it: threads, processes, one worker or several."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)

import numpy as np
import pytest

from pooledtrials.planning import Cell, Progress, RunStopped, make_design, run
from pooledtrials.planning.montecarlo.blocks import job_of, run_block
from pooledtrials.planning.montecarlo.compiled import available
from pooledtrials.planning.montecarlo.dispatch import WINDOW
from pooledtrials.planning.montecarlo.plan import Plan
from pooledtrials.planning.montecarlo.settings import METHODS, Settings

ENGINES = ("numpy", "numba") if available() else ("numpy",)


@pytest.fixture(scope="module")
def design():
    g = np.random.default_rng(0)
    trial, arm = g.integers(0, 3, 150), g.integers(0, 2, 150)
    return make_design(
        np.eye(3)[trial] * arm[:, None], g.normal(size=150), np.arange(150) // 3, trial
    )


@pytest.fixture(scope="module")
def cells(design):
    return [Cell(design.strength(c), 0.2, 0.5, shared=0.1) for c in (0.0, 10.0)]


def options(engine="auto"):
    return {
        "sampler": "rows",
        "covariances": ("classical", "robust", "clustered"),
        "hypotheses": (0.0,),
        "seed": 7,
        "engine": engine,
        "block": 96,
    }


def same(one, two):
    """To the last bit, histograms too."""
    for left, right in zip(one.tallies, two.tallies, strict=True):
        assert left.keys() == right.keys()
        for name, tally in left.items():
            other = right[name]
            for field in ("count", "missing", "infinite", "total", "square"):
                assert getattr(tally, field) == getattr(other, field), name
            assert (tally.histogram is None) == (other.histogram is None)
            if tally.histogram is not None:
                assert np.array_equal(tally.histogram, other.histogram)
    return True


@pytest.mark.parametrize("engine", ENGINES)
def test_same_bits_on_threads(design, cells, engine):
    alone = run(design, cells, 1000, workers=1, **options(engine))
    for workers in (2, 5):
        assert same(alone, run(design, cells, 1000, workers=workers, **options(engine)))
    with ThreadPoolExecutor(3) as pool:
        assert same(alone, run(design, cells, 1000, executor=pool, **options(engine)))
        assert pool.submit(int).result() == 0  # someone else's executor stays open
    frame = alone.to_frame()
    assert frame.equals(run(design, cells, 1000, **options(engine)).to_frame())
    assert not frame.equals(run(design, cells, 1000, **options(engine) | {"seed": 8}).to_frame())
    assert not frame.equals(run(design, cells, 1000, **options(engine) | {"block": 80}).to_frame())
    # a cell's stream depends on its place, not on what else is run
    first = run(design, cells[:1], 1000, **options(engine))
    assert first.to_frame().loc[0].equals(frame.loc[0])


def test_same_bits_in_processes(design, cells):
    alone = run(design, cells, 600, workers=1, **options())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        assert same(alone, run(design, cells, 600, executor=pool, **options()))


def test_same_bits_whoever_is_first(design, cells):
    """An executor that finishes the latest task first, and more blocks than its window."""

    class Backwards(Executor):
        def __init__(self):
            self.waiting, self.most = [], 0

        def submit(self, function, /, *arguments):
            future = Future()
            self.waiting.append((future, function, arguments))
            self.most = max(self.most, len(self.waiting))
            if len(self.waiting) == WINDOW or arguments[1].block[:2] == last:
                for each, call, given in reversed(self.waiting):
                    each.set_result(call(*given))
                self.waiting = []
            return future

    reps = 96 * (WINDOW + 40) // 2
    last = (1, -(-reps // 96) - 1)
    asked = options() | {"covariances": ("classical",), "hypotheses": ()}
    executor = Backwards()
    seen: list[Progress] = []
    backwards = run(design, cells, reps, executor=executor, progress=seen.append, **asked)
    assert executor.most == WINDOW
    assert same(run(design, cells, reps, workers=1, **asked), backwards)
    assert [p.done for p in seen] == list(range(1, seen[-1].total + 1))


_DIGEST = """
import hashlib, sys
import numpy as np
from pooledtrials.planning import Cell, make_design, run
g = np.random.default_rng(0)
trial, arm = g.integers(0, 3, 2000), g.integers(0, 2, 2000)
design = make_design(np.eye(3)[trial] * arm[:, None], g.normal(size=2000), np.arange(2000) // 9,
                     trial)
cell = Cell(design.strength(5.0), 0.2, 0.5, shared=0.2, deviations=trial / 10)
study = run(design, [cell], 48, sampler="rows", covariances=("classical", "robust", "clustered"),
            engine=sys.argv[1], workers=1)
sums = [(name, t.total, t.square) for name, t in study.tallies[0].items()]
print(hashlib.sha256(repr(sums).encode()).hexdigest())
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_same_bits_however_many_threads_blas_has(engine):
    """Dask's workers have one, a laptop as many as processors."""
    digests = set()
    for threads in ("1", "2"):
        digests.add(
            subprocess.run(
                [sys.executable, "-c", _DIGEST, engine],
                env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    assert len(digests) == 1


def test_jobs_travel(design, cells):
    asked = Settings("rows", METHODS[:7], ("robust",), (), 0.95, "F", 9, 1, "auto")
    plan = Plan((design,), tuple(cells), 50, asked)
    job = job_of(plan, plan.blocks[0])
    one, two = (
        run_block(job),
        pickle.loads(pickle.dumps(run_block))(pickle.loads(pickle.dumps(job))),
    )
    assert one.keys() == two.keys()
    assert all(one[name].total == two[name].total for name in one)


def test_blocks_are_a_third_of_a_second(design):
    """Rows by their number, moments by theirs; the last block of a cell takes what is left."""
    one = Settings("rows", METHODS[:7], ("classical",), (), 0.95, "F", 9, 1, "auto")
    plan = Plan((design,), (Cell(np.ones(3)),) * 2, 500_000, one)
    size = 2**25 // 150 // 16 * 16
    assert [b.reps for b in plan.blocks] == 2 * [size, size, 500_000 - 2 * size]
    assert [tuple(b)[:2] for b in plan.blocks] == [(c, j) for c in (0, 1) for j in range(3)]


def test_progress_is_told_only_when_asked(design, cells, capsys):
    told: list[Progress] = []
    run(design, cells, 400, workers=1, progress=told.append, **options())
    assert [p.done for p in told] == list(range(1, 11))
    assert all(p.total == 10 and p.computed == p.done for p in told)
    assert told[-1].seconds_left == 0
    assert told[0].seconds_left == pytest.approx(9 * told[0].seconds)
    assert str(told[-1]) == "10 of 10 blocks, nothing left"
    assert math.isinf(Progress(3, 10, 0, 0.1).seconds_left)
    assert str(Progress(3, 10, 0, 0.1)) == "3 of 10 blocks, time left unknown"
    assert str(Progress(3, 3, 0, 0.1)) == "3 of 3 blocks, nothing left"
    assert capsys.readouterr().out == ""


def test_an_executor_that_breaks_says_how_far_it_came(design, cells, tmp_path):
    class Breaks(Executor):
        def __init__(self, after):
            self.left = after

        def submit(self, function, /, *arguments):
            self.left -= 1
            future = Future()
            if self.left < 0:
                future.set_exception(BrokenExecutor("a worker died"))
            else:
                future.set_result(function(*arguments))
            return future

    words = r"the executor lost its work \(BrokenExecutor: a worker died\); 3 of 10 blocks are done"
    with pytest.raises(RunStopped, match=words + ": none is kept, for want of a folder"):
        run(design, cells, 400, executor=Breaks(3), **options())
    with pytest.raises(RunStopped, match=words + ": those are kept in") as stopped:
        run(design, cells, 400, executor=Breaks(3), folder=tmp_path, **options())
    assert isinstance(stopped.value.__cause__, BrokenExecutor)
    told: list[Progress] = []
    resumed = run(design, cells, 400, folder=tmp_path, progress=told.append, **options())
    assert told[-1].computed == 7
    assert same(run(design, cells, 400, **options()), resumed)


def test_an_executor_that_is_closed_takes_no_work(design, cells):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RunStopped, match=r"the executor takes no more work.*after shutdown"):
        run(design, cells, 400, executor=pool, **options())


def _dies(generator, reps, n):
    if multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return generator.standard_normal((reps, n, 2))


def test_a_process_that_is_killed_stops_a_pool_of_processes(design):
    spawn = multiprocessing.get_context("spawn")
    cell = Cell(design.strength(3.0), errors=_dies)
    with (
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
        pytest.raises(RunStopped, match="Broken"),
    ):
        run(design, [cell], 40, sampler="rows", executor=pool)


@pytest.fixture
def heard() -> Iterator[None]:
    """Hear an interrupt even where a shell in the background has its children ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupt_keeps_what_is_done(design, cells, tmp_path, workers):
    def interrupt(progress):
        if progress.done == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(design, cells, 400, workers=workers, folder=tmp_path, progress=interrupt, **options())
    told: list[Progress] = []
    resumed = run(design, cells, 400, folder=tmp_path, progress=told.append, **options())
    assert told[-1].computed <= 6
    assert same(run(design, cells, 400, **options()), resumed)
