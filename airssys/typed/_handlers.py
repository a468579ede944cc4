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

import types
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, final, overload

import attrs

from airssys.contracts import (
    JSON_TYPE,
    MSGPACK_TYPE,
    Codecs,
    DefinitionError,
    Envelope,
    Mistake,
    NotUnderstood,
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
    from collections.abc import Awaitable, Callable

    from .shapes import Plain

_Function = TypeVar("_Function", bound="Callable[[Any, Any, Any], Awaitable[Any]]")
_Messages_co = TypeVar("_Messages_co", covariant=True)
_Rows_co = TypeVar("_Rows_co", covariant=True)


def on_message(function: _Function) -> _Function:
    """Mark a method as the handler of messages of one type; returns it unchanged.

    The method is async, and takes the actor's context and a message. The annotation of
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
        return BoundHandlers(instance, self.checked_routes(type(instance)))

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
        bound: BoundHandlers[Any, Any] = self.__get__(instance, type(instance))
        return await bound(*message)

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


@final
class BoundHandlers(Handle[_Messages_co, _Rows_co]):
    """The typed handlers of one instance: its `handle`."""

    def __init__(self, instance: object, routes: Routes) -> None:
        self._instance, self._routes = instance, routes
        name = routes.otherwise
        self._otherwise = None if name is None else getattr(instance, name)

    async def __call__(self, context: Any, envelope: Envelope, /) -> bytes | None:  # noqa: ANN401 (an ActorContext, which is not known here)
        """Pass a message to the handler of its type.

        Raises:
            NotUnderstood: No handler is for it, or it is not of its type.
            NotEncodable: The answer cannot be written.
            Exception: What the handler raised.
        """
        wire = wire_of(envelope.content_type)
        if wire is None:
            return await self._handle_other(context, envelope)
        plain = self._read(wire, envelope)
        tag = plain.get(TAG) if isinstance(plain, dict) else None
        route = self._routes.by_tag.get(tag) if isinstance(tag, str) else None
        if route is None:
            return await self._handle_other(context, envelope, plain)
        try:
            message = wire.build(plain, route.message)
        except Unreadable as unreadable:
            problems = (f"it is not a valid {route.tag}", *unreadable.problems)
            raise self._not_understood(*problems) from unreadable
        answer = await getattr(self._instance, route.name)(context, message)
        if answer is None or route.answer is types.NoneType:
            return None
        return wire.encode(answer, route.answer)

    async def _handle_other(
        self, context: object, envelope: Envelope, plain: Plain = None
    ) -> bytes | None:
        if self._otherwise is not None:
            answer: bytes | None = await self._otherwise(context, envelope)
            return answer
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
