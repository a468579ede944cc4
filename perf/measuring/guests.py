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
from airssys.wasm import open_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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


def message(payload: bytes) -> Envelope:
    """Make a message like `MESSAGE` with another payload."""
    return MESSAGE._replace(payload=payload)


@final
class SleepOnly:
    """Host services for guests that want nothing but sleep."""

    async def sleep(self, seconds: float) -> None:
        """Sleep on Trio's clock."""
        await trio.sleep(seconds)


SERVICES: Final = cast("HostServices", SleepOnly())


@final
@attrs.frozen
class Shop:
    """A loader, and one component that it has loaded."""

    loader: ComponentLoader
    component: LoadedComponent

    async def also(self, name: str) -> Shop:
        """Load another component into the same runtime."""
        artifact = Artifact.at(guest_file(name))
        return Shop(self.loader, await self.loader.load(artifact))

    async def guest(self, limits: Limits | None = None) -> Guest:
        """Make and initialize one more instance."""
        made = await self.component.instantiate(limits or Limits(), SERVICES)
        await made.initialize(ComponentConfig())
        return made


@asynccontextmanager
async def open_shop(name: str) -> AsyncIterator[Shop]:
    """Open a runtime with one component, compiled; guests are closed with it."""
    async with open_runtime(EngineSettings()) as loader:
        yield Shop(loader, await loader.load(Artifact.at(guest_file(name))))


@asynccontextmanager
async def lend(loader: ComponentLoader) -> AsyncIterator[ComponentLoader]:
    """Let a system use a loader that outlives it, so that opening compiles nothing."""
    yield loader
