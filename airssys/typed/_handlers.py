"""Typed handlers: methods of a Python actor, one for each type of message.

    class Clerk:
        @on_message
        async def order(self, context: ActorContext, order: Order) -> Receipt: ...

        @on_message
        async def cancel(self, context: ActorContext, cancel: Cancel) -> None: ...

        handle = handlers(order, cancel)

`handle` is the method that every actor has, which takes an envelope. This one reads the
payload as JSON or MessagePack, according to its content type. It selects the handler by
the name of the type, which the message has under `_type`, and writes the answer in the
codec of the question. Listing the handlers tells type checkers which messages and
answers there are.
"""

from __future__ import annotations

import inspect
import types
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NamedTuple,
    Protocol,
    TypeVar,
    final,
    overload,
)

import attrs

from airssys.contracts import (
    JSON_TYPE,
    MSGPACK_TYPE,
    NEVER_WAITS,
    Codecs,
    DefinitionError,
    Envelope,
    Mistake,
    NotUnderstood,
    not_awaited,
)

from ._routes import (
    MARK,
    Routes,
    marked_methods,
    method_name,
    mistake_at,
    read_routes,
)
from ._wire import TAG, Unreadable, Wire, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .shapes import Plain

_Function = TypeVar("_Function", bound="Callable[[Any, Any, Any], Any]")
_Messages_co = TypeVar("_Messages_co", covariant=True)
_Rows_co = TypeVar("_Rows_co", covariant=True)


def on_message(function: _Function) -> _Function:
    """Mark a method as the handler of messages of one type; returns it unchanged.

    The method takes the actor's context and a message. It is async, or a plain one that
    never waits; if all handlers of a class are plain, so is its `handle`. The annotation of
    the message is its type: a class by attrs or `dataclasses`. The annotation of the
    result is the type of the answer. All mistakes are reported together when the system
    opens.
    """
    setattr(function, MARK, True)
    return function


class Handle(Generic[_Messages_co, _Rows_co]):
    """The type of `handle = handlers(...)`: of a class `Handlers`, of an instance bound.

    Generic in the union of its message types and, for type checkers, in the rows of a
    table with the answer to each. Both have one base because mypy calls `__get__` for the
    `handle` of an instance, but pyright does not when it compares a class with a
    protocol.
    """


class _Called(NamedTuple):
    """A handler, and what it returned."""

    handler: object
    is_async: bool
    returned: Any
    wire: Wire | None
    """None: it answers in bytes."""
    kind: object
    """The annotation of the answer."""

    def encoded(self) -> bytes | None:
        """Return the answer of a plain handler, as sent.

        Raises:
            TypeError: It returned something to be awaited.
        """
        if inspect.isawaitable(self.returned):
            raise not_awaited(self.handler, self.returned)
        return self.encode(self.returned)

    def encode(self, answer: Any) -> bytes | None:  # noqa: ANN401 (of whatever class)
        """Return an answer, as sent."""
        if self.wire is None:
            said: bytes | None = answer
            return said
        if answer is None or self.kind is types.NoneType:
            return None
        return self.wire.encode(answer, self.kind)


@final
class Handlers(Handle[_Messages_co, _Rows_co]):
    """The typed handlers of a class, created by `handlers`."""

    def __init__(self, functions: tuple[object, ...], otherwise: object) -> None:
        self.functions, self._otherwise = functions, otherwise
        """`functions` in the order in which they were listed."""
        self._routes: dict[type, Routes] = {}

    @overload
    def __get__(
        self, instance: None, owner: type
    ) -> Handlers[_Messages_co, _Rows_co]: ...

    @overload
    def __get__(
        self, instance: object, owner: type
    ) -> BoundHandlers[_Messages_co, _Rows_co]: ...

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        routes = self.checked_routes(type(instance))
        kind = BoundHandlers if routes.async_methods else PlainHandlers
        return kind(instance, routes)

    @overload
    async def __call__(
        self, instance: object, context: object, envelope: Envelope, /
    ) -> bytes | None: ...

    @overload  # for pyright only; see `Handle`
    async def __call__(
        self, context: object, envelope: Envelope, /
    ) -> bytes | None: ...

    async def __call__(self, instance: object, *message: Any) -> bytes | None:
        """Handle a message, like `instance.handle(context, envelope)`."""
        bound: Any = self.__get__(instance, type(instance))
        called = bound(*message)
        answer: bytes | None = (
            called if isinstance(bound, PlainHandlers) else await called
        )
        return answer

    def codecs(self) -> Codecs | None:
        """Return the codecs that it reads; None if a method handles the others."""
        if self._otherwise is not None:
            return None
        return Codecs(takes=(MSGPACK_TYPE, JSON_TYPE))

    def routes(self, owner: type) -> Routes:
        """Read the handlers of a class; raises nothing."""
        known = self._routes.get(owner)
        if known is None:
            known = read_routes(owner, self.functions, self._otherwise)
            if not known.mistakes:  # which a definition further down may resolve
                self._routes[owner] = known
        return known

    def checked_routes(self, owner: type) -> Routes:
        """Read the handlers of a class, and check them.

        Raises:
            DefinitionError: There are mistakes in them.
        """
        routes = self.routes(owner)
        if routes.mistakes:
            mistakes = (attrs.evolve(m, path=f"${m.path}") for m in routes.mistakes)
            raise DefinitionError(tuple(mistakes))
        return routes


class _Bound(Handle[_Messages_co, _Rows_co]):
    """The typed handlers of one instance."""

    def __init__(self, instance: object, routes: Routes) -> None:
        self._instance, self._routes = instance, routes
        name = routes.otherwise
        self._otherwise = None if name is None else getattr(instance, name)

    def _call(self, context: Any, envelope: Envelope) -> _Called:  # noqa: ANN401 (an ActorContext, which is not known here)
        """Call the handler of a message; what it returns may have to be awaited."""
        wire = wire_of(envelope.content_type)
        if wire is None:
            return self._call_other(context, envelope)
        plain = self._read(wire, envelope)
        tag = plain.get(TAG) if isinstance(plain, dict) else None
        route = self._routes.by_tag.get(tag) if isinstance(tag, str) else None
        if route is None:
            return self._call_other(context, envelope, plain)
        try:
            message = wire.build(plain, route.message)
        except Unreadable as unreadable:
            problems = (f"it is not a valid {route.tag}", *unreadable.problems)
            raise self._not_understood(*problems) from unreadable
        handler = getattr(self._instance, route.name)
        is_async = route.name in self._routes.async_methods
        returned: object = handler(context, message)
        return _Called(handler, is_async, returned, wire, route.answer)

    def _call_other(
        self, context: object, envelope: Envelope, plain: Plain = None
    ) -> _Called:
        if self._otherwise is not None:
            is_async = self._routes.otherwise in self._routes.async_methods
            returned: object = self._otherwise(context, envelope)
            return _Called(self._otherwise, is_async, returned, None, None)
        kind = envelope.content_type
        if kind is None:
            raise self._not_understood("a message without a content type")
        if wire_of(kind) is None:
            raise self._not_understood(f"a message that is {kind:.80}")
        if not isinstance(plain, dict):
            raise self._not_understood(f"{type(plain).__name__} in place of an object")
        if TAG not in plain:
            raise self._not_understood(f"an object without {TAG}")
        # The rest is not shown: even showing it may nest too deeply for Python.
        tag = plain[TAG]
        shown = f"{tag!r:.80}" if isinstance(tag, str) else type(tag).__name__
        raise self._not_understood(f"{shown} as {TAG}")

    def _read(self, wire: Wire, envelope: Envelope) -> Plain:
        try:
            return wire.read(envelope.payload)
        except Unreadable as unreadable:
            raise self._not_understood(*unreadable.problems) from unreadable

    def _not_understood(self, *problems: str) -> NotUnderstood:
        return NotUnderstood(self._routes.owner, self._routes.names, problems)


@final
class BoundHandlers(_Bound[_Messages_co, _Rows_co]):
    """The typed handlers of one instance: its `handle`."""

    def __init__(self, instance: object, routes: Routes) -> None:
        super().__init__(instance, routes)
        own = getattr(instance, "__dict__", {})
        is_as_defined = routes.async_methods.isdisjoint(own)
        setattr(self, NEVER_WAITS, routes.never_wait and is_as_defined)

    async def __call__(self, context: Any, envelope: Envelope, /) -> bytes | None:  # noqa: ANN401 (as above)
        """Pass a message to the handler of its type.

        Raises:
            NotUnderstood: No handler is for it, or it is not of its type.
            NotEncodable: The answer cannot be written.
            Exception: What the handler raised.
        """
        called = self._call(context, envelope)
        if not called.is_async:
            return called.encoded()
        answer: object = await called.returned
        return called.encode(answer)


@final
class PlainHandlers(_Bound[_Messages_co, _Rows_co]):
    """The same if none of them is async."""

    def __call__(self, context: Any, envelope: Envelope, /) -> bytes | None:  # noqa: ANN401 (as above)
        """Pass a message to the handler of its type; raises as for `BoundHandlers`."""
        return self._call(context, envelope).encoded()


class HasHandlers(Protocol[_Messages_co, _Rows_co]):
    """A class, or an instance of one, whose `handle` is made by `handlers`."""

    @property
    def handle(self) -> Handle[_Messages_co, _Rows_co]:
        """Its typed handlers."""
        ...


def handlers_of(owner: object) -> Handlers[Any, Any] | None:
    """Return the typed handlers of a class; None if it has none."""
    found = getattr(owner, "handle", None) if isinstance(owner, type) else None
    return found if isinstance(found, Handlers) else None


def handler_mistakes(owner: object) -> list[Mistake]:
    """Find all mistakes in the typed handlers of a class."""
    if not isinstance(owner, type):
        return []
    found, marked = handlers_of(owner), marked_methods(owner)
    if found is None:
        if not marked:
            return []
        text = f"{owner.__qualname__} has handlers, but `handle` does not list them"
        hint = f"write handle = handlers({', '.join(marked)}) below them"
        return [mistake_at(next(iter(marked.values())), text, hint)]
    mistakes = list(found.routes(owner).mistakes)
    listed = {method_name(owner, each) for each in found.functions}
    for name, each in marked.items():
        if name not in listed:
            text = f"{each.__qualname__} is a handler, but `handle` does not list it"
            mistakes.append(mistake_at(each, text, "add it to handlers(...)"))
    return mistakes
