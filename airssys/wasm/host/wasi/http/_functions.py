"""The names of `wasi:http` 0.2, above messages that know nothing of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airssys.wasm.host import SameAs
from airssys.wasm.host.wasi.base import (
    Pollable,
    error_code,
    full_name,
    interface,
    same_as,
)

from ._fields import Fields, from_list
from ._messages import (
    FutureTrailers,
    OutgoingRequest,
    OutgoingResponse,
    RequestOptions,
    case_of_method,
    case_of_scheme,
)
from ._outgoing import handle

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.host.wasi.base import WasiContext

_RESOURCES: Final = (
    "fields",
    "incoming-request",
    "outgoing-request",
    "request-options",
    "response-outparam",
    "incoming-response",
    "incoming-body",
    "future-trailers",
    "outgoing-response",
    "outgoing-body",
    "future-incoming-response",
)


def _subscribe(context: WasiContext, thing: Any) -> Pollable:
    return Pollable(context, thing, thing)


def _optional(act: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else act(value)


_METHODS: Final[dict[str, dict[str, Callable[..., Any]]]] = {
    "fields": {
        "get": lambda f, name: f.get(name),
        "has": lambda f, name: bool(f.get(name)),
        "set": lambda f, name, values: f.set(name, values),
        "delete": lambda f, name: f.set(name, []),
        "append": lambda f, name, value: f.set(name, [value], keep=True),
        "entries": lambda f: list(f.pairs),
        "clone": lambda f: Fields(f.context, f.pairs),
    },
    "incoming-request": {
        "method": lambda r: case_of_method(r.arrived.method),
        "path-with-query": lambda r: r.arrived.path,
        "scheme": lambda r: _optional(case_of_scheme, r.arrived.scheme),
        "authority": lambda r: r.arrived.authority,
        "headers": lambda r: r.headers(),
        "consume": lambda r: r.consume(),
    },
    "incoming-response": {
        "status": lambda r: r.arrived.status,
        "headers": lambda r: r.headers(),
        "consume": lambda r: r.consume(),
    },
    "incoming-body": {"stream": lambda body: body.stream()},
    "future-trailers": {"get": lambda future: future.get()},
    "future-incoming-response": {"get": lambda future: future.get()},
    "outgoing-request": {
        "body": lambda r: r.make_body(),
        "method": lambda r: r.method,
        "set-method": lambda r, value: r.set_method(value),
        "path-with-query": lambda r: r.path,
        "set-path-with-query": lambda r, value: r.set_path(value),
        "scheme": lambda r: r.scheme,
        "set-scheme": lambda r, value: r.set_scheme(value),
        "authority": lambda r: r.authority,
        "set-authority": lambda r, value: r.set_authority(value),
        "headers": lambda r: r.headers(),
    },
    "outgoing-response": {
        "status-code": lambda r: r.status,
        "set-status-code": lambda r, value: r.set_status(value),
        "headers": lambda r: r.headers(),
        "body": lambda r: r.make_body(),
    },
    "outgoing-body": {"write": lambda body: body.write()},
    "request-options": {
        "connect-timeout": lambda o: o.connect,
        "set-connect-timeout": lambda o, value: o.set("connect", value),
        "first-byte-timeout": lambda o: o.first_byte,
        "set-first-byte-timeout": lambda o, value: o.set("first_byte", value),
        "between-bytes-timeout": lambda o: o.between_bytes,
        "set-between-bytes-timeout": lambda o, value: o.set("between_bytes", value),
    },
}


def _method(act: Callable[..., Any]) -> Callable[..., Any]:
    def without_context(_context: WasiContext, *arguments: Any) -> Any:
        return act(*arguments)

    return without_context


TYPES: Final = interface(
    "http/types",
    {
        f"[method]{kind}.{name}": _method(act)
        for kind, methods in _METHODS.items()
        for name, act in methods.items()
    }
    | {
        "[constructor]fields": Fields,
        "[static]fields.from-list": from_list,
        "[constructor]outgoing-request": _method(OutgoingRequest),
        "[constructor]outgoing-response": _method(OutgoingResponse),
        "[constructor]request-options": RequestOptions,
        "[static]response-outparam.set": _method(lambda out, value: out.set(value)),
        "[static]incoming-body.finish": _method(FutureTrailers),
        "[static]outgoing-body.finish": _method(
            lambda body, trailers: body.finish(trailers)
        ),
        "[method]future-trailers.subscribe": _subscribe,
        "[method]future-incoming-response.subscribe": _subscribe,
        "http-error-code": error_code("http"),
    },
    owns=_RESOURCES,
    uses=same_as("io/streams", "input-stream", "output-stream")
    | same_as("io/poll", "pollable")
    | same_as("io/error", "error")
    # Names of the interface for `fields` and for that error, which guests in JavaScript
    # and in Python import.
    | dict.fromkeys(
        ("headers", "trailers"), SameAs(f"{full_name('http/types')}#fields")
    )
    | {"io-error": SameAs(f"{full_name('io/error')}#error")},
)
HTTP: Final = (
    TYPES,
    interface(
        "http/outgoing-handler",
        {"handle": handle},
        uses=same_as(
            "http/types",
            "outgoing-request",
            "request-options",
            "future-incoming-response",
        ),
    ),
)
