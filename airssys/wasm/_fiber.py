"""One call into a guest, on a fiber of its own: start, poll, answer, drop.

The theory. wasmtime runs an async call on a separate stack, a fiber. `future_poll`
switches to it and comes back when the guest has finished, has called the host, or has
used up its epochs; the Trio task in between decides when to poll again. Nothing that
the guest does can hold the thread longer, and deleting the future ends the guest
wherever it stands. What must be kept for that to be safe:

1. *While a future lives its store may not be entered*, by a second call, a second
   thread, or the guest's own host function. All three are refused here, before C sees
   them, by one lock that is taken without waiting.
2. *Memory given to a call stays put until its future is deleted*: arguments, result,
   error, and the handle of the function. A `Call` keeps all of it, and its store.
3. *Result slots hold something droppable* (kind 0, bool) before each call: wasmtime
   assigns to them and drops what stood there.
4. *Callbacks run on the guest's stack, in the middle of C*, and only take notes
   (`_callbacks`). What goes wrong there fails the call as soon as the poll is back.
5. *A host call is answered between polls*: the answer is written to its result slot
   and the continuation merely says that it is there.
6. *Closing has an order*, which `_ledger` keeps.

A call belongs to whoever started it (a Trio task, given as `owner`); nobody else may
poll or answer it. It may be polled from different threads, one at a time.
"""

from __future__ import annotations

import ctypes
from os import getpid
from typing import TYPE_CHECKING, Any, Final, final

from trio.lowlevel import enable_ki_protection

from airssys.contracts import CapacityReached, EngineMisused

from . import _c_api as c
from ._ledger import OpenStore
from ._slots import (
    ARGUMENTS,
    CONTEXT,
    ERROR,
    FUNCTIONS,
    INSTANCE,
    RESULT,
    SLOT_BYTES,
)
from ._wit_memory import Block, error_text

if TYPE_CHECKING:
    import threading

    from ._callbacks import HostCall
    from ._engine import Engine
    from ._marshaller import Marshaller
    from ._wit_memory import Frame
    from ._wit_types import Budget

UNLIMITED_FUEL: Final = 2**63 - 1


class WasmtimeFailed(Exception):  # not for users: `_traps` gives it a reason
    """wasmtime ended a call with this text."""


class CallbackFailed(Exception):  # not for users: becomes a host error
    """Our own code failed on the guest's stack; the cause is chained."""


@final
class Store:
    """One store in C: a guest's memories, and one call at a time."""

    __slots__ = ("__weakref__", "_lock", "_open", "engine", "slots")

    @enable_ki_protection
    def __init__(self, engine: Engine) -> None:
        engine.check()
        self.engine = engine
        pointer = c.store_new(engine.pointer, None, None)
        context = c.store_context(pointer)
        block = Block(SLOT_BYTES)
        block.data[CONTEXT : CONTEXT + 8] = context.to_bytes(8, "little")
        self._open = engine.ledger.stores[context] = OpenStore(pointer, context, block)
        self._lock = self._open.lock
        self.slots = block.base
        c.context_set_fuel(context, UNLIMITED_FUEL)
        c.context_set_epoch_deadline(context, 1)
        c.context_epoch_deadline_yield(context, 1)

    def limit(
        self, memory_bytes: int, table_elements: int, memories: int, tables: int
    ) -> None:
        """Bound each memory in bytes and each table in elements, and their numbers."""
        with self.entered():
            self._check_idle()
            c.store_limiter(
                self._open.pointer, memory_bytes, table_elements, -1, tables, memories
            )

    @enable_ki_protection
    def refuel(self, fuel: int) -> None:
        """Fill up to `fuel`, whatever was left."""
        with self.entered():
            self._check_idle()
            c.context_set_fuel(self._open.context, fuel)

    @enable_ki_protection
    def instantiate(self, linker: int, component: int, *, owner: object) -> Call:
        """Begin to make an instance; the call is done when it stands."""
        with self.entered():
            self._check_idle()
            slots, opened = self.slots, self._open
            opened.future = c.linker_instantiate_async(
                linker, opened.context, component, slots + INSTANCE, slots + ERROR
            )
        return self._begun(owner)

    @enable_ki_protection
    def find_function(self, number: int, export_index: int) -> bool:
        """Look up an export of the instance and remember it under `number`."""
        with self.entered():
            self._check_idle()
            instance, context = self.slots + INSTANCE, self._open.context
            place = self.slots + FUNCTIONS + number * c.FUNC_SIZE
            return bool(c.instance_get_func(instance, context, export_index, place))

    @enable_ki_protection
    def call(
        self, number: int, marshaller: Marshaller, frame: Frame, *, owner: object
    ) -> Call:
        """Begin to call a function; the frame is the call's from now on."""
        with self.entered():
            self._check_idle()
            slots, opened = self.slots, self._open
            context = opened.context
            c.context_set_epoch_deadline(context, 1)
            opened.keep = frame
            opened.future = c.func_call_async(
                slots + FUNCTIONS + number * c.FUNC_SIZE,
                context,
                frame.fixed.base,
                marshaller.count,
                slots + RESULT,
                marshaller.result_count,
                slots + ERROR,
            )
        call = self._begun(owner)
        call.lent = (marshaller, frame)
        return call

    @enable_ki_protection
    def close(self) -> None:
        """Delete the store, its call before it; does nothing twice.

        Raises:
            EngineMisused: it is being polled.
        """
        self.engine.ledger.check_process()
        with self.entered():
            self.engine.ledger.close_store(self._open)

    @property
    def closed(self) -> bool:
        """Whether the store is gone."""
        return not self._open.pointer

    def entered(self) -> _Entered:
        """Hold the store for one entry into C."""
        return _Entered(self._lock)

    def _begun(self, owner: object) -> Call:
        if not self._open.future:
            raise CapacityReached("the engine could not begin a call")
        self._open.begun += 1
        return Call(self, self._open, owner)

    def _check_idle(self) -> None:
        self.engine.check()
        opened = self._open
        if not opened.pointer:
            raise EngineMisused("this store is closed")
        if opened.future:
            raise EngineMisused(
                "this store is in the middle of a call: a guest does one call at a "
                "time and cannot be entered from its own host function"
            )
        if self._open.owed:
            self._open.pay()

    def __del__(self) -> None:
        store = getattr(self, "_open", None)
        if store is not None and store.pointer:
            self.engine.ledger.abandon("store", store)


@final
class _Entered:
    """A lock taken without waiting: whoever would have to wait is refused."""

    __slots__ = ("_lock",)

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise EngineMisused(
                "this store is being polled, by another thread or by the guest that "
                "just called the host; it can be entered by one at a time"
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@final
class Call:
    """One call of one store, from its start until it is closed."""

    __slots__ = (
        "__weakref__",
        "_lock",
        "_number",
        "_open",
        "_polling",
        "_store",
        "answered",
        "failure",
        "finished",
        "host_call",
        "lent",
        "owner",
        "slots",
    )

    def __init__(self, store: Store, opened: OpenStore, owner: object) -> None:
        self._store = store
        self._open = opened
        self._number = opened.begun
        self.owner = owner
        self._lock = store._lock  # noqa: SLF001  # one lock for both, see rule 1
        self._polling = store.engine.polling
        self.slots = store.slots
        self.answered = False
        self.finished = False
        self.host_call: HostCall | None = None
        """What the guest waits for; None while it runs or after the answer."""
        self.failure: BaseException | None = None
        self.lent: tuple[Marshaller, Frame] | None = None
        """The frame that the guest reads its arguments from, and whose it is."""

    @enable_ki_protection
    def poll(self, owner: object) -> bool:
        """Run the guest until it finishes, calls the host or has used up its epochs.

        May take as long as a tick, and longer when large values are moved: then use
        a worker thread. Returns whether the call has finished.

        Raises:
            WasmtimeFailed: the guest was stopped.
            CallbackFailed: our own code failed while it ran.
            EngineMisused: this may not be done now or by this caller.
        """
        if owner is not self.owner:
            raise EngineMisused("a call may only be polled by the one who began it")
        if not self._lock.acquire(blocking=False):
            raise EngineMisused("this call is being polled by somebody else")
        opened = self._open
        try:
            if not opened.future or self._number != opened.begun:
                raise EngineMisused("this call is closed or has finished")
            engine = self._store.engine
            if getpid() != engine.ledger.process:
                engine.ledger.check_process()
            ticker = engine.ticker
            ticker.touched = True
            if ticker.parked:
                ticker.touch()
            self._polling[opened.context] = self
            try:
                finished = c.future_poll(opened.future)
            finally:
                del self._polling[opened.context]
            if self.failure is not None:
                self._raise_failure()
            if finished:
                self._finish()
        finally:
            self._lock.release()
        return finished  # type: ignore[no-any-return]  # ctypes says bool

    def note(self, host_call: HostCall, count: int) -> None:
        """Remember what the guest wants; called on its stack."""
        self.answered = False
        first = self.slots + ARGUMENTS
        self._open.owed.extend(range(first, first + count * c.VAL_SIZE, c.VAL_SIZE))
        self.host_call = host_call

    @enable_ki_protection
    def take_arguments(self, marshaller: Marshaller, budget: Budget) -> list[Any]:
        """Read the arguments of the host call, once, and let go of them.

        Raises:
            TooMuch: they are larger than the budget.
        """
        with _Entered(self._lock):
            size = len(self._open.owed) * c.VAL_SIZE
            try:
                raw = ctypes.string_at(self.slots + ARGUMENTS, size)
                return marshaller.lift_params(raw, budget)
            finally:
                self._open.pay()

    @enable_ki_protection
    def answer(self, owner: object, marshaller: Marshaller, value: Any) -> None:
        """Give the guest the answer to its host call; the next poll delivers it.

        Raises:
            ValueUnfit: the value does not fit; the guest still waits.
        """
        if owner is not self.owner:
            raise EngineMisused("a call may only be answered by the one who began it")
        with _Entered(self._lock):
            host_call = self.host_call
            if host_call is None or not self._open.future:
                raise EngineMisused("there is no host call to answer")
            if marshaller.result_count:
                frame, address = marshaller.lower_result(value)
                c.val_clone(address, host_call.results)
                marshaller.give_back(frame)
            self.host_call = None
            self.answered = True

    @enable_ki_protection
    def take_result(self, marshaller: Marshaller, budget: Budget) -> Any:
        """Read what the guest answered, once, and let go of it.

        Raises:
            TooMuch: it is larger than the budget.
        """
        with _Entered(self._lock):
            if not self.finished or self._number != self._open.begun:
                raise EngineMisused("this call has not finished, or another has begun")
            try:
                return marshaller.lift_result(self._open.slots.data, RESULT, budget)
            finally:
                self._open.pay()

    @enable_ki_protection
    def close(self) -> None:
        """End the call wherever it stands; does nothing twice.

        Raises:
            EngineMisused: it is being polled.
        """
        opened = self._open
        if self._number != opened.begun or not (opened.future or opened.owed):
            return
        ledger = self._store.engine.ledger
        ledger.check_process()
        if not self._lock.acquire(blocking=False):
            raise EngineMisused("this call is being polled and cannot be closed")
        try:
            ledger.close_call(opened)
            self._return_frame()
        finally:
            self._lock.release()

    def _return_frame(self) -> None:
        lent, self.lent = self.lent, None
        if lent is not None:
            marshaller, frame = lent
            marshaller.give_back(frame)

    def _finish(self) -> None:
        opened = self._open
        future, opened.future = opened.future, 0
        c.future_delete(future)
        opened.keep = None
        self._return_frame()
        self.finished = True
        slots = opened.slots.data
        if slots[RESULT]:
            opened.owed.append(self.slots + RESULT)
        error = int.from_bytes(slots[ERROR : ERROR + 8], "little")
        if error:
            slots[ERROR : ERROR + 8] = bytes(8)
            raise WasmtimeFailed(error_text(error))

    def _raise_failure(self) -> None:
        failure, self.failure = self.failure, None
        if isinstance(failure, Exception):
            raise CallbackFailed(repr(failure)) from failure
        if failure is not None:
            raise failure

    def __del__(self) -> None:
        opened = getattr(self, "_open", None)
        if opened is not None and opened.future and self._number == opened.begun:
            self._store.engine.ledger.abandon("call", opened)
