"""What the layers above ask of the layers beside them, as Protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from .errors import GuestFailed
    from .events import Event
    from .values import (
        Artifact,
        ComponentConfig,
        ComponentId,
        ComponentInfo,
        ComponentMetadata,
        Envelope,
        HealthStatus,
        Limits,
        LogLevel,
        StorageUsage,
        Timestamp,
    )

EventSink: TypeAlias = "Callable[[Event], None]"
"""Takes an event at once; never blocks and never raises into the one that emits."""


class HostServices(Protocol):
    """What one actor may do, stamped with its name (WIT: the host interfaces).

    The sender is always the actor that the services were made for. A call that may
    not be made, or whose message does not get through, raises a `MessagingError`;
    storage calls raise `StorageRefused`. Anything else raised here is a host error
    and costs the guest its instance.
    """

    def self_id(self) -> ComponentId: ...
    async def send(self, target: ComponentId, payload: bytes) -> None: ...

    def send_at_once(self, target: ComponentId, payload: bytes) -> bool:
        """Deliver a message without waiting if its receiver keeps up.

        False: nothing has happened, and it takes `send`. It may always be False.
        """
        ...

    async def ask(
        self, target: ComponentId, payload: bytes, timeout: float
    ) -> bytes: ...
    def request(self, target: ComponentId, payload: bytes, timeout: float) -> str: ...
    def cancel_request(self, request_id: str) -> None: ...

    async def broadcast(self, targets: Iterable[ComponentId], payload: bytes) -> None:
        """Deliver a message to each of these; they are read once, before it is sent."""
        ...

    async def publish(self, topic: str, payload: bytes) -> None: ...
    def subscribe(self, pattern: str) -> None: ...
    def unsubscribe(self, pattern: str) -> None: ...

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None: ...
    def current_time(self) -> Timestamp: ...
    async def sleep(self, seconds: float) -> None: ...
    def list_components(self) -> Sequence[ComponentId]: ...
    def component_info(self, target: ComponentId) -> ComponentInfo | None: ...

    def storage_get(self, key: str) -> bytes | None: ...
    def storage_set(self, key: str, value: bytes) -> None: ...
    def storage_delete(self, key: str) -> None: ...
    def storage_exists(self, key: str) -> bool: ...
    def storage_keys(self, prefix: str | None) -> Sequence[str]: ...
    def storage_usage(self) -> tuple[int, int, int]: ...


class Keyspace(Protocol):
    """The keys and values of one component (WIT: `storage`); no other one sees them.

    Each call is done at once and is atomic by itself. What is refused changes nothing
    and raises `StorageRefused`, with the case that the guest sees: `invalid-key`,
    `quota-exceeded`, `not-found`, or `io-error` if the store itself failed.
    """

    def get(self, key: str) -> bytes | None: ...
    def set(self, key: str, value: bytes) -> None: ...
    def delete(self, key: str) -> None: ...
    def exists(self, key: str) -> bool: ...
    def keys(self, prefix: str | None) -> Sequence[str]: ...
    def usage(self) -> StorageUsage: ...


class Store(Protocol):
    """Where components keep what outlives their incarnations."""

    def keyspace(
        self, owner: ComponentId, *, max_bytes: int, max_keys: int
    ) -> Keyspace:
        """Return what a component keeps: the same as the last time, or an empty one.

        Args:
            owner: whose it is.
            max_bytes: its quota from now on, keys and values together.
            max_keys: how many keys it may have from now on.
        """
        ...


class Unanswered(Enum):
    """Why there is no answer yet to a message that was to be handled at once."""

    NOT_BEGUN = "not begun"
    """Nothing has happened; it can be handled later."""
    BEGUN = "begun"
    """It is being handled, and has to be brought to its end."""


class Guest(Protocol):
    """One running instance of a component; one call at a time.

    Every call raises `GuestTrapped` when the guest was stopped (the instance is then
    spent), `GuestRejected` when it answered with an error of its own, `GuestSpent`
    when it was spent before, `CapacityReached` when the call could not begin for want
    of memory maps (the instance lives on). Cancelling a call spends the instance.
    """

    @property
    def spent(self) -> GuestFailed | None:
        """Why this instance cannot be called any more, or None while it can."""
        ...

    async def initialize(self, config: ComponentConfig) -> None: ...

    async def handle_message(self, envelope: Envelope) -> bytes | None:
        """Let it handle a message, within its own limits.

        What was begun goes on when its asker stops waiting, or its deadline passes: that
        is the asker's affair.

        Raises:
            Unwanted: nobody waited for it any more when it could have begun.
        """
        ...

    def handle_at_once(
        self, envelope: Envelope, owner: object
    ) -> bytes | Unanswered | None:
        """Begin to handle a message without waiting, in the name of the task `owner`.

        Returns the answer if that came at once. After `BEGUN`, whatever the reason, the
        next call must be `handle_message` with the same envelope, by `owner`; it raises
        what has gone wrong. A guest may always return `NOT_BEGUN`. Never raises.
        """
        ...

    async def handle_callback(self, envelope: Envelope) -> None: ...
    async def metadata(self) -> ComponentMetadata: ...
    async def health(self) -> HealthStatus: ...
    async def shutdown(self) -> None: ...

    @property
    def hands_over(self) -> bool:
        """Whether it has the two calls below (WIT: `state-handover`)."""
        ...

    async def export_state(self) -> bytes:
        """Ask for its state; `GuestRejected` also if that is more than it may be."""
        ...

    async def import_state(self, state: bytes) -> None: ...

    def close(self) -> None:
        """Give back everything at once; calling it again does nothing."""
        ...


class LoadedComponent(Protocol):
    """A component that was checked and compiled; makes instances."""

    async def instantiate(self, limits: Limits, services: HostServices) -> Guest:
        """Make a fresh instance; `initialize` was not called yet.

        Raises:
            GuestTrapped: its start function trapped, or it needs more than `limits`.
            CapacityReached: the kernel has no more memory maps.
        """
        ...


class ComponentLoader(Protocol):
    """Turns artifacts into components, away from the Trio thread."""

    async def load(self, artifact: Artifact) -> LoadedComponent:
        """Read, check and compile; the same artifact twice is compiled once.

        A cancelled load is abandoned: it does not wait for the compiler.

        Raises:
            ComponentRefused: it cannot be run here.
        """
        ...


WallClock: TypeAlias = Callable[[], int]
"""Nanoseconds since 1970."""

Randomness: TypeAlias = Callable[[int], bytes]
"""So many random bytes, which nobody may be able to guess; `os.urandom` is one."""


class Gate(Protocol):
    """Lets a message pass by returning, or raises a `MessagingError` for its sender.

    Called for every message, in the middle of a step that must not be interrupted: it
    decides at once, and neither sends nor takes messages. A message that had to wait for
    room comes a second time, as the very same object.
    """

    def __call__(self, envelope: Envelope, /) -> None: ...
