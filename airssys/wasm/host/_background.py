"""Tasks that the host runs for instances: they end with the instance, or with the runtime.

Closing an instance cannot wait, so its tasks are in a nursery of the runtime, each in a
scope that closing the instance cancels. A task that fails does not end the program: it
fails the instance that it worked for, which is stopped at its next call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@final
class Background:
    """The nursery in which the tasks of all instances of one runtime run."""

    def __init__(self) -> None:
        self.nursery: trio.Nursery | None = None
        """None: the runtime is not open."""

    async def keep(self, work: Awaitable[None]) -> None:
        """Have room for tasks while something else runs; then cancel those left."""
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            try:
                await work
            finally:
                self.nursery = None
                nursery.cancel_scope.cancel()


class ContextWithTasks:
    """A context whose functions start tasks for their instance.

    Contexts of this class are given their tasks when they are opened.
    """

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._scopes: set[trio.CancelScope] = set()
        self._is_over = False
        self.task_failure: Exception | None = None
        """What a task raised; the first of them."""

    def take_nursery(self, nursery: trio.Nursery | None) -> None:
        """Note where its tasks run."""
        self._nursery = nursery

    def start_task(self, act: Callable[[], Awaitable[None]]) -> trio.CancelScope:
        """Start a task; it is cancelled by what is returned, and with the instance.

        Raises:
            RuntimeError: the instance is closed, or not of an open runtime.
        """
        if self._nursery is None or self._is_over:
            raise RuntimeError("an instance that is not open cannot start a task")
        scope = trio.CancelScope()
        self._scopes.add(scope)
        self._nursery.start_soon(self._run, act, scope)
        return scope

    @property
    def tasks(self) -> int:
        """The number of tasks that have not ended."""
        return len(self._scopes)

    def end_tasks(self) -> None:
        """Cancel all tasks, and start no more."""
        self._is_over = True
        for scope in tuple(self._scopes):
            scope.cancel()

    def note_task_failed(self, error: Exception) -> None:
        """Note that a task has failed."""
        if self.task_failure is None:
            self.task_failure = error

    @enable_ki_protection
    async def _run(
        self, act: Callable[[], Awaitable[None]], scope: trio.CancelScope
    ) -> None:
        try:
            with scope:
                await act()
        except Exception as error:  # noqa: BLE001  # it is the instance's failure
            self.note_task_failed(error)
        finally:
            self._scopes.discard(scope)
