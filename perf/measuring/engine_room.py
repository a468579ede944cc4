"""The least that a call and an instantiation can cost: no marshalling, no limits.

The one place in `perf/` that reaches past the front door of `airssys.wasm`.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, cast, final

from airssys.wasm import (  # the floor that ratios stand on has no public name
    EXPORTS,
    _c_api as c,  # noqa: PLC2701 (see above)
)
from airssys.wasm.engine._engine import Engine  # noqa: PLC2701 (see above)
from airssys.wasm.fallback import (
    _result_slots as at,  # noqa: PLC2701 (see above)
)
from airssys.wasm.fallback._store import Store  # noqa: PLC2701 (see above)
from airssys.wasm.values._memory import error_text  # noqa: PLC2701 (see above)
from airssys.wasm.values._types import Budget  # noqa: PLC2701 (see above)

if TYPE_CHECKING:
    from airssys.contracts import Guest, LoadedComponent
    from airssys.wasm.instances import Component
    from airssys.wasm.instances._instance import Instance
    from airssys.wasm.lane.core import CoreStore
    from airssys.wasm.loading._any_instance import AnyInstance

__all__ = ("Engine", "RawHealth", "RawInstances")

_PLENTY = 2**40
_HEALTH = list(EXPORTS).index("health")


@final
class RawHealth:
    """`health` of a guest that was called once, through the C API alone.

    It takes no parameters and returns an enum: the empty call of this world.
    """

    def __init__(self, guest: Guest) -> None:
        self._guest = guest  # unreferenced, it would be closed under our hands
        store = cast("Instance", guest)._store  # noqa: SLF001 (see above)
        opened = store._open  # noqa: SLF001 (see above)
        self._context, self._slots = opened.context, opened.slots

    def call_many(self, loops: int) -> tuple[float, int]:
        """Call that often; returns seconds, and how many answered."""
        context, data, base = self._context, self._slots.data, self._slots.base
        function = base + at.FUNCTIONS + _HEALTH * c.FUNC_SIZE
        result, error = base + at.RESULT, base + at.ERROR
        kind, place = c.Kind.ENUM, at.RESULT
        answered = 0
        began = perf_counter()
        for _ in range(loops):
            c.context_set_epoch_deadline(context, 1)
            future = c.func_call_async(function, context, None, 0, result, 1, error)
            while not c.future_poll(future):
                pass
            c.future_delete(future)
            answered += data[place] == kind
            c.val_delete(result)
            data[place] = 0
        return perf_counter() - began, answered


@final
class RawCall:
    """A function of a component of any world, by the C API and by our marshalling.

    It must have been called once: that is when it is looked up.
    """

    def __init__(self, guest: AnyInstance, name: str, *values: object) -> None:
        self._guest = guest  # as above
        self._values = values
        self._number = guest._numbers[name]  # noqa: SLF001 (see above)
        self._marshaller = guest._component.marshallers[name]  # noqa: SLF001 (see above)
        self._store = store = guest._store  # noqa: SLF001 (see above)
        self._opened = opened = store._open  # noqa: SLF001 (see above)
        self._frame = self._marshaller.lower_params(values)
        base = opened.slots.base
        function = base + store._functions + self._number * c.FUNC_SIZE  # noqa: SLF001 (see above)
        self._result, self._begin = (
            base + at.RESULT,
            (
                function,
                opened.context,
                self._frame.fixed.base,
                self._marshaller.count,
                base + at.RESULT,
                1,
                base + at.ERROR,
            ),
        )

    def call(self) -> None:
        """Call with the arguments that were laid out before."""
        self._leave_result()
        self._delete_result()

    def marshalled(self) -> object:
        """Lay out, call, read."""
        frame = self._marshaller.lower_params(self._values)
        budget = Budget(2**40)
        call, result = self._store.call_and_poll(
            self._number, self._marshaller, frame, budget, owner=self
        )
        if call is None:
            return result
        while not call.poll(self):
            pass
        return call.take_result(self._marshaller, budget)

    def lay_out(self) -> None:
        """Lay out the arguments, and nothing else."""
        self._marshaller.give_back(self._marshaller.lower_params(self._values))

    def read(self) -> None:
        """Read the arguments as if they were the result."""
        self._marshaller.lift_params(self._frame.fixed.base, Budget(2**40))

    def _leave_result(self) -> None:
        c.context_set_epoch_deadline(self._opened.context, 1)
        future = c.func_call_async(*self._begin)
        while not c.future_poll(future):
            pass
        c.future_delete(future)
        if error := self._opened.slots.words[at.ERROR // 8]:
            raise RuntimeError(error_text(error))

    def _delete_result(self) -> None:
        c.val_delete(self._result)
        self._opened.slots.data[at.RESULT] = 0


@final
class RawInstances:
    """Instances of a component and nothing else: a store, and its fiber polled through.

    They are on the lane of the component. Looking up functions, limits, `initialize` and
    closing are left out.
    """

    def __init__(self, component: LoadedComponent) -> None:
        runtime = cast("Component", component).runtime
        self._code = cast("Component", component).code
        self._linker, self._engine = runtime.linker, runtime.engine
        self._stores: list[Store | CoreStore] = []

    def make(self, count: int) -> tuple[float, int]:
        """Make this many on fresh stores; returns seconds, and how many stand."""
        stores, owner, finished = self._stores, object(), 0
        began = perf_counter()
        for _ in range(count):
            store = self._open()
            call = store.instantiate(self._linker, self._code.pointer, owner=owner)
            while not call.poll(owner):
                pass
            finished += call.finished
            stores.append(store)
        return perf_counter() - began, finished

    def _open(self) -> Store | CoreStore:
        core = self._code.core
        return Store(self._engine) if core is None else core.open_store((), _PLENTY)

    def close(self) -> None:
        """Close them all."""
        while self._stores:
            self._stores.pop().close()
