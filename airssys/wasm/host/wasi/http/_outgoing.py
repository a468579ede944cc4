"""`wasi:http/outgoing-handler`: what a guest may ask of which server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

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
    future.scope = context.start_task(partial(_run, future, wanted, access, requests))
    return Ok(future)


async def _run(
    future: FutureResponse, wanted: Wanted, access: Access, requests: _Requests
) -> None:
    context = future.context
    last: list[Arrived] = []

    def answer(arrived: Arrived) -> None:
        last.append(arrived)
        future.give(Ok(arrived))

    def revoke() -> None:
        denied = Case("HTTP-request-denied")
        future.give(Err(denied))
        for each in last:
            each.pipe.end(denied)
        if future.scope is not None:
            future.scope.cancel()

    scoped = Scoped(context, access, revoke)
    try:
        await fetch(context, wanted, answer)
    except Broken as error:
        future.give(Err(error.code))
    finally:
        scoped.release()
        requests.number -= 1
        future.give(Err(Case("connection-terminated")))
        if wanted.body is not None:
            wanted.body.pipe.discard()


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
