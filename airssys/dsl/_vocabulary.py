"""The options of each declaration: one typed dictionary each.

A new option is one line here, which adds it to decorators and builders, and one place
in `_reading`. An option that is left out has the default of the specification's own
field.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

from airssys.contracts import (
    Artifact,
    AutoShutdown,
    Backoff,
    CheckpointEvery,
    ComponentId,
    Directive,
    EngineSettings,
    Envelope,
    Grant,
    Growth,
    Health,
    KeyFunction,
    Lag,
    Limits,
    LogLevel,
    NamedInterface,
    OnAbandoned,
    Overflow,
    OverflowRules,
    Poison,
    PoolSize,
    Quota,
    Quotas,
    RestartFrom,
    RestartType,
    Routing,
    Shutdown,
    StartFrom,
    Strategy,
)

Name: TypeAlias = str | ComponentId
"""`name` alone, or `namespace/name/instance`."""

Code: TypeAlias = Artifact | Path | str | bytes
"""A path to a component, or its bytes; WAT text by `Artifact.from_text`. A relative
path starts at the folder of the file that it is written in."""

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
StartFromWord: TypeAlias = StartFrom | Literal["code", "snapshot"]
RestartFromWord: TypeAlias = RestartFrom | Literal["start", "checkpoint"]
RestartWord: TypeAlias = RestartType | Literal["permanent", "transient", "temporary"]

CodecWord: TypeAlias = str
"""A content type, or `json`, `msgpack`, `protobuf`, `borsh` or `bincode`."""

OverflowWord: TypeAlias = (
    Overflow | Literal["block", "fail", "drop-newest", "drop-oldest", "dead-letter"]
)


class OverflowWordOf(TypedDict, total=False):
    """A policy for each priority; missing ones have the default of `OverflowRules`."""

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
    """`PoolSize` as plain values, which are checked when the system opens."""

    minimum: int
    maximum: int
    grow_above: float
    shrink_below: float
    patience: float


Handler: TypeAlias = Callable[[Any, Envelope], Awaitable[bytes | None]]
"""`async def handle(context, envelope)`."""


class HandlerObject(Protocol):
    """What an instance of an actor's class can do; `airssys.nursery` has more."""

    def handle(
        self,
        context: Any,  # noqa: ANN401  # an `ActorContext`, which is not known here
        envelope: Envelope,
        /,
    ) -> Awaitable[bytes | None]:
        """Handle one message."""
        ...


class OneQuotaValues(TypedDict, total=False):
    """A `Quota` as plain values."""

    limit: float
    burst: int | None
    at_limit: Literal["refuse", "delay", "end"] | None


QuotaOption: TypeAlias = "float | Quota | OneQuotaValues"


class QuotaValues(TypedDict, total=False):
    """`Quotas` as plain values, which are checked when the system opens."""

    storage_bytes: QuotaOption
    messages_per_second: QuotaOption
    network_bytes_per_second: QuotaOption
    cpu_ms_per_second: QuotaOption
    memory_bytes: QuotaOption
    host_calls_per_second: QuotaOption
    allocation_bytes_per_call: QuotaOption
    allocation_bytes_per_second: QuotaOption
    log_bytes_per_second: QuotaOption
    open_requests: QuotaOption
    subscriptions: QuotaOption
    fan_out: QuotaOption


class LimitValues(TypedDict, total=False):
    """`Limits` as plain values, which are checked when the system opens."""

    memory_bytes: int
    table_elements: int
    execution_time: float
    fuel: int | None
    host_call_bytes: int
    state_bytes: int
    snapshot_bytes: int
    storage_bytes: int
    storage_keys: int
    file_bytes: int
    files: int
    open_files: int
    open_requests: int
    request_bytes: int


class BackoffValues(TypedDict, total=False):
    """`Backoff` as plain values; missing ones have the default of their field."""

    growth: GrowthWord
    first: float
    factor: float
    cap: float
    jitter: bool
    reset_after: float


class CheckpointValues(TypedDict, total=False):
    """`CheckpointEvery` as plain values; at least one of them."""

    seconds: float | None
    messages: int | None


class HealthValues(TypedDict, total=False):
    """`Health` as plain values; missing ones have the default of their field."""

    interval: float
    timeout: float
    threshold: int


class _RestartOptions(TypedDict, total=False):
    significant: bool
    """Whether its end may end its supervisor; see `auto_shutdown`."""
    backoff: Backoff | BackoffValues
    """How long to wait before it is restarted."""
    on_error: Mapping[type[Exception], DirectiveWord]
    """What to do about errors, e.g. `{ValueError: "stop"}`; the first match is used."""


class _TopicOptions(TypedDict, total=False):
    topics: str | Sequence[str]
    """Patterns of topics to subscribe to."""
    lag: LagWord
    """What happens to a published message without room."""


class _AnyActorOptions(_RestartOptions, _TopicOptions, total=False):
    """Options of every actor."""

    restart: RestartWord
    """Which ends cause a restart."""
    shutdown: Shutdown
    """Seconds to stop in, `math.inf` or `BRUTAL_KILL`."""
    start_timeout: float
    """Seconds to become ready in, without loading."""
    mailbox: int
    """The number of messages that may queue."""
    overflow: OverflowWords
    """What happens to a message that finds the mailbox full."""
    message_bytes: int
    """Bytes of payload that one message may have."""
    mailbox_bytes: int
    """Bytes of payload that may queue."""
    codecs: CodecWord | Sequence[CodecWord] | None
    """The codecs that it accepts, the preferred one first; None: any."""
    prefixed: bool
    """Whether each payload begins with the two bytes that name its codec."""
    drain: bool
    """Whether to handle queued messages before stopping."""
    poison: PoisonWord
    """What happens to a message that made it crash."""
    health: Health | HealthValues | None
    """How its health is probed; a Python actor needs a method `health` for this."""


Grants: TypeAlias = Grant | Sequence[Grant]
"""One grant or several, made by the words of `airssys.security`."""


class ActorOptions(_AnyActorOptions, total=False):
    """Options of a Python actor."""

    can: Grants | None
    """What it may do through its context; by default whatever the bounds above allow."""
    quotas: Quotas | QuotaValues | None
    """How much it may use through its context; by default what those above allow."""
    hook_timeout: float
    """Seconds for `before_restart`; and for `stopped`, if `shutdown` is infinite."""


class ComponentOptions(_AnyActorOptions, total=False):
    """Options of a component actor."""

    data: bytes | str | None
    """The `config-data` passed to `initialize`; text is encoded as UTF-8."""
    env: Mapping[str, str] | None
    """The `env-vars` passed to `initialize`; the environment that it finds by WASI."""
    arguments: Sequence[str] | None
    """What follows its name in the arguments that it finds by WASI."""
    stdin: bytes | str | None
    """What it reads as standard input by WASI; text is encoded as UTF-8."""
    listen: str | None
    """Where one that handles requests of HTTP listens: `127.0.0.1:8080`."""
    keep: int
    """How many requests an instance of such a one handles, one after the other; 1: each
    request has a fresh one."""
    handles_http: bool
    """Whether it has to be one that handles requests; `http_handler` sets it."""
    passes_stdio: bool
    """Whether its standard streams are those of the process, and not lines of its log."""
    limits: Limits | LimitValues | None
    """What the guest may use."""
    log_level: LogLevelWord
    """Lines that it logs below this level are dropped."""
    on_abandoned: OnAbandonedWord
    """What happens to a call when its asker stops waiting: it continues, or it is
    dropped and the instance replaced, which does not count as a restart."""
    start_from: StartFromWord
    """How an instance begins: from its code, or from a snapshot that was taken after
    `initialize` of the same code with the same configuration."""
    checkpoint_every: float | CheckpointEvery | CheckpointValues | None
    """When checkpoints are taken: seconds, or a dict with `seconds`, `messages` or
    both."""
    restart_from: RestartFromWord
    """What it continues from after a restart: nothing, or the last checkpoint."""
    host: Sequence[NamedInterface]
    """What it may import in addition to `airssys:core`: each a `HostInterface` of
    `airssys.wasm`."""
    sends: CodecWord | None
    """The codec of all that it sends; by default the first one that it accepts."""
    can: Grants
    """What it may do to others and to the outside; by default nothing."""
    quotas: Quotas | QuotaValues
    """How much it may use; what is not named is that of `DEFAULT_QUOTAS`."""


class _Names(TypedDict, total=False):
    names: Name | Sequence[Name]
    """One actor for each; without names, one with the name of the attribute."""


class DeclaredActorOptions(ActorOptions, _Names, total=False):
    """Options of a Python actor that gets its name from its attribute."""


class DeclaredComponentOptions(ComponentOptions, _Names, total=False):
    """Options of a component actor that gets its name from its attribute."""


class _IntensityOptions(TypedDict, total=False):
    restarts: int
    """It allows this many within `period`, and gives up at the next one."""
    period: float
    """Seconds."""


class _StrategyOptions(_IntensityOptions, total=False):
    strategy: StrategyWord
    """Which siblings a child is restarted with: none, all, or those started later."""
    auto_shutdown: AutoShutdownWord
    """Whether it stops when its significant children have ended."""


class _SupervisedOptions(_RestartOptions, total=False):
    restart: RestartWord
    """What its own supervisor does when it ends."""
    shutdown: Shutdown
    """Seconds to stop in; for a supervisor, by default its children decide."""
    start_timeout: float
    """Seconds to become ready in; for a supervisor, by default its children decide."""


class _BoundOptions(TypedDict, total=False):
    bound: Grants | None
    """What actors below it may hold at most, however they are started."""
    quotas: Quotas | QuotaValues | None
    """How much all actors below it may use together."""


class SupervisorOptions(
    _StrategyOptions, _SupervisedOptions, _BoundOptions, total=False
):
    """Options of a supervisor."""


class DynamicSupervisorOptions(
    _IntensityOptions, _SupervisedOptions, _BoundOptions, total=False
):
    """Options of a supervisor whose children are added and removed while it runs."""

    max_children: int | None
    """Children that are being restarted count too; None: no limit."""


class PlainTaskOptions(_SupervisedOptions, total=False):
    """Options of an async function that is a child, except `context`."""


class TaskOptions(PlainTaskOptions, total=False):
    """Options of an async function that is a child."""

    context: bool
    """Whether its first argument is a `TaskContext`, with which it reports that it is
    ready and is notified that it should stop."""


class PoolOptions(_IntensityOptions, _RestartOptions, _TopicOptions, total=False):
    """Options of a pool; those of its members belong to the member's declaration."""

    size: int | PoolSize | PoolSizeValues
    """The number of members, or its range."""
    routing: RoutingWord
    """Which member gets a message."""
    key: KeyFunction | None
    """Returns the key of a message, for the routing `consistent-hash`."""
    restart: RestartWord
    """What its own supervisor does when the pool ends."""
    can: Grants | None
    """What each member may do; instead of a `can=` of the member."""
    shutdown: Shutdown
    """Seconds to stop in; by default its members decide."""
    quotas: Quotas | QuotaValues | None
    """How much its members may use together."""


class DeclaredPoolOptions(PoolOptions, _Names, total=False):
    """Options of a pool that gets its name from its attribute."""


class TopologyOptions(_StrategyOptions, _BoundOptions, total=False):
    """Options of a whole system; strategy, restarts and so on are those of its root."""

    engine: EngineSettings | None
    """How guests are run."""
    stop_timeout: float
    """Seconds for the whole tree to stop in."""
    stop_budget: float | None
    """Seconds that stopping may take if every child uses its whole shutdown time; None:
    not checked."""
    restart_budget: int | None
    """How often a child may be started before the root gives up; None: not checked."""
