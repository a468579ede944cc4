"""What one actor sends: messages and what it publishes, stamped with its name.

The sender of what it sends is always the actor itself, whatever the guest says. What it
sends while it handles a message carries the trace of that message on. What it asks has
its own time: a call goes on when its asker waits no longer, and so does what it asks.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, final

from airssys.contracts import BroadcastFailed, InvalidMessage, NotGranted
from airssys.messaging import ActorSubscriber, OpenRequests, content_type_sent
from airssys.nursery.metering import REQUESTS

from ._gates import OPEN, AnySubscriber, Gates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys.contracts import (
        Callback,
        Codecs,
        ComponentId,
        Envelope,
        Limits,
        TraceContext,
    )
    from airssys.messaging import Broker, Mailbox, Publishing
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Hold

_ERRORS_REPORTED: Final = 100
"""Of one broadcast, each by itself; a guest gets no more than a text."""


@final
class Sender:
    """One incarnation of an actor, as the one that messages come from."""

    __slots__ = ("_codecs", "_mailbox", "id", "is_over")

    def __init__(
        self, self_id: ComponentId, mailbox: Mailbox, codecs: Codecs | None
    ) -> None:
        self.id = self_id
        self._mailbox, self._codecs = mailbox, codecs
        self.is_over = False
        """Whether this incarnation has ended: it begins nothing that would outlast it."""

    @property
    def trace(self) -> TraceContext | None:
        """The trace of the message that the actor handles now, which goes on."""
        handled = self._mailbox.in_hand
        return None if handled is None else handled.trace

    def content_type(self, payload: bytes) -> str | None:
        """The content type of what it sends; refuses a payload without a prefix that needs one."""
        return content_type_sent(self.id, payload, self._codecs)

    def check_alive(self) -> None:
        """See that this incarnation goes on.

        Raises:
            NotGranted: it has ended.
        """
        if self.is_over:
            raise NotGranted(f"this incarnation of {self.id} has ended")


@final
class ActorMessages:
    """What one actor sends and asks (implements `Messages`)."""

    __slots__ = (
        "_broker",
        "_guard",
        "_holds",
        "_limits",
        "_mailbox",
        "_publishing",
        "_quota",
        "_requests",
        "_sender",
        "_unguarded",
    )

    def __init__(
        self,
        sender: Sender,
        shared: Shared,
        mailbox: Mailbox,
        limits: Limits,
        gates: Gates = OPEN,
    ) -> None:
        self._sender, self._mailbox, self._limits = sender, mailbox, limits
        self._guard, self._quota = gates.guard, gates.quota
        self._broker = gates.broker(shared.broker)
        self._publishing = gates.publishing(shared.publishing)
        self._unguarded: Broker = shared.broker
        """For requests, which are checked here."""
        # Most actors never use it, and it costs as much as a tenth of a message.
        self._requests: OpenRequests | None = None
        self._holds: dict[str, Hold] = {}
        """By request: what ends it with what allows it."""

    def note_taken(self, callback: Callback) -> None:
        """Count the request of a callback as open no longer."""
        if self._requests is not None:
            self._requests.note_taken(callback)
            self._count_requests()
            if self._holds and callback.correlation_id is not None:
                self._release(callback.correlation_id)

    def _count_requests(self) -> None:
        if self._quota is not None and self._requests is not None:
            self._quota.keep_at_most(REQUESTS, self._requests.count)

    @property
    def has_open_requests(self) -> bool:
        """Whether a callback is still to come, or to be handled."""
        return self._requests is not None and self._requests.count > 0

    def close(self) -> None:
        """Forget the requests of this incarnation, for good."""
        if self._requests is not None:
            self._requests.close()
            for request_id in tuple(self._holds):
                self._release(request_id)

    async def send(self, target: ComponentId, payload: bytes) -> None:
        """Deliver a message, waiting for room."""
        message = self._sign(target, payload)
        await self._broker.send(message)

    def send_at_once(self, target: ComponentId, payload: bytes) -> bool:
        """Deliver a message unless its receiver has fallen behind; False: nothing was done."""
        if not self._broker.keeps_up(target):
            return False
        self._broker.tell(self._sign(target, payload))
        return True

    async def ask(self, target: ComponentId, payload: bytes, timeout: float) -> bytes:
        """Ask and wait for the answer; an empty one if there was nothing to say."""
        sender = self._sender
        kind = sender.content_type(payload)
        answer = await self._broker.ask(
            target,
            sender.id,
            payload,
            timeout=timeout,
            content_type=kind,
            waiter=sender.id,
            trace=sender.trace,
        )
        return b"" if answer is None else answer

    def request(self, target: ComponentId, payload: bytes, timeout: float) -> str:
        """Deliver a message now or not at all; its answer comes as a callback."""
        guard = self._guard
        if guard is None:
            return self._request(target, payload, timeout)
        access = guard.check("request", target.text).access
        made = self._request(target, payload, timeout)
        end = partial(self._end_request, made)
        self._holds[made] = guard.authority.hold(access, end)
        return made

    def _request(self, target: ComponentId, payload: bytes, timeout: float) -> str:
        kind = self._sender.content_type(payload)
        requests, quota = self._open_requests, self._quota
        if quota is None:
            return requests.request(target, payload, timeout, content_type=kind)
        quota.keep(REQUESTS, 1)
        try:
            quota.take_message()
            return requests.request(target, payload, timeout, content_type=kind)
        finally:
            self._count_requests()

    def _end_request(self, request_id: str) -> None:
        self._holds.pop(request_id, None)
        with suppress(InvalidMessage):  # it was answered
            self._open_requests.cancel(request_id)

    def _release(self, request_id: str) -> None:
        hold = self._holds.pop(request_id, None)
        if hold is not None and self._guard is not None:
            self._guard.authority.release(hold)

    def cancel_request(self, request_id: str) -> None:
        """Give up on a request; its callback says so."""
        self._open_requests.cancel(request_id)
        self._count_requests()

    async def broadcast(self, targets: Iterable[ComponentId], payload: bytes) -> None:
        """Deliver a message to each target, waiting for room.

        Raises:
            BroadcastFailed: it did not reach all of them.
        """
        sender = self._sender
        kind = sender.content_type(payload)
        identify = self._broker.registry.identify
        outcomes = await self._publishing.broadcast(
            sender.id,
            # A guest may name thousands that do not exist. As texts, they do not make
            # the garbage collector stop the thread.
            (target.text for target in targets),
            payload,
            identify,
            content_type=kind,
            trace=sender.trace,
            most_errors=_ERRORS_REPORTED,
        )
        refused = outcomes.refused.items()
        if refused:
            failures = {identify(text): error for text, error in refused}
            raise BroadcastFailed(failures, outcomes.more)

    @property
    def _open_requests(self) -> OpenRequests:
        if self._requests is None:
            self._sender.check_alive()
            limits = self._limits
            self._requests = OpenRequests(
                self._unguarded,
                self._mailbox,
                limits.open_requests,
                limits.request_bytes,
            )
        return self._requests

    def _sign(self, target: ComponentId, payload: bytes) -> Envelope:
        sender = self._sender
        kind = sender.content_type(payload)
        return self._broker.sign(
            target, sender.id, payload, content_type=kind, trace=sender.trace
        )


@final
class ActorTopics:
    """What one actor publishes and is subscribed to (implements `Topics`)."""

    __slots__ = ("_gates", "_publishing", "_sender", "_subscriber", "_unguarded")

    def __init__(
        self, sender: Sender, publishing: Publishing, gates: Gates = OPEN
    ) -> None:
        self._sender, self._unguarded, self._gates = sender, publishing, gates
        self._publishing = gates.publishing(publishing)
        self._subscriber: AnySubscriber | None = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """What it has subscribed itself to."""
        return () if self._subscriber is None else self._subscriber.patterns

    def close(self) -> None:
        """Forget the subscriptions of this incarnation, for good."""
        if self._subscriber is not None:
            self._subscriber.close()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send a payload to all subscribers of a topic."""
        sender = self._sender
        sender.content_type(payload)  # refuses one without a prefix that needs one
        await self._publishing.publish(sender.id, topic, payload, sender.trace)

    def subscribe(self, pattern: str) -> None:
        """Get what is published to matching topics; what finds no room is lost."""
        self._subscriptions.subscribe(pattern)

    def unsubscribe(self, pattern: str) -> None:
        """End the subscription of exactly this pattern."""
        self._subscriptions.unsubscribe(pattern)

    @property
    def _subscriptions(self) -> AnySubscriber:
        if self._subscriber is None:
            self._sender.check_alive()
            own = ActorSubscriber(self._sender.id, self._unguarded)
            self._subscriber = self._gates.subscriber(own)
        return self._subscriber
