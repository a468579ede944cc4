"""What one actor may do, stamped with its name: the host side of the WIT imports.

The sender of what it sends is always the actor itself, whatever the guest says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts import (
    ComponentId,
    ComponentInfo,
    Logged,
    LogLevel,
    NotGranted,
    StorageRefused,
    Timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._surroundings import Surroundings

NOT_GRANTED: Final = (
    "request",
    "cancel_request",
    "broadcast",
    "publish",
    "subscribe",
    "unsubscribe",
    "storage_get",
    "storage_set",
    "storage_delete",
    "storage_exists",
    "storage_keys",
    "storage_usage",
)
"""What no actor holds: each answers with a typed refusal."""

_NANOSECONDS: Final = 1_000_000_000


@final
class ActorServices:
    """The services of one actor (implements `HostServices`)."""

    def __init__(self, self_id: ComponentId, surroundings: Surroundings) -> None:
        self._self_id, self._surroundings = self_id, surroundings
        self._broker = surroundings.broker

    def self_id(self) -> ComponentId:
        """Return the actor's own name."""
        return self._self_id

    async def send(self, target: ComponentId, payload: bytes) -> None:
        """Deliver a message, waiting for room."""
        await self._broker.send(self._broker.sign(target, self._self_id, payload))

    async def ask(self, target: ComponentId, payload: bytes, timeout: float) -> bytes:
        """Ask and wait for the answer; an empty one if there was nothing to say."""
        me = self._self_id
        answer = await self._broker.ask(target, me, payload, timeout=timeout, waiter=me)
        return b"" if answer is None else answer

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None:
        """Emit a line as an event; no line is written here."""
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
        """Not granted."""
        raise _not_granted("request")

    def cancel_request(self, request_id: str) -> None:
        """Not granted."""
        raise _not_granted("cancel_request")

    async def broadcast(self, targets: Sequence[ComponentId], payload: bytes) -> None:
        """Not granted."""
        raise _not_granted("broadcast")

    async def publish(self, topic: str, payload: bytes) -> None:
        """Not granted."""
        raise _not_granted("publish")

    def subscribe(self, pattern: str) -> None:
        """Not granted."""
        raise _not_granted("subscribe")

    def unsubscribe(self, pattern: str) -> None:
        """Not granted."""
        raise _not_granted("unsubscribe")

    def storage_get(self, key: str) -> bytes | None:
        """Not granted."""
        raise _no_storage("storage_get")

    def storage_set(self, key: str, value: bytes) -> None:
        """Not granted."""
        raise _no_storage("storage_set")

    def storage_delete(self, key: str) -> None:
        """Not granted."""
        raise _no_storage("storage_delete")

    def storage_exists(self, key: str) -> bool:
        """Not granted."""
        raise _no_storage("storage_exists")

    def storage_keys(self, prefix: str | None) -> Sequence[str]:
        """Not granted."""
        raise _no_storage("storage_keys")

    def storage_usage(self) -> tuple[int, int, int]:
        """Not granted."""
        raise _no_storage("storage_usage")


def _not_granted(call: str) -> NotGranted:
    return NotGranted(f"{call} is not granted to any component")


def _no_storage(call: str) -> StorageRefused:
    return StorageRefused("io-error", f"not granted: {call}")
