"""Requests to other servers, by h11 over Trio: one connection each, never a redirect.

Every address that a name stands for is checked before it is dialled, and it is dialled by
its number: so it is the one that was checked. The server is asked by the name that the
guest gave, as `Host` and in TLS.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import ssl
from typing import TYPE_CHECKING, Any, Final, final

import attrs
import trio

from airssys.contracts import ExtraMissing, is_private
from airssys.wasm.host.wasi.base import Reach, endpoint
from airssys.wasm.host.wasi.sockets import Refused, look_up
from airssys.wasm.values import Case

from ._fields import (
    EACH,
    FORBIDDEN,
    MOST_BYTES,
    Pairs,
    as_sent,
    values_of,
    without_length,
)
from ._messages import Arrived, OutgoingBody
from ._pipes import Broken, Pipe

if TYPE_CHECKING:
    from collections.abc import Callable

    import h11

    from airssys.wasm.host.wasi.base import Address, WasiContext


_PIECE: Final = 64 * 1024
_NO_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"})
USUAL_TIME: Final = 60.0
"""Seconds for each part of a request, if the guest sets no shorter time."""


@final
@attrs.frozen
class Wanted:
    """A request, as it is to be sent."""

    method: str
    scheme: str
    host: str
    """Without brackets."""
    port: int
    authority: str
    path: str
    pairs: Pairs
    body: OutgoingBody | None
    connect: float = USUAL_TIME
    first_byte: float = USUAL_TIME
    between_bytes: float = USUAL_TIME


def _internal(text: str) -> Broken:
    return Broken(Case("internal-error", text[:200]))


async def fetch(
    context: WasiContext, wanted: Wanted, answer: Callable[[Arrived], None]
) -> None:
    """Send a request; hand over what comes back as soon as its headers are there.

    It returns when the body of the response has come. Needs the extra `http`.

    Raises:
        Broken: with the error code of what went wrong before the response came. What
            goes wrong later ends its body.
        ExtraMissing: it is not installed.
    """
    try:
        import h11  # noqa: PLC0415  # an extra, which most programs do not need
    except ImportError as error:
        raise ExtraMissing("requests of components", "h11", "http") from error

    stream = await _connect(context, wanted)
    async with stream:
        exchange = _Exchange(context, wanted, stream, h11)
        failure: Broken | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange.send_all)
            try:
                await exchange.receive(answer)
            except Broken as error:  # a nursery would wrap it
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure


# ---------------------------------------------------------------- connecting


async def _addresses(context: WasiContext, wanted: Wanted) -> list[Address]:
    """Find the addresses that may be dialled.

    Raises:
        Broken: there are none.
    """
    try:
        return [ipaddress.ip_address(wanted.host)]  # granted by its number
    except ValueError:
        pass
    try:
        found = await look_up(wanted.host)
    except Refused as refused:
        raise Broken(Case("DNS-error", (refused.code, None))) from refused
    reach = context.keep("reach", Reach)
    allowed = [
        each
        for each in found
        if not is_private(each) or reach.named(each, wanted.port) is not None
    ]
    if not allowed:
        for each in found[:1]:
            context.may("network", "connect", endpoint(str(each), wanted.port))
        raise Broken(Case("destination-IP-prohibited"))
    return allowed


async def _connect(context: WasiContext, wanted: Wanted) -> trio.abc.Stream:
    with trio.move_on_after(wanted.connect):
        addresses = await _addresses(context, wanted)
        stream = await _dial(addresses, wanted.port)
        if wanted.scheme != "https":
            return stream
        return await _secure(stream, wanted.host)
    raise Broken(Case("connection-timeout"))


async def _dial(addresses: list[Address], port: int) -> trio.SocketStream:
    last: OSError | None = None
    for address in addresses:
        family = trio.socket.AF_INET6 if ":" in str(address) else trio.socket.AF_INET
        made = trio.socket.socket(family, trio.socket.SOCK_STREAM)
        try:
            await made.connect((str(address), port))
        except OSError as error:
            last = error
            made.close()
        except BaseException:
            made.close()
            raise
        else:
            return trio.SocketStream(made)
    if isinstance(last, ConnectionRefusedError):
        raise Broken(Case("connection-refused")) from last
    raise Broken(Case("destination-unavailable")) from last


@functools.lru_cache(maxsize=1)
def _trust(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Read whose certificates are trusted. The arguments are what this depends on."""
    del file, folder
    return ssl.create_default_context()


async def _trusted() -> ssl.SSLContext:
    # Some 150 certificates: 15 ms at the first time, which would be three ticks.
    where = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    return await trio.to_thread.run_sync(_trust, *where)


async def _secure(stream: trio.SocketStream, host: str) -> trio.SSLStream[Any]:
    try:
        context = await _trusted()
    except BaseException:
        stream.socket.close()
        raise
    secured = trio.SSLStream(
        stream, context, server_hostname=host, https_compatible=True
    )
    try:
        await secured.do_handshake()
    except (trio.BrokenResourceError, ssl.SSLError) as error:
        await trio.aclose_forcefully(secured)
        is_certificate = isinstance(error.__cause__, ssl.SSLCertVerificationError)
        name = "TLS-certificate-error" if is_certificate else "TLS-protocol-error"
        raise Broken(Case(name)) from error
    except BaseException:
        await trio.aclose_forcefully(secured)
        raise
    return secured


# ---------------------------------------------------------------- the exchange


@final
class _Exchange:
    """One request and its response, on one connection."""

    def __init__(
        self,
        context: WasiContext,
        wanted: Wanted,
        stream: trio.abc.Stream,
        library: Any,
    ) -> None:
        self._context, self._wanted, self._stream = context, wanted, stream
        self._h11 = library
        self._connection: h11.Connection = library.Connection(
            library.CLIENT, max_incomplete_event_size=MOST_BYTES
        )
        self.failure: Broken | None = None
        """Why the request could not be sent."""

    async def send_all(self) -> None:
        """Send the request; a failure is for `receive` to find, if no answer comes."""
        try:
            await self._send_all()
        except Broken as error:
            self.failure = error
            await trio.aclose_forcefully(self._stream)
        except trio.BrokenResourceError:
            pass  # the server does not read it any more, and may answer all the same
        except self._h11.LocalProtocolError as error:
            self.failure = _internal(str(error))
            await trio.aclose_forcefully(self._stream)

    async def _send_all(self) -> None:
        wanted, library = self._wanted, self._h11
        headers: list[tuple[str, Any]] = [("host", wanted.authority)]
        headers += [*as_sent(wanted.pairs), ("connection", "close")]
        if not values_of(wanted.pairs, "content-length"):
            if wanted.body is not None:
                headers.append(("transfer-encoding", "chunked"))
            elif wanted.method not in _NO_BODY:
                headers.append(("content-length", "0"))
        await self._send(
            library.Request(method=wanted.method, target=wanted.path, headers=headers)
        )
        trailers: Pairs = []
        if wanted.body is not None:
            while data := await wanted.body.pipe.get():
                await self._send(library.Data(data=data))
            trailers = as_sent(without_length(wanted.body.trailers))
        await self._send(library.EndOfMessage(headers=trailers))

    async def _send(self, event: Any) -> None:
        data = self._connection.send(event)
        if data:
            with trio.move_on_after(self._wanted.between_bytes) as scope:
                await self._stream.send_all(data)
            if scope.cancelled_caught:
                raise Broken(Case("connection-write-timeout"))

    async def _event(self, seconds: float, late: str) -> Any:
        """Wait for the next event.

        Raises:
            Broken: the server is late, has gone, or does not speak HTTP.
        """
        library = self._h11
        await trio.lowlevel.checkpoint()  # 64 KiB may be 10,000 pieces
        try:
            while (event := self._connection.next_event()) is library.NEED_DATA:
                with trio.move_on_after(seconds) as scope:
                    data = await self._stream.receive_some(_PIECE)
                if scope.cancelled_caught:
                    raise Broken(Case(late))
                self._connection.receive_data(bytes(data))
        except library.RemoteProtocolError as error:
            incomplete = self._connection.trailing_data[1]
            name = "HTTP-response-incomplete" if incomplete else "HTTP-protocol-error"
            raise Broken(Case(name)) from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self.failure or Broken(Case("connection-terminated")) from error
        return event

    async def receive(self, answer: Callable[[Arrived], None]) -> None:
        """Receive the response, and hand it over."""
        library, wanted = self._h11, self._wanted
        event = await self._event(wanted.first_byte, "HTTP-response-timeout")
        while type(event) is library.InformationalResponse:
            event = await self._event(wanted.first_byte, "HTTP-response-timeout")
        if type(event) is not library.Response:
            raise Broken(Case("HTTP-response-incomplete"))
        if not is_short(event.headers):
            raise Broken(Case("HTTP-response-header-section-size", None))
        pipe = Pipe(self._context)
        arrived = Arrived(shown(event.headers), pipe, status=event.status_code)
        answer(arrived)
        try:
            arrived.trailers = await self._receive_body(pipe)
        except Broken as error:
            pipe.end(error.code)
        finally:
            pipe.end(None if pipe.has_ended else Case("connection-terminated"))

    async def _receive_body(self, pipe: Pipe) -> Pairs:
        seconds = self._wanted.between_bytes
        while True:
            event = await self._event(seconds, "connection-read-timeout")
            if type(event) is not self._h11.Data:
                trailers = getattr(event, "headers", ())
                if not is_short(trailers):
                    raise Broken(Case("HTTP-response-trailer-section-size", None))
                pipe.end()
                return without_length(shown(trailers))
            await pipe.put(bytes(event.data))


def is_short(headers: Any) -> bool:
    """Whether headers fit into what a guest may be given."""
    return sum(len(name) + len(value) + EACH for name, value in headers) <= MOST_BYTES


def shown(headers: Any) -> Pairs:
    """Write headers as a guest sees them."""
    pairs = [(name.decode("latin-1"), bytes(value)) for name, value in headers]
    return [pair for pair in pairs if pair[0] not in FORBIDDEN]
