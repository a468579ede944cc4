"""One message to many: to a list of actors, or to whoever is subscribed to its topic.

Those that have room get it at once; only then are those waited for that have none, one
after the other, so that a full one does not keep it from all others. Each delivery is a
message of its own and passes gates and mailbox like any other; only, what becomes of a
published one without room is decided by its subscriber's lag policy alone.

What a subscriber does not get is a dead letter. A publisher is not told: it does not
know who its subscribers are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

import attrs
from trio.lowlevel import (
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    enable_ki_protection,
)

from airssys.contracts import (
    TOPIC_TYPE,
    BadTopic,
    ComponentId,
    DeadReason,
    Envelope,
    Lag,
    MessagingError,
    NotGranted,
)

from ._broker import Broker
from ._topics import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterable


MAX_PATTERNS: Final = 1000
"""Subscriptions that one actor may have."""


class Subscriber(Protocol):
    """Somebody who gets what is published to some topics."""

    @property
    def id(self) -> ComponentId:
        """The target of what it gets."""
        ...

    def offer(self, envelope: Envelope, /) -> bool:
        """Take a message now or lose it; False if the publisher must wait for room."""
        ...

    async def deliver(self, envelope: Envelope, /) -> None:
        """Take a message as soon as there is room; raises nothing of its own."""
        ...


@final
@attrs.define(eq=False, repr=False)
class Publishing:
    """The topics of one system."""

    broker: Broker
    subscriptions: Subscriptions[Subscriber] = attrs.field(
        init=False, factory=Subscriptions
    )

    @enable_ki_protection
    async def publish(self, sender: ComponentId, topic: str, payload: bytes) -> None:
        """Send a payload to whoever is subscribed to a topic now; also if nobody is.

        A checkpoint. If it is cancelled, some of them may have it.

        Raises:
            BadTopic: it is no topic.
        """
        await checkpoint_if_cancelled()
        kind = TOPIC_TYPE + topic if isinstance(topic, str) else None
        waited_for = []
        # Signed once: only the first field, the target, differs.
        _, *rest = self.broker.sign(sender, sender, payload, content_type=kind)
        for subscriber in self.subscriptions.find(topic):
            envelope = tuple.__new__(Envelope, (subscriber.id, *rest))
            if not subscriber.offer(envelope):
                waited_for.append((subscriber, envelope))
        for subscriber, envelope in waited_for:
            await subscriber.deliver(envelope)
        if not waited_for:
            await cancel_shielded_checkpoint()

    @enable_ki_protection
    async def broadcast(
        self, sender: ComponentId, targets: Iterable[ComponentId], payload: bytes
    ) -> dict[ComponentId, MessagingError | None]:
        """Send a payload to each of some actors, once, waiting for room as `send` does.

        A checkpoint. If it is cancelled, some of them may have it.

        Returns:
            For each target None, or why it did not get it.
        """
        await checkpoint_if_cancelled()
        results: dict[ComponentId, MessagingError | None] = dict.fromkeys(targets)
        waited_for = []
        for target in results:
            envelope = self.broker.sign(target, sender, payload)
            try:
                if not self.broker.offer(envelope, may_wait=True):
                    waited_for.append(envelope)
            except MessagingError as error:
                results[target] = error
        for envelope in waited_for:
            try:
                await self.broker.send(envelope)
            except MessagingError as error:
                results[envelope.target] = error
        if not waited_for:
            await cancel_shielded_checkpoint()
        return results


@final
class ActorSubscriber:
    """One incarnation of an actor, and what it is subscribed to."""

    def __init__(self, id: ComponentId, publishing: Publishing) -> None:  # noqa: A002  # as in the contracts
        self.id = id
        self._publishing = publishing
        self._lag = Lag.DROP_NEWEST
        self._has_ended = False

    def subscribe(self, pattern: str, lag: Lag | None = None) -> None:
        """Get what is published to matching topics from now on.

        Raises:
            BadTopic: it is no pattern.
            NotGranted: it has `MAX_PATTERNS` already, or this incarnation has ended.
            ValueError: `lag` is DROP_OLDEST; nothing was changed.
        """
        if lag is Lag.DROP_OLDEST:
            raise ValueError(
                "an actor cannot drop the oldest message: its mailbox also holds "
                "what others sent (choose another Lag)"
            )
        subscriptions = self._publishing.subscriptions
        if self._has_ended:
            raise NotGranted(f"this incarnation of {self.id} has ended")
        if len(subscriptions.patterns_of(self)) >= MAX_PATTERNS:
            raise NotGranted(f"{self.id} has {MAX_PATTERNS} subscriptions already")
        subscriptions.add(pattern, self)
        self._lag = lag or self._lag

    def unsubscribe(self, pattern: str) -> None:
        """End the subscription of exactly this pattern.

        Raises:
            BadTopic: it is no pattern, or none that this actor is subscribed to.
        """
        if not self._publishing.subscriptions.remove(pattern, self):
            raise BadTopic(f"{self.id} is not subscribed to {pattern!r:.80}")

    def close(self) -> None:
        """End all subscriptions for good; doing it again does nothing."""
        self._has_ended = True
        self._publishing.subscriptions.remove_all(self)

    def offer(self, envelope: Envelope) -> bool:
        """Put a message into the mailbox now, as the lag policy says.

        The mailbox's own policy for messages without room does not apply.
        """
        broker, blocks = self._publishing.broker, self._lag is Lag.BLOCK
        try:
            if broker.offer(envelope, may_wait=blocks):
                return True
        except MessagingError as error:
            broker.dead_letter(envelope, f"it was published, and refused: {error}")
            return True
        if blocks:
            return False
        if self._lag is Lag.DISCONNECT:
            self._publishing.subscriptions.remove_all(self)
        why = "it was published, and there was no room"
        broker.dead_letter(envelope, why, reason=DeadReason.NO_ROOM)
        return True

    async def deliver(self, envelope: Envelope) -> None:
        """Put a message into the mailbox as soon as there is room."""
        broker = self._publishing.broker
        try:
            await broker.deliver(envelope)
        except MessagingError as error:
            broker.dead_letter(envelope, f"it was published, and refused: {error}")
