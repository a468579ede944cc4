"""Writes and reads the parameters and the result of one function.

Arguments stay ours, answers become wasmtime's. A lowered value is in a `Frame` of ours;
a call reads it there, and for the answer of a host function wasmtime makes its own copy
(`val_clone`). So there is one way to lower, and neither side frees what the other has
allocated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from airssys.wasm._c_api import VAL_SIZE
from airssys.wasm.values import Budget, CallValues, Function, ValueUnfit

from ._frame import Frame
from ._layout import fixed_words
from ._lifting import lift_of
from ._lowering import generate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.wasm.values import Handles

_MOST_FRAMES: Final = 1024
_SMALL: Final = 8 * 1024
_MOST_LARGE: Final = 16
_LARGEST: Final = 512 * 1024
"""As many small frames are kept as there were concurrent calls, and a few that have
grown, unless they have grown beyond this (bytes)."""


@final
class Marshaller(CallValues):
    """Moves the parameters and the result of one function; keeps some frames.

    Frames move between tasks and worker threads. Taking and returning one is a single
    operation on a list, so it needs no lock.
    """

    __slots__ = (
        "_frames",
        "_lift_params",
        "_lift_result",
        "_lower_params",
        "_lower_result",
        "_prepares",
        "_result_word",
        "_words",
        "result_count",
    )

    def __init__(self, signature: Function) -> None:
        super().__init__(signature)
        word = 0
        more = len(signature.params) * VAL_SIZE // 8
        prepares, lowers, lifts = [], [], []
        for name, wit in signature.params:
            prepare, lower = generate(wit, name)
            prepares.append((prepare, word, more))
            lowers.append((lower, word, more))
            lifts.append((lift_of(wit), word * 8))
            word += VAL_SIZE // 8
            more += fixed_words(wit)
        self.result_count = 0 if signature.result is None else 1
        self._result_word = more
        if signature.result is not None:
            prepare, self._lower_result = generate(signature.result, "result")
            prepares.append((prepare, more, more + VAL_SIZE // 8))
            self._lift_result = lift_of(signature.result)
            more += VAL_SIZE // 8 + fixed_words(signature.result)
        self._prepares, self._lower_params = tuple(prepares), tuple(lowers)
        self._lift_params = tuple(lifts)
        self._words = more
        self._frames: list[Frame] = []

    def lower_params(
        self, values: Sequence[Any], handles: Handles | None = None
    ) -> Frame:
        """Lay out arguments at the start of a frame's fixed block.

        Args:
            values: One for each parameter.
            handles: Where resources are looked up, for types that have some.

        Raises:
            ValueUnfit: A value does not fit its type; the text says which and where.
        """
        if len(values) != self.count:
            raise ValueUnfit(f"{len(values)} values for {self.count} parameters")
        frame = self._take_frame()
        frame.handles = handles
        block = frame.fixed
        try:
            plans = self._lower_params
            # A keyword costs as much as a value, and the lengths have been compared.
            for (lower, at, more), value in zip(plans, values):  # noqa: B905  # as above
                lower(frame, block, at, more, value)
        except BaseException:
            if handles is not None:
                handles.undo()
            raise
        return frame

    def lower_result(
        self, value: Any, handles: Handles | None = None
    ) -> tuple[Frame, int]:
        """Lay out an answer; returns its frame and its address.

        Args:
            value: The answer.
            handles: Where resources are looked up, for types that have some.

        Raises:
            ValueUnfit: The value does not fit the type; the text says where.
        """
        if not self.result_count:
            raise ValueUnfit(f"{value!r:.60} for a function without a result")
        frame = self._take_frame()
        frame.handles = handles
        block, at = frame.fixed, self._result_word
        try:
            self._lower_result(frame, block, at, at + VAL_SIZE // 8, value)
        except BaseException:
            if handles is not None:
                handles.undo()
            raise
        return frame, block.base + at * 8

    def lift_params(self, address: int, budget: Budget) -> list[Any]:
        """Read what a guest passes to the host, one value after the other.

        Raises:
            TooMuch: It is larger than the budget.
        """
        values = [lift(address + at, budget) for lift, at in self._lift_params]
        if budget.handles is not None:
            budget.handles.accept()
        return values

    def lift_result(self, address: int, budget: Budget) -> Any:
        """Read what a guest answered, None if the function has no result.

        Raises:
            TooMuch: It is larger than the budget.
        """
        if not self.result_count:
            return None
        value = self._lift_result(address, budget)
        if budget.handles is not None:
            budget.handles.accept()
        return value

    def give_back(self, frame: Frame) -> None:
        """Keep a frame that is no longer read for the next call."""
        size = frame.reset()
        most = _MOST_FRAMES if size <= _SMALL else _MOST_LARGE
        if size <= _LARGEST and len(self._frames) < most:
            self._frames.append(frame)

    def _take_frame(self) -> Frame:
        try:
            return self._frames.pop()
        except IndexError:
            pass
        frame = Frame(self._words * 8)
        for prepare, at, more in self._prepares:
            prepare(frame.fixed, at, more)
        return frame
