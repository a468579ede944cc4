"""What an actor with quotas is given in the place of its subscriptions and store.

Each takes from the actor's account, and then calls what it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, final

import trio

from airssys.contracts import QuotaExceeded, StorageRefused
from airssys.security.quotas import Reservation, Shortage

from ._names import STORED, SUBSCRIBED

if TYPE_CHECKING:
    from airssys.contracts import Keyspace, Lag, StorageUsage
    from airssys.messaging import ActorSubscriber

    from ._gate import QuotaGate

Target = TypeVar("Target")


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
        if not self._has_room(amount) and self._keyspace.exists(key):
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

    def _has_room(self, amount: int) -> bool:
        return self._gate.account.has_room({STORED: amount}, trio.current_time())

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
