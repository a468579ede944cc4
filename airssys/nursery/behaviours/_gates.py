"""What stands in the way of one incarnation: first its grants, then its quotas.

What is not granted uses nothing. What is sent counts whether it arrives or not, because
trying costs the host as much.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TypeAlias, TypedDict, TypeVar, final

import attrs
import trio

from airssys.contracts import Access, Decision, QuotaExceeded, one_line
from airssys.nursery.metering import (
    FAN_OUT,
    MESSAGES,
    MeteredKeyspace,
    MeteredSubscriber,
    QuotaGate,
)

from ._guard import MESSAGING, Guard, GuardedKeyspace, GuardedSubscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from typing import Unpack

    from airssys.contracts import (
        CheckedOptions,
        ComponentId,
        Envelope,
        Keyspace,
        TraceContext,
    )
    from airssys.messaging import (
        ActorSubscriber,
        Broker,
        Mailbox,
        Outcomes,
        Publishing,
    )
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Authority
    from airssys.security.quotas import Account, Shortage

Target = TypeVar("Target")
Post: TypeAlias = (
    "Callable[[ComponentId, ComponentId, bytes, TraceContext | None], None]"
)
AnySubscriber: TypeAlias = "ActorSubscriber | GuardedSubscriber | MeteredSubscriber"


@final
@attrs.frozen
class Gates:
    """The gates of one incarnation."""

    guard: Guard | None = None
    """None: nothing is refused to it."""
    quota: QuotaGate | None = None
    """None: it may use as much as there is."""

    def broker(self, broker: Broker) -> Broker | GatedBroker:
        """Return the broker, as it may be used."""
        return broker if self is OPEN else GatedBroker(broker, self)

    def publishing(self, publishing: Publishing) -> Publishing | GatedPublishing:
        """Return topics and broadcasts, as they may be used."""
        return publishing if self is OPEN else GatedPublishing(publishing, self)

    def holding(self, verb: str, resource: str) -> AbstractContextManager[None]:
        """Check an access of messaging, and cancel the block when it is not allowed any more.

        Raises:
            NotGranted: it is denied, at once or later.
        """
        guard = self.guard
        if guard is None:
            return nullcontext()
        return guard.waiting(guard.check(verb, resource))

    def subscriber(self, own: ActorSubscriber) -> AnySubscriber:
        """Return what it subscribes itself by."""
        metered = own if self.quota is None else MeteredSubscriber(own, self.quota)
        return metered if self.guard is None else GuardedSubscriber(metered, self.guard)

    def keyspace(self, keyspace: Keyspace) -> Keyspace:
        """Return what it keeps, as it may be used."""
        if self.quota is not None:
            keyspace = MeteredKeyspace(keyspace, self.quota)
        return keyspace if self.guard is None else GuardedKeyspace(keyspace, self.guard)

    def close(self) -> None:
        """Give back what this incarnation had in use."""
        if self.quota is not None:
            self.quota.close()


OPEN: Final = Gates()
"""For one that may do and use everything."""


@final
class GatedBroker:
    """The broker, as an actor with grants or quotas may use it.

    All methods raise what those of `Broker` do, and also:

    Raises:
        NotGranted: it may not reach the target, or may not any more.
        QuotaExceeded, StoppedByQuota: there is no room, or not in time.
    """

    def __init__(self, broker: Broker, gates: Gates) -> None:
        self._broker, self._gates = broker, gates
        self.sign, self.registry = broker.sign, broker.registry
        self.post = _gate_of_posts(gates, broker.post)

    def keeps_up(self, target: ComponentId) -> bool:
        """Whether a message can be sent without waiting."""
        quota = self._gates.quota
        return self._broker.keeps_up(target) and (quota is None or quota.has_room())

    def tell(self, envelope: Envelope) -> None:
        """As of `Broker`."""
        guard, quota = self._gates.guard, self._gates.quota
        if guard is not None:
            guard.check("send", envelope.target.text)
        if quota is not None:
            quota.take_message()
        self._broker.tell(envelope)

    async def send(self, envelope: Envelope, *is_held_up: Callable[[], bool]) -> None:
        """As of `Broker`, when there is room."""
        quota = self._gates.quota
        with self._gates.holding("send", envelope.target.text):
            if quota is not None:
                await quota.wait_to_send()
            await self._broker.send(envelope, *is_held_up)

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
        """As of `Broker`, when there is room; waiting for that is part of the timeout."""
        quota = self._gates.quota
        with self._gates.holding("ask", target.text):
            if quota is not None:
                timeout -= await quota.wait_to_send(most=timeout)
            return await self._broker.ask(
                target,
                sender,
                payload,
                timeout=timeout,
                waiter=waiter,
                useless_after=useless_after,
                **options,
            )


@final
class _NoQuota:
    """Stands for the gate of quotas where there are none."""

    credit: float = math.inf

    def take_message(self) -> None:
        """Do nothing: there is always credit."""


def _gate_of_posts(gates: Gates, post: Post) -> Post:
    """Return what sends if the actor may: functions, because most sends come this way.

    Most decisions are remembered. They are counted only if there is a recorder. The
    quota is taken here too: another function in between takes as long as a decision.
    """
    guard, quota = gates.guard, gates.quota or _NoQuota()
    if guard is None:
        return _metering(quota, post)
    make = _counting if guard.authority.is_recorded else _deciding
    return make(guard, quota, post)


def _metering(quota: QuotaGate | _NoQuota, post: Post) -> Post:
    take_message = quota.take_message

    def metered(
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        trace: TraceContext | None,
    ) -> None:
        if quota.credit:
            quota.credit -= 1
        else:
            take_message()
        post(target, sender, payload, trace)

    return metered


def _deciding(guard: Guard, quota: QuotaGate | _NoQuota, post: Post) -> Post:
    sends, check, take_message = guard.sends, guard.check, quota.take_message

    def decided(
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        trace: TraceContext | None,
    ) -> None:
        if target.text not in sends:
            check("send", target.text)
        if quota.credit:
            quota.credit -= 1
        else:
            take_message()
        post(target, sender, payload, trace)

    return decided


def _counting(guard: Guard, quota: QuotaGate | _NoQuota, post: Post) -> Post:
    sends, check, take_message = guard.sends, guard.check, quota.take_message
    mailbox, turn = guard.mailbox, guard.authority.turn

    def counted(
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        trace: TraceContext | None,
    ) -> None:
        try:
            verdict = sends[target.text]
        except KeyError:
            check("send", target.text)
        else:
            handled = mailbox.in_hand
            by = None if handled is None else handled.sender
            if by is not verdict.sender:
                turn(verdict, by)
            verdict.uses += 1
        if quota.credit:
            quota.credit -= 1
        else:
            take_message()
        post(target, sender, payload, trace)

    return counted


class BroadcastOptions(TypedDict, total=False):
    """Options of `Publishing.broadcast`."""

    content_type: str | None
    trace: TraceContext | None
    is_held_up: bool
    most_errors: float


@final
class GatedPublishing:
    """Topics and broadcasts, as an actor with grants or quotas may use them.

    Both methods raise what those of `Publishing` do, and also:

    Raises:
        NotGranted: it may not reach the topic or the targets, or may not any more.
        QuotaExceeded, StoppedByQuota: there is no room.
    """

    def __init__(self, publishing: Publishing, gates: Gates) -> None:
        self._publishing, self._gates = publishing, gates

    async def publish(
        self,
        sender: ComponentId,
        topic: str,
        payload: bytes,
        trace: TraceContext | None = None,
        *,
        is_held_up: bool = True,
    ) -> None:
        """As of `Publishing`, when there is room for as many messages as subscribers."""
        quota = self._gates.quota
        with self._gates.holding("publish", topic):
            if quota is not None:
                copies = len(self._publishing.subscriptions.find(topic))
                if copies > 1:
                    quota.take(FAN_OUT, copies).roll_back()
                await quota.wait_to_send(max(1, copies))
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
        """As of `Publishing`; a target that is denied does not get the message.

        It waits until there is room for a message; then all are counted. Targets beyond the
        fan-out do not get it, nor those for which there is no room where that means a
        refusal. When a target may not be reached any more, those that had no room yet do
        not get it.
        """
        guard = self._gates.guard
        if guard is None:
            return await self._counted(sender, targets, payload, identify, options)
        authority, access = guard.authority, Access(MESSAGING, "broadcast")
        reached: list[str] = []

        def permitted(target: Target) -> ComponentId:
            found = identify(target)
            guard.check("broadcast", found.text)
            reached.append(found.text)
            return found

        with trio.CancelScope() as scope:
            hold = authority.hold(access, scope.cancel, reached)
            try:
                return await self._counted(sender, targets, payload, permitted, options)
            finally:
                authority.release(hold)
        gone = (each for each in hold.accesses() if not authority.allows(each))
        return authority.deny(next(gone, access))

    async def _counted(
        self,
        sender: ComponentId,
        targets: Iterable[Target],
        payload: bytes,
        identify: Callable[[Target], ComponentId],
        options: BroadcastOptions,
    ) -> Outcomes[Target]:
        send, gate = self._publishing.broadcast, self._gates.quota
        if gate is None:
            return await send(sender, targets, payload, identify, **options)
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
            return await send(sender, targets, payload, counted, **options)
        finally:
            if only_delays and copies > 1:
                gate.charge({MESSAGES: copies - 1})


def open_gates(
    actor: ComponentId,
    shared: Shared,
    mailbox: Mailbox,
    authority: Authority | None,
    account: Account | None,
) -> Gates:
    """Set up the gates of one incarnation."""
    guard = None if authority is None else Guard(authority, mailbox)
    if account is None:
        return OPEN if guard is None else Gates(guard)
    recorder = shared.recorder
    number = 0 if authority is None else authority.incarnation

    def note(short: Shortage) -> None:
        if recorder is not None:
            recorder.note_decision(_decision(short, actor, number, mailbox.in_hand))

    return Gates(guard, QuotaGate(account, actor, shared.events, note))


def _decision(
    short: Shortage, actor: ComponentId, incarnation: int, handled: Envelope | None
) -> Decision:
    """Describe a refusal for the audit log."""
    trace = None if handled is None else handled.trace
    return Decision(
        actor,
        incarnation,
        Access("quota", short.action.value, short.quota),
        allowed=False,
        rule=one_line(f"{short.quota} of {short.account} is used up: {short.limit:g}"),
        on_behalf_of=None if handled is None else handled.sender,
        correlation=None if handled is None else handled.correlation_id,
        trace=None if trace is None else trace.traceparent,
    )
