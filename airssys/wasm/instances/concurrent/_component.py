"""Loads components that may have asynchronous functions, and opens instances of them."""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar, final

import attrs
import trio
import wasmtime
from wasmtime.component import Component as Compiled

from airssys.contracts import Artifact, ComponentRefused, Limits
from airssys.wasm import _c_api as c
from airssys.wasm.artifacts import (
    Footprint,
    Unreadable,
    check_counts,
    count,
    first_lines,
    read,
    to_binary,
)
from airssys.wasm.host import Host, HostInterface, HostTable, ImportedTypes, bind
from airssys.wasm.instances import Code, Runtime, shares_of
from airssys.wasm.lane.components import (
    LiftedFunction,
    Plan,
    Unsupported,
    make_plan,
    parse,
    skeleton,
)
from airssys.wasm.lane.concurrent import Steps, TaskCode, steps_of
from airssys.wasm.lane.core import Compiling, CoreRefused, compile_modules

from ._instance import ConcurrentInstance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from airssys.contracts import HostServices
    from airssys.wasm.lane.core import SharedModule
    from airssys.wasm.values import Function

_T = TypeVar("_T")


class Loader(Protocol):
    """Where components are compiled."""

    @property
    def runtime(self) -> Runtime:
        """What the guests of a system share."""
        ...

    def find_module(self, digest: str) -> wasmtime.Module | None:
        """Find the compiled form of a core module that a component contained before."""
        ...

    def keep_modules(self, modules: Sequence[SharedModule], label: str) -> None:
        """Keep those that are new, for all components that contain them."""
        ...

    async def compile_in_time(self, label: str, work: Callable[[], _T]) -> _T:
        """Have a thread compile, when there is room for it."""
        ...


_ADVICE = "build it without that"


async def load_concurrent(
    loader: Loader, artifact: Artifact, host: Sequence[HostInterface] | Host = ()
) -> ConcurrentComponent:
    """Read, compile and link a component that may have asynchronous functions.

    Args:
        loader: That of an open runtime.
        artifact: The component.
        host: What it may import.

    Raises:
        ComponentRefused: It cannot be run here, `host` lacks one of its imports, or
            `EngineSettings.component_async` is off.
    """
    if not loader.runtime.settings.component_async:
        raise ComponentRefused(
            artifact.label,
            "it is to be run with asynchronous functions",
            "set EngineSettings.component_async",
        )
    given = host.interfaces if isinstance(host, Host) else tuple(host)
    work = functools.partial(_prepare, loader, artifact, given)
    ready = await loader.compile_in_time(artifact.label, work)
    engine = loader.runtime.engine
    code = TaskCode(engine, ready.plan, ready.steps, ready.modules)
    return ConcurrentComponent(
        loader, artifact.label, code, ready.table, ready.footprint
    )


@final
@attrs.frozen
class _Prepared:
    plan: Plan
    steps: Steps
    modules: tuple[wasmtime.Module, ...]
    table: HostTable
    footprint: Footprint


def _prepare(
    loader: Loader, artifact: Artifact, host: Sequence[HostInterface]
) -> _Prepared:
    """Do everything that is slow."""
    settings, label = loader.runtime.settings, artifact.label
    binary = to_binary(read(artifact, settings.component_bytes), label)
    found = count(binary, label)
    check_counts(found, label, settings)
    try:
        plan = make_plan(parse(binary, concurrent=True))
        steps = steps_of(plan)
        _validate(binary)
        for code in plan.modules:  # those with a start function are compiled without it
            wasmtime.Module.validate(loader.runtime.engine.wasmtime, code)
    except (Unsupported, Unreadable, RecursionError) as error:
        raise ComponentRefused(label, f"it has {error}", _ADVICE) from error
    except wasmtime.WasmtimeError as error:
        text = f"wasmtime refuses it: {first_lines(error)}"
        raise ComponentRefused(label, text, _ADVICE) from error
    for name, one in plan.exports.items():
        if not isinstance(one, LiftedFunction):
            text = f"it exports {name!r}, which it imports"
            raise ComponentRefused(label, text, _ADVICE)
    table = bind(_imported(plan), host, label)
    compiled = _compile(loader, steps, label)
    return _Prepared(plan, steps, compiled, table, found)


def _compile(loader: Loader, steps: Steps, label: str) -> tuple[wasmtime.Module, ...]:
    engine, compiling = loader.runtime.engine.wasmtime, Compiling(loader.find_module)
    try:
        modules = compile_modules(engine, steps.steps, compiling.compile)
    except CoreRefused as error:
        text = f"wasmtime refuses it: {error}"
        raise ComponentRefused(label, text, _ADVICE) from error
    loader.keep_modules(compiling.shared, label)
    return modules


def _validate(binary: bytes) -> None:
    """Have wasmtime validate it, with all that asynchronous components may have.

    Raises:
        WasmtimeError: it is not valid.
    """
    config = wasmtime.Config()
    config.wasm_component_model = True
    pointer = c.address_of(config.ptr())
    for allow in (c.config_component_model_async_set, *c.config_more_async_setters):
        allow(pointer, True)  # noqa: FBT003  # C has no keywords
    Compiled(wasmtime.Engine(config), skeleton(binary)).close()


def _imported(plan: Plan) -> ImportedTypes:
    hosts = {name: name for name, one in plan.resources.items() if one.instance is None}
    return ImportedTypes(plan.imports, hosts)


@final
class ConcurrentComponent:
    """A component that may have asynchronous functions, ready to run."""

    def __init__(
        self,
        loader: Loader,
        label: str,
        code: TaskCode,
        table: HostTable,
        footprint: Footprint,
    ) -> None:
        self._loader, self.label, self._code = loader, label, code
        self._table, self._footprint = table, footprint
        self.exports: Mapping[str, Function] = {
            name: one.type for name, one in code.plan.exports.items()
        }
        """The functions that it exports, by full name."""

    @asynccontextmanager
    async def open(
        self, limits: Limits | None = None, services: HostServices | None = None
    ) -> AsyncIterator[ConcurrentInstance]:
        """Make a fresh instance, which is closed at the end of the block.

        Args:
            limits: What it may use. `execution_time` is for the time that it runs
                between two moments at which it waits or a call ends; `fuel` is given
                anew at each call.
            services: What interfaces make their contexts from.

        Raises:
            GuestTrapped: Its start function trapped, or it needs more than `limits`.
        """
        limits = limits or Limits()
        error: BaseException | None = None
        async with trio.open_nursery() as nursery:
            instance = ConcurrentInstance(
                self._loader.runtime, self._code, self._table, limits, nursery
            )
            try:
                await instance.start(self._share(limits), services)
                yield instance
            except BaseException as raised:  # noqa: BLE001, ASYNC103  # raised below, not in a group
                error = raised
            finally:
                instance.close()
                nursery.cancel_scope.cancel()
        if error is not None:
            raise error

    def _share(self, limits: Limits) -> tuple[int, int, int, int]:
        found = self._footprint
        code = Code(self.label, 0, {}, found)
        return *shares_of(code, limits), len(found.memories), len(found.tables)
