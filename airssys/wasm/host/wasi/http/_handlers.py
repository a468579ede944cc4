"""Components that handle requests: they export `wasi:http/incoming-handler`.

An actor that is one listens where its declaration says, and answers what is mounted in a
server of the program. By default each request has a fresh instance, and finds nothing of
another one; one that is kept handles several, one after the other.

A crash is answered with 502, and is a failure of the actor: it takes no more requests,
lets those in progress be answered, and ends with it. Its supervisor decides what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

import attrs
import trio

from airssys.contracts import AirssysError, CapacityReached, EngineMisused

from ._answering import Answering, Instance, send_status
from ._server import ServerLimits, load_h11, serve

if TYPE_CHECKING:
    from airssys.contracts import Exchange, GuestFailed, HostServices, Limits

_GRACE: Final = 5.0
"""Seconds for the requests in progress when an instance has crashed."""
_MOST_IDLE: Final = 16
"""Instances that are kept for further requests."""


class _Component(Protocol):
    """A component of any world."""

    async def instantiate(
        self, limits: Limits, services: HostServices, /
    ) -> Instance: ...


def is_handler(exported: str) -> bool:
    """Whether an export is the function that handles requests."""
    return exported.startswith("wasi:http/incoming-handler@0.2.") and exported.endswith(
        "#handle"
    )


@final
class HandlerComponent:
    """A component that handles requests; its instances listen."""

    def __init__(self, component: _Component, name: str) -> None:
        self._component, self._name = component, name

    async def instantiate(self, limits: Limits, services: HostServices) -> Handler:
        """Make what listens; instances of the guest are made for requests."""
        await trio.lowlevel.checkpoint()
        return Handler(self._component, self._name, limits, services)


@final
@attrs.define(eq=False)
class _Kept:
    """An instance, and how many more requests it may handle."""

    instance: Instance
    left: int


@final
class Handler:
    """A component that handles requests, as it is run by its actor."""

    spent: GuestFailed | None = None

    def __init__(
        self, component: _Component, name: str, limits: Limits, services: HostServices
    ) -> None:
        self._component, self._name = component, name
        self._limits, self._services = limits, services
        self._idle: list[_Kept] = []
        self._failure: Exception | None = None
        self._is_open = False
        """Whether it is run."""
        self._is_stopping = False
        self._in_progress: set[trio.CancelScope] = set()
        self._moved = trio.Event()
        """Set, and replaced, when it fails and when a request ends."""

    async def call(self, name: str) -> None:
        """Take requests until it is stopped, or an instance fails.

        Raises:
            EngineMisused: where it is to listen is not a place.
            OSError: it cannot listen there.
            AirssysError: an instance has failed; what was in progress is answered.
        """
        del name
        where = self._services.config.listen
        listeners = [] if where is None else await _open_listeners(where)
        self._is_open = True
        try:
            async with trio.open_nursery() as nursery:
                if listeners:
                    nursery.start_soon(serve, listeners, self.answer, ServerLimits())
                await self._wait_last()
                nursery.cancel_scope.cancel()
        finally:
            self.close()
            for each in listeners:
                each.socket.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Take no more requests; `call` ends when those in progress have been answered."""
        self._is_stopping = True
        self._note_moved()

    async def _wait_last(self) -> None:
        """Wait until it takes no more requests, and for those in progress."""
        while self._takes_requests:
            await self._moved.wait()
        while self._failure is None and self._in_progress:  # its supervisor has a limit
            await self._moved.wait()
        with trio.move_on_after(_GRACE):
            while self._in_progress:
                await self._moved.wait()

    @property
    def _takes_requests(self) -> bool:
        return self._failure is None and not self._is_stopping

    def _note_moved(self) -> None:
        moved, self._moved = self._moved, trio.Event()
        moved.set()

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request; see `HandlerGuest`."""
        with trio.CancelScope() as scope:
            if self._is_open and self._takes_requests:
                self._in_progress.add(scope)
                try:
                    await self._answer(exchange)
                finally:
                    self._in_progress.discard(scope)
                    self._note_moved()
        if not exchange.has_begun:  # it takes none, or was stopped meanwhile
            await send_status(exchange, 503)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            kept = await self._take()
        except CapacityReached:
            return
        except AirssysError as error:
            await self._fail(exchange, error)
            return
        answering = Answering(exchange, kept.instance, self._name)
        try:
            await answering.run()
        finally:
            self._give_back(kept, is_usable=answering.is_complete)
            if answering.failure is not None:
                self._note_failed(answering.failure)

    async def _take(self) -> _Kept:
        """Take an instance that was kept, or make one."""
        while self._idle:
            kept = self._idle.pop()
            if kept.instance.spent is None:
                return kept
            kept.instance.close()
        instance = await self._component.instantiate(self._limits, self._services)
        return _Kept(instance, self._services.config.keep)

    def _give_back(self, kept: _Kept, *, is_usable: bool) -> None:
        kept.left -= 1
        has_room = self._is_open and len(self._idle) < _MOST_IDLE
        if is_usable and has_room and kept.left > 0 and kept.instance.spent is None:
            self._idle.append(kept)
        else:
            kept.instance.close()

    async def _fail(self, exchange: Exchange, error: Exception) -> None:
        try:
            await send_status(exchange, 502)
        finally:
            self._note_failed(error)

    def _note_failed(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            self._note_moved()

    def close(self) -> None:
        """End what is in progress, and close the instances that are kept."""
        self._is_open = False
        for scope in tuple(self._in_progress):
            scope.cancel()
        while self._idle:
            self._idle.pop().instance.close()


async def _open_listeners(where: str) -> list[trio.SocketListener]:
    host, _, port = where.rpartition(":")
    if not host or not port.isdigit():
        raise EngineMisused(f"{where!r} is not a host and a port: write '127.0.0.1:80'")
    load_h11()  # to raise here what it raises
    return await trio.open_tcp_listeners(int(port), host=host.strip("[]"))
