"""Stores and calls of this lane, with the interface that the code driving guests uses.

The rules are those of `airssys.wasm.engine._fiber`: a store is entered by one caller at
a time, a call belongs to the task that began it, host calls are answered between polls,
and the ledger closes everything in one order. What differs is how values move: here they
are laid out in a memory of the store itself, and read from the guest's own memory.
"""

from __future__ import annotations

import time
from threading import get_ident
from typing import TYPE_CHECKING, Any, final

from trio.lowlevel import enable_ki_protection

from airssys.contracts import EngineMisused
from airssys.wasm.engine import (
    CLOSED,
    ENTERED,
    IN_A_CALL,
    CallbackFailed,
    Entered,
    HostCall,
    WasmtimeFailed,
    leave_room,
)
from airssys.wasm.lane.abi import RuleBroken

from . import _c_api as c
from ._failures import CoreFailed
from ._instance import CoreInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from airssys.wasm.engine import Engine, HostResources
    from airssys.wasm.values import Budget

    from ._calls import Lowered
    from ._code import CoreCode
    from ._resources import HostThings


@final
class CoreStore:
    """A guest on this lane: its memories, and one call at a time."""

    __slots__ = (
        "__weakref__",
        "_calls",
        "_lock",
        "_names",
        "_open",
        "_spare",
        "engine",
        "instance",
    )

    @enable_ki_protection
    def __init__(
        self,
        code: CoreCode,
        names: Sequence[str],
        calls: Mapping[int, HostCall],
        contexts: object = None,
        few: int = 2**40,
    ) -> None:
        """Make a store.

        Args:
            code: what runs in it.
            names: its exports, by the numbers that they are called by.
            calls: by canonical function, the host function that it calls.
            contexts: what instant host functions are given first.
            few: bytes of arguments that an instant function may get; with more it is
                answered like the others.
        """
        self.engine = code.engine
        self.instance = CoreInstance(code, contexts, few)
        self._names, self._calls = names, calls
        self._open = self.instance.opened
        self._lock = self._open.lock
        self._spare: CoreCall | None = None

    def limit(
        self, memory_bytes: int, table_elements: int, memories: int, tables: int
    ) -> None:
        """Bound each memory in bytes and each table in elements, and their numbers."""
        with self.entered():
            self._check_idle()
            self.instance.limit(memory_bytes, table_elements, memories, tables)

    @enable_ki_protection
    def refuel(self, fuel: int) -> None:
        """Fill up to `fuel`, whatever was left."""
        with self.entered():
            self._check_idle()
            self.instance.refuel(fuel)

    @enable_ki_protection
    def instantiate(self, _linker: int, _component: int, *, owner: object) -> CoreCall:
        """Begin to make an instance; the call is done when it stands."""
        with self.entered():
            self._check_idle()
            self._open.begun += 1
            call = CoreCall(self.instance, self._calls)
            return call.begin(self, owner, self.instance.start())

    def number_functions(self, export_indices: Iterable[int]) -> None:
        """Do nothing: they are called by their names."""

    @enable_ki_protection
    def lower(
        self, number: int, _marshaller: object, values: Sequence[Any], keep: int
    ) -> Lowered:
        """Lay out the arguments of the next call.

        Args:
            number: of the function.
            _marshaller: of no use here.
            values: its arguments.
            keep: how many bytes its result may make the host keep.

        Raises:
            ValueUnfit: a value does not fit its type; says which and where.
            CapacityReached: there is no memory for it.
        """
        if not self._lock.acquire(False):  # noqa: FBT003  # as in `call_and_poll`
            raise EngineMisused(ENTERED)
        try:
            self._check_idle()
            return self.instance.lower(self._names[number], values, keep)
        finally:
            self._lock.release()

    @enable_ki_protection
    def call(
        self, _number: int, _marshaller: object, lowered: Lowered, *, owner: object
    ) -> CoreCall:
        """Begin to call a function."""
        with self.entered():
            self._check_idle()
            self._open.begun += 1
            self.instance.begin(lowered)
            return CoreCall(self.instance, self._calls).begin(self, owner)

    @enable_ki_protection
    def call_and_poll(  # as in `GuestStore`
        self,
        _number: int,
        _marshaller: object,
        lowered: Lowered,
        _budget: object,
        *,
        owner: object,
    ) -> tuple[CoreCall | None, Any]:
        """Begin a call and poll it once; returns it, or its result if that was all."""
        if not self._lock.acquire(False):  # noqa: FBT003  # a keyword costs as much again
            raise EngineMisused(ENTERED)
        try:
            self._check_idle()
            call = self._spare or CoreCall(self.instance, self._calls)
            self._spare = None
            self._open.begun += 1
            self.instance.begin(lowered)
            call.begin(self, owner)
            try:
                if not call.poll_held():
                    return call, None
                result = self.instance.result()
            except BaseException:
                call.close_held()
                raise
            call.end()
            self._spare = call
            return None, result
        finally:
            self._lock.release()

    def give_resources(self, resources: HostResources) -> HostThings:
        """Let the guest hold the host's resources; the store owns their table."""
        return self.instance.give_resources(resources)

    @property
    def has_abandoned(self) -> bool:
        """Whether resources of the guest must be dropped before its next call."""
        return self.instance.has_abandoned

    @enable_ki_protection
    def drop_abandoned(self, *, owner: object) -> CoreCall | None:
        """Begin to drop one resource of the guest; None if there is none to drop."""
        with self.entered():
            self._check_idle()
            if not self.instance.drop_next():
                return None
            self._open.begun += 1
            return CoreCall(self.instance, self._calls).begin(self, owner)

    @enable_ki_protection
    def close(self) -> None:
        """Delete the store, its call before it; does nothing twice.

        Raises:
            EngineMisused: it is being polled.
        """
        self.engine.ledger.check_process()
        with self.entered():
            self.instance.close()

    @property
    def closed(self) -> bool:
        """Whether the store is gone."""
        return not self._open.pointer

    @property
    def is_fresh(self) -> bool:
        """Whether its instance was made, and not called yet."""
        return self._open.begun == 1 and not self._open.future

    def entered(self) -> Entered:
        """Hold the store for one entry into C."""
        return Entered(self._lock)

    def _check_idle(self) -> None:
        engine = self.engine
        ledger = engine.ledger
        if engine.closed or ledger.is_forked or ledger.found or ledger.inside:
            engine.check()
            _check_outside(engine)
        opened = self._open
        if not opened.pointer:
            raise EngineMisused(CLOSED)
        if opened.future:
            raise EngineMisused(IN_A_CALL)

    def __del__(self) -> None:
        store = getattr(self, "_open", None)
        if store is not None and store.pointer:
            self.engine.ledger.abandon("store", store)


@final
class CoreCall:
    """One call of one store, from its start until it is closed."""

    __slots__ = (
        "__weakref__",
        "_calls",
        "_instance",
        "_number",
        "_open",
        "_starts",
        "_store",
        "_ticks",
        "answered",
        "finished",
        "owner",
    )

    def __init__(self, instance: CoreInstance, calls: Mapping[int, HostCall]) -> None:
        self._instance, self._calls = instance, calls
        self._open = instance.opened
        self._ticks = 0
        """How many there had been when its slice began."""

    def begin(
        self,
        store: object,
        owner: object,
        starts: Iterator[Callable[[], bool]] | None = None,
    ) -> CoreCall:
        """Stand for the call that has just begun."""
        self._store: object = store
        self._number = self._open.begun
        self._starts = starts
        self._ticks = self._instance.code.engine.ticks[0]
        self.owner = owner
        self.answered = self.finished = False
        return self

    def end(self) -> None:
        """Let go of the store, which may keep this object for its next call."""
        self._store = self.owner = None

    @property
    def host_call(self) -> HostCall | None:
        """What the guest waits for; None while it runs or after the answer."""
        asked = self._instance.asked
        return None if asked is None else self._calls[asked.number]

    @enable_ki_protection
    def poll(self, owner: object) -> bool:
        """Run the guest until it finishes, calls the host or has used up its epochs.

        May take as long as a tick. Returns whether the call has finished.

        Raises:
            WasmtimeFailed: the guest was stopped.
            RuleBroken: it broke a rule of the canonical ABI.
            CallbackFailed: our own code failed while it ran.
            EngineMisused: this may not be done now or by this caller.
        """
        if owner is not self.owner:
            raise EngineMisused("a call may only be polled by the task that began it")
        if not self._open.lock.acquire(blocking=False):
            raise EngineMisused("this call is being polled by another thread")
        try:
            self._instance.code.engine.ledger.check_process()
            return self.poll_held()
        finally:
            self._open.lock.release()

    def poll_held(self) -> bool:
        """Poll, for the owner, who holds the lock and has checked the process."""
        if self._number != self._open.begun or not self._open.pointer or self.finished:
            raise EngineMisused("this call is closed or has finished")
        leave_room()
        engine = self._instance.code.engine
        if engine.ledger.inside:
            _check_outside(engine)
        if self._is_due(engine.ticks[0]):
            return False
        ticker = engine.ticker
        ticker.touched = True
        if ticker.parked:
            ticker.touch()
        self.answered = False
        return self._run()

    def _run(self) -> bool:
        instance = self._instance
        try:
            if self._starts is None:
                self.finished = instance.poll()
            else:
                self.finished = self._start(self._starts)
        except CoreFailed as error:
            raise WasmtimeFailed(str(error)) from None
        except (RuleBroken, EngineMisused):
            raise
        except Exception as error:
            raise CallbackFailed from error
        return self.finished

    def _is_due(self, ticks: int) -> bool:
        """Whether a tick came by while the host answered.

        A guest that pauses for the host gets a new deadline, so this is noticed here.
        """
        if not self.answered or ticks == self._ticks:
            return False
        self.answered, self._ticks = False, ticks
        return True

    def _start(self, starts: Iterator[Callable[[], bool]]) -> bool:
        """Make core instances, and run what they start with, for half a tick."""
        end = time.perf_counter() + self._instance.code.engine.settings.tick / 2
        while True:
            if not self._open.future and next(starts, None) is None:
                return True
            if not self._instance.poll() or time.perf_counter() > end:
                return False

    @enable_ki_protection
    def take_arguments(self, _marshaller: object, budget: Budget) -> list[Any]:
        """Read the arguments of the host call.

        Raises:
            TooMuch: they are larger than the budget. They may be read by another one,
                unless resources are among them.
            RuleBroken: they are not valid.
        """
        if not self._open.lock.acquire(blocking=False):
            raise EngineMisused(ENTERED)
        try:
            values, budget.left = self._instance.arguments(budget.left)
            return list(values)
        finally:
            self._open.lock.release()

    @enable_ki_protection
    def answer(self, owner: object, _marshaller: object, value: Any) -> None:
        """Give the guest the answer to its host call; the next poll delivers it.

        Raises:
            ValueUnfit: the value does not fit; the guest still waits.
            RuleBroken: it has kept what was lent to it for the call.
        """
        if owner is not self.owner:
            raise EngineMisused("a call may only be answered by the task that began it")
        if not self._open.lock.acquire(blocking=False):
            raise EngineMisused(ENTERED)
        try:
            if not self._open.future:
                raise EngineMisused("there is no host call to answer")
            self._instance.answer(value)
            self.answered = True
        finally:
            self._open.lock.release()

    def renew_deadline(self) -> None:
        """Give the guest a whole slice for going on after its host call."""
        self._ticks = self._instance.code.engine.ticks[0]
        if self.answered and self._open.future:
            c.context_set_epoch_deadline(self._open.context, 1)

    @enable_ki_protection
    def take_result(self, _marshaller: object, _budget: object) -> Any:
        """Read what the guest answered, once.

        Raises:
            TooMuch: it was more than was to be kept.
            RuleBroken: it is not valid.
        """
        with Entered(self._open.lock):
            if not self.finished or self._number != self._open.begun:
                raise EngineMisused("this call has not finished, or another has begun")
            return self._instance.result()

    @enable_ki_protection
    def close(self) -> None:
        """End the call wherever it stands; does nothing twice.

        Raises:
            EngineMisused: it is being polled.
        """
        opened = self._open
        if self._number != opened.begun or not opened.future:
            return
        self._instance.code.engine.ledger.check_process()
        if not opened.lock.acquire(blocking=False):
            raise EngineMisused("this call is being polled and cannot be closed")
        try:
            self.close_held()
        finally:
            opened.lock.release()

    def close_held(self) -> None:
        """End the call, for who holds the lock."""
        self._instance.drop_call()

    def __del__(self) -> None:
        opened = getattr(self, "_open", None)
        number = getattr(self, "_number", None)
        if opened is not None and opened.future and number == opened.begun:
            self._instance.is_spent = True  # wasmtime would let it be entered again
            self._instance.code.engine.ledger.abandon("call", opened)


def _check_outside(engine: Engine) -> None:
    """Refuse to run a guest on the stack of another one.

    Raises:
        EngineMisused: this is called from an instant host function.
    """
    if get_ident() in engine.ledger.inside:
        raise EngineMisused(
            "a host function that is instant may not run a guest: give it another "
            "FunctionKind"
        )


def host_calls(code: CoreCode, functions: Mapping[str, int]) -> dict[int, HostCall]:
    """Say which host function each canonical function of a component calls.

    Args:
        code: the component.
        functions: the host's, by full name.
    """
    return {
        number: HostCall(functions[imported.name], 0)
        for number, imported in code.imports.items()
    }
