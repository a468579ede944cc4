"""One engine for all guests of a system: its settings, its ticker and its ledger."""

from __future__ import annotations

import mmap
import warnings
from typing import TYPE_CHECKING, Final, final

import wasmtime
from trio.lowlevel import enable_ki_protection

from airssys.contracts import CapacityReached, EngineMisused, EngineSettings
from airssys.wasm import _c_api as c

from ._ledger import Ledger
from ._ticker import Ticker, Ticks, TicksMaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._callbacks import Notebook


_CORE_INSTANCES: Final = 8
_MEMORIES: Final = 3
_TABLES: Final = 4
"""Of each instance in the pool, on average: ordinary guests have fewer."""
_TABLE_ELEMENTS: Final = 100_000
_RESERVED: Final = 14 << 30
"""Bytes of address space for one instance in the pool: 4 GiB and guards a memory."""
_UNUSED: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


def _configure(settings: EngineSettings) -> wasmtime.Config:
    """Turn checked settings into wasmtime's own.

    Fuel and epochs are always compiled in, so that one engine serves limited and
    unlimited guests. `signals_based_traps` is off because the embedding program may
    call `faulthandler.enable()` at any time, which takes the signals away from
    wasmtime: a trap would then be a crash. Component-model async is off because a guest
        makes one call at a
    time, and calls are 20 % cheaper without it. Garbage-collected objects and
    exceptions are off because their heap has the limit of one memory but does not count
    as one; without them the sum over all memories is complete. A compiler uses one
    thread: in parallel it would use every core, whatever our limit on compilers is.
    Shared memories are for the host's own modules. Components that have one are refused
    twice before they run: when they are counted (`airssys.wasm.artifacts`), and on the
    lane that takes them apart when their modules are compiled (`compile_modules`).
    """
    config = wasmtime.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.wasm_component_model = True
    config.wasm_gc = False
    config.wasm_exceptions = False
    config.parallel_compilation = False
    config.max_wasm_stack = settings.guest_stack_bytes
    pointer = c.address_of(config.ptr())
    c.config_async_stack_size_set(pointer, settings.fiber_stack_bytes)
    c.config_signals_based_traps_set(pointer, False)  # noqa: FBT003  # C has no keywords
    c.config_shared_memory_set(pointer, True)  # noqa: FBT003  # as above
    c.config_component_model_async_set(pointer, False)  # noqa: FBT003  # as above
    c.config_concurrency_support_set(pointer, False)  # noqa: FBT003  # as above
    if settings.pooled_instances:
        _use_pool(pointer, settings.pooled_instances)
    return config


def _use_pool(config: int, instances: int) -> None:
    """Reserve room for that many instances beforehand, to be reused.

    Raises:
        CapacityReached: There is not enough address space; wasmtime would abort.
    """
    try:
        mmap.mmap(-1, instances * _RESERVED, flags=_UNUSED, prot=0).close()
    except (OSError, OverflowError) as error:
        raise CapacityReached(
            f"the system does not give the address space for {instances} instances in "
            f"a pool ({error}): lower EngineSettings.pooled_instances"
        ) from error
    memories, tables = instances * _MEMORIES, instances * _TABLES
    pool = c.pool_new()
    try:
        c.pool_total_component_instances_set(pool, instances)
        c.pool_total_stacks_set(pool, instances)
        c.pool_total_core_instances_set(pool, instances * _CORE_INSTANCES)
        c.pool_total_memories_set(pool, memories)
        c.pool_max_memories_per_module_set(pool, memories)
        c.pool_total_tables_set(pool, tables)
        c.pool_max_tables_per_module_set(pool, tables)
        c.pool_table_elements_set(pool, _TABLE_ELEMENTS)
        c.config_pool_set(config, pool)
    finally:
        c.pool_delete(pool)


def _ticking(engine: wasmtime.Engine, count: list[int]) -> Callable[[], None]:
    """Make the function that a ticker calls; it keeps `engine` alive.

    Otherwise a garbage-collected engine would have to wait for a ticker about to tick.
    """

    def tick() -> None:
        count[0] += 1
        c.engine_increment_epoch(c.address_of(engine.ptr()))

    return tick


@final
class Engine:
    """Compiles and runs guests; belongs to the process that created it.

    Close it when everything created with it is closed; the rest is closed with it.
    """

    def __init__(
        self, settings: EngineSettings, make_ticks: TicksMaker = Ticker
    ) -> None:
        self.settings = settings
        self._wasmtime: wasmtime.Engine | None = wasmtime.Engine(_configure(settings))
        self.ledger = Ledger()
        self.polling: dict[int, Notebook] = {}
        """The calls that are inside a poll now, by the context of their store."""
        self.keeps: list[object] = []
        """What C refers to, for as long as this exists."""
        self.pointer = c.address_of(self.wasmtime.ptr())
        """The address of wasmtime's engine."""
        self.ticks = [0]
        """How many there were; the ticker counts."""
        tick = _ticking(self.wasmtime, self.ticks)
        self.ticker: Ticks = make_ticks(settings.tick, tick, self.polling)
        self.closed = False

    @property
    def wasmtime(self) -> wasmtime.Engine:
        """The object of wasmtime-py. Keep a reference to it while compiling."""
        if self._wasmtime is None:
            raise EngineMisused("this engine is closed")
        return self._wasmtime

    def check(self) -> None:
        """Refuse to be used in a forked child, or when closed.

        Raises:
            EngineMisused: With what to do instead.
        """
        ledger = self.ledger
        ledger.check_process()
        if self.closed:
            raise EngineMisused("this engine is closed")
        if ledger.found:
            ledger.sweep()

    @enable_ki_protection
    def close(self) -> None:
        """Close everything that is open, in order; calling it again does nothing.

        Raises:
            EngineMisused: A guest is being polled.
        """
        if self.closed:
            return
        self.ledger.check_process()
        with self.ledger.all_held():
            self.closed = True
            self.ticker.close()
            self.ledger.close()
        # A compiler whose caller stopped waiting may still use the engine.
        self._wasmtime = None

    def __del__(self) -> None:
        if getattr(self, "closed", True) or not self.ledger.may_free:
            return
        self.ticker.abandon()
        self.ledger.close()
        warnings.warn(
            "an engine was not closed and was found by the garbage collector",
            ResourceWarning,
            stacklevel=2,
        )
