"""A component with asynchronous parts, compiled: core modules, and what they call.

The first step is a shim in which all canonical functions of the component begin. Some of
them return at once, on the guest's stack. The others pause the guest, and are answered
between two polls. There are no adapters: the host moves all values by itself, and calls
`realloc` for each string or list. That is slower than the lane of ordinary components,
and allows what that does not: any number of calls, each on its own fiber, that wait for
each other in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast, final

import attrs

from airssys.wasm.lane.adapters import task_shim
from airssys.wasm.lane.components import (
    CanonicalFunction,
    CoreItem,
    LoweredFunction,
    Plan,
    ResourceFunction,
    ResourceVerb,
    TaskVerb,
)
from airssys.wasm.lane.core import (
    SHIM,
    CoreRefused,
    CoreValues,
    Guard,
    Imports,
    Source,
    Step,
    c_api,
    c_pointer,
    callback_address,
    define_host,
    giving_way,
    guarded,
)
from airssys.wasm.lane.modules import check_unshared, prepared
from airssys.wasm.values import Block, error_text

from ._signatures import CoreType, lowered_type, task_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import wasmtime

    from airssys.wasm.engine import Engine
    from airssys.wasm.lane.components import Canonical

_AT_ONCE: Final = frozenset(
    [
        TaskVerb.TASK_CANCEL,
        TaskVerb.CONTEXT_GET,
        TaskVerb.CONTEXT_SET,
        TaskVerb.SUBTASK_DROP,
        TaskVerb.STREAM_NEW,
        TaskVerb.FUTURE_NEW,
        TaskVerb.STREAM_DROP_READABLE,
        TaskVerb.STREAM_DROP_WRITABLE,
        TaskVerb.FUTURE_DROP_READABLE,
        TaskVerb.FUTURE_DROP_WRITABLE,
        TaskVerb.SET_NEW,
        TaskVerb.SET_POLL,
        TaskVerb.SET_DROP,
        TaskVerb.JOIN,
        TaskVerb.BACKPRESSURE_INC,
        TaskVerb.BACKPRESSURE_DEC,
    ]
)
"""What neither waits nor runs code of a guest."""


class Running(Protocol):
    """The side of an instance that callbacks see."""

    failure: BaseException | None

    def do(self, number: int, cores: tuple[Any, ...]) -> tuple[int | float, ...]:
        """Do what a canonical function does that returns at once."""
        ...

    def pause(self, number: int, cores: tuple[Any, ...]) -> None:
        """Note a call of one that may wait, and have the guest pause."""
        ...


@final
@attrs.frozen
class Built:
    """A canonical function, as the host has it."""

    core: CoreType
    returns_at_once: bool


def built(one: Canonical) -> Built:
    """Say how a canonical function is called."""
    match one:
        case LoweredFunction():
            return Built(lowered_type(one), returns_at_once=False)
        case ResourceFunction():
            is_drop = one.verb is ResourceVerb.DROP
            return Built((("i32",), () if is_drop else ("i32",)), not is_drop)
        case _:
            return Built(task_type(one), one.verb in _AT_ONCE)


@final
@attrs.frozen
class Steps:
    """The core modules of a component in order, and where core items are."""

    steps: tuple[Step, ...]
    owners: tuple[int, ...]
    """Of each step: the component instance."""
    places: tuple[int, ...]
    """By the number of an instantiation: that of its step."""

    def source(self, item: CoreItem) -> Source:
        """Find a core item."""
        if isinstance(item, CanonicalFunction):
            return Source(SHIM, name_of(item.number))
        return Source(self.places[item.instance], item.name)


def steps_of(plan: Plan) -> Steps:
    """Work out the steps of a plan.

    Raises:
        Unreadable: one of its modules is none, or has a shared memory.
    """
    made = [built(one) for one in plan.canonical]
    kinds = {name_of(number): one for number, one in enumerate(made)}
    shim = task_shim(
        {name: one.core for name, one in kinds.items() if not one.returns_at_once},
        {name: one.core for name, one in kinds.items() if one.returns_at_once},
    )
    found = Steps((Step(shim, (), None),), (0,), ())
    for one in plan.instantiations:
        imports = tuple(found.source(item) for item in one.imports)
        code = plan.modules[one.module]
        check_unshared(code)
        ready = prepared(code)
        found = Steps(
            (*found.steps, Step(ready.code, imports, ready.start)),
            (*found.owners, one.owner),
            (*found.places, len(found.steps)),
        )
    return found


def name_of(number: int) -> str:
    """The name under which the shim has a canonical function."""
    return f"c{number}"


@final
class TaskCode:
    """What all instances of one component share; the engine's ledger closes it."""

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        steps: Steps,
        modules: Sequence[wasmtime.Module],
    ) -> None:
        engine.check()
        self.engine, self.plan, self.steps = engine, plan, steps
        self._kept: list[Any] = [modules]
        self.modules = [c_pointer(module) for module in modules]
        self.looking_up = Imports(steps.steps)
        running = cast("Mapping[int, Any]", engine.polling)
        guard = Guard(running, engine.ledger.inside)
        epoch = c_api.EpochCallback(giving_way(guard))
        self._kept.append(epoch)
        self.epoch = callback_address(epoch)
        self.results: dict[int, tuple[str, ...]] = {}
        """Of canonical functions that pause: their core results."""
        self._linker = self.shim = 0
        engine.ledger.cores.add(self)
        self._link(guard)

    def _link(self, guard: Guard) -> None:
        self._linker = c_api.linker_new(self.engine.pointer)
        for number, one in enumerate(self.plan.canonical):
            found = built(one)
            results = found.core[1] if found.returns_at_once else ()
            if not found.returns_at_once:
                self.results[number] = found.core[1]
            values = CoreValues(found.core[0], results)
            act = _returning if found.returns_at_once else _pausing
            guarded_act = guarded(guard, act(number, values))
            name, parameters = name_of(number), found.core[0]
            self._kept.append(
                define_host(self._linker, name, parameters, results, guarded_act)
            )
        out = Block(8)
        error = c_api.linker_instantiate_pre(self._linker, self.modules[SHIM], out.base)
        if error:
            raise CoreRefused(error_text(error))
        self.shim = out.words[0]

    def close(self) -> None:
        """Delete all of it; its stores are deleted before."""
        self.engine.ledger.cores.discard(self)
        shim, self.shim = self.shim, 0
        if shim:
            c_api.instance_pre_delete(shim)
        linker, self._linker = self._linker, 0
        if linker:
            c_api.linker_delete(linker)
        self.modules.clear()
        self._kept.clear()


def _returning(number: int, values: CoreValues) -> Callable[[Any, int], None]:
    def act(instance: Running, at: int) -> None:
        values.write(at, instance.do(number, values.read(at)))

    return act


def _pausing(number: int, values: CoreValues) -> Callable[[Any, int], None]:
    def act(instance: Running, at: int) -> None:
        instance.pause(number, values.read(at))

    return act
