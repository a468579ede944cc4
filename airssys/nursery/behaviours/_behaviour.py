"""What one incarnation of an actor does, whatever stands behind it, and what follows it.

A behaviour is a guest or Python code. One that runs may be followed by a successor, which
goes on with the same mailbox, between two messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

import attrs
import trio

from airssys.contracts import ComponentInfo

if TYPE_CHECKING:
    from airssys.contracts import Envelope, ExitReason, HealthStatus
    from airssys.messaging import AtOnce


class Keeper(Protocol):
    """Keeps count of messages that a caller waits for, or that have a time to live."""

    def is_too_late(self, envelope: Envelope, /) -> bool:
        """Give the present message up if it is too late to handle it."""
        ...

    def note_handled(self, *, in_time: bool) -> None:
        """Take note that the present message was handled."""
        ...


class Behaviour(Protocol):
    """What one incarnation of an actor does; made afresh for each."""

    wants_to_end: bool
    """The actor wishes to end, after the present message."""
    starts_at_once: bool
    """`start` does not wait for anything."""
    is_plain: bool
    """It handles each message in one step, which it never fails to begin, in whatever task
    that is; known once it was started."""
    is_cut_off: bool
    """What it handles is cut off when no caller waits for it any more. Otherwise it goes on,
    and needs no scope."""

    async def start(self) -> None:
        """Become ready to handle messages."""
        ...

    def watched(self, serving: Coroutine[Any, Any, None], /) -> Awaitable[None]:
        """Wrap the serving of the mailbox, during which messages are handled."""
        ...

    async def handle(
        self, envelope: Envelope, scope: trio.CancelScope | None, /
    ) -> bytes | None:
        """Handle one message and return the answer, None if there is nothing to say.

        A behaviour that is cut off gives the deadline of the envelope to `scope` before
        it suspends; the loop takes it away again. Then no scope means that there is
        neither a deadline nor a caller that waits for the answer.

        Raises:
            Unwanted: no caller waited for it any more, and it was not begun.
        """
        ...

    @property
    def is_spent(self) -> bool:
        """Whether it has to be replaced, by `renewed`, before it is called again."""
        ...

    async def renewed(self) -> Behaviour:
        """Close it, which was cut off, and start another one in its place."""
        ...

    @property
    def handle_at_once(self) -> AtOnce | None:
        """Begins to handle a message in another task's step; None: it never does.

        One that is plain answers, or sets the message aside, which ends it; otherwise it
        has failed, and `handle` raises why. Both are `BEGUN`.
        """
        ...

    def handle_queued(
        self, most: int, began: float, until: float, keeper: Keeper, /
    ) -> int:
        """Handle what is queued in another task's step; only one that is plain.

        If it fails, the message stays the present one, and `handle` raises why.

        Args:
            most: messages to handle at most, 1 or more.
            began: the time now, as of `time.perf_counter`.
            until: the time after which none is begun.
            keeper: decides what is not handled any more.

        Returns:
            How many messages were taken.
        """
        ...

    async def health(self) -> HealthStatus:
        """Say how the actor is, between two messages; only of one that is probed."""
        ...

    def note_stop_asked(self) -> None:
        """Note that it is asked to stop, perhaps in the middle of a message."""
        ...

    @property
    def prepares_for_restarts(self) -> bool:
        """Whether `before_restart` does anything."""
        ...

    async def before_restart(self, reason: ExitReason, /) -> None:
        """Note that it failed and that another incarnation is to follow.

        Keeps its own time, and raises no Exception.
        """
        ...

    async def stop(self) -> None:
        """Say goodbye: called when it ends on purpose, between two messages."""
        ...

    def close(self) -> None:
        """Give everything back at once; called however it ends, started or not."""
        ...


Inheritance: TypeAlias = Callable[[], Awaitable[Exception | None]]
"""Hands over what is to outlive the change. Returns why that failed, while the old one
can go on; raises what ended the old one."""


@final
@attrs.define(eq=False)
class Successor:
    """A behaviour that was started and is to go on in the place of another one."""

    behaviour: Behaviour
    info: ComponentInfo
    """Its metadata; its health is what was found out."""
    commit: Callable[[], None]
    """Called in the step in which it takes over."""
    inherit: Inheritance | None = None
    """Called before that, by the actor's own task; None if there is nothing
    to be handed over."""
    failure: Exception | None = None
    """Why it does not take over: something was not handed over."""
    predecessor: Behaviour | None = None
    """Set in that step."""
    settled: trio.Event = attrs.Factory(trio.Event)
    """It took over, or it never will."""
