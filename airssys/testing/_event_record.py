"""A test's list of the events in its systems, and how to wait for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, final

import trio

from airssys.system import open_system

from ._patience import PATIENCE, patience

if TYPE_CHECKING:
    from airssys.contracts import Blueprint, Event
    from airssys.system import EventStream, SystemManager

    EventT = TypeVar("EventT", bound=Event)

_EVENTS_KEPT: Final = 100_000
_SHOWN: Final = 30
"""Events in the message of a test that waited for another one."""


@final
class EventRecord:
    """All events of the recorded systems, in the order in which they came.

    If two systems run at once, each one's events are in order, but not relative to the
    other's.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        """Make an empty record.

        Args:
            patience: Seconds of the machine's time that `next` waits.
        """
        self.patience = patience
        """May be changed at any time."""
        self._streams: list[EventStream] = []
        self._seen: list[Event] = []
        self._cursor = 0
        """Where `next` continues to search."""

    def watch(self, stream: EventStream) -> None:
        """Record the events of a stream too."""
        self._streams.append(stream)

    def all(self) -> list[Event]:
        """Return the events so far."""
        for stream in self._streams:
            self._drain(stream)
        return list(self._seen)

    def of(self, kind: type[EventT]) -> list[EventT]:
        """Return the events of one kind so far."""
        return [event for event in self.all() if isinstance(event, kind)]

    async def next(self, kind: type[EventT], **fields: object) -> EventT:
        """Wait for an event of one kind, after the one that `next` returned last.

        Events of other kinds are skipped. With several systems, it waits for the one that
        was opened last. It waits for `patience` seconds of the machine's time, not of
        Trio's: under a `MockClock` it also finds an event that comes after an hour of
        mocked time. It waits longer on an overloaded machine, and while components are
        compiled.

        Args:
            kind: A class of events.
            fields: What its fields must be, e.g. `child="local/greeter/0"`.

        Raises:
            AssertionError: The event did not come in time, the system ended without it,
                or no system was opened. The text has the events that came instead.
        """
        found = self._find(kind, fields)
        if found is not None:
            return found
        if not self._streams:
            raise AssertionError(f"{_wanted(kind, fields)} can come: no system is open")
        why = f"in {self.patience:g} s"
        with patience(self.patience):
            try:
                while found is None:
                    self._seen.append(await anext(self._streams[-1]))
                    found = self._find(kind, fields)
            except StopAsyncIteration:
                why = "before the system ended"
        if found is None:
            raise AssertionError(f"{_wanted(kind, fields)} came {why}{self._instead()}")
        return found

    def _find(self, kind: type[EventT], fields: dict[str, object]) -> EventT | None:
        seen = self.all()
        for place in range(self._cursor, len(seen)):
            event = seen[place]
            if isinstance(event, kind) and _has(event, fields):
                self._cursor = place + 1
                return event
        return None

    def _instead(self) -> str:
        since = "since the last one that was waited for" if self._cursor else "at all"
        came = self._seen[self._cursor :]
        if not came:
            return f"; nothing came {since}"
        lines = [f"    {event}" for event in came[-_SHOWN:]]
        if len(came) > _SHOWN:
            lines.insert(0, f"    ({len(came) - _SHOWN} others)")
        return "\n".join([f"; what came {since}:", *lines])

    def _drain(self, stream: EventStream) -> None:
        while True:
            try:
                self._seen.append(stream.next_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                return


def watched_system(
    tree: Blueprint | type[object],
    record: EventRecord,
    **options: Any,  # noqa: ANN401  # each as open_system has it
) -> SystemManager:
    """Open a system like `open_system`, and record its events from the first one on.

    Args:
        tree: A blueprint, or a topology.
        record: Where its events go.
        options: Those of `open_system`.

    Raises:
        DefinitionError: The blueprint cannot be run.
    """
    opening = open_system(tree, **options)
    record.watch(opening.listen(_EVENTS_KEPT))
    return opening


def _has(event: object, fields: dict[str, object]) -> bool:
    return all(getattr(event, name) == value for name, value in fields.items())


def _wanted(kind: type[object], fields: dict[str, object]) -> str:
    described = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return f"no {kind.__name__}({described})"
