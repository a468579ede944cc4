"""A component that handles requests of HTTP, as an ASGI application.

Servers that run on Trio can serve it, beside other applications or below a path of one.
The server reads the requests and sends the responses; what a request may hold is decided
here as in our own server.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, final
from urllib.parse import quote

import trio

from airssys.contracts import EngineMisused, ExchangeBroken, HandlerGuest

Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
_MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the body of a request."""
_MOST_HEADERS: Final = 64 * 1024
"""Bytes of all headers, with 32 for each; a guest could not be given more."""
_LONGEST_PATH: Final = 8192
_PATH: Final = re.compile(r"/[!-\"$-~]*")
_HOST: Final = re.compile(
    rb"[A-Za-z0-9._~-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)


@final
class AsgiApp:
    """An ASGI application; made by `System.asgi`."""

    def __init__(self, find: Callable[[], HandlerGuest | None]) -> None:
        self._find = find

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, by the rules of ASGI 3.

        Raises:
            EngineMisused: The server does not run on Trio.
            ExchangeBroken: A response was begun and cannot be completed: the server has
                to close the connection.
        """
        if not trio.lowlevel.in_trio_run():
            raise EngineMisused(
                "the ASGI server has to run on Trio, as the system does"
            )
        kind = scope["type"]
        if kind == "lifespan":
            await _live(receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        elif kind == "http":
            await self._answer(_AsgiExchange(scope, receive, send))
        else:
            raise EngineMisused(f"ASGI scopes of the type {kind!r} are not handled")

    async def _answer(self, exchange: _AsgiExchange) -> None:
        status, guest = _refusal(exchange), self._find()
        try:
            if status is None and guest is not None:
                await guest.answer(exchange)
                return
            headers = [("content-length", b"0")]
            await exchange.begin(status or 503, headers, has_body=False)
            await exchange.end([])
        except ExchangeBroken as error:
            if error.status is not None:
                raise


async def _live(receive: Receive, send: Send) -> None:
    """Report that we are ready, and have ended: the system is run by the program."""
    while True:
        message = await receive()
        kind = message["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def _refusal(exchange: _AsgiExchange) -> int | None:
    """The status for what reaches no guest; None: it may."""
    headers = exchange.headers
    if sum(len(name) + len(value) + 32 for name, value in headers) > _MOST_HEADERS:
        return 431
    if exchange.method == "CONNECT":
        return 501
    path, hosts = exchange.path, [v for name, v in headers if name == b"host"]
    is_path = _PATH.fullmatch(path) and len(path) <= _LONGEST_PATH
    if not is_path or len(hosts) > 1 or not all(map(_is_host, hosts)):
        return 400
    return 413 if _announced(headers) > _MOST_BYTES else None


def _is_host(value: bytes) -> bool:
    return not value or _HOST.fullmatch(value) is not None


def _announced(headers: Sequence[tuple[bytes, bytes]]) -> int:
    found = [value for name, value in headers if name == b"content-length"]
    return max((int(v) for v in found if v.isdigit() and len(v) < 16), default=0)  # noqa: PLR2004  # digits of any real length


def _path_of(scope: Message) -> str:
    """Path and query below the place where the application is mounted."""
    raw, root = scope.get("raw_path"), scope.get("root_path", "")
    if raw is None:
        path = quote(scope["path"], safe="/:@!$&'()*+,;=~")
    else:
        path = raw.partition(b"?")[0].decode("latin-1")
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    query = scope.get("query_string", b"").decode("latin-1")
    return (path or "/") + (f"?{query}" if query else "")


@final
class _AsgiExchange:
    """One request that an ASGI server has got (implements `Exchange`)."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.method = str(scope["method"])
        self.scheme = str(scope.get("scheme", "http"))
        self.path = _path_of(scope)
        self.headers: Sequence[tuple[bytes, bytes]] = [
            (bytes(n).lower(), bytes(v)) for n, v in scope["headers"]
        ]
        hosts = [value for name, value in self.headers if name == b"host"]
        self.authority = hosts[0].decode("latin-1") if hosts else None
        self.trailers: Sequence[tuple[bytes, bytes]] = ()
        self.has_begun = False
        self._is_over = False
        """Whether the whole body has come."""
        self._received = 0
        extensions = scope.get("extensions") or {}
        self._has_trailers = "http.response.trailers" in extensions

    async def receive(self) -> bytes:
        """As of `Exchange`."""
        data = b""
        while not data and not self._is_over:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ExchangeBroken("connection-terminated")
            data = bytes(message.get("body", b""))
            self._is_over = not message.get("more_body", False)
        self._received += len(data)
        if self._received > _MOST_BYTES:
            raise ExchangeBroken("HTTP-request-body-size", 413)
        return data

    async def wait_gone(self) -> None:
        """As of `Exchange`."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(
        self, status: int, headers: Sequence[tuple[str, bytes]], *, has_body: bool
    ) -> None:
        """As of `Exchange`."""
        del has_body  # the server knows it
        self.has_begun = True
        pairs = [(name.lower().encode("latin-1"), value) for name, value in headers]
        start = {"type": "http.response.start", "status": status, "headers": pairs}
        await self._give(start | {"trailers": self._has_trailers})

    async def send(self, data: bytes) -> None:
        """As of `Exchange`."""
        body = {"type": "http.response.body", "body": data, "more_body": True}
        await self._give(body)

    async def end(self, trailers: Sequence[tuple[str, bytes]]) -> None:
        """As of `Exchange`."""
        await self._give({"type": "http.response.body", "body": b""})
        if self._has_trailers:
            pairs = [(n.lower().encode("latin-1"), value) for n, value in trailers]
            await self._give({"type": "http.response.trailers", "headers": pairs})

    async def _give(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except (
            OSError
        ) as error:  # as the specification has it for a client that has gone
            raise ExchangeBroken("connection-terminated") from error
