"""Requests, responses and their bodies, as a guest holds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, final

import attrs
import trio

from airssys.wasm.host.wasi.base import Held, Source, take_back
from airssys.wasm.values import Case, Err, Ok

from ._fields import TOKEN, Fields, Pairs, bytes_of, length_of, taken
from ._pipes import BodyInput, BodyOutput, Pipe

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import WasiContext

_METHODS: Final = frozenset(
    {"get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"}
)
_PATH: Final = re.compile(r"/[!-\"$-~]*")
"""Printable ASCII without a space and `#`, which no server is sent."""
_LONGEST_PATH: Final = 8192
AUTHORITY: Final = re.compile(
    r"(?P<host>[A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?"
)
_LAST_STATUS: Final = 599


def case_of_method(method: str) -> Case:
    """Write a method as WIT has it."""
    word = method.lower()
    return (
        Case(word) if word in _METHODS and method.isupper() else Case("other", method)
    )


def case_of_scheme(scheme: str) -> Case:
    """Write a scheme as WIT has it."""
    return (
        Case(scheme.upper()) if scheme in {"http", "https"} else Case("other", scheme)
    )


def text_of_method(case: Case) -> str:
    """Write a method as HTTP has it."""
    return str(case.value) if case.name == "other" else case.name.upper()


def text_of_scheme(case: Case | None) -> str:
    """Write a scheme in small letters; by default it is `https`."""
    if case is None:
        return "https"
    return str(case.value) if case.name == "other" else case.name.lower()


# ---------------------------------------------------------------- what comes in


@final
class IncomingBody(Held):
    """A body that a guest may read once."""

    __slots__ = ("arrived", "is_taken", "pipe")

    def __init__(self, context: WasiContext, arrived: Arrived) -> None:
        super().__init__(context)
        self.arrived, self.pipe = arrived, arrived.pipe
        self.is_taken = False

    def stream(self) -> Ok | Err:
        """Return what it is read by, once."""
        if self.is_taken:
            return Err()
        self.is_taken = True
        return Ok(BodyInput(self.context, self.pipe, self))

    def let_go(self) -> None:
        """Drop what was not read."""
        self.pipe.discard()


@final
@attrs.define
class Arrived:
    """What has come from the other side of a connection."""

    pairs: Pairs
    pipe: Pipe
    trailers: Pairs | None = None
    """Those behind the body; known at its end."""
    method: str = "GET"
    path: str | None = None
    scheme: str = "http"
    authority: str | None = None
    status: int = 200


@final
class Incoming(Held):
    """A request that has come in, or a response."""

    __slots__ = ("arrived", "is_consumed")

    def __init__(self, context: WasiContext, arrived: Arrived) -> None:
        super().__init__(context)
        context.count_network(bytes_of(arrived.pairs))
        self.arrived = arrived
        self.is_consumed = False

    def headers(self) -> Fields:
        """Return its headers, which cannot be changed."""
        return Fields(self.context, self.arrived.pairs, parent=self)

    def consume(self) -> Ok | Err:
        """Return its body, once."""
        if self.is_consumed:
            return Err()
        self.is_consumed = True
        return Ok(IncomingBody(self.context, self.arrived))

    def let_go(self) -> None:
        """Drop a body that can never be read."""
        if not self.is_consumed:
            self.arrived.pipe.discard()


class Future(Held, Source):
    """An answer that comes later, and can be taken once."""

    __slots__ = ("answer", "is_taken", "scope")

    def __init__(self, context: WasiContext) -> None:
        super().__init__(context)
        self.answer: object = None
        """A `result`, or None: it is not there yet."""
        self.is_taken = False
        self.scope: trio.CancelScope | None = None
        """Of the task that finds it."""

    def is_ready(self) -> bool:
        """Whether it is there."""
        return self.answer is not None

    def give(self, answer: Ok | Err) -> None:
        """Set it, unless there is one; wakes the guest."""
        if self.answer is None:
            self.answer = answer
            self.context.note_changed()

    def get(self) -> Ok | Err | None:
        """Return it the first time; None: it is not there yet."""
        if self.answer is None:
            return None
        if self.is_taken:
            return Err()
        self.is_taken = True
        return Ok(self.taken(self.answer))

    def taken(self, answer: object) -> object:
        """Make of it what the guest gets."""
        return answer

    def let_go(self) -> None:
        """End what would find it."""
        if self.scope is not None and not self.is_taken:
            self.scope.cancel()


@final
class FutureTrailers(Future):
    """The trailers of a body, known when that has ended."""

    __slots__ = ("_body",)

    def __init__(self, body: IncomingBody) -> None:
        take_back(body)
        super().__init__(body.context)
        self._body = body
        body.pipe.discard()

    def is_ready(self) -> bool:
        """Whether the body has ended."""
        pipe = self._body.pipe
        if pipe.has_ended:
            pairs = self._body.arrived.trailers or None
            self.give(Ok(pairs) if pipe.failure is None else Err(pipe.failure))
        return pipe.has_ended

    def taken(self, answer: object) -> object:
        """Make fields of the trailers, if there are some."""
        if type(answer) is not Ok or answer.value is None:
            return answer
        return Ok(Fields(self.context, answer.value))

    def get(self) -> Ok | Err | None:
        """As of `Future`."""
        self.is_ready()
        return super().get()


# ---------------------------------------------------------------- what goes out


@final
class OutgoingBody(Held):
    """A body that a guest writes."""

    __slots__ = ("is_taken", "pipe", "size_code", "trailers")

    def __init__(self, context: WasiContext, pairs: Pairs, size_code: str) -> None:
        super().__init__(context)
        self.pipe = Pipe(context, length_of(pairs))
        self.size_code = size_code
        """The error code for a body of another length than it should have."""
        self.is_taken = False
        self.trailers: Pairs = []

    def write(self) -> Ok | Err:
        """Return what it is written by, once."""
        if self.is_taken:
            return Err()
        self.is_taken = True
        return Ok(BodyOutput(self.context, self.pipe, self))

    def finish(self, trailers: Fields | None) -> Ok | Err:
        """End it: it is complete."""
        take_back(self)
        self.trailers = taken(trailers)
        pipe = self.pipe
        if pipe.most is not None and pipe.total != pipe.most:
            code = Case(self.size_code, pipe.total)
            pipe.end(code)
            return Err(code)
        pipe.end()
        return Ok()

    def let_go(self) -> None:
        """End it: it is not complete."""
        self.pipe.end(Case("internal-error", "the guest dropped the body unfinished"))


class Outgoing(Held):
    """What a request and a response have in common."""

    __slots__ = ("body", "pairs")
    size_code = ""

    def __init__(self, headers: Fields) -> None:
        pairs = taken(headers)
        super().__init__(headers.context)
        self.context.count_network(bytes_of(pairs))
        self.pairs = pairs
        self.body: OutgoingBody | None = None

    def headers(self) -> Fields:
        """Return its headers, which cannot be changed any more."""
        return Fields(self.context, self.pairs, parent=self)

    def make_body(self) -> Ok | Err:
        """Return its body, once."""
        if self.body is not None:
            return Err()
        self.body = OutgoingBody(self.context, self.pairs, self.size_code)
        return Ok(self.body)


@final
class OutgoingRequest(Outgoing):
    """A request that a guest makes."""

    __slots__ = ("authority", "method", "path", "scheme")
    size_code = "HTTP-request-body-size"

    def __init__(self, headers: Fields) -> None:
        super().__init__(headers)
        self.method = Case("get")
        self.path: str | None = None
        self.scheme: Case | None = None
        self.authority: str | None = None

    def set_method(self, method: Case) -> Ok | Err:
        """Set it, if it is one."""
        if method.name == "other" and not TOKEN.fullmatch(method.value):
            return Err()
        self.method = method
        return Ok()

    def set_path(self, path: str | None) -> Ok | Err:
        """Set path and query, if they are such."""
        fits = path is None or (len(path) <= _LONGEST_PATH and _PATH.fullmatch(path))
        if not fits:
            return Err()
        self.path = path
        return Ok()

    def set_scheme(self, scheme: Case | None) -> Ok | Err:
        """Set it, if it is one."""
        text = text_of_scheme(scheme)
        if not re.fullmatch(r"[a-z][a-z0-9+.-]{0,31}", text, re.IGNORECASE):
            return Err()
        self.scheme = scheme
        return Ok()

    def set_authority(self, authority: str | None) -> Ok | Err:
        """Set host and port, if they are such; there is no user in it."""
        if authority is not None and not AUTHORITY.fullmatch(authority):
            return Err()
        self.authority = authority
        return Ok()


@final
class OutgoingResponse(Outgoing):
    """A response that a guest makes."""

    __slots__ = ("status",)
    size_code = "HTTP-response-body-size"

    def __init__(self, headers: Fields) -> None:
        super().__init__(headers)
        self.status = 200

    def set_status(self, status: int) -> Ok | Err:
        """Set it, if it is one that ends a request."""
        if not 200 <= status <= _LAST_STATUS:  # noqa: PLR2004  # 1xx do not end it
            return Err()
        self.status = status
        return Ok()


@final
class RequestOptions(Held):
    """Nanoseconds that parts of a request may take; None: what is usual."""

    __slots__ = ("between_bytes", "connect", "first_byte")

    def __init__(self, context: WasiContext) -> None:
        super().__init__(context)
        self.connect: int | None = None
        self.first_byte: int | None = None
        self.between_bytes: int | None = None

    def set(self, name: str, value: int | None) -> Ok:
        """Set one of them."""
        setattr(self, name, value)
        return Ok()


@final
class ResponseOutparam(Held):
    """Where a handler puts its response."""

    __slots__ = ("given", "response")

    def __init__(self, context: WasiContext) -> None:
        super().__init__(context)
        self.given = trio.Event()
        self.response: OutgoingResponse | Case | None = None
        """A response, an error code, or None: it was dropped."""

    def set(self, response: Ok | Err) -> None:
        """Take the response."""
        take_back(self)
        found: Any = response.value
        if type(response) is Ok:
            take_back(found)
        self.response = found
        self.given.set()

    def let_go(self) -> None:
        """Note that there will be none."""
        self.given.set()
