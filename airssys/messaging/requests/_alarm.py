"""One alarm for many deadlines.

A deadline must not cost a cancel scope each: opening one takes as long as half an ask.
Here one task serves them all, asleep in one cancel scope whose deadline is moved when
an item is due before all others. It wakes when something may be due, and not for items
that come and go meanwhile.

All actors share it, so no item may end it or hold it up. If the callback for an item
raises, that is logged. When many are due at once, other tasks run in between.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, Generic, TypeVar, final

import attrs
import trio
from trio.lowlevel import (
    Abort,
    Task,
    checkpoint,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from ._deadlines import Deadlines

T = TypeVar("T")

_AT_ONCE: Final = 64
"""Items that are reported before the clock is read."""
_SECONDS_PER_TURN: Final = 0.002
_LOG: Final = logging.getLogger("airssys")


@final
@attrs.define(eq=False, repr=False)
class Alarm(Generic[T]):
    """Pending items, and the service that reports each when it is due."""

    _on_due: Callable[[T], None]
    """Called with an item in the step in which it ceases to be pending."""
    _pending: Deadlines[T] = attrs.field(init=False, factory=Deadlines)
    is_served: bool = attrs.field(init=False, default=False)
    """Whether `serve` runs; while it does not, no item is reported."""
    _scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    """What the service sleeps in; meaningless while it does not run."""
    _wakes_at: float = attrs.field(init=False, default=-math.inf)
    """When it wakes. Invariant while it sleeps: no item is due before."""

    def __len__(self) -> int:
        return len(self._pending)

    def __iter__(self) -> Iterator[T]:
        """Visit the pending items, oldest first."""
        return iter(self._pending)

    def add(self, item: T, deadline: float) -> None:
        """Note an item that is not pending; with an infinite deadline it is never due."""
        self._pending.add(item, deadline)
        if deadline < self._wakes_at:
            self._wakes_at = self._scope.deadline = deadline

    def discard(self, item: T) -> None:
        """Forget an item; nothing happens if it is not pending."""
        self._pending.discard(item)

    @enable_ki_protection
    async def serve(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Report items that are due, until cancelled. Pending items stay then.

        Raises:
            RuntimeError: another task serves already.
        """
        if self.is_served:
            raise RuntimeError("another task serves this alarm already")
        self.is_served = True
        try:
            task_status.started()
            while True:
                self._wakes_at = self._pending.earliest()
                with trio.CancelScope(deadline=self._wakes_at) as self._scope:
                    await trio.sleep_forever()
                await self._report_due(trio.current_time())
        finally:
            self.is_served = False

    async def _report_due(self, now: float) -> None:
        """Report all items that are due; a checkpoint if that takes long."""
        turn_ends = time.perf_counter() + _SECONDS_PER_TURN
        while due := self._pending.pop_due(now, _AT_ONCE):
            for item in due:
                try:
                    self._on_due(item)
                except Exception:  # noqa: BLE001  # the other items are still reported
                    _log_failure(item)
            if time.perf_counter() >= turn_ends:
                await checkpoint()
                turn_ends = time.perf_counter() + _SECONDS_PER_TURN


def _log_failure(item: object) -> None:
    with suppress(Exception):  # a handler or filter of the program's may fail as well
        _LOG.exception("a service of all actors failed for %s", type(item).__name__)


@final
class Sleepers:
    """Tasks that sleep, woken by one alarm."""

    def __init__(self) -> None:
        self._alarm: Alarm[Task] = Alarm(reschedule)

    def __len__(self) -> int:
        return len(self._alarm)

    async def serve(  # noqa: ASYNC128  # the alarm calls it
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Wake tasks whose time has come, until cancelled; to be cancelled last.

        Raises:
            RuntimeError: another task serves already.
        """
        await self._alarm.serve(task_status=task_status)

    @enable_ki_protection
    async def sleep(self, seconds: float) -> None:
        """Sleep on Trio's clock, 0 or more seconds; a checkpoint.

        While `serve` does not run, this opens a cancel scope of its own.

        Raises:
            ValueError: the seconds are NaN.
        """
        if math.isnan(seconds):
            raise ValueError("to sleep takes a number of seconds, not NaN")
        alarm = self._alarm
        if seconds <= 0:
            await checkpoint()
        elif alarm.is_served:
            task = current_task()

            def leave(_: object) -> Abort:
                alarm.discard(task)
                return Abort.SUCCEEDED

            alarm.add(task, trio.current_time() + seconds)
            await wait_task_rescheduled(leave)
        else:
            await trio.sleep(seconds)
