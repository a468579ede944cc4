"""Times for which an actor held the thread in the step of another task."""

from __future__ import annotations

from collections import deque
from typing import Final, final

_KEPT: Final = 100


@final
class Charges:
    """Long times that actors held the thread for, each in the step of another task.

    The task in whose step it was did not hold it.
    """

    __slots__ = ("_slices",)

    def __init__(self) -> None:
        self._slices: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def add(self, began: float, held: float) -> None:
        """Note that an actor has held the thread.

        Args:
            began: when that began, by `time.perf_counter`.
            held: for how many seconds.
        """
        self._slices.append((began, held))

    def since(self, when: float) -> float:
        """Return how many seconds were charged to actors since a time."""
        return sum(held for began, held in self._slices if began >= when)

    def covers(self, when: float) -> bool:
        """Whether a time, by `time.perf_counter`, is within what was charged to an actor."""
        return any(began <= when <= began + held for began, held in self._slices)
