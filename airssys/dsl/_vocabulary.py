"""What may be said of each thing that is declared: one typed dictionary a word.

A new option is one line here, which gives it to decorators and builders alike, and its
place in `_reading`. Whatever is left out has the default of the spec's own field.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

from airssys.contracts import (
    Artifact,
    AutoShutdown,
    Backoff,
    ComponentId,
    Directive,
    EngineSettings,
    Envelope,
    Growth,
    Health,
    KeyFunction,
    Lag,
    Limits,
    LogLevel,
    OnAbandoned,
    Overflow,
    OverflowRules,
    Poison,
    PoolSize,
    RestartType,
    Routing,
    Shutdown,
    Strategy,
)

Name: TypeAlias = str | ComponentId
"""`name` alone, or `namespace/name/instance`."""

Code: TypeAlias = Artifact | Path | str | bytes
"""A path to a component, or its bytes; WAT text by `Artifact.from_text`. A path that is
relative begins at the folder of the file that it is written in."""

GrowthWord: TypeAlias = Growth | Literal["constant", "linear", "exponential"]
LogLevelWord: TypeAlias = LogLevel | Literal["trace", "debug", "info", "warn", "error"]
AutoShutdownWord: TypeAlias = (
    AutoShutdown | Literal["never", "any_significant", "all_significant"]
)
DirectiveWord: TypeAlias = Directive | Literal["restart", "resume", "stop", "escalate"]
StrategyWord: TypeAlias = (
    Strategy | Literal["one_for_one", "one_for_all", "rest_for_one"]
)
PoisonWord: TypeAlias = Poison | Literal["drop", "retry", "quarantine"]
OnAbandonedWord: TypeAlias = OnAbandoned | Literal["continue", "cancel"]
RestartWord: TypeAlias = RestartType | Literal["permanent", "transient", "temporary"]

CodecWord: TypeAlias = str
"""A content type, or `json`, `msgpack`, `protobuf`, `borsh` or `bincode`."""

OverflowWord: TypeAlias = (
    Overflow | Literal["block", "fail", "drop-newest", "drop-oldest", "dead-letter"]
)


class OverflowWordOf(TypedDict, total=False):
    """A policy for each priority; what is left out has the default of `OverflowRules`."""

    unmarked: OverflowWord
    low: OverflowWord
    normal: OverflowWord
    high: OverflowWord
    critical: OverflowWord


OverflowWords: TypeAlias = OverflowWord | OverflowRules | OverflowWordOf
"""One policy for all messages, or one for each priority."""

LagWord: TypeAlias = Lag | Literal["block", "drop-newest", "disconnect"]
RoutingWord: TypeAlias = (
    Routing | Literal["round-robin", "least-mailbox", "consistent-hash"]
)


class PoolSizeValues(TypedDict, total=False):
    """`PoolSize` as plain values, which are looked at when the system opens."""

    minimum: int
    maximum: int
    grow_above: float
    shrink_below: float
    patience: float


Handler: TypeAlias = Callable[[Any, Envelope], Awaitable[bytes | None]]
"""`async def handle(context, envelope)`."""


class Behaviour(Protocol):
    """What an instance of an actor's class can do; `airssys.nursery` says what more."""

    def handle(
        self,
        context: Any,  # noqa: ANN401  # an `ActorContext`, which is not known here
        envelope: Envelope,
        /,
    ) -> Awaitable[bytes | None]:
        """Handle one message."""


class LimitValues(TypedDict, total=False):
    """`Limits` as plain values, which are looked at when the system opens."""

    memory_bytes: int
    table_elements: int
    execution_time: float
    fuel: int | None
    host_call_bytes: int
    state_bytes: int
    storage_bytes: int
    storage_keys: int
    open_requests: int
    request_bytes: int


class BackoffValues(TypedDict, total=False):
    """`Backoff` as plain values; what is left out has the default of its field."""

    growth: GrowthWord
    first: float
    factor: float
    cap: float
    jitter: bool
    reset_after: float


class HealthValues(TypedDict, total=False):
    """`Health` as plain values; what is left out has the default of its field."""

    interval: float
    timeout: float
    threshold: int


class _RestartOptions(TypedDict, total=False):
    significant: bool
    """Whether its end may end its supervisor; see `auto_shutdown`."""
    backoff: Backoff | BackoffValues
    """How long to wait before it is started again."""
    on_error: Mapping[type[Exception], DirectiveWord]
    """What errors ask for, e.g. `{ValueError: "stop"}`; the first that fits decides."""


class _TopicOptions(TypedDict, total=False):
    topics: str | Sequence[str]
    """Patterns of topics to be subscribed to."""
    lag: LagWord
    """What becomes of what is published when there is no room."""


class _AnyActorOptions(_RestartOptions, _TopicOptions, total=False):
    """Of every actor."""

    restart: RestartWord
    """Which ends cause a restart."""
    shutdown: Shutdown
    """Seconds to stop in, `math.inf` or `BRUTAL_KILL`."""
    start_timeout: float
    """Seconds to become ready in; loading does not count."""
    mailbox: int
    """Messages that may queue."""
    overflow: OverflowWords
    """What becomes of a message that finds the mailbox full."""
    message_bytes: int
    """Bytes of payload that one message may have."""
    mailbox_bytes: int
    """Bytes of payload that may queue."""
    codecs: CodecWord | Sequence[CodecWord] | None
    """The codecs that it takes, the preferred one first; None: any."""
    prefixed: bool
    """Whether each payload begins with the two bytes that name its codec."""
    drain: bool
    """Whether to handle what is queued before stopping."""
    poison: PoisonWord
    """What becomes of the message that it crashed over."""
    health: Health | HealthValues | None
    """How its health is probed; a Python actor needs a method `health` for it."""


class ActorOptions(_AnyActorOptions, total=False):
    """Of a Python actor."""

    hook_timeout: float
    """Seconds that `before_restart` may take; and `stopped`, if `shutdown` is infinite."""


class ComponentOptions(_AnyActorOptions, total=False):
    """Of a component actor."""

    data: bytes | str | None
    """The `config-data` that `initialize` is given; text goes as UTF-8."""
    env: Mapping[str, str] | None
    """The `env-vars` that `initialize` is given."""
    limits: Limits | LimitValues | None
    """What the guest may use."""
    log_level: LogLevelWord
    """What it logs below this level is dropped."""
    on_abandoned: OnAbandonedWord
    """What becomes of a call when its asker stops waiting: it goes on, or it is dropped
    and the instance replaced, which nobody counts."""
    sends: CodecWord | None
    """The codec of all that it sends; by default the first that it takes."""


class _Names(TypedDict, total=False):
    names: Name | Sequence[Name]
    """One actor for each; without them, the attribute that holds the declaration."""


class DeclaredActorOptions(ActorOptions, _Names, total=False):
    """Of a Python actor that gets its name from the place where it stands."""


class DeclaredComponentOptions(ComponentOptions, _Names, total=False):
    """Of a component actor that gets its name from the place where it stands."""


class _IntensityOptions(TypedDict, total=False):
    restarts: int
    """So many within `period` are allowed; one more and the supervisor gives up."""
    period: float
    """Seconds."""


class _StrategyOptions(_IntensityOptions, total=False):
    strategy: StrategyWord
    """Who shares a child's restart: nobody, all, or those started after it."""
    auto_shutdown: AutoShutdownWord
    """Whether it ends with its significant children."""


class _SupervisedOptions(_RestartOptions, total=False):
    restart: RestartWord
    """What its own supervisor does when it ends."""
    shutdown: Shutdown
    """Seconds to stop in; for a supervisor, by default its children decide."""
    start_timeout: float
    """Seconds to become ready in; for a supervisor, by default its children decide."""


class SupervisorOptions(_StrategyOptions, _SupervisedOptions, total=False):
    """Of a supervisor."""


class DynamicSupervisorOptions(_IntensityOptions, _SupervisedOptions, total=False):
    """Of a supervisor whose children come and go."""

    max_children: int | None
    """Those being restarted count; None: no limit."""


class PlainTaskOptions(_SupervisedOptions, total=False):
    """Of an async function that is a child, but for `context`."""


class TaskOptions(PlainTaskOptions, total=False):
    """Of an async function that is a child."""

    context: bool
    """Whether it takes a `TaskContext` first, which says when it is ready and hears that
    it is to stop."""


class PoolOptions(_IntensityOptions, _RestartOptions, _TopicOptions, total=False):
    """Of a pool; those of its members are said where the member is declared."""

    size: int | PoolSize | PoolSizeValues
    """How many members, or between how many."""
    routing: RoutingWord
    """Which member gets a message."""
    key: KeyFunction | None
    """Reads the key of a message, for the routing `consistent-hash`."""
    restart: RestartWord
    """What its own supervisor does when the pool ends."""
    shutdown: Shutdown
    """Seconds to stop in; by default its members decide."""


class DeclaredPoolOptions(PoolOptions, _Names, total=False):
    """Of a pool that gets its name from the place where it stands."""


class TopologyOptions(_StrategyOptions, total=False):
    """Of a whole system; strategy, restarts and the like are those of its root."""

    engine: EngineSettings | None
    """How guests are run."""
    stop_timeout: float
    """Seconds for the whole tree to stop in."""
    stop_budget: float | None
    """Seconds that stopping may take if every child uses its whole time; None: not
    checked."""
    restart_budget: int | None
    """How often a child may be started before the root gives up; None: not checked."""
