"""What an actor with quotas is given in the place of broker, topics and store.

Each takes from the actor's account, and then calls what it stands for. What is sent
counts whether it arrives or not, because trying costs the host as much.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias, TypedDict, TypeVar, final

import trio

from airssys.contracts import QuotaExceeded, StorageRefused
from airssys.security.quotas import Reservation, Shortage

from ._names import FAN_OUT, MESSAGES, STORED, SUBSCRIBED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Unpack

    from airssys.contracts import (
        CheckedOptions,
        ComponentId,
        Envelope,
        Keyspace,
        Lag,
        StorageUsage,
        TraceContext,
    )
    from airssys.messaging import ActorSubscriber, Broker, Outcomes, Publishing

    from ._gate import QuotaGate

Target = TypeVar("Target")
Post: TypeAlias = (
    "Callable[[ComponentId, ComponentId, bytes, TraceContext | None], None]"
)


class BroadcastOptions(TypedDict, total=False):
    """Options of `Publishing.broadcast`."""

    content_type: str | None
    trace: TraceContext | None
    is_held_up: bool
    most_errors: float


@final
class MeteredBroker:
    """The broker, for an actor with quotas."""

    def __init__(self, broker: Broker, gate: QuotaGate) -> None:
        self.unmetered, self.quota = broker, gate
        self.sign, self.registry = broker.sign, broker.registry
        self.post = _meter_of_posts(broker, gate)
        """As of `Broker`; raises QuotaExceeded or StoppedByQuota if there is no room."""

    def keeps_up(self, target: ComponentId) -> bool:
        """Whether a message can be sent without waiting."""
        return self.unmetered.keeps_up(target) and self.quota.has_room()

    def tell(self, envelope: Envelope) -> None:
        """As of `Broker`; refused where there is no room.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        self.quota.take_message()
        self.unmetered.tell(envelope)

    async def send(self, envelope: Envelope, *is_held_up: Callable[[], bool]) -> None:
        """As of `Broker`, when there is room.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        await self.quota.wait_to_send()
        await self.unmetered.send(envelope, *is_held_up)

    async def ask(
        self,
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        *,
        timeout: float,
        waiter: ComponentId | None,
        useless_after: float | None = None,
        **options: Unpack[CheckedOptions],
    ) -> bytes | None:
        """As of `Broker`, when there is room; waiting for that is part of the timeout.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room in time.
        """
        waited = await self.quota.wait_to_send(most=timeout)
        return await self.unmetered.ask(
            target,
            sender,
            payload,
            timeout=timeout - waited,
            waiter=waiter,
            useless_after=useless_after,
            **options,
        )


def _meter_of_posts(broker: Broker, gate: QuotaGate) -> Post:
    """Return what sends if there is room: a function, because most sends come this way."""
    post, take = broker.post, gate.take_message

    def metered(
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        trace: TraceContext | None,
    ) -> None:
        if gate.credit:
            gate.credit -= 1
        else:
            take()
        post(target, sender, payload, trace)

    return metered


@final
class MeteredPublishing:
    """Topics and broadcasts, for an actor with quotas."""

    def __init__(self, publishing: Publishing, gate: QuotaGate) -> None:
        self._publishing, self._gate = publishing, gate

    async def publish(
        self,
        sender: ComponentId,
        topic: str,
        payload: bytes,
        trace: TraceContext | None = None,
        *,
        is_held_up: bool = True,
    ) -> None:
        """As of `Publishing`, when there is room for as many messages as subscribers.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        copies = len(self._publishing.subscriptions.find(topic))
        if copies > 1:
            self._gate.take(FAN_OUT, copies).roll_back()
        await self._gate.wait_to_send(max(1, copies))
        await self._publishing.publish(
            sender, topic, payload, trace, is_held_up=is_held_up
        )

    async def broadcast(
        self,
        sender: ComponentId,
        targets: Iterable[Target],
        payload: bytes,
        identify: Callable[[Target], ComponentId],
        **options: Unpack[BroadcastOptions],
    ) -> Outcomes[Target]:
        """As of `Publishing`, when there is room for a message; then all are counted.

        Targets beyond the fan-out do not get it, nor those for which there is no room
        where that means a refusal.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        gate = self._gate
        await gate.wait_to_send()
        meter, only_delays, copies = gate.account.meter(FAN_OUT), gate.only_delays, 0
        most = math.inf if meter is None else meter.limit

        def counted(target: Target) -> ComponentId:
            nonlocal copies
            found = identify(target)
            if copies >= most:
                raise QuotaExceeded(gate.account.name, FAN_OUT, 1, most, math.inf)
            if copies and not only_delays:
                gate.take_message()
            copies += 1
            return found

        try:
            return await self._publishing.broadcast(
                sender, targets, payload, counted, **options
            )
        finally:
            if only_delays and copies > 1:
                gate.charge({MESSAGES: copies - 1})


@final
class MeteredSubscriber:
    """Subscriptions of an actor with quotas."""

    def __init__(self, subscriber: ActorSubscriber, gate: QuotaGate) -> None:
        self._subscriber, self._gate = subscriber, gate

    @property
    def patterns(self) -> tuple[str, ...]:
        """As of `ActorSubscriber`."""
        return self._subscriber.patterns

    def subscribe(self, pattern: str, lag: Lag | None = None) -> None:
        """As of `ActorSubscriber`.

        Raises:
            QuotaExceeded, StoppedByQuota: it has as many as it may.
        """
        self._gate.keep(SUBSCRIBED, 1)
        try:
            self._subscriber.subscribe(pattern, lag)
        finally:
            self._count()

    def unsubscribe(self, pattern: str) -> None:
        """As of `ActorSubscriber`."""
        self._subscriber.unsubscribe(pattern)
        self._count()

    def close(self) -> None:
        """As of `ActorSubscriber`."""
        self._subscriber.close()
        self._count()

    def _count(self) -> None:
        self._gate.keep_at_most(SUBSCRIBED, len(self._subscriber.patterns))


@final
class MeteredKeyspace:
    """What a component with quotas keeps."""

    def __init__(self, keyspace: Keyspace, gate: QuotaGate) -> None:
        self._keyspace, self._gate = keyspace, gate
        self.get, self.exists = keyspace.get, keyspace.exists
        self.keys = keyspace.keys
        self._note_what_is_there()

    def _note_what_is_there(self) -> None:
        """Count what it keeps from before; its account may know it already."""
        account, now = self._gate.account, trio.current_time()
        own = account.meter(STORED)
        known = 0 if own is None else round(own.used(now))
        stored = self._keyspace.usage().used_bytes
        if stored > known:
            self._gate.report(account.charge({STORED: stored - known}, now))
        else:
            account.give_back(STORED, known - stored)

    def set(self, key: str, value: bytes) -> None:
        """As of `Keyspace`.

        Raises:
            StorageRefused, StoppedByQuota: there is no room.
        """
        amount = len(key.encode(errors="replace")) + len(value)
        before = self._keyspace.usage().used_bytes
        found = self._reserve(amount)
        if isinstance(found, Shortage) and self._keyspace.exists(key):
            old = self._keyspace.get(key)
            amount = max(0, len(value) - len(old or b""))  # what it grows by
            found = self._reserve(amount)
        if isinstance(found, Shortage):
            try:
                self._gate.refuse(found)
            except QuotaExceeded as error:
                raise StorageRefused("quota-exceeded", str(error)) from error
        with found:
            self._keyspace.set(key, value)
        self._gate.report(found.warned)
        grown = self._keyspace.usage().used_bytes - before
        self._gate.account.give_back(STORED, max(0, amount - grown))

    def _reserve(self, amount: int) -> Reservation | Shortage:
        """Take room for bytes; what needs none is never refused."""
        if amount == 0:
            return Reservation((), ())
        return self._gate.account.reserve({STORED: amount}, trio.current_time())

    def delete(self, key: str) -> None:
        """As of `Keyspace`."""
        before = self._keyspace.usage().used_bytes
        self._keyspace.delete(key)
        less = before - self._keyspace.usage().used_bytes
        self._gate.account.give_back(STORED, max(0, less))

    def usage(self) -> StorageUsage:
        """As of `Keyspace`."""
        return self._keyspace.usage()
