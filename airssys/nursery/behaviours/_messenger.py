"""Sending messages in one name: that of an actor, or of the program around all actors.

The options of a message are checked here for all of them: a name may be written as text,
a priority as a word, a trace as its traceparent.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from trio.lowlevel import enable_ki_protection

from airssys.contracts import CheckedOptions, ComponentId
from airssys.messaging import ask_again
from airssys.typed import HasHandlers, Ref

from ._message_arguments import (
    ASK_OPTIONS,
    SEND_OPTIONS,
    as_content_type,
    as_id,
    as_payload,
    as_retries,
    as_timeout,
    as_trace,
    check_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Unpack

    from airssys.contracts import (
        AskOptions,
        Envelope,
        MessagingError,
        SendOptions,
        TraceContext,
    )
    from airssys.messaging import Broker, Publishing

    from ._gates import GatedBroker, GatedPublishing

_Typed = TypeVar("_Typed", bound=HasHandlers[Any, Any])

ASK_TIMEOUT: Final = 5.0
"""Seconds that an ask waits unless a timeout is given, as in OTP's gen_server."""


class Messenger:
    """Sends messages to actors; targets are names: a `ComponentId`, or its text."""

    trace_in_hand: TraceContext | None = None
    """`trace`, for the code that handles a message; plain, because it is read often."""

    def __init__(
        self,
        sender: ComponentId,
        waiter: ComponentId | None,
        broker: Broker | GatedBroker,
        publishing: Publishing | GatedPublishing,
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
    def tell(
        self,
        target: ComponentId | str,
        payload: bytes,
        **options: Unpack[SendOptions],
    ) -> None:
        """Deliver a message now or not at all; never waits.

        Args:
            target: the actor or pool to tell.
            payload: the message.
            **options: see `SendOptions`.
                `content_type`: the codec of the payload.
                `priority`: which of the target's overflow policies applies if its
                mailbox is full. Some drop the message without an error.
                `ttl`: seconds after which the message need not be handled.
                `key`: messages with the same key go to the same member of a pool.
                `trace`: the distributed trace of the message, or its traceparent.

        Raises:
            MailboxFull: the mailbox has no room.
            TargetNotFound: there is no actor or pool of that name.
            MessageExpired: the ttl is 0.
            MessageTooLarge: the payload has more bytes than the target accepts.
            CodecNotTaken: the target does not accept this content type.
            InvalidMessage: the target, the payload or an option is not valid.
            TypeError: there is no such option.
        """
        if options:
            self._broker.tell(self._sign("tell", target, payload, options))
            return
        # Most messages have no options. They are signed and delivered in one step.
        self._broker.post(
            target if type(target) is ComponentId else as_id(target),
            self._sender,
            payload if type(payload) is bytes else as_payload(payload),
            None if self.trace_in_hand is None else self._carried_on(),
        )

    @enable_ki_protection
    async def send(
        self,
        target: ComponentId | str,
        payload: bytes,
        **options: Unpack[SendOptions],
    ) -> None:
        """Deliver a message as soon as there is room.

        Args:
            target: the actor or pool to send to.
            payload: the message.
            **options: see `SendOptions`.
                `content_type`: the codec of the payload.
                `priority`: as for `tell`. By default the sender waits for room unless
                the priority is `low` or `normal`.
                `ttl`: as for `tell`; waiting for room counts.
                `key`, `trace`: as for `tell`.

        Raises:
            TargetNotFound: there is no actor or pool of that name.
            MailboxFull: the mailbox has no room, and its policy is to fail.
            MessageExpired: there was no room within `ttl`.
            RequestWouldDeadlock: the target waits, directly or through other actors,
                for this actor.
            InvalidMessage, TypeError: as for `tell`.
        """
        message = self._sign("send", target, payload, options)
        await self._broker.send(message, self.is_handling)

    @enable_ki_protection
    async def ask(
        self,
        target: ComponentId | str,
        payload: bytes,
        **options: Unpack[AskOptions],
    ) -> bytes | None:
        """Deliver a message and wait for the answer; None if the handler returned None.

        Args:
            target: the actor or pool to ask.
            payload: the question.
            **options: see `AskOptions`.
                `timeout`: seconds for delivery and answer together; 5 by default. An
                actor never waits beyond the deadline of the message that it handles.
                `content_type`: the codec of the payload.
                `priority`: as for `send`. A message that would be dropped because there is no
                room is refused.
                `key`, `trace`: as for `tell`.
                `retries`: how often to ask again, within the timeout, if the target
                crashes or stops instead of answering. It may handle the message twice.

        Raises:
            AskTimedOut: there was no answer in time.
            CalleeFailed: the target crashed, was stopped, or answered with an error.
            MailboxFull: the mailbox has no room.
            DeliveryFailed: the message was dropped from the mailbox for a newer one.
            MessagingError: others as for `send`.
            TypeError: there is no such option.
        """
        if options or self.trace_in_hand is not None:
            return await self._ask(target, payload, options)
        # Most questions have no options, and the rest would be paid for by each of them.
        is_handling = self.is_handling()
        return await self._broker.ask(
            target if type(target) is ComponentId else as_id(target),
            self._sender,
            payload if type(payload) is bytes else as_payload(payload),
            timeout=ASK_TIMEOUT,
            waiter=self._waiter if is_handling else None,
            useless_after=self._useless_after() if is_handling else None,
        )

    async def _ask(
        self, target: ComponentId | str, payload: bytes, options: AskOptions
    ) -> bytes | None:
        """Ask, with options, or while a message with a trace is handled."""
        retries = options.pop("retries", 0)
        timeout = as_timeout(options.pop("timeout", ASK_TIMEOUT))
        if retries != 0:
            ask = partial(self.ask, target, payload, **options)
            return await ask_again(ask, as_retries(retries), timeout)
        is_handling = self.is_handling()
        return await self._broker.ask(
            target if type(target) is ComponentId else as_id(target),
            self._sender,
            payload if type(payload) is bytes else as_payload(payload),
            timeout=timeout,
            waiter=self._waiter if is_handling else None,
            useless_after=self._useless_after() if is_handling else None,
            **self._checked("ask", ASK_OPTIONS, options),
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
            InvalidMessage: the target is not a valid name, or the codec another one.
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
            InvalidMessage: a target is not a valid name, or the payload is not bytes; no actor gets it.
        """
        # As they are now, and read one by one, for they may be many.
        ids = map(as_id, tuple(targets))
        data, kind = as_payload(payload), as_content_type(content_type)
        given, is_held_up = self._given(trace), self.is_handling()
        outcomes = await self._publishing.broadcast(
            self._sender,
            ids,
            data,
            as_id,
            content_type=kind,
            trace=given,
            is_held_up=is_held_up,
        )
        return {**outcomes.targets, **outcomes.refused}

    @enable_ki_protection
    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Send a payload to all subscribers of a topic, if there are any.

        Waits only for subscribers that want to be waited for.

        Raises:
            BadTopic: it is not a valid topic: segments joined by dots.
            InvalidMessage: the payload is not bytes.
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

    def _sign(
        self,
        call: str,
        target: ComponentId | str,
        payload: bytes,
        options: SendOptions,
    ) -> Envelope:
        return self._broker.sign(
            target if type(target) is ComponentId else as_id(target),
            self._sender,
            payload if type(payload) is bytes else as_payload(payload),
            **self._checked(call, SEND_OPTIONS, options),
        )

    def _checked(
        self, call: str, allowed: frozenset[str], options: Mapping[str, object]
    ) -> CheckedOptions:
        """Check options; the trace of the present message goes on if none is given."""
        checked = check_options(call, allowed, options) if options else CheckedOptions()
        if self.trace_in_hand is not None and "trace" not in checked:
            checked["trace"] = self._carried_on()
        return checked
