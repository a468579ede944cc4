"""The values that pass between a guest and its host (WIT: `airssys:core`)."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple, final

import attrs

from ._identity import ComponentId
from ._limits import Limits


class LogLevel(enum.Enum):
    """WIT: `log-level`."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"

    @property
    def and_above(self) -> frozenset[LogLevel]:
        """Return this level and all more important ones."""
        return _AND_ABOVE[self]


_AND_ABOVE: Final = {
    level: frozenset(list(LogLevel)[number:]) for number, level in enumerate(LogLevel)
}


class HealthStatus(enum.Enum):
    """WIT: `health-status`."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Timestamp(NamedTuple):
    """Wall clock time since 1970 (WIT: `timestamp`)."""

    seconds: int
    nanoseconds: int


class StorageUsage(NamedTuple):
    """How much of its quota a component uses (WIT: `storage-usage`)."""

    used_bytes: int
    """Of keys, as UTF-8, and values."""
    quota_bytes: int
    key_count: int


@final
@attrs.frozen
class ComponentConfig:
    """What a component is given when it starts (WIT: `component-config`)."""

    env: tuple[tuple[str, str], ...] = ()
    """Names and values, in this order; the host's own environment is not added."""
    data: bytes | None = None
    limits: Limits = Limits()
    """Passed to the guest, and enforced by the host."""
    arguments: tuple[str, ...] = ()
    """What follows its name in the arguments that it finds by WASI."""
    stdin: bytes | None = None
    """What it reads as standard input by WASI; None: nothing."""
    listen: str | None = None
    """Where one that handles requests of HTTP listens: `127.0.0.1:8080`."""
    keep: int = 1
    """How many requests an instance of such a one handles, one after the other."""
    handles_http: bool = False
    """Whether it has to be one that handles requests of HTTP."""
    passes_stdio: bool = False
    """Whether its standard streams are those of the host's process. Otherwise what it
    writes becomes lines of its log."""


@final
@attrs.frozen
class ComponentMetadata:
    """A component's description of itself (WIT: `component-metadata`)."""

    name: str
    version: str
    description: str
    author: str
    license: str
    supported_operations: tuple[str, ...]
    stateful: bool


@final
@attrs.frozen
class ComponentInfo:
    """What one component may know of another (WIT: `component-info`)."""

    id: ComponentId
    name: str
    version: str
    health: str
