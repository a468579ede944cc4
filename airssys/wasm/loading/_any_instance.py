"""One instance of a component of any world: call its exports by name.

The rules are those of `_instance`. The differences are that values are passed
unchanged, and that the host's resources may be among them.
"""

from __future__ import annotations

import functools
import hashlib
import math
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, final

import attrs
from trio.lowlevel import current_task
from wasmtime.component import Component as Compiled

from airssys.contracts import (
    Artifact,
    EngineMisused,
    GuestFailed,
    GuestSpent,
    Limits,
)
from airssys.wasm import _c_api as c
from airssys.wasm.artifacts import check_counts, count, read, refusing, to_binary
from airssys.wasm.cache import Kept, KeptParts
from airssys.wasm.host import AnyWorld, Host, HostInterface, HostTable, bind, read_world
from airssys.wasm.instances import (
    Code,
    CoreProgram,
    Driver,
    Runtime,
    Saved,
    adopt,
    export_index,
    identity,
    meter_of,
    move_whole,
    name_failure,
    now,
    open_contexts,
    open_whole_store,
    prepare_making,
    put,
    read_fresh,
    run_whole,
    share_out,
    shares_of,
    take,
    unnamed,
    without_host,
)
from airssys.wasm.lane.core import (
    CoreCode,
    CoreHost,
    CoreStore,
    NotTakenApart,
    TakenApart,
    host_calls,
)
from airssys.wasm.values import CHEAPER, Budget, CallValues, weight

from ._component_loader import compile_binary

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import HostServices
    from airssys.wasm.engine import GuestCall, GuestStore, HostResources
    from airssys.wasm.lane.snapshots import FreshImage, Snapshot

    from ._component_loader import Loader


async def load_any(
    loader: Loader, artifact: Artifact, host: Sequence[HostInterface] | Host = ()
) -> AnyComponent:
    """Read, compile and link a component of any world.

    Args:
        loader: That of an open runtime.
        artifact: The component.
        host: What it may import.

    Raises:
        ComponentRefused: It cannot be run here, or `host` lacks one of its imports.
    """
    given = host.interfaces if isinstance(host, Host) else tuple(host)
    work = functools.partial(_prepare, loader, artifact, given)
    ready = await loader.compile_in_time(artifact.label, work)
    if isinstance(ready.kept, KeptParts):
        return _adopt_parts(loader.runtime, artifact.label, ready, ready.kept)
    return _adopt(loader.runtime, artifact.label, ready, ready.kept)


def _adopt(runtime: Runtime, label: str, ready: _Prepared, kept: Kept) -> AnyComponent:
    engine = runtime.engine
    pointer = adopt(engine, kept.compiled)
    found = {name: export_index(engine, pointer, name) for name in ready.world.exports}
    exports = {name: index for name, index in found.items() if index is not None}
    code = Code(label, pointer, exports, kept.footprint, why_whole=ready.why_whole)
    runtime = run_whole(runtime, ready.table)
    return AnyComponent(runtime, code, ready.world, ready.marshallers)


def _adopt_parts(
    runtime: Runtime, label: str, ready: _Prepared, apart: KeptParts
) -> AnyComponent:
    parts, table = apart.parts, ready.table
    runtime = runtime.with_table(table)
    host = CoreHost(table.instant(parts.plan.imports))
    core = CoreCode(runtime.engine, parts.plan, parts.linking, parts.modules, host)
    functions = {
        each.name: table.number_of(each.name) for each in core.imports.values()
    }
    names = list(ready.world.exports)
    calls = host_calls(core, functions)
    program = CoreProgram(core, names, calls, identity(ready.digest))
    exports = {name: number for number, name in enumerate(names)}
    code = Code(label, 0, exports, apart.footprint, program)
    return AnyComponent(runtime, code, ready.world, ready.marshallers)


@final
@attrs.frozen
class _Prepared:
    """The result of a worker thread; none of it must be undone."""

    kept: Kept | KeptParts
    world: AnyWorld
    table: HostTable
    marshallers: Mapping[str, CallValues]
    why_whole: str | None = None
    """Why it was not taken apart, if that was tried."""
    digest: str = ""
    """SHA-256 of the component, if it was."""

    @classmethod
    def of(
        cls,
        kept: Kept | KeptParts,
        world: AnyWorld,
        table: HostTable,
        why_whole: str | None = None,
    ) -> _Prepared:
        """Put it together; large types take as long as large code."""
        marshallers = {name: CallValues(each) for name, each in world.exports.items()}
        if isinstance(kept, Kept):
            marshallers = move_whole(world.exports)
        return cls(kept, world, table, marshallers, why_whole)


def _prepare(
    loader: Loader, artifact: Artifact, host: Sequence[HostInterface]
) -> _Prepared:
    """Do everything that is slow."""
    settings = loader.runtime.settings
    code = read(artifact, settings.component_bytes)
    digest = hashlib.sha256(code).hexdigest()
    why_whole = None
    if settings.lane == "own":
        try:
            ready = _prepare_parts(loader, artifact.label, code, digest, host)
            return attrs.evolve(ready, digest=digest)
        except NotTakenApart as error:
            why_whole = str(error)
    engine, label = loader.runtime.engine.wasmtime, artifact.label
    kept = _find_or_compile(loader, label, code, digest)
    world = read_world(engine, kept.compiled, label)
    return _Prepared.of(kept, world, bind(world.imported, host, label), why_whole)


def _prepare_parts(
    loader: Loader,
    label: str,
    code: bytes,
    digest: str,
    host: Sequence[HostInterface],
) -> _Prepared:
    """Take a component apart, or find what it was taken apart into.

    Raises:
        NotTakenApart: The lane cannot run it, or it is not valid.
        ComponentRefused: `host` lacks what it imports, or it exceeds a limit.
    """
    settings, cache = loader.runtime.settings, loader.cache
    engine = loader.runtime.engine.wasmtime
    digest = hashlib.sha256(f"{digest} any world".encode()).hexdigest()
    kept = None if cache is None else cache.find_parts(engine, digest)
    if kept is not None:
        check_counts(kept.footprint, label, settings)
        validated = Compiled(engine, kept.parts.skeleton)
    else:
        binary = to_binary(code, label)
        found = count(binary, label)
        check_counts(found, label, settings)
        with refusing(label):
            apart = TakenApart.of(engine, binary)
        validated = apart.validated
    try:
        world = read_world(engine, validated, label, own_resources=True)
        table = bind(world.imported, host, label)
    finally:
        validated.close()
    if kept is None:
        with refusing(label):
            parts = apart.compile(engine, loader.find_module)
            kept = KeptParts(parts, found)
        if cache is not None:
            cache.keep(digest, kept.parts, found, label)
    return _Prepared.of(kept, world, table)


def _find_or_compile(loader: Loader, label: str, code: bytes, digest: str) -> Kept:
    settings, cache = loader.runtime.settings, loader.cache
    engine = loader.runtime.engine.wasmtime
    kept = None if cache is None else cache.find(engine, digest, any_world=True)
    if kept is not None:
        check_counts(kept.footprint, label, settings)
        return kept
    binary = to_binary(code, label)
    found = count(binary, label)
    check_counts(found, label, settings)
    compiled = compile_binary(engine, binary, label)
    if cache is not None:
        cache.keep(digest, compiled, found, label, any_world=True)
    return Kept(compiled, found)


@final
@attrs.frozen
class AnyComponent:
    """A component of any world, ready to run."""

    runtime: Runtime = attrs.field(repr=False)
    code: Code
    world: AnyWorld = attrs.field(repr=False)
    marshallers: Mapping[str, CallValues] = attrs.field(repr=False)

    @property
    def resources(self) -> HostResources:
        """The host's resources that it imports."""
        return self.runtime.table.resources

    async def instantiate(
        self, limits: Limits | None = None, services: HostServices | None = None
    ) -> AnyInstance:
        """Make a fresh instance.

        Args:
            limits: What it may use.
            services: What interfaces make their contexts from; required by
                `CORE_INTERFACES`.

        Raises:
            GuestTrapped: Its start function trapped, or it needs more than `limits`.
            CapacityReached: The kernel has no more memory maps.
        """
        self.runtime.check_room(self.code.maps)
        instance = AnyInstance(self, limits or Limits(), services)
        try:
            await instance.start()
        except BaseException:
            instance.close()
            raise
        return instance

    async def restore(
        self,
        snapshot: Snapshot | bytes,
        limits: Limits | None = None,
        services: HostServices | None = None,
    ) -> AnyInstance:
        """Make an instance that continues from a snapshot.

        Args:
            snapshot: What `AnyInstance.snapshot` returned, here or in another process.
            limits: What the instance may use.
            services: As of `instantiate`.

        Raises:
            SnapshotRefused: It is damaged, of another component, or does not fit.
            GuestTrapped: As of `instantiate`.
            CapacityReached: As of `instantiate`.
        """
        instance = await self.instantiate(limits, services)
        try:
            await instance.restore(snapshot)
        except BaseException:
            instance.close()
            raise
        return instance


@final
class AnyInstance:
    """A running component of any world. Created by `AnyComponent.instantiate`."""

    def __init__(
        self,
        component: AnyComponent,
        limits: Limits,
        services: HostServices | None,
        *,
        is_alone: bool = False,
    ) -> None:
        """Prepare an instance; one that is alone must not call the host."""
        runtime, world = component.runtime, component.world
        self._component = component
        self._limits, self._services = limits, services
        functions = [*world.imports.values(), *world.exports.values()]
        params = max((len(each.params) for each in functions), default=0)
        self._store: GuestStore
        self._is_apart = component.code.core is not None
        self._contexts = runtime.table.contexts()
        self._is_alone = is_alone
        if is_alone:
            self._contexts = runtime.table.no_contexts()
        if component.code.core is not None:
            few = min(limits.host_call_bytes, runtime.settings.thread_payload_bytes)
            store = component.code.core.open_store(self._contexts.objects, few)
            store.instance.resources.user = weakref.ref(self)
            self._store = store
        else:
            number = len(world.exports)
            self._store = open_whole_store(runtime.engine, params, number)
        runtime.maps.take(component.code.maps)
        self.handles = self._store.give_resources(component.resources)
        """The host's resources that it holds."""
        contexts, habits = self._contexts.objects, component.code.habits
        self._driver = Driver(
            runtime, limits, contexts, habits, self.handles, meter_of(services)
        )
        if self._is_apart:
            self._driver.cheaper = CHEAPER
        self._numbers = {name: number for number, name in enumerate(world.exports)}
        self._is_called = False
        self._spent: GuestFailed | None = None

    @property
    def spent(self) -> GuestFailed | None:
        """Why this instance cannot be called any more, or None if it can."""
        return self._spent

    def find_context(self, interface: str) -> Any:
        """Return what the functions of an interface of the host get first.

        Args:
            interface: Its full name, as the host gives it.

        Raises:
            LookupError: There is no such interface.
        """
        interfaces = self._component.runtime.table.interfaces
        for place, each in enumerate(interfaces):
            if each.name == interface:
                return self._contexts.objects[place]
        raise LookupError(interface)

    async def start(self) -> None:
        """Make the instance itself; its start functions run here."""
        runtime, code = self._component.runtime, self._component.code
        try:
            if not self._is_alone:
                open_contexts(runtime, self._contexts, self._services, self._limits)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, "instantiate")
        share_out(self._store, code, self._limits)
        prepare_making(self._driver, code.footprint)
        if self._limits.fuel is not None:
            self._store.refuel(self._limits.fuel)
        linker, pointer = runtime.linker, code.pointer
        call = self._store.instantiate(linker, pointer, owner=current_task())
        try:
            await self._driver.drive(call, math.inf)
            self._driver.drop_noted()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, "instantiate")
        finally:
            call.close()
        self._store.number_functions(code.exports.values())

    async def call(self, name: str, *values: Any, deadline: float = math.inf) -> Any:
        """Call an export with one value for each parameter; returns its result.

        A `result` is returned as `Ok` or `Err`. `_wit_types` lists the
        Python types of values. `deadline` is a time on Trio's clock.

        Raises:
            KeyError: It has no such export.
            ValueUnfit: A value does not fit its type; nothing was called.
            GuestTrapped: The call was stopped; the instance is spent.
            GuestSpent: It was spent before.
        """
        number = self._numbers[name]
        marshaller = self._component.marshallers[name]
        self._check_idle()
        self._is_called = True
        try:
            await self._drop_abandoned(deadline)
            await self._begin(deadline)
            keep = self._limits.host_call_bytes
            lowered: Any = self._store.lower(number, marshaller, values, keep)
            size = weight(values) if self._is_apart else lowered.size
            result = await self._run(number, marshaller, lowered, size, deadline)
            self._driver.drop_noted()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, name)
        finally:
            self._is_called = False
        return result

    async def _begin(self, deadline: float) -> None:
        """Wait for the turn of a first slice, and give the guest its fuel."""
        if not self._driver.may_begin():
            await self._driver.wait_to_begin(deadline)
        if self._limits.fuel is not None:
            self._store.refuel(self._limits.fuel)

    async def snapshot(self) -> Snapshot:
        """Take a snapshot of its state, between two calls; see `Instance.snapshot`.

        Raises:
            SnapshotRefused: Something cannot go along, such as a resource of the guest
                that the program holds.
            EngineMisused: It is in the middle of a call.
            GuestSpent: It was spent before.
            CapacityReached: There is no room for a fresh instance.
        """
        await self.drop_abandoned()
        self._check_idle()
        self._is_called = True
        try:
            return await take(self._saved(), self._fresh_image)
        finally:
            self._is_called = False

    async def restore(self, snapshot: Snapshot | bytes) -> None:
        """Continue from a snapshot; only if never called.

        If it fails, the instance is spent.

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
        runtime, code = self._component.runtime, self._component.code
        shares = shares_of(code, self._limits)
        return Saved(runtime, code, self._store, self._limits, shares)

    async def _fresh_image(self) -> FreshImage:
        component = self._component
        component.runtime.check_room(component.code.maps)
        fresh = AnyInstance(component, self._limits, None, is_alone=True)
        try:
            await fresh.start()
            return await read_fresh(fresh._saved())
        except GuestFailed as error:
            raise without_host(error) from error
        finally:
            fresh.close()

    async def drop_abandoned(self) -> None:
        """Run the destructors of the resources of the guest that the program has let go of.

        This happens before each call by itself. In the middle of a call it does
        nothing.

        Raises:
            GuestTrapped: A destructor was stopped; the instance is spent.
        """
        if self._is_called or self._spent is not None:
            return
        self._is_called = True
        try:
            await self._drop_abandoned(math.inf)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # given its name and raised
            self._raise_named(error, "resource-drop")
        finally:
            self._is_called = False

    async def _drop_abandoned(self, deadline: float) -> None:
        store = self._store
        while isinstance(store, CoreStore) and store.has_abandoned:
            await self._begin(deadline)
            call = store.drop_abandoned(owner=current_task())
            if call is None:
                return
            try:
                await self._driver.drive(call, deadline)
                self._driver.drop_noted()
            finally:
                call.close()

    async def _run(
        self,
        number: int,
        marshaller: CallValues,
        frame: Any,
        size: int,
        deadline: float,
    ) -> Any:
        driver, placement = self._driver, self._driver.placement
        budget = Budget(self._limits.host_call_bytes)
        owner = current_task()
        most = self._component.runtime.settings.thread_payload_bytes * c.VAL_SIZE
        if size <= most and not (placement.suspect or placement.in_worker):
            began = now()
            few = Budget(driver.at_once(marshaller, budget.left))
            begun, result = self._store.call_and_poll(
                number, marshaller, frame, few, owner=owner
            )
            if begun is None:
                driver.note_slice(began)
                return result
            call: GuestCall = begun
            slices = driver.go_on(call, began, deadline)
        else:
            begin: Callable[[], GuestCall] = functools.partial(
                self._store.call, number, marshaller, frame, owner=owner
            )
            if size > most:
                driver.expect_large()
                call = await self._component.runtime.turns.in_worker(begin)
            else:
                call = begin()
            slices = driver.drive(call, deadline)
        try:
            await slices
            return await driver.take_result(call, marshaller, budget)
        finally:
            call.close()

    def close(self) -> None:
        """Release all resources at once, even during a call.

        The host's resources that it still holds are dropped.
        """
        if self._spent is None:
            self._spent = GuestSpent("it was closed")
        if not self._store.closed:
            try:
                self._store.close()
            finally:  # a destructor may raise to end the program
                component = self._component
                component.runtime.maps.give_back(component.code.maps)
                self._contexts.close()

    def _raise_named(self, error: BaseException, name: str) -> NoReturn:
        # As in `_instance`: it is spent before the cause is determined, which may fail.
        before, self._spent = self._spent, unnamed(name)
        failure, why = name_failure(error, name, self._limits)
        self._spent = why or before
        if failure is error:
            raise error
        raise failure from error.__cause__

    def _check_idle(self) -> None:
        if self._spent is not None:
            raise GuestSpent.after(self._spent)
        if self._is_called:
            raise EngineMisused("this instance is in the middle of a call")
