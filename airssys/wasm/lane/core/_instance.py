"""One instance of a component on this lane: a store, its core instances, one call.

The theory. Guest code runs on fibers only: exported functions, start functions, and
whatever these make a guest do (`realloc`, `post-return`). wasmtime gives way at the end
of an epoch, on the fiber, when no frame of Python is on it: the callbacks below are all
that Python does there, they call nothing of the guest, and they return.

A host call has one of two forms. An *instant* function is run in the callback, on the
guest's stack: it must be short and trusted. All others are noted by the callback, which
has the guest pause; between two polls somebody calls `answer`, and the next poll goes on.

Core WebAssembly can be entered again after a call was dropped in the middle, or trapped.
That an instance is spent then is known here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import EngineMisused
from airssys.wasm.lane.abi import (
    ComponentState,
    Context,
    Entry,
    Rule,
    RuleBroken,
    drop,
)
from airssys.wasm.lane.adapters import (
    ANSWERED,
    BROKEN,
    BROKEN_ALIGNMENT,
    BROKEN_BOUNDS,
    IMAGE,
    MAY_LEAVE,
    SCRATCH,
    Image,
)
from airssys.wasm.lane.components import (
    Abi,
    Encoding,
    HostFunction,
    LoweredFunction,
    ResourceFunction,
    ResourceVerb,
)
from airssys.wasm.values import Block

from . import _c_api as c
from ._failures import CoreFailed, failed
from ._linking import SHIM, Source
from ._memory import CoreValues, LinearMemory, address_of, write_core
from ._resources import CallHandles, HostThings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airssys.wasm.lane.components import CoreItem

    from ._code import CoreCode
    from ._linking import Entrance

_NOTHING: Final = CoreValues((), ())
_REALLOC: Final = {
    BROKEN_ALIGNMENT: Rule.REALLOC_ALIGNED,
    BROKEN_BOUNDS: Rule.REALLOC_IN_BOUNDS,
}


@final
@attrs.frozen
class HostFunctions:
    """What the host gives to a component: functions by full name."""

    instant: Mapping[str, Callable[..., Any]]
    """Run on the guest's stack; take the context of the instance, then the values."""
    pausing: frozenset[str]
    """Answered between two polls."""


@final
@attrs.frozen
class Asked:
    """What a guest waits for."""

    number: int
    name: str
    values: tuple[Any, ...]
    handles: CallHandles


@final
class GuestMemory(Context):
    """Values in a memory of the guest, which cannot be asked for more of it here."""

    __slots__ = ("memory",)

    def __init__(
        self, encoding: Encoding, handles: CallHandles, memory: LinearMemory | None
    ) -> None:
        super().__init__(encoding, handles)
        self.memory = memory

    def begin(self, handles: CallHandles, keep: int) -> None:
        """Get ready for the values of one call."""
        self.handles, self.left = handles, keep
        if self.memory is not None:
            self.view = self.memory.refresh()

    def allocate(self, alignment: int, size: int) -> int:
        """Refuse: what needs memory goes through an adapter."""
        raise EngineMisused(f"no {size} bytes aligned to {alignment} can be had here")


@final
class CoreInstance:
    """A store with one component in it. Close it before its code."""

    def __init__(self, code: CoreCode, host: HostFunctions, context: object) -> None:
        self.code, self.host = code, host
        self.context = context
        """What host functions are given first."""
        self.keep = 2**40
        """How many bytes one call, or host call, may make the host keep."""
        plan, linking = code.plan, code.linking
        self._store = c.store_new(code.pointer, None, None)
        self._context = c.store_context(self._store)
        code.running[self._context] = self
        c.context_set_fuel(self._context, 2**63 - 1)
        c.context_set_epoch_deadline(self._context, 1)
        c.store_epoch_deadline_callback(self._store, code.epoch, None, None)
        self.states: list[ComponentState] = []
        for parent in plan.parents:
            around = None if parent is None else self.states[parent]
            self.states.append(ComponentState(around))
        self.things = HostThings()
        self.dropped: list[int] = []
        """Numbers of the host's things that the guest has let go."""
        self.failure: BaseException | None = None
        self.asked: Asked | None = None
        self._instances = Block(c.INSTANCE_SIZE * len(linking.steps))
        self._externs: dict[Source, bytes] = {}
        self._kept_externs: list[Block] = []
        self._functions: dict[str, tuple[Block, int]] = {}
        self._memories: dict[CoreItem, LinearMemory] = {}
        self._contexts: dict[tuple[CoreItem | None, Encoding], GuestMemory] = {}
        self._images: dict[Encoding, Image] = {}
        self._slots = Block(16 * c.VAL_SIZE + c.VAL_SIZE + 16)
        self._result_at = 16 * c.VAL_SIZE
        self._failed_at = self._result_at + c.VAL_SIZE
        self._future = 0
        self._taken: Any = None
        self._called: str | None = None
        self._handles: CallHandles | None = None
        self.is_spent = False

    # ---------------------------------------------------- making it

    def start(self) -> Iterator[Callable[[], bool]]:
        """Make the core instances; yields what to poll until it is True, in order."""
        self._instantiate_shim()
        for number, step in enumerate(self.code.linking.steps):
            if number != SHIM:
                self._instantiate(number, step.imports)
            if step.start is not None:
                self._begin(Source(number, step.start), _NOTHING, ())
                yield self.poll

    def _instantiate_shim(self) -> None:
        out = Block(8)
        place = self._instances.base
        error = c.instance_pre_instantiate(
            self.code.shim, self._context, place, out.base
        )
        self._check(error, out.words[0])
        self.scratch = self._open_memory(Source(SHIM, SCRATCH))
        self.scratch.refresh()[MAY_LEAVE] = 1

    def _instantiate(self, number: int, imports: Sequence[Source]) -> None:
        given = b"".join(map(self._extern, imports))
        externs, out = Block(len(given) + 8), Block(8)
        externs.data[: len(given)] = given
        error = c.instance_new(
            self._context,
            self.code.modules[number],
            externs.base,
            len(imports),
            self._instances.base + number * c.INSTANCE_SIZE,
            out.base,
        )
        self._check(error, out.words[0])

    def _extern(self, source: Source) -> bytes:
        found = self._externs.get(source)
        if found is None:
            found = self._externs[source] = bytes(self._keep(source).data)
        return found

    def _keep(self, source: Source) -> Block:
        """Look up what a core instance exports, in memory that stays where it is."""
        extern, name = Block(c.EXTERN_SIZE), source.name.encode()
        place = self._instances.base + source.step * c.INSTANCE_SIZE
        if not c.instance_export_get(
            self._context, place, address_of(name), len(name), extern.base
        ):
            raise CoreFailed(None, f"a core instance does not export {source.name!r}")
        return extern

    # ---------------------------------------------------- calls

    def call(self, full: str, values: Sequence[Any]) -> None:
        """Begin to call an export; poll it, then take its `result`.

        Raises:
            ValueUnfit: a value does not fit; nothing was called.
        """
        entrance = self.code.linking.entrances[full]
        handles = self._handles_for(entrance.lifted.instance)
        try:
            self._begin_export(full, entrance, values, handles)
        except BaseException:
            handles.undo()
            raise

    def _begin_export(
        self,
        full: str,
        entrance: Entrance,
        values: Sequence[Any],
        handles: CallHandles,
    ) -> None:
        code = self.code
        signature = code.exports[full]
        abi = entrance.lifted.abi
        self._taken, self._called, self._handles = None, full, handles
        if entrance.is_direct:
            cx = self._memory_of(abi, handles)
            cores = signature.lower_parameters(cx, values)
            self._begin(entrance.source, code.values[full], cores)
        else:
            image = self._image_of(abi, handles)
            signature.lay_out_parameters(image, values)
            results = () if signature.result_in_memory else signature.core_results
            self._begin(entrance.source, CoreValues((), results), ())

    def _begin(
        self, source: Source, values: CoreValues, arguments: Sequence[int | float]
    ) -> None:
        if self.is_spent or self._future:
            raise EngineMisused("this instance is spent, or in the middle of a call")
        block, at = self._function(source)
        values.lay_out(self._slots, 0, arguments)
        self._values = values
        c.context_set_epoch_deadline(self._context, 1)
        base = self._slots.base
        self._future = c.func_call_async(
            self._context,
            block.base + at,
            base,
            len(values.parameters),
            base + self._result_at,
            len(values.results),
            base + self._failed_at,
            base + self._failed_at + 8,
        )

    def _function(self, source: Source) -> tuple[Block, int]:
        key = f"{source.step}/{source.name}"
        if key not in self._functions:
            self._functions[key] = self._keep(source), c.EXTERN_OF
        return self._functions[key]

    def poll(self) -> bool:
        """Run the guest until it finishes, waits, or has used up its epochs.

        Raises:
            CoreFailed: it was stopped.
            EngineMisused: it waits for an answer, or is not in a call.
        """
        if self.asked is not None or not self._future:
            raise EngineMisused("the guest waits for an answer, or is in no call")
        finished: bool = c.future_poll(self._future)
        if finished:
            future, self._future = self._future, 0
            c.future_delete_short(future)
            words, at = self._slots.words, self._failed_at // 8
            trap, error = words[at], words[at + 1]
            if trap or error:
                words[at] = words[at + 1] = 0
                self._check(error, trap)
        return finished

    def result(self) -> Any:
        """Read the result of a call that has finished.

        Raises:
            RuleBroken: it is not valid, or the guest kept what it had borrowed.
        """
        full, handles = self._called, self._handles
        if full is None or handles is None or self._future:
            raise EngineMisused("no call has finished")
        self._called = None
        signature = self.code.exports[full]
        try:
            if not signature.result_in_memory:
                abi = self.code.linking.entrances[full].lifted.abi
                cx = self._memory_of(abi, handles)
                cores = self._values.result(self._slots, self._result_at)
                self._taken = signature.lift_result(cx, cores)
            handles.end()
        except BaseException:
            self.is_spent = True
            raise
        taken, self._taken = self._taken, None
        return taken

    def _check(self, error: int, trap: int) -> None:
        """Raise what ended the guest, if something did."""
        if not (error or trap):
            return
        self.is_spent = True
        failure, self.failure = self.failure, None
        found = failed(error, trap)
        if failure is not None:
            raise failure
        rule = _REALLOC.get(self.scratch.refresh()[BROKEN])
        if rule is not None:
            raise RuleBroken(rule, found)
        raise found

    # ---------------------------------------------------- what callbacks do

    def run_canonical(self, number: int, at: int) -> None:
        """Do what a core module calls; on the guest's stack."""
        one = self.code.plan.canonical[number]
        values = self.code.callback_values[number]
        cores = values.read(at)
        state = self.states[one.instance]
        results: tuple[int | float, ...]
        if isinstance(one, ResourceFunction):
            results = self._work_on_handle(one, state, cores[0])
        else:
            self._check_may_leave()
            results = self._call_host(number, one, cores)
        values.write(at, results)

    def _work_on_handle(
        self, one: ResourceFunction, state: ComponentState, core: int
    ) -> tuple[int, ...]:
        name = one.resource.name
        if one.verb is ResourceVerb.REP:
            return (state.find(core, name).representation,)
        self._check_may_leave()
        if one.verb is ResourceVerb.NEW:
            return (state.add(Entry(name, core, None)),)
        representation = drop(state, core, name)
        if representation is not None and one.resource.instance is None:
            self.dropped.append(representation)
        return ()

    def _check_may_leave(self) -> None:
        if not self.scratch.view[MAY_LEAVE]:
            raise RuleBroken(Rule.MAY_LEAVE, "in realloc or post-return")

    def _call_host(
        self, number: int, one: LoweredFunction, cores: tuple[Any, ...]
    ) -> tuple[int | float, ...]:
        function = one.function
        assert isinstance(function, HostFunction)  # noqa: S101  # others are not linked
        signature = self.code.imports[number]
        handles = self._handles_for(one.instance)
        cx = self._memory_of(one.abi, handles)
        given = signature.lift_parameters(cx, cores)
        if function.name in self.host.pausing:
            self.asked = Asked(number, function.name, given, handles)
            self.scratch.refresh()[ANSWERED] = 0
            c.context_set_epoch_deadline(self._context, 0)
            return (1,)
        value = self.host.instant[function.name](self.context, *given)
        if self.code.linking.callbacks[number].is_adapted:
            self._lay_out_answer(number, value, handles)
            results: tuple[int | float, ...] = (0,)
        else:
            cx.begin(handles, self.keep)
            results = signature.lower_result(cx, value, cores)
        handles.end()
        return results

    def answer(self, value: Any) -> None:
        """Answer what the guest has `asked`; the next poll goes on.

        Raises:
            ValueUnfit: the value does not fit.
            RuleBroken: the guest still has what was lent for the call.
        """
        asked, self.asked = self.asked, None
        if asked is None:
            raise EngineMisused("there is no host call to answer")
        self._lay_out_answer(asked.number, value, asked.handles)
        asked.handles.end()
        self.scratch.refresh()[ANSWERED] = 1
        c.context_set_epoch_deadline(self._context, 1)

    def _lay_out_answer(self, number: int, value: Any, handles: CallHandles) -> None:
        """Write an answer to the scratch memory, for an adapter or the shim to take."""
        signature = self.code.imports[number]
        one = self.code.plan.canonical[number]
        assert isinstance(one, LoweredFunction)  # noqa: S101  # the others call nobody
        image = self._image_of(one.abi, handles)
        if self.code.linking.callbacks[number].is_adapted:
            signature.lay_out_result(image, value)
            return
        cores = signature.lower_result(image, value, ())
        for core, kind in zip(cores, signature.core_results, strict=True):
            write_core(image.view, IMAGE, kind, core)

    def fill(self, place: int, pointer: int, size: int) -> None:
        """Write a large value where the guest wants it; on the guest's stack."""
        image, cx = self._filled
        view = cx.memory.refresh() if cx.memory is not None else cx.view
        view[place : place + size] = image.large(pointer)

    def take(self, place: int) -> None:
        """Take the result of a call from the guest's memory; on the guest's stack."""
        full, handles = self._called, self._handles
        assert full is not None and handles is not None  # noqa: S101, PT018  # a call is running
        abi = self.code.linking.entrances[full].lifted.abi
        cx = self._memory_of(abi, handles)
        self._taken = self.code.exports[full].lift_result(cx, (place,))

    # ---------------------------------------------------- small things

    def _handles_for(self, instance: int) -> CallHandles:
        state = self.states[instance]
        return CallHandles(self, instance, state, self.code.plan.resources, self.things)

    def _memory_of(self, abi: Abi, handles: CallHandles) -> GuestMemory:
        """Get ready for values in the memory that a function uses."""
        key = abi.memory, abi.encoding
        cx = self._contexts.get(key)
        if cx is None:
            memory = None if abi.memory is None else self._find_memory(abi.memory)
            cx = self._contexts[key] = GuestMemory(abi.encoding, handles, memory)
        cx.begin(handles, self.keep)
        return cx

    def _find_memory(self, item: CoreItem) -> LinearMemory:
        """Find a memory; a start function may call the host before all are known."""
        if item not in self._memories:
            source = self.code.linking.memories[item]
            self._memories[item] = self._open_memory(source)
        return self._memories[item]

    def _open_memory(self, source: Source) -> LinearMemory:
        extern = self._keep(source)
        self._kept_externs.append(extern)
        return LinearMemory(self._context, extern.base + c.EXTERN_OF)

    def _image_of(self, abi: Abi, handles: CallHandles) -> Image:
        """Begin an image for the memory that a function uses."""
        image = self._images.get(abi.encoding)
        if image is None:
            image = Image(abi.encoding, handles, self.scratch.grow_to)
            self._images[abi.encoding] = image
        image.handles = handles
        image.begin(self.scratch.refresh())
        self._filled = image, self._memory_of(abi, handles)
        return image

    def drop_call(self) -> None:
        """End the present call wherever it stands."""
        future, self._future = self._future, 0
        if future:
            self.is_spent = True
            c.future_delete(future)

    def close(self) -> None:
        """Give back everything; does nothing twice."""
        self.drop_call()
        store, self._store = self._store, 0
        if store:
            self.is_spent = True
            del self.code.running[self._context]
            c.store_delete(store)
