"""One instance of a component: its limits, its state, one call at a time.

The theory. An instance is a store with one component in it. It keeps its state between
calls. After a call that was not completed (because of a trap, a limit, or a
cancellation) it is *spent*: wasmtime will not enter it again, and neither will we.

`_driver` drives a call to its end. What counts towards which limit:

* `execution_time`: the guest's own slices and its host calls, but not its wait for a
  turn, because it is not responsible for other busy guests.
* the envelope's deadline: nothing. The guest is not responsible for an asker that stops
  waiting. A call that had not begun by then does not begin at all.
* `fuel`: refilled before each call.
* `memory_bytes` and `table_elements`: sums. wasmtime limits each memory separately, so
  the loader counts them and gives each its share.
* `host_call_bytes`: what one host call or one answer makes the host keep. wasmtime
  itself stops at 128 MiB before we see anything.
* `state_bytes`: what one instance hands over to the next. Exceeding it is not a failure
  of the instance: the call is complete, and the instance continues.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

import trio
from outcome import Error, Value
from trio.lowlevel import current_task

from airssys.contracts import (
    ComponentConfig,
    ComponentMetadata,
    EngineMisused,
    Envelope,
    GuestFailed,
    GuestRejected,
    GuestSnapshot,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    HostServices,
    Limits,
    StoppedByQuota,
    TrapReason,
    Unanswered,
    Unwanted,
)
from airssys.wasm.artifacts import fair_cap
from airssys.wasm.host import (
    EXPORT_STATE,
    EXPORTS,
    STATE_EXPORTS,
    config_value,
    message_value,
    metadata_of,
)
from airssys.wasm.values import CHEAPER, Budget, Err, Ok, ValueUnfit

from ._driver import Driver, HostFailed, meter_of
from ._outcomes import name_failure, too_much_state, unnamed
from ._saved import Saved, put, read_fresh, take
from ._saving import without_host
from ._turns import now
from ._whole import open_whole_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from outcome import Outcome

    from airssys.wasm.artifacts import Footprint
    from airssys.wasm.engine import GuestCall, GuestStore
    from airssys.wasm.host import Contexts
    from airssys.wasm.lane.snapshots import FreshImage, Snapshot
    from airssys.wasm.values import CallValues

    from ._runtime import Code, Runtime


EXPORT_NUMBERS = {name: number for number, name in enumerate(EXPORTS | STATE_EXPORTS)}

_AROUND_STATE: Final = 256
"""Bytes that count in addition to the state itself."""


_FREE: Final = 1 << 20
"""Bytes besides memories and tables that no limit counts: ordinary guests have less."""
_MOST_SHARES: Final = 16
"""Limits for which the shares of one component are remembered."""
_STEPS_HERE: Final = 30_000
"""A worker makes instances that take more steps, i.e. 3 ms or more."""


def _shares(code: Code, memory_bytes: int, elements: int) -> tuple[int, int]:
    """The limit of each memory, in bytes, and of each table.

    If they cannot fit, the limit is zero, and the engine refuses with its own text.
    """
    found, kept = code.footprint, code.shares
    wanted = memory_bytes, elements
    if wanted not in kept:
        if len(kept) >= _MOST_SHARES:
            kept.clear()
        memory_share = fair_cap(memory_bytes, found.memories) or 0
        kept[wanted] = memory_share, fair_cap(elements, found.tables) or 0
    return kept[wanted]


def share_out(store: GuestStore, code: Code, limits: Limits) -> None:
    """Give each memory and table its share of what an instance may have.

    Raises:
        GuestTrapped: What it has besides them exceeds its memory limit.
    """
    found, most = code.footprint, limits.memory_bytes
    free = free_bytes(found, limits)
    if free < 0:
        text = (
            f"globals, functions and segments of up to {found.instance_bytes} bytes, "
            f"more than {most} (memory_bytes)"
        )
        raise GuestTrapped(TrapReason.MEMORY_LIMIT, "instantiate", text)
    shares = _shares(code, free, limits.table_elements)
    store.limit(*shares, len(found.memories), len(found.tables))


def free_bytes(found: Footprint, limits: Limits) -> int:
    """Return how many bytes are left for the memories of an instance."""
    return limits.memory_bytes - max(0, found.instance_bytes - _FREE)


def shares_of(code: Code, limits: Limits) -> tuple[int, int]:
    """Return the limit of each memory, in bytes, and of each table."""
    return _shares(code, free_bytes(code.footprint, limits), limits.table_elements)


def prepare_making(driver: Driver, found: Footprint) -> None:
    """Have a worker make a large instance, because nothing can interrupt that."""
    if found.steps > _STEPS_HERE:
        driver.expect_large()


def open_contexts(
    runtime: Runtime,
    contexts: Contexts,
    services: HostServices | None,
    limits: Limits,
) -> None:
    """Make what the host functions of an instance get first.

    Raises:
        HostFailed: one could not be made.
    """
    try:
        contexts.open(services, limits, runtime.background.nursery)
    except Exception as error:
        raise HostFailed from error


def _carried(result: Any, name: str) -> Any:
    if type(result) is Err:
        raise GuestRejected(name, *result.value)
    return result.value if type(result) is Ok else result


@final
class Instance:
    """A running component (the port `Guest`). Created by `Component.instantiate`."""

    def __init__(
        self,
        runtime: Runtime,
        code: Code,
        limits: Limits,
        services: HostServices | None,
    ) -> None:
        """Prepare an instance; without services it must not call the host."""
        self._runtime = runtime
        self._code = code
        self._limits = limits
        self._services = services
        # Services of a restricted actor have it; most others do not.
        self._cut_time: Callable[[int], int] | None
        self._cut_time = getattr(services, "cut_time", None)
        table = runtime.table
        self._contexts, handles = table.contexts(), None
        if services is None:
            self._contexts = table.no_contexts()
        opened: GuestStore
        if code.core:
            few = min(limits.host_call_bytes, runtime.settings.thread_payload_bytes)
            opened = code.core.open_store(self._contexts.objects, few)
        else:
            opened = open_whole_store(runtime.engine, table.most_params)
        self._store = opened
        if table.resource_names:
            handles = opened.give_resources(table.resources)
        runtime.maps.take(code.maps)
        self._holds_resources = handles is not None
        contexts, habits = self._contexts.objects, code.habits
        self._driver = Driver(
            runtime, limits, contexts, habits, handles, meter_of(services)
        )
        self._inline_bytes = runtime.settings.thread_payload_bytes
        """A worker moves larger payloads."""
        if code.core:
            self._inline_bytes *= CHEAPER
            self._driver.cheaper = CHEAPER
        self._budget = Budget(limits.host_call_bytes)
        self._is_called = False
        self._spent: GuestFailed | None = None
        self._begun: Outcome[tuple[GuestCall | None, Any]] | None = None
        """The first slice of a message that `handle_message` has to continue."""

    @property
    def spent(self) -> GuestFailed | None:
        """Why this instance cannot be called any more, or None if it can."""
        return self._spent

    async def start(self) -> None:
        """Make the instance itself; its start functions run here.

        Raises:
            GuestTrapped: It trapped, or needs more than its limits.
            CapacityReached: The kernel has no more memory maps.
        """
        try:
            if self._services is not None:
                open_contexts(
                    self._runtime, self._contexts, self._services, self._limits
                )
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, "instantiate")
        share_out(self._store, self._code, self._limits)
        prepare_making(self._driver, self._code.footprint)
        if self._limits.fuel is not None:
            self._store.refuel(self._limits.fuel)
        linker, pointer = self._runtime.linker, self._code.pointer
        call = self._store.instantiate(linker, pointer, owner=current_task())
        try:
            await self._driver.drive(call)
            self._driver.drop_noted()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, "instantiate")
        finally:
            call.close()
        self._store.number_functions(self._code.exports.values())

    async def initialize(self, config: ComponentConfig) -> None:
        """Give the guest its configuration (WIT: `initialize`)."""
        await self._run("initialize", (config_value(config),))

    async def handle_message(self, envelope: Envelope) -> bytes | None:
        """Let the guest handle a message; returns its answer, if it has one."""
        answer: bytes | None
        if self._begun is not None:
            begun, self._begun = self._begun, None
            answer = await self._finish_message(begun)
        else:
            size = len(envelope.payload)
            values = (message_value(envelope, self._cut_time),)
            answer = await self._run("handle-message", values, size, message=envelope)
        self._driver.note_message_handled()
        return answer

    def handle_at_once(
        self, envelope: Envelope, owner: object
    ) -> bytes | Unanswered | None:
        """Run the first slice of a message, if one may run now (see the port)."""
        driver, placement = self._driver, self._driver.placement
        if (
            self._is_called
            or self._spent is not None
            or len(envelope.payload) > self._inline_bytes
            or placement.suspect
            or placement.in_worker
            or not driver.may_begin()
        ):
            return Unanswered.NOT_BEGUN
        self._is_called = True
        began = now()
        try:
            values = (message_value(envelope, self._cut_time),)
            keep = self._limits.host_call_bytes
            call, result = self._first_slice("handle-message", values, owner, keep)
            if self._holds_resources and call is None:
                driver.drop_noted()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # `handle_message` raises it
            self._begun = Error(error)
            return Unanswered.BEGUN  # noqa: ASYNC104  # as above
        driver.note_slice(began)
        if call is not None or type(result) is not Ok:
            self._begun = Value((call, result))
            return Unanswered.BEGUN
        self._is_called = False
        driver.note_message_handled()
        answer: bytes | None = result.value
        return answer

    async def handle_callback(self, envelope: Envelope) -> None:
        """Give the guest the answer to one of its requests."""
        size = len(envelope.payload)
        await self._run(
            "handle-callback", (message_value(envelope, self._cut_time),), size=size
        )

    async def metadata(self) -> ComponentMetadata:
        """Ask the guest for its metadata."""
        return metadata_of(await self._run("metadata"))

    async def health(self) -> HealthStatus:
        """Ask the guest for its health."""
        return HealthStatus(await self._run("health"))

    @property
    def hands_over(self) -> bool:
        """Whether its component exports `state-handover`."""
        return EXPORT_STATE in self._code.exports

    async def export_state(self) -> bytes:
        """Ask the guest for its state, at most `state_bytes` of it."""
        most = self._limits.state_bytes
        # The size is only known when the state has been moved; so a worker moves it.
        keep = most + _AROUND_STATE
        state: bytes = await self._run(EXPORT_STATE, size=most, keep=keep)
        if len(state) > most:
            raise too_much_state(len(state), most)
        return state

    async def import_state(self, state: bytes) -> None:
        """Give the guest the state of its predecessor."""
        await self._run("import-state", (state,), size=len(state))

    async def snapshot(self) -> Snapshot:
        """Take a snapshot of its state, between two calls.

        Other guests go on meanwhile; this one cannot be called. The first snapshot of a
        component takes longer: a fresh instance is made to compare with.

        Raises:
            SnapshotRefused: Something cannot go along, it has more than
                `Limits.snapshot_bytes`, or it does not run on the lane `"own"`.
            EngineMisused: It is in the middle of a call.
            GuestSpent: It was spent before.
            CapacityReached: There is no room for a fresh instance.
        """
        self._check_idle()
        self._is_called = True
        try:
            return await take(self._saved(), self._fresh_image)
        finally:
            self._is_called = False

    async def restore(self, snapshot: GuestSnapshot | bytes) -> None:
        """Continue from a snapshot, instead of `initialize`; only if never called.

        If it fails after it began, the instance is spent.

        Args:
            snapshot: What `snapshot` returned, perhaps as bytes.

        Raises:
            SnapshotRefused: It is damaged, of another component, or does not fit.
            EngineMisused: The instance was called before.
        """
        self._check_idle()
        self._is_called = True
        self._spent = GuestSpent("its snapshot was not restored")
        try:
            await put(self._saved(), snapshot)
            if not self._store.closed:
                self._spent = None
        except EngineMisused:
            self._spent = None
            raise
        finally:
            self._is_called = False

    def _saved(self) -> Saved:
        shares = shares_of(self._code, self._limits)
        return Saved(self._runtime, self._code, self._store, self._limits, shares)

    async def _fresh_image(self) -> FreshImage:
        """Make another instance, which is never called, and read it.

        Raises:
            SnapshotRefused: It calls the host while it is made.
        """
        self._runtime.check_room(self._code.maps)
        fresh = Instance(self._runtime, self._code, self._limits, None)
        try:
            await fresh.start()
            return await read_fresh(fresh._saved())
        except GuestFailed as error:
            raise without_host(error) from error
        finally:
            fresh.close()

    async def shutdown(self) -> None:
        """Let the guest shut down; this does not close it."""
        await self._run("shutdown")

    def close(self) -> None:
        """Release all resources at once, even during a call."""
        if self._spent is None:
            self._spent = GuestSpent("it was closed")
        if not self._store.closed:
            try:
                self._store.close()
            finally:  # a destructor may wish to end the program
                self._runtime.maps.give_back(self._code.maps)
                self._contexts.close()

    async def _run(
        self,
        name: str,
        values: Sequence[Any] = (),
        size: int = 0,
        keep: int | None = None,
        message: Envelope | None = None,
    ) -> Any:
        """Call an export and return the content of its result.

        Args:
            name: Of the export.
            values: Its arguments.
            size: Bytes that are moved, as far as they are known before.
            keep: Bytes of the answer; `host_call_bytes` if not given.
            message: Not begun if its asker has stopped waiting when it could be.
        """
        if keep is None:
            keep = self._limits.host_call_bytes
        self._check_idle()
        driver, placement = self._driver, self._driver.placement
        if not driver.may_begin():
            await self._wait_to_begin(message)
        self._is_called = True
        try:
            if size > self._inline_bytes or placement.suspect or placement.in_worker:
                result = await self._call_slowly(name, values, size, keep)
            else:
                began = now()
                call, result = self._first_slice(name, values, current_task(), keep)
                if call is None:
                    driver.note_slice(began)
                else:
                    slices = driver.go_on(call, began)
                    result = await self._outcome(call, slices, name, keep)
            if self._holds_resources:
                driver.drop_noted()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, name)
        finally:
            self._is_called = False
        return _carried(result, name)

    async def _wait_to_begin(self, message: Envelope | None) -> None:
        """Wait for the turn of a first slice; if the wait ends early, nothing is spent.

        Raises:
            Unwanted: The message's asker has stopped waiting.
        """
        self._is_called = True
        try:
            await self._driver.wait_to_begin()
        except StoppedByQuota as error:
            self._raise_named(error, "begin")
        finally:
            self._is_called = False
        self._check_idle()
        if message is not None and message.is_unwanted(trio.current_time()):
            raise Unwanted(message.target)

    def _first_slice(
        self, name: str, values: Sequence[Any], owner: object, keep: int
    ) -> tuple[GuestCall | None, Any]:
        """Call an export and poll it once: the call, or its result if it finished.

        A call that has finished has a result that is read by a worker.
        """
        marshaller = self._runtime.marshallers[name]
        frame = self._lower(name, marshaller, values, keep)
        budget = self._budget
        few = self._inline_bytes
        budget.left = keep if keep < few else few  # noqa: FURB136  # min() takes longer
        return self._store.call_and_poll(
            EXPORT_NUMBERS[name], marshaller, frame, budget, owner=owner
        )

    async def _finish_message(
        self, begun: Outcome[tuple[GuestCall | None, Any]]
    ) -> Any:
        """Complete what `handle_at_once` has begun."""
        name = "handle-message"
        try:
            call, result = begun.unwrap()
            if call is not None:
                slices = self._driver.resume(call)
                keep = self._limits.host_call_bytes
                result = await self._outcome(call, slices, name, keep)
            if self._holds_resources:
                self._driver.drop_noted()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, name)
        finally:
            self._is_called = False
        return _carried(result, name)

    async def _call_slowly(
        self, name: str, values: Sequence[Any], size: int, keep: int
    ) -> Any:
        """Call an export whose polls are measured, or run by a worker."""
        marshaller = self._runtime.marshallers[name]
        begin = partial(self._begin, name, marshaller, values, current_task(), keep)
        if size > self._inline_bytes:
            self._driver.expect_large()
            call = await self._runtime.turns.in_worker(begin)
        else:
            call = begin()
        slices = self._driver.drive(call)
        return await self._outcome(call, slices, name, keep)

    async def _outcome(
        self, call: GuestCall, slices: Awaitable[None], name: str, keep: int
    ) -> Any:
        try:
            await slices
            budget = Budget(keep)
            marshaller = self._runtime.marshallers[name]
            return await self._driver.take_result(call, marshaller, budget)
        finally:
            call.close()

    def _lower(
        self, name: str, marshaller: CallValues, values: Sequence[Any], keep: int
    ) -> Any:
        if self._limits.fuel is not None:
            self._store.refuel(self._limits.fuel)
        try:
            return self._store.lower(EXPORT_NUMBERS[name], marshaller, values, keep)
        except ValueUnfit as error:
            raise GuestRejected(name, "invalid-message", str(error)) from error

    def _begin(
        self,
        name: str,
        marshaller: CallValues,
        values: Sequence[Any],
        owner: object,
        keep: int,
    ) -> GuestCall:
        frame = self._lower(name, marshaller, values, keep)
        return self._store.call(EXPORT_NUMBERS[name], marshaller, frame, owner=owner)

    def _raise_named(self, error: BaseException, name: str) -> NoReturn:
        failure = self._failure(error, name)
        if failure is error:
            raise error
        raise failure from error.__cause__

    def _failure(self, error: BaseException, name: str) -> BaseException:
        """Return the error for what ended a call; a running instance is spent.

        It counts as spent before the cause is determined, which may fail: what a host
        function raised may be of any class.
        """
        before, self._spent = self._spent, unnamed(name)
        failure, why = name_failure(error, name, self._limits)
        self._spent = why or before
        return failure

    def _check_idle(self) -> None:
        if self._spent is not None:
            raise GuestSpent.after(self._spent)
        if self._is_called:
            raise EngineMisused("this instance is in the middle of a call")
