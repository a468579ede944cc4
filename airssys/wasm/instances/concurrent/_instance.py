"""A running component, whose calls go on side by side."""

from __future__ import annotations

import functools
import math
import weakref
from typing import TYPE_CHECKING, Any, final

import attrs
import trio

from airssys.contracts import (
    EngineMisused,
    GuestFailed,
    GuestSpent,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.wasm.engine import Entered, WasmtimeFailed
from airssys.wasm.instances import (
    HostFailed,
    Late,
    Runtime,
    name_failure,
    now,
    open_contexts,
    unnamed,
)
from airssys.wasm.lane.abi import Rule, RuleBroken, check
from airssys.wasm.lane.components import CopyType
from airssys.wasm.lane.concurrent import Begun, TaskCode, TaskInstance
from airssys.wasm.lane.core import CoreFailed
from airssys.wasm.lane.tasks import Buffer, CopyResult, Pending, Shared
from airssys.wasm.values import ValueUnfit, WitType

from ._ends import End, FutureReader, FutureWriter, StreamReader, StreamWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import HostServices
    from airssys.wasm.host import HostTable


@final
@attrs.define(eq=False)
class _Call:
    """A call that has not ended."""

    name: str
    ended: trio.Event = attrs.field(factory=trio.Event)
    result: tuple[Any, ...] | None = None
    failure: BaseException | None = None


async def _until(call: _Call, deadline: float) -> None:
    with trio.CancelScope(deadline=deadline):
        await call.ended.wait()
    if not call.ended.is_set():
        raise Late(f"{call.name!r} did not return before its deadline")


@final
class ConcurrentInstance:
    """A running component. Created by `ConcurrentComponent.open`."""

    def __init__(
        self,
        runtime: Runtime,
        code: TaskCode,
        table: HostTable,
        limits: Limits,
        nursery: trio.Nursery,
    ) -> None:
        self._runtime, self._plan, self._table = runtime, code.plan, table
        self._limits, self._nursery = limits, nursery
        self._contexts = table.contexts()
        self._side = _Side(self)
        self._hosting = 0
        """How many async functions of the host run for the guest."""
        self._calls: set[_Call] = set()
        self._copies: set[trio.Event] = set()
        """What ends of the program's wait for."""
        self._wake = trio.Event()
        self._used = 0.0
        self._spent: GuestFailed | None = None
        self.ends: weakref.WeakSet[End] = weakref.WeakSet()
        self._instance = TaskInstance(code, self)

    # ---------------------------------------------------- what users see

    @property
    def spent(self) -> GuestFailed | None:
        """Why this instance cannot be called any more, or None if it can."""
        return self._spent

    async def call(self, name: str, *values: Any, deadline: float = math.inf) -> Any:
        """Call an export with one value for each parameter; returns its result.

        Any number of calls may go on at once. One that is cancelled, or whose
        `deadline` (a time on Trio's clock) passes, is asked to end, if it is of an
        asynchronous function; the instance can be used further. Otherwise it is spent.

        Raises:
            KeyError: It has no such export.
            ValueUnfit: A value does not fit its type; nothing was called.
            GuestTrapped: The guest was stopped, in this call or in another one.
            GuestSpent: It was spent before.
        """
        if self._spent is not None:
            raise GuestSpent.after(self._spent)
        self._check(name, values)
        call = _Call(name)
        if self._limits.fuel is not None:
            self._instance.refuel(self._limits.fuel)

        def resolve(result: tuple[Any, ...] | None) -> None:
            call.result = result
            call.ended.set()

        begun = self._instance.call(name, values, resolve)
        self._calls.add(call)
        self.wake()
        try:
            await _until(call, deadline)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # raised again
            self._give_up(begun, name, error)
        finally:
            self._calls.discard(call)
        if call.failure is not None:
            raise call.failure
        assert call.result is not None  # noqa: S101  # it was not asked to end
        return call.result[0]

    def new_stream(self, element: WitType | None) -> tuple[StreamWriter, StreamReader]:
        """Make a stream: write to one end, and give the other one to the guest."""
        shared = Shared(CopyType(is_stream=True, element=element))
        return StreamWriter(self, shared), StreamReader(self, shared)

    def new_future(self, element: WitType | None) -> tuple[FutureWriter, FutureReader]:
        """Make a future: write to one end, and give the other one to the guest."""
        shared = Shared(CopyType(is_stream=False, element=element))
        return FutureWriter(self, shared), FutureReader(self, shared)

    # ---------------------------------------------------- running it

    async def start(
        self, shares: tuple[int, int, int, int], services: HostServices | None
    ) -> None:
        """Make the instance; start functions run here."""
        try:
            open_contexts(self._runtime, self._contexts, services, self._limits)
            self._instance.limit(*shares)
            if self._limits.fuel is not None:
                self._instance.refuel(self._limits.fuel)
            self._touch()
            for _ in self._instance.start():
                self._touch()
                self._count(0.0)
                await self._runtime.turns.next_slice()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            raise self._name(error, "instantiate") from error.__cause__  # noqa: ASYNC104  # it is the error of this call
        self._nursery.start_soon(self._drive)

    def close(self) -> None:
        """Give back everything; calls that have not ended fail."""
        if self._spent is None:
            self._fail(EngineMisused("this instance was closed"), "close")
        self._instance.close()
        self._contexts.close()

    def wake(self) -> None:
        """Note that the guest may be able to go on."""
        self._wake.set()

    async def _drive(self) -> None:
        slice_, turns = self._runtime.settings.tick / 2, self._runtime.turns
        try:
            while self._spent is None:
                self._wake = trio.Event()
                began = now()
                self._touch()
                with self.entered():
                    has_more = self._instance.run_for(slice_)
                took = now() - began
                turns.spent += took
                if has_more:
                    self._count(took)
                    await turns.next_slice()
                else:
                    self._used = 0.0
                    self._check_alive()
                    await self._wake.wait()
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001  # given to the calls
            self._fail(error, "call")

    def _touch(self) -> None:
        ticker = self._runtime.engine.ticker
        ticker.touched = True
        if ticker.parked:
            ticker.touch()

    def _count(self, took: float) -> None:
        self._used += took
        if self._used > self._limits.execution_time:
            most = self._limits.execution_time
            raise Late(f"it ran for longer than {most:g} s (execution_time)")

    def _check_alive(self) -> None:
        """See that something could still wake the guest.

        Raises:
            RuleBroken: nothing could.
        """
        can_end = self._hosting or self._copies or self.ends
        waits = any(not call.ended.is_set() for call in self._calls)
        if waits and not can_end and not self._wake.is_set():
            raise RuleBroken(
                Rule.MAY_BLOCK, "nothing that the host does would wake a task"
            )

    def entered(self) -> Entered:
        """Hold the store."""
        return Entered(self._instance.opened.lock)

    def fail_if(self, act: Callable[[], None]) -> None:
        """Do something that may run the guest's `realloc`; what fails ends the guest."""
        try:
            with self.entered():
                act()
        except BaseException as error:  # noqa: ASYNC103  # given to the calls
            self._fail(error, "call")
            if not isinstance(error, Exception):
                raise
        self.wake()

    def _fail(self, error: BaseException, name: str) -> None:
        failure = self._name(error, name)
        for call in self._calls:
            if not call.ended.is_set():
                call.failure = failure
                call.ended.set()
        for copied in self._copies:
            copied.set()

    def _name(self, error: BaseException, name: str) -> BaseException:
        """Give an error its name, and note that the instance is spent."""
        if isinstance(error, CoreFailed):
            error = WasmtimeFailed(str(error))
        elif isinstance(error, ValueUnfit):
            cause, error = error, HostFailed()
            error.__cause__ = cause
        before, self._spent = self._spent, unnamed(name)
        failure, why = name_failure(error, name, self._limits)
        self._spent = before or why or self._spent
        return failure

    def _give_up(self, begun: Begun, name: str, error: BaseException) -> None:
        """End a call whose caller does not wait any more.

        Raises:
            BaseException: the error; a `Late` as what it is to users.
        """
        if self._spent is None and not self._instance.cancel(begun):
            self._fail(error, name)
        self.wake()
        if isinstance(error, Late):
            raise GuestTrapped(TrapReason.DEADLINE, name, str(error)) from None
        raise error

    def _check(self, name: str, values: tuple[Any, ...]) -> None:
        function = self._plan.exports[name].type
        if len(values) != len(function.params):
            raise ValueUnfit(
                f"{len(values)} values for {len(function.params)} parameters"
            )
        for (called, wit), value in zip(function.params, values, strict=True):
            check(wit, value, called)

    # ---------------------------------------------------- what it does for the guest

    @property
    def side(self) -> _Side:
        """Where resources and streams come from, and go to."""
        return self._side

    def call_host(
        self, name: str, values: tuple[Any, ...], resolve: Callable[[Any], None]
    ) -> Callable[[], None]:
        """Begin a host function; returns what cancels it."""
        function = self._table.functions[self._table.number_of(name)]
        context = self._contexts.objects[function.context]
        act = functools.partial(function.implementation, context, *values)
        if not function.waits:
            try:
                value = act()
            except Exception as error:
                raise HostFailed from error
            resolve((value,))
            return lambda: None
        scope = trio.CancelScope()
        self._hosting += 1
        self._nursery.start_soon(self._run_host, act, scope, resolve)

        def cancel() -> None:
            scope.cancel()
            resolve(None)

        return cancel

    async def _run_host(
        self,
        act: Callable[[], Any],
        scope: trio.CancelScope,
        resolve: Callable[[Any], None],
    ) -> None:
        try:
            with scope:
                try:
                    value = await act()
                except Exception as error:  # noqa: BLE001  # given to the calls
                    failure = HostFailed()
                    failure.__cause__ = error
                    self._fail(failure, "call")
                    return
                if self._spent is None and not scope.cancel_called:
                    self.fail_if(lambda: resolve((value,)))
        finally:
            self._hosting -= 1
            self.wake()

    def drop(self, resource: str, representation: int) -> None:
        """Let go what the guest had."""
        thing = self._side.thing_of(resource, representation)
        destroy = self._table.resources.destructors.get(resource)
        if destroy is not None:
            destroy(thing)

    # ---------------------------------------------------- copies

    async def copy(
        self, shared: Shared, buffer: Buffer, *, is_read: bool
    ) -> CopyResult:
        """Copy from or to the guest, and wait until something was."""
        if self._spent is not None:
            raise GuestSpent.after(self._spent)
        ended = trio.Event()
        outcome: list[tuple[CopyResult, Callable[[], None] | None]] = []

        def on_copy(forget: Callable[[], None]) -> None:
            outcome.append((CopyResult.COMPLETED, forget))
            ended.set()

        def on_done(result: CopyResult) -> None:
            outcome.append((result, None))
            ended.set()

        mine = Pending(None, buffer, on_copy, on_done)
        self._copies.add(ended)
        try:
            self.fail_if(lambda: (shared.read if is_read else shared.write)(mine))
            await ended.wait()
        finally:
            self._copies.discard(ended)
            if shared.pending is mine and not outcome:
                shared.cancel()
        if not outcome:
            assert self._spent is not None  # noqa: S101  # nothing else sets the event
            raise GuestSpent.after(self._spent)
        result, forget = outcome[-1]
        if forget is not None:
            forget()
        return result


@final
class _Side:
    """The host's resources that one guest has, and the ends of the program's."""

    def __init__(self, instance: ConcurrentInstance) -> None:
        self._instance = weakref.ref(instance)
        self._things: dict[int, Any] = {}
        self._made = 0

    def thing_of(self, _resource: str, representation: int) -> Any:
        """Take back what the host gave."""
        return self._things.pop(representation)

    def lent_thing(self, _resource: str, representation: int) -> Any:
        """Look up what the host gave."""
        return self._things[representation]

    def number_for(self, resource: str, thing: Any) -> int:
        """Give something; returns what stands for it."""
        if thing is None:
            raise ValueUnfit(f"None is not a {resource}")
        self._made += 1
        self._things[self._made] = thing
        return self._made

    def end_for(self, shared: Shared) -> StreamReader | FutureReader:
        """Make what the program has of a stream or future."""
        instance = self._instance()
        assert instance is not None  # noqa: S101  # it runs
        if shared.type.is_stream:
            return StreamReader(instance, shared)
        return FutureReader(instance, shared)
