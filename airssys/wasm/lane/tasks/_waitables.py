"""What a task can wait for, the sets that it waits with, and subtasks.

Each is an entry in the table of handles of its component instance. A *waitable* has at
most one event that was not seen yet. The event is computed when it is taken, so that it
says how things are then: a stream that went on meanwhile gives one event for all.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple, final

from airssys.wasm.lane.abi import CallScope, Entry, Rule, RuleBroken

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._threads import Task


@final
class EventCode(enum.IntEnum):
    """What kind of event it is, as guests know it."""

    NONE = 0
    SUBTASK = 1
    STREAM_READ = 2
    STREAM_WRITE = 3
    FUTURE_READ = 4
    FUTURE_WRITE = 5
    TASK_CANCELLED = 6


@final
class Event(NamedTuple):
    """What a guest is given: a code, most often a handle, and what happened to that."""

    code: EventCode
    handle: int = 0
    what: int = 0


NOTHING = Event(EventCode.NONE)
CANCELLED = Event(EventCode.TASK_CANCELLED)


class Waitable(Entry):
    """Something that a task can wait for."""

    __slots__ = ("_event", "is_waited_for", "within")

    def __init__(self) -> None:
        super().__init__("", 0, None)
        self._event: Callable[[], Event] | None = None
        self.within: WaitableSet | None = None
        self.is_waited_for = False
        """Whether a task waits for it outside of any set."""

    def set_event(self, event: Callable[[], Event]) -> None:
        """Have an event, instead of the one before if that was not taken."""
        self._event = event

    def has_event(self) -> bool:
        """Whether there is an event that was not taken."""
        return self._event is not None

    def take_event(self) -> Event:
        """Take the event that there is."""
        event, self._event = self._event, None
        assert event is not None  # noqa: S101  # callers look first
        return event()

    def join(self, within: WaitableSet | None) -> None:
        """Move it to a set, or out of all."""
        if self.within is not None:
            self.within.members.remove(self)
        self.within = within
        if within is not None:
            within.members.append(self)

    def drop(self) -> None:
        """Note that its handle is gone.

        Raises:
            RuleBroken: it may not be dropped yet.
        """
        self._event = None
        self.join(None)


@final
class WaitableSet(Entry):
    """Waitables of which any wakes a task."""

    __slots__ = ("members", "waiting")

    def __init__(self) -> None:
        super().__init__("", 0, None)
        self.members: list[Waitable] = []
        self.waiting = 0
        """The number of tasks that wait with it."""

    def has_event(self) -> bool:
        """Whether one of its members has an event."""
        return any(member.has_event() for member in self.members)

    def take_event(self) -> Event:
        """Take an event; those whose event was taken longest ago come first."""
        for place, member in enumerate(self.members):
            if member.has_event():
                self.members.append(self.members.pop(place))
                return member.take_event()
        return NOTHING

    def drop(self) -> None:
        """Note that its handle is gone.

        Raises:
            RuleBroken: it has members, or a task waits with it.
        """
        if self.members:
            raise RuleBroken(Rule.SET_EMPTY, f"{len(self.members)} members")
        if self.waiting:
            raise RuleBroken(Rule.SET_NOT_WAITED_FOR, f"{self.waiting} tasks")


@final
class SubtaskState(enum.IntEnum):
    """How far a call that a guest began has come, as guests know it."""

    STARTING = 0
    STARTED = 1
    RETURNED = 2
    CANCELLED_BEFORE_STARTED = 3
    CANCELLED_BEFORE_RETURNED = 4


@final
class Subtask(Waitable):
    """A call that a guest began, as the guest sees it."""

    __slots__ = ("cancel", "cores", "is_cancelled", "is_seen", "scope", "state")

    def __init__(self) -> None:
        super().__init__()
        self.state = SubtaskState.STARTING
        self.scope = CallScope()
        """What was lent for it."""
        self.cancel: Task | Callable[[], None] | None = None
        """How to ask it to end: the task itself, or the host's way."""
        self.is_cancelled = self.is_seen = False
        self.cores: tuple[int | float, ...] = ()
        """The core results of a call that was waited for."""

    @property
    def is_resolved(self) -> bool:
        """Whether it has an end."""
        return self.state >= SubtaskState.RETURNED

    def resolve(self, state: SubtaskState, cores: tuple[int | float, ...] = ()) -> None:
        """Give it its end."""
        self.state, self.cores = state, cores

    def note_cancelled(self) -> None:
        """Give it its end without a result."""
        was_started = self.state is SubtaskState.STARTED
        self.resolve(
            SubtaskState.CANCELLED_BEFORE_RETURNED
            if was_started
            else SubtaskState.CANCELLED_BEFORE_STARTED
        )

    def see(self) -> None:
        """Note that its end was seen: what was lent is returned."""
        self.is_seen = True
        self.scope.end()

    def drop(self) -> None:
        """Note that its handle is gone.

        Raises:
            RuleBroken: its end was not seen.
        """
        if not self.is_seen:
            raise RuleBroken(Rule.SUBTASK_RESOLVED, self.state.name)
        super().drop()
