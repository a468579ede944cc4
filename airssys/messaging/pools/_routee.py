"""How a pool reaches one of its members: a mailbox, and how much work waits in it.

The queue of that mailbox, and the wait of its actor, report their changes. Mailboxes of
actors outside of pools have plain ones, and pay nothing for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

from trio.lowlevel import Abort, wait_task_rescheduled

from airssys.contracts import Codecs, ComponentId, Envelope, OverflowRules
from airssys.messaging.mailboxes import DroppableQueue, Mailbox, droppable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    class _AnyQueue:
        """What a queue does, whichever class it is of."""

        def append(self, envelope: Envelope, /) -> None:
            raise NotImplementedError

        def popleft(self) -> Envelope:
            raise NotImplementedError

        def extend(self, envelopes: Iterable[Envelope], /) -> None:
            raise NotImplementedError

        def extendleft(self, envelopes: Iterable[Envelope], /) -> None:
            raise NotImplementedError

        def clear(self) -> None:
            raise NotImplementedError


else:
    _AnyQueue = object


class Changed(Protocol):
    """Called when a member has more or less to do."""

    def __call__(self, member: Routee, /, *, has_taken: bool = False) -> None:
        """Take note; `has_taken`: its actor takes the message that was next."""


class _NoteChange(Protocol):
    def __call__(self, *, has_taken: bool = False) -> None: ...


@final
class Routee:
    """The mailbox of one member of a pool, and how much it has to do."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a mailbox takes
        self,
        id: ComponentId,  # noqa: A002  # as in the contracts
        capacity: int,
        rules: OverflowRules,
        message_bytes: int,
        codecs: Codecs | None,
        changed: Changed,
        most_bytes: int,
    ) -> None:
        self.id = id
        self.is_routed_to = False
        self._is_waiting = True
        """Its actor waits for messages, or is new and about to. An actor that is being
        restarted does not wait."""
        self._changed = changed
        self._queue = _watched_queue(rules, self.note_change)
        self.mailbox = Mailbox(
            id,
            capacity,
            rules,
            message_bytes,
            codecs,
            most_bytes,
            queue=self._queue,
            park=self._park,
        )

    @property
    def load(self) -> int:
        """Messages queued, and one more unless its actor waits for the next.

        A full member has a greater load than any that has room.
        """
        queued = len(self._queue)
        return queued + 1 if queued or not self._is_waiting else 0

    def note_change(self, *, has_taken: bool = False) -> None:
        """Take note that it has more or less to do."""
        self._is_waiting &= not has_taken
        self._changed(self, has_taken=has_taken)

    async def _park(self, abort: Callable[[Any], Abort]) -> None:
        self._is_waiting = True
        self.note_change()
        try:
            await wait_task_rescheduled(abort)
        finally:
            self._is_waiting = False
            self.note_change()


class _Reporting(_AnyQueue):
    """Reports each change of the queue that it stands before, in the bases of a class."""

    __slots__ = ()
    _changed: _NoteChange

    def append(self, envelope: Envelope, /) -> None:
        super().append(envelope)
        self._changed()

    def popleft(self) -> Envelope:
        envelope = super().popleft()
        self._changed(has_taken=True)
        return envelope

    def extend(self, envelopes: Iterable[Envelope], /) -> None:
        super().extend(envelopes)
        self._changed()

    def extendleft(self, envelopes: Iterable[Envelope], /) -> None:
        super().extendleft(envelopes)
        self._changed()

    def clear(self) -> None:
        super().clear()
        self._changed()


@final
class _WatchedQueue(_Reporting, deque[Envelope]):
    """The queue of a member."""

    __slots__ = ("_changed",)

    def __init__(self, changed: _NoteChange) -> None:
        super().__init__()
        self._changed = changed


@final
class _WatchedDroppableQueue(_Reporting, DroppableQueue):
    """The same for a mailbox that may drop its oldest message."""

    __slots__ = ("_changed",)

    def __init__(
        self, changed: _NoteChange, may_drop: Callable[[Envelope], bool]
    ) -> None:
        DroppableQueue.__init__(self, may_drop)
        self._changed = changed

    def drop_oldest(self) -> Envelope | None:
        envelope = super().drop_oldest()
        self._changed()
        return envelope


_WatchedQueues: TypeAlias = _WatchedQueue | _WatchedDroppableQueue


def _watched_queue(rules: OverflowRules, changed: _NoteChange) -> _WatchedQueues:
    test = droppable(rules)
    return (
        _WatchedQueue(changed)
        if test is None
        else _WatchedDroppableQueue(changed, test)
    )
