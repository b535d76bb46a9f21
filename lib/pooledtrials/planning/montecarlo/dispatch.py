"""Blocks in, tallies out in the blocks' order, whoever computes them and whenever they finish.

The seam is `concurrent.futures.Executor`: threads here, processes, a Dask cluster by
``client.get_executor()``. At most a window of blocks is in flight or waits for its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Final, ParamSpec, TypeVar

from pooledtrials.planning.montecarlo.blocks import Tallies, attempt, job_of, run_block
from pooledtrials.planning.montecarlo.ledger import Ledger
from pooledtrials.planning.montecarlo.plan import Block, Plan

_P = ParamSpec("_P")
_S = TypeVar("_S")
_T = TypeVar("_T")

WINDOW: Final = 256
"""Blocks handed to an executor ahead of the first unfinished one."""


NO_MORE: Final = "the executor takes no more work"
LOST: Final = "the executor lost its work"


class RunStopped(RuntimeError):  # noqa: N818 - a state that one goes on from, not a mistake
    """A run that ended early for no fault of its own; what was finished is kept, given a folder."""


def check_executor(executor: object) -> None:
    """Refuse what is neither an executor nor None.

    Raises
    ------
    ValueError
        For anything else, such as a Dask client, whose executor it names.
    """
    if executor is not None and not isinstance(executor, Executor):
        hint = ", such as client.get_executor()" if hasattr(executor, "get_executor") else ""
        raise ValueError(
            f"executor is a {type(executor).__name__}: give a concurrent.futures.Executor{hint}"
        )


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    done, total : blocks, those read from disk included
    computed : blocks computed by this run
    seconds : since it began
    """

    done: int
    total: int
    computed: int
    seconds: float

    @property
    def seconds_left(self) -> float:
        """At the pace so far; infinite before the first block."""
        if not self.computed:
            return float("inf") if self.done < self.total else 0.0
        return self.seconds / self.computed * (self.total - self.done)

    def __str__(self) -> str:
        left = f"{self.seconds_left:.0f} s left" if self.computed else "time left unknown"
        if self.done == self.total:
            left = "nothing left"
        return f"{self.done} of {self.total} blocks, {left}"


def computed(
    plan: Plan,
    executor: Executor | None,
    workers: int,
    ledger: Ledger | None,
    report: Callable[[Progress], object] | None,
) -> Iterator[tuple[Block, Tallies]]:
    """Every block of a plan with its tallies, in the plan's order.

    Raises
    ------
    RunStopped
        If the executor or the disk gives up.
    """
    with ExitStack() as stack:
        window, run = WINDOW, _Run(plan, ledger, report)
        stack.callback(run.close)
        if executor is None:
            window = 1 if workers == 1 else 4 * workers
            executor = Here() if workers == 1 else ThreadPoolExecutor(workers)
            stack.callback(executor.shutdown, wait=True, cancel_futures=True)
        yield from run.in_order(executor, window)


def in_turn(
    work: Callable[[_S], _T], blocks: Sequence[_S], executor: Executor, window: int
) -> Iterator[_T]:
    """`map` by an executor, with at most ``window`` results under way or waiting for their turn.

    Raises
    ------
    RunStopped
        If the executor gives up; an error of the work comes through as it is.
    """
    waiting, sent = deque[Future[_T | Exception]](), 0
    try:
        for turn in range(len(blocks)):
            what = NO_MORE
            try:
                while sent < min(turn + window, len(blocks)):
                    waiting.append(executor.submit(attempt, work, blocks[sent]))
                    sent += 1
                what = LOST
                found = waiting.popleft().result()
            except Exception as error:
                then = "none is kept, call again with an executor that works"
                raise _stopped(what, error, turn, len(blocks), then) from error
            if isinstance(found, Exception):
                raise found
            yield found
    finally:
        for future in waiting:
            future.cancel()


class Here(Executor):
    """An executor that runs each task at once, where it is submitted."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """The finished future of a call."""
        future: Future[_T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class _Run:
    """Blocks in flight (``waiting``) and finished out of turn (``ready``)."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger | None,
        report: Callable[[Progress], object] | None,
    ) -> None:
        self.plan, self.ledger, self.report = plan, ledger, report
        self.waiting: dict[Future[Tallies | Exception], int] = {}
        self.ready: dict[int, Tallies] = {}
        self.done = self.computed = 0
        self.began = perf_counter()

    def in_order(self, executor: Executor, window: int) -> Iterator[tuple[Block, Tallies]]:
        blocks, sent = self.plan.blocks, 0
        for turn, block in enumerate(blocks):
            while turn not in self.ready:
                while sent < min(turn + window, len(blocks)):
                    self.send(sent, executor)
                    sent += 1
                if turn not in self.ready:
                    self.collect()
            yield block, self.ready.pop(turn)

    def send(self, i: int, executor: Executor) -> None:
        """Read a block that was kept, or hand it to the executor."""
        block = self.plan.blocks[i]
        kept = None if self.ledger is None else self.ledger.read(block)
        if kept is not None:
            self.ready[i] = kept
            self.tell(computed=False)
            return
        try:
            self.waiting[executor.submit(attempt, run_block, job_of(self.plan, block))] = i
        except Exception as error:
            raise self.stopped(NO_MORE, error) from error

    def collect(self) -> None:
        """Wait for a block to finish; keep all that have."""
        finished, _ = wait(self.waiting, return_when=FIRST_COMPLETED)
        # what succeeded first, so that an error can say how far the run came
        ordered = sorted(finished, key=lambda f: f.cancelled() or f.exception() is not None)
        errors = [error for error in map(self.keep, ordered) if error is not None]
        if errors:
            raise errors[0]

    def keep(self, future: Future[Tallies | Exception]) -> Exception | None:
        """Keep one finished block, or say why it cannot be."""
        i = self.waiting.pop(future)
        try:
            found = future.result()
        except Exception as error:  # the executor's own: a task returns its errors
            return self.stopped(LOST, error)
        if isinstance(found, Exception):
            return found
        self.ready[i] = found
        if self.ledger is not None:
            try:
                self.ledger.write(self.plan.blocks[i], found)
            except OSError as error:
                return self.stopped("a finished block could not be written", error)
        self.tell(computed=True)
        return None

    def close(self) -> None:
        """Keep what has finished meanwhile, when a run ends early; call off the rest."""
        self.report = None
        for future in list(self.waiting):
            if not future.cancel() and future.done():
                self.keep(future)

    def tell(self, computed: bool) -> None:
        self.done += 1
        self.computed += computed
        if self.report is not None:
            seconds = perf_counter() - self.began
            self.report(Progress(self.done, len(self.plan.blocks), self.computed, seconds))

    def stopped(self, what: str, error: Exception) -> RunStopped:
        """The error to raise for another's, its cause."""
        kept = "none is kept, for want of a folder"
        if self.ledger is not None:
            kept = f"those are kept in {self.ledger.path}, and the same call goes on from there"
        return _stopped(what, error, self.done, len(self.plan.blocks), kept)


def _stopped(what: str, error: Exception, done: int, total: int, then: str) -> RunStopped:
    why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    found = RunStopped(f"{what} ({why}); {done} of {total} blocks are done: {then}")
    found.__cause__ = error
    return found
