"""Which actor holds the Trio thread: the time between two checkpoints of one task.

Python cannot be interrupted, so code that does not yield keeps all others waiting. A
watched task is stepped by hand, as an `await` would, by one generator around all it does:
what it waits does not count, only what it held the thread for, and not while the machine ran
something else. Watching costs something at each checkpoint, and nothing at a message that
is handled without one.
"""

from __future__ import annotations

import time
import types
from typing import TYPE_CHECKING, Any, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    import trio

    from airssys.nursery.shared import Charges, Lateness

_T = TypeVar("_T")


@final
class HeldThreadWatch:
    """Reports each slice of a task, from checkpoint to checkpoint, above a limit."""

    __slots__ = ("_began", "_charges", "_lateness", "_report", "cut", "is_on", "was_on")

    def __init__(
        self,
        lateness: Lateness,
        charges: Charges,
        report: Callable[[float, str], None],
    ) -> None:
        self._lateness, self._charges, self._report = lateness, charges, report
        self._began = 0.0
        self.is_on = True
        """The code that is watched runs now, or waits."""
        self.was_on = True
        """It ran in the present slice."""
        self.cut: tuple[trio.CancelScope, float] | None = None
        """A scope and the deadline that it gets when the task suspends next: work that
        never suspends pays nothing for having one."""

    def pause(self) -> None:
        """Leave out the present slice up to now, and what comes until `is_on` is set."""
        self.is_on = self.was_on = False
        self._began = time.perf_counter()

    @types.coroutine
    def run(self, call: Coroutine[Any, Any, _T]) -> Generator[Any, Any, _T]:
        """Run a coroutine, watched."""
        clock, lateness, limit = time.perf_counter, self._lateness, self._lateness.limit
        step: Callable[[Any], Any] = call.send
        sent: Any = None
        while True:
            self._began = began = clock()
            if began > lateness.due:
                lateness.note()
            try:
                trap = step(sent)
            except StopIteration as finished:
                result: _T = finished.value
                return result
            finally:
                if (held := clock() - self._began) > limit and self.was_on:
                    self._judge(held)
                self.was_on = self.is_on
            if self.cut is not None:
                scope, deadline = self.cut
                scope.deadline, self.cut = deadline, None
            try:
                sent, step = (yield trap), call.send
            except BaseException as error:  # noqa: BLE001, ASYNC103 (thrown into the call instead)
                sent, step = error, call.throw

    def _judge(self, held: float) -> None:
        """Report a slice, unless others made it long."""
        lateness = self._lateness
        held -= self._charges.since(self._began)
        if held > lateness.limit:
            held -= lateness.since_noted()
        if held > lateness.limit:
            seen_since = lateness.lookout.seen_since
            self._report(held, seen_since(self._began, self._charges.covers))
