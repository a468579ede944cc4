"""The services of an actor without a system, for tests of guests by themselves."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Self, TypeAlias, final

import trio

from airssys.contracts import (
    ERROR_TYPE,
    EVERYTHING,
    TOPIC_TYPE,
    AskTimedOut,
    BadTopic,
    BroadcastFailed,
    Callback,
    ComponentConfig,
    ComponentId,
    ComponentInfo,
    Envelope,
    Grant,
    InvalidMessage,
    LogLevel,
    MessagingError,
    TargetNotFound,
    Timestamp,
    WallClock,
)
from airssys.messaging import Subscriptions
from airssys.security.authority import Authority
from airssys.security.capabilities import read_grants

from ._small import EventList, HandWallClock, SeededRandomness
from ._storage import FakeStorage

if TYPE_CHECKING:
    from types import TracebackType

    from airssys.contracts import Keyspace

Neighbour: TypeAlias = Callable[[bytes], Awaitable[bytes | None]]
"""Answers a message, like an actor of that name."""

_NANOSECONDS: Final = 1_000_000_000
_MAX_BYTES: Final = 1_000_000
_MAX_KEYS: Final = 1000


@final
class FakeServices:
    """The services of one actor (implements `HostServices`, and every part of it).

        async with FakeServices(neighbours={"echo": echo}) as services:
            guest = await component.instantiate(Limits(), services)

    Messages for the actor itself, published ones and callbacks, are put into
    `received`, and are not handled. Requests need the block; everything else works
    without it.
    """

    def __init__(  # noqa: PLR0913  # what an actor may be declared with
        self,
        name: str = "me",
        *,
        neighbours: Mapping[str, Neighbour] | None = None,
        wall_clock: WallClock | None = None,
        keyspace: Keyspace | None = None,
        can: Iterable[Grant] = (EVERYTHING,),
        environment: Sequence[tuple[str, str]] = (),
        config: ComponentConfig | None = None,
    ) -> None:
        """Make the services of an actor.

        Args:
            name: The actor's name.
            neighbours: The other actors, by name.
            wall_clock: None: one that stands still, see `HandWallClock`.
            keyspace: Where it stores things; None: one of a `FakeStorage`.
            can: What host functions that check it themselves may do for it.
            environment: The variables that it was declared with.
            config: The rest of what it was declared with.
        """
        self.name = ComponentId.parse(name)
        self.neighbours = {
            ComponentId.parse(each): does for each, does in (neighbours or {}).items()
        }
        self.wall_clock = wall_clock or HandWallClock()
        self.keyspace = keyspace or FakeStorage().keyspace(
            self.name, max_bytes=_MAX_BYTES, max_keys=_MAX_KEYS
        )
        self.environment, self.randomness = environment, SeededRandomness()
        self.config = config or ComponentConfig()
        self.denied = EventList()
        """An `AccessDenied` for each access that `permissions` denied."""
        granted, _ = read_grants(can)
        self._authority = Authority(
            self.name, granted, (), self.denied, trio.current_time
        )
        self.received: list[Envelope] = []
        """Published messages, and callbacks."""
        self.sent: list[tuple[ComponentId, bytes]] = []
        """What was sent, asked or requested: the target, and the payload."""
        self.lines: list[tuple[LogLevel, str, tuple[tuple[str, str], ...]]] = []
        """What was logged."""
        self._topics: Subscriptions[ComponentId] = Subscriptions()
        self._open: dict[str, trio.CancelScope] = {}
        self._numbers = itertools.count(1)
        self._block = trio.open_nursery()
        self._nursery: trio.Nursery | None = None

    async def __aenter__(self) -> Self:
        self._nursery = await self._block.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()
        return await self._block.__aexit__(kind, error, traceback)  # noqa: ASYNC102  # what ends is cancelled

    # ----------------------------------------------- the parts of `HostServices`

    @property
    def self_id(self) -> ComponentId:
        """The actor's own name."""
        return self.name

    @property
    def messages(self) -> Self:
        """The fake itself, as `Messages`."""
        return self

    @property
    def topics(self) -> Self:
        """The fake itself, as `Topics`."""
        return self

    @property
    def clock(self) -> Self:
        """The fake itself, as `Clock`."""
        return self

    @property
    def directory(self) -> Self:
        """The fake itself, as `Directory`."""
        return self

    @property
    def storage(self) -> Keyspace:
        """The actor's `keyspace`."""
        return self.keyspace

    @property
    def permissions(self) -> Authority:
        """What `can` allows; the other parts do not ask it."""
        return self._authority

    # ------------------------------------------------------------------ messages

    async def send(self, target: ComponentId, payload: bytes) -> None:
        """Let a neighbour handle a message."""
        await trio.lowlevel.checkpoint()
        await self._neighbour(target, payload)(payload)

    def send_at_once(self, target: ComponentId, payload: bytes) -> bool:
        """Return False: a neighbour may wait while it handles a message."""
        return False

    async def ask(self, target: ComponentId, payload: bytes, timeout: float) -> bytes:
        """Ask a neighbour, and return its answer."""
        await trio.lowlevel.checkpoint()
        neighbour = self._neighbour(target, payload)
        with trio.move_on_after(timeout):
            return await neighbour(payload) or b""
        raise AskTimedOut(target, "ask", timeout)

    def request(self, target: ComponentId, payload: bytes, timeout: float) -> str:
        """Ask a neighbour in the background; the outcome goes to `received`."""
        neighbour = self._neighbour(target, payload)
        if self._nursery is None:
            raise RuntimeError("requests need the block: async with FakeServices(...)")
        id = f"request-{next(self._numbers)}"  # noqa: A001  # as in the contracts
        self._open[id] = trio.CancelScope()
        self._nursery.start_soon(self._wait, id, target, neighbour, payload, timeout)
        return id

    async def _wait(
        self,
        id: str,  # noqa: A002  # as in the contracts
        target: ComponentId,
        neighbour: Neighbour,
        payload: bytes,
        timeout: float,  # noqa: ASYNC109  # as in the contracts
    ) -> None:
        with self._open[id] as scope, trio.move_on_after(timeout):
            answer = await neighbour(payload)
            del self._open[id]
            self._call_back(target, id, answer or b"")
            return
        why = "cancelled" if scope.cancelled_caught else AskTimedOut.case
        self._open.pop(id, None)
        self._call_back(target, id, f"{why}\n".encode(), ERROR_TYPE)

    def _call_back(
        self,
        target: ComponentId,
        id: str,  # noqa: A002  # as in the contracts
        payload: bytes,
        content_type: str | None = None,
    ) -> None:
        envelope = Callback(self.name, target, payload, content_type, id)
        self.received.append(envelope)

    def cancel_request(self, request_id: str) -> None:
        """Cancel a request; its callback reports that."""
        scope = self._open.get(request_id)
        if scope is None or scope.cancel_called:
            raise InvalidMessage(f"no request {request_id!r:.80} waits for an answer")
        scope.cancel()

    async def broadcast(self, targets: Iterable[ComponentId], payload: bytes) -> None:
        """Let each of some neighbours handle a message."""
        await trio.lowlevel.checkpoint()
        failures: dict[ComponentId, MessagingError] = {}
        for target in dict.fromkeys(targets):
            try:
                await self._neighbour(target, payload)(payload)
            except MessagingError as error:
                failures[target] = error
        if failures:
            raise BroadcastFailed(failures)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Put a message into `received` if the actor is subscribed to its topic."""
        await trio.lowlevel.checkpoint()
        for subscriber in self._topics.find(topic):
            kind = TOPIC_TYPE + topic
            self.received.append(Envelope(subscriber, self.name, payload, kind))

    def subscribe(self, pattern: str) -> None:
        """Subscribe to matching topics."""
        self._topics.add(pattern, self.name)

    def unsubscribe(self, pattern: str) -> None:
        """End the subscription to exactly this pattern."""
        if not self._topics.remove(pattern, self.name):
            raise BadTopic(f"{self.name} is not subscribed to {pattern!r:.80}")

    def _neighbour(self, target: ComponentId, payload: bytes) -> Neighbour:
        if target not in self.neighbours:
            raise TargetNotFound(target)
        self.sent.append((target, payload))
        return self.neighbours[target]

    # --------------------------------------------------------------- the world

    def log(
        self, level: LogLevel, message: str, context: Sequence[tuple[str, str]]
    ) -> None:
        """Record a line."""
        self.lines.append((level, message, tuple(context)))

    def current_time(self) -> Timestamp:
        """Read the wall clock."""
        return Timestamp(*divmod(self.wall_clock(), _NANOSECONDS))

    async def sleep(self, seconds: float) -> None:
        """Sleep on Trio's clock."""
        await trio.sleep(seconds)

    def list_components(self) -> Sequence[ComponentId]:
        """Return the actor's own name and its neighbours', sorted."""
        return sorted({self.name, *self.neighbours}, key=str)

    def component_info(self, target: ComponentId) -> ComponentInfo | None:
        """Return as much as is known of a neighbour."""
        if target != self.name and target not in self.neighbours:
            return None
        return ComponentInfo(target, target.name, "", "unknown")
