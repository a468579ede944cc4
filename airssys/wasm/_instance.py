"""One instance of a component: its limits, its state, one call at a time.

The theory. An instance is a store with one component in it. It keeps its state between
calls, and after any call that did not come to its own end (a trap, a limit, a
cancellation) it is *spent*: wasmtime will not enter it again, and neither will we.

A call is driven in slices (`_turns`): poll until the guest finishes, asks the host for
something, or has used up its slice. What counts towards which limit:

* `execution_time`: the guest's own slices and its host calls. Not its wait for a turn:
  that other guests are busy is not its fault.
* the envelope's deadline: everything, on Trio's clock.
* `fuel`: filled up before each call.
* `memory_bytes` and `table_elements`: sums. wasmtime limits each memory alone, so the
  loader counts them and gives each its share.
* `host_call_bytes`: what one host call or one answer makes the host keep. wasmtime
  itself stops at 128 MiB before we see anything.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, final

import trio

from airssys.contracts import (
    ComponentConfig,
    ComponentMetadata,
    EngineMisused,
    Envelope,
    GuestFailed,
    GuestRejected,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    HostServices,
    Limits,
    TrapReason,
)

from ._conduct import GOOD_POLLS, Conduct
from ._fiber import CallbackFailed, Store, WasmtimeFailed
from ._footprint import fair_cap
from ._lifecycle import config_value, message_value, metadata_of
from ._traps import failure_of
from ._turns import now
from ._wit_types import Budget, Err, Ok, TooMuch, ValueUnfit
from ._world import EXPORTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from ._fiber import Call
    from ._host_functions import HostFunction
    from ._marshaller import Marshaller
    from ._runtime import Code, Runtime

_NUMBERS = {name: number for number, name in enumerate(EXPORTS)}
_LEFTOVER = 0.1
"""A poll that ends within this part of a tick met a deadline that had passed while the
guest waited for the host; it is polled once more in the same slice."""


@final
class Instance:
    """A running component (the port `Guest`). Made by `Component.instantiate`."""

    def __init__(
        self, runtime: Runtime, code: Code, limits: Limits, services: HostServices
    ) -> None:
        self._runtime = runtime
        self._code = code
        self._turns = runtime.turns
        self._tick = runtime.turns.tick
        self._limits = limits
        self._services = services
        self._store = Store(runtime.engine)
        runtime.maps.take()
        self._call: Call | None = None
        self._is_beginning = False
        """Waits for a worker that begins a call."""
        self._spent: GuestFailed | None = None
        self._conduct = Conduct(runtime.turns.tick)
        self._proven = False
        """Its last message was handled within its first slice (`_turns`)."""
        self._was_busy = False
        self._used = 0.0

    @property
    def spent(self) -> GuestFailed | None:
        """Why this instance cannot be called any more, or None while it can."""
        return self._spent

    async def start(self) -> None:
        """Make the instance itself; its start functions run here.

        Raises:
            GuestTrapped: it trapped, or needs more than its limits.
            CapacityReached: the kernel has no more memory maps.
        """
        self._share_out()
        if self._limits.fuel is not None:
            self._store.refuel(self._limits.fuel)
        task = trio.lowlevel.current_task()
        self._call = self._store.instantiate(
            self._runtime.linker, self._code.pointer, owner=task
        )
        await self._finish("instantiate", None, math.inf)
        for name, number in _NUMBERS.items():
            self._store.find_function(number, self._code.exports[name])

    def _share_out(self) -> None:
        """Give each memory and table its share of what the instance may have.

        What cannot fit gets nothing, and the engine refuses it in its own words.
        """
        found, limits = self._code.footprint, self._limits
        memory_cap = fair_cap(limits.memory_bytes, found.memories) or 0
        table_cap = fair_cap(limits.table_elements, found.tables) or 0
        memories, tables = len(found.memories), len(found.tables)
        self._store.limit(memory_cap, table_cap, memories, tables)

    async def initialize(self, config: ComponentConfig) -> None:
        """Give the guest its configuration (WIT: `initialize`)."""
        await self._run("initialize", (config_value(config),))

    async def handle_message(self, envelope: Envelope) -> bytes | None:
        """Let the guest handle a message; returns its answer, if it has one."""
        answer: bytes | None = await self._run(
            "handle-message",
            (message_value(envelope),),
            deadline=math.inf if envelope.deadline is None else envelope.deadline,
            size=len(envelope.payload),
        )
        self._proven = not self._was_busy
        return answer

    async def handle_callback(self, envelope: Envelope) -> None:
        """Give the guest the answer to one of its requests."""
        await self._run(
            "handle-callback", (message_value(envelope),), size=len(envelope.payload)
        )

    async def metadata(self) -> ComponentMetadata:
        """Ask the guest what it says of itself."""
        return metadata_of(await self._run("metadata"))

    async def health(self) -> HealthStatus:
        """Ask the guest how it is."""
        return HealthStatus(await self._run("health"))

    async def shutdown(self) -> None:
        """Let the guest put things in order; it is not closed by that."""
        await self._run("shutdown")

    def close(self) -> None:
        """Give back everything at once, a running call included."""
        if self._spent is None:
            self._spent = GuestSpent("it was closed")
        if not self._store.closed:
            self._store.close()
            self._runtime.maps.give_back()

    async def _run(
        self,
        name: str,
        values: Sequence[Any] = (),
        *,
        deadline: float = math.inf,
        size: int = 0,
    ) -> Any:
        """Call an export and return what its result carries."""
        self._check_idle()
        if self._runtime.maps.fit <= 0:
            self._runtime.maps.check()
        marshaller = self._runtime.marshallers[name]
        owner = trio.lowlevel.current_task()
        if size > self._runtime.settings.thread_payload_bytes:
            self._conduct.send_to_worker()
            begin = partial(self._begin, name, marshaller, values, owner)
            self._is_beginning = True
            try:
                await self._turns.in_worker(begin)
            finally:
                self._is_beginning = False
        else:
            self._begin(name, marshaller, values, owner)
        result = await self._finish(name, marshaller, deadline)
        if type(result) is Err:
            case, detail = result.value
            raise GuestRejected(name, case, detail)
        return result.value if type(result) is Ok else result

    def _begin(
        self, name: str, marshaller: Marshaller, values: Sequence[Any], owner: object
    ) -> None:
        try:
            frame = marshaller.lower_params(values)
        except ValueUnfit as error:
            raise GuestRejected(name, "invalid-message", str(error)) from error
        if self._limits.fuel is not None:
            self._store.refuel(self._limits.fuel)
        self._call = self._store.call(_NUMBERS[name], marshaller, frame, owner=owner)

    async def _finish(
        self, name: str, marshaller: Marshaller | None, deadline: float
    ) -> Any:
        """Drive the call to its end and close it, however that comes."""
        call = self._call
        assert call is not None  # noqa: S101  # every caller has just begun one
        self._used = 0.0
        self._was_busy = False
        try:
            if self._conduct.in_worker or not self._may_begin():
                await self._begin_slowly(call, deadline)
            elif not self._slice(call):
                await self._go_on(call, deadline)
            if marshaller is None:
                return None
            budget = Budget(self._limits.host_call_bytes)
            if self._conduct.in_worker:
                take = partial(call.take_result, marshaller, budget)
                return await self._turns.in_worker(take)
            return call.take_result(marshaller, budget)
        except BaseException as error:
            failure = self._failure(error, name)
            if failure is error:
                raise
            raise failure from error.__cause__
        finally:
            self._call = None
            call.close()

    def _failure(self, error: BaseException, name: str) -> BaseException:
        """Give what ended a call its name; the instance is spent if it was running."""
        match error:
            case WasmtimeFailed():
                failure = failure_of(str(error), name)
                if isinstance(failure, GuestTrapped):
                    self._spent = failure
                return failure
            case TooMuch():
                most = self._limits.host_call_bytes
                text = f"more than {most} bytes for the host to keep (host_call_bytes)"
                return self._stopped(TrapReason.HOST_ALLOCATION_LIMIT, name, text)
            case CallbackFailed() | _HostFailed():
                text = f"a host function failed: {error.__cause__!r}"
                return self._stopped(TrapReason.HOST_ERROR, name, text)
            case _Late():
                return self._stopped(TrapReason.TIME_LIMIT, name, str(error))
            case _:
                self._stopped(TrapReason.CANCELLED, name, "the call was cancelled")
                return error

    def _may_begin(self) -> bool:
        return self._turns.may_begin(proven=self._proven)

    async def _begin_slowly(self, call: Call, deadline: float) -> None:
        """Wait for the first slice, or have a worker run it."""
        if not self._conduct.in_worker:
            await self._in_time(self._turns.begin(proven=self._proven), deadline)
        if not await self._any_slice(call):
            await self._go_on(call, deadline)

    async def _go_on(self, call: Call, deadline: float) -> None:
        """Run the slices after the first, and the waits between them."""
        self._runtime.maps.take()
        try:
            while True:
                self._check_time(deadline)
                if call.host_call is None:
                    await self._next_slice(deadline)
                else:
                    await self._wait_for_host(call, deadline)
                if await self._any_slice(call):
                    return
        finally:
            self._runtime.maps.give_back()

    async def _any_slice(self, call: Call) -> bool:
        if not self._conduct.in_worker:
            return self._slice(call)
        finished, took = await self._turns.in_worker(partial(self._poll_timed, call))
        self._used += took
        if not finished:
            self._goes_on(call, took, again=False)
        return finished

    def _poll_timed(self, call: Call) -> tuple[bool, float]:
        began = now()
        return self._conduct.poll(call), now() - began

    def _slice(self, call: Call) -> bool:
        """Run one slice here; True if the call finished, else it waits or is busy."""
        conduct = self._conduct
        began = polled = now()
        again = True
        while True:
            finished = conduct.poll(call) if conduct.suspect else call.poll(call.owner)
            ended = now()
            if ended - polled > conduct.patience:
                conduct.suspect = GOOD_POLLS
            if finished or not self._goes_on(call, ended - began, again=again):
                break
            again = call.answered
            polled = now()
        took = ended - began
        self._used += took
        self._turns.spent += took
        return finished

    def _goes_on(self, call: Call, elapsed: float, *, again: bool) -> bool:
        """Whether the slice has something to go on with after a poll."""
        if call.host_call is None:
            return again and elapsed < self._tick * _LEFTOVER
        function = self._runtime.functions[call.host_call.function]
        if function.waits:
            return False
        self._answer(call, function, self._ask_host(call, function))
        return elapsed < self._tick

    async def _wait_for_host(self, call: Call, deadline: float) -> None:
        """Do what the guest waits for, within what is left of its time."""
        assert call.host_call is not None  # noqa: S101  # the caller has looked
        function = self._runtime.functions[call.host_call.function]
        waiting = self._ask_host(call, function)
        began = trio.current_time()
        left = self._limits.execution_time - self._used
        with trio.CancelScope(deadline=min(deadline, began + left)) as scope:
            answer = await _guarded(waiting)
        self._used += trio.current_time() - began
        if scope.cancelled_caught:
            self._check_time(deadline, over=True)
        self._answer(call, function, answer)
        if not self._conduct.in_worker and not self._may_begin():
            await self._in_time(self._turns.begin(proven=self._proven), deadline)

    async def _next_slice(self, deadline: float) -> None:
        """Wait for the turn of a call that used up its slice.

        A proven guest may have met a tick by accident, or on a loaded machine; it gets
        one more slice before it counts as busy.
        """
        if self._conduct.in_worker:
            await trio.lowlevel.checkpoint()
        elif self._proven:
            self._proven = False
            await self._in_time(self._turns.begin(proven=True), deadline)
        else:
            self._was_busy = True
            await self._in_time(self._turns.next_slice(), deadline)

    async def _in_time(self, turn: Awaitable[None], deadline: float) -> None:
        """Wait for a turn, but not beyond the deadline of the message."""
        if deadline == math.inf:
            await turn
            return
        with trio.CancelScope(deadline=deadline):
            await turn
        self._check_time(deadline)

    def _ask_host(self, call: Call, function: HostFunction) -> Any:
        budget = Budget(self._limits.host_call_bytes)
        arguments = call.take_arguments(function.marshaller, budget)
        try:
            return function.implementation(self._services, *arguments)
        except Exception as error:
            raise _HostFailed from error

    def _answer(self, call: Call, function: HostFunction, value: Any) -> None:
        try:
            call.answer(call.owner, function.marshaller, value)
        except ValueUnfit as error:
            raise _HostFailed from error

    def _check_time(self, deadline: float, *, over: bool = False) -> None:
        limit = self._limits.execution_time
        if deadline <= trio.current_time():
            raise _Late("the deadline of the message has passed")
        if self._used >= limit or over:
            raise _Late(f"longer than {limit:g} s (execution_time)")

    def _check_idle(self) -> None:
        if self._spent is not None:
            raise GuestSpent(str(self._spent))
        if self._call is not None or self._is_beginning:
            raise EngineMisused("this instance is in the middle of a call")

    def _stopped(self, reason: TrapReason, phase: str, text: str) -> GuestTrapped:
        self._spent = GuestTrapped(reason, phase, text)
        return self._spent


class _Late(Exception):  # becomes a time limit within this module
    """The call took too long."""


class _HostFailed(Exception):  # becomes a host error within this module
    """A host function raised; the cause is chained."""


async def _guarded(waiting: Awaitable[Any]) -> Any:
    try:
        return await waiting
    except Exception as error:
        raise _HostFailed from error
