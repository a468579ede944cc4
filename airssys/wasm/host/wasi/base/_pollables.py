"""What a guest can wait for: times, and sources of bytes.

A guest waits in one place only, so whatever changes on its behalf wakes it there
(`WasiContext.note_changed`), and it looks again at all that it waits for. A source with a
socket of the operating system needs no task to watch that: it is waited for there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, final

import trio

from ._context import Held

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Sequence

    from ._context import WasiContext


@final
class Interest(NamedTuple):
    """What the operating system is asked about."""

    socket: socket.socket
    to_write: bool


class Source:
    """Something that becomes ready."""

    __slots__ = ()

    def is_ready(self) -> bool:
        """Whether there is nothing to wait for."""
        return True

    @property
    def due(self) -> float:
        """Trio's time at which it is ready by itself."""
        return math.inf

    @property
    def interest(self) -> Interest | None:
        """The socket that makes it ready; None: its context is notified of changes."""
        return None


class Pollable(Held):
    """A guest's handle of a source; without one, of something that is always ready."""

    __slots__ = ("source",)

    def __init__(
        self,
        context: WasiContext,
        source: Source | None = None,
        parent: Held | None = None,
    ) -> None:
        super().__init__(context, parent)
        self.source = source

    def ready(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.source is None or self.source.is_ready()

    @property
    def due(self) -> float:
        """Trio's time at which it is ready by itself."""
        return 0.0 if self.source is None else self.source.due


@final
class Timer(Pollable):
    """Ready from a time on."""

    __slots__ = ("_due", "_shown")

    def __init__(self, context: WasiContext, when: tuple[int, float]) -> None:
        super().__init__(context)
        self._shown, self._due = when

    def ready(self) -> bool:
        """Whether its time has come; the guest's clock shows it from then on."""
        if trio.current_time() < self._due:
            return False
        self.context.monotonic.note(self._shown)
        return True

    @property
    def due(self) -> float:
        """Trio's time at which it is ready."""
        return self._due


def ready_ones(pollables: Sequence[Pollable]) -> list[int]:
    """Return the places of those that are ready."""
    return [place for place, each in enumerate(pollables) if each.ready()]


async def wait_for_any(
    context: WasiContext, pollables: Sequence[Pollable]
) -> list[int]:
    """Wait until some are ready; return their places."""
    sources = [each.source for each in pollables if each.source is not None]
    while True:
        found = ready_ones(pollables)
        if found:
            return found
        due = min(each.due for each in pollables)
        await _wait_for_change(context, sources, due)


async def wait_until(
    context: WasiContext, is_so: Callable[[], bool], source: Source
) -> None:
    """Wait until something is so, which changes when a source does."""
    while not is_so():
        await _wait_for_change(context, [source], source.due)


async def _wait_for_change(
    context: WasiContext, sources: Sequence[Source], due: float
) -> None:
    """Wait until one of some sources may have changed, or a time has come."""
    if not sources:
        await trio.sleep_until(due)
        return
    interests = {each.interest for each in sources} - {None}
    changed = context.changed
    with trio.move_on_at(due):
        if not interests:
            await changed.wait()
            return
        await _wait_for_sockets(interests, changed)


async def _wait_for_sockets(
    interests: Iterable[Interest | None], changed: trio.Event
) -> None:
    async with trio.open_nursery() as nursery:
        scope = nursery.cancel_scope

        async def wait_for(one: Interest) -> None:
            wait = (
                trio.lowlevel.wait_writable
                if one.to_write
                else trio.lowlevel.wait_readable
            )
            try:
                await wait(one.socket)
            except (OSError, ValueError, trio.ClosedResourceError):
                pass  # it was closed meanwhile, which its source shows
            except trio.BusyResourceError:
                return  # a task of the host waits for it, and reports a change
            scope.cancel()

        for one in interests:
            if one is not None:
                nursery.start_soon(wait_for, one)
        await changed.wait()
        scope.cancel()
