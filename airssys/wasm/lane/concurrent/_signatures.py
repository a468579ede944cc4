"""How rows of values become core values: flat up to a number of them, else in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from airssys.wasm.lane.abi import (
    MOST_PARAMETERS,
    REFUSALS,
    Core,
    check,
    flat_all,
    flat_lifter,
    flat_lowerer,
    layout,
    loader,
    storer,
)
from airssys.wasm.lane.components import (
    COPYING,
    LiftedFunction,
    LoweredFunction,
    TaskFunction,
)
from airssys.wasm.values import Tuple, ValueUnfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.wasm.lane.abi import Context
    from airssys.wasm.values import Function, WitType

MOST_ASYNC_PARAMETERS: Final = 4
CoreType = tuple[tuple[Core, ...], tuple[Core, ...]]
"""Parameters and results of a core function."""


@final
class Row:
    """Values that are passed together."""

    def __init__(
        self, wits: Sequence[WitType], most: int, names: Sequence[str] = ()
    ) -> None:
        """Say how they are passed.

        Args:
            wits: their types.
            most: core values, beyond which they lie in memory.
            names: of the parameters that they are, for errors.
        """
        self._wits = tuple(wits)
        self._names = names or [f"value {number}" for number in range(len(wits))]
        cores = flat_all(self._wits)
        self.in_memory = len(cores) > most
        self.cores: tuple[Core, ...] = ("i32",) if self.in_memory else cores
        row = Tuple(self._wits)
        self.layout = layout(row)
        self._load, self._store = loader(row), storer(row)
        self._lift, self._lower = flat_lifter(self._wits), flat_lowerer(self._wits)

    def lift(self, cx: Context, cores: Sequence[Any]) -> tuple[Any, ...]:
        """Read the values.

        Raises:
            RuleBroken: one is not valid.
            TooMuch: the host does not want to keep them.
        """
        found: tuple[Any, ...]
        if self.in_memory:
            found = self._load(cx, cx.area(cores[0], *self.layout))
        else:
            found = self._lift(cx, *cores)
        return found

    def lower(self, cx: Context, values: Sequence[Any]) -> tuple[int | float, ...]:
        """Make core values, in memory of the guest where that is needed.

        Raises:
            ValueUnfit: a value does not fit its type.
            RuleBroken: the guest gave no place that can be used.
        """
        if self.in_memory:
            size, alignment = self.layout
            at = cx.allocate(alignment, size)
            self.store(cx, values, at)
            return (at,)
        try:
            return self._lower(cx, *values)
        except REFUSALS as error:
            self._explain(values, error)
            raise

    def store(self, cx: Context, values: Sequence[Any], at: int) -> None:
        """Write the values where the guest wants them.

        Raises:
            ValueUnfit, RuleBroken: as of `lower`.
        """
        try:
            self._store(cx, cx.area(at, *self.layout), tuple(values))
        except REFUSALS as error:
            self._explain(values, error)
            raise

    def _explain(self, values: Sequence[Any], error: Exception) -> None:
        if len(values) != len(self._wits):
            wanted = len(self._wits)
            raise ValueUnfit(f"{len(values)} values for {wanted} parameters") from error
        for name, wit, value in zip(self._names, self._wits, values, strict=True):
            check(wit, value, name)


def parameters_of(function: Function, most: int = MOST_PARAMETERS) -> Row:
    """Say how the parameters of a function are passed."""
    names = [name for name, _ in function.params]
    return Row([wit for _, wit in function.params], most, names)


def result_of(result: WitType | None, most: int) -> Row:
    """Say how a result is passed: as a row of one value, or of none."""
    return Row(() if result is None else (result,), most, ["result"])


def lifted_type(one: LiftedFunction) -> CoreType:
    """The core type of a function that is lifted."""
    parameters = parameters_of(one.type).cores
    if one.abi.is_async:
        return parameters, ("i32",) if one.abi.callback is not None else ()
    return parameters, result_of(one.type.result, 1).cores


def lowered_type(one: LoweredFunction) -> CoreType:
    """The core type of a function that a guest calls."""
    function = one.function.type
    if one.abi.is_async:
        parameters = parameters_of(function, MOST_ASYNC_PARAMETERS).cores
        result = result_of(function.result, 0)
        return (*parameters, *(("i32",) if result.in_memory else ())), ("i32",)
    parameters = parameters_of(function).cores
    result = result_of(function.result, 1)
    if result.in_memory:
        return (*parameters, "i32"), ()
    return parameters, result.cores


def task_type(one: TaskFunction) -> CoreType:
    """The core type of a built-in."""
    word = one.verb.name
    if word == "TASK_RETURN":
        return result_of(one.result, MOST_PARAMETERS).cores, ()
    if word.startswith("CONTEXT"):
        kind: tuple[Core, ...] = ("i64",) if one.is_wide else ("i32",)
        return ((), kind) if word == "CONTEXT_GET" else (kind, ())
    if one.verb in COPYING:
        return (_II if "FUTURE" in word else (*_II, "i32")), _I
    return _TYPES[word.removeprefix("STREAM_").removeprefix("FUTURE_")]


_I: Final[tuple[Core, ...]] = ("i32",)
_II: Final[tuple[Core, ...]] = ("i32", "i32")
_TYPES: Final[dict[str, CoreType]] = {
    "TASK_CANCEL": ((), ()),
    "SUBTASK_CANCEL": (_I, _I),
    "YIELD": ((), _I),
    "SUBTASK_DROP": (_I, ()),
    "NEW": ((), ("i64",)),
    "CANCEL_READ": (_I, _I),
    "CANCEL_WRITE": (_I, _I),
    "DROP_READABLE": (_I, ()),
    "DROP_WRITABLE": (_I, ()),
    "SET_NEW": ((), _I),
    "SET_WAIT": (_II, _I),
    "SET_POLL": (_II, _I),
    "SET_DROP": (_I, ()),
    "JOIN": (_II, ()),
    "BACKPRESSURE_INC": ((), ()),
    "BACKPRESSURE_DEC": ((), ()),
}
