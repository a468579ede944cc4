"""A topology in plain Python: one function for each thing that can be declared.

They turn what is convenient to write into the specs of a `Blueprint` and judge
nothing: what cannot be read is passed on as it is, so that `open_system` reports all
mistakes of a definition at once, each with its path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airssys.contracts import (
    DEFAULT_MAILBOX,
    DEFAULT_PERIOD,
    DEFAULT_RESTART_BUDGET,
    DEFAULT_RESTARTS,
    DEFAULT_SHUTDOWN,
    DEFAULT_START_TIMEOUT,
    DEFAULT_STOP_TIMEOUT,
    ActorSpec,
    Artifact,
    AutoShutdown,
    Backoff,
    Blueprint,
    ChildSpec,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    Directive,
    DynamicSupervisorSpec,
    EngineSettings,
    Intensity,
    Limits,
    OnError,
    RestartType,
    Shutdown,
    Strategy,
    SupervisorSpec,
    TaskSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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
    drain: bool = False,
    significant: bool = False,
    backoff: Backoff | None = None,
    on_error: Mapping[type[Exception], Directive | str] | None = None,
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
        drain: whether to handle what is queued before stopping.
        significant: whether its end may end its supervisor; see `auto_shutdown`.
        backoff: how long to wait before it is started again.
        on_error: what errors ask for, e.g. `{ValueError: "stop"}`; the first fits.
    """
    return ComponentSpec(
        id=_identity(name),
        artifact=_artifact(code),
        config=_config(data, env, limits),
        restart=_restart(restart),
        shutdown=shutdown,
        start_timeout=start_timeout,
        mailbox=mailbox,
        drain=drain,
        significant=significant,
        backoff=backoff or Backoff(),
        on_error=_directives(on_error),
    )


def actor(  # noqa: PLR0913  # as above
    name: str | ComponentId,
    behaviour: Callable[..., Any],
    *arguments: object,
    restart: RestartType | str = RestartType.PERMANENT,
    shutdown: Shutdown = DEFAULT_SHUTDOWN,
    start_timeout: float = DEFAULT_START_TIMEOUT,
    mailbox: int = DEFAULT_MAILBOX,
    drain: bool = False,
    significant: bool = False,
    backoff: Backoff | None = None,
    on_error: Mapping[type[Exception], Directive | str] | None = None,
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
        drain=drain,
        significant=significant,
        backoff=backoff or Backoff(),
        on_error=_directives(on_error),
    )


def task(  # noqa: PLR0913  # as above
    name: str,
    function: Callable[..., Any],
    *arguments: object,
    context: bool = False,
    restart: RestartType | str = RestartType.PERMANENT,
    shutdown: Shutdown = DEFAULT_SHUTDOWN,
    start_timeout: float = DEFAULT_START_TIMEOUT,
    significant: bool = False,
    backoff: Backoff | None = None,
    on_error: Mapping[type[Exception], Directive | str] | None = None,
) -> TaskSpec:
    """Declare an async function as a child without a mailbox.

    With `context` it takes a `TaskContext` first: it says when it is ready, and hears
    that it is to stop. The other arguments are those of `component`.
    """
    return TaskSpec(
        name=name,
        function=function,
        arguments=arguments,
        context=context,
        restart=_restart(restart),
        shutdown=shutdown,
        start_timeout=start_timeout,
        significant=significant,
        backoff=backoff or Backoff(),
        on_error=_directives(on_error),
    )


def supervisor(  # noqa: PLR0913  # as above
    name: str,
    *children: ChildSpec,
    strategy: Strategy | str = Strategy.ONE_FOR_ONE,
    auto_shutdown: AutoShutdown | str = AutoShutdown.NEVER,
    restarts: int = DEFAULT_RESTARTS,
    period: float = DEFAULT_PERIOD,
    restart: RestartType | str = RestartType.PERMANENT,
    shutdown: Shutdown = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
    on_error: Mapping[type[Exception], Directive | str] | None = None,
) -> SupervisorSpec:
    """Declare a supervisor; its children start in this order and stop in reverse.

    Args:
        name: unique among its siblings.
        children: what it supervises.
        strategy: who shares a restart: `one_for_one`, `one_for_all`, `rest_for_one`.
        auto_shutdown: whether it ends with its significant children: `never`,
            `any_significant`, `all_significant`.
        restarts: so many within `period` are allowed; one more and it gives up.
        period: seconds.
        restart: what its own supervisor does when it ends.
        shutdown: seconds to stop in; by default its children decide.
        significant: as for `component`, and so are the others.
        backoff: how long to wait before it is started again.
        on_error: what errors ask for that a child escalates.
    """
    return SupervisorSpec(
        name=name,
        children=children,
        strategy=_read_word(Strategy, strategy),
        auto_shutdown=_read_word(AutoShutdown, auto_shutdown),
        intensity=Intensity(restarts, period),
        restart=_restart(restart),
        shutdown=shutdown,
        significant=significant,
        backoff=backoff or Backoff(),
        on_error=_directives(on_error),
    )


def dynamic_supervisor(  # noqa: PLR0913  # as above
    name: str,
    template: ComponentSpec | ActorSpec | None = None,
    *,
    max_children: int | None = None,
    restarts: int = DEFAULT_RESTARTS,
    period: float = DEFAULT_PERIOD,
    restart: RestartType | str = RestartType.PERMANENT,
    shutdown: Shutdown = math.inf,
    significant: bool = False,
    backoff: Backoff | None = None,
) -> DynamicSupervisorSpec:
    """Declare a supervisor whose children come and go while it runs.

    Args:
        name: unique among its siblings.
        template: what its children are made from; None: each start brings its own.
        max_children: how many there may be at once.
        restarts: as for `supervisor`, and so are the others.
        period: seconds.
        restart: what its own supervisor does when it ends.
        shutdown: seconds to stop in; by default its children decide.
        significant: whether its end may end its supervisor.
        backoff: how long to wait before it is started again.
    """
    return DynamicSupervisorSpec(
        name=name,
        template=template,
        max_children=max_children,
        intensity=Intensity(restarts, period),
        restart=_restart(restart),
        shutdown=shutdown,
        significant=significant,
        backoff=backoff or Backoff(),
    )


def blueprint(  # noqa: PLR0913  # as above
    *children: ChildSpec,
    strategy: Strategy | str = Strategy.ONE_FOR_ONE,
    auto_shutdown: AutoShutdown | str = AutoShutdown.NEVER,
    restarts: int = DEFAULT_RESTARTS,
    period: float = DEFAULT_PERIOD,
    engine: EngineSettings | None = None,
    stop_timeout: float = DEFAULT_STOP_TIMEOUT,
    restart_budget: int | None = DEFAULT_RESTART_BUDGET,
) -> Blueprint:
    """Put a whole system together, under a root supervisor called `root`.

    Args:
        children: what the root supervises.
        strategy: who shares a restart, as for `supervisor`.
        auto_shutdown: whether the system ends with its significant children.
        restarts: how many restarts the root allows within `period`.
        period: seconds.
        engine: how guests are run.
        stop_timeout: seconds for the whole tree to stop in.
        restart_budget: how often a child may be started, at most, before the root
            gives up: the product of what its supervisors allow. None: not checked.
    """
    root = supervisor(
        "root",
        *children,
        strategy=strategy,
        auto_shutdown=auto_shutdown,
        restarts=restarts,
        period=period,
    )
    return Blueprint(
        root=root,
        engine=engine or EngineSettings(),
        stop_timeout=stop_timeout,
        restart_budget=restart_budget,
    )


def _config(
    data: bytes | str | None, env: Mapping[str, str] | None, limits: Limits | None
) -> ComponentConfig:
    return ComponentConfig(
        env=tuple((env or {}).items()),
        data=data.encode() if isinstance(data, str) else data,
        limits=limits or Limits(),
    )


def _identity(name: str | ComponentId) -> ComponentId:
    return _read(ComponentId.parse, name) if isinstance(name, str) else name


def _restart(word: RestartType | str) -> RestartType:
    return _read(RestartType, word) if isinstance(word, str) else word


def _directives(
    table: Mapping[type[Exception], Directive | str] | None,
) -> OnError:
    if not isinstance(table, Mapping):
        return () if table is None else table
    entries = table.items()
    return tuple((kind, _read_word(Directive, word)) for kind, word in entries)


def _read_word(words: Callable[[str], _Word], word: _Word | str) -> _Word:
    return _read(words, word) if isinstance(word, str) else word


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
