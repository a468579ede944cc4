"""How a plan becomes steps: core modules to instantiate, and adapters between them.

First comes the *shim*, which all canonical functions of the component begin in. Then the
core modules of the component follow in their order. A canonical function that needs an
adapter (see `airssys.wasm.lane.adapters`) gets it right before the first module that imports
it: by then its memory and its `realloc` exist, or the component would not be valid. At
the end come the adapters of what the component exports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from airssys.wasm.lane.abi import Core, ImportSignature
from airssys.wasm.lane.adapters import (
    DROP,
    AdapterModule,
    ExportNeeds,
    drop_module,
    shim_module,
)
from airssys.wasm.lane.components import (
    Abi,
    Canonical,
    CanonicalFunction,
    CoreItem,
    ImportedFunction,
    LiftedFunction,
    LoweredFunction,
    Plan,
    ResourceFunction,
    ResourceVerb,
    TaskFunction,
    Unsupported,
)
from airssys.wasm.lane.modules import NOTHING, Exposed, prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.wasm.values import Function

HOST: Final = -1
"""Instead of the number of a step: what the host has for all instances."""
SHIM: Final = 0
"""The number of the shim's step."""
_FILL: Final = (("i32", "i32", "i32"), ())
_TAKE: Final = (("i32",), ())


@final
@attrs.frozen
class Source:
    """Where something is that a module imports: the number of a step, and a name."""

    step: int
    name: str


@final
@attrs.frozen
class Step:
    """One core module to instantiate."""

    code: bytes = attrs.field(repr=False)
    imports: tuple[Source, ...]
    start: str | None
    """What to call then, before the next step; it was the module's start function."""
    exposed: Exposed | None = NOTHING
    """Its state; None: some of it is of a kind that cannot be saved."""

    @property
    def is_adapter(self) -> bool:
        """Whether the host gives it the scratch memory, as to no module of a guest."""
        return any(source.step == HOST for source in self.imports)


_CoreType: TypeAlias = tuple[tuple[Core, ...], tuple[Core, ...]]


@final
@attrs.frozen
class Callback:
    """A canonical function, as the host has it."""

    number: int
    core: _CoreType
    """Its own core type; one of the host returns nothing, but answers in the scratch
    memory."""
    is_adapted: bool
    """Whether an adapter stands before it: to move its result to the guest, or to run
    the destructor of what it drops."""


@final
@attrs.frozen
class Entrance:
    """How a function that the component exports is called."""

    lifted: LiftedFunction
    source: Source
    """Of the core function itself, or of its adapter."""
    is_direct: bool


@final
@attrs.frozen
class Linking:
    """All steps of instantiating a component, and what it is called through."""

    steps: tuple[Step, ...]
    callbacks: tuple[Callback, ...]
    """In the order of `Plan.canonical`."""
    entrances: Mapping[str, Entrance]
    memories: Mapping[CoreItem, Source]
    """Those that values are read from and written to."""
    destructors: Mapping[str, Source]
    """Of the resources that the component defines, by name, where they have one."""


def link(plan: Plan) -> Linking:
    """Work out the steps of a plan.

    Raises:
        Unsupported: It needs something that this lane does not do.
    """
    return _Linker(plan).link()


@final
@attrs.frozen
class _Group:
    """What one adapter module is for."""

    memory: CoreItem | None
    realloc: CoreItem | None
    abi: Abi = attrs.field(eq=False)

    @classmethod
    def of(cls, abi: Abi) -> _Group:
        return cls(abi.memory, abi.realloc, abi)

    def key(self) -> tuple[object, ...]:
        return self.memory, self.realloc, self.abi.encoding

    def module(self) -> AdapterModule:
        return AdapterModule(
            self.abi.encoding,
            has_realloc=self.realloc is not None,
            has_memory=self.memory is not None,
        )


@final
class _Linker:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._callbacks = [
            _callback(number, one) for number, one in enumerate(plan.canonical)
        ]
        self._steps: list[Step] = []
        self._instances: list[int] = []
        """By the number of an instantiation: that of its step."""
        self._adapters: dict[int, Source] = {}
        """By the number of a canonical function: its adapter."""

    def link(self) -> Linking:
        self._steps.append(self._shim())
        for one in self._plan.instantiations:
            self._adapt(one.imports)
            imports = tuple(self._source(item) for item in one.imports)
            ready = prepared(self._plan.modules[one.module])
            self._instances.append(len(self._steps))
            self._steps.append(Step(ready.code, imports, ready.start, ready.exposed))
        entrances = self._enter()
        memories = {
            item: self._source(item)
            for item in self._memory_items()
            if item is not None
        }
        destructors = self._destructors()
        return Linking(
            tuple(self._steps),
            tuple(self._callbacks),
            entrances,
            memories,
            destructors,
        )

    def _destructors(self) -> dict[str, Source]:
        found = {}
        for name, resource in self._plan.resources.items():
            if resource.destructor is not None:
                self._adapt([resource.destructor])
                found[name] = self._source(resource.destructor)
        return found

    def _shim(self) -> Step:
        pausing: dict[str, Function] = {}
        kinds: dict[str, _CoreType] = {"fill": _FILL, "take": _TAKE}
        for callback, one in zip(self._callbacks, self._plan.canonical, strict=True):
            name = name_of(callback.number)
            kinds[name] = callback.core
            if not callback.is_adapted and isinstance(one, LoweredFunction):
                pausing[name] = one.function.type
        return Step(shim_module(pausing, kinds), (), None)

    def _source(self, item: CoreItem) -> Source:
        if isinstance(item, CanonicalFunction):
            made = self._adapters.get(item.number)
            return made or Source(SHIM, name_of(item.number))
        return Source(self._instances[item.instance], item.name)

    def _adapt(self, imports: Sequence[CoreItem]) -> None:
        """Make the adapters that these imports need and that are not made yet."""
        groups: dict[tuple[object, ...], tuple[_Group, list[int]]] = {}
        for item in filter(self._lacks_adapter, imports):
            assert isinstance(item, CanonicalFunction)  # noqa: S101  # what lacks one is
            one = self._plan.canonical[item.number]
            if isinstance(one, ResourceFunction):
                self._adapt_drop(item.number, one.resource.destructor)
            elif isinstance(one, LoweredFunction):
                group = _Group.of(one.abi)
                members = groups.setdefault(group.key(), (group, []))[1]
                if item.number not in members:
                    members.append(item.number)
        for group, numbers in groups.values():
            module = group.module()
            for number in numbers:
                canonical = self._plan.canonical[number]
                if isinstance(canonical, LoweredFunction):
                    module.add_import(name_of(number), canonical.function.type)
            step = self._add(module, group, {})
            made = {number: Source(step, name_of(number)) for number in numbers}
            self._adapters |= made

    def _lacks_adapter(self, item: CoreItem) -> bool:
        return (
            isinstance(item, CanonicalFunction)
            and self._callbacks[item.number].is_adapted
            and item.number not in self._adapters
        )

    def _adapt_drop(self, number: int, destructor: CoreItem | None) -> None:
        assert destructor is not None  # noqa: S101  # else there is nothing to adapt
        self._adapt([destructor])
        sources = Source(SHIM, name_of(number)), self._source(destructor)
        self._adapters[number] = Source(len(self._steps), DROP)
        self._steps.append(Step(drop_module(), sources, None))

    def _enter(self) -> dict[str, Entrance]:
        """Make the adapters of what the component exports."""
        found: dict[str, Entrance] = {}
        groups: dict[tuple[object, ...], tuple[_Group, dict[str, LiftedFunction]]] = {}
        for full, one in self._plan.exports.items():
            if not isinstance(one, LiftedFunction):
                raise Unsupported("an import that is exported again")
            needs = ExportNeeds(one.type, one.abi.post_return is not None)
            if needs.is_direct:
                found[full] = Entrance(one, self._source(one.core), is_direct=True)
            else:
                group = _Group.of(one.abi)
                groups.setdefault(group.key(), (group, {}))[1][full] = one
        for group, members in groups.values():
            module = group.module()
            for full, one in members.items():
                needs = ExportNeeds(one.type, one.abi.post_return is not None)
                module.add_export(full, needs)
            step = self._add(module, group, members)
            for full, one in members.items():
                found[full] = Entrance(one, Source(step, full), is_direct=False)
        return {full: found[full] for full in self._plan.exports}

    def _add(
        self,
        module: AdapterModule,
        group: _Group,
        exports: Mapping[str, LiftedFunction],
    ) -> int:
        imports = [
            self._wanted(where, name, group, exports) for where, name in module.wanted()
        ]
        self._steps.append(Step(module.binary(), tuple(imports), None))
        return len(self._steps) - 1

    def _wanted(
        self,
        where: str,
        name: str,
        group: _Group,
        exports: Mapping[str, LiftedFunction],
    ) -> Source:
        match where, name:
            case "guest", "memory":
                item = group.memory
            case "guest", _:
                item = group.realloc
            case "core", _:
                item = exports[name].core
            case "post", _:
                item = exports[name].abi.post_return
            case "host", _:
                return Source(HOST, name)
            case _:
                return Source(SHIM, name)
        assert item is not None  # noqa: S101  # the module was made for what is there
        return self._source(item)

    def _memory_items(self) -> set[CoreItem | None]:
        found: set[CoreItem | None] = set()
        for lowered in self._plan.canonical:
            if isinstance(lowered, LoweredFunction):
                found.add(lowered.abi.memory)
        for lifted in self._plan.exports.values():
            if isinstance(lifted, LiftedFunction):
                found.add(lifted.abi.memory)
        return found


def name_of(number: int) -> str:
    """The name under which the shim exports a canonical function."""
    return f"c{number}"


def _callback(number: int, one: Canonical) -> Callback:
    if isinstance(one, TaskFunction):
        raise Unsupported("what only the lane of asynchronous components runs")
    if isinstance(one, ResourceFunction):
        results: tuple[Core, ...] = () if one.verb is ResourceVerb.DROP else ("i32",)
        is_adapted = not results and one.resource.destructor is not None
        if is_adapted:
            results = ("i32", "i32")
        kind: _CoreType = ("i32",), results
        return Callback(number, kind, is_adapted=is_adapted)
    if not isinstance(one.function, ImportedFunction):
        raise Unsupported("components inside it that call each other")
    signature = ImportSignature(one.function.type)
    core = signature.core_parameters, ()
    return Callback(number, core, is_adapted=signature.is_given_place)
