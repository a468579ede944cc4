"""Core functions that run in one store, each on a fiber of its own.

wasmtime lets several calls of one store be suspended at once and polled in any order, as
long as one is polled at a time and none from inside another one: a call keeps its stack,
and wasmtime sets what belongs to the running stack whenever it resumes one. No frame of
Python is on a fiber that pauses, because callbacks only note what is asked.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, Protocol, final

import attrs

from airssys.contracts import CapacityReached
from airssys.wasm.engine import leave_room, poll_future
from airssys.wasm.lane.adapters import ANSWERED, ANSWERED_NOW, IMAGE
from airssys.wasm.lane.core import CoreValues, c_api, failed
from airssys.wasm.values import Block

if TYPE_CHECKING:
    from airssys.wasm.engine import OpenStore
    from airssys.wasm.lane.core import LinearMemory
    from airssys.wasm.lane.tasks import Cores, Steps

_MOST: Final = 17
"""Arguments of a core function that is called from here."""
_RESULT: Final = _MOST * c_api.VAL_SIZE
_TRAP: Final = _RESULT + (c_api.VAL_SIZE + 7) // 8 * 8
_CODES: Final = {"i32": "<I", "i64": "<Q", "f32": "<f", "f64": "<d"}


@final
@attrs.frozen(eq=False)
class CoreFunction:
    """A core function: the address of what it is in C, and its type."""

    address: int
    values: CoreValues


class Polled(Protocol):
    """The side of an instance that its fibers see."""

    opened: OpenStore
    scratch: LinearMemory
    failure: BaseException | None
    paused: tuple[Steps, tuple[str, ...]] | None
    is_spent: bool

    def polling(self) -> dict[int, Any]:
        """Where wasmtime's callbacks find the instance."""
        ...


@final
class Open:
    """The futures of one store, which are deleted before it; the ledger does so."""

    def __init__(self) -> None:
        self.futures: set[int] = set()

    def end_call(self) -> None:
        """End all calls wherever they stand."""
        while self.futures:
            c_api.future_delete(self.futures.pop())

    def close(self) -> None:
        """Do nothing: the calls have ended before the store."""


@final
class Fiber:
    """A core function that runs."""

    __slots__ = ("_answer", "_block", "_future", "_open", "_owner", "_values", "_waits")

    def __init__(
        self, owner: Polled, opened: Open, function: CoreFunction, arguments: Cores
    ) -> None:
        """Begin to call a function, of which nothing has run yet.

        Raises:
            CapacityReached: there is no memory for it.
        """
        self._owner, self._open, self._values = owner, opened, function.values
        self._answer: Cores | None = None
        self._waits: tuple[str, ...] = ()
        block = self._block = Block(_TRAP + 16)
        if arguments:
            function.values.lay_out(block, 0, arguments)
        base = block.base
        self._future = c_api.func_call_async(
            owner.opened.context,
            function.address,
            base,
            len(function.values.parameters),
            base + _RESULT,
            len(function.values.results),
            base + _TRAP,
            base + _TRAP + 8,
        )
        if not self._future:
            raise CapacityReached("the engine could not begin a call: out of memory")
        opened.futures.add(self._future)

    def answer(self, results: Cores) -> None:
        """Say what the built-in has come to that it waits for."""
        self._answer = results

    def poll(self) -> Cores | Steps | None:
        """Run it until it ends, waits, or has used up its epoch.

        Raises:
            CoreFailed: it was stopped.
            RuleBroken: it did what it may not.
        """
        owner, opened = self._owner, self._owner.opened
        leave_room()
        if self._answer is not None:
            view = owner.scratch.view
            for core, value in zip(self._waits, self._answer, strict=True):
                struct.pack_into(_CODES[core], view, IMAGE, value)
            view[ANSWERED] = ANSWERED_NOW
            self._answer = None
        c_api.context_set_epoch_deadline(opened.context, 1)
        polling = owner.polling()
        polling[opened.context] = owner
        try:
            has_finished = poll_future(self._future)
        finally:
            del polling[opened.context]
        if has_finished:
            return self._finish()
        paused, owner.paused = owner.paused, None
        if paused is None:
            return None
        steps, self._waits = paused
        return steps

    def drop(self) -> None:
        """End it wherever it stands."""
        if self._future in self._open.futures:
            self._open.futures.discard(self._future)
            c_api.future_delete(self._future)

    def _finish(self) -> Cores:
        self.drop()
        trap, error = self._block.words[_TRAP // 8], self._block.words[_TRAP // 8 + 1]
        if trap or error:
            owner = self._owner
            owner.is_spent = True
            failure, owner.failure = owner.failure, None
            found = failed(error, trap)
            raise found if failure is None else failure
        return self._values.result(self._block, _RESULT)
