"""What stands in the way of one incarnation: first its grants, then its quotas.

What is not granted uses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from airssys.contracts import Access, Decision, one_line
from airssys.nursery.metering import (
    MeteredBroker,
    MeteredKeyspace,
    MeteredPublishing,
    MeteredSubscriber,
    QuotaGate,
)

from ._guard import (
    Guard,
    GuardedBroker,
    GuardedKeyspace,
    GuardedPublishing,
    GuardedSubscriber,
)

if TYPE_CHECKING:
    from airssys.contracts import ComponentId, Envelope, Keyspace
    from airssys.messaging import ActorSubscriber, Broker, Mailbox, Publishing
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Authority
    from airssys.security.quotas import Account, Shortage

AnySubscriber: TypeAlias = "ActorSubscriber | GuardedSubscriber | MeteredSubscriber"


@final
@attrs.frozen
class Gates:
    """The gates of one incarnation."""

    guard: Guard | None = None
    """None: nothing is refused to it."""
    quota: QuotaGate | None = None
    """None: it may use as much as there is."""

    def broker(self, broker: Broker) -> Broker | GuardedBroker | MeteredBroker:
        """Return the broker, as it may be used."""
        metered = broker if self.quota is None else MeteredBroker(broker, self.quota)
        return metered if self.guard is None else GuardedBroker(metered, self.guard)

    def publishing(
        self, publishing: Publishing
    ) -> Publishing | GuardedPublishing | MeteredPublishing:
        """Return topics and broadcasts, as they may be used."""
        gate, guard = self.quota, self.guard
        metered = publishing if gate is None else MeteredPublishing(publishing, gate)
        return metered if guard is None else GuardedPublishing(metered, guard)

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
