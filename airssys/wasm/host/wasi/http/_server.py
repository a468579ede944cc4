"""Our own small server: HTTP/1.1 by h11 over Trio, with a guest behind each request.

What is out of grammar, or could be read in two ways, is refused here and reaches no guest.
Bodies are pipes of 64 KiB: a guest that does not read holds up its client, and a slow
client holds up the guest, until a time limit ends both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, final

import attrs
import trio

from airssys.contracts import ExtraMissing
from airssys.wasm.values import Case

from ._client import is_short, shown
from ._fields import MOST_BYTES, values_of
from ._messages import AUTHORITY, Arrived
from ._pipes import Broken, Pipe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import h11

    from airssys.wasm.host.wasi.base import WasiContext

    from ._messages import OutgoingResponse

    Respond = Callable[[OutgoingResponse | int], Awaitable[None]]
    Ask = Callable[[Arrived, "Exchange"], Awaitable[None]]

_PIECE: Final = 64 * 1024
_TARGET: Final = re.compile(rb"/[!-\"$-~]*")
_LONGEST_TARGET: Final = 8192


@final
@attrs.frozen
class ServerLimits:
    """What one client may take."""

    body_bytes: int = 16 * 1024 * 1024
    head_time: float = 30.0
    """Seconds to send the head of a request in; also how long a connection may be idle."""
    pause_time: float = 30.0
    """Seconds that a client may take for each piece that it sends or receives."""
    connections: int = 256


class _Refused(Exception):
    """A request is not passed on.

    Args:
        status: of the response.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


def _load() -> Any:
    try:
        import h11  # noqa: PLC0415  # an extra, which most programs do not need
    except ImportError as error:
        raise ExtraMissing("handlers of requests", "h11", "http") from error
    return h11


@final
class Exchange:
    """One request and its response."""

    def __init__(self, connection: Connection, event: Any, path: str) -> None:
        self._connection = connection
        self.method = event.method.decode("ascii")
        pairs = [(n.decode("latin-1"), bytes(v)) for n, v in event.headers]
        hosts = values_of(pairs, "host")
        self.authority = hosts[0].decode("latin-1") if hosts else None
        self.path, self.pairs = path, shown(event.headers)
        self.has_begun = False
        """Whether a response was begun."""
        self.is_complete = False
        """Whether a response was sent to its end."""

    def arrived(self, context: WasiContext) -> Arrived:
        """Return the request, as a guest gets it."""
        return Arrived(
            self.pairs,
            Pipe(context),
            method=self.method,
            path=self.path,
            authority=self.authority,
        )

    async def receive(self, arrived: Arrived) -> None:
        """Receive the body; what is wrong with it ends it with an error."""
        try:
            arrived.trailers = await self._connection.receive_body(arrived.pipe)
            arrived.pipe.end()
        except Broken as error:
            arrived.pipe.end(error.code)
        except _Refused:
            arrived.pipe.end(Case("HTTP-request-body-size", arrived.pipe.total))

    async def respond(self, response: OutgoingResponse | int) -> None:
        """Send a response with its body, or only a status.

        Raises:
            Broken: the client has gone, or the guest has not completed the body.
        """
        if self.has_begun:
            return
        self.has_begun = True
        if isinstance(response, int):
            await self._connection.send_status(response)
        else:
            await self._connection.send_response(response, self.method)
        self.is_complete = True


@final
class Connection:
    """One connection of a client."""

    def __init__(
        self, stream: trio.abc.Stream, limits: ServerLimits, library: Any
    ) -> None:
        self._stream, self._limits, self._h11 = stream, limits, library
        self._state: h11.Connection = library.Connection(
            library.SERVER, max_incomplete_event_size=MOST_BYTES
        )

    async def serve(self, ask: Callable[[Exchange], Awaitable[None]]) -> None:
        """Serve requests, one after the other, as long as the client wants."""
        library = self._h11
        while True:
            try:
                event = await self._event(self._limits.head_time)
                if type(event) is not library.Request:
                    return
                exchange = Exchange(self, event, self._check(event))
            except _Refused as refused:
                await self.send_status(refused.status, last=True)
                return
            except Broken:
                return
            await ask(exchange)
            done = {self._state.our_state, self._state.their_state}
            if not exchange.is_complete or done != {library.DONE}:
                return
            self._state.start_next_cycle()

    def _check(self, event: Any) -> str:
        """Refuse what could be read in two ways; returns path and query."""
        if not is_short(event.headers):
            raise _Refused(431)
        names = [name for name, _ in event.headers]
        pairs = dict(event.headers)
        if b"transfer-encoding" in names and (
            b"content-length" in names or event.http_version < b"1.1"
        ):
            raise _Refused(400)
        if event.method == b"CONNECT":
            raise _Refused(501)
        target = bytes(event.target)
        if not _TARGET.fullmatch(target) or len(target) > _LONGEST_TARGET:
            raise _Refused(400)
        host = pairs.get(b"host", b"").decode("latin-1")
        if names.count(b"host") > 1 or (host and not AUTHORITY.fullmatch(host)):
            raise _Refused(400)
        if int(pairs.get(b"content-length", b"0")) > self._limits.body_bytes:
            raise _Refused(413)
        return target.decode("ascii")

    async def _event(self, seconds: float) -> Any:
        """Wait for the next event.

        Raises:
            _Refused: what the client sends is not valid, or late.
            Broken: the client has gone.
        """
        library, state = self._h11, self._state
        try:
            while (event := state.next_event()) is library.NEED_DATA:
                if state.they_are_waiting_for_100_continue:
                    await self._send(
                        library.InformationalResponse(status_code=100, headers=[])
                    )
                with trio.move_on_after(seconds) as scope:
                    data = await self._stream.receive_some(_PIECE)
                if scope.cancelled_caught:
                    raise _Refused(408)
                state.receive_data(bytes(data))
        except library.RemoteProtocolError as error:
            raise _Refused(error.error_status_hint or 400) from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Broken(Case("connection-terminated")) from error
        return event

    async def receive_body(self, pipe: Pipe) -> list[tuple[str, bytes]]:
        """Pass a body on; returns its trailers.

        Raises:
            _Refused: it is too long, not valid, or late.
            Broken: the client has gone.
        """
        while True:
            event = await self._event(self._limits.pause_time)
            if type(event) is not self._h11.Data:
                return shown(getattr(event, "headers", ()))
            if pipe.total + len(event.data) > self._limits.body_bytes:
                raise _Refused(413)
            await pipe.put(bytes(event.data))

    async def _send(self, event: Any) -> None:
        try:
            data = self._state.send(event)
        except self._h11.LocalProtocolError as error:
            raise Broken(Case("HTTP-protocol-error")) from error
        if not data:
            return
        try:
            with trio.move_on_after(self._limits.pause_time) as scope:
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Broken(Case("connection-terminated")) from error
        if scope.cancelled_caught:
            raise Broken(Case("connection-write-timeout"))

    async def send_status(self, status: int, *, last: bool = False) -> None:
        """Send a response without a body."""
        library = self._h11
        if self._state.our_state not in {library.IDLE, library.SEND_RESPONSE}:
            return
        headers = [("content-length", "0")]
        if last:
            headers.append(("connection", "close"))
        await self._send(library.Response(status_code=status, headers=headers))
        await self._send(library.EndOfMessage())

    async def send_response(self, response: OutgoingResponse, method: str) -> None:
        """Send a response, and its body as the guest writes it."""
        library, body = self._h11, response.body
        headers: list[tuple[str, Any]] = list(response.pairs)
        if body is None and not values_of(response.pairs, "content-length"):
            headers.append(("content-length", "0"))
        await self._send(library.Response(status_code=response.status, headers=headers))
        has_body = method != "HEAD" and response.status not in {204, 304}
        while body is not None and (data := await body.pipe.get()):
            if has_body:
                await self._send(library.Data(data=data))
        await self._send(
            library.EndOfMessage(headers=[] if body is None else body.trailers)
        )


async def serve(
    listeners: list[trio.SocketListener],
    ask: Callable[[Exchange], Awaitable[None]],
    limits: ServerLimits,
) -> None:
    """Serve clients until it is cancelled. Needs the extra `http`.

    Raises:
        ExtraMissing: that is not installed.
    """
    library, number = _load(), 0

    async def serve_one(stream: trio.SocketStream) -> None:
        nonlocal number
        number += 1
        try:
            async with stream:
                connection = Connection(stream, limits, library)
                if number <= limits.connections:
                    await connection.serve(ask)
                else:
                    await connection.send_status(503, last=True)
        except Broken:
            pass  # the client has gone
        finally:
            number -= 1

    await trio.serve_listeners(serve_one, listeners)
