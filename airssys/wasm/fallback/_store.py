"""A store: the memories of one guest, and where its calls begin.

Only one thread may use it at a time, and no other call while one is suspended; the
rules are those of fibers (`airssys.wasm.engine`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from trio.lowlevel import enable_ki_protection

from airssys.contracts import CapacityReached, EngineMisused
from airssys.wasm import _c_api as c
from airssys.wasm.engine import (
    CLOSED,
    ENTERED,
    IN_A_CALL,
    UNLIMITED_FUEL,
    Entered,
    HostResources,
    OpenStore,
)
from airssys.wasm.values import Block, TooMuch

from ._call import Call
from ._handle_table import HandleTable
from ._result_slots import (
    ERROR,
    INSTANCE,
    MAX_FUNCTIONS,
    MAX_PARAMS,
    RESULT,
    functions_at,
    slot_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airssys.wasm.engine import Engine
    from airssys.wasm.fallback.values import Frame, Marshaller
    from airssys.wasm.values import Budget

_NOT_BEGUN: Final = "the engine could not begin a call: it is out of memory"


@final
class Store:
    """One store in C: a guest's memories, and one call at a time."""

    __slots__ = (
        "__weakref__",
        "_exports",
        "_functions",
        "_handles",
        "_lock",
        "_open",
        "_spare",
        "engine",
        "slots",
    )

    @enable_ki_protection
    def __init__(
        self,
        engine: Engine,
        *,
        params: int = MAX_PARAMS,
        functions: int = MAX_FUNCTIONS,
    ) -> None:
        engine.check()
        self.engine = engine
        pointer = c.store_new(engine.pointer, None, None)
        context = c.store_context(pointer)
        block = Block(slot_bytes(params, functions))
        self._open = engine.ledger.stores[context] = OpenStore(pointer, context, block)
        self._lock = self._open.lock
        self.slots = block.base
        self._functions = functions_at(params)
        self._exports: tuple[int, ...] = ()
        """Export indices of its functions, by their numbers."""
        self._handles: HandleTable | None = None
        self._spare: Call | None = None
        """A finished call that has no other references, to be reused."""
        c.context_set_fuel(context, UNLIMITED_FUEL)
        c.context_set_epoch_deadline(context, 1)
        c.context_epoch_deadline_yield(context, 1)

    def limit(
        self, memory_bytes: int, table_elements: int, memories: int, tables: int
    ) -> None:
        """Limit each memory in bytes and each table in elements, and their numbers."""
        with self.entered():
            self._check_idle()
            c.store_limiter(
                self._open.pointer, memory_bytes, table_elements, -1, tables, memories
            )

    @enable_ki_protection
    def refuel(self, fuel: int) -> None:
        """Refill the fuel to `fuel`, whatever was left."""
        with self.entered():
            self._check_idle()
            c.context_set_fuel(self._open.context, fuel)

    @enable_ki_protection
    def instantiate(self, linker: int, component: int, *, owner: object) -> Call:
        """Begin to make an instance; the call is done when it exists."""
        with self.entered():
            self._check_idle()
            slots, opened = self.slots, self._open
            opened.future = c.linker_instantiate_async(
                linker, opened.context, component, slots + INSTANCE, slots + ERROR
            )
            if not opened.future:
                raise CapacityReached(_NOT_BEGUN)
            opened.begun += 1
            return Call(self.engine, opened).begin(self, owner)

    def number_functions(self, export_indices: Iterable[int]) -> None:
        """Number exports of the instance from 0; one is looked up when it is called.

        The loader has checked that they exist: an index comes from the component.
        """
        self._exports = tuple(export_indices)

    def lower(
        self, _number: int, marshaller: Marshaller, values: Sequence[Any], _keep: int
    ) -> Frame:
        """Lay out the arguments of a call.

        Raises:
            ValueUnfit: a value does not fit its type; says which and where.
        """
        return marshaller.lower_params(values, self._handles)

    @enable_ki_protection
    def call(
        self, number: int, marshaller: Marshaller, frame: Frame, *, owner: object
    ) -> Call:
        """Begin to call a function; the frame belongs to the call from now on."""
        with self.entered():
            call = Call(self.engine, self._open)
            self._begin(number, marshaller, frame, c.func_call_async)
            return call.begin(self, owner, (marshaller, frame))

    @enable_ki_protection
    def call_and_poll(
        self,
        number: int,
        marshaller: Marshaller,
        frame: Frame,
        budget: Budget,
        *,
        owner: object,
    ) -> tuple[Call | None, Any]:
        """Begin a call and poll it once; returns it, or its result if it has finished.

        It does what `call`, `poll` and `take_result` do one after the other, at half
        the cost; most calls need no more than that. Large arguments go through `call`,
        in a worker, because here they would hold the interpreter lock. A result that
        exceeds the budget is left to `take_result` of the call, which has finished.
        """
        if not self._lock.acquire(False):  # noqa: FBT003  # a keyword costs as much again
            raise EngineMisused(ENTERED)
        try:
            call, self._spare = self._spare or Call(self.engine, self._open), None
            self._begin(number, marshaller, frame, c.func_call_async_short)
            call.begin(self, owner, (marshaller, frame))
            try:
                if not call.poll_held():
                    return call, None
                if self._handles is not None:
                    budget.handles = self._handles
                result = marshaller.lift_result(self.slots + RESULT, budget)
                self._open.pay()
            except TooMuch:
                if not marshaller.moves_resources:
                    return call, None
                self.engine.ledger.close_call(self._open)
                raise
            except BaseException:
                self.engine.ledger.close_call(self._open)
                raise
            call.end()
            self._spare = call
            return None, result
        finally:
            self._lock.release()

    def _begin(
        self,
        number: int,
        marshaller: Marshaller,
        frame: Frame,
        begin: Callable[..., int],
    ) -> None:
        self._check_idle()
        slots, opened = self.slots, self._open
        context = opened.context
        place = self._functions + number * c.FUNC_SIZE
        if not opened.slots.words[place // 8]:  # no store has the number 0
            export = self._exports[number]
            c.instance_get_func(slots + INSTANCE, context, export, slots + place)
        c.context_set_epoch_deadline(context, 1)
        opened.keep = frame
        opened.future = begin(
            slots + place,
            context,
            frame.fixed.base,
            marshaller.count,
            slots + RESULT,
            marshaller.result_count,
            slots + ERROR,
        )
        if not opened.future:
            raise CapacityReached(_NOT_BEGUN)
        if self._handles is not None:
            self._handles.begin_call()
        opened.begun += 1

    @enable_ki_protection
    def close(self) -> None:
        """Delete the store, its call first; calling it again does nothing.

        Raises:
            EngineMisused: It is being polled.
        """
        self.engine.ledger.check_process()
        with self.entered():
            self.engine.ledger.close_store(self._open)

    def give_resources(self, resources: HostResources) -> HandleTable:
        """Let the guest hold the host's resources; the store owns their table."""
        noted: list[int] = []
        self._open.dropped = noted
        table = HandleTable(self._open.context, resources, noted)
        self._open.handles = self._handles = table
        return table

    @property
    def closed(self) -> bool:
        """Whether the store is deleted."""
        return not self._open.pointer

    def entered(self) -> Entered:
        """Lock the store for one entry into C."""
        return Entered(self._lock)

    def _check_idle(self) -> None:
        engine = self.engine
        ledger = engine.ledger
        if engine.closed or ledger.is_forked or ledger.found:
            engine.check()
        opened = self._open
        if not opened.pointer:
            raise EngineMisused(CLOSED)
        if opened.future:
            raise EngineMisused(IN_A_CALL)
        if opened.owed:
            opened.pay()

    def __del__(self) -> None:
        store = getattr(self, "_open", None)
        if store is not None and store.pointer:
            self.engine.ledger.abandon("store", store)
