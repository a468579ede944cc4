"""One instance of a component with asynchronous parts: a store, its tasks, its fibers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys.contracts import EngineMisused
from airssys.wasm.engine import UNLIMITED_FUEL, OpenStore
from airssys.wasm.lane import tasks
from airssys.wasm.lane.abi import CallScope, ComponentState, Rule, RuleBroken
from airssys.wasm.lane.adapters import ANSWERED, PENDING, SCRATCH
from airssys.wasm.lane.components import (
    Abi,
    LiftedFunction,
    LoweredFunction,
    ResourceFunction,
    TaskFunction,
)
from airssys.wasm.lane.core import (
    SHIM,
    CoreFailed,
    CoreValues,
    LinearMemory,
    Source,
    address_of,
    c_api,
    failed,
)
from airssys.wasm.values import Block

from ._fibers import CoreFunction, Fiber, Open
from ._functions import (
    Host,
    Lifted,
    Lowered,
    do_at_once,
    do_in_steps,
    drop_handle,
    start_of,
    work_on_handle,
)
from ._values import HostSide, TaskHandles, TaskMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airssys.wasm.lane.components import CoreItem
    from airssys.wasm.lane.tasks import Cores, Steps, Thread

    from ._code import TaskCode

_NEVER: Final = 2**62
_NOTHING: Final = CoreValues((), ())
_REALLOC: Final = CoreValues(("i32",) * 4, ("i32",))
_PATIENCE: Final = 3
"""Epochs that one `realloc` may take: nothing else can run meanwhile."""


@final
@attrs.define(eq=False)
class Begun:
    """A call that the program made."""

    is_async: bool
    task: tasks.Task | None = None
    """None until it has begun to run."""


@final
class TaskInstance:
    """A store with one component in it, and any number of calls. Close it before its code."""

    def __init__(self, code: TaskCode, host: Host) -> None:
        self.code, self.plan, self.host = code, code.plan, host
        self.instances: list[tasks.Instance] = []
        for parent in code.plan.parents:
            around = None if parent is None else self.instances[parent].state
            self.instances.append(tasks.Instance(ComponentState(around)))
        self.scheduler = tasks.Scheduler(self._begin)
        self.failure: BaseException | None = None
        self.paused: tuple[Steps, tuple[str, ...]] | None = None
        self.is_spent = False
        self._make_store()
        self._instances = Block(c_api.INSTANCE_SIZE * len(code.steps.steps))
        self._externs: dict[Source, Block] = {}
        self._memories: dict[CoreItem, LinearMemory] = {}
        self._lifted: dict[int, tuple[LiftedFunction, Lifted]] = {}
        self._lowered: dict[int, Lowered] = {}

    def _make_store(self) -> None:
        engine = self.code.engine
        engine.check()
        pointer = c_api.store_new(engine.pointer, None, None)
        context = c_api.store_context(pointer)
        self.opened = OpenStore(pointer, context, Block(16))
        self._open = self.opened.handles = Open()
        engine.ledger.stores[context] = self.opened
        c_api.context_set_fuel(context, UNLIMITED_FUEL)
        c_api.context_set_epoch_deadline(context, 1)
        c_api.store_epoch_deadline_callback(pointer, self.code.epoch, None, None)

    def limit(
        self, memory_bytes: int, table_elements: int, memories: int, tables: int
    ) -> None:
        """Bound what the guest has; the scratch memory comes on top."""
        c_api.store_limiter(
            self.opened.pointer, memory_bytes, table_elements, -1, tables, memories + 1
        )

    def refuel(self, fuel: int) -> None:
        """Fill up to `fuel`, whatever was left."""
        c_api.context_set_fuel(self.opened.context, fuel)

    # ---------------------------------------------------- making it

    def start(self) -> Iterator[None]:
        """Make the core instances; yields while what one starts with has to go on."""
        context, place = self.opened.context, self._instances.base
        out = Block(8)
        c_api.context_set_epoch_deadline(context, _NEVER)
        error = c_api.instance_pre_instantiate(self.code.shim, context, place, out.base)
        self._check(error, out.words[0])
        self.scratch = LinearMemory(context, self._address(Source(SHIM, SCRATCH)))
        self.scratch.refresh()
        for number, step in enumerate(self.code.steps.steps):
            if number != SHIM:
                c_api.context_set_epoch_deadline(context, _NEVER)
                self._instantiate(number)
            if step.start is not None:
                core = CoreFunction(self._address(Source(number, step.start)), _NOTHING)
                yield from self._run_start(core, self.code.steps.owners[number])

    def _run_start(self, core: CoreFunction, owner: int) -> Iterator[None]:
        lifted = start_of(core, self.instances[owner])
        steps = tasks.begin_call(lifted, lambda: (), lambda _: None, None)
        self.scheduler.start(steps)
        while not self.scheduler.is_idle:
            if not self.run_for(0.0) and not self.scheduler.is_idle:
                raise RuleBroken(Rule.MAY_BLOCK, "in a start function")
            yield

    def _instantiate(self, number: int) -> None:
        context, trap = self.opened.context, Block(8)
        looking_up = self.code.looking_up
        with looking_up.lock:
            error = c_api.instance_new(
                context,
                self.code.modules[number],
                *looking_up.look_up(context, self._instances.data, number),
                self._instances.base + number * c_api.INSTANCE_SIZE,
                trap.base,
            )
        self._check(error, trap.words[0])

    def _check(self, error: int, trap: int) -> None:
        if error or trap:
            self.is_spent = True
            failure, self.failure = self.failure, None
            found = failed(error, trap)
            raise found if failure is None else failure

    # ---------------------------------------------------- running it

    def call(
        self, full: str, values: tuple[Any, ...], resolve: Callable[[Any], None]
    ) -> Begun:
        """Begin to call an export; `run_for` goes on with it.

        Args:
            full: the export.
            values: its arguments.
            resolve: is given its result in a tuple, or None if it was cancelled.
        """
        one = self.plan.exports[full]
        assert isinstance(one, LiftedFunction)  # noqa: S101  # checked when it is loaded
        if self.is_spent or not self.opened.pointer:
            raise EngineMisused("this instance is spent or closed")
        begun = Begun(one.is_async)

        def steps() -> Steps:
            begun.task = yield from tasks.begin_call(
                self.lifted(one), lambda: values, resolve, None, is_from_outside=True
            )

        self.scheduler.start(steps())
        return begun

    def cancel(self, begun: Begun) -> bool:
        """Ask a call to end by itself; returns whether it can be asked."""
        task = begun.task
        if task is None or not begun.is_async:
            return False
        if not (task.is_resolved or task.is_cancelled):
            self.scheduler.start(task.request_cancel(None))
        return True

    def run_for(self, seconds: float) -> bool:
        """Go on for so long, at least one step; False: nothing can without the host.

        Raises:
            CoreFailed: the guest was stopped.
            RuleBroken: it did what it may not.
        """
        scheduler, end = self.scheduler, time.perf_counter() + seconds
        try:
            while True:
                if scheduler.is_idle:
                    if not scheduler.pick():
                        return False
                elif not scheduler.go_on():
                    return scheduler.current.is_ready is None
                if time.perf_counter() > end:
                    return True
        except BaseException:
            self.is_spent = True
            raise

    def _begin(self, _thread: Thread, function: object, arguments: Cores) -> Fiber:
        assert isinstance(function, CoreFunction)  # noqa: S101  # all are
        return Fiber(self, self._open, function, arguments)

    def polling(self) -> dict[int, Any]:
        """Where callbacks find this instance."""
        found: dict[int, Any] = self.code.engine.polling
        return found

    # ---------------------------------------------------- what callbacks do

    def do(self, number: int, cores: tuple[Any, ...]) -> Cores:
        """Do what a canonical function does that returns at once; on the guest's stack."""
        one = self.plan.canonical[number]
        if isinstance(one, ResourceFunction):
            return work_on_handle(self, one, cores[0])
        assert isinstance(one, TaskFunction)  # noqa: S101  # others pause
        return do_at_once(self, one, self.scheduler.current, cores)

    def pause(self, number: int, cores: tuple[Any, ...]) -> None:
        """Note a call of one that may wait, and have the guest pause; on its stack."""
        self.paused = self._steps(number, cores), self.code.results[number]
        self.scratch.view[ANSWERED] = PENDING
        c_api.context_set_epoch_deadline(self.opened.context, 0)

    def _steps(self, number: int, cores: tuple[Any, ...]) -> Steps:
        one = self.plan.canonical[number]
        match one:
            case LoweredFunction():
                if number not in self._lowered:
                    self._lowered[number] = Lowered(self, one)
                return tasks.call_lowered(self._lowered[number], cores)
            case ResourceFunction():
                return drop_handle(self, one, cores[0])
            case TaskFunction():
                return do_in_steps(self, one, self.scheduler.current, cores)

    # ---------------------------------------------------- what functions need

    def lifted(self, one: LiftedFunction) -> Lifted:
        """Look up a function that is lifted."""
        found = self._lifted.get(id(one))
        if found is None:
            found = self._lifted[id(one)] = one, Lifted(self, one)
        return found[1]

    def function(self, item: CoreItem, values: CoreValues) -> CoreFunction:
        """Look up a core function."""
        return CoreFunction(self._address(self.code.steps.source(item)), values)

    def memory(
        self, abi: Abi, number: int, scope: CallScope, host: HostSide | None
    ) -> TaskMemory:
        """Get ready to move values of a function of one component instance."""
        instance, memory = self.instances[number], None
        if abi.memory is not None:
            memory = self._memories.get(abi.memory)
            if memory is None:
                place = self._address(self.code.steps.source(abi.memory))
                memory = LinearMemory(self.opened.context, place)
                self._memories[abi.memory] = memory
        handles = TaskHandles(self.plan, number, instance, scope, host)
        realloc = None
        if abi.realloc is not None:
            realloc = self._reallocating(abi.realloc, instance)
        return TaskMemory(abi.encoding, memory, handles, realloc)

    def _reallocating(
        self, item: CoreItem, instance: tasks.Instance
    ) -> Callable[[int, int], int]:
        def reallocate(alignment: int, size: int) -> int:
            instance.state.may_leave = False
            fiber = Fiber(
                self, self._open, self.function(item, _REALLOC), (0, 0, alignment, size)
            )
            for _ in range(_PATIENCE):
                outcome = fiber.poll()
                if isinstance(outcome, tuple):
                    instance.state.may_leave = True
                    return int(outcome[0])
                if outcome is not None:
                    raise RuleBroken(Rule.MAY_LEAVE, "in realloc")
            fiber.drop()
            raise CoreFailed(None, "realloc did not end")

        return reallocate

    def _address(self, source: Source) -> int:
        extern = self._externs.get(source)
        if extern is None:
            extern = Block(c_api.EXTERN_SIZE)
            name = source.name.encode()
            place = self._instances.base + source.step * c_api.INSTANCE_SIZE
            if not c_api.instance_export_get(
                self.opened.context, place, address_of(name), len(name), extern.base
            ):
                raise CoreFailed(None, f"a core instance lacks {source.name!r}")
            self._externs[source] = extern
        address: int = extern.base + c_api.EXTERN_OF
        return address

    def close(self) -> None:
        """Give back everything; does nothing twice."""
        self.is_spent = True
        self.code.engine.ledger.close_store(self.opened)
