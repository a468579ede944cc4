"""One instance of a component on this lane: a store, its core instances, one call.

The theory. Guest code runs on fibers only: exported functions, start functions, and
whatever these make a guest do (`realloc`, `post-return`). wasmtime gives way at the end
of an epoch, on the fiber, when no frame of Python is on it: the callbacks below are all
that Python does there, they call nothing of the guest, and they return.

A host call has one of two forms (`_host`). An *instant* function is run in the
callback. All others are noted by the callback, which has the guest pause. Between two
polls, while the guest's memory does not change, the call's owner reads the `arguments`
and calls `answer`; the next poll continues the guest.

Core WebAssembly can be entered again after a call was dropped in the middle, or trapped.
Only this module knows that such an instance can no longer be used.
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, final

from airssys.contracts import CapacityReached, EngineMisused
from airssys.wasm.engine import (
    UNLIMITED_FUEL,
    OpenStore,
    poll_future,
)
from airssys.wasm.lane.abi import Rule, RuleBroken
from airssys.wasm.lane.adapters import (
    ANSWERED,
    ANSWERED_NOW,
    BROKEN,
    BROKEN_ALIGNMENT,
    BROKEN_BOUNDS,
    MAY_LEAVE,
    PENDING,
    SLOT,
    Image,
)
from airssys.wasm.lane.components import ResourceVerb
from airssys.wasm.values import Block, TooMuch

from . import _c_api as c
from ._calls import Asked, Lowered, Ready
from ._failures import CoreFailed, failed
from ._host import _NoRoomHere, check_may_leave
from ._linking import SHIM, Source
from ._memory import NO_HANDLES, CoreValues, GuestMemory, LinearMemory, Scratch
from ._resources import CallHandles, ResourceHolder, work_on_handle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airssys.wasm.lane.components import Abi, CoreItem, Encoding, ResourceFunction

    from ._code import CoreCode

_NOTHING: Final = CoreValues((), ())
_DESTRUCTOR: Final = CoreValues(("i32",), ())
_SLOT: Final = _DESTRUCTOR
"""How a number is laid out."""
_REALLOC: Final = {
    BROKEN_ALIGNMENT: Rule.REALLOC_ALIGNED,
    BROKEN_BOUNDS: Rule.REALLOC_IN_BOUNDS,
}
_NOT_BEGUN: Final = "the engine could not begin a call: it is out of memory"
_SPENT: Final = "this instance is spent, or in the middle of a call"
_NEVER: Final = 2**62
"""Epochs from now, that do not pass."""


@final
class CoreInstance(ResourceHolder):
    """A store with one component in it. Close it before its code.

    There may be ten thousands of them, so what only some need is made when it is needed.
    """

    __slots__ = (
        "_called",
        "_context",
        "_contexts",
        "_filled",
        "_found",
        "_handles",
        "_keeps",
        "_late",
        "_ready",
        "_slots",
        "_taken",
        "_too_much",
        "_values",
        "asked",
        "code",
        "context",
        "failure",
        "few",
        "home",
        "is_spent",
        "keep",
        "lowered",
        "scratch",
    )

    def __init__(self, code: CoreCode, context: object, few: int = 2**40) -> None:
        """Make a store, without anything in it.

        Args:
            code: what runs in it.
            context: what instant host functions are given first.
            few: bytes of arguments that an instant function may get; with more it is
                answered like the others.
        """
        self.context, self.few = context, few
        self.home = get_ident()
        """The thread that instant functions are run in."""
        self.keep = 2**40
        """How many bytes one call, or host call, may make the host keep."""
        self.code = code
        super().__init__(code, self._make_store(code))
        self.failure: BaseException | None = None
        self.asked: Asked | None = None
        self._late: tuple[object] | None = None
        """The answer of an instant function that had no room in the callback."""
        self._found = 0
        """A bit for each extern that was looked up."""
        self._ready: dict[str, Ready] = {}
        self._contexts: dict[tuple[CoreItem | None, Encoding], GuestMemory] = {}
        self.lowered: dict[int, GuestMemory] = {}
        """By canonical function: the memory that it uses."""
        self._taken: Any = None
        self._too_much: TooMuch | None = None
        self._called: Ready | None = None
        self._handles: CallHandles | None = None
        self._keeps = 0
        self._values = _NOTHING
        self.is_spent = False

    def _make_store(self, code: CoreCode) -> OpenStore:
        engine = code.engine
        engine.check()
        scratch = Scratch(code.scratch, code.scratch_bytes)
        pointer = c.store_new(engine.pointer, None, None)
        context = c.store_context(pointer)
        slots = Block(code.slots.size)
        opened = engine.ledger.stores[context] = OpenStore(pointer, context, slots)
        self._context, self._slots = context, slots
        self.scratch = opened.scratch = scratch
        c.context_set_fuel(context, UNLIMITED_FUEL)
        c.context_set_epoch_deadline(context, 1)
        c.store_epoch_deadline_callback(pointer, code.epoch, None, None)
        return opened

    # ---------------------------------------------------- making it

    def limit(
        self, memory_bytes: int, table_elements: int, memories: int, tables: int
    ) -> None:
        """Bound what the guest has."""
        limits = memory_bytes, table_elements, -1, tables, memories
        c.store_limiter(self.opened.pointer, *limits)

    def refuel(self, fuel: int) -> None:
        """Fill up to `fuel`, whatever was left."""
        c.context_set_fuel(self._context, fuel)

    def start(self) -> Iterator[Callable[[], bool]]:
        """Make the core instances; yields what to poll until it is True, in order."""
        # What wasmtime evaluates to instantiate a module is not on a fiber, where alone
        # it could give way. `_begin` sets the deadline of a start function.
        c.context_set_epoch_deadline(self._context, _NEVER)
        self._instantiate_shim()
        for number, step in enumerate(self.code.linking.steps):
            if number != SHIM:
                c.context_set_epoch_deadline(self._context, _NEVER)
                self._instantiate(number)
            if step.start is not None:
                function = self._function(Source(number, step.start))
                self._begin(function, _NOTHING, ())
                yield self.poll

    def _instantiate_shim(self) -> None:
        slots, room = self._slots, self.code.slots
        error = c.instance_pre_instantiate(
            self.code.shim,
            self._context,
            slots.base + room.instances,
            slots.base + room.trap * 8,
        )
        if error or slots.words[room.trap]:
            self._end(error)
        scratch = self.scratch
        scratch.view[MAY_LEAVE] = 1
        _SLOT.lay_out(slots, 0, (scratch.slot,))
        place = self._function(Source(SHIM, SLOT))
        self._check(c.global_set(self._context, place, slots.base))

    def _instantiate(self, number: int) -> None:
        context, slots, room = self._context, self._slots, self.code.slots
        imports = self.code.looking_up
        first = room.instances
        instances = slots.data[first : first + room.instances_size]
        with imports.lock:
            error = c.instance_new(
                context,
                self.code.modules[number],
                *imports.look_up(context, instances, number),
                slots.base + first + number * c.INSTANCE_SIZE,
                slots.base + room.trap * 8,
            )
        if error or slots.words[room.trap]:
            self._end(error)

    def _extern(self, source: Source) -> int:
        """Look up what a core instance exports, once; returns its address."""
        place, bit = self.code.slots.externs[source]
        if not self._found & bit:
            self.find(source, self._slots.base + place)
            self._found |= bit
        return self._slots.base + place

    def find(self, source: Source, extern: int) -> int:
        """Look up what a core instance exports, into memory; returns its address."""
        address, size = self.code.named(source.name)
        place = self.code.slots.instances + source.step * c.INSTANCE_SIZE
        place += self._slots.base
        if not c.instance_export_get(self._context, place, address, size, extern):
            raise CoreFailed(None, f"a core instance does not export {source.name!r}")
        return extern

    # ---------------------------------------------------- resources

    def drop_next(self) -> bool:
        """Begin to drop what the guest's resources need; False if that is nothing."""
        if self._resources is None:
            return False
        found = self._resources.next_to_drop()
        if found is None:
            return False
        source, representation = found
        self._called = self._handles = None
        self._begin(self._function(source), _DESTRUCTOR, (representation,))
        return True

    # ---------------------------------------------------- calls

    def call(self, full: str, values: Sequence[Any]) -> None:
        """Begin to call an export; poll it, then take its `result`.

        Raises:
            ValueUnfit: a value does not fit; nothing was called.
        """
        self._check_idle()
        self.begin(self.lower(full, values, self.keep))

    def lower(self, full: str, values: Sequence[Any], keep: int) -> Lowered:
        """Lay out the arguments of the next call; the caller sees that there is none.

        Args:
            full: the export.
            values: its arguments.
            keep: how many bytes its result may make the host keep.

        Raises:
            ValueUnfit: a value does not fit.
            CapacityReached: there is no memory to lay them out in.
        """
        ready = self._ready.get(full) or self._make_ready(full)
        exported = ready.exported
        handles = None
        if exported.has_handles:
            handles = self.handles_for(exported.instance)
        cores: tuple[int | float, ...] = ()
        try:
            if exported.is_direct:
                ready.memory.begin(handles, keep)
                signature = exported.signature
                cores = signature.lower_parameters(ready.memory, values)
            else:
                image = self.image_of(ready.memory, handles)
                exported.signature.lay_out_parameters(image, values)
        except BaseException:
            if handles is not None:
                handles.undo()
            raise
        return Lowered(ready, cores, handles, keep)

    def begin(self, lowered: Lowered) -> None:
        """Begin a call whose arguments are laid out."""
        ready = lowered.ready
        if self.is_spent:
            raise EngineMisused(_SPENT)
        self._taken = self._too_much = None
        self._called, self._handles = ready, lowered.handles
        self._keeps = lowered.keep
        self._begin(ready.function, ready.exported.values, lowered.cores)

    def _check_idle(self) -> None:
        if self.is_spent or self.opened.future or not self.opened.pointer:
            raise EngineMisused(_SPENT)

    def _begin(
        self, function: int, values: CoreValues, arguments: Sequence[int | float]
    ) -> None:
        slots, room = self._slots, self.code.slots
        if arguments:
            values.lay_out(slots, 0, arguments)
        self._values = values
        c.context_set_epoch_deadline(self._context, 1)
        base, trap = slots.base, room.trap * 8
        self.opened.future = c.func_call_async(
            self._context,
            function,
            base,
            len(values.parameters),
            base + room.result,
            len(values.results),
            base + trap,
            base + trap + 8,
        )
        if not self.opened.future:
            raise CapacityReached(_NOT_BEGUN)

    def _function(self, source: Source) -> int:
        address: int = self._extern(source) + c.EXTERN_OF
        return address

    def _make_ready(self, full: str) -> Ready:
        exported = self.code.exports[full]
        function = self._function(exported.source)
        made = Ready(exported, function, self._memory_of(exported.abi))
        self._ready[full] = made
        return made

    def poll(self) -> bool:
        """Run the guest until it finishes, waits, or has used up its epochs.

        Raises:
            CoreFailed: it was stopped.
            RuleBroken: it broke a rule of the canonical ABI.
            EngineMisused: it waits for an answer, or is not in a call.
        """
        opened = self.opened
        if self.asked is not None or not opened.future:
            raise EngineMisused("the guest waits for an answer, or is in no call")
        context = self._context
        polling: dict[int, Any] = self.code.engine.polling
        polling[context] = self
        try:
            finished = poll_future(opened.future)
        finally:
            del polling[context]
        if self._late is not None:
            return self._answer_late()
        if finished:
            future, opened.future = opened.future, 0
            c.future_delete_short(future)
            if self.scratch.has_more:
                self.scratch.give_back_more()
            words, trap = self._slots.words, self.code.slots.trap
            if words[trap] or words[trap + 1]:
                error, words[trap + 1] = words[trap + 1], 0
                self._end(error)
        return finished

    def _answer_late(self) -> bool:
        """Answer what there was no room for in a callback, and go on."""
        assert self._late is not None  # noqa: S101  # the caller has looked
        (late,), self._late = self._late, None
        try:
            self.answer(late)
        except BaseException:
            self.is_spent = True
            raise
        return self.poll()

    def result(self) -> Any:
        """Read the result of a call that has finished.

        Raises:
            RuleBroken: it is not valid, or the guest kept what it had borrowed.
            TooMuch: the host does not want to keep it.
        """
        ready, handles = self._called, self._handles
        if ready is None or self.opened.future:
            raise EngineMisused("no call has finished, or its result was taken")
        if self._too_much is not None:
            raise self._too_much
        self._called = None
        signature = ready.exported.signature
        try:
            if not signature.result_in_memory:
                memory = ready.memory
                memory.begin(handles, self._keeps)
                cores = self._values.result(self._slots, self.code.slots.result)
                self._taken = signature.lift_result(memory, cores)
            if handles is not None:
                handles.accept()
                handles.end()
                self.things.end_call()
        except BaseException:
            self.is_spent = True
            raise
        taken, self._taken = self._taken, None
        return taken

    def _check(self, error: int) -> None:
        """Raise what wasmtime did not do."""
        if error:
            self._end(error)

    def _end(self, error: int) -> None:
        """Raise what ended the guest: an error, or the trap that was noted."""
        words, place = self._slots.words, self.code.slots.trap
        trap, words[place] = words[place], 0
        self.is_spent = True
        failure, self.failure = self.failure, None
        found = failed(error, trap)
        if failure is not None:
            raise failure
        rule = _REALLOC.get(self.scratch.view[BROKEN])
        if rule is not None:
            raise RuleBroken(rule, found)
        raise found

    # ---------------------------------------------------- what callbacks do

    def work_on_handle(self, one: ResourceFunction, core: int) -> tuple[int, ...]:
        """Do what a core module does with a handle; on the guest's stack."""
        if one.verb is not ResourceVerb.REP:
            check_may_leave(self.scratch.view)
        state = self.states[one.instance]
        return work_on_handle(one, state, core, self.dropped)

    def ask(
        self, number: int, cores: tuple[Any, ...], handles: CallHandles | None
    ) -> None:
        """Note what the guest asks for, and have it pause; on its stack."""
        self.asked = Asked(number, self.code.imports[number], cores, handles)
        self.scratch.view[ANSWERED] = PENDING
        c.context_set_epoch_deadline(self._context, 0)

    def answer_late(self, number: int, cores: tuple[Any, ...], value: object) -> None:
        """Have the guest pause, for its answer to be laid out then; on its stack."""
        self.ask(number, cores, None)
        self._late = (value,)

    def arguments(self, keep: int) -> tuple[tuple[Any, ...], int]:
        """Read what the guest gives to the host function that it waits for.

        Without resources among them they may be read again, with more to keep.

        Returns:
            The arguments, and how many bytes are left of `keep`.

        Raises:
            RuleBroken: they are not valid.
            TooMuch: they are more than `keep`.
        """
        asked = self.asked
        if asked is None:
            raise EngineMisused("there is no host call")
        imported = asked.imported
        memory = self.memory_for(asked.number)
        memory.begin(asked.handles, keep)
        values = imported.signature.lift_parameters(memory, asked.cores)
        if asked.handles is not None:
            asked.handles.accept()
        return values, memory.left

    def answer(self, value: Any) -> None:
        """Answer what the guest has `asked`; the next poll goes on.

        Raises:
            ValueUnfit: the value does not fit; the guest still waits.
            RuleBroken: the guest still has what was lent for the call.
        """
        asked = self.asked
        if asked is None:
            raise EngineMisused("there is no host call to answer")
        try:
            self.code.answering[asked.number](self, asked.cores, value, asked.handles)
        except BaseException:
            if asked.handles is not None:
                asked.handles.undo()
            raise
        if asked.handles is not None:
            asked.handles.end()
        self.asked = None
        self.scratch.view[ANSWERED] = ANSWERED_NOW
        c.context_set_epoch_deadline(self._context, 1)

    def fill(self, place: int, pointer: int, size: int) -> None:
        """Write a large value where the guest wants it; on the guest's stack."""
        image, memory = self._filled
        view = memory.view if memory.memory is None else memory.memory.refresh()
        view[place : place + size] = image.large(pointer)

    def take(self, place: int) -> None:
        """Take the result of a call from the guest's memory; on the guest's stack.

        A result that is too large is left there: the call comes to its end without it.
        """
        ready = self._called
        assert ready is not None  # noqa: S101  # a call is running
        memory = ready.memory
        memory.handles, memory.left = self._handles or NO_HANDLES, self._keeps
        try:
            self._taken = ready.exported.signature.lift_result(memory, (place,))
        except TooMuch as error:
            self._too_much = error

    # ---------------------------------------------------- small things

    def memory_for(self, number: int) -> GuestMemory:
        """Find the memory of a function that is lowered."""
        found = self.lowered.get(number)
        if found is None:
            abi = self.code.imports[number].abi
            found = self.lowered[number] = self._memory_of(abi)
        return found

    def _memory_of(self, abi: Abi) -> GuestMemory:
        """Find the memory that a function uses; `begin` with it before each use."""
        key = abi.memory, abi.encoding
        found = self._contexts.get(key)
        if found is None:
            memory = None
            if abi.memory is not None:
                memory = self._open_memory(self.code.linking.memories[abi.memory])
            found = self._contexts[key] = GuestMemory(abi.encoding, memory)
        return found

    def _open_memory(self, source: Source) -> LinearMemory:
        return LinearMemory(self._context, self._extern(source) + c.EXTERN_OF)

    def image_of(self, memory: GuestMemory, handles: CallHandles | None) -> Image:
        """Begin an image for a memory of the guest."""
        image = memory.image
        if image is None:
            image = memory.image = Image(
                memory.encoding, NO_HANDLES, self._more_scratch
            )
        image.handles = handles or NO_HANDLES
        scratch = self.scratch
        if scratch.has_more:
            scratch.give_back_more()
        image.begin(scratch.whole, scratch.slot, scratch.end)
        self._filled = image, memory
        return image

    def _more_scratch(self, size: int) -> tuple[memoryview, int, int]:
        """Find more scratch memory for an image.

        Raises:
            CapacityReached: there is none.
            _NoRoomHere: not while the guest runs.
        """
        if get_ident() in self.code.engine.ledger.inside:
            raise _NoRoomHere(f"there are no {size} bytes for an answer in a callback")
        return self.scratch.more(size)

    def drop_call(self) -> None:
        """End the present call wherever it stands."""
        if self.opened.future:
            self.is_spent = True
        self.code.engine.ledger.close_call(self.opened)
        self.asked = self._late = None

    def close(self) -> None:
        """Give back everything; does nothing twice."""
        self.is_spent = True
        self.code.engine.ledger.close_store(self.opened)
