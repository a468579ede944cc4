"""What every wall clock, randomness, event sink and ticker must do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from airssys.contracts import ComponentId, Logged, LogLevel

from ._questions import holds, is_a, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import Event, EventSink, Randomness, WallClock
    from airssys.wasm import Ticks, TicksMaker

_MANY: Final = 200
_PERIOD: Final = 0.0005


def examine_wall_clock(clock: WallClock) -> None:
    """Check that a wall clock returns whole nanoseconds since 1970, at any time.

    Raises:
        AssertionError: it does not.
    """
    for _ in range(_MANY):
        now = clock()
        is_a(now, int)
        holds(now >= 0)


def examine_randomness(randomness: Randomness) -> None:
    """Check that randomness returns as many bytes as requested, and never the same.

    Raises:
        AssertionError: it does not.
    """
    same(randomness(0), b"")
    for size in range(_MANY):
        is_a(randomness(size), bytes)
        same(len(randomness(size)), size)
    same(len({randomness(16) for _ in range(_MANY)}), _MANY)


def examine_event_sink(sink: EventSink, seen: Callable[[], list[Event]]) -> None:
    """Check that a sink accepts events at once, and keeps their order.

    Args:
        sink: The sink to check.
        seen: Returns the events that have come out of it.

    Raises:
        AssertionError: it does not.
    """
    me = ComponentId.parse("me")
    events: list[Event] = [
        Logged(me, LogLevel.INFO, f"line {number}", ()) for number in range(_MANY)
    ]
    for event in events:
        same(sink(event), None)  # type: ignore[func-returns-value]  # that it is
    same(seen(), events)


def examine_ticks(
    make: TicksMaker, let_some_pass: Callable[[Ticks, Callable[[], int]], None]
) -> None:
    """Check that ticks happen while something runs, and none after closing.

    Args:
        make: Makes the ticks.
        let_some_pass: Gets the ticks and their count; returns when there were more.
            Manual ticks are made here; for others it waits.

    Raises:
        AssertionError: they do not.
    """
    for end in ("close", "abandon"):
        ticked: list[None] = []
        ticks = make(_PERIOD, partial(ticked.append, None), {"a guest"})
        ticks.touched = True
        ticks.touch()
        let_some_pass(ticks, ticked.__len__)
        holds(ticked)
        getattr(ticks, end)()
        ticks.close()
        before = len(ticked)
        ticks.touch()
        ticks.close()
        same(len(ticked), before)
