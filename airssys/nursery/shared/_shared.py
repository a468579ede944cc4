"""What all actors of one system share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import attrs
import trio

from airssys.contracts import (
    Artifact,
    ComponentId,
    ComponentInfo,
    ComponentLoader,
    EventSink,
    HandlerGuest,
    LoadedComponent,
    Randomness,
    Storage,
    WallClock,
)
from airssys.messaging import Broker, Publishing, Quarantine, Registry, Sleepers
from airssys.security.authority import Authorities, Recorder
from airssys.security.quotas import Accounts

from ._charges import Charges
from ._dispatcher import Dispatcher
from ._expiries import Expiries
from ._lateness import Lateness
from ._metadata_cache import MetadataCache
from ._system_services import ActorDirectory, SystemClock
from ._timers import Timers
from ._watches import Watches

HELD_THREAD_AFTER: Final = 0.1
"""Seconds of the Trio thread that a Python handler may take before it is named."""


@final
@attrs.frozen
class Shared:
    """Where the actors of one system live; made once, by the wiring."""

    broker: Broker
    registry: Registry
    events: EventSink
    wall_clock: WallClock
    components: dict[Artifact, LoadedComponent]
    """Every artifact of the blueprint, loaded, and what was loaded since."""
    storage: Storage
    """Where components keep what outlives their incarnations."""
    publishing: Publishing = attrs.field(
        default=attrs.Factory(lambda self: Publishing(self.broker), takes_self=True)
    )
    """Topics, and their subscribers."""
    quarantine: Quarantine = attrs.field(
        default=attrs.Factory(lambda self: Quarantine(self.broker), takes_self=True)
    )
    """Messages that crashed their actors, of those that want them kept."""
    loader: ComponentLoader | None = None
    """Loads more of them; None in a system that has no components."""
    sleepers: Sleepers = attrs.field(factory=Sleepers)
    """Guests that sleep."""
    timers: Timers = attrs.field(factory=Timers)
    """Messages that Python actors send to themselves later."""
    watches: Watches = attrs.field(init=False)
    """Requests to be notified when an actor ends."""
    on_fatal: Callable[[BaseException], None] = lambda _: None
    """Called at once with an error of an actor that must leave the tree; its supervisors are
    notified only when they come to stopping that actor."""
    end_by: Callable[[BaseException], None] = lambda _: None
    """Ends the whole system in order, by what code of the program raised to end it in a
    step that must not fail. It comes out when the tree has stopped."""
    held_thread_after: float = HELD_THREAD_AFTER
    charges: Charges = attrs.field(factory=Charges)
    """Times for which an actor held it in the step of another task."""
    lateness: Lateness = attrs.field(init=False)
    """How much of such times was the machine's doing."""
    dispatcher: Dispatcher = attrs.field(factory=Dispatcher)
    """Handles the messages of actors whose handlers are plain functions."""
    infos: dict[ComponentId, ComponentInfo] = attrs.field(factory=dict)
    """The metadata and health of actors; an actor is here once it was ready."""
    clock: SystemClock = attrs.field(init=False)
    """The time that guests are given."""
    directory: ActorDirectory = attrs.field(init=False)
    """The actors that guests can find."""
    recorder: Recorder | None = None
    """Records what they decide."""
    authorities: Authorities = attrs.field(init=False)
    """What each restricted actor may do."""
    accounts: Accounts = attrs.field(factory=lambda: Accounts(trio.current_time))
    """How much each actor uses that has quotas."""
    expiries: Expiries = attrs.field(init=False)
    """Takes grants away in time."""
    handlers: dict[ComponentId, HandlerGuest] = attrs.field(factory=dict)
    """Guests that handle requests of HTTP, while they run."""
    metadata_cache: MetadataCache = attrs.field(factory=MetadataCache)
    """The metadata of components, by their code and configuration."""

    @property
    def randomness(self) -> Randomness:
        """Where guests that may have random bytes get them."""
        return self.broker.randomness

    @lateness.default
    def _make_lateness(self) -> Lateness:
        return Lateness(self.held_thread_after)

    @watches.default
    def _make_watches(self) -> Watches:
        return Watches(self.registry)

    @authorities.default
    def _make_authorities(self) -> Authorities:
        return Authorities(self.events, trio.current_time, recorder=self.recorder)

    @expiries.default
    def _make_expiries(self) -> Expiries:
        return Expiries(self.authorities)

    @clock.default
    def _make_clock(self) -> SystemClock:
        return SystemClock(self.wall_clock, self.sleepers)

    @directory.default
    def _make_directory(self) -> ActorDirectory:
        return ActorDirectory(self.registry, self.infos)
