"""What one actor may do, stamped with its name: the host side of the WIT imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts import (
    ComponentConfig,
    ComponentId,
    Logged,
    LogLevel,
    StorageRefused,
)
from airssys.nursery.metering import GuestMeter

from ._actor_messages import ActorMessages, ActorTopics, Sender
from ._gates import OPEN, Gates
from ._guard import UNRESTRICTED, GuardedClock, GuardedDirectory, GuardedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airssys.contracts import (
        Callback,
        Clock,
        Codecs,
        Directory,
        Keyspace,
        Limits,
        Permissions,
    )
    from airssys.messaging import Mailbox
    from airssys.nursery.shared import Shared

_KEY_BYTES: Final = 32
"""What an element of a list counts in `host_call_bytes`, besides its text."""


@final
class ActorServices:
    """The services of one actor (implements `HostServices`)."""

    def __init__(  # noqa: PLR0913  # what an actor's services depend on
        self,
        self_id: ComponentId,
        shared: Shared,
        limits: Limits,
        mailbox: Mailbox,
        log_level: LogLevel = LogLevel.TRACE,
        *,
        codecs: Codecs | None = None,
        gates: Gates = OPEN,
        config: ComponentConfig | None = None,
    ) -> None:
        self.config, self.randomness = config or ComponentConfig(), shared.randomness
        self.environment = self.config.env
        guard = gates.guard
        self.permissions: Permissions = (
            UNRESTRICTED if guard is None else guard.authority
        )
        self.self_id = self_id
        self._sender = sender = Sender(self_id, mailbox, codecs)
        self.messages = ActorMessages(sender, shared, mailbox, limits, gates)
        self.topics = ActorTopics(sender, shared.publishing, gates)
        self.clock: Clock = shared.clock
        self.directory: Directory = shared.directory
        self._gates = gates
        self.meter = None if gates.quota is None else GuestMeter(gates.quota)
        """Counts what the guest does; None: it may do as much as it can."""
        self.cut_time: Callable[[int], int] | None = None
        """Cuts the time of a message to what it may know; None: it may know it."""
        if guard is not None:
            self.clock = clock = GuardedClock(shared.clock, guard)
            self.cut_time = clock.cut
            self.directory = GuardedDirectory(shared.directory, guard)
        self._lines = None if guard is None else GuardedLog(guard)
        self._emit, self._storage, self._limits = shared.events, shared.storage, limits
        self._levels_wanted = log_level.and_above
        self._keyspace: Keyspace | None = None
        """Most actors never use it, and it costs as much as a tenth of a message."""

    def note_taken(self, callback: Callback) -> None:
        """Count the request of a callback as open no longer."""
        self.messages.note_taken(callback)

    def close(self) -> None:
        """Forget the requests and subscriptions of this incarnation, for good."""
        self._sender.is_over = True
        self.topics.close()
        self.messages.close()
        self._gates.close()

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None:
        """Emit a line as an event, unless its level is too low; writes none itself."""
        if level not in self._levels_wanted:
            return
        lines, meter = self._lines, self.meter
        if lines is not None or meter is not None:
            size = len(message.encode()) + sum(len(k) + len(v) for k, v in context)
            if lines is not None and not lines.takes(level.value, size):
                return
            if meter is not None and not meter.note_line(size):
                return
        self._emit(Logged(self.self_id, level, message, tuple(context)))

    @property
    def storage(self) -> Keyspace:
        """What the component keeps."""
        if self._keyspace is None:
            limits = self._limits
            keyspace = self._storage.keyspace(
                self.self_id,
                max_bytes=limits.storage_bytes,
                max_keys=limits.storage_keys,
            )
            keyspace = self._gates.keyspace(keyspace)
            self._keyspace = _BoundedListing(keyspace, limits.host_call_bytes)
        return self._keyspace


@final
class _BoundedListing:
    """A keyspace that lists no more keys than a host call may make the host keep."""

    __slots__ = ("_keyspace", "_most", "delete", "exists", "get", "set", "usage")

    def __init__(self, keyspace: Keyspace, most: int) -> None:
        self._keyspace, self._most = keyspace, most
        self.get, self.set, self.delete = keyspace.get, keyspace.set, keyspace.delete
        self.exists, self.usage = keyspace.exists, keyspace.usage

    def keys(self, prefix: str | None) -> Sequence[str]:
        """Return the keys that begin with a prefix, or all of them, sorted.

        Raises:
            StorageRefused: they take more bytes than a host call may.
        """
        keys, most = self._keyspace.keys(prefix), self._most
        each = len(keys) * _KEY_BYTES
        if each > most or each + sum(map(len, keys)) > most:
            problem = f"{len(keys)} keys are more than {most} bytes (host_call_bytes)"
            raise StorageRefused("io-error", f"{problem}: list fewer, by a prefix")
        return keys
