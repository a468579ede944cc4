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
    Codecs,
    ComponentConfig,
    ComponentId,
    Intensity,
    Lag,
    LogLevel,
    OnAbandoned,
    OnError,
    OverflowPolicy,
    OverflowRules,
    Poison,
    RestartType,
    Strategy,
)

from ._health import Health
from ._origin import Origin
from ._pool import MAX_MEMBERS, KeyFunction, PoolSize, Routing

if TYPE_CHECKING:
    from airssys.contracts.values import Limits

DEFAULT_MAILBOX: Final = 1000

Shutdown: TypeAlias = float | BrutalKill
"""Seconds to stop in before being cancelled, `math.inf` or `BRUTAL_KILL`."""


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
    """Seconds for instantiation and `initialize`; loading does not count."""
    mailbox: int = DEFAULT_MAILBOX
    """Messages that may queue."""
    overflow: OverflowPolicy = OverflowRules()
    """What becomes of a message that finds the mailbox full."""
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    """Bytes of payload that one message may have."""
    mailbox_bytes: int = DEFAULT_MAILBOX_BYTES
    """Bytes of payload that may queue, and as many may be set aside; a single message
    always finds room. Messages so small that a mailbox full of them would take less than
    a quarter of it do not count."""
    codecs: Codecs | None = None
    """The codecs that it takes and sends; None: it takes any, and names none."""
    log_level: LogLevel = LogLevel.TRACE
    """What it logs below this level is dropped, and costs no event."""
    drain: bool = False
    """When asked to stop, handle what is queued first, within the shutdown time."""
    significant: bool = False
    """Its end may end its supervisor, as `auto_shutdown` says."""
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    """What errors ask for, before the restart type is looked at."""
    poison: Poison = Poison.DROP
    """What becomes of the message that it crashed over."""
    on_abandoned: OnAbandoned = OnAbandoned.CONTINUE
    """What becomes of a call when its asker stops waiting."""
    health: Health | None = None
    """How its health is probed; None: it is not."""
    topics: tuple[str, ...] = ()
    """Patterns of topics that it is subscribed to for as long as it has its name, also
    while it is being restarted."""
    lag: Lag = Lag.DROP_NEWEST
    """What becomes of what is published to it when there is no room."""
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)
    """Where it was declared."""

    @property
    def limits(self) -> Limits:
        """What the guest may use."""
        return self.config.limits


@final
@attrs.frozen(kw_only=True)
class ActorSpec:
    """One Python actor: an async function, or a class made afresh for each start."""

    id: ComponentId
    behaviour: Callable[..., Any]
    """`async def handle(context, envelope)`, or a class whose instances have such a
    method; see `airssys.nursery` for what a class may add."""
    arguments: tuple[object, ...] = ()
    """Given to the class each time the actor starts."""
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    start_timeout: float = DEFAULT_START_TIMEOUT
    mailbox: int = DEFAULT_MAILBOX
    overflow: OverflowPolicy = OverflowRules()
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    mailbox_bytes: int = DEFAULT_MAILBOX_BYTES
    codecs: Codecs | None = None
    """The codecs that it takes; None: any."""
    drain: bool = False
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    poison: Poison = Poison.DROP
    hook_timeout: float = DEFAULT_HOOK_TIMEOUT
    """Seconds that its method `before_restart` may take; and `stopped`, if `shutdown` is
    infinite. `started` has `start_timeout`."""
    health: Health | None = None
    """How its health is probed, by its method `health`; None: it is not."""
    topics: tuple[str, ...] = ()
    lag: Lag = Lag.DROP_NEWEST
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class TaskSpec:
    """One async function as a child: supervised, but with no mailbox."""

    name: str
    function: Callable[..., Any]
    """`async def function(*arguments)`."""
    arguments: tuple[object, ...] = ()
    context: bool = False
    """It takes an `airssys.nursery.TaskContext` first: it says when it is ready, and
    hears that it is to stop. Otherwise it is ready at once, and asked by cancelling."""
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
    """A supervisor and its children, started in this order, stopped in reverse."""

    name: str
    children: tuple[ChildSpec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity()
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    """Infinite by default: its children have start times of their own."""
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class DynamicSupervisorSpec:
    """A supervisor whose children come and go while it runs; none start with it.

    Each child is restarted on its own, and nothing is kept of one that is gone. When
    the supervisor stops, all stop at once.
    """

    name: str
    template: ComponentSpec | ActorSpec | SupervisorSpec | None = None
    """What children are made from; a start adds arguments and the last part of the
    name. Of a supervisor that is a number behind its name, which the actors below it
    have as the last part of theirs (before their own, if that is not 0); the arguments
    go to the Python actors among them. None: each start brings a specification of its
    own."""
    max_children: int | None = None
    """Those being restarted count. None: no limit."""
    intensity: Intensity = Intensity()
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen(kw_only=True)
class PoolSpec:
    """Several actors alike behind one name, each of its messages for one of them.

    The members are the children of a supervisor of their own, called as the pool, and
    restarted on their own. They are called as the pool with a number as the last part
    of their name; numbers are never used again.
    """

    id: ComponentId
    """Its own last part is no number but 0."""
    member: ComponentSpec | ActorSpec
    """What members are made from; its own name does not count. Permanent: a pool keeps
    as many as it should have."""
    size: int | PoolSize = 1
    """How many members: a number that changes only by hand, or a rule."""
    routing: Routing = Routing.ROUND_ROBIN
    key: KeyFunction | None = None
    """For CONSISTENT_HASH. None: the key that the sender gave, or else the sender's
    name."""
    topics: tuple[str, ...] = ()
    """Patterns of topics; of what is published to them each message goes to one
    member."""
    lag: Lag = Lag.DROP_NEWEST
    intensity: Intensity = Intensity()
    restart: RestartType = RestartType.PERMANENT
    shutdown: Shutdown = math.inf
    start_timeout: float = math.inf
    significant: bool = False
    backoff: Backoff = Backoff()
    on_error: OnError = ()
    origin: Origin | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def name(self) -> str:
        """What its supervisor is called; empty if its identity is none."""
        return self.id.name if isinstance(self.id, ComponentId) else ""

    @property
    def template(self) -> ComponentSpec | ActorSpec:
        """What members are made from, with a name that theirs begin as."""
        return attrs.evolve(self.member, id=self.id)

    @property
    def bounds(self) -> tuple[int, int]:
        """How few and how many members it may have."""
        if isinstance(self.size, PoolSize):
            return self.size.minimum, self.size.maximum
        return 1, MAX_MEMBERS

    @property
    def first_size(self) -> int:
        """How many members it begins with."""
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
    """Name a child among its siblings."""
    if isinstance(spec, (ComponentSpec, ActorSpec)):
        return spec.id.text
    return plain_text(spec.name)
