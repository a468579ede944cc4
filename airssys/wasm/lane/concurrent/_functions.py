"""Functions of one instance: those that it exports, those that it calls, built-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, final

from airssys.wasm.lane import tasks
from airssys.wasm.lane.abi import (
    MOST_PARAMETERS,
    Core,
    Entry,
    Rule,
    RuleBroken,
    drop,
)
from airssys.wasm.lane.components import (
    Abi,
    ImportedFunction,
    LiftedFunction,
    LoweredFunction,
    ResourceFunction,
    ResourceVerb,
    TaskFunction,
    TaskVerb,
)
from airssys.wasm.lane.core import CoreValues

from ._signatures import (
    MOST_ASYNC_PARAMETERS,
    lifted_type,
    parameters_of,
    result_of,
)
from ._values import GuestBuffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.lane.abi import CallScope
    from airssys.wasm.lane.components import CoreItem, Plan
    from airssys.wasm.lane.tasks import Cores, Event, Instance, Steps, Subtask, Task

    from ._fibers import CoreFunction
    from ._values import HostSide, TaskMemory

_EVENT: tuple[Core, ...] = ("i32", "i32", "i32")


class Host(Protocol):
    """What the program does for an instance."""

    @property
    def side(self) -> HostSide:
        """Where resources and streams come from, and go to."""
        ...

    def call_host(
        self, name: str, values: tuple[Any, ...], resolve: Callable[[Any], None]
    ) -> Callable[[], None]:
        """Begin a host function; returns what cancels it.

        `resolve` is given its result in a tuple, or None when it was cancelled.
        """
        ...

    def drop(self, resource: str, representation: int) -> None:
        """Let go what the guest had."""
        ...


class Owner(Protocol):
    """The instance, as its functions see it."""

    plan: Plan
    host: Host
    instances: list[Instance]

    def function(self, item: CoreItem, values: CoreValues) -> CoreFunction:
        """Look up a core function."""
        ...

    def memory(
        self, abi: Abi, number: int, scope: CallScope, host: HostSide | None
    ) -> TaskMemory:
        """Get ready to move values of a function of one component instance."""
        ...

    def lifted(self, one: LiftedFunction) -> Lifted:
        """Look up a function that is lifted."""
        ...


@final
class Lifted:
    """A function that a component instance has, as its tasks call it."""

    def __init__(self, owner: Owner, one: LiftedFunction) -> None:
        self._owner, self._one = owner, one
        abi = one.abi
        self.instance = owner.instances[one.instance]
        self.how = abi.memory, abi.encoding
        """Where, and how, strings and lists lie."""
        returns = (one.type.result, *self.how)
        self.kind = tasks.Kind(
            one.is_async, abi.is_async, abi.callback is not None, returns
        )
        core = lifted_type(one)
        self.core = owner.function(one.core, CoreValues(*core))
        self.callback = self.post_return = None
        if abi.callback is not None:
            self.callback = owner.function(abi.callback, CoreValues(_EVENT, ("i32",)))
        if abi.post_return is not None:
            self.post_return = owner.function(abi.post_return, CoreValues(core[1], ()))
        self._parameters = parameters_of(one.type)
        self._result = result_of(one.type.result, 1)
        self._returned = result_of(one.type.result, MOST_PARAMETERS)

    def memory_for(self, task: Task) -> TaskMemory:
        """Get ready to move values of one call."""
        host = self._owner.host.side if task.is_from_outside else None
        one = self._one
        return self._owner.memory(one.abi, one.instance, task.scope, host)

    def lower_parameters(self, values: Any, task: Task) -> Steps:
        """Make core values of the parameters."""
        yield from ()
        return self._parameters.lower(self.memory_for(task), values)

    def lift_result(self, cores: Cores, task: Task) -> tuple[Any, ...]:
        """Make a value of what the core function returned."""
        found = self._result.lift(self.memory_for(task), cores)
        return found or (None,)

    def lift_returned(self, cores: Cores, task: Task) -> tuple[Any, ...]:
        """Make a value of what `task.return` was given."""
        found = self._returned.lift(self.memory_for(task), cores)
        return found or (None,)


@final
class Lowered:
    """A function that a component instance calls."""

    def __init__(self, owner: Owner, one: LoweredFunction) -> None:
        self._owner, self._one = owner, one
        self.is_async_lowered = one.abi.is_async
        self.is_async = one.function.is_async
        self.instance = owner.instances[one.instance]
        function = one.function.type
        most = MOST_ASYNC_PARAMETERS if one.abi.is_async else MOST_PARAMETERS
        self._parameters = parameters_of(function, most)
        self._result = result_of(function.result, 0 if one.abi.is_async else 1)
        self._has_result = function.result is not None
        self._host = None
        if isinstance(one.function, ImportedFunction):
            self._host = owner.host.side

    def _memory(self, subtask: Subtask) -> TaskMemory:
        one = self._one
        return self._owner.memory(one.abi, one.instance, subtask.scope, self._host)

    def lift_parameters(self, cores: Cores, subtask: Subtask) -> tuple[Any, ...]:
        """Make values of the core parameters."""
        count = len(self._parameters.cores)
        return self._parameters.lift(self._memory(subtask), cores[:count])

    def lower_result(self, value: Any, cores: Cores, subtask: Subtask) -> Cores:
        """Write a result where the guest wants it, or make core values of it."""
        if not self._has_result:
            return ()
        memory = self._memory(subtask)
        if self._result.in_memory:
            self._result.store(memory, (value,), int(cores[-1]))
            return ()
        return self._result.lower(memory, (value,))

    def call(
        self, on_start: Callable[[], Any], on_resolve: Callable[[Any], None]
    ) -> Steps:
        """Call the function; gives how to cancel it."""
        function = self._one.function
        if isinstance(function, LiftedFunction):
            lifted = self._owner.lifted(function)
            state = self.instance.state
            self._check_apart(lifted.instance)
            return (yield from tasks.begin_call(lifted, on_start, on_resolve, state))
        return self._owner.host.call_host(function.name, on_start(), on_resolve)

    def _check_apart(self, callee: Instance) -> None:
        """See that neither instance is inside the other one.

        So `trap-on-reenter` of the suites wants it ("for now"); by the reference such
        calls could be made.

        Raises:
            RuleBroken: one is.
        """
        mine, theirs = self.instance.state, callee.state
        if mine in theirs.around() or theirs in mine.around():
            raise RuleBroken(Rule.MAY_ENTER, "one is inside the other")


@final
class _Destructor:
    """The destructor of a resource, as a function that is called like others."""

    kind = tasks.Kind(is_async=False, is_async_lifted=False, has_callback=False)
    callback = post_return = None

    def __init__(self, core: CoreFunction, instance: Instance) -> None:
        self.core, self.instance = core, instance

    def lower_parameters(self, values: Any, _task: Task) -> Steps:
        """Pass the representation."""
        yield from ()
        return tuple(values)

    def lift_result(self, _cores: Cores, _task: Task) -> tuple[Any, ...]:
        """Return nothing."""
        return (None,)


def start_of(core: CoreFunction, instance: Instance) -> tasks.Lifted:
    """Make a function of a core module's start function."""
    return _Destructor(core, instance)


# ---------------------------------------------------------------- resources


def work_on_handle(owner: Owner, one: ResourceFunction, core: int) -> Cores:
    """Do `resource.new` or `resource.rep`."""
    state, name = owner.instances[one.instance].state, one.resource.name
    if one.verb is ResourceVerb.REP:
        return (state.find(core, name).representation,)
    state.check_may_leave()
    return (state.add(Entry(name, core, None)),)


def drop_handle(owner: Owner, one: ResourceFunction, handle: int) -> Steps:
    """Do `resource.drop`, with the destructor."""
    instance, resource = owner.instances[one.instance], one.resource
    instance.state.check_may_leave()
    found = drop(instance.state, handle, resource.name)
    if found is None:
        return ()
    if resource.instance is None:
        owner.host.drop(resource.name, found)
    elif resource.destructor is not None:
        core = owner.function(resource.destructor, CoreValues(("i32",), ()))
        destroy = _Destructor(core, owner.instances[resource.instance])
        yield from tasks.begin_call(
            destroy, lambda: (found,), lambda _: None, instance.state
        )
    return ()


# ---------------------------------------------------------------- built-ins


def do_at_once(  # noqa: C901, PLR0912  # one match over a closed set
    owner: Owner, one: TaskFunction, thread: tasks.Thread, cores: tuple[Any, ...]
) -> Cores:
    """Do what a built-in does that returns at once.

    Raises:
        RuleBroken: it may not be done.
    """
    instance, task = owner.instances[one.instance], thread.task
    assert task is not None  # noqa: S101  # code of a guest is that of a task
    match one.verb:
        case TaskVerb.TASK_CANCEL:
            tasks.cancel_task(task)
        case TaskVerb.CONTEXT_GET:
            return tasks.get_context(thread, one.place)
        case TaskVerb.CONTEXT_SET:
            tasks.set_context(thread, one.place, cores[0])
        case TaskVerb.SUBTASK_DROP:
            tasks.drop_subtask(instance, cores[0])
        case TaskVerb.STREAM_NEW | TaskVerb.FUTURE_NEW if one.copied is not None:
            return tasks.new_ends(instance, one.copied)
        case TaskVerb.SET_NEW:
            return tasks.new_set(instance)
        case TaskVerb.SET_POLL:
            write = _event_writer(owner, one, cores[1])
            return tasks.poll_set(
                instance, task, cores[0], write, is_cancellable=one.flag
            )
        case TaskVerb.SET_DROP:
            tasks.drop_set(instance, cores[0])
        case TaskVerb.JOIN:
            tasks.join(instance, cores[0], cores[1])
        case TaskVerb.BACKPRESSURE_INC:
            instance.press(1)
        case TaskVerb.BACKPRESSURE_DEC:
            instance.press(-1)
        case _ if one.copied is not None:
            is_readable = one.verb.name.endswith("READABLE")
            tasks.drop_end(instance, one.copied, cores[0], is_readable=is_readable)
        case _:
            pass
    return ()


def do_in_steps(
    owner: Owner, one: TaskFunction, thread: tasks.Thread, cores: tuple[Any, ...]
) -> Steps:
    """Do what a built-in does that may wait."""
    instance, task = owner.instances[one.instance], thread.task
    assert task is not None  # noqa: S101  # as above
    match one.verb:
        case TaskVerb.TASK_RETURN:
            yield from ()
            tasks.check_returns(task, _returns(one, task))
            assert isinstance(task.about, Lifted)  # noqa: S101  # it is asynchronous
            task.resolve(task.about.lift_returned(cores, task))
            return ()
        case TaskVerb.SUBTASK_CANCEL:
            steps = tasks.cancel_subtask(instance, cores[0], is_async=one.flag)
        case TaskVerb.YIELD:
            steps = tasks.give_way(instance, is_cancellable=one.flag)
        case TaskVerb.SET_WAIT:
            write = _event_writer(owner, one, cores[1])
            steps = tasks.wait_with_set(
                instance, cores[0], write, is_cancellable=one.flag
            )
        case _:
            steps = _copy_or_cancel(owner, one, instance, cores)
    return (yield from steps)


def _returns(one: TaskFunction, task: Task) -> object:
    """Say what a `task.return` is for; without a memory it goes with any."""
    if one.abi.memory is None and isinstance(task.about, Lifted):
        return (one.result, *task.about.how)
    return one.result, one.abi.memory, one.abi.encoding


def _copy_or_cancel(
    owner: Owner, one: TaskFunction, instance: Instance, cores: tuple[Any, ...]
) -> Steps:
    copied, word = one.copied, one.verb.name
    assert copied is not None  # noqa: S101  # all others were dealt with
    is_readable = word.endswith("READ")
    if "CANCEL" in word:
        return tasks.cancel_copy(
            instance, copied, cores[0], is_readable=is_readable, is_async=one.flag
        )

    def make_buffer() -> GuestBuffer:
        scope = _no_scope()
        memory = owner.memory(one.abi, one.instance, scope, None)
        length = cores[2] if copied.is_stream else 1
        return GuestBuffer(memory, copied.element, cores[1], length)

    return tasks.copy(
        instance,
        copied,
        cores[0],
        make_buffer,
        is_readable=is_readable,
        is_async=one.abi.is_async,
    )


def _no_scope() -> CallScope:
    return tasks.Subtask().scope  # nothing can be borrowed through a stream


def _event_writer(owner: Owner, one: TaskFunction, at: int) -> Callable[[Event], None]:
    def write(event: Event) -> None:
        memory = owner.memory(one.abi, one.instance, _no_scope(), None)
        memory.area(at, 8, 4)
        view = memory.view
        view[at : at + 4] = event.handle.to_bytes(4, "little")
        view[at + 4 : at + 8] = (event.what & 0xFFFF_FFFF).to_bytes(4, "little")

    return write
