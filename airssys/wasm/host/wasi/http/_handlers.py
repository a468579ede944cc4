"""Components that handle requests: they export `wasi:http/incoming-handler`.

An actor that is one listens where its declaration says, and has a fresh instance for each
request. So a request finds nothing of another one, and a crash costs that one request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, final

import trio

from airssys.contracts import EngineMisused, GuestFailed, GuestTrapped, TrapReason
from airssys.wasm.host.wasi.base import full_name

from ._messages import Incoming, OutgoingResponse, ResponseOutparam
from ._pipes import Broken
from ._server import ServerLimits, serve

if TYPE_CHECKING:
    from airssys.contracts import HostServices, Limits
    from airssys.wasm.host.wasi.base import WasiContext

    from ._server import Exchange

_TIME: Final = 60.0
"""Seconds that a guest may take for a request."""


class _Instance(Protocol):
    """An instance of a component of any world."""

    def find_context(self, kind: str) -> Any: ...
    async def call(self, name: str, *values: Any, deadline: float) -> Any: ...
    def close(self) -> None: ...


class _Component(Protocol):
    """A component of any world."""

    async def instantiate(
        self, limits: Limits, services: HostServices, /
    ) -> _Instance: ...


def is_handler(exported: str) -> bool:
    """Whether an export is the function that handles requests."""
    return exported.startswith("wasi:http/incoming-handler@0.2.") and exported.endswith(
        "#handle"
    )


@final
class Handler:
    """Answers requests by fresh instances of one component."""

    def __init__(
        self, component: _Component, name: str, limits: Limits, services: HostServices
    ) -> None:
        self._component, self._name = component, name
        self._limits, self._services = limits, services

    async def listen(self, where: str) -> None:
        """Serve clients at `host:port` until it is cancelled.

        Raises:
            EngineMisused: it is not a place to listen at.
        """
        host, _, port = where.rpartition(":")
        if not host or not port.isdigit():
            raise EngineMisused(
                f"{where!r} is not a host and a port: write '127.0.0.1:80'"
            )
        listeners = await trio.open_tcp_listeners(int(port), host=host.strip("[]"))
        await serve(listeners, self.answer, ServerLimits())

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request.

        Raises:
            Broken: its client has gone.
        """
        try:
            instance = await self._component.instantiate(self._limits, self._services)
        except GuestFailed:
            await exchange.respond(502)
            return
        try:
            await self._answer(exchange, instance)
        finally:
            instance.close()

    async def _answer(self, exchange: Exchange, instance: _Instance) -> None:
        context: WasiContext = instance.find_context(full_name("http/types"))
        arrived = exchange.arrived(context)
        out = ResponseOutparam(context)
        failures: list[Broken] = []
        done = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange.receive, arrived)

            async def respond() -> None:
                try:
                    await _respond(exchange, out)
                except Broken as error:
                    failures.append(error)
                    nursery.cancel_scope.cancel()
                done.set()

            nursery.start_soon(respond)
            status = await self._call(instance, Incoming(context, arrived), out)
            response = out.response
            if isinstance(response, OutgoingResponse) and response.body is not None:
                response.body.let_go()  # nothing will end it any more
            if status is not None and not exchange.has_begun:
                out.response = None
                out.status = status
            out.given.set()
            await done.wait()
            nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]

    async def _call(
        self, instance: _Instance, request: Incoming, out: ResponseOutparam
    ) -> int | None:
        """Let the guest handle it; returns a status if it fails."""
        try:
            deadline = trio.current_time() + _TIME
            await instance.call(self._name, request, out, deadline=deadline)
        except GuestTrapped as error:
            return 504 if error.reason is TrapReason.DEADLINE else 502
        except GuestFailed:
            return 502
        return None


async def _respond(exchange: Exchange, out: ResponseOutparam) -> None:
    await out.given.wait()
    response = out.response
    if isinstance(response, OutgoingResponse):
        await exchange.respond(response)
    else:
        await exchange.respond(out.status)


@final
class HandlerComponent:
    """A component that handles requests; its instances listen."""

    def __init__(self, component: _Component, name: str) -> None:
        self._component, self._name = component, name

    async def instantiate(self, limits: Limits, services: HostServices) -> Listening:
        """Make what listens; a fresh instance of the guest is made for each request."""
        await trio.lowlevel.checkpoint()
        return Listening(
            Handler(self._component, self._name, limits, services), services
        )


@final
class Listening:
    """A handler, as it is run by its actor."""

    spent: GuestFailed | None = None

    def __init__(self, handler: Handler, services: HostServices) -> None:
        self._handler, self._services = handler, services

    async def call(self, name: str) -> None:
        """Listen until it is cancelled.

        Raises:
            EngineMisused: its declaration does not say where.
        """
        del name
        where = self._services.config.listen
        if where is None:
            raise EngineMisused("it handles requests: write listen='127.0.0.1:8080'")
        await self._handler.listen(where)

    def close(self) -> None:
        """Do nothing: what listened was cancelled."""
