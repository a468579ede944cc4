"""The root of a tree. It has no supervisor, so the system itself takes that role."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, final

import trio

from airssys.contracts import (
    ExitReason,
    StartFailed,
    SystemGaveUp,
    is_a,
)
from airssys.nursery import Child, GaveUp, Slot, SlotStep, Stop

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class Root:
    """The root supervisor while it runs, and what its end means for the system."""

    def __init__(self, slot: Slot, on_end: Callable[[], None]) -> None:
        self._slot, self._on_end = slot, on_end
        self._is_decided = trio.Event()
        self.ended = trio.Event()
        """The whole tree has ended."""
        self._child = Child(
            slot.name, slot.cell.incarnate(), slot.spec.start_timeout, self
        )
        self.ask_to_stop, self.kill = self._child.ask_to_stop, self._child.kill

    def start(self, nursery: trio.Nursery) -> None:
        """Start the tree."""
        self._slot.move(SlotStep.START)
        self._child.start(nursery)

    async def wait_ready(self) -> None:
        """Wait until the tree is ready, has ended before that, or is not wanted."""
        await self._is_decided.wait()

    def stop_waiting(self) -> None:
        """Let `wait_ready` return if the tree is not wanted any more."""
        self._is_decided.set()

    def child_ready(self, child: Child) -> None:
        """Note that the tree is ready; called by the child."""
        self._slot.note_ready()
        self._is_decided.set()

    def child_ended(self, child: Child, reason: ExitReason) -> None:
        """Note that the tree has ended; called by the child."""
        self._slot.move(SlotStep.RETIRE)
        self._is_decided.set()
        self.ended.set()
        self._on_end()

    def failure(self) -> BaseException | None:
        """Return what the system must raise because of how the tree ended.

        None if it ended because it was asked to, or with a significant child.
        KeyboardInterrupt and SystemExit are returned in any case. If the root was
        already giving up when it was asked to stop, it counts as having given up.
        """
        child = self._child
        if child.fatal is not None:
            return child.fatal
        error = None if child.reason is None else child.reason.error
        if type(error) is GaveUp:
            return SystemGaveUp(error.chain)
        if error is None or child.asked or is_a(error, Stop):
            return None
        if type(error) is StartFailed:
            with suppress(Exception):  # users may raise one too, with any fields
                error.__cause__ = error.reason.error
        return error
