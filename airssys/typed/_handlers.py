"""Typed handlers: methods of a Python actor, each for one type of message.

    class Clerk:
        @on_message
        async def order(self, context: ActorContext, order: Order) -> Receipt: ...

        @on_message
        async def cancel(self, context: ActorContext, cancel: Cancel) -> None: ...

        handle = handlers(order, cancel)

`handle` is what every actor has: it takes an envelope. This one reads the payload, by
its content type as JSON or MessagePack, finds the handler by the name of the type that
the message bears under `_type`, and writes the answer in the codec of the question. The
list is there for type checkers: from it they know what may be asked, and the answer.
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

    It is async, and takes the actor's context and a message. The annotation of the
    message is its type: a class by attrs or `dataclasses`. That of the result is what
    whoever asks gets. What is wrong is told, all at once, when the system opens.
    """
    setattr(function, MARK, True)
    return function


class Handle(Generic[_Messages_co, _Rows_co]):
    """What `handle = handlers(...)` is: of the class, `Handlers`; of an instance, bound.

    Generic in the union of its message types, and for type checkers in the rows of a
    table that has the answer of each. It is one base for both because mypy asks
    `__get__` what the `handle` of an instance is, and pyright does not where it compares
    a class with a protocol.
    """


@final
class Handlers(Handle[_Messages_co, _Rows_co]):
    """The typed handlers of a class; `handlers` makes it."""

    def __init__(self, functions: tuple[object, ...], otherwise: object) -> None:
        self.functions, self._otherwise = functions, otherwise
        """`functions` as they were listed."""
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
        """Handle a message, as `instance.handle(context, envelope)` does."""
        bound: BoundHandlers[Any, Any] = self.__get__(instance, type(instance))
        return await bound(*message)

    def codecs(self) -> Codecs | None:
        """Return the codecs that it reads; None if a method takes everything else."""
        if self._otherwise is not None:
            return None
        return Codecs(takes=(MSGPACK_TYPE, JSON_TYPE))

    def routes(self, owner: type) -> Routes:
        """Read the handlers of a class; raises nothing."""
        known = self._routes.get(owner)
        if known is None:
            known = read_routes(owner, self.functions, self._otherwise)
            if not known.mistakes:  # which a definition further down may mend
                self._routes[owner] = known
        return known

    def checked_routes(self, owner: type) -> Routes:
        """Read the handlers of a class.

        Raises:
            DefinitionError: something is wrong with them.
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
        """Let the handler of its type handle a message.

        Raises:
            NotUnderstood: it is for none of them, or is not of its type.
            NotEncodable: the answer cannot be written.
            Exception: what the handler raised.
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
            problems = (f"it is no {route.tag}", *unreadable.problems)
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
            raise self._not_understood("a message that names no codec")
        if wire_of(kind) is None:
            raise self._not_understood(f"a message that is {kind:.80}")
        if not isinstance(plain, dict):
            raise self._not_understood(f"{type(plain).__name__}, no object")
        if TAG not in plain:
            raise self._not_understood(f"an object without {TAG}")
        # Not what else it may be: even to show that may be too deep for Python.
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
    """Find all that is wrong with the typed handlers of a class; none if it has none."""
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
