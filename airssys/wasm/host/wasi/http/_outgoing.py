"""`wasi:http/outgoing-handler`: what a guest may ask of which server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from airssys.contracts import Access
from airssys.wasm.host.wasi.base import ContextPart, Scoped, endpoint, take_back
from airssys.wasm.values import Case, Err, Ok

from ._client import USUAL_TIME, Wanted, fetch
from ._messages import AUTHORITY, Future, Incoming, text_of_method, text_of_scheme
from ._pipes import Broken

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import WasiContext

    from ._messages import Arrived, OutgoingRequest, RequestOptions

_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65535
_MOST_REQUESTS: Final = 32
"""Requests in progress, of one instance."""
_SECOND: Final = 1_000_000_000


@final
class FutureResponse(Future):
    """The response to a request, when it comes."""

    __slots__ = ()

    def taken(self, answer: object) -> object:
        """Make a resource of it."""
        if type(answer) is Ok:
            return Ok(Incoming(self.context, answer.value))
        return answer


@final
class _Requests(ContextPart):
    """The requests of one instance that are in progress."""

    def __init__(self, context: WasiContext) -> None:
        super().__init__(context)
        self.number = 0


def handle(
    context: WasiContext, request: OutgoingRequest, options: RequestOptions | None
) -> Ok | Err:
    """Begin a request, if it is granted."""
    take_back(request)
    if options is not None:
        take_back(options)
    try:
        wanted = _wanted(request, options)
    except Broken as error:
        return Err(error.code)
    access = _access_of(wanted)
    if not context.may_access(access):
        return Err(Case("HTTP-request-denied"))
    requests = context.keep("requests", _Requests)
    if requests.number >= _MOST_REQUESTS:
        return Err(Case("connection-limit-reached"))
    future = FutureResponse(context)
    requests.number += 1
    exchange = _Exchange(future, wanted, requests)
    future.scope = context.start_task(exchange.run)
    # Now, and not in the task: the grant may be taken away before that begins.
    exchange.scoped = Scoped(context, access, exchange.revoke)
    return Ok(future)


@final
class _Exchange:
    """A request in progress."""

    scoped: Scoped

    def __init__(
        self, future: FutureResponse, wanted: Wanted, requests: _Requests
    ) -> None:
        self._future, self._wanted, self._requests = future, wanted, requests
        self._arrived: Arrived | None = None

    async def run(self) -> None:
        """Send it, and give the future what comes."""
        future, body = self._future, self._wanted.body
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            await fetch(future.context, self._wanted, self._answer)
        except Broken as error:
            future.give(Err(error.code))
        finally:
            self.scoped.release()
            self._requests.number -= 1
            future.give(Err(Case("connection-terminated")))
            if body is not None:
                body.pipe.discard()

    def _answer(self, arrived: Arrived) -> None:
        self._arrived = arrived
        self._future.give(Ok(arrived))

    def revoke(self) -> None:
        """End it, because it is not granted any more."""
        denied = Case("HTTP-request-denied")
        self._future.give(Err(denied))
        if self._arrived is not None:
            self._arrived.pipe.end(denied)
        if self._future.scope is not None:
            self._future.scope.cancel()


def _wanted(request: OutgoingRequest, options: RequestOptions | None) -> Wanted:
    """Read a request.

    Raises:
        Broken: there is something wrong with it.
    """
    scheme = text_of_scheme(request.scheme).lower()
    found = AUTHORITY.fullmatch(request.authority or "")
    if scheme not in _PORTS or found is None:
        raise Broken(Case("HTTP-request-URI-invalid"))
    port = int(found["port"] or _PORTS[scheme])
    if not 1 <= port <= _LAST_PORT:
        raise Broken(Case("HTTP-request-URI-invalid"))
    method = text_of_method(request.method)
    if method.upper() == "CONNECT":
        raise Broken(Case("HTTP-request-method-invalid"))
    times = [
        USUAL_TIME if each is None else min(USUAL_TIME, each / _SECOND)
        for each in (
            (None, None, None)
            if options is None
            else (options.connect, options.first_byte, options.between_bytes)
        )
    ]
    return Wanted(
        method,
        scheme,
        found["host"].strip("[]"),
        port,
        request.authority or "",
        request.path or "/",
        request.pairs,
        request.body,
        *times,
    )


def _access_of(wanted: Wanted) -> Access:
    where = f"{wanted.scheme}://{endpoint(wanted.host, wanted.port)}{wanted.path}"
    return Access("http", "request", where, (("methods", wanted.method),))
