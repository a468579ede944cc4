"""A component compiled for this lane: its core modules, and the callbacks they end in."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Mapping
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, final

import attrs
import wasmtime

from airssys.wasm.lane.abi import Core, ExportSignature, ImportSignature
from airssys.wasm.lane.adapters import IMAGE, SCRATCH, SLOT, has_pointers
from airssys.wasm.lane.components import (
    Abi,
    ImportedFunction,
    LoweredFunction,
    ResourceFunction,
)
from airssys.wasm.lane.modules import check_unshared
from airssys.wasm.values import Block, Borrow, Own, Tuple, error_text, mentions

from . import _c_api as c
from ._failures import CoreFailed
from ._host import (
    Act,
    CoreHost,
    Guard,
    Imported,
    answering,
    giving_way,
    guarded,
    instant,
    pausing,
)
from ._linking import HOST, SHIM, Linking, Source, Step, name_of
from ._memory import (
    CoreValues,
    SharedScratch,
    address_of,
    callback_address,
)

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator, Sequence

    from airssys.wasm.engine import Engine
    from airssys.wasm.lane.components import Plan
    from airssys.wasm.values import Function

_TYPES = {
    "i32": wasmtime.ValType.i32,
    "i64": wasmtime.ValType.i64,
    "f32": wasmtime.ValType.f32,
    "f64": wasmtime.ValType.f64,
}


_MANY: Final = 16
"""Imports of a step that are worth it to be learned."""
_WORD: Final = 8
_STORE_ID: Final = 8
"""Bytes of a global variable that say which store it belongs to."""
_NUMBERS: Final = 12
"""Bytes of it that say which one it is there."""


class Running(Protocol):
    """The side of an instance that callbacks see."""

    failure: BaseException | None

    def fill(self, place: int, pointer: int, size: int) -> None:
        """Write a large value where the guest wants it."""
        ...

    def take(self, place: int) -> None:
        """Take the result of a call."""
        ...


@final
class Imports:
    """Looks up what the core modules of one component import from those before them.

    A Python guest imports 2,400 things, each by a call into C. To make the arguments of
    that call takes longer than the call. So they are made once, for memory that all
    instances use, one at a time: `lock` is held until the module was made of what has
    been found. What repeats among them exists once.

    Almost half of them are global variables. To wasmtime such a one is its store and a
    few numbers, which are the same for all instances of a component, as all are made in
    the same order. So what two instances had in common is not looked up for a third one:
    only the store is written.
    """

    def __init__(self, steps: Sequence[Step], scratch: Block | None = None) -> None:
        """Prepare to look up what these steps import.

        Args:
            steps: all of them.
            scratch: the scratch memory, as modules import it.
        """
        self.lock = threading.Lock()
        self._instances = Block(c.INSTANCE_SIZE * len(steps))
        self._externs = Block(c.EXTERN_SIZE * sum(len(s.imports) for s in steps) + 8)
        self._kept: dict[str, bytes] = {}
        self._arguments: dict[int, Any] = {}
        self._counted = 0
        self._scratch = scratch
        self._wanted = [self._prepare(step.imports) for step in steps]
        self._arguments.clear()
        self._learning: dict[int, dict[int, bytes] | None] = {
            number: None
            for number, step in enumerate(steps)
            if c.GLOBALS_ARE_NUMBERS
            and len(step.imports) >= _MANY
            and all(source.step != HOST for source in step.imports)
        }
        """Steps with global variables, and what these were in the first instance."""
        self._learned: dict[int, memoryview] = {}
        """By steps whose global variables are known: the words for their stores."""

    def _prepare(self, imports: Sequence[Source]) -> tuple[int, int, list[list[Any]]]:
        """Say where the imports of a step will be, how many, and how to find them."""
        first, base = self._counted * c.EXTERN_SIZE, self._instances.base
        self._counted += len(imports)
        places = range(first, first + len(imports) * c.EXTERN_SIZE, c.EXTERN_SIZE)
        wanted = []
        for place, source in zip(places, imports, strict=True):
            if source.step == HOST:
                self._give(place)
            else:
                wanted.append((place, source))
        names = [self._kept.setdefault(s.name, s.name.encode()) for _, s in wanted]
        arguments = [
            [self._argument(base + s.step * c.INSTANCE_SIZE) for _, s in wanted],
            [self._argument(address_of(name)) for name in names],
            [self._argument(len(name)) for name in names],
            [c.prepared(self._externs.base + place) for place, _ in wanted],
        ]
        return self._externs.base + first, len(imports), arguments

    def _give(self, place: int) -> None:
        """Give a step the scratch memory, which is the same for all instances."""
        if self._scratch is None:
            raise CoreRefused("it imports a scratch memory that it does not have")
        self._externs.data[place : place + c.EXTERN_SIZE] = self._scratch.data

    def _argument(self, number: int) -> Any:
        found = self._arguments.get(number)
        if found is None:
            found = self._arguments[number] = c.prepared(number)
        return found

    def look_up(
        self, context: int, instances: bytes | bytearray | mmap.mmap, number: int
    ) -> tuple[int, int]:
        """Look up the imports of one step; hold the lock until they are used.

        Args:
            context: of the store.
            instances: the core instances of that store.
            number: of the step.

        Returns:
            Where they are, and how many.

        Raises:
            CoreFailed: one is not exported.
        """
        first, count, arguments = self._wanted[number]
        if not count:
            return first, 0
        self._instances.data[:] = instances
        stores = self._learned.get(number)
        if stores is not None:
            store = int.from_bytes(instances[:8], "little")
            stores[:] = memoryview(array("Q", [store]) * count)
        found = map(
            c.instance_export_get_prepared, repeat(c.prepared(context)), *arguments
        )
        if not all(found):
            raise CoreFailed(None, "a core instance lacks what another one imports")
        if number in self._learning:
            self._learn(number)
        return first, count

    def _learn(self, number: int) -> None:
        """Note what global variables are, or find that they are what they were before."""
        first, count, arguments = self._wanted[number]
        begin = first - self._externs.base
        found, data = {}, self._externs.data
        for place in range(count):
            at = begin + place * c.EXTERN_SIZE
            if data[at] == c.GLOBAL:
                at += c.EXTERN_OF + _STORE_ID
                found[place] = bytes(data[at : at + _NUMBERS])
        before = self._learning[number]
        if before is None:
            self._learning[number] = found
            return
        del self._learning[number]
        if found == before:
            others = [place for place in range(count) if place not in found]
            less = [[row[place] for place in others] for row in arguments]
            self._wanted[number] = first, count, less
            step = c.EXTERN_SIZE // _WORD
            end = (begin + count * c.EXTERN_SIZE) // _WORD
            of_store = (begin + c.EXTERN_OF) // _WORD
            self._learned[number] = self._externs.words[of_store:end:step]


class CoreRefused(Exception):  # not for users: the loader says which component
    """wasmtime refused a core module; says why."""


@final
@attrs.frozen(eq=False)
class Exported:
    """A function that the component exports, with all that calling it takes."""

    full: str
    signature: ExportSignature
    source: Source
    """Of the core function, or of its adapter."""
    abi: Abi
    instance: int
    is_direct: bool
    has_handles: bool
    """Whether resources are among its values."""
    values: CoreValues
    """Of the core function, or of its adapter."""


def compile_modules(
    engine: wasmtime.Engine,
    steps: Sequence[Step],
    compile_one: Callable[[wasmtime.Engine, bytes], wasmtime.Module] = wasmtime.Module,
) -> tuple[wasmtime.Module, ...]:
    """Compile the module of each step with `compile_one`; each code once.

    What is counted before has refused shared memories. Modules are checked again here,
    because nothing else would stop one: its memory would not count for any limit.

    Raises:
        CoreRefused: wasmtime refuses one.
        NotOffered: one of the component's has a shared memory.
    """
    made: dict[bytes, wasmtime.Module] = {}
    for number, step in enumerate(steps):
        if step.code not in made:
            if number != SHIM and not step.is_adapter:
                check_unshared(step.code)
            try:
                made[step.code] = compile_one(engine, step.code)
            except wasmtime.WasmtimeError as error:
                raise CoreRefused(str(error)) from error
    return tuple(made[step.code] for step in steps)


@final
@attrs.frozen(eq=False)
class Slots:
    """What lies where in the memory that C writes to for one instance.

    First come the arguments of a call.
    """

    size: int
    result: int
    """Where the result of its call is."""
    trap: int
    """Which word is the trap that ended the call; the next one is the error."""
    instances: int
    """Where the core instances are."""
    instances_size: int
    externs: Mapping[Source, tuple[int, int]]
    """Where that is which core instances export, and a bit for each."""

    @classmethod
    def of(
        cls, linking: Linking, most_arguments: int, sources: Sequence[Source]
    ) -> Slots:
        """Work it out for instances that have these steps, and need these externs."""
        result = most_arguments * c.VAL_SIZE
        trap = (result + c.VAL_SIZE + 7) // 8
        instances = (trap + 2) * 8
        size = len(linking.steps) * c.INSTANCE_SIZE
        first = (instances + size + 7) & ~7
        unique = dict.fromkeys(sources)
        externs = {
            source: (first + number * c.EXTERN_SIZE, 1 << number)
            for number, source in enumerate(unique)
        }
        end = first + len(unique) * c.EXTERN_SIZE
        return cls(end, result, trap, instances, size, externs)


@final
class CoreCode:
    """What all instances of one component share; the engine's ledger closes it."""

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        linking: Linking,
        modules: Sequence[wasmtime.Module],
        host: CoreHost,
    ) -> None:
        engine.check()
        self.engine, self.plan, self.linking = engine, plan, linking
        self.host = host
        self._kept: list[Any] = []
        self.imports = {
            number: self._import(number, one)
            for number, one in enumerate(plan.canonical)
            if isinstance(one, LoweredFunction)
        }
        """The functions of the host that it calls, by canonical function."""
        self.answering = {n: answering(n, one) for n, one in self.imports.items()}
        self.host_resources = [
            name for name, each in plan.resources.items() if each.instance is None
        ]
        """The resources of the host that it may hold, by name."""
        self.shown_names = {own: full for full, own in plan.exported_resources.items()}
        """By the name of a resource in the plan: a name it is exported under."""
        self.exports = {full: self._export(full) for full in linking.entrances}
        self.callback_values = [CoreValues(*one.core) for one in linking.callbacks]
        most = max(
            (len(each.values.parameters) for each in self.exports.values()), default=0
        )
        self.slots = Slots.of(linking, max(1, most), self._sources())
        self._named: dict[str, tuple[bytes, int]] = {}
        self._kept.append(modules)
        self.modules = [c_pointer(module) for module in modules]
        self.scratch = SharedScratch.of(engine)
        self.scratch_bytes = IMAGE + max(
            (each.signature.image_bytes for each in self._adapted()), default=0
        )
        """Of the scratch memory, for one instance."""
        self._scratch_extern = self.scratch.extern()
        self.looking_up = Imports(linking.steps, self._scratch_extern)
        self._linker = self.shim = 0
        # While this lane polls a store, its instance is what stands in `polling`.
        running = cast("Mapping[int, Running]", engine.polling)
        self._guard = Guard(running, engine.ledger.inside)
        self.epoch = self._keep_epoch()
        self.state_parts: object = None
        """Where the state of its instances is, once a snapshot was taken of one."""
        engine.ledger.cores.add(self)
        self._link()

    def _sources(self) -> list[Source]:
        """Find what instances look up of their core instances."""
        linking = self.linking
        starts = [
            Source(number, step.start)
            for number, step in enumerate(linking.steps)
            if step.start is not None
        ]
        entered = [each.source for each in self.exports.values()]
        memories, drops = linking.memories.values(), linking.destructors.values()
        return [Source(SHIM, SLOT), *entered, *memories, *drops, *starts]

    def _adapted(self) -> Iterator[Exported | Imported]:
        """Find the functions whose values are laid out in the scratch memory."""
        yield from self.exports.values()
        yield from self.imports.values()

    def named(self, name: str) -> tuple[int, int]:
        """Find a name as C wants it: where it is, and how long."""
        found = self._named.get(name)
        if found is None:
            encoded = name.encode()
            found = self._named[name] = encoded, address_of(encoded)
        return found[1], len(found[0])

    def _import(self, number: int, one: LoweredFunction) -> Imported:
        function = one.function
        if not isinstance(function, ImportedFunction):
            raise CoreRefused("components inside it call each other")
        signature = ImportSignature(function.type)
        has_pointing = any(has_pointers(wit) for _, wit in function.type.params)
        in_memory = signature.is_given_place or signature.parameters_in_memory
        return Imported(
            function.name,
            signature,
            one.abi,
            one.instance,
            _has_handles(function.type),
            in_memory or has_pointing,
        )

    def _export(self, full: str) -> Exported:
        entrance = self.linking.entrances[full]
        lifted = entrance.lifted
        signature = ExportSignature(lifted.type)
        parameters = signature.core_parameters if entrance.is_direct else ()
        results = signature.core_results
        if signature.result_in_memory and not entrance.is_direct:
            results = ()
        return Exported(
            full,
            signature,
            entrance.source,
            lifted.abi,
            lifted.instance,
            entrance.is_direct,
            _has_handles(lifted.type),
            CoreValues(parameters, results),
        )

    def _keep_epoch(self) -> int:
        epoch = c.EpochCallback(giving_way(self._guard))
        self._kept.append(epoch)
        return callback_address(epoch)

    def _link(self) -> None:
        out, guard = Block(8), self._guard
        self._linker = c.linker_new(self.engine.pointer)
        self._define_scratch()
        define, keep = partial(define_host, self._linker), self._kept.append
        for callback in self.linking.callbacks:
            act = guarded(guard, self._act(callback.number))
            keep(define(name_of(callback.number), *callback.core, act))
        keep(define("fill", ("i32", "i32", "i32"), (), _fill(guard)))
        keep(define("take", ("i32",), (), _take(guard)))
        error = c.linker_instantiate_pre(self._linker, self.modules[SHIM], out.base)
        if error:
            raise CoreRefused(error_text(error))
        self.shim = out.words[0]

    def _define_scratch(self) -> None:
        """Let the shim import the scratch memory, which belongs to no store."""
        store = c.store_new(self.engine.pointer, None, None)
        name = SCRATCH.encode()
        error = c.linker_define(
            self._linker,
            c.store_context(store),
            b"host",
            4,
            name,
            len(name),
            self._scratch_extern.base,
        )
        c.store_delete(store)
        if error:
            raise CoreRefused(error_text(error))

    def _act(self, number: int) -> Act:
        """Make what a canonical function does."""
        one, values = self.plan.canonical[number], self.callback_values[number]
        if isinstance(one, ResourceFunction):
            return _on_handle(one, values)
        imported = self.imports[number]
        act = self.host.instant.get(imported.name)
        if act is None:
            return pausing(number, imported, values)
        return instant(number, imported, values, act)

    def close(self) -> None:
        """Delete all of it; its stores are deleted before."""
        self.engine.ledger.cores.discard(self)
        shim, self.shim = self.shim, 0
        if shim:
            c.instance_pre_delete(shim)
        linker, self._linker = self._linker, 0
        if linker:
            c.linker_delete(linker)
        self.modules.clear()
        self._kept.clear()


def _has_handles(function: Function) -> bool:
    wits = [wit for _, wit in function.params]
    if function.result is not None:
        wits.append(function.result)
    return mentions(Tuple(tuple(wits)), (Own, Borrow))


def define_host(
    linker: int,
    name: str,
    parameters: Sequence[Core],
    results: Sequence[Core],
    act: Callable[..., int],
) -> object:
    """Let modules import a function of the host; returns what must outlive the linker.

    Raises:
        CoreRefused: wasmtime refuses it.
    """
    callback = c.UncheckedCallback(act)
    kinds = [[_TYPES[core]() for core in side] for side in (parameters, results)]
    kind = wasmtime.FuncType(*kinds)
    encoded = name.encode()
    error = c.linker_define_func_unchecked(
        linker,
        b"host",
        4,
        encoded,
        len(encoded),
        c_pointer(kind),
        callback_address(callback),
        None,
        None,
    )
    if error:
        raise CoreRefused(error_text(error))
    return callback


def c_pointer(thing: Any) -> int:
    """The address in C of an object of wasmtime-py."""
    return callback_address(thing.ptr())


def _on_handle(one: ResourceFunction, values: CoreValues) -> Act:
    def act(instance: Any, at: int) -> None:
        values.write(at, instance.work_on_handle(one, values.read(at)[0]))

    return act


_fill_values = CoreValues(("i32", "i32", "i32"), ())
_take_values = CoreValues(("i32",), ())


def _fill(guard: Guard) -> Callable[..., int]:
    read = _fill_values.read

    def act(instance: Any, at: int) -> None:
        instance.fill(*read(at))

    return guarded(guard, act)


def _take(guard: Guard) -> Callable[..., int]:
    read = _take_values.read

    def act(instance: Any, at: int) -> None:
        instance.take(read(at)[0])

    return guarded(guard, act)
