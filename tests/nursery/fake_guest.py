"""A component without WebAssembly: behaves by the rules of the ports, on command.

What a message does is its payload: `trap`, `reject`, `fill` (no more maps), `hang`,
`ask:<name>`, `send:<name>`, `log:<text>`, `count`, `nothing`; anything else is echoed.
`initialize` takes the same words from `config.data`, and `shutdown` those that end in
`-shutdown` there, e.g. `hang-shutdown`.
"""

from __future__ import annotations

import math
from typing import Self

import attrs
import trio

from airssys.contracts import (
    Artifact,
    CapacityReached,
    ComponentConfig,
    ComponentId,
    ComponentMetadata,
    Envelope,
    GuestFailed,
    GuestRejected,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    HostServices,
    Limits,
    LogLevel,
    MessagingError,
    TrapReason,
)

METADATA = ComponentMetadata("fake", "1.2.3", "does as told", "us", "MIT", (), True)


@attrs.define(eq=False)
class FakeGuest:
    component: FakeComponent
    services: HostServices
    spent: GuestFailed | None = None
    is_closed: bool = False
    count: int = 0
    config: ComponentConfig = attrs.Factory(ComponentConfig)
    calls: list[str] = attrs.Factory(list)

    async def initialize(self, config: ComponentConfig) -> None:
        self.config = config
        await self._call("initialize", config.data or b"", math.inf)

    async def handle_message(self, envelope: Envelope) -> bytes | None:
        deadline = math.inf if envelope.deadline is None else envelope.deadline
        return await self._call("handle-message", envelope.payload, deadline)

    async def handle_callback(self, envelope: Envelope) -> None:
        await self._call("handle-callback", envelope.payload, math.inf)

    async def metadata(self) -> ComponentMetadata:
        await self._call("metadata", b"", math.inf)
        return METADATA

    async def health(self) -> HealthStatus:
        words = self.component.healths
        word = words.pop(0) if len(words) > 1 else words[0]
        is_status = word in [status.value for status in HealthStatus]
        await self._call("health", b"" if is_status else word.encode(), math.inf)
        return HealthStatus(word) if is_status else HealthStatus.HEALTHY

    async def shutdown(self) -> None:
        wish = (self.config.data or b"").decode()
        word = wish.removesuffix("-shutdown") if wish.endswith("-shutdown") else ""
        await self._call("shutdown", word.encode(), math.inf)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.component.open_guests -= 1
            self.spent = self.spent or GuestSpent("closed")

    async def _call(self, phase: str, word: bytes, deadline: float) -> bytes | None:
        if self.spent is not None:
            raise GuestSpent.after(self.spent)
        self.calls.append(phase)
        try:
            with trio.CancelScope(deadline=deadline) as scope:
                return await self._do(phase, word.decode())
            if scope.cancelled_caught:
                raise GuestTrapped(TrapReason.TIME_LIMIT, phase, "deadline")
        except (GuestTrapped, trio.Cancelled) as error:
            spent = (
                error if isinstance(error, GuestTrapped) else GuestSpent("cancelled")
            )
            self.spent = spent
            raise
        return None

    async def _do(self, phase: str, word: str) -> bytes | None:
        name, _, argument = word.partition(":")
        if name in ("trap", "reject", "fill"):
            raise {
                "trap": GuestTrapped(TrapReason.UNREACHABLE, phase, "told to"),
                "reject": GuestRejected(phase, "invalid-message", "told to"),
                "fill": CapacityReached("no more memory maps"),
            }[name]
        match name:
            case "hang" | "sleep":
                await self.services.sleep(float(argument or "inf"))
            case "log":
                self.services.log(LogLevel.INFO, argument, [("a", "b")])
            case "ask":
                return await self._ask(ComponentId.parse(argument))
            case "send":
                await self.services.send(ComponentId.parse(argument), b"sent")
            case "count":
                self.count += 1
                return str(self.count).encode()
            case "nothing":
                return None
        return word.encode()

    async def _ask(self, target: ComponentId) -> bytes:
        try:
            return await self.services.ask(target, b"asked", 5.0)
        except MessagingError as error:
            return error.case.encode()


@attrs.define(eq=False)
class FakeComponent:
    """Makes guests; `refusals` instantiations are refused for want of capacity."""

    refusals: int = 0
    traps: int = 0
    open_guests: int = 0
    guests: list[FakeGuest] = attrs.Factory(list)
    healths: list[str] = attrs.Factory(lambda: ["healthy"])
    """What probes are told, one after the other; the last one stays."""

    async def instantiate(self, limits: Limits, services: HostServices) -> FakeGuest:
        await trio.lowlevel.checkpoint()
        if self.refusals > 0:
            self.refusals -= 1
            raise CapacityReached("no more memory maps")
        if self.traps > 0:
            self.traps -= 1
            raise GuestTrapped(TrapReason.UNREACHABLE, "instantiate", "told to")
        self.open_guests += 1
        guest = FakeGuest(self, services)
        self.guests.append(guest)
        return guest


@attrs.define(eq=False)
class FakeLoader:
    """Loads any artifact as a `FakeComponent`, the same one for the same artifact."""

    seconds: float = 0
    error: Exception | None = None
    components: dict[Artifact, FakeComponent] = attrs.Factory(dict)
    loads: int = 0
    is_open: bool = False

    async def load(self, artifact: Artifact) -> FakeComponent:
        self.loads += 1
        await trio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return self.components.setdefault(artifact, FakeComponent())

    def __call__(self, settings: object) -> FakeLoader:
        return self

    async def __aenter__(self) -> Self:
        self.is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        assert all(c.open_guests == 0 for c in self.components.values())
        self.is_open = False
