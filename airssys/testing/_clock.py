"""A clock for tests that jumps over waiting, but never over work in a thread.

Theory. Trio's `MockClock` jumps to the next deadline as soon as every task is blocked.
A task that waits for a worker thread is blocked too, so a compiler that takes 0.3 s
would exceed a deadline of 10 s. The number of tasks that wait for threads only changes
in a step of a task. So after each step the clock is enabled or disabled accordingly.
"""

from __future__ import annotations

import math
from typing import final

import trio
from trio.testing import MockClock, active_thread_count


@final
class _ThreadWatch(trio.abc.Instrument):
    """Keeps a clock from jumping while a task waits for a thread."""

    def __init__(self, clock: MockClock) -> None:
        self._clock = clock
        self._is_held = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        is_held = active_thread_count() > 0
        if is_held is not self._is_held:
            self._is_held = is_held
            self._clock.autojump_threshold = math.inf if is_held else 0.0


def steady_clock() -> MockClock:
    """Make a clock that jumps to the next deadline when there is nothing else to do.

    That is the case when every task is blocked and no task waits for
    `trio.to_thread.run_sync`; while one does, time stands still. Pass the clock to
    `trio.run(main, clock=steady_clock())`, for one run.

    A thread that itself waits for Trio's time to pass (with `trio.from_thread` or a
    `Portal`) would wait for ever: in such a test, call `clock.jump` from a task.
    Threads that Trio did not start are not noticed.
    """
    clock = MockClock(autojump_threshold=0)
    watch = _ThreadWatch(clock)
    begin = clock.start_clock

    def start_clock() -> None:
        begin()
        trio.lowlevel.add_instrument(watch)

    clock.start_clock = start_clock  # type: ignore[method-assign]  # Trio makes it final
    return clock
