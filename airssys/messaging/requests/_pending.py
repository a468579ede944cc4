"""Asks that wait for their answer.

An asking task is parked once, from the moment its message is handed over until the
outcome is known. The code that brings the outcome wakes it directly. An ask ends in one
synchronous step, which also removes its wait, its deadline and its place in a queue: an
ask that is over never still waits. One alarm serves all deadlines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, Protocol, final

import attrs
import trio
from outcome import Error, Outcome, Value
from trio.lowlevel import (
    Abort,
    Task,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    ComponentId,
    DeadLetter,
    DeadReason,
    DeliveryFailed,
    EventSink,
    Randomness,
)
from airssys.messaging.mailboxes import Mailbox, WaitGraph

from ._alarm import Alarm
from ._farewells import Farewells

_ID_BYTES: Final = 16
_IDS_AT_ONCE: Final = 256


def correlation_ids(randomness: Randomness) -> Iterator[str]:
    """Make names for asks, without end: 128 random bits each, as 32 hex digits.

    If the bits are unguessable, so is each id, and there are so many that none comes
    twice. Fetching them for 256 ids at once makes an id cost a
    slice of a string instead of a system call.
    """
    width, size = 2 * _ID_BYTES, _ID_BYTES * _IDS_AT_ONCE
    while True:
        data = randomness(size)
        if len(data) != size:
            problem = f"randomness returned {len(data)} bytes instead of {size}"
            raise ValueError(problem)
        digits = data.hex()
        for start in range(0, len(digits), width):
            yield digits[start : start + width]


class Pending(Protocol):
    """What waits for an answer until its deadline: an ask, or a request."""

    @property
    def asker(self) -> ComponentId: ...
    @property
    def target(self) -> ComponentId: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def timeout(self) -> float: ...

    def give_up(self, error: Exception) -> None:
        """End with this error, and expect that an answer may still come."""
        ...


@final
@attrs.define(eq=False)
class PendingAsk:
    """One ask: the right to answer it (a `ReplySlot`), and the task that waits for it."""

    _requests: PendingRequests = attrs.field(repr=False)
    asker: ComponentId
    target: ComponentId
    correlation_id: str
    timeout: float
    """Seconds; for the asker's error."""
    deadline: float
    """Trio time; infinity: never."""
    _waiter: ComponentId | None
    """The actor that waits; None for a task outside of all actors, for which no actor can
    wait."""
    _waits_for: ComponentId
    """The actor that is to answer: the target, or the member of it if it is a pool."""
    _task: Task | None = attrs.field(init=False, repr=False, default=None)
    """Set from `begin` until the outcome is known."""
    _blocked_at: Mailbox | None = attrs.field(init=False, repr=False, default=None)
    """The mailbox in which the message waits, or waited, for room."""
    is_abandoned: bool = attrs.field(init=False, default=False)
    """The asker left without an answer, and none has come since."""
    on_abandoned: Callable[[], object] | None = attrs.field(
        init=False, repr=False, default=None
    )
    """As in `ReplySlot`."""

    @enable_ki_protection
    def answer(self, payload: bytes | None) -> bool:
        """Wake the asker with this answer; False if it does not wait any more.

        The first answer that comes after the asker gave up is reported as a dead letter.
        """
        if self._end(Value(payload)):
            return True
        if self.is_abandoned:
            self.is_abandoned = False
            self._requests.report_late_answer(self, payload)
        return False

    def fail(self, error: Exception) -> bool:
        """Wake the asker with this error; False if it does not wait any more."""
        return self._end(Error(error))

    @enable_ki_protection
    def give_up(self, error: Exception) -> None:
        """Wake the asker with this error, and expect that an answer may still come."""
        self.is_abandoned = self._end(Error(error))

    def begin(self) -> None:
        """Count as waiting from now on; the calling task must `wait` before it yields.

        Raises:
            RequestWouldDeadlock: the target waits for the waiter; nothing was changed.
        """
        if self._waiter is not None:
            self._requests.waits.add(self._waiter, self._waits_for)
        self._requests.watch(self, self.deadline)
        self._task = current_task()

    def begin_for(self, member: ComponentId) -> None:
        """Count as waiting for a member of the pool that was asked, as `begin` does."""
        self._waits_for = member
        self.begin()

    def turn_to(self, member: ComponentId) -> None:
        """Wait for the answer of another member, from now on or once it has begun.

        Raises:
            RequestWouldDeadlock: that member waits for the waiter; nothing was changed.
        """
        if self._task is not None and self._waiter is not None:
            self._requests.waits.add(self._waiter, member)
            self._requests.waits.remove(self._waiter, self._waits_for)
        self._waits_for = member

    @property
    def is_in_graph(self) -> bool:
        """Whether an actor waits, as the graph of waits knows."""
        return self._waiter is not None

    def block_at(self, mailbox: Mailbox) -> None:
        """Remember which mailbox the message waits in, so that it leaves with its asker."""
        self._blocked_at = mailbox

    def withdraw(self) -> None:
        """Take `begin` back: the message could not be handed over."""
        self._task = None
        self._retire()

    async def wait(self) -> bytes | None:
        """Park until the outcome is known, and return the answer or raise the error."""
        answer: bytes | None = await wait_task_rescheduled(self._abort)
        return answer

    def admitted(self) -> None:
        """Go on waiting: now for the answer."""

    def refused(self, error: Exception) -> None:
        """Wake the asker: its message did not get through."""
        self._end(Error(error))

    def _abort(self, _: object) -> Abort:
        self.is_abandoned = True
        self.withdraw()
        self._requests.farewells.tell(self)
        return Abort.SUCCEEDED

    @enable_ki_protection
    def _end(self, outcome: Outcome[bytes | None]) -> bool:
        task, self._task = self._task, None
        if task is None:
            return False
        self._retire()
        reschedule(task, outcome)
        return True

    def _retire(self) -> None:
        self._requests.forget(self)
        if self._waiter is not None:
            self._requests.waits.remove(self._waiter, self._waits_for)
        if self._blocked_at is not None:
            self._blocked_at.unblock(self)


@final
@attrs.define(eq=False, repr=False)
class PendingRequests:
    """All asks and requests in flight; ends those whose time is up."""

    waits: WaitGraph
    _events: EventSink
    _randomness: Randomness
    farewells: Farewells = attrs.field(init=False, factory=Farewells)
    """Notifies handlers of a message whose asker does not wait for the answer any more."""
    _asks: Alarm[Pending] = attrs.field(init=False)
    """Invariant: while it is not served, no ask has a deadline."""
    _ids: Iterator[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._asks = Alarm(_time_out)
        self._ids = correlation_ids(self._randomness)

    def __len__(self) -> int:
        return len(self._asks)

    def __iter__(self) -> Iterator[Pending]:
        """Visit all asks and requests in flight, oldest first."""
        return iter(self._asks)

    @enable_ki_protection
    def fresh_id(self) -> str:
        """Return an id that was never returned before."""
        return next(self._ids)

    def new_ask(
        self,
        asker: ComponentId,
        target: ComponentId,
        waiter: ComponentId | None,
        timeout: float,
        useless_after: float | None = None,
    ) -> PendingAsk:
        """Make an ask that is due `timeout` seconds from now; it does not wait yet.

        It is due at the Trio time `useless_after`, if that is sooner: the deadline of
        the message during which it is asked.

        Raises:
            ValueError: the timeout is negative or NaN.
            DeliveryFailed: it is finite and no service runs that would end it.
        """
        if 0 < timeout < math.inf and self._asks.is_served:
            deadline = trio.current_time() + timeout
        else:
            deadline = self.deadline_after(timeout)
        if useless_after is not None and useless_after < deadline:
            deadline = useless_after
            timeout = max(deadline - trio.current_time(), 0.0)
        id = next(self._ids)  # noqa: A001  # as in the contracts
        return PendingAsk(self, asker, target, id, timeout, deadline, waiter, target)

    def deadline_after(self, timeout: float) -> float:
        """Return Trio's time this many seconds from now.

        Raises:
            ValueError: the timeout is negative or NaN.
            DeliveryFailed: it is finite and no service runs that would end it.
        """
        if not timeout >= 0:
            problem = f"timeout must be 0 or more seconds, not {timeout!r}"
            raise ValueError(problem)
        if timeout == math.inf:
            return math.inf
        if self._asks.is_served:
            return trio.current_time() + timeout
        raise DeliveryFailed(
            "the system has ended, or has not begun: no task serves the deadlines of asks",
            "Ask inside the block of `async with open_system(...)`",
        )

    def watch(self, pending: Pending, deadline: float) -> None:
        """Count an ask or request as pending and end it when its deadline comes."""
        self._asks.add(pending, deadline)

    def forget(self, pending: Pending) -> None:
        """Count an ask or request as pending no longer."""
        self._asks.discard(pending)

    def report_late_answer(
        self,
        pending: Pending,
        payload: bytes | None,
        why: str = "the answer came after its asker had stopped waiting",
    ) -> None:
        """Report an answer that came too late to observers."""
        payload = payload or b""
        self._events(
            DeadLetter(
                target=pending.asker,
                sender=pending.target,
                size=len(payload),
                why=why,
                reason=DeadReason.LATE_ANSWER,
                payload=payload,
            )
        )

    @enable_ki_protection
    async def serve(  # noqa: ASYNC128  # the alarm calls it
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """End asks whose time is up, until cancelled; then end all that are left.

        Raises:
            RuntimeError: another task serves already.
        """
        if self._asks.is_served:
            raise RuntimeError("another task serves the asks of this broker already")
        try:
            await self._asks.serve(task_status=task_status)
        finally:
            for ask in self._asks:
                ask.give_up(CalleeFailed(ask.target, "the system has stopped"))


def _time_out(due: Pending) -> None:
    due.give_up(AskTimedOut(due.target, due.correlation_id, due.timeout))
