"""A name together with its actor's class: messages and answers are values."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    final,
    overload,
)

from airssys.contracts import (
    CODEC_NAMES,
    BadAnswer,
    ComponentId,
    InvalidMessage,
    UnhandledMessage,
)

from ._handlers import HasHandlers, handlers_of
from ._listing import Row
from ._wire import Unreadable, wire_of

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Unpack

    from airssys.contracts import (
        AskOptions,
        MessageOptions,
        SendOptions,
        TypedAskOptions,
        TypedSendOptions,
    )

    from ._routes import Route

_M = TypeVar("_M")
_R = TypeVar("_R")
_Actor_co = TypeVar("_Actor_co", covariant=True)

_At1: TypeAlias = Row[_M, _R, Any]
_At2: TypeAlias = Row[Any, Any, _At1[_M, _R]]
_At3: TypeAlias = Row[Any, Any, _At2[_M, _R]]
_At4: TypeAlias = Row[Any, Any, _At3[_M, _R]]
_At5: TypeAlias = Row[Any, Any, _At4[_M, _R]]
_At6: TypeAlias = Row[Any, Any, _At5[_M, _R]]
_At7: TypeAlias = Row[Any, Any, _At6[_M, _R]]
_At8: TypeAlias = Row[Any, Any, _At7[_M, _R]]
_At9: TypeAlias = Row[Any, Any, _At8[_M, _R]]
_At10: TypeAlias = Row[Any, Any, _At9[_M, _R]]


class Post(Protocol):
    """A sender of messages: a system, or the context of an actor."""

    def tell(
        self,
        target: ComponentId,
        payload: bytes,
        **options: Unpack[SendOptions],
    ) -> None: ...
    async def send(
        self,
        target: ComponentId,
        payload: bytes,
        **options: Unpack[SendOptions],
    ) -> None: ...
    async def ask(
        self,
        target: ComponentId,
        payload: bytes,
        **options: Unpack[AskOptions],
    ) -> bytes | None: ...


@final
class Ref(Generic[_Actor_co]):
    """A reference to one actor, for messages of the types that its class handles.

    Created by `System.ref` and `ActorContext.ref`. It holds a name and not an actor:
    the message goes to the actor that has the name when it is sent. A message must be
    of exactly one of the types; a subclass is another type.
    """

    def __init__(
        self,
        post: Post,
        target: ComponentId,
        kind: type[HasHandlers[Any, Any]],
        codec: str,
        timeout: float,
    ) -> None:
        found = handlers_of(kind)
        if found is None:
            name = getattr(kind, "__qualname__", repr(kind))
            raise TypeError(f"{name:.80} has no `handle = handlers(...)`")
        wire = wire_of(CODEC_NAMES.get(codec, codec))
        if wire is None:
            problem = f"typed messages cannot be written as {codec!r:.80}"
            raise InvalidMessage(problem, "Choose 'json' or 'msgpack'")
        self._post, self._timeout = post, timeout
        self.target = target
        """The actor's name."""
        self._routes = found.checked_routes(kind)
        self._wire = wire

    def __repr__(self) -> str:
        return f"<Ref to {self.target} as {self._routes.owner}>"

    def tell(
        self: Ref[HasHandlers[_M, Any]],
        message: _M,
        **options: Unpack[TypedSendOptions],
    ) -> None:
        """Deliver a message now or not at all, like `System.tell`.

        Args:
            message: Of a type that the class handles.
            **options: `priority`, `ttl`, `key` and `trace`; see `TypedSendOptions`.

        Raises:
            UnhandledMessage: The class has no handler for it.
            NotEncodable: A field has a value that is not of its type.
            MessagingError: It was not delivered.
        """
        _, payload = self._write(message)
        kind = self._wire.content_type
        self._post.tell(self.target, payload, content_type=kind, **options)

    async def send(
        self: Ref[HasHandlers[_M, Any]],
        message: _M,
        **options: Unpack[TypedSendOptions],
    ) -> None:
        """Deliver a message, waiting for room, like `System.send`.

        Args:
            message: Of a type that the class handles.
            **options: As for `tell`.

        Raises:
            UnhandledMessage, NotEncodable, MessagingError: As for `tell`.
        """
        _, payload = self._write(message)
        kind = self._wire.content_type
        await self._post.send(self.target, payload, content_type=kind, **options)

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At1[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At1[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At2[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At2[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At3[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At3[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At4[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At4[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At5[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At5[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At6[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At6[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At7[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At7[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At8[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At8[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At9[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At9[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At10[_M, Awaitable[_R]]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    @overload
    async def ask(
        self: Ref[HasHandlers[Any, _At10[_M, _R]]],
        message: _M,
        **options: Unpack[TypedAskOptions],
    ) -> _R: ...

    async def ask(
        self,
        message: Any,
        **options: Unpack[TypedAskOptions],
    ) -> Any:
        """Deliver a message and wait for the result of its handler.

        Args:
            message: Of a type that the class handles.
            **options: `timeout`, `priority`, `key`, `trace` and `retries`, as for
                `System.ask`; see `TypedAskOptions`.

        Raises:
            UnhandledMessage, NotEncodable: As for `tell`.
            CalleeFailed: As for `System.ask`; its `error` is `NotUnderstood` if the
                actor could not read the message.
            BadAnswer: The answer is not of the handler's type.
            MessagingError: It was not delivered, or not answered.
        """
        route, payload = self._write(message)
        timeout = options.pop("timeout", None)
        answer = await self._post.ask(
            self.target,
            payload,
            timeout=self._timeout if timeout is None else timeout,
            content_type=self._wire.content_type,
            **cast("MessageOptions", options),  # without the timeout, the same for both
        )
        return self._read(route, answer)

    def _write(self, message: object) -> tuple[Route, bytes]:
        kind = type(message)
        route = self._routes.by_type.get(kind)
        if route is None:
            raise UnhandledMessage(self.target, kind.__qualname__, self._routes.names)
        return route, self._wire.encode(message, kind, route.tag)

    def _read(self, route: Route, answer: bytes | None) -> object:
        if route.answer is type(None):
            return None
        try:
            plain = None if answer is None else self._wire.read(answer)
            return self._wire.build(plain, route.answer)
        except Unreadable as unreadable:
            wanted = getattr(route.answer, "__qualname__", str(route.answer))
            raise BadAnswer(self.target, wanted, unreadable.problems) from unreadable
