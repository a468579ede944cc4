"""Fakes of the small ports: the wall clock, randomness, where events go."""

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
        """Set the clock to so many seconds after 1970."""
        self.nanoseconds = round(seconds * _NANOSECONDS)

    def __call__(self) -> int:
        """Return nanoseconds since 1970."""
        return self.nanoseconds

    def move(self, seconds: float) -> None:
        """Let so many seconds pass; negative ones too, as when a clock is set back."""
        self.nanoseconds += round(seconds * _NANOSECONDS)


@final
class SeededRandomness:
    """Random bytes that are the same in every run (a `Randomness`), so for tests only."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(seed)  # noqa: S311  # so that tests repeat

    def __call__(self, size: int) -> bytes:
        """Return the next so many bytes."""
        return self._chance.randbytes(size)


@final
class EventList(list["Event"]):
    """Keeps events in the order in which they came (an `EventSink`)."""

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.append(event)
