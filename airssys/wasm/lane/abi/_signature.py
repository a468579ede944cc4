"""How the values of one function cross between Python and core WebAssembly.

The parameters of a function are flat core values, or a pointer to a tuple of them if
they would be more than 16. Its result is one flat core value, or a pointer to where it
lies: which the function returns if the guest exports it, and gets as its last parameter
if the guest imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from airssys.wasm.values import Function, Tuple, ValueUnfit

from ._checks import check
from ._layouts import MOST_PARAMETERS, MOST_RESULTS, Core, flat, flat_all, layout
from ._lifting import LiftFlat, flat_lifter, loader
from ._lowering import REFUSALS, flat_lowerer, imager, storer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._context import Context


class _Sides:
    """What both sides of a function have in common."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self._names = [name for name, _ in function.params]
        self._wits = tuple(wit for _, wit in function.params)
        self._row = Tuple(self._wits)
        self._result = function.result
        # To look these up takes longer than to use them: they are kept by type.
        self._row_layout = layout(self._row)
        self._store_row = storer(self._row)
        self._image_row = imager(self._row) or self._store_row
        self._result_layout = (0, 1) if self._result is None else layout(self._result)
        self._store_result = self._image_result = None
        if self._result is not None:
            self._store_result = storer(self._result)
            self._image_result = imager(self._result) or self._store_result
        cores = flat_all(self._wits)
        self.parameters_in_memory = len(cores) > MOST_PARAMETERS
        results = () if self._result is None else flat(self._result)
        self.result_in_memory = len(results) > MOST_RESULTS
        self.core_parameters: tuple[Core, ...] = (
            ("i32",) if self.parameters_in_memory else cores
        )
        self.core_results: tuple[Core, ...] = results

    @property
    def image_bytes(self) -> int:
        """How much room its parameters, or its result, need: without what they point to."""
        return max(self._row_layout[0], self._result_layout[0])

    def _explain_parameters(self, values: Sequence[Any], error: Exception) -> None:
        """Say which value does not fit; if all do, what was raised is a fault of ours."""
        if len(values) != len(self._wits):
            wanted = len(self._wits)
            raise ValueUnfit(f"{len(values)} values for {wanted} parameters")
        for name, wit, value in zip(self._names, self._wits, values, strict=True):
            check(wit, value, name)
        raise error

    def _explain_result(self, value: Any, error: Exception) -> None:
        if self._result is not None:
            check(self._result, value, "result")
        raise error


@final
class ExportSignature(_Sides):
    """Of a function that a guest exports and the host calls."""

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        if self.result_in_memory:
            self.core_results = ("i32",)
        self._lower = None if self.parameters_in_memory else flat_lowerer(self._wits)
        self._lift = self._load = None
        if self._result is not None and self.result_in_memory:
            self._load = loader(self._result)
        elif self._result is not None:
            self._lift = flat_lifter((self._result,))

    def lower_parameters(
        self, cx: Context, values: Sequence[Any]
    ) -> tuple[int | float, ...]:
        """Make core values of the parameters.

        Raises:
            ValueUnfit: one does not fit its type.
            RuleBroken: the guest's `realloc` gave no place that can be used.
        """
        if self._lower is None:
            return (self.lay_out_parameters(cx, values),)
        try:
            return self._lower(cx, *values)
        except REFUSALS as error:
            self._explain_parameters(values, error)
            raise

    def lay_out_parameters(self, cx: Context, values: Sequence[Any]) -> int:
        """Write the parameters as one tuple; returns where it begins.

        Raises:
            ValueUnfit: one does not fit its type.
        """
        size, alignment = self._row_layout
        at = cx.allocate(alignment, size)
        store = self._image_row if cx.joins else self._store_row
        try:
            store(cx, at, tuple(values))
        except REFUSALS as error:
            self._explain_parameters(values, error)
        return at

    def lift_result(self, cx: Context, cores: tuple[Any, ...]) -> Any:
        """Make a Python value of what the core function returned.

        Raises:
            RuleBroken: it is not valid.
            TooMuch: the host does not want to keep it.
        """
        if self._load is not None and self._result is not None:
            at = cx.area(cores[0], *self._result_layout)
            return self._load(cx, at)
        if self._lift is None:
            return None
        [value] = self._lift(cx, *cores)
        return value


@final
class ImportSignature(_Sides):
    """Of a function that a guest imports and the host implements."""

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self.is_given_place = self.result_in_memory
        """Whether its last core parameter is where the result is to be written."""
        if self.is_given_place:
            self.core_parameters = (*self.core_parameters, "i32")
            self.core_results = ()
        self._lift = None if self.parameters_in_memory else flat_lifter(self._wits)
        self._load = loader(self._row) if self.parameters_in_memory else None
        self._lower = self._store = None
        if self._result is not None and self.is_given_place:
            self._store = self._store_result
        elif self._result is not None:
            self._lower = flat_lowerer((self._result,))

    def lift_parameters(self, cx: Context, cores: tuple[Any, ...]) -> tuple[Any, ...]:
        """Make Python values of the core parameters.

        Raises:
            RuleBroken: one is not valid.
            TooMuch: the host does not want to keep them.
        """
        if self.is_given_place:
            cores = cores[:-1]
        if self._load is not None:
            at = cx.area(cores[0], *self._row_layout)
            found: tuple[Any, ...] = self._load(cx, at)
        elif self._lift is not None:
            found = self._lift(cx, *cores)
        return found

    def parameter_lifter(self) -> LiftFlat:
        """Make what does the same with the core parameters one by one."""
        if self._lift is None:
            return lambda cx, *cores: self.lift_parameters(cx, cores)
        lift = self._lift
        if self.is_given_place:
            return lambda cx, *cores: lift(cx, *cores[:-1])
        return lift

    def check_place(self, cx: Context, cores: tuple[Any, ...]) -> None:
        """See that the result may be written where the guest wants it.

        Raises:
            RuleBroken: it may not.
        """
        if self.is_given_place and self._result is not None:
            cx.area(cores[-1], *self._result_layout)

    def lay_out_result(self, cx: Context, value: Any) -> None:
        """Write a result where `cx` has room for it.

        Raises:
            ValueUnfit: it does not fit its type.
        """
        store = self._image_result if cx.joins else self._store_result
        if store is not None:
            size, alignment = self._result_layout
            at = cx.allocate(alignment, size)
            try:
                store(cx, at, value)
            except REFUSALS as error:
                self._explain_result(value, error)

    def result_lowerer(self) -> Callable[[Any, Any], tuple[int | float, ...]]:
        """Make what takes a context and a value to core results.

        It is for results that need no place, and uses the context for resources only. It
        raises ValueUnfit for a value that does not fit its type.
        """
        lower = self._lower

        def lower_result(cx: Any, value: Any) -> tuple[int | float, ...]:
            if lower is None:
                return ()
            try:
                return lower(cx, value)
            except REFUSALS as error:
                self._explain_result(value, error)
                raise

        return lower_result

    def lower_result(
        self, cx: Context, value: Any, cores: tuple[Any, ...]
    ) -> tuple[int | float, ...]:
        """Make core results of a value, or write it where the guest wants it.

        Raises:
            ValueUnfit: it does not fit its type.
            RuleBroken: the guest gave no place that can be used.
        """
        if self._result is None:
            return ()
        try:
            if self._store is not None:
                at = cx.area(cores[-1], *self._result_layout)
                self._store(cx, at, value)
            elif self._lower is not None:
                return self._lower(cx, value)
        except REFUSALS as error:
            self._explain_result(value, error)
            raise
        return ()
