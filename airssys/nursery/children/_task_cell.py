"""A child that is any async function: no name for messages, no mailbox.

A plain function is ready at once, and to ask it to stop is to cancel it. One that takes
a `TaskContext` reports itself when it is ready, is notified when it is asked to stop, and is
cancelled when its shutdown time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from airssys.contracts import InternalError, TaskSpec, child_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.nursery.restarts import Declared

    from ._child import Incarnation


@final
class TaskContext:
    """What a function that takes one is given first."""

    def __init__(self, ready: Callable[[], None], stop_asked: trio.Event) -> None:
        self._ready = ready
        self._is_ready = False
        self.stop_asked = stop_asked
        """Set when it is to finish what it does and to return."""

    @enable_ki_protection
    def started(self) -> None:
        """Say that it is ready; saying it again does nothing."""
        if not self._is_ready:
            self._is_ready = True
            self._ready()


@final
class PlainTask:
    """One run of a function that knows nothing of supervision."""

    def __init__(self, spec: TaskSpec) -> None:
        self._spec = spec

    def stop_soon(self) -> bool:
        """Let it be cancelled."""
        return False

    async def run(self, ready: Callable[[], None]) -> None:
        """Run it."""
        ready()
        await _unprotected(self._spec)


@final
class ListeningTask:
    """One run of a function that takes a context."""

    def __init__(self, spec: TaskSpec) -> None:
        self._spec = spec
        self._stop_asked = trio.Event()

    def stop_soon(self) -> bool:
        """Notify it that it is to stop."""
        self._stop_asked.set()
        return True

    async def run(self, ready: Callable[[], None]) -> None:
        """Run it."""
        await _unprotected(self._spec, TaskContext(ready, self._stop_asked))


@final
class TaskCell:
    """The cell of a task; nothing in it outlives a run."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared

    def incarnate(self) -> Incarnation:
        """Make a fresh run.

        Raises:
            InternalError: what is declared is not a task.
        """
        spec = self._declared.start()
        if not isinstance(spec, TaskSpec):
            raise InternalError(f"{child_name(spec)} is not a task")
        return (ListeningTask if spec.context else PlainTask)(spec)

    def release(self, _: str = "", /) -> None:
        """Do nothing: a task has no name."""


# Ctrl-C may interrupt the user's code, and nothing else of a task.
@disable_ki_protection
async def _unprotected(spec: TaskSpec, *context: TaskContext) -> None:
    await spec.function(*context, *spec.arguments)
