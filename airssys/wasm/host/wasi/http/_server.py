"""Our own small server: HTTP/1.1 by h11 over Trio, with a guest behind each request.

What is out of grammar, or could be read in two ways, is refused here and reaches no guest.
Bodies are pipes of 64 KiB: a guest that does not read holds up its client, and a slow
client holds up the guest, until a time limit ends both.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final, final

import attrs
import trio

from airssys.contracts import ExchangeBroken, ExtraMissing

from ._client import is_short
from ._fields import MOST_BYTES
from ._messages import AUTHORITY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import h11

    from airssys.contracts import Exchange

    Ask = Callable[[Exchange], Awaitable[None]]

_PIECE: Final = 64 * 1024
_TARGET: Final = re.compile(rb"/[!-\"$-~]*")
_LONGEST_TARGET: Final = 8192
_LATE: Final = 408
_REST: Final = 5.0
"""Seconds in which a client whose request was not read to its end reads its response."""


@final
@attrs.frozen
class ServerLimits:
    """What one client may take."""

    body_bytes: int = 16 * 1024 * 1024
    head_time: float = 30.0
    """Seconds until the whole head of a request is there, from the end of the one before;
    so it is also how long a connection may be idle."""
    pause_time: float = 30.0
    """Seconds that a client may take for each piece that it sends or receives."""
    connections: int = 256


@final
class Refused(Exception):
    """A request is not passed on.

    Args:
        status: of the response.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


def load_h11() -> Any:
    """Import the library that reads HTTP.

    Raises:
        ExtraMissing: it is not installed.
    """
    try:
        import h11  # noqa: PLC0415  # an extra, which most programs do not need
    except ImportError as error:
        raise ExtraMissing("handlers of requests", "h11", "http") from error
    return h11


@final
class ServedExchange:
    """One request to this server (implements `Exchange`)."""

    scheme = "http"

    def __init__(self, connection: Connection, event: Any, path: str) -> None:
        self._connection = connection
        self.method = event.method.decode("ascii")
        self.path = path
        self.headers: Sequence[tuple[bytes, bytes]] = list(event.headers)
        hosts = [value for name, value in event.headers if name == b"host"]
        self.authority = hosts[0].decode("latin-1") if hosts else None
        self.trailers: Sequence[tuple[bytes, bytes]] = []
        self.has_begun = self.is_complete = False
        self._received = 0

    async def receive(self) -> bytes:
        """As of `Exchange`."""
        connection = self._connection
        try:
            event = await connection.next_event()
            if not connection.is_data(event):
                self.trailers = list(getattr(event, "headers", ()))
                if not is_short(self.trailers):
                    raise ExchangeBroken("HTTP-request-trailer-section-size", 431)
                return b""
        except Refused as refused:
            late = refused.status == _LATE
            code = "connection-read-timeout" if late else "HTTP-protocol-error"
            raise ExchangeBroken(code, refused.status) from refused
        self._received += len(event.data)
        if self._received > connection.limits.body_bytes:
            raise ExchangeBroken("HTTP-request-body-size", 413)
        return bytes(event.data) or await self.receive()

    async def wait_gone(self) -> None:
        """As of `Exchange`."""
        await self._connection.wait_gone()

    async def begin(
        self, status: int, headers: Sequence[tuple[str, bytes]], *, has_body: bool
    ) -> None:
        """As of `Exchange`."""
        del has_body  # h11 knows it
        self.has_begun = True
        await self._connection.begin(status, headers)

    async def send(self, data: bytes) -> None:
        """As of `Exchange`."""
        await self._connection.send(data)

    async def end(self, trailers: Sequence[tuple[str, bytes]]) -> None:
        """As of `Exchange`."""
        await self._connection.end(trailers)
        self.is_complete = True


@final
class Connection:
    """One connection of a client."""

    def __init__(
        self, stream: trio.abc.HalfCloseableStream, limits: ServerLimits, library: Any
    ) -> None:
        self._stream, self.limits, self._h11 = stream, limits, library
        self._early = 0
        """Bytes of further requests that came while one is handled."""
        self._sending = trio.Lock()
        """For `100 Continue`, which may be on its way when the response begins."""
        self._state: h11.Connection = library.Connection(
            library.SERVER, max_incomplete_event_size=MOST_BYTES
        )

    async def serve(self, ask: Ask) -> None:
        """Serve requests, one after the other, as long as the client wants.

        Raises:
            ExchangeBroken: the client has gone, or a response was not completed.
        """
        await self._serve(ask)
        if self._state.their_state not in {self._h11.CLOSED, self._h11.MUST_CLOSE}:
            await self._linger()

    async def _serve(self, ask: Ask) -> None:
        library = self._h11
        while True:
            try:
                event = await self._head()
                if type(event) is not library.Request:
                    return
                exchange = ServedExchange(self, event, self._check(event))
            except Refused as refused:
                await self.refuse(refused.status)
                return
            await ask(exchange)
            done = {self._state.our_state, self._state.their_state}
            if done != {library.DONE}:
                return
            self._state.start_next_cycle()
            self._early = 0

    def _check(self, event: Any) -> str:
        """Refuse what could be read in two ways; returns path and query."""
        if not is_short(event.headers):
            raise Refused(431)
        if not event.http_version.startswith(b"1."):
            raise Refused(505)
        names = [name for name, _ in event.headers]
        pairs = dict(event.headers)
        if b"transfer-encoding" in names and (
            b"content-length" in names or event.http_version < b"1.1"
        ):
            raise Refused(400)
        if event.method == b"CONNECT":
            raise Refused(501)
        target = bytes(event.target)
        if not _TARGET.fullmatch(target) or len(target) > _LONGEST_TARGET:
            raise Refused(400)
        host = pairs.get(b"host", b"").decode("latin-1")
        if names.count(b"host") > 1 or (host and not AUTHORITY.fullmatch(host)):
            raise Refused(400)
        if int(pairs.get(b"content-length", b"0")) > self.limits.body_bytes:
            raise Refused(413)
        return target.decode("ascii")

    async def _head(self) -> Any:
        """Wait for a request; a client that sends it byte by byte has no more time."""
        with trio.move_on_after(self.limits.head_time):
            return await self._event()
        raise Refused(_LATE)

    async def _event(self) -> Any:
        """Wait for the next event.

        Raises:
            Refused: what the client sends is not valid, or late.
            ExchangeBroken: the client has gone.
        """
        library, state = self._h11, self._state
        await trio.lowlevel.checkpoint()  # 64 KiB may be 10,000 pieces
        try:
            while (event := state.next_event()) is library.NEED_DATA:
                if state.they_are_waiting_for_100_continue:
                    await self._send(
                        library.InformationalResponse, status_code=100, headers=[]
                    )
                with trio.move_on_after(self.limits.pause_time) as scope:
                    data = await self._stream.receive_some(_PIECE)
                if scope.cancelled_caught:
                    raise Refused(_LATE)
                state.receive_data(bytes(data))
        except library.RemoteProtocolError as error:
            raise Refused(error.error_status_hint or 400) from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ExchangeBroken("connection-terminated") from error
        return event

    async def next_event(self) -> Any:
        """Wait for the next piece of a body, or its end; raises as `_event`."""
        return await self._event()

    def is_data(self, event: Any) -> bool:
        """Whether it is a piece of a body."""
        return type(event) is self._h11.Data

    async def wait_gone(self) -> None:
        """Wait until the client has closed its side; further requests are set aside."""
        while self._early < _PIECE:
            try:
                data = await self._stream.receive_some(_PIECE)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            self._state.receive_data(bytes(data))
            self._early += len(data)
            if not data:
                return
        await trio.sleep_forever()  # a client that sends so much ahead has not gone

    async def _linger(self) -> None:
        """Let the client read the response, though it still sends.

        A connection that is closed with such bytes is reset by the system, and what the
        client has not read by then is lost.
        """
        with (
            contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError),
            trio.move_on_after(_REST),
        ):
            await self._stream.send_eof()
            while await self._stream.receive_some(_PIECE):
                pass

    async def _send(self, event: Any, **parts: Any) -> None:
        try:
            data = self._state.send(event(**parts))
        except self._h11.LocalProtocolError as error:
            raise ExchangeBroken("HTTP-protocol-error", 502) from error
        if not data:
            return
        try:
            with trio.move_on_after(self.limits.pause_time) as scope:
                async with self._sending:  # first come, first served: as `send` made it
                    await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ExchangeBroken("connection-terminated") from error
        if scope.cancelled_caught:
            raise ExchangeBroken("connection-write-timeout")

    async def refuse(self, status: int) -> None:
        """Answer with a status, as the last thing on this connection."""
        library = self._h11
        if self._state.our_state in {library.IDLE, library.SEND_RESPONSE}:
            await self.begin(
                status, [("content-length", b"0"), ("connection", b"close")]
            )
            await self.end([])

    async def begin(self, status: int, headers: Sequence[tuple[str, bytes]]) -> None:
        """Send the head of a response; raises as all that sends."""
        given: list[tuple[str, Any]] = list(headers)
        await self._send(self._h11.Response, status_code=status, headers=given)

    async def send(self, data: bytes) -> None:
        """Send a piece of a body."""
        await self._send(self._h11.Data, data=data)

    async def end(self, trailers: Sequence[tuple[str, bytes]]) -> None:
        """End a response."""
        await self._send(self._h11.EndOfMessage, headers=list(trailers))


async def serve(
    listeners: list[trio.SocketListener],
    ask: Ask,
    limits: ServerLimits,
) -> None:
    """Serve clients until it is cancelled. Needs the extra `http`.

    Raises:
        ExtraMissing: that is not installed.
    """
    library, number = load_h11(), 0

    async def serve_one(stream: trio.SocketStream) -> None:
        nonlocal number
        number += 1
        try:
            async with stream:
                connection = Connection(stream, limits, library)
                if number <= limits.connections:
                    await connection.serve(ask)
                else:
                    await connection.refuse(503)
        except ExchangeBroken:
            pass  # the client has gone, or its response ended early
        finally:
            number -= 1

    await trio.serve_listeners(serve_one, listeners)
