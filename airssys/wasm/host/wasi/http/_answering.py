"""One request, handled by an instance: both bodies, the call, and who has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, final

import trio

from airssys.contracts import AirssysError, ExchangeBroken, GuestTrapped, TrapReason
from airssys.wasm.host.wasi.base import full_name
from airssys.wasm.values import Case

from ._client import shown
from ._fields import as_sent, values_of, without_length
from ._messages import Arrived, Incoming, OutgoingResponse, ResponseOutparam
from ._pipes import Broken, Pipe

if TYPE_CHECKING:
    from airssys.contracts import Exchange, GuestFailed
    from airssys.wasm.host.wasi.base import WasiContext

_TIME: Final = 60.0
"""Seconds that a guest may take for a request."""
_REST: Final = 1.0
"""Seconds for the end of a response whose client has gone since it began."""
_BODYLESS: Final = frozenset({204, 304})
"""What is never followed by a body."""


class Instance(Protocol):
    """An instance of a component of any world."""

    @property
    def spent(self) -> GuestFailed | None: ...
    def find_context(self, kind: str) -> Any: ...
    async def call(self, name: str, *values: Any, deadline: float) -> Any: ...
    def close(self) -> None: ...


@final
class Answering:
    """The handling of one request by one instance."""

    def __init__(self, exchange: Exchange, instance: Instance, name: str) -> None:
        self._exchange, self._instance, self._name = exchange, instance, name
        context: WasiContext = instance.find_context(full_name("http/types"))
        self._context = context
        self._arrived = Arrived(
            shown(exchange.headers),
            Pipe(context),
            method=exchange.method,
            path=exchange.path,
            scheme=exchange.scheme,
            authority=exchange.authority,
        )
        self._out = ResponseOutparam(context)
        self._status = 502
        """What is answered if the guest does not."""
        self._broken: ExchangeBroken | None = None
        self._sent = trio.Event()
        """Set when the response was sent, or cannot be."""
        self.failure: Exception | None = None
        """What the guest has crashed by."""
        self.is_complete = False
        """Whether the guest has answered, all of it was sent, and nothing failed."""

    async def run(self) -> None:
        """Have it handled, and answer it.

        Raises:
            ExchangeBroken: a response was begun and could not be completed.
        """
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(self._receive, scope)
            nursery.start_soon(self._respond, scope)
            await self._call()
            response = self._out.response
            if isinstance(response, OutgoingResponse) and response.body is not None:
                response.body.let_go()  # nothing will end it any more
            self._out.given.set()
            await self._sent.wait()
            scope.cancel()
        if self._broken is not None:
            raise self._broken
        answered = isinstance(self._out.response, OutgoingResponse)
        self.is_complete = answered and self.failure is None

    async def _receive(self, scope: trio.CancelScope) -> None:
        """Pass the body on, then wait until the client has gone: that ends the call."""
        exchange, pipe = self._exchange, self._arrived.pipe
        try:
            while data := await exchange.receive():
                await pipe.put(data)
        except ExchangeBroken as error:
            if error.status is None:
                self._broken = error
                scope.cancel()
                return
            self._status = error.status
            is_size = error.code == "HTTP-request-body-size"
            pipe.end(Case(error.code, pipe.total if is_size else None))
            return
        self._arrived.trailers = without_length(shown(exchange.trailers))
        pipe.end()
        await exchange.wait_gone()
        if exchange.has_begun:  # it may have got all that it waited for
            with trio.move_on_after(_REST):
                await self._sent.wait()
        if not self._sent.is_set():
            self._broken = ExchangeBroken("connection-terminated")
            scope.cancel()

    async def _respond(self, scope: trio.CancelScope) -> None:
        await self._out.given.wait()
        response = self._out.response
        try:
            if isinstance(response, OutgoingResponse):
                await self._send(response)
            else:
                await send_status(self._exchange, self._status)
        except ExchangeBroken as error:
            self._broken = error
            scope.cancel()
        except Broken as error:  # the guest has not completed the body
            self._broken = ExchangeBroken(error.code.name, self._status)
            scope.cancel()
        self._sent.set()

    async def _send(self, response: OutgoingResponse) -> None:
        """Send a response, and its body as the guest writes it."""
        exchange, body = self._exchange, response.body
        headers = as_sent(response.pairs)
        if body is None and not values_of(response.pairs, "content-length"):
            headers.append(("content-length", b"0"))
        has_body = exchange.method != "HEAD" and response.status not in _BODYLESS
        await exchange.begin(response.status, headers, has_body=has_body)
        while body is not None and (data := await body.pipe.get()):
            if has_body:
                await exchange.send(data)
        trailers = [] if body is None else without_length(body.trailers)
        await exchange.end(as_sent(trailers))

    async def _call(self) -> None:
        """Let the guest handle it; notes what has gone wrong."""
        request = Incoming(self._context, self._arrived)
        deadline = trio.current_time() + _TIME
        call = self._instance.call
        try:
            await call(self._name, request, self._out, deadline=deadline)
        except GuestTrapped as error:
            if error.reason is TrapReason.DEADLINE:
                self._status = 504
            elif error.status != 0:
                self.failure = error
        except AirssysError as error:
            self.failure = error
        else:
            return
        if not self._exchange.has_begun:
            self._out.response = None


async def send_status(exchange: Exchange, status: int) -> None:
    """Answer with a status and no body.

    Raises:
        ExchangeBroken: the client has gone, or takes nothing.
    """
    await exchange.begin(status, [("content-length", b"0")], has_body=False)
    await exchange.end([])
