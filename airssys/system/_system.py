"""A running system, as the program around it sees it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import ComponentId, Lag, Refusal, Refused
from airssys.messaging import ask_again, who_waits
from airssys.nursery import (
    ASK_TIMEOUT,
    Administration,
    PriorityWord,
    TreeNode,
    as_content_type,
    as_expiry,
    as_id,
    as_payload,
    as_priority,
    as_retries,
    as_timeout,
    as_trace,
    find_actor,
    find_supervisor,
    take_snapshot,
)

from ._dead_letters import DEAD_LETTER_BYTES, DEAD_LETTERS_KEPT, DeadLetterStream
from ._event_fanout import EVENTS_KEPT, EventFanout, EventStream
from ._subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys.contracts import (
        ActorEnded,
        Answer,
        Artifact,
        Envelope,
        MessagingError,
        TraceContext,
        Waiting,
    )
    from airssys.messaging import MailboxStatistics

    from ._wiring import Parts

MESSAGES_KEPT: Final = 1000
"""Messages that a subscription keeps for a listener that does not keep up."""

OUTSIDE: Final = ComponentId("local", "outside")
"""The sender of messages that no actor sent."""


@final
class System:
    """The actors of one blueprint while they run; `open_system` makes it.

    Targets are names: a `ComponentId`, or its text, e.g. `greeter`.
    """

    def __init__(self, parts: Parts, events: EventFanout) -> None:
        self._broker, self._registry = parts.broker, parts.registry
        self._root, self._events = parts.root, events
        self._publishing = parts.publishing
        self._subscriptions: list[Subscription] = []
        self._has_ended = False
        self._replacer, self._watches = parts.replacer, parts.watches

    @enable_ki_protection
    def tell(
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        ttl: float | None = None,
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
            trace: the distributed trace that it belongs to, or its traceparent; it goes
                on in whatever is sent while it is handled.

        Raises:
            MailboxFull: there is no room.
            TargetNotFound: nobody of that name is there.
            MessageExpired: the ttl is 0.
            InvalidMessage: the target is no name, the payload no bytes or too many
                (`MessageTooLarge`), the content type no text, the priority, the ttl or
                the trace none.
        """
        self._broker.tell(
            self._sign(target, payload, content_type, priority, ttl, trace)
        )

    @enable_ki_protection
    async def send(
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        ttl: float | None = None,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Deliver a message as soon as there is room.

        Args:
            target: whom to send to.
            payload: the message.
            content_type: the codec of the payload.
            priority: as for `tell`; by default only `high`, `critical` and none wait.
            ttl: as for `tell`; waiting for room counts.
            trace: as for `tell`.

        Raises:
            TargetNotFound: nobody of that name is there.
            MailboxFull: there is no room, and the target's policy is to fail.
            MessageExpired: there was no room within `ttl`.
            InvalidMessage: as for `tell`.
        """
        envelope = self._sign(target, payload, content_type, priority, ttl, trace)
        await self._broker.send(envelope)

    @enable_ki_protection
    async def ask(  # noqa: PLR0913  # what an ask consists of
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        timeout: float = ASK_TIMEOUT,  # noqa: ASYNC109 (part of the message, not only a wait)
        content_type: str | None = None,
        priority: PriorityWord | None = None,
        trace: TraceContext | str | None = None,
        retries: int = 0,
    ) -> bytes | None:
        """Deliver a message and wait for the answer.

        Args:
            target: whom to ask.
            payload: the question.
            timeout: seconds for delivery and answer together.
            content_type: the codec of the payload.
            priority: as for `send`; where another message would be dropped for want
                of room, an ask is refused.
            trace: as for `tell`.
            retries: how often to ask again, within the timeout, if the target crashes
                or stops instead of answering. It may handle the question twice.

        Returns:
            The answer; None if there was nothing to say.

        Raises:
            AskTimedOut: no answer came in time.
            CalleeFailed: it crashed, was stopped, or answered with an error.
            MailboxFull: there is no room, and the target's policy is not to block.
            DeliveryFailed: it was dropped for a newer message.
            TargetNotFound: nobody of that name is there.
            InvalidMessage: what was given is none of these things.
        """
        if retries != 0:
            again = partial(self.ask, target, payload, content_type=content_type)
            ask = partial(again, priority=priority, trace=trace)
            return await ask_again(ask, as_retries(retries), as_timeout(timeout))
        return await self._broker.ask(
            as_id(target),
            OUTSIDE,
            as_payload(payload),
            timeout=as_timeout(timeout),
            content_type=as_content_type(content_type),
            waiter=None,
            priority=None if priority is None else as_priority(priority),
            trace=None if trace is None else as_trace(trace),
        )

    @enable_ki_protection
    async def broadcast(
        self,
        targets: Iterable[ComponentId | str],
        payload: bytes,
        *,
        trace: TraceContext | str | None = None,
    ) -> dict[ComponentId, MessagingError | None]:
        """Deliver a message to each of some actors, once, waiting for room.

        Returns:
            For each target None, or why it did not get it.

        Raises:
            InvalidMessage: a target is no name, or the payload no bytes; nobody has it.
        """
        ids = [as_id(target) for target in targets]
        data = as_payload(payload)
        return await self._publishing.broadcast(OUTSIDE, ids, data, as_trace(trace))

    @enable_ki_protection
    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        trace: TraceContext | str | None = None,
    ) -> None:
        """Send a payload to whoever is subscribed to a topic; also if nobody is.

        Raises:
            BadTopic: it is no topic: segments joined by dots.
            InvalidMessage: the payload is no bytes.
        """
        data = as_payload(payload)
        await self._publishing.publish(OUTSIDE, topic, data, as_trace(trace))

    @enable_ki_protection
    def subscribe(
        self,
        pattern: str,
        *,
        capacity: int = MESSAGES_KEPT,
        lag: Lag = Lag.DROP_OLDEST,
    ) -> Subscription:
        """Listen to what is published to matching topics from now on.

            with system.subscribe("orders.*.paid") as paid:
                async for message in paid:
                    print(message.topic, message.payload)

        Args:
            pattern: segments joined by dots; `*` is any one of them, `#` the rest.
            capacity: messages kept for a listener that does not keep up, 1 or more.
            lag: what happens when there are more.

        Raises:
            BadTopic: it is no pattern.
            ValueError: the capacity is below 1.
        """
        if capacity < 1:
            raise ValueError("a subscription keeps 1 message or more")
        made = Subscription(OUTSIDE, self._publishing, capacity, lag)
        self._publishing.subscriptions.add(pattern, made)
        if self._has_ended:
            made.end()
        self._subscriptions = [s for s in self._subscriptions if not s.is_closed]
        self._subscriptions.append(made)
        return made

    def end_subscriptions(self) -> None:
        """Let each subscription hand out what it kept, and then end."""
        self._has_ended = True
        for subscription in self._subscriptions:
            subscription.end()

    def _sign(
        self,
        target: ComponentId | str,
        payload: bytes,
        content_type: str | None,
        priority: PriorityWord | None,
        ttl: float | None,
        trace: TraceContext | str | None,
    ) -> Envelope:
        return self._broker.sign(
            target if type(target) is ComponentId else as_id(target),
            OUTSIDE,
            payload if type(payload) is bytes else as_payload(payload),
            content_type=None
            if content_type is None
            else as_content_type(content_type),
            priority=None if priority is None else as_priority(priority),
            expires_at=None if ttl is None else as_expiry(ttl),
            trace=None if trace is None else as_trace(trace),
        )

    def find(self, name: ComponentId | str) -> ComponentId | None:
        """Return the identity of an actor that can be reached now, None if it cannot.

        Raises:
            InvalidMessage: the name is none.
        """
        wanted = as_id(name)
        return wanted if wanted in self._registry.ids() else None

    def mailbox(self, name: ComponentId | str) -> MailboxStatistics:
        """Count what is in the mailbox of an actor, and what became of the rest.

        Raises:
            TargetNotFound: nobody of that name is there.
            InvalidMessage: the name is none.
        """
        return self._registry.find(as_id(name)).statistics()

    def tree(self) -> TreeNode:
        """Look at all supervisors and actors as they are now, and at who waits."""
        return take_snapshot(self._root, self.waits())

    def waits(self) -> tuple[Waiting, ...]:
        """Look at who waits for whom now, and what for."""
        return who_waits(self._broker)

    @enable_ki_protection
    async def replace(self, name: ComponentId | str, artifact: Artifact) -> Answer:
        """Put new code in the place of a component while the system runs.

        The new instance is loaded, started and asked how it is while the old one goes
        on. It takes over between two messages; what is queued stays queued. State goes
        over only as far as it is kept in the store. Restarts run the new code, until
        the supervisor is restarted itself: it starts what the blueprint says.

        Cancelling the one who waits does not take the request back.

        Returns:
            `Done`; or `Refused`, and the old code goes on: it is no component, does not
            run, is being replaced already, or the new code was refused, failed to start
            or is unhealthy.

        Raises:
            InvalidMessage: the name is none.
        """
        wanted = as_id(name)
        slot = find_actor(self._root, wanted)
        if slot is None:
            return Refused(Refusal.NOT_FOUND, str(wanted))
        return await self._replacer.replace(slot, artifact).wait()

    @enable_ki_protection
    async def watch(self, name: ComponentId | str) -> ActorEnded:
        """Wait for the end of an actor: of the incarnation that is there, or comes next.

        If nobody of that name is there, that is the answer, at once.

        Raises:
            InvalidMessage: the name is none.
        """
        ends: list[ActorEnded] = []
        is_over = trio.Event()

        def note(end: ActorEnded) -> None:
            ends.append(end)
            is_over.set()

        watch = self._watches.add(as_id(name), note)
        try:
            await is_over.wait()
        finally:
            self._watches.discard(watch)
        return ends[0]

    def supervisor(self, path: str) -> Administration:
        """Administer the children of a supervisor, e.g. `root/workers`.

        Whether there is one is found out at each request, not here.
        """
        return Administration(
            partial(find_supervisor, self._root, path), self._replacer
        )

    def events(self, capacity: int = EVENTS_KEPT) -> EventStream:
        """Listen to what happens from now on; see `EventStream`."""
        return self._events.listen(capacity)

    def dead_letters(
        self, capacity: int = DEAD_LETTERS_KEPT, kept_bytes: int = DEAD_LETTER_BYTES
    ) -> DeadLetterStream:
        """Listen to dead letters from now on, with their payloads.

        Args:
            capacity: how many are kept for a listener that does not keep up.
            kept_bytes: how many bytes of payload are kept for it in total.

        Raises:
            ValueError: one of them is below 1.
        """
        return self._events.dead_letters.listen(capacity, kept_bytes)
