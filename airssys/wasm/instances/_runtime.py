"""Everything that the guests of one system share."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, final

import attrs
import trio

from airssys.contracts import CapacityReached
from airssys.wasm.artifacts import Footprint
from airssys.wasm.engine import Engine, HostCall, Ticker, TicksMaker
from airssys.wasm.host import (
    CORE_INTERFACES,
    EXPORTS,
    STATE_EXPORTS,
    Background,
    HostTable,
    bind_all,
)
from airssys.wasm.lane.core import CoreCode, CoreStore
from airssys.wasm.values import CallValues

from ._map_budget import MapBudget, kernel_limit, maps_of
from ._poll_placement import Habits
from ._saving import FreshImages, StartStates
from ._turns import Turns

if TYPE_CHECKING:
    from airssys.contracts import EngineSettings


@final
@attrs.frozen(eq=False)
class CoreProgram:
    """A component that was taken apart."""

    code: CoreCode
    names: Sequence[str]
    """Full names of its exports, by their numbers."""
    calls: Mapping[int, HostCall]
    """By canonical function, the host function that it calls."""
    identity: bytes = b""
    """What snapshots say of the component; empty: none are taken."""
    images: FreshImages = attrs.field(factory=FreshImages, repr=False)
    """What snapshots are compared with."""
    starts: StartStates = attrs.field(factory=StartStates, repr=False)
    """Its snapshots after `initialize`."""

    def open_store(self, contexts: Sequence[object], few: int) -> CoreStore:
        """Make a store for an instance.

        Args:
            contexts: of its host functions.
            few: bytes of arguments that are read on the guest's stack, at most.
        """
        return CoreStore(self.code, self.names, self.calls, contexts, few)


@final
@attrs.frozen
class Code:
    """A compiled component, as instances of it need it."""

    label: str
    pointer: int
    exports: Mapping[str, int] = attrs.field(repr=False)
    """Export indices of the lifecycle functions, and behind them, if it has them, of
    those that hand state over."""
    footprint: Footprint
    """What an instance will create."""
    core: CoreProgram | None = attrs.field(default=None, eq=False, repr=False)
    """What it was taken apart into; None: it runs by wasmtime's component API."""
    why_whole: str | None = None
    """Why it was not taken apart, if it was to be."""
    habits: Habits = attrs.field(factory=Habits, eq=False, repr=False)
    maps: int = attrs.field(
        init=False,
        default=attrs.Factory(lambda code: maps_of(code.footprint), takes_self=True),
    )
    """Memory maps that an instance needs, at most."""
    shares: dict[tuple[int, int], tuple[int, int]] = attrs.field(
        factory=dict, init=False, eq=False, repr=False
    )
    """What each memory and table may have, by the limits of their sums."""


@final
class Runtime:
    """One engine, one linker, one set of turns."""

    def __init__(
        self, settings: EngineSettings, make_ticks: TicksMaker = Ticker
    ) -> None:
        self.settings = settings
        self.engine = Engine(settings, make_ticks)
        self.table = bind_all(CORE_INTERFACES)
        """What guests may call; for most of them, that is all."""
        exports = EXPORTS | STATE_EXPORTS
        self.marshallers = {name: CallValues(each) for name, each in exports.items()}
        self.linker = 0
        """Of components that run whole (`_whole`)."""
        self.turns = Turns(settings.tick, settings.worker_threads)
        self.background = Background()
        """Where the host's tasks for instances run."""
        self.maps = MapBudget(kernel_limit())
        threads = max(1, (os.cpu_count() or 2) - 1)
        self.compilers = trio.CapacityLimiter(threads)
        """How many components are compiled at once; one core is left for the rest."""
        self.readers = trio.CapacityLimiter(threads)
        """How many are read or found in the cache at once, during compilation too."""

    def check_room(self, maps: int) -> None:
        """Refuse to make an instance if there may not be enough room.

        Raises:
            CapacityReached: The kernel has too few memory maps, or the pool is full.
        """
        most = self.settings.pooled_instances
        if most and len(self.engine.ledger.stores) >= most:
            raise CapacityReached(
                f"all {most} instances of the pool are in use: raise "
                "EngineSettings.pooled_instances, or run fewer actors"
            )
        self.maps.check(maps)

    def with_table(self, table: HostTable) -> Runtime:
        """Return the same runtime with other host functions, those of one component."""
        other = copy.copy(self)
        other.table = table
        return other
