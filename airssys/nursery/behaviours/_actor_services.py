"""What one actor may do, stamped with its name: the host side of the WIT imports.

The sender of what it sends is always the actor itself, whatever the guest says. What it
sends while it handles a message carries the trace of that message on. What it asks has
its own time: a call goes on when its asker waits no longer, and so does what it asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts import (
    BroadcastFailed,
    ComponentId,
    ComponentInfo,
    Logged,
    LogLevel,
    NotGranted,
    StorageRefused,
    Timestamp,
    TraceContext,
)
from airssys.messaging import ActorSubscriber, OpenRequests, content_type_sent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airssys.contracts import Callback, Codecs, Envelope, Keyspace, Limits
    from airssys.messaging import Mailbox
    from airssys.nursery.shared import Shared

_NANOSECONDS: Final = 1_000_000_000
_KEY_BYTES: Final = 32
"""What an element of a list counts in `host_call_bytes`, besides its text."""
_ERRORS_TOLD: Final = 1000
"""Of one broadcast, each by itself; a guest gets no more than a text."""


@final
class ActorServices:
    """The services of one actor (implements `HostServices`)."""

    def __init__(
        self,
        self_id: ComponentId,
        shared: Shared,
        limits: Limits,
        mailbox: Mailbox,
        log_level: LogLevel = LogLevel.TRACE,
        *,
        codecs: Codecs | None = None,
    ) -> None:
        self._self_id, self._surroundings = self_id, shared
        self._broker = shared.broker
        self._limits, self._mailbox = limits, mailbox
        self._levels_wanted = log_level.and_above
        self._codecs = codecs
        # Most actors never use these, and each costs as much as a tenth of a message.
        self._keyspace: Keyspace | None = None
        self._subscriber: ActorSubscriber | None = None
        self._requests: OpenRequests | None = None
        self._is_over = False

    def note_taken(self, callback: Callback) -> None:
        """Count the request of a callback as open no longer."""
        if self._requests is not None:
            self._requests.note_taken(callback)

    def close(self) -> None:
        """Forget the requests and subscriptions of this incarnation, for good."""
        self._is_over = True
        if self._subscriber is not None:
            self._subscriber.close()
        if self._requests is not None:
            self._requests.close()

    @property
    def _trace(self) -> TraceContext | None:
        """The trace of the message that the actor handles now, which goes on."""
        handled = self._mailbox.in_hand
        return None if handled is None else handled.trace

    @property
    def _open_requests(self) -> OpenRequests:
        if self._requests is None:
            self._check_alive()
            limits = self._limits
            self._requests = OpenRequests(
                self._broker, self._mailbox, limits.open_requests, limits.request_bytes
            )
        return self._requests

    @property
    def _subscriptions(self) -> ActorSubscriber:
        if self._subscriber is None:
            self._check_alive()
            publishing = self._surroundings.publishing
            self._subscriber = ActorSubscriber(self._self_id, publishing)
        return self._subscriber

    def _check_alive(self) -> None:
        if self._is_over:
            raise NotGranted(f"this incarnation of {self._self_id} has ended")

    def self_id(self) -> ComponentId:
        """Return the actor's own name."""
        return self._self_id

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
        me, kind = self._self_id, self._content_type(payload)
        answer = await self._broker.ask(
            target,
            me,
            payload,
            timeout=timeout,
            content_type=kind,
            waiter=me,
            trace=self._trace,
        )
        return b"" if answer is None else answer

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None:
        """Emit a line as an event, unless its level is too low; writes none itself."""
        if level not in self._levels_wanted:
            return
        line = Logged(self._self_id, level, message, tuple(context))
        self._surroundings.events(line)

    def current_time(self) -> Timestamp:
        """Read the wall clock."""
        return Timestamp(*divmod(self._surroundings.wall_clock(), _NANOSECONDS))

    async def sleep(self, seconds: float) -> None:
        """Sleep on Trio's clock."""
        await self._surroundings.sleepers.sleep(seconds)

    def list_components(self) -> Sequence[ComponentId]:
        """Return all names that can be reached now, sorted."""
        return self._surroundings.registry.ids()

    def component_info(self, target: ComponentId) -> ComponentInfo | None:
        """Return what an actor told of itself, None if it cannot be reached."""
        return self._surroundings.infos.get(target)

    def request(self, target: ComponentId, payload: bytes, timeout: float) -> str:
        """Deliver a message now or not at all; its answer comes as a callback."""
        kind = self._content_type(payload)
        return self._open_requests.request(target, payload, timeout, content_type=kind)

    def cancel_request(self, request_id: str) -> None:
        """Give up on a request; its callback says so."""
        self._open_requests.cancel(request_id)

    async def broadcast(self, targets: Iterable[ComponentId], payload: bytes) -> None:
        """Deliver a message to each target, waiting for room.

        Raises:
            BroadcastFailed: it did not reach all of them.
        """
        publishing = self._surroundings.publishing
        kind = self._content_type(payload)
        results = await publishing.broadcast(
            self._self_id,
            targets,
            payload,
            content_type=kind,
            trace=self._trace,
            most_errors=_ERRORS_TOLD,
        )
        failures = {t: error for t, error in results.items() if error is not None}
        if failures:
            raise BroadcastFailed(failures)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send a payload to whoever is subscribed to a topic."""
        self._content_type(payload)  # refuses one without a prefix that needs one
        me, trace = self._self_id, self._trace
        await self._surroundings.publishing.publish(me, topic, payload, trace)

    def subscribe(self, pattern: str) -> None:
        """Get what is published to matching topics; what finds no room is lost."""
        self._subscriptions.subscribe(pattern)

    def unsubscribe(self, pattern: str) -> None:
        """End the subscription of exactly this pattern."""
        self._subscriptions.unsubscribe(pattern)

    def _sign(self, target: ComponentId, payload: bytes) -> Envelope:
        me, kind = self._self_id, self._content_type(payload)
        return self._broker.sign(
            target, me, payload, content_type=kind, trace=self._trace
        )

    def _content_type(self, payload: bytes) -> str | None:
        return content_type_sent(self._self_id, payload, self._codecs)

    @property
    def _storage(self) -> Keyspace:
        if self._keyspace is None:
            limits = self._limits
            self._keyspace = self._surroundings.store.keyspace(
                self._self_id,
                max_bytes=limits.storage_bytes,
                max_keys=limits.storage_keys,
            )
        return self._keyspace

    def storage_get(self, key: str) -> bytes | None:
        """Return the value of a key, None if it has none."""
        return self._storage.get(key)

    def storage_set(self, key: str, value: bytes) -> None:
        """Keep a value under a key."""
        self._storage.set(key, value)

    def storage_delete(self, key: str) -> None:
        """Forget a key and its value."""
        self._storage.delete(key)

    def storage_exists(self, key: str) -> bool:
        """Say whether a key has a value."""
        return self._storage.exists(key)

    def storage_keys(self, prefix: str | None) -> Sequence[str]:
        """Return the keys that begin with a prefix, or all of them, sorted.

        Raises:
            StorageRefused: they take more bytes than a host call may.
        """
        keys, most = self._storage.keys(prefix), self._limits.host_call_bytes
        each = len(keys) * _KEY_BYTES
        if each > most or each + sum(map(len, keys)) > most:
            problem = f"{len(keys)} keys are more than {most} bytes (host_call_bytes)"
            raise StorageRefused("io-error", f"{problem}: list fewer, by a prefix")
        return keys

    def storage_usage(self) -> tuple[int, int, int]:
        """Count what is in use."""
        used, quota, keys = self._storage.usage()
        return used, quota, keys
