"""The gates of one actor: what it does passes them if something restricts it.

An actor without restrictions uses broker, topics and services themselves, and pays
nothing. A restricted one is given the objects of this module in their place. Each checks
the actor's authority, whose owner is known from the host's own record, and then calls
what it stands for. What waits is held: if its grant is taken away meanwhile, it is
cancelled, and ends as if it had been refused at first.
"""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, final

import trio

from airssys.contracts import (
    Access,
    BadTopic,
    ComponentId,
    NotGranted,
    StorageRefused,
    Timestamp,
)
from airssys.security.capabilities import LOG, LogLines
from airssys.security.quotas import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airssys.contracts import (
        Clock,
        ComponentInfo,
        Directory,
        Grant,
        Keyspace,
        Lag,
        StorageUsage,
    )
    from airssys.messaging import ActorSubscriber, Mailbox
    from airssys.nursery.metering import MeteredSubscriber
    from airssys.security.authority import Authority, Hold, Verdict

MESSAGING: Final = "messaging"
_STORAGE: Final = "storage"
_SECOND: Final = 1_000_000_000


@final
class Guard:
    """The authority of an actor, at work for one incarnation."""

    def __init__(self, authority: Authority, mailbox: Mailbox) -> None:
        self.authority, self.mailbox = authority, mailbox
        authority.take_account()  # of the incarnation before
        authority.incarnation += 1
        authority.in_hand = lambda: mailbox.in_hand
        self.sends = authority.memo(MESSAGING, "send")
        """The remembered decisions about sending, by target."""

    def check(self, verb: str, resource: str) -> Verdict:
        """Check an access of messaging.

        Raises:
            NotGranted: it is denied.
        """
        return self.authority.check(MESSAGING, verb, resource)

    @contextmanager
    def waiting(self, verdict: Verdict) -> Iterator[None]:
        """Cancel the block when its access is not allowed any more.

        Raises:
            NotGranted: that is what happened.
        """
        scope = trio.CancelScope(deadline=verdict.until)
        hold = self.authority.hold(verdict.access, scope.cancel)
        try:
            with scope:
                yield
        finally:
            self.authority.release(hold)
        if scope.cancelled_caught:
            self.authority.deny(verdict.access)


@final
class _Unrestricted:
    """The permissions of an actor that may do everything (implements `Permissions`)."""

    version = 0

    def check(self, kind: str, verb: str, resource: str = "") -> None:
        """Do nothing: it is allowed."""

    def check_access(self, access: Access) -> None:
        """Do nothing: it is allowed."""

    def holds_any(self, kind: str, *verbs: str) -> bool:  # as of `Permissions`
        """Return True."""
        return True

    def hold(self, access: Access, cancel: Callable[[], object]) -> None:
        """Do nothing: nothing can be taken from it."""

    def release(self, hold: None) -> None:
        """Do nothing."""

    def allows(self, access: Access) -> bool:  # as of `Permissions`
        """Return True."""
        return True

    def grants_of(self, kind: str) -> tuple[Grant, ...]:  # as of `Permissions`
        """Return none: it has no grants of a kind of their own."""
        del kind
        return ()

    def finest(self, kind: str, verb: str) -> float:  # as of `Permissions`
        """Return 0: its clocks may be exact."""
        return 0.0


UNRESTRICTED: Final = _Unrestricted()


@final
class GuardedSubscriber:
    """Subscriptions of a restricted actor: they end with what allows them."""

    def __init__(
        self, subscriber: ActorSubscriber | MeteredSubscriber, guard: Guard
    ) -> None:
        self._subscriber, self._guard = subscriber, guard
        self._holds: dict[str, Hold] = {}

    @property
    def patterns(self) -> tuple[str, ...]:
        """As of `ActorSubscriber`."""
        return self._subscriber.patterns

    def subscribe(self, pattern: str, lag: Lag | None = None) -> None:
        """As of `ActorSubscriber`.

        Raises:
            NotGranted: it may not subscribe to all these topics.
        """
        authority = self._guard.authority
        verdict = authority.check(MESSAGING, "subscribe", pattern)
        self._subscriber.subscribe(pattern, lag)
        if pattern not in self._holds:
            end = lambda: self._end(pattern)  # noqa: E731  # its argument is known here
            self._holds[pattern] = authority.hold(verdict.access, end)

    def unsubscribe(self, pattern: str) -> None:
        """As of `ActorSubscriber`."""
        self._subscriber.unsubscribe(pattern)
        self._release(pattern)

    def close(self) -> None:
        """As of `ActorSubscriber`."""
        for pattern in tuple(self._holds):
            self._release(pattern)
        self._subscriber.close()

    def _end(self, pattern: str) -> None:
        self._holds.pop(pattern, None)
        with suppress(BadTopic):  # it has ended already
            self._subscriber.unsubscribe(pattern)

    def _release(self, pattern: str) -> None:
        hold = self._holds.pop(pattern, None)
        if hold is not None:
            self._guard.authority.release(hold)


@final
class GuardedDirectory:
    """The actors that a restricted one may see; it always sees itself."""

    def __init__(self, directory: Directory, guard: Guard) -> None:
        self._directory, self._authority = directory, guard.authority

    def list_components(self) -> Sequence[ComponentId]:
        """List those that it may see, and itself."""
        authority = self._authority
        return [
            each
            for each in self._directory.list_components()
            if each == authority.actor
            or authority.allows(Access("components", "list", each.text))
        ]

    def component_info(self, target: ComponentId) -> ComponentInfo | None:
        """Look one up; one that it may not see is as if it were not there."""
        if target != self._authority.actor:
            try:
                self._authority.check("components", "metadata", target.text)
            except NotGranted:
                return None
        return self._directory.component_info(target)


@final
class GuardedClock:
    """The time of day, cut to what a restricted actor may know; sleeping is free."""

    def __init__(self, clock: Clock, guard: Guard) -> None:
        self._clock, self._authority = clock, guard.authority
        self.sleep = clock.sleep
        self._version = -1
        self._resolution = math.inf

    def current_time(self) -> Timestamp:
        """Return the time, a multiple of its resolution; 0 if it may not know any."""
        time = self._clock.current_time()
        total = self.cut(time.seconds * _SECOND + time.nanoseconds)
        return Timestamp(*divmod(total, _SECOND))

    def cut(self, time: int) -> int:
        """Cut a time in nanoseconds, such as that of a message, to what it may know."""
        if self._version != self._authority.version:
            self._version = self._authority.version
            self._resolution = self._authority.finest("clock", "wall")
        if self._resolution == 0:
            return time
        if self._resolution == math.inf:
            return 0
        return time // (step := max(1, round(self._resolution * _SECOND))) * step


@final
class GuardedLog:
    """The lines that a restricted component may write."""

    def __init__(self, guard: Guard) -> None:
        self._authority = guard.authority
        self._version = -1
        self._rates: dict[str, float] = {}

    def takes(self, level: str, size: int) -> bool:
        """Decide about a line of this size in bytes; one that is denied is reported."""
        authority = self._authority
        try:
            authority.check(LOG, "emit", level)
            if self._version != authority.version:
                self._version = authority.version
                self._rates = {}
            rate = self._rates.get(level)
            if rate is None:
                rate = self._rates[level] = self._rate(level)
            if rate < math.inf and not self._has_room(int(rate), size):
                authority.deny(Access(LOG, "emit", f"{level} {rate + 1:.0f}"))
        except NotGranted:
            return False
        return True

    def _rate(self, level: str) -> float:
        """How many bytes a second it may log at a level: the most that is allowed."""
        authority = self._authority
        rates = {p.most for p in authority.patterns() if isinstance(p, LogLines)}
        for rate in sorted(rates | {math.inf}, reverse=True):
            if authority.allows(Access(LOG, "emit", f"{level} {rate:.0f}")):
                return rate
        return 0.0

    def _has_room(self, rate: int, size: int) -> bool:
        bucket, now = self._authority.lines, trio.current_time()
        if bucket is None:
            bucket = self._authority.lines = Rate(rate)
        if bucket.limit != rate:
            bucket.change(rate, None)
        if bucket.wait_for(size, now):
            return False
        bucket.take(size, now)
        return True


@final
class GuardedKeyspace:
    """What a restricted component keeps: it reaches only the keys it is granted."""

    def __init__(self, keyspace: Keyspace, guard: Guard) -> None:
        self._keyspace, self._authority = keyspace, guard.authority

    def _check(self, verb: str, key: str) -> None:
        try:
            self._authority.check(_STORAGE, verb, key)
        except NotGranted as error:
            raise StorageRefused("io-error", str(error)) from error

    def get(self, key: str) -> bytes | None:
        """As of `Keyspace`; refused without a grant to read the key."""
        self._check("read", key)
        return self._keyspace.get(key)

    def set(self, key: str, value: bytes) -> None:
        """As of `Keyspace`; refused without a grant to write the key."""
        self._check("write", key)
        self._keyspace.set(key, value)

    def delete(self, key: str) -> None:
        """As of `Keyspace`; refused without a grant to delete the key."""
        self._check("delete", key)
        self._keyspace.delete(key)

    def exists(self, key: str) -> bool:
        """As of `Keyspace`; refused without a grant to read the key."""
        self._check("read", key)
        return self._keyspace.exists(key)

    def keys(self, prefix: str | None) -> Sequence[str]:
        """List the keys that it may read."""
        allows = self._authority.allows
        keys = self._keyspace.keys(prefix)
        return [key for key in keys if allows(Access(_STORAGE, "read", key))]

    def usage(self) -> StorageUsage:
        """As of `Keyspace`: how much it uses may be known to it."""
        return self._keyspace.usage()
