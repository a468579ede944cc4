"""One call into a component, by wasmtime's component API: start, poll, answer, drop.

The rules are those of fibers (`airssys.wasm.engine`). Here the memory that may not move
is the arguments, the result, the error and the handle of the function; a `Call` keeps
all of it, and its store. Result slots hold a value that can be dropped (kind 0, bool)
before each call: wasmtime assigns to them and drops the previous value. The answer of a
host call is written to its result slot; the continuation merely reports that it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, final

from trio.lowlevel import enable_ki_protection

from airssys.contracts import EngineMisused
from airssys.wasm import _c_api as c
from airssys.wasm.engine import (
    ENTERED,
    CallbackFailed,
    Entered,
    WasmtimeFailed,
    leave_room,
    poll_future,
)
from airssys.wasm.values import TooMuch, error_text

from ._result_slots import ARGUMENTS, ERROR, RESULT

if TYPE_CHECKING:
    from airssys.wasm.engine import Engine, HostCall, OpenStore
    from airssys.wasm.fallback.values import Frame, Marshaller
    from airssys.wasm.values import Budget


@final
class Call:
    """One call of one store, from its start until it is closed."""

    __slots__ = (
        "__weakref__",
        "_engine",
        "_number",
        "_open",
        "_store",
        "answered",
        "failure",
        "finished",
        "host_call",
        "lent",
        "owner",
        "slots",
    )

    def __init__(self, engine: Engine, opened: OpenStore) -> None:
        self._engine = engine
        self._open = opened
        self._number = 0
        self.slots = opened.slots.base
        self.failure: BaseException | None = None

    def begin(
        self, store: object, owner: object, lent: tuple[Marshaller, Frame] | None = None
    ) -> Self:
        """Represent the call that has just begun."""
        self._store: object = store
        self._number = self._open.begun
        self.owner = owner
        self.answered = self.finished = False
        self.host_call: HostCall | None = None
        """What the guest waits for; None while it runs or after the answer."""
        self.lent = lent
        """The frame that the guest reads its arguments from, and its owner."""
        return self

    def end(self) -> None:
        """Detach from the store, which may reuse this object for its next call."""
        self._store = self.owner = None

    @enable_ki_protection
    def poll(self, owner: object) -> bool:
        """Run the guest until it finishes, calls the host or has used up its epochs.

        May take as long as a tick, and longer when large values are moved: then use a
        worker thread. Returns whether the call has finished.

        Raises:
            WasmtimeFailed: The guest was stopped.
            CallbackFailed: Our own code failed while it ran.
            EngineMisused: This is not allowed now, or not for this caller.
        """
        if owner is not self.owner:
            raise EngineMisused("a call may only be polled by the task that began it")
        if not self._open.lock.acquire(blocking=False):
            raise EngineMisused("this call is being polled by another thread")
        try:
            self._engine.ledger.check_process()
            return self.poll_held()
        finally:
            self._open.lock.release()

    def poll_held(self) -> bool:
        """Poll, for the owner, which holds the lock and has checked the process."""
        opened = self._open
        if not opened.future or self._number != opened.begun:
            raise EngineMisused("this call is closed or has finished")
        leave_room()
        engine = self._engine
        ticker = engine.ticker
        ticker.touched = True
        if ticker.parked:
            ticker.touch()
        polling = engine.polling
        polling[opened.context] = self
        try:
            finished = poll_future(opened.future)
        finally:
            del polling[opened.context]
        if self.failure is not None:
            self._raise_failure()
        if finished:
            self._finish()
        return finished

    def note(self, host_call: HostCall, count: int) -> None:
        """Record what the guest requests; called on its stack."""
        self.answered = False
        first = self.slots + ARGUMENTS
        self._open.owed += tuple(range(first, first + count * c.VAL_SIZE, c.VAL_SIZE))
        self.host_call = host_call

    @enable_ki_protection
    def take_arguments(self, marshaller: Marshaller, budget: Budget) -> list[Any]:
        """Read the arguments of the host call, once, and release them.

        Raises:
            TooMuch: They are larger than the budget. They may be read with another
                budget, unless `marshaller.moves_resources`.
        """
        opened = self._open
        if not opened.lock.acquire(blocking=False):
            raise EngineMisused(ENTERED)
        try:
            if not opened.owed:
                return []
            budget.handles = opened.handles
            try:
                values = marshaller.lift_params(self.slots + ARGUMENTS, budget)
            except TooMuch:
                raise
            except BaseException:
                opened.pay()
                raise
            opened.pay()
            return values
        finally:
            opened.lock.release()

    @enable_ki_protection
    def answer(self, owner: object, marshaller: Marshaller, value: Any) -> None:
        """Give the guest the answer to its host call; the next poll delivers it.

        Raises:
            ValueUnfit: The value does not fit; the guest still waits.
        """
        if owner is not self.owner:
            raise EngineMisused("a call may only be answered by the task that began it")
        opened = self._open
        if not opened.lock.acquire(blocking=False):
            raise EngineMisused(ENTERED)
        try:
            host_call = self.host_call
            if host_call is None or not opened.future:
                raise EngineMisused("there is no host call to answer")
            if marshaller.result_count:
                frame, address = marshaller.lower_result(value, opened.handles)
                c.val_clone(address, host_call.results)
                marshaller.give_back(frame)
                if opened.handles is not None:
                    opened.handles.handed_over()
            self.host_call = None
            self.answered = True
        finally:
            opened.lock.release()

    def renew_deadline(self) -> None:
        """Give the guest a whole slice to continue after its host call.

        Its epochs have passed while it waited. A host function may use the context that
        it was called with until it is answered and the guest continues; at any other
        time the store belongs to the guest alone.
        """
        if self.answered and self._open.future:
            c.context_set_epoch_deadline(self._open.context, 1)

    @enable_ki_protection
    def take_result(self, marshaller: Marshaller, budget: Budget) -> Any:
        """Read what the guest answered, once, and release it.

        Raises:
            TooMuch: It is larger than the budget; as for `take_arguments`.
        """
        with Entered(self._open.lock):
            if not self.finished or self._number != self._open.begun:
                raise EngineMisused("this call has not finished, or another has begun")
            if marshaller.result_count and not self._open.owed:
                raise EngineMisused("the result of this call was already taken")
            budget.handles = self._open.handles
            try:
                value = marshaller.lift_result(self.slots + RESULT, budget)
            except TooMuch:
                raise
            except BaseException:
                self._open.pay()
                raise
            self._open.pay()
            return value

    @enable_ki_protection
    def close(self) -> None:
        """End the call wherever it is; calling it again does nothing.

        Raises:
            EngineMisused: It is being polled.
        """
        opened = self._open
        if self._number != opened.begun or not (opened.future or opened.owed):
            return
        ledger = self._engine.ledger
        ledger.check_process()
        if not self._open.lock.acquire(blocking=False):
            raise EngineMisused("this call is being polled and cannot be closed")
        try:
            ledger.close_call(opened)
            self._return_frame()
        finally:
            self._open.lock.release()

    def _return_frame(self) -> None:
        lent, self.lent = self.lent, None
        if lent is not None:
            marshaller, frame = lent
            marshaller.give_back(frame)

    def _finish(self) -> None:
        opened = self._open
        future, opened.future = opened.future, 0
        c.future_delete_short(future)
        opened.keep = None
        if opened.handles is not None:
            opened.handles.end_call()
        lent = self.lent
        self._return_frame()
        self.finished = True
        words = opened.slots.words
        error = words[ERROR // 8]
        if error:
            words[ERROR // 8] = 0
            raise WasmtimeFailed(error_text(error))
        if lent is not None and lent[0].result_count:
            opened.owed += (self.slots + RESULT,)

    def _raise_failure(self) -> None:
        failure, self.failure = self.failure, None
        if isinstance(failure, Exception):
            raise CallbackFailed from failure
        if failure is not None:
            raise failure

    def __del__(self) -> None:
        opened = getattr(self, "_open", None)
        if opened is not None and opened.future and self._number == opened.begun:
            self._engine.ledger.abandon("call", opened)
