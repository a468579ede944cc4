"""Real guests in a real runtime, closed after each test."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    ComponentId,
    EngineSettings,
    Envelope,
    GuestFailed,
    GuestSpent,
    Limits,
)
from airssys.wasm import open_runtime
from airssys.wasm.engine._ticker import Ticker, TicksMaker
from airssys.wasm.instances._instance import Instance
from airssys.wasm.loading._component_loader import Loader
from pace import Stopwatch

from ._services import ScriptedServices

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airssys.wasm.instances import Component
    from airssys.wasm.instances._runtime import Runtime

ROOT = Path(__file__).resolve().parents[3]
GUESTS = ROOT / "tests" / "guests"
SENDER = ComponentId("test", "carol", "7")
ME = ComponentId("test", "alice")


def envelope(payload: Any = b"", **fields: Any) -> Envelope:
    """Make a message from `SENDER`."""
    return Envelope(ME, SENDER, payload, **fields)


@attrs.define(eq=False)
class Guests:
    """Starts guests by the name of their fixture."""

    loader: Loader
    services: ScriptedServices = attrs.Factory(ScriptedServices)
    started: list[Instance] = attrs.Factory(list)

    @property
    def runtime(self) -> Runtime:
        return self.loader.runtime

    async def component(self, name: str) -> Component:
        return await self.loader.load(Artifact.at(GUESTS / f"{name}.wat"))

    async def make(
        self,
        name: str,
        *,
        services: Any = None,
        limits: Limits | None = None,
        **some_limits: Any,
    ) -> Instance:
        """Instantiate a guest, not yet initialized."""
        component = await self.component(name)
        guest = await component.instantiate(
            limits or Limits(**some_limits), services or self.services
        )
        self.started.append(guest)
        return guest

    async def start(
        self, name: str, data: bytes | None = None, **settings: Any
    ) -> Instance:
        """Instantiate and initialize a guest."""
        guest = await self.make(name, **settings)
        await guest.initialize(ComponentConfig(data=data))
        return guest

    async def many(self, count: int, name: str, **settings: Any) -> list[Instance]:
        return [await self.start(name, **settings) for _ in range(count)]

    def close(self) -> None:
        while self.started:
            self.started.pop().close()


@asynccontextmanager
async def open_guests(
    cache_directory: Path | None = None,
    make_ticks: TicksMaker = Ticker,
    **settings: Any,
) -> AsyncIterator[Guests]:
    """Open a runtime; afterwards nothing may be left open in C."""
    async with open_runtime(
        EngineSettings(**settings),
        cache_directory=cache_directory,
        make_ticks=make_ticks,
    ) as loader:
        guests = Guests(loader)
        try:
            yield guests
        finally:
            guests.close()
        assert not guests.runtime.engine.ledger.stores, "a guest was left open"
        assert not guests.runtime.turns.waiting, "a call was left in a line"


async def is_spent_because(guest: Instance, failure: GuestFailed | None = None) -> bool:
    """Whether a guest refuses every call, says why, and can be closed twice."""
    why = guest.spent
    assert why is not None
    assert failure is None or why is failure
    calls = (
        guest.health,
        guest.metadata,
        guest.shutdown,
        lambda: guest.handle_message(envelope()),
        lambda: guest.handle_callback(envelope()),
        lambda: guest.initialize(ComponentConfig()),
    )
    for call in calls:
        with pytest.raises(GuestSpent) as refusal:
            await call()
        assert refusal.value.reason is why.reason
        # Reported once, and not as an error within an error.
        assert str(refusal.value).count("spent") == 1
    guest.close()
    guest.close()
    return guest.spent is why


async def beat(
    seconds: float, period: float = 0.01, late: list[float] | None = None
) -> list[float]:
    """Beat for a while; how late each beat was in seconds, but for the machine's doing."""
    late = [] if late is None else late
    for _ in range(math.ceil(seconds / period)):
        watch = Stopwatch()
        await trio.sleep(period)
        late.append(watch.seconds() - period)
    return late


COMPOSED = """(component
  (component $a (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (component $b (import "f" (func $f)) (core func (canon lower (func $f))))
  (instance $ai (instantiate $a))
  (instance (instantiate $b (with "f" (func $ai "f"))))"""
"""Components inside that call each other, which are not taken apart."""


def whole_only(name: str) -> Artifact:
    """A guest to which something was added that only wasmtime can run."""
    text = (GUESTS / f"{name}.wat").read_text().replace("(component", COMPOSED, 1)
    return Artifact.from_text(text, f"{name}, whole")


def process_memory() -> int:
    """Resident bytes of this process."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024
