"""The guests that are measured: fixtures of the tests, alone or in a system."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, final

import attrs
import trio

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    ComponentId,
    ComponentLoader,
    EngineSettings,
    Envelope,
    Guest,
    HostServices,
    Limits,
    LoadedComponent,
)
from airssys.messaging import Sleepers
from airssys.wasm import open_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


_COMPOSED: Final = """(component
  (component $called
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (component $calls
    (import "f" (func $f))
    (core func (canon lower (func $f))))
  (instance $called (instantiate $called))
  (instance (instantiate $calls (with "f" (func $called "f"))))
"""
"""Components inside that call each other, which are not taken apart."""
GUESTS: Final = Path(__file__).resolve().parents[2] / "tests" / "guests"
PAYLOAD: Final = bytes(range(64))
MESSAGE: Final = Envelope(
    target=ComponentId("perf", "target"),
    sender=ComponentId("perf", "sender", "7"),
    payload=PAYLOAD,
    content_type="application/octet-stream",
    correlation_id="3f0c2d9e-3b1a-4a53-9a41-1f6f0b8c7d2e",
    reply_to=ComponentId("perf", "asker", "9"),
    sent_at_ns=1_700_000_000_123_456_789,
)
"""64 bytes, with every field of the record set."""


def guest_file(name: str) -> Path:
    """Find the code of a fixture."""
    return GUESTS / f"{name}.wat"


def whole_only(name: str) -> Artifact:
    """Return a fixture to which something was added that only wasmtime can run."""
    text = guest_file(name).read_text().replace("(component\n", _COMPOSED, 1)
    return Artifact.from_text(text, f"{name}, whole")


def message(payload: bytes) -> Envelope:
    """Make a message like `MESSAGE` with another payload."""
    return MESSAGE._replace(payload=payload)


@final
@attrs.frozen
class _Sleep:
    """Services that can do nothing but sleep."""

    clock: Sleepers


@final
@attrs.frozen
class Shop:
    """A loader, one component that it has loaded, and sleep: all that guests want here."""

    loader: ComponentLoader
    component: LoadedComponent
    sleepers: Sleepers

    async def also(self, name: str) -> Shop:
        """Load another component into the same runtime."""
        artifact = Artifact.at(guest_file(name))
        return attrs.evolve(self, component=await self.loader.load(artifact))

    async def guest(self, limits: Limits | None = None) -> Guest:
        """Make and initialize one more instance."""
        services = cast("HostServices", _Sleep(self.sleepers))
        made = await self.component.instantiate(limits or Limits(), services)
        await made.initialize(ComponentConfig())
        return made


@asynccontextmanager
async def open_shop(
    name: str, settings: EngineSettings | None = None
) -> AsyncIterator[Shop]:
    """Open a runtime with one component, compiled; guests are closed with it."""
    sleepers = Sleepers()
    engine = settings or EngineSettings()
    async with trio.open_nursery() as nursery, open_runtime(engine) as loader:
        await nursery.start(sleepers.serve)
        component = await loader.load(Artifact.at(guest_file(name)))
        yield Shop(loader, component, sleepers)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def lend(loader: ComponentLoader) -> AsyncIterator[ComponentLoader]:
    """Let a system use a loader that outlives it, so that opening compiles nothing."""
    yield loader
