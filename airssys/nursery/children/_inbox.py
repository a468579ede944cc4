"""The notices to a supervisor, and in which task's step each is served.

Theory. Notices are served one after the other, in the order in which they came, by the
supervisor's task. To wake that task costs a pass of the scheduler, twice for each child
that starts and twice for each that crashes. So what a child has to say of itself is
served in the child's own step if nothing is lost by it: its supervisor is parked, no
notice is before it, and none is being served. It is served in the supervisor's context,
so that what it starts inherits nothing of the child; and what that raises is raised in
the supervisor. The only difference is the time it takes.

A child that is ready as soon as it is started gives notice of that in the step in which it
is started. What that leads to, often the start of the next child, is served in the same
step, until that has taken `SECONDS_PER_STEP`.

What others ask for is left to the supervisor's task: they are not protected from
Ctrl-C as children are, and a restart that is due has to come behind what has happened
meanwhile (rule 32).
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs
import trio
from outcome import Error
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule

from airssys.contracts import ExitReason

from ._child import Child
from ._reply import Reply
from ._requests import Request
from ._slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


SECONDS_PER_STEP: Final = 0.001
"""Seconds of the thread, not of Trio's clock."""


@final
@attrs.frozen
class Ready:
    """A child is ready."""

    child: Child


@final
@attrs.frozen
class Ended:
    """A child has ended."""

    child: Child
    reason: ExitReason


@final
@attrs.frozen
class RetryDue:
    """It is time to start a child again, unless something came in between."""

    slot: Slot
    retry: object


@final
@attrs.frozen
class StopAsked:
    """The supervisor is asked to end."""


@final
@attrs.frozen
class Requested:
    """A request to the supervisor."""

    request: Request
    reply: Reply


Notice: TypeAlias = Ready | Ended | RetryDue | StopAsked | Requested


@final
class Inbox:
    """The notices to one supervisor."""

    def __init__(self) -> None:
        self._unread: deque[Notice] = deque()
        self._take: Callable[[Notice], None]
        self._is_done: Callable[[], bool]
        self._parked: Task | None = None
        """The supervisor's task, while it waits for a notice."""
        self._is_serving_at_once = False
        self._step_ends = 0.0
        """As of `time.perf_counter`."""

    def post(self, notice: Notice) -> None:
        """Add a notice behind those there; the supervisor's task serves it."""
        self._unread.append(notice)
        if not self._is_serving_at_once:
            self._wake()

    def serve_or_post(self, notice: Notice) -> None:
        """Serve a notice at once if that may be, else add it; called by a child.

        The caller is protected from KeyboardInterrupt.
        """
        task = self._parked
        if task is None or self._is_serving_at_once:
            self._unread.append(notice)
            return
        self._is_serving_at_once = True
        try:
            self._step_ends = time.perf_counter() + SECONDS_PER_STEP
            task.context.run(self._serve_at_once, notice)
            if self._unread or self._is_done():
                self._wake()
        except BaseException as error:  # noqa: ASYNC103  # its supervisor raises it
            if (
                self._parked is None
            ):  # killed meanwhile: no supervisor is left to raise it
                raise
            self._wake(Error(error))
        finally:
            self._is_serving_at_once = False

    def _serve_at_once(self, notice: Notice) -> None:
        self._take(notice)
        while self._may_go_on() and not self._is_done():
            self._take(self._unread.popleft())

    def _may_go_on(self) -> bool:
        """Whether the next notice may be served in the present step."""
        return (
            bool(self._unread)
            and isinstance(self._unread[0], Ready)
            and time.perf_counter() < self._step_ends
        )

    async def serve(
        self, take: Callable[[Notice], None], is_done: Callable[[], bool]
    ) -> None:
        """Let `take` serve notices until it is done, with a checkpoint between two steps."""
        self._take, self._is_done = take, is_done
        while not is_done():
            if not self._may_go_on():
                await self._end_step()
            if self._unread:
                take(self._unread.popleft())

    async def _end_step(self) -> None:
        if self._unread:
            await trio.lowlevel.checkpoint()
        else:
            self._parked = current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)
        self._step_ends = time.perf_counter() + SECONDS_PER_STEP

    def unread(self) -> Iterator[Notice]:
        """Take those that were not served."""
        while self._unread:
            yield self._unread.popleft()

    def _wake(self, why: Error | None = None) -> None:
        task, self._parked = self._parked, None
        if task is None:
            return
        if why is None:
            reschedule(task)
        else:
            reschedule(task, why)

    def _give_up(self, _: RaiseCancelT) -> Abort:
        self._parked = None
        return Abort.SUCCEEDED
