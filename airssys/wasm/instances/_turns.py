"""Busy guests take turns, so that no guest waits long, however many there are.

The theory. Trio runs all ready tasks in passes, in random order. A guest's slice is up
to one tick long and cannot be shortened. So a pass must not contain more than about one
tick of slices:

* *A call's first slice runs at once*, if this pass has spent less than half a tick so
  far. Short calls therefore never wait and never switch tasks.
* *A call that used up its slice is busy.* Busy calls wait in a line, from which one
  slice runs per pass. (A proven guest, see below, gets a second one first: it may have
  begun just before the tick.)
* *First slices that did not fit* wait in lines too: one for guests whose last message
  was done within its first slice ("proven"), one for all others ("fresh"). A thousand
  guests that begin to loop at the same moment look like any other first slices; guests
  that have proven to be fast do not wait behind them.

Each pass serves one line, in a fixed rotation in which every other pass is for the
proven line. It lets through as many of them as the last passes had room for, and only
one of the other lines. Busy calls come oldest first. Fresh ones come newest and oldest
in turn: after a burst of endless loops a newcomer is then served within a few passes,
and none waits for ever.

A single task, the keeper, moves the lines. It runs once a pass while any call waits,
and sleeps otherwise.

A slice is time, not a poll: host calls that are answered at once are part of it. Slices
that would block the thread anyway (large values, guests that overran their tick) are
run by a few worker threads instead and do not count.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import asynccontextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, final

import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")

_MOST_AT_ONCE: Final = 64
_READ_EVERY: Final = 0.05
"""Seconds between readings of the processor time."""

now: Final = time.perf_counter
"""Slices are measured in real time even where a test drives Trio's clock, because they
are work of the processor."""


_Line: TypeAlias = deque[Task]
"""Tasks that wait, oldest first. A plain deque: each call looks whether it is empty."""


async def _wait_in(line: _Line, *, in_front: bool = False) -> None:
    """Wait until let through; a cancelled waiter leaves the line."""
    task = current_task()
    (line.appendleft if in_front else line.append)(task)

    def leave(_: object) -> Abort:
        line.remove(task)
        return Abort.SUCCEEDED

    await wait_task_rescheduled(leave)


def _let_through(line: _Line, count: int) -> bool:
    """Let the oldest continue, up to that many; False if none waited."""
    somebody = bool(line)
    for _ in range(min(count, len(line))):
        reschedule(line.popleft())
    return somebody


@final
class _PassNotice(trio.abc.Instrument):
    """Notices when Trio begins another pass."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def after_io_wait(self, timeout: float) -> None:  # Trio's signature
        self._turns.spent = 0.0
        self._turns.processor.note()


@final
class Processor:
    """Tells work of the Trio thread from waiting for a processor that others have.

    A slice is timed by a clock, which is ten times as fast to read as the processor time
    of a thread. On a busy machine a slice of a tick may take a second by it, and the guest
    has done nothing to be charged for that.
    """

    def __init__(self, trusted: float) -> None:
        self._trusted = trusted
        self._due = self._ran = 0.0

    def note(self) -> None:
        """Read the processor time, if that was some time ago; called in each pass."""
        if (clock := now()) >= self._due:
            self._due, self._ran = clock + _READ_EVERY, time.thread_time()

    def used(self, seconds: float) -> float:
        """Return how much of a slice that has just ended was work, or a little more."""
        if seconds <= self._trusted:
            return seconds
        return min(seconds, time.thread_time() - self._ran)


@final
class Turns:
    """Decides which call may run a slice, and when."""

    def __init__(self, tick: float, worker_threads: int) -> None:
        self.tick = tick
        self.spent = 0.0
        """Seconds of slices in this pass of Trio."""
        self._allowance = tick / 2
        self._busy: _Line = deque()
        self._proven: _Line = deque()
        self._fresh: _Line = deque()
        self._at_once = 1
        self._turned_back = 0
        """Proven calls that found the pass full since their line was last served."""
        self._wanted = trio.Event()
        self._ended = False
        """Whether the engine is closed, so that no slice can be run any more."""
        self._workers = trio.CapacityLimiter(worker_threads)
        self.processor = Processor(2 * tick)
        self._notice = _PassNotice(self)
        self._rota = cycle(
            (
                self._serve_proven,
                self._serve_busy,
                self._serve_proven,
                self._serve_newest,
                self._serve_proven,
                self._serve_busy,
                self._serve_proven,
                self._serve_fresh,
            )
        )

    @property
    def waiting(self) -> int:
        """How many calls wait for a turn."""
        return len(self._busy) + len(self._proven) + len(self._fresh)

    def may_begin(self, *, proven: bool) -> bool:
        """Whether a first slice may run in this pass, now."""
        line = self._proven if proven else self._fresh
        return self.spent < self._allowance and not line

    async def begin(self, *, proven: bool) -> None:
        """Wait until a first slice may run."""
        line = self._proven if proven else self._fresh
        await self._wait_in(line)
        while self.spent >= self._allowance and not self._ended:
            self._turned_back += proven
            await self._wait_in(line, in_front=True)

    async def next_slice(self) -> None:
        """Wait for the next turn of a busy call; always a checkpoint."""
        await self._wait_in(self._busy)
        while self.spent >= self._allowance and not self._ended:
            await self._wait_in(self._busy, in_front=True)

    async def _wait_in(self, line: _Line, *, in_front: bool = False) -> None:
        """Wait in a line; also one that was let through comes back when a pass is full.

        The keeper may have found all lines empty by then, so each wait wakes it.
        """
        if self._ended:
            await trio.lowlevel.checkpoint()
            return
        self._wanted.set()
        await _wait_in(line, in_front=in_front)

    def end(self) -> None:
        """Let all calls through, now and later: the keeper of the lines has ended.

        The engine must be closed, so that each finds out that its call is.
        """
        self._ended = True
        for line in (self._proven, self._busy, self._fresh):
            _let_through(line, len(line))

    async def in_worker(self, work: Callable[[], T]) -> T:
        """Run a slice in a worker thread.

        A cancellation takes effect before it begins or after it has ended: a slice
        cannot be abandoned, but it is short.
        """
        return await trio.to_thread.run_sync(work, limiter=self._workers)

    @asynccontextmanager
    async def without_workers(self) -> AsyncIterator[None]:
        """Wait for the slices that workers run, and start none meanwhile.

        Not cancellable: a slice is short, and a running one cannot be abandoned.
        """
        stand_ins = [object() for _ in range(int(self._workers.total_tokens))]
        with trio.CancelScope(shield=True):
            for stand_in in stand_ins:
                await self._workers.acquire_on_behalf_of(stand_in)
        try:
            yield
        finally:
            for stand_in in stand_ins:
                self._workers.release_on_behalf_of(stand_in)

    async def keep(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Move the lines, for as long as guests are run; never returns."""
        trio.lowlevel.add_instrument(self._notice)
        try:
            task_status.started()
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                while self.waiting:
                    self._serve_one_line()
                    await trio.lowlevel.checkpoint()
        finally:
            trio.lowlevel.remove_instrument(self._notice)

    def _serve_one_line(self) -> None:
        for serve in self._rota:
            if serve():
                return

    def _serve_proven(self) -> bool:
        if not self._proven:
            return False
        too_many, self._turned_back = self._turned_back, 0
        more = self._at_once - too_many if too_many else self._at_once * 2
        self._at_once = max(1, min(more, _MOST_AT_ONCE))
        return _let_through(self._proven, self._at_once)

    def _serve_busy(self) -> bool:
        return _let_through(self._busy, 1)

    def _serve_fresh(self) -> bool:
        return _let_through(self._fresh, 1)

    def _serve_newest(self) -> bool:
        if not self._fresh:
            return False
        reschedule(self._fresh.pop())
        return True
