"""How a call begins and ends: `canon lift` and `canon lower`, as steps.

How values move is not known here: `Lifted` and `Lowered` say it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, final

import attrs

from airssys.wasm.lane.abi import ComponentState, Rule, RuleBroken, leave

from ._threads import (
    Cores,
    Instance,
    Kind,
    Outside,
    Resume,
    Run,
    Steps,
    Task,
    Thread,
    Wait,
)
from ._waitables import (
    CANCELLED,
    NOTHING,
    Event,
    EventCode,
    Subtask,
    SubtaskState,
    WaitableSet,
)

_EXIT, _YIELD, _WAIT = 0, 1, 2
BLOCKED: Final = 0xFFFF_FFFF
"""What a built-in returns that goes on by itself."""


class Lifted(Protocol):
    """A function of a guest, as its tasks call it."""

    @property
    def kind(self) -> Kind:
        """What of it matters to its tasks."""
        ...

    @property
    def core(self) -> object:
        """The core function."""
        ...

    @property
    def callback(self) -> object:
        """The core function that is given events, if there is one."""
        ...

    @property
    def post_return(self) -> object:
        """The core function that cleans up; None: there is none."""
        ...

    @property
    def instance(self) -> Instance:
        """The component instance that has it."""
        ...

    def lower_parameters(self, values: Any, task: Task) -> Steps:
        """Make core values of the parameters."""
        ...

    def lift_result(self, cores: Cores, task: Task) -> tuple[Any, ...]:
        """Make a value of what a core function returned."""
        ...


def begin_call(
    lifted: Lifted,
    on_start: Callable[[], Any],
    on_resolve: Callable[[Any], None],
    caller: ComponentState | None,
    *,
    is_from_outside: bool = False,
) -> Steps:
    """Call a function of a guest; gives the task, which may not have returned yet.

    Raises:
        RuleBroken: its instance may not be entered, or it blocks and may not.
    """
    instance = lifted.instance
    entered = instance.state.enter(caller)
    task = Task(
        lifted.kind,
        instance,
        on_start,
        on_resolve,
        lifted,
        is_from_outside=is_from_outside,
    )
    thread = Thread(task)
    thread.frames.append(_body(lifted, task, thread))
    holder = _ready_holder(lifted.kind, instance)
    if holder is not None:
        yield Resume(holder)
    yield Resume(thread)
    if not lifted.kind.is_async:
        while not task.is_resolved:
            yield Resume(_other_ready(instance))
    leave(entered)
    return task


def _ready_holder(kind: Kind, instance: Instance) -> Thread | None:
    """Find the one that alone keeps a new task out, if it has nothing to wait for now.

    It goes on first, and may let the new task in. So `sync-streams` of the suites wants
    it; by the reference the call returns before its task has started.
    """
    holder = instance.exclusive
    is_barred = instance.backpressure or instance.entering
    if is_barred or holder is None or not (kind.is_async and kind.is_exclusive):
        return None
    if holder.is_ready is None or not holder.is_ready():
        return None
    return holder


def _other_ready(instance: Instance) -> Thread:
    for thread in instance.threads:
        if thread is instance.exclusive or thread.is_ready is None:
            continue
        if thread.is_ready():
            return thread
    raise RuleBroken(Rule.MAY_BLOCK, "no other is ready")


def _body(lifted: Lifted, task: Task, thread: Thread) -> Steps:
    if not (yield from task.enter(thread)):
        return
    values = task.start()
    arguments = yield from lifted.lower_parameters(values, task)
    results = yield Run(lifted.core, arguments)
    if not lifted.kind.is_async_lifted:
        task.resolve(lifted.lift_result(results, task))
        if lifted.post_return is not None:
            lifted.instance.state.may_leave = False
            yield Run(lifted.post_return, results)
            lifted.instance.state.may_leave = True
    elif lifted.kind.has_callback:
        yield from _call_back(lifted, thread, results[0])
    task.exit(thread)


def _call_back(lifted: Lifted, thread: Thread, packed: Any) -> Steps:
    """Call the callback with one event after the other, until it has had enough."""
    instance = lifted.instance

    def is_free() -> bool:
        return instance.exclusive is None

    while (code := packed & 0xF) != _EXIT:
        if code > _WAIT:
            raise RuleBroken(Rule.CALLBACK_CODE_KNOWN, code)
        instance.exclusive = None
        if code == _YIELD:
            is_cancelled = yield Wait(is_free, is_cancellable=True)
            event = CANCELLED if is_cancelled else NOTHING
        else:
            found = find_set(instance, packed >> 4)
            event = yield from wait_for_event(found, is_free, is_cancellable=True)
        instance.exclusive = thread
        [packed] = yield Run(lifted.callback, tuple(event))


def find_set(instance: Instance, handle: int) -> WaitableSet:
    """Look up a set.

    Raises:
        RuleBroken: the handle is not one of a set.
    """
    found = instance.state.look_up(handle)
    if not isinstance(found, WaitableSet):
        raise RuleBroken(Rule.IS_WAITABLE_SET, handle)
    return found


def wait_for_event(
    within: WaitableSet,
    may_go_on: Callable[[], bool] | None = None,
    *,
    is_cancellable: bool,
    gives_way: bool = True,
) -> Steps:
    """Wait until a member of a set has an event; gives that."""

    def is_ready() -> bool:
        return within.has_event() and (may_go_on is None or may_go_on())

    within.waiting += 1
    is_cancelled = yield Wait(is_ready, is_cancellable, gives_way)
    within.waiting -= 1
    return CANCELLED if is_cancelled else within.take_event()


class Lowered(Protocol):
    """A function that a guest calls, as that sees it."""

    is_async: bool
    """Whether its type is that of an asynchronous function."""
    is_async_lowered: bool
    """Whether the guest goes on before it has returned."""
    instance: Instance

    def lift_parameters(self, cores: Cores, subtask: Subtask) -> tuple[Any, ...]:
        """Make values of the core parameters."""
        ...

    def lower_result(self, value: Any, cores: Cores, subtask: Subtask) -> Cores:
        """Write a result where the guest wants it, or make core values of it."""
        ...

    def call(
        self,
        on_start: Callable[[], Any],
        on_resolve: Callable[[Any], None],
    ) -> Steps:
        """Call the function; gives how to cancel it."""
        ...


@final
@attrs.define(eq=False)
class _Progress:
    """What notes how far a subtask has come that has a handle."""

    note: Callable[[], None] = lambda: None


def call_lowered(lowered: Lowered, cores: Cores) -> Steps:
    """Call a function for a guest; gives the core results.

    Raises:
        RuleBroken: the guest may not, now.
    """
    instance = lowered.instance
    instance.state.check_may_leave()
    subtask, progress = Subtask(), _Progress()

    def on_start() -> tuple[Any, ...]:
        progress.note()
        subtask.state = SubtaskState.STARTED
        return lowered.lift_parameters(cores, subtask)

    def on_resolve(result: tuple[Any, ...] | None) -> None:
        progress.note()
        if result is None:
            subtask.note_cancelled()
        else:
            found = lowered.lower_result(result[0], cores, subtask)
            subtask.resolve(SubtaskState.RETURNED, found)

    subtask.cancel = yield from lowered.call(on_start, on_resolve)
    if not lowered.is_async_lowered:
        if not subtask.is_resolved:
            yield from _until_resolved(lowered, subtask)
        subtask.see()
        return subtask.cores
    if subtask.is_resolved:
        subtask.see()
        return (int(SubtaskState.RETURNED),)
    handle = instance.state.add(subtask)
    progress.note = lambda: subtask.set_event(lambda: _how_far(subtask, handle))
    return (subtask.state | handle << 4,)


def _how_far(subtask: Subtask, handle: int) -> Event:
    if subtask.is_resolved:
        subtask.see()
    return Event(EventCode.SUBTASK, handle, subtask.state)


def _until_resolved(lowered: Lowered, subtask: Subtask) -> Steps:
    if lowered.is_async:
        yield Wait(lambda: subtask.is_resolved)
    else:  # the host may take its time even with what is not asynchronous
        yield Outside(lambda: subtask.is_resolved)
