"""What the higher layers need from the layers beside them, as Protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from .errors import GuestFailed
    from .events import Event
    from .values import (
        Access,
        Artifact,
        ComponentConfig,
        ComponentId,
        ComponentInfo,
        ComponentMetadata,
        Envelope,
        Grant,
        HealthStatus,
        Limits,
        LogLevel,
        StorageUsage,
        Timestamp,
    )

EventSink: TypeAlias = "Callable[[Event], None]"
"""Takes an event at once. It must not block, and must not raise into the caller."""


class Messages(Protocol):
    """Sends one actor's messages and requests. The sender is always that actor.

    A call that is not allowed, or whose message cannot be delivered, raises a
    `MessagingError`.
    """

    async def send(self, target: ComponentId, payload: bytes) -> None: ...

    def send_at_once(self, target: ComponentId, payload: bytes) -> bool:
        """Deliver a message, unless that means waiting for its receiver.

        Returns False if nothing was done and `send` must be used; it may always do
        that.
        """
        ...

    async def ask(
        self, target: ComponentId, payload: bytes, timeout: float
    ) -> bytes: ...
    def request(self, target: ComponentId, payload: bytes, timeout: float) -> str: ...
    def cancel_request(self, request_id: str) -> None: ...

    async def broadcast(self, targets: Iterable[ComponentId], payload: bytes) -> None:
        """Deliver a message to each target. `targets` is read once, before sending."""
        ...


class Topics(Protocol):
    """Publishes and subscribes for one actor; calls are refused as in `Messages`."""

    async def publish(self, topic: str, payload: bytes) -> None: ...
    def subscribe(self, pattern: str) -> None: ...
    def unsubscribe(self, pattern: str) -> None: ...


class Clock(Protocol):
    """The time of day, and waiting."""

    def current_time(self) -> Timestamp: ...
    async def sleep(self, seconds: float) -> None: ...


class Directory(Protocol):
    """Finds out which actors can be reached now."""

    def list_components(self) -> Sequence[ComponentId]: ...
    def component_info(self, target: ComponentId) -> ComponentInfo | None: ...


class Keyspace(Protocol):
    """The keys and values of one component (WIT: `storage`), visible only to it.

    Each call is done at once and is atomic. A call that is refused changes nothing and
    raises `StorageRefused` with the case that the guest sees: `invalid-key`,
    `quota-exceeded`, `not-found`, or `io-error` if the store itself failed.
    """

    def get(self, key: str) -> bytes | None: ...
    def set(self, key: str, value: bytes) -> None: ...
    def delete(self, key: str) -> None: ...
    def exists(self, key: str) -> bool: ...
    def keys(self, prefix: str | None) -> Sequence[str]: ...
    def usage(self) -> StorageUsage: ...


class Storage(Protocol):
    """Where components keep data that outlives their incarnations."""

    def keyspace(
        self, owner: ComponentId, *, max_bytes: int, max_keys: int
    ) -> Keyspace:
        """Return a component's keyspace: the existing one, or an empty one.

        Args:
            owner: The component.
            max_bytes: Its quota from now on, keys and values together.
            max_keys: The number of keys it may have from now on.
        """
        ...


class GuestMeter(Protocol):
    """Counts what a guest uses, for its quotas; counting never waits."""

    is_over: bool
    """Whether the guest has to pause before it goes on."""

    def note_call(self, size: int) -> None:
        """Count a call to the host, with bytes that the host keeps for it."""
        ...

    def note_time(self, seconds: float) -> None:
        """Count what it has computed."""
        ...

    def note_network(self, size: int) -> None:
        """Count bytes that it sent or received."""
        ...

    async def pause(self) -> None:
        """Wait until the guest may go on.

        Raises:
            StoppedByQuota: it is to be stopped instead.
        """
        ...


class Permissions(Protocol):
    """What one actor may do, for host functions that check it themselves."""

    @property
    def version(self) -> int:
        """Changes when what it may do was changed."""
        ...

    def check(self, kind: str, verb: str, resource: str = "") -> object:
        """Raise `NotGranted` for an access that is denied, and report it."""
        ...

    def allows(self, access: Access) -> bool:
        """Whether an access is allowed; nothing is reported."""
        ...

    def check_access(self, access: Access) -> object:
        """As `check`, for an access with details."""
        ...

    def holds_any(self, kind: str, *verbs: str) -> bool:
        """Whether it holds some grant for one of these; bounds may still refuse it."""
        ...

    def hold(self, access: Access, cancel: Callable[[], object]) -> object:
        """Have something in progress cancelled when its access is not allowed any more."""
        ...

    def release(self, hold: Any) -> None:  # noqa: ANN401  # what `hold` returned
        """Note that what `hold` was called for is over."""
        ...

    def grants_of(self, kind: str) -> Sequence[Grant]:
        """The grants of a kind that still allow something; nothing is reported."""
        ...

    def finest(self, kind: str, verb: str) -> float:
        """The smallest number of seconds that a clock may be exact to; inf: none may."""
        ...


class HostServices(Protocol):
    """What one actor may do, in that actor's name, in several parts.

    A `MessagingError` or `StorageRefused` that a part raises is an answer for the guest.
    Anything else raised here is a host error and costs the guest its instance. If they
    have a `meter`, a `GuestMeter`, the guest is counted by it.
    """

    @property
    def self_id(self) -> ComponentId: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def topics(self) -> Topics: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def storage(self) -> Keyspace: ...
    @property
    def permissions(self) -> Permissions: ...
    @property
    def environment(self) -> Sequence[tuple[str, str]]:
        """The variables that the component was declared with; no check was made."""
        ...

    @property
    def config(self) -> ComponentConfig:
        """What the component was declared with; no check was made."""
        ...

    @property
    def randomness(self) -> Randomness: ...

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None: ...


class Unanswered(Enum):
    """Why a message that should have been handled at once has no answer yet."""

    NOT_BEGUN = "not begun"
    """Nothing was done; the message can be handled later."""
    BEGUN = "begun"
    """The call is in progress and must be completed."""


class GuestSnapshot(Protocol):
    """The state of a guest between two calls; only its own component can use it."""

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        ...


class Guest(Protocol):
    """One running instance of a component. It takes one call at a time.

    Every call raises `GuestTrapped` if the guest was stopped (its instance is then
    spent), `GuestRejected` if the guest answered with an error, `GuestSpent` if the
    instance was spent before, and `CapacityReached` if the call could not begin because
    there are no more memory maps (the instance stays usable). Cancelling a call spends
    the instance.
    """

    @property
    def spent(self) -> GuestFailed | None:
        """Why this instance cannot be called any more; None if it can."""
        ...

    async def initialize(self, config: ComponentConfig) -> None: ...

    async def handle_message(self, envelope: Envelope) -> bytes | None:
        """Handle a message, within the guest's own limits.

        A call that has begun continues when its asker stops waiting or its deadline
        passes; that only concerns the asker.

        Raises:
            Unwanted: no asker was waiting for the message when the call could have
                begun.
        """
        ...

    def handle_at_once(
        self, envelope: Envelope, owner: object
    ) -> bytes | Unanswered | None:
        """Begin to handle a message without waiting, on behalf of the task `owner`.

        Returns the answer if it came at once. After `BEGUN`, for whatever reason, the
        next call must be `handle_message` with the same envelope, by `owner`; that call
        raises what has gone wrong. A guest may always return `NOT_BEGUN`. Never raises.
        """
        ...

    async def handle_callback(self, envelope: Envelope) -> None: ...
    async def metadata(self) -> ComponentMetadata: ...
    async def health(self) -> HealthStatus: ...
    async def shutdown(self) -> None: ...

    @property
    def hands_over(self) -> bool:
        """Whether the guest has the two calls below (WIT: `state-handover`)."""
        ...

    async def export_state(self) -> bytes:
        """Get the guest's state. `GuestRejected` is also raised if it is too large."""
        ...

    async def import_state(self, state: bytes) -> None: ...

    async def snapshot(self) -> GuestSnapshot:
        """Take a snapshot between two calls; the guest does not notice.

        Raises:
            SnapshotRefused: something cannot go along. The guest continues.
        """
        ...

    def close(self) -> None:
        """Release all resources at once. Calling it again does nothing."""
        ...


@runtime_checkable
class ProgramGuest(Guest, Protocol):
    """A guest that is a program: it is run once, and handles no messages."""

    async def run(self) -> None:
        """Run it to its end.

        Raises:
            GuestTrapped: it was stopped, or ended with a status that is not 0.
        """
        ...


class Exchange(Protocol):
    """One request of HTTP and its response, as a server has them."""

    method: str
    path: str
    """Path and query, as they were sent."""
    scheme: str
    authority: str | None
    headers: Sequence[tuple[bytes, bytes]]
    """Names in small letters, and values."""
    trailers: Sequence[tuple[bytes, bytes]]
    """Those behind the body; known at its end."""
    has_begun: bool
    """Whether a response was begun."""

    async def receive(self) -> bytes:
        """Wait for the next piece of the body; none at its end.

        Raises:
            ExchangeBroken: it is not valid, too long or late, or the client has gone.
        """
        ...

    async def wait_gone(self) -> None:
        """Wait until the client has gone; only after the end of the body."""
        ...

    async def begin(
        self, status: int, headers: Sequence[tuple[str, bytes]], *, has_body: bool
    ) -> None:
        """Send the head of a response.

        Raises:
            ExchangeBroken: the client has gone, or takes nothing.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Send a piece of its body; raises as `begin`."""
        ...

    async def end(self, trailers: Sequence[tuple[str, bytes]]) -> None:
        """Note that it is complete; raises as `begin`."""
        ...


@runtime_checkable
class HandlerGuest(ProgramGuest, Protocol):
    """A guest that handles requests of HTTP for as long as it is run.

    `run` ends with the first failure of an instance, when the requests in progress
    have been answered.
    """

    def stop(self) -> None:
        """Take no more requests; `run` ends when those in progress have been answered."""
        ...

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request: by an instance, or with a status if that fails.

        Raises:
            ExchangeBroken: a response was begun and could not be completed.
        """
        ...


class LoadedComponent(Protocol):
    """A component that was checked and compiled. It makes instances."""

    async def instantiate(self, limits: Limits, services: HostServices) -> Guest:
        """Make a fresh instance, on which `initialize` has not been called yet.

        Raises:
            GuestTrapped: its start function trapped, or it needs more than `limits`.
            CapacityReached: the kernel has no more memory maps.
        """
        ...

    async def restore(
        self, snapshot: GuestSnapshot, limits: Limits, services: HostServices
    ) -> Guest:
        """Make an instance that continues from a snapshot of an instance of the same code.

        `initialize` must not be called on it.

        Raises:
            SnapshotRefused: the snapshot does not fit.
            GuestTrapped: as of `instantiate`.
            CapacityReached: as of `instantiate`.
        """
        ...

    async def initial_snapshot(self, config: ComponentConfig) -> GuestSnapshot:
        """Return the state of an instance on which `initialize` was called.

        Raises:
            SnapshotRefused: there is none, because the guest calls the host before, or
                because of what it has.
        """
        ...


class ComponentLoader(Protocol):
    """Turns artifacts into components, away from the Trio thread."""

    async def load(self, artifact: Artifact) -> LoadedComponent:
        """Read, check and compile an artifact. Equal artifacts are compiled once.

        A cancelled load returns without waiting for the compiler.

        Raises:
            ComponentRefused: the component cannot be run here.
        """
        ...


WallClock: TypeAlias = Callable[[], int]
"""Nanoseconds since 1970."""

Randomness: TypeAlias = Callable[[int], bytes]
"""Returns that many random bytes, which must be unguessable; e.g. `os.urandom`."""


class Gate(Protocol):
    """Accepts a message by returning, or refuses it by raising a `MessagingError`.

    Called for every message, during a step that must not be interrupted, so it must
    decide at once, and must neither send nor receive messages. A message that had to
    wait for room is passed a second time, as the same object.
    """

    def __call__(self, envelope: Envelope, /) -> None: ...
