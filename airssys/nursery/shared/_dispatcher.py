"""Handles the messages of all actors that cannot wait, without a task switch for each.

An actor whose handler is a plain function needs its task only to start, to end and to
be supervised; in between that task is parked. Waking it for each message would take a pass
of the scheduler, which takes longer than most handlers do. So one task of the system
visits all such actors that have messages, and lets each handle what it has. What an actor
sends while it is visited may make another one due, which is visited in the same pass.

A pass handles at most `MESSAGES_PER_PASS` messages, and begins none after
`SECONDS_PER_PASS`. Then all other tasks have their turn. An actor that still has messages
then is visited again after those that wait already.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, final

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

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES_PER_PASS: Final = 256
SECONDS_PER_PASS: Final = 0.001
"""Seconds of the thread, not of Trio's clock."""


class Visited(Protocol):
    """An actor whose messages can be handled in another task's step."""

    def handle_due(self, most: int, began: float, until: float) -> int:
        """Handle what is queued now.

        Args:
            most: messages to handle at most, 1 or more.
            began: the time now, as of `time.perf_counter`.
            until: the time after which none is begun.

        Returns:
            How many messages it took. If some are left to be handled in this way it has
            made itself due again.
        """
        ...


@final
class Dispatcher:
    """Visits the actors of one system that have something to handle."""

    def __init__(self) -> None:
        self._due: deque[Visited] = deque()
        """The one that has waited longest first; each is here once at most."""
        self._parked: Task | None = None
        self.is_served = False
        """Whether a task visits them; otherwise actors handle their messages themselves."""

    def add(self, actor: Visited) -> None:
        """Have an actor visited soon; only one that is not due already."""
        self._due.append(actor)
        task, self._parked = self._parked, None
        if task is not None:
            reschedule(task)

    @enable_ki_protection
    async def serve(  # noqa: ASYNC128  # it is parked while nothing is due
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Visit those that are due, until cancelled."""
        self.is_served = True
        task_status.started()
        try:
            while True:
                if not self._due:
                    self._parked = current_task()
                    await wait_task_rescheduled(self._abort)
                self._make_pass(time.perf_counter)
                await checkpoint()
        finally:
            self.is_served = False

    def _make_pass(self, clock: Callable[[], float]) -> None:
        due, left = self._due, MESSAGES_PER_PASS
        now = clock()
        until = now + SECONDS_PER_PASS
        while due and left > 0 and now < until:
            left -= due.popleft().handle_due(left, now, until)
            now = clock()

    def _abort(self, _: object) -> Abort:
        self._parked = None
        return Abort.SUCCEEDED
