"""A topology in plain Python: one function for each thing that can be declared.

They turn what is convenient to write into the specs of a `Blueprint` and judge
nothing: what cannot be read is passed on as it is, so that `open_system` reports all
mistakes of a definition at once, each with its path.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airssys.contracts import (
    DEFAULT_MAILBOX,
    DEFAULT_PERIOD,
    DEFAULT_RESTARTS,
    DEFAULT_SHUTDOWN,
    DEFAULT_START_TIMEOUT,
    DEFAULT_STOP_TIMEOUT,
    ActorSpec,
    Artifact,
    Blueprint,
    ChildSpec,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    EngineSettings,
    Intensity,
    Limits,
    LogLevel,
    RestartType,
    Shutdown,
    SupervisorSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Word = TypeVar("_Word")


def component(  # noqa: PLR0913  # keywords with defaults, one for each field
    name: str | ComponentId,
    code: Artifact | Path | str | bytes,
    *,
    data: bytes | str | None = None,
    env: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    restart: RestartType | str = RestartType.PERMANENT,
    shutdown: Shutdown = DEFAULT_SHUTDOWN,
    start_timeout: float = DEFAULT_START_TIMEOUT,
    mailbox: int = DEFAULT_MAILBOX,
    log_level: LogLevel | str = LogLevel.TRACE,
) -> ComponentSpec:
    """Declare a component actor.

    Args:
        name: `name` alone or `namespace/name/instance`.
        code: a path to a component, or its bytes; WAT text by `Artifact.from_text`.
        data: the `config-data` that `initialize` is given; text goes as UTF-8.
        env: the `env-vars` that `initialize` is given.
        limits: what the guest may use.
        restart: `permanent`, `transient` or `temporary`.
        shutdown: seconds to stop in, `math.inf` or `BRUTAL_KILL`.
        start_timeout: seconds to become ready in; loading does not count.
        mailbox: messages that may queue.
        log_level: `trace`, `debug`, `info`, `warn` or `error`; what the guest logs
            below it is dropped.
    """
    config = ComponentConfig(
        env=tuple((env or {}).items()),
        data=data.encode() if isinstance(data, str) else data,
        limits=limits or Limits(),
    )
    return ComponentSpec(
        id=_identity(name),
        artifact=_artifact(code),
        config=config,
        restart=_restart(restart),
        shutdown=shutdown,
        start_timeout=start_timeout,
        mailbox=mailbox,
        log_level=_log_level(log_level),
    )


def actor(
    name: str | ComponentId,
    behaviour: Callable[..., Any],
    *arguments: object,
    restart: RestartType | str = RestartType.PERMANENT,
    shutdown: Shutdown = DEFAULT_SHUTDOWN,
    start_timeout: float = DEFAULT_START_TIMEOUT,
    mailbox: int = DEFAULT_MAILBOX,
) -> ActorSpec:
    """Declare a Python actor: an async function, or a class and its arguments.

    The other arguments are those of `component`.
    """
    return ActorSpec(
        id=_identity(name),
        behaviour=behaviour,
        arguments=arguments,
        restart=_restart(restart),
        shutdown=shutdown,
        start_timeout=start_timeout,
        mailbox=mailbox,
    )


def supervisor(
    name: str,
    *children: ChildSpec,
    restarts: int = DEFAULT_RESTARTS,
    period: float = DEFAULT_PERIOD,
    restart: RestartType | str = RestartType.PERMANENT,
    shutdown: Shutdown = math.inf,
) -> SupervisorSpec:
    """Declare a supervisor; its children start in this order and stop in reverse.

    Args:
        name: unique among its siblings.
        children: what it supervises.
        restarts: so many within `period` are allowed; one more and it gives up.
        period: seconds.
        restart: what its own supervisor does when it ends.
        shutdown: seconds to stop in; by default its children decide.
    """
    return SupervisorSpec(
        name=name,
        children=children,
        intensity=Intensity(restarts, period),
        restart=_restart(restart),
        shutdown=shutdown,
    )


def blueprint(
    *children: ChildSpec,
    restarts: int = DEFAULT_RESTARTS,
    period: float = DEFAULT_PERIOD,
    engine: EngineSettings | None = None,
    stop_timeout: float = DEFAULT_STOP_TIMEOUT,
) -> Blueprint:
    """Put a whole system together, under a root supervisor called `root`.

    Args:
        children: what the root supervises.
        restarts: how many restarts the root allows within `period`.
        period: seconds.
        engine: how guests are run.
        stop_timeout: seconds for the whole tree to stop in.
    """
    return Blueprint(
        root=supervisor("root", *children, restarts=restarts, period=period),
        engine=engine or EngineSettings(),
        stop_timeout=stop_timeout,
    )


def _identity(name: str | ComponentId) -> ComponentId:
    return _read(ComponentId.parse, name) if isinstance(name, str) else name


def _restart(word: RestartType | str) -> RestartType:
    return _read(RestartType, word) if isinstance(word, str) else word


def _log_level(word: LogLevel | str) -> LogLevel:
    return _read(LogLevel, word) if isinstance(word, str) else word


def _artifact(code: Artifact | Path | str | bytes) -> Artifact:
    if isinstance(code, (str, Path)):
        return Artifact.at(code)
    return Artifact.from_bytes(code) if isinstance(code, bytes) else code


def _read(reader: Callable[[str], _Word], text: str) -> _Word:
    """Read a word; one that cannot be read is left for the blueprint's own check."""
    try:
        return reader(text)
    except ValueError:
        return cast("_Word", text)
