"""Notifies handlers that the asker of their message does not wait for the answer any more.

A handler that is notified gives up its own asks, in the middle of Trio's `abort`, which
notifies further handlers, along a chain of any length. Nested calls would reach Python's
recursion limit. So each handler is notified after the call for the one before has
returned, and if that takes long, the rest are notified in Trio's next pass.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, final

from trio.lowlevel import current_trio_token

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS_PER_TURN: Final = 0.0005
"""The notified handlers all unwind in the next pass, which takes ten times as long."""


class Abandoned(Protocol):
    """A question whose asker stopped waiting."""

    @property
    def on_abandoned(self) -> Callable[[], object] | None:
        """As in `ReplySlot`."""
        ...


@final
class Farewells:
    """The questions of one system whose handlers are to be notified."""

    def __init__(self) -> None:
        self._waiting: deque[Abandoned] = deque()
        self._is_telling = False

    def tell(self, question: Abandoned) -> None:
        """Notify the handler of a question, if there is one, at once or soon."""
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
                # Its handler may have finished meanwhile.
                tell = self._waiting.popleft().on_abandoned
                if tell is not None:
                    tell()
                if self._waiting and time.perf_counter() >= turn_ends:
                    current_trio_token().run_sync_soon(self._tell_all)
                    return
        finally:
            self._is_telling = False
