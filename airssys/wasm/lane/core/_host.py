"""How a guest's call of a host function begins, on the guest's own stack.

A *pausing* function is only noted: the guest gives way, and the call is answered between
two polls. An *instant* one is run here. That saves the switch of fibers and the way
through the driver, which take longer than a lookup does.

What an instant function may not do follows from where it runs:

* It cannot wait, and no guest may be run meanwhile: there would be frames of Python on
  the guest's stack that it could not give way through. A poll from here is refused.
* Nothing interrupts it, because epochs are only read in the guest's own code.
* It may not recurse deeply in C: it has `HOST_STACK_BYTES`, however much of its own stack
  the guest has used.
* It belongs to the thread in which the instance was made. In a worker thread, which
  polls guests that are slow, it is noted like the others.

The answer is laid out in the scratch memory as that of a pausing one is, and an adapter
moves it to where the guest wants it. So a result may contain strings and lists: their
`realloc` is called when no frame of Python is left on the stack.

What is raised is noted in the instance, and the guest traps. If not even this code could
begin, because a signal's handler raised first, the adapter finds that nothing was
answered, and traps too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, MutableSet
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, final

import attrs
from trio.lowlevel import enable_ki_protection

from airssys.contracts import CapacityReached
from airssys.wasm.lane.abi import Core, ImportSignature, Rule, RuleBroken
from airssys.wasm.lane.adapters import ANSWERED, ANSWERED_NOW, IMAGE, MAY_LEAVE
from airssys.wasm.lane.components import Abi
from airssys.wasm.values import TooMuch

from . import _c_api as c
from ._memory import answer_epoch

if TYPE_CHECKING:
    from airssys.wasm.lane.adapters import Image

    from ._memory import CoreValues, GuestMemory, Scratch
    from ._resources import CallHandles

Cores: TypeAlias = tuple[Any, ...]
Act: TypeAlias = Callable[[Any, int], None]
"""What a callback does for an instance, with the values at an address."""
Answering: TypeAlias = Callable[["Asking", Cores, Any, "CallHandles | None"], None]
"""What lays out an answer in the scratch memory."""
_CODES: Final[dict[Core, str]] = {"i32": "I", "i64": "Q", "f32": "f", "f64": "d"}


@final
@attrs.frozen
class CoreHost:
    """What the host gives to a component: functions by full name."""

    instant: Mapping[str, Callable[..., Any]]
    """Run on the guest's stack; take the context of the instance, then the values. All
    others are answered between two polls."""


@final
@attrs.frozen(eq=False)
class Imported:
    """A function of the host, as one canonical function of the component calls it."""

    name: str
    signature: ImportSignature
    abi: Abi
    instance: int
    has_handles: bool
    """Whether resources are among its values."""
    needs_memory: bool
    """Whether its parameters or its result lie in the guest's memory."""

    @property
    def is_adapted(self) -> bool:
        """Whether its result is moved to the guest by an adapter."""
        return self.signature.is_given_place


class _NoRoomHere(CapacityReached):  # the answer is laid out after the poll
    """An answer is too large to be laid out in a callback."""


class Asking(Protocol):
    """The side of an instance that calls of the host see."""

    scratch: Scratch
    lowered: dict[int, GuestMemory]
    context: object
    home: int
    few: int
    keep: int

    def ask(self, number: int, cores: Cores, handles: CallHandles | None) -> None:
        """Note what the guest asks for, and have it pause."""
        ...

    def handles_for(self, instance: int) -> CallHandles:
        """Make the handles for one call."""
        ...

    def memory_for(self, number: int) -> GuestMemory:
        """Find the memory of a function that is lowered."""
        ...

    def image_of(self, memory: GuestMemory, handles: CallHandles | None) -> Image:
        """Begin an image for a memory of the guest."""
        ...

    def answer_late(self, number: int, cores: Cores, value: object) -> None:
        """Have the guest pause, for its answer to be laid out then."""
        ...


def check_may_leave(scratch: memoryview) -> None:
    """See that the guest may call the host here.

    Raises:
        RuleBroken: it may not.
    """
    if not scratch[MAY_LEAVE]:
        raise RuleBroken(Rule.MAY_LEAVE, "in realloc or post-return")


def pausing(number: int, imported: Imported, values: CoreValues) -> Act:
    """Make what notes a call of the host, to be answered after the poll."""
    read, has_handles = values.read, imported.has_handles

    def note(instance: Asking, at: int) -> None:
        check_may_leave(instance.scratch.view)
        handles = instance.handles_for(imported.instance) if has_handles else None
        instance.ask(number, read(at), handles)

    return note


def instant(
    number: int, imported: Imported, values: CoreValues, act: Callable[..., Any]
) -> Act:
    """Make what runs a host function on the guest's stack."""
    note = pausing(number, imported, values)
    make = _acting_on_handles if imported.has_handles else _acting
    run, read = make(number, imported, act), values.read

    def begin(instance: Asking, at: int) -> None:
        scratch = instance.scratch.view
        if instance.home != get_ident() or not scratch[MAY_LEAVE]:
            note(instance, at)
        elif run(instance, read(at)):
            scratch[ANSWERED] = ANSWERED_NOW

    return begin


_Run: TypeAlias = Callable[["Asking", Cores], bool]
"""Calls a host function; returns whether its answer is laid out."""


def _acting(number: int, imported: Imported, act: Callable[..., Any]) -> _Run:
    """Make what calls a function without resources."""
    lift, needs_memory = imported.signature.parameter_lifter(), imported.needs_memory
    answer = answering(number, imported)

    def run(instance: Asking, cores: Cores) -> bool:
        memory = None
        if needs_memory:
            memory = instance.lowered.get(number) or instance.memory_for(number)
            memory.left = instance.few
        try:
            given = lift(memory, *cores)
        except TooMuch:
            instance.ask(number, cores, None)
            return False
        value = act(instance.context, *given)
        try:
            answer(instance, cores, value, None)
        except _NoRoomHere:
            instance.answer_late(number, cores, value)
            return False
        return True

    return run


def _acting_on_handles(
    number: int, imported: Imported, act: Callable[..., Any]
) -> _Run:
    """Make what calls a function with resources, which are moved once.

    Its arguments are read here, however large, and its answer has to have room here.
    """
    lift, answer = imported.signature.lift_parameters, answering(number, imported)

    def run(instance: Asking, cores: Cores) -> bool:
        handles = instance.handles_for(imported.instance)
        memory = instance.memory_for(number)
        memory.begin(handles, instance.keep)
        given = lift(memory, cores)
        handles.accept()
        value = act(instance.context, *given)
        try:
            answer(instance, cores, value, handles)
        except BaseException:
            handles.undo()
            raise
        handles.end()
        return True

    return run


def answering(number: int, imported: Imported) -> Answering:
    """Make what lays out the answer to a call of the host."""
    signature = imported.signature
    if signature.function.result is None:
        return _nothing
    check_place, lay_out = signature.check_place, signature.lay_out_result
    lower = signature.result_lowerer()
    codes = "".join(_CODES[core] for core in signature.core_results)
    pack = struct.Struct(f"<{codes}").pack_into

    def image(
        instance: Asking, cores: Cores, value: Any, handles: CallHandles | None
    ) -> None:
        memory = instance.memory_for(number)
        check_place(memory, cores)
        lay_out(instance.image_of(memory, handles), value)

    def flat(
        instance: Asking, _cores: Cores, value: Any, handles: CallHandles | None
    ) -> None:
        memory = None
        if handles is not None:
            memory = instance.memory_for(number)
            memory.begin(handles, 0)
        pack(instance.scratch.view, IMAGE, *lower(memory, value))

    return image if imported.is_adapted else flat


def _nothing(*_: object) -> None:
    """Answer nothing, as what the host returns is not read then."""


# ---------------------------------------------------------------- callbacks

_FAILED: Final = b"the host failed"


class Failing(Protocol):
    """The side of an instance that notes what failed."""

    failure: BaseException | None


@final
@attrs.frozen
class Guard:
    """What callbacks check first."""

    running: Mapping[int, Failing]
    """The instances that are being polled, by the context of their store."""
    inside: MutableSet[int]
    """Idents of the threads that are in a callback."""

    def note(self, context: int, error: BaseException) -> None:
        """Have the call that is polled fail with this, once its poll has returned."""
        self.inside.discard(get_ident())
        instance = self.running.get(context)
        if instance is not None:
            instance.failure = error


def giving_way(guard: Guard) -> Callable[..., int]:
    """Make what has a guest give way at the end of an epoch."""
    error_new = c.error_new

    @enable_ki_protection
    def give_way(context: int, _data: int | None, update: int, kind: int) -> int:
        try:
            answer_epoch(update, kind)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # as of `guarded`
            guard.note(context, error)
            failure: int = error_new(_FAILED)
            return failure  # noqa: ASYNC104  # as above
        return 0

    return give_way


def guarded(guard: Guard, act: Callable[[Any, int], None]) -> Callable[..., int]:
    """Make a callback of what may raise: nothing may leave a callback.

    What leaves one is printed by ctypes and lost, and C gets an address that is none. The
    handler of a signal may raise after any call that is made here. So all calls are in
    one `try`, that which says that the thread has left too, and what fails finds its
    instance by itself.
    """
    running, inside = guard.running, guard.inside
    context_of, trap_new = c.caller_context, c.trap_new

    @enable_ki_protection
    def callback(_env: int | None, caller: int, values: int, _count: int) -> int:
        try:
            ident = get_ident()
            inside.add(ident)
            act(running[context_of(caller)], values)
            inside.discard(ident)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # nothing may leave a callback
            guard.note(context_of(caller), error)
            trap: int = trap_new(_FAILED, len(_FAILED))
            return trap  # noqa: ASYNC104  # as above
        return 0

    return callback
