"""Sending messages in one name: that of an actor, or of the program around all actors.

What is said of a message is read here, once for all who send: a name may be written as
text, a priority as a word, a trace as its traceparent.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from trio.lowlevel import enable_ki_protection

from airssys.contracts import ComponentId, PriorityWord
from airssys.messaging import ask_again
from airssys.typed import HasHandlers, Ref

from ._message_arguments import (
    as_content_type,
    as_expiry,
    as_id,
    as_key,
    as_payload,
    as_priority,
    as_retries,
    as_timeout,
    as_trace,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys.contracts import Envelope, MessagingError, TraceContext
    from airssys.messaging import Broker, Publishing

_Typed = TypeVar("_Typed", bound=HasHandlers[Any, Any])

ASK_TIMEOUT: Final = 5.0
"""Seconds that an ask waits unless told otherwise, as in OTP's gen_server."""


class Messenger:
    """Sends messages to actors; targets are names: a `ComponentId`, or its text."""

    trace_in_hand: TraceContext | None = None
    """`trace`, for whoever handles a message; plain, because it is looked at often."""

    def __init__(
        self,
        sender: ComponentId,
        waiter: ComponentId | None,
        broker: Broker,
        publishing: Publishing,
    ) -> None:
        self._sender, self._waiter = sender, waiter
        self._broker, self._publishing = broker, publishing

    @property
    def trace(self) -> TraceContext | None:
        """The distributed trace of what is sent, unless another one is given with it."""
        return None if self.trace_in_hand is None else self._carried_on()

    @trace.setter
    def trace(self, trace: TraceContext | None) -> None:
        self.trace_in_hand = trace

    @enable_ki_protection
    def tell(  # noqa: PLR0913  # what may be said of a message
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        ttl: float | None = None,
        key: str | bytes | None = None,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Deliver a message now or not at all; never waits.

        Args:
            target: whom to tell.
            payload: the message.
            content_type: the codec of the payload.
            priority: which of the target's policies applies if there is no room; with
                some, as by default with that for `low`, the message is dropped without
                an error.
            ttl: seconds after which it need not be handled: if it was not taken by then
                it becomes a dead letter.
            key: messages of one key to one pool go to the same member, if it routes by
                keys; to an actor it means nothing.
            trace: the distributed trace that it belongs to, or its traceparent; it goes
                on in whatever is sent while it is handled. An actor need not say it:
                what it sends carries on the trace of the message in hand.

        Raises:
            MailboxFull: there is no room.
            TargetNotFound: nobody of that name is there.
            MessageExpired: the ttl is 0.
            InvalidMessage: the target is no name, the payload no bytes or too many
                (`MessageTooLarge`), the content type no text or none that the target
                takes (`CodecNotTaken`), the priority, the ttl, the key or the trace
                none.
        """
        self._broker.tell(
            self._sign(target, payload, content_type, priority, ttl, key, trace)
        )

    @enable_ki_protection
    async def send(  # noqa: PLR0913  # what may be said of a message
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        ttl: float | None = None,
        key: str | bytes | None = None,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Deliver a message as soon as there is room.

        Args:
            target: whom to send to.
            payload: the message.
            content_type: the codec of the payload.
            priority: as for `tell`; by default only `high`, `critical` and none wait.
            ttl: as for `tell`; waiting for room counts.
            key: as for `tell`.
            trace: as for `tell`.

        Raises:
            TargetNotFound: nobody of that name is there.
            MailboxFull: there is no room, and the target's policy is to fail.
            MessageExpired: there was no room within `ttl`.
            RequestWouldDeadlock: the target waits, through some steps, for this actor.
            InvalidMessage: as for `tell`.
        """
        message = self._sign(target, payload, content_type, priority, ttl, key, trace)
        await self._broker.send(message, self.is_handling)

    @enable_ki_protection
    async def ask(  # noqa: PLR0913  # what an ask consists of
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        timeout: float = ASK_TIMEOUT,  # noqa: ASYNC109 (part of the message, not only a wait)
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        key: str | bytes | None = None,
        trace: TraceContext | str | None = None,
        retries: int = 0,
    ) -> bytes | None:
        """Deliver a message and wait for the answer; None: there was nothing to say.

        Args:
            target: whom to ask.
            payload: the question.
            timeout: seconds for delivery and answer together; for an actor never beyond
                the deadline of the message in hand.
            content_type: the codec of the payload.
            priority: as for `send`; one that would be dropped for want of room is refused.
            key: as for `tell`.
            trace: as for `tell`.
            retries: how often to ask again, within the timeout, if the target crashes
                or stops instead of answering. It may handle the question twice.

        Raises:
            AskTimedOut: no answer came in time.
            CalleeFailed: it crashed, was stopped, or answered with an error.
            MailboxFull, DeliveryFailed: there is no room, or not for long.
            MessagingError: others as for `send`.
        """
        if retries != 0:
            said: dict[str, Any] = {"content_type": content_type, "priority": priority}
            ask = partial(self.ask, target, payload, key=key, trace=trace, **said)
            return await ask_again(ask, as_retries(retries), as_timeout(timeout))
        is_handling = self.is_handling()
        return await self._broker.ask(
            target if type(target) is ComponentId else as_id(target),
            self._sender,
            payload if type(payload) is bytes else as_payload(payload),
            timeout=as_timeout(timeout),
            content_type=as_content_type(content_type),
            waiter=self._waiter if is_handling else None,
            priority=None if priority is None else as_priority(priority),
            key=None if key is None else as_key(key),
            trace=self._given(trace),
            useless_after=self._useless_after() if is_handling else None,
        )

    def ref(
        self,
        target: ComponentId | str,
        kind: type[_Typed],
        *,
        codec: str = "msgpack",
    ) -> Ref[_Typed]:
        """Return the way to an actor for messages as values.

            clerk = system.ref("clerk", Clerk)
            receipt = await clerk.ask(Order("tea"))     # what Clerk's handler returns

        Args:
            target: the actor's name. Whether it is there is found out at each message.
            kind: a class with typed handlers: that of the actor, or one like it.
            codec: `msgpack` or `json`, or their content types.

        Raises:
            InvalidMessage: the target is no name, or the codec another one.
            DefinitionError: something is wrong with the handlers.
            ExtraMissing: the extra `typed` is not installed.
            TypeError: the class has no typed handlers.
        """
        return Ref(self, as_id(target), kind, codec, ASK_TIMEOUT)

    @enable_ki_protection
    async def broadcast(
        self,
        targets: Iterable[ComponentId | str],
        payload: bytes,
        *,
        content_type: str | None = None,
        trace: TraceContext | str | None = None,
    ) -> dict[ComponentId, MessagingError | None]:
        """Deliver a message to each of some actors, once, waiting for room.

        Returns:
            For each target None, or why it did not get it.

        Raises:
            InvalidMessage: a target is no name, or the payload no bytes; nobody has it.
        """
        # As they are now, and read one by one, for they may be many.
        ids = map(as_id, tuple(targets))
        data, kind = as_payload(payload), as_content_type(content_type)
        given, is_held_up = self._given(trace), self.is_handling()
        return await self._publishing.broadcast(
            self._sender,
            ids,
            data,
            content_type=kind,
            trace=given,
            is_held_up=is_held_up,
        )

    @enable_ki_protection
    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Send a payload to whoever is subscribed to a topic; also if nobody is.

        Waits only for subscribers that want to be waited for.

        Raises:
            BadTopic: it is no topic: segments joined by dots.
            InvalidMessage: the payload is no bytes.
        """
        data = as_payload(payload)
        given, is_held_up = self._given(trace), self.is_handling()
        await self._publishing.publish(
            self._sender, topic, data, given, is_held_up=is_held_up
        )

    def is_handling(self) -> bool:
        """Say whether the calling task is the sender at work, and not one beside it."""
        return True

    def _useless_after(self) -> float | None:
        """Return the Trio time at which what is being done ends in any case."""
        return None

    def _carried_on(self) -> TraceContext | None:
        return self.trace_in_hand

    def _given(self, trace: TraceContext | str | None) -> TraceContext | None:
        if trace is not None:
            return as_trace(trace)
        return None if self.trace_in_hand is None else self._carried_on()

    def _sign(  # noqa: PLR0913, PLR0917  # what may be said of a message
        self,
        target: ComponentId | str,
        payload: bytes,
        content_type: str | None,
        priority: PriorityWord | None,
        ttl: float | None,
        key: str | bytes | None,
        trace: TraceContext | str | None,
    ) -> Envelope:
        return self._broker.sign(
            target if type(target) is ComponentId else as_id(target),
            self._sender,
            payload if type(payload) is bytes else as_payload(payload),
            None if content_type is None else as_content_type(content_type),
            None if priority is None else as_priority(priority),
            None if ttl is None else as_expiry(ttl),
            None if key is None else as_key(key),
            self._given(trace)
            if trace is not None or self.trace_in_hand is not None
            else None,
        )
