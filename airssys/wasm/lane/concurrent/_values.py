"""Values of asynchronous guests: their memories, their handles, buffers of copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, final

import attrs

from airssys.wasm.lane import abi
from airssys.wasm.lane.abi import CallScope, Context, Rule, RuleBroken
from airssys.wasm.lane.tasks import Instance, Shared, check_buffer, lift_end, lower_end
from airssys.wasm.values import Number, ValueUnfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.lane.components import CopyType, Encoding, Plan
    from airssys.wasm.lane.core import LinearMemory
    from airssys.wasm.values import WitType

KEEP = 2**31
"""Bytes that values between two guests may have."""


@final
class TaskMemory(Context):
    """Values in a memory of a guest; `realloc` is called between two polls."""

    __slots__ = ("_memory", "_realloc")

    def __init__(
        self,
        encoding: Encoding,
        memory: LinearMemory | None,
        handles: abi.Handles,
        realloc: Callable[[int, int], int] | None,
    ) -> None:
        super().__init__(encoding, handles)
        self._memory, self._realloc = memory, realloc
        self.left = KEEP
        self.renew_view()

    def renew_view(self) -> None:
        """Look how large the memory is now."""
        if self._memory is not None:
            self.view = self._memory.refresh()

    def allocate(self, alignment: int, size: int) -> int:
        """Ask the guest for memory.

        Raises:
            RuleBroken: what it gave cannot be used.
        """
        assert self._realloc is not None  # noqa: S101  # wasmtime has validated that there is one
        at = self._realloc(alignment, size)
        self.renew_view()
        if at & (alignment - 1):
            raise RuleBroken(Rule.REALLOC_ALIGNED, at)
        if at + size > len(self.view):
            raise RuleBroken(Rule.REALLOC_IN_BOUNDS, at)
        return at


@final
@attrs.frozen(eq=False)
class Thing:
    """A resource that has left the guest that it was in, on the way to another."""

    resource: str
    representation: int


class HostEnd(Protocol):
    """What the program has of a stream or future: it gives the readable end away."""

    def give(self, type_: CopyType) -> Shared:
        """Give it away, as one of this type."""
        ...


class HostSide(Protocol):
    """Where resources and streams come from the host, and go to it."""

    def thing_of(self, resource: str, representation: int) -> Any:
        """Take back what the host gave."""
        ...

    def lent_thing(self, resource: str, representation: int) -> Any:
        """Look up what the host gave."""
        ...

    def number_for(self, resource: str, thing: Any) -> int:
        """Give something; returns what stands for it."""
        ...

    def end_for(self, shared: Shared) -> Any:
        """Make what the program has of a stream or future."""
        ...


@final
class TaskHandles:
    """The handles of one component instance, for the values of one call.

    Between two guests a resource is a `Thing` and a stream what both ends share. To the
    host they are objects; then `host` is given.
    """

    __slots__ = ("_host", "_instance", "_number", "_plan", "_scope")

    def __init__(
        self,
        plan: Plan,
        number: int,
        instance: Instance,
        scope: CallScope,
        host: HostSide | None,
    ) -> None:
        self._plan, self._number, self._instance = plan, number, instance
        self._scope, self._host = scope, host

    def lift_own(self, handle: int, resource: str) -> Any:
        """Take what a handle stands for."""
        copied = self._plan.copied.get(resource)
        if copied is not None:
            shared = lift_end(self._instance, copied, handle)
            return shared if self._host is None else self._host.end_for(shared)
        found = abi.lift_own(self._instance.state, handle, resource)
        if self._host is not None and self._is_hosts(resource):
            return self._host.thing_of(resource, found)
        return Thing(resource, found)

    def lift_borrow(self, handle: int, resource: str) -> Any:
        """Look up what a handle stands for."""
        found = abi.lift_borrow(self._instance.state, handle, resource, self._scope)
        if self._host is not None and self._is_hosts(resource):
            return self._host.lent_thing(resource, found)
        return Thing(resource, found)

    def lower_own(self, thing: Any, resource: str) -> int:
        """Give something away."""
        copied = self._plan.copied.get(resource)
        if copied is not None:
            return lower_end(self._instance, self._shared(thing, copied))
        found = self._representation(thing, resource)
        return abi.lower_own(self._instance.state, found, resource)

    def lower_borrow(self, thing: Any, resource: str) -> int:
        """Lend something for this call."""
        found = self._representation(thing, resource)
        if self._plan.resources[resource].instance == self._number:
            return found
        return abi.lower_borrow(self._instance.state, found, resource, self._scope)

    def _is_hosts(self, resource: str) -> bool:
        return self._plan.resources[resource].instance is None

    def _representation(self, thing: Any, resource: str) -> int:
        if isinstance(thing, Thing) and thing.resource == resource:
            return thing.representation
        if self._host is None or not self._is_hosts(resource):
            raise ValueUnfit(f"{thing!r:.80} is not a {resource} of this instance")
        return self._host.number_for(resource, thing)

    def _shared(self, thing: Any, copied: CopyType) -> Shared:
        if isinstance(thing, Shared):
            return thing
        give = getattr(thing, "give", None)
        if give is None:
            word = "stream" if copied.is_stream else "future"
            raise ValueUnfit(f"{thing!r:.80} is not the end of a {word}")
        shared: Shared = give(copied)
        return shared


@final
class GuestBuffer:
    """Part of a guest's memory, that values are read from or written to."""

    __slots__ = ("_at", "_cx", "_element", "_size", "length", "progress")

    def __init__(
        self, cx: TaskMemory, element: WitType | None, at: int, length: int
    ) -> None:
        """Check the place.

        Raises:
            RuleBroken: it is too long, not aligned, or not in the memory.
        """
        check_buffer(length)
        self._size = 0
        if element is not None and length:
            self._size, alignment = abi.layout(element)
            cx.area(at, length * self._size, alignment)
        self._cx, self._element, self._at = cx, element, at
        self.length, self.progress = length, 0

    def _next(self, count: int) -> int:
        at = self._at + self.progress * self._size
        self.progress += count
        self._cx.renew_view()
        return at

    def read(self, count: int) -> Any:
        """Take the next values."""
        at, cx, element = self._next(count), self._cx, self._element
        if element is None:
            return [None] * count
        if element is Number.U8:
            return cx.view[at : at + count].tobytes()
        load = abi.loader(element)
        return [load(cx, at + n * self._size) for n in range(count)]

    def write(self, values: Any) -> None:
        """Add values.

        Raises:
            ValueUnfit: one does not fit.
            RuleBroken: the guest gave no place for what they contain.
        """
        at, cx, element = self._next(len(values)), self._cx, self._element
        if element is None:
            return
        if element is Number.U8 and isinstance(values, (bytes, bytearray, memoryview)):
            cx.view[at : at + len(values)] = values
            return
        store = abi.storer(element)
        for number, value in enumerate(values):
            try:
                store(cx, at + number * self._size, value)
            except abi.REFUSALS:
                abi.check(element, value, f"[{number}]")
                raise
