"""Fakes of the small ports: the wall clock, randomness, the event sink."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from airssys.contracts import Event

_NANOSECONDS: Final = 1_000_000_000


@final
class HandWallClock:
    """A wall clock that stands still until a test moves it (a `WallClock`)."""

    def __init__(self, seconds: float = 1_700_000_000.0) -> None:
        """Set the clock to that many seconds after 1970."""
        self.nanoseconds = round(seconds * _NANOSECONDS)

    def __call__(self) -> int:
        """Return nanoseconds since 1970."""
        return self.nanoseconds

    def move(self, seconds: float) -> None:
        """Advance by that many seconds; negative ones set the clock back."""
        self.nanoseconds += round(seconds * _NANOSECONDS)


@final
class SeededRandomness:
    """Random bytes that are the same in every run (a `Randomness`); only for tests."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = random.Random(seed)  # noqa: S311  # so that tests repeat

    def __call__(self, size: int) -> bytes:
        """Return that many further bytes."""
        return self._rng.randbytes(size)


@final
class EventList(list["Event"]):
    """Keeps events in the order in which they came (an `EventSink`)."""

    def __call__(self, event: Event) -> None:
        """Record an event."""
        self.append(event)
