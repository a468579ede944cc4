"""What a tree is made of: one frozen value for each child."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import attrs

from airssys.contracts.texts import plain_text
from airssys.contracts.values import (
    DEFAULT_HOOK_TIMEOUT,
    DEFAULT_MAILBOX_BYTES,
    DEFAULT_MESSAGE_BYTES,
    DEFAULT_SHUTDOWN,
    DEFAULT_START_TIMEOUT,
    Artifact,
    AutoShutdown,
    Backoff,
    BrutalKill,
    CheckpointEvery,
    Codecs,
    ComponentConfig,
    ComponentId,
    Grant,
    Intensity,
    Lag,
    LogLevel,
    OnAbandoned,
    OnError,
    OverflowPolicy,
    OverflowRules,
    Poison,
    Requested,
    RestartFrom,
    RestartType,
    StartFrom,
    Strategy,
)

from ._health import Health
from ._origin import Origin
from ._pool import MAX_MEMBERS, KeyFunction, PoolSize, Routing
from ._quotas import Quotas

if TYPE_CHECKING:
    from airssys.contracts.values import Limits

DEFAULT_MAILBOX: Final = 1000

Shutdown: TypeAlias = float | BrutalKill
"""Seconds to stop in before it is cancelled, `math.inf` or `BRUTAL_KILL`."""


@final
@attrs.frozen(kw_only=True)
class ComponentSpec:
    """One component actor: WebAssembly code behind a name and a mailbox."""

    id: ComponentId
    artifact: Artifact
    config: ComponentConfig = ComponentConfig()
    """`config.limits` is what the host enforces."""
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    start_timeout: float = DEFAULT_START_TIMEOUT
    """Seconds for instantiation and `initialize`, without loading."""
    mailbox: int = DEFAULT_MAILBOX
    """The number of messages that may queue."""
    overflow: OverflowPolicy = OverflowRules()
    """What happens to a message that finds the mailbox full."""
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    """Bytes of payload that one message may have."""
    mailbox_bytes: int = DEFAULT_MAILBOX_BYTES
    """Bytes of payload that may queue, and as many again may be stashed. A single
    message always has room. Messages do not count if they are so small that a full
    mailbox of them would use less than a quarter of this."""
    codecs: Codecs | None = None
    """The codecs that it accepts and sends; None: it accepts any, and names none."""
    log_level: LogLevel = LogLevel.TRACE
    """Lines that it logs below this level are dropped and cause no event."""
    drain: bool = False
    """When asked to stop, handle queued messages first, within the shutdown time."""
    significant: bool = False
    """Whether its end may end its supervisor, as `auto_shutdown` says."""
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    """Directives for errors, which are considered before the restart type."""
    poison: Poison = Poison.DROP
    """What happens to a message that made it crash."""
    on_abandoned: OnAbandoned = OnAbandoned.CONTINUE
    """What happens to a call when its asker stops waiting."""
    start_from: StartFrom = StartFrom.CODE
    """How an instance begins. SNAPSHOT needs the lane `"own"`."""
    checkpoint_every: CheckpointEvery | None = None
    """When checkpoints are taken; None: never. They need the lane `"own"`."""
    restart_from: RestartFrom = RestartFrom.START
    """What it continues from after a restart."""
    health: Health | None = None
    """How its health is probed; None: it is not probed."""
    topics: tuple[str, ...] = ()
    """Patterns of topics that it is subscribed to as long as it has its name, including
    while it is being restarted."""
    lag: Lag = Lag.DROP_NEWEST
    """What happens to a published message for which there is no room."""
    can: tuple[Grant, ...] = ()
    """What it may do; by default nothing that concerns others."""
    requested: Requested | None = None
    """What its manifest asks for and the topology grants: `can` is what both say. None:
    it has no manifest, and `can` is what the topology grants."""
    quotas: Quotas = Quotas()
    """How much it may use; what is not named is that of `DEFAULT_QUOTAS`."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)
    """Where it was declared."""

    @property
    def uses_snapshots(self) -> bool:
        """Whether it needs the lane on which they can be taken."""
        is_saved = self.checkpoint_every is not None
        return is_saved or self.start_from is StartFrom.SNAPSHOT

    @property
    def limits(self) -> Limits:
        """What the guest may use."""
        return self.config.limits


@final
@attrs.frozen(kw_only=True)
class ActorSpec:
    """One Python actor: a function, or a class that each start instantiates."""

    id: ComponentId
    behaviour: Callable[..., Any]
    """`async def handle(context, envelope)`, the same without `async` if it never waits,
    or a class whose instances have such a method; `airssys.nursery` lists the other methods it may have."""
    arguments: tuple[object, ...] = ()
    """Passed to the class each time the actor starts."""
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    start_timeout: float = DEFAULT_START_TIMEOUT
    mailbox: int = DEFAULT_MAILBOX
    overflow: OverflowPolicy = OverflowRules()
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    mailbox_bytes: int = DEFAULT_MAILBOX_BYTES
    codecs: Codecs | None = None
    """The codecs that it accepts; None: any."""
    drain: bool = False
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    poison: Poison = Poison.DROP
    hook_timeout: float = DEFAULT_HOOK_TIMEOUT
    """Seconds for its method `before_restart`; also for `stopped` if `shutdown` is
    infinite. `started` has `start_timeout`."""
    health: Health | None = None
    """How its health is probed, with its method `health`; None: it is not probed."""
    topics: tuple[str, ...] = ()
    lag: Lag = Lag.DROP_NEWEST
    can: tuple[Grant, ...] | None = None
    """What it may do through its context. None: whatever the bounds above it allow. It is
    Python code in the host's own process: grants catch its mistakes, not its malice."""
    quotas: Quotas | None = None
    """How much it may use through its context; None: as much as those above allow."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class TaskSpec:
    """One async function as a child: supervised, but without a mailbox."""

    name: str
    function: Callable[..., Any]
    """`async def function(*arguments)`."""
    arguments: tuple[object, ...] = ()
    context: bool = False
    """Whether the function's first argument is an `airssys.nursery.TaskContext`, with
    which it reports that it is ready, and is notified that it should stop. Otherwise it
    is ready at once, and is stopped by cancelling it."""
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    start_timeout: float = DEFAULT_START_TIMEOUT
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, started in this order and stopped in reverse."""

    name: str
    children: tuple[ChildSpec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity()
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    """Infinite by default, because its children have start times of their own."""
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    bound: tuple[Grant, ...] | None = None
    """What actors below it may hold at most, however they are started; None: no bound."""
    quotas: Quotas | None = None
    """How much all actors below it may use together; None: no bound."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class DynamicSupervisorSpec:
    """A supervisor whose children are added and removed while it runs.

    It starts without children. Each child is restarted on its own, and nothing is kept
    of a child that has ended for good. When the supervisor stops, all children stop at
    once.
    """

    name: str
    template: ComponentSpec | ActorSpec | SupervisorSpec | None = None
    """What children are made from; each start supplies arguments and the last part of
    the name. If it is a supervisor, that part is a number appended to its name. The
    actors below it have the number as the last part of their names (before their own,
    if that is not 0), and the arguments go to the Python actors among them. None: each
    start supplies a specification."""
    max_children: int | None = None
    """Children that are being restarted count too. None: no limit."""
    intensity: Intensity = Intensity()
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    bound: tuple[Grant, ...] | None = None
    """As of `SupervisorSpec`."""
    quotas: Quotas | None = None
    """As of `SupervisorSpec`."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class PoolSpec:
    """Several equal actors behind one name; each message goes to one of them.

    The members are the children of a supervisor that has the pool's name, and each is
    restarted on its own. A member's name is the pool's name with a number as its last
    part; numbers are never used again.
    """

    id: ComponentId
    """The last part of the name must not be a number other than 0."""
    member: ComponentSpec | ActorSpec
    """What members are made from; its own name is not used. It must be permanent,
    because a pool keeps its size."""
    size: int | PoolSize = 1
    """The number of members, which only changes by hand; or a rule."""
    routing: Routing = Routing.ROUND_ROBIN
    key: KeyFunction | None = None
    """For CONSISTENT_HASH. None: the key that the sender passed, or else the sender's
    name."""
    topics: tuple[str, ...] = ()
    """Patterns of topics. Each message that is published to them goes to one member."""
    lag: Lag = Lag.DROP_NEWEST
    intensity: Intensity = Intensity()
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    quotas: Quotas | None = None
    """How much its members may use together; None: no bound."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def name(self) -> str:
        """Its supervisor's name; empty if its identity is not valid."""
        return self.id.name if isinstance(self.id, ComponentId) else ""

    @property
    def template(self) -> ComponentSpec | ActorSpec:
        """What members are made from, with a name that theirs begin with."""
        return attrs.evolve(self.member, id=self.id)

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest number of members."""
        if isinstance(self.size, PoolSize):
            return self.size.minimum, self.size.maximum
        return 1, MAX_MEMBERS

    @property
    def first_size(self) -> int:
        """The number of members that it starts with."""
        return self.size if isinstance(self.size, int) else self.size.minimum


ChildSpec: TypeAlias = (
    ComponentSpec
    | ActorSpec
    | TaskSpec
    | SupervisorSpec
    | DynamicSupervisorSpec
    | PoolSpec
)

SUPERVISOR_SPECS: Final = (SupervisorSpec, DynamicSupervisorSpec, PoolSpec)
NAMED_SPECS: Final = (TaskSpec, *SUPERVISOR_SPECS)
"""Those that have a name among their siblings, and no identity."""
CHILD_SPECS: Final = (ComponentSpec, ActorSpec, *NAMED_SPECS)


def child_name(spec: ChildSpec) -> str:
    """Return the name of a child among its siblings."""
    if isinstance(spec, (ComponentSpec, ActorSpec)):
        return spec.id.text
    return plain_text(spec.name)
