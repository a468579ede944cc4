"""Tells those who handle a message that nobody waits for its answer any more.

Whoever hears that gives up what it waits for itself, in the middle of Trio's `abort`,
and so on, along a chain as long as users make it. One call inside the other would come to
Python's recursion limit there. So each is told after the one before has returned; and
when that takes long, the rest are told in Trio's next pass.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, final

from trio.lowlevel import current_trio_token

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS_PER_TURN: Final = 0.0005
"""Those who are told then unwind, all in the next pass, which takes ten times as long."""


class Abandoned(Protocol):
    """A question whose asker stopped waiting."""

    @property
    def on_abandoned(self) -> Callable[[], object] | None:
        """As in `ReplySlot`."""
        ...


@final
class Farewells:
    """Those who are to be told, in one system."""

    def __init__(self) -> None:
        self._waiting: deque[Abandoned] = deque()
        self._is_telling = False

    def tell(self, question: Abandoned) -> None:
        """Tell whoever handles a question now, at once or soon, if somebody does."""
        if question.on_abandoned is None:
            return
        self._waiting.append(question)
        if not self._is_telling:
            self._tell_all()

    def _tell_all(self) -> None:
        self._is_telling = True
        turn_ends = time.perf_counter() + _SECONDS_PER_TURN
        try:
            while self._waiting:
                # Whoever had it in hand may have finished with it meanwhile.
                tell = self._waiting.popleft().on_abandoned
                if tell is not None:
                    tell()
                if self._waiting and time.perf_counter() >= turn_ends:
                    current_trio_token().run_sync_soon(self._tell_all)
                    return
        finally:
            self._is_telling = False
