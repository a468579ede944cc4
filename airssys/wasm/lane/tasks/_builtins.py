"""The built-ins: what core modules call to work with tasks and what these wait for.

Those that never wait are functions; the others are steps. Each begins with what the
canonical ABI checks, in its order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airssys.wasm.lane.abi import Rule, RuleBroken

from ._calls import BLOCKED, find_set, wait_for_event
from ._copies import LONGEST, Buffer, CopyEnd, CopyState, Shared
from ._threads import Cores, Instance, Steps, Task, Thread, Wait
from ._waitables import CANCELLED, NOTHING, Event, Subtask, Waitable, WaitableSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.lane.components import CopyType

# ---------------------------------------------------------------- tasks


def check_returns(task: Task, returns: object) -> None:
    """See that a task may return what `task.return` was made for.

    Raises:
        RuleBroken: it may not.
    """
    _check_itself(task)
    if returns != task.kind.returns:
        raise RuleBroken(Rule.RETURNS_RIGHT_TYPE, "task.return")


def _check_itself(task: Task) -> None:
    task.instance.state.check_may_leave()
    if not task.kind.is_async_lifted:
        raise RuleBroken(Rule.IS_ASYNCHRONOUS, "task.return or task.cancel")


def cancel_task(task: Task) -> None:
    """Do `task.cancel`.

    Raises:
        RuleBroken: it was not asked to end.
    """
    _check_itself(task)
    task.resolve(None)


def get_context(thread: Thread, place: int) -> Cores:
    """Do `context.get`."""
    return (thread.storage[place],)


def set_context(thread: Thread, place: int, value: int) -> None:
    """Do `context.set`."""
    thread.storage[place] = value


def give_way(instance: Instance, *, is_cancellable: bool) -> Steps:
    """Do `thread.yield`."""
    instance.state.check_may_leave()
    is_cancelled = yield Wait(lambda: True, is_cancellable)
    return (int(is_cancelled),)


# ---------------------------------------------------------------- sets


def new_set(instance: Instance) -> Cores:
    """Do `waitable-set.new`."""
    instance.state.check_may_leave()
    return (instance.state.add(WaitableSet()),)


def wait_with_set(
    instance: Instance,
    handle: int,
    write: Callable[[Event], None],
    *,
    is_cancellable: bool,
) -> Steps:
    """Do `waitable-set.wait`; it gives way only if there is no event yet.

    The reference leaves open whether it does with an event there. The suites want that
    it does not.
    """
    instance.state.check_may_leave()
    within = find_set(instance, handle)
    event = yield from wait_for_event(
        within, is_cancellable=is_cancellable, gives_way=False
    )
    write(event)
    return (int(event.code),)


def poll_set(
    instance: Instance,
    task: Task,
    handle: int,
    write: Callable[[Event], None],
    *,
    is_cancellable: bool,
) -> Cores:
    """Do `waitable-set.poll`."""
    instance.state.check_may_leave()
    within = find_set(instance, handle)
    event = NOTHING
    if task.deliver_cancel(is_cancellable=is_cancellable):
        event = CANCELLED
    elif within.has_event():
        event = within.take_event()
    write(event)
    return (int(event.code),)


def drop_set(instance: Instance, handle: int) -> None:
    """Do `waitable-set.drop`."""
    instance.state.check_may_leave()
    found = find_set(instance, handle)
    instance.state.remove(handle)
    found.drop()


def join(instance: Instance, handle: int, within: int) -> None:
    """Do `waitable.join`."""
    instance.state.check_may_leave()
    found = instance.state.look_up(handle)
    if not isinstance(found, Waitable):
        raise RuleBroken(Rule.IS_WAITABLE, handle)
    if found.is_waited_for:
        raise RuleBroken(Rule.NOT_WAITED_FOR, handle)
    found.join(find_set(instance, within) if within else None)


def _wait_alone(waitable: Waitable) -> Steps:
    waitable.is_waited_for = True
    yield Wait(waitable.has_event)
    waitable.is_waited_for = False


# ---------------------------------------------------------------- subtasks


def cancel_subtask(instance: Instance, handle: int, *, is_async: bool) -> Steps:
    """Do `subtask.cancel`."""
    instance.state.check_may_leave()
    subtask = _subtask(instance, handle)
    if subtask.is_seen:
        raise RuleBroken(Rule.SUBTASK_NOT_RESOLVED, handle)
    if subtask.is_cancelled:
        raise RuleBroken(Rule.CANCELLED_ONCE, handle)
    _check_alone(subtask, handle, is_async=is_async)
    if not subtask.is_resolved:
        subtask.is_cancelled = True
        yield from _request_cancel(instance, subtask)
        if not subtask.is_resolved:
            if is_async:
                return (BLOCKED,)
            yield from _wait_alone(subtask)
    return (subtask.take_event().what,)


def _request_cancel(instance: Instance, subtask: Subtask) -> Steps:
    if isinstance(subtask.cancel, Task):
        yield from subtask.cancel.request_cancel(instance.state)
    elif subtask.cancel is not None:
        subtask.cancel()


def drop_subtask(instance: Instance, handle: int) -> None:
    """Do `subtask.drop`."""
    instance.state.check_may_leave()
    subtask = _subtask(instance, handle)
    instance.state.remove(handle)
    subtask.drop()


def _subtask(instance: Instance, handle: int) -> Subtask:
    found = instance.state.look_up(handle)
    if not isinstance(found, Subtask):
        raise RuleBroken(Rule.IS_SUBTASK, handle)
    return found


def _check_alone(waitable: Waitable, handle: int, *, is_async: bool) -> None:
    if waitable.within is not None and not is_async:
        raise RuleBroken(Rule.NOT_IN_A_SET, handle)


# ---------------------------------------------------------------- streams, futures


def new_ends(instance: Instance, type_: CopyType) -> Cores:
    """Do `stream.new` or `future.new`."""
    instance.state.check_may_leave()
    shared = Shared(type_)
    readable = instance.state.add(CopyEnd(shared, is_readable=True))
    writable = instance.state.add(CopyEnd(shared, is_readable=False))
    return (readable | writable << 32,)


def copy(
    instance: Instance,
    type_: CopyType,
    handle: int,
    make_buffer: Callable[[], Buffer],
    *,
    is_readable: bool,
    is_async: bool,
) -> Steps:
    """Do `stream.read`, `stream.write`, `future.read` or `future.write`."""
    instance.state.check_may_leave()
    end = _end(instance, type_, handle, is_readable=is_readable)
    if end.state is not CopyState.IDLE:
        raise RuleBroken(Rule.END_IDLE, end.state.name)
    _check_alone(end, handle, is_async=is_async)
    end.copy(instance, make_buffer(), handle)
    return (yield from _until_copied(end, is_async=is_async))


def check_buffer(length: int) -> None:
    """See that a buffer may be as long as that.

    Raises:
        RuleBroken: it may not.
    """
    if length > LONGEST:
        raise RuleBroken(Rule.BUFFER_NOT_TOO_LONG, length)


def cancel_copy(
    instance: Instance,
    type_: CopyType,
    handle: int,
    *,
    is_readable: bool,
    is_async: bool,
) -> Steps:
    """Do `stream.cancel-read` and its three siblings.

    A copy that has come to something, and could be continued, is cancelled too. So
    `cancel-stream` and `big-interleaving-test` of the suites want it, and wasmtime does
    it; the reference says that it was completed.
    """
    instance.state.check_may_leave()
    end = _end(instance, type_, handle, is_readable=is_readable)
    if end.state is not CopyState.COPYING or end.is_waited_for:
        raise RuleBroken(Rule.END_COPYING, end.state.name)
    _check_alone(end, handle, is_async=is_async)
    end.state = CopyState.CANCELLING
    if end.goes_on or not end.has_event():
        end.shared.cancel()
    return (yield from _until_copied(end, is_async=is_async))


def _until_copied(end: CopyEnd, *, is_async: bool) -> Steps:
    if not end.has_event():
        if is_async:
            return (BLOCKED,)
        yield from _wait_alone(end)
    return (end.take_event().what,)


def drop_end(
    instance: Instance, type_: CopyType, handle: int, *, is_readable: bool
) -> None:
    """Do `stream.drop-readable` and its three siblings."""
    instance.state.check_may_leave()
    end = _end(instance, type_, handle, is_readable=is_readable)
    instance.state.remove(handle)
    end.drop()


def lift_end(instance: Instance, type_: CopyType, handle: int) -> Shared:
    """Take a readable end that an instance gives away.

    Raises:
        RuleBroken: it is none, or in use.
    """
    end = _end(instance, type_, handle, is_readable=True)
    if end.state is not CopyState.IDLE:
        raise RuleBroken(Rule.END_IDLE, end.state.name)
    if end.within is not None:
        raise RuleBroken(Rule.NOT_IN_A_SET, handle)
    instance.state.remove(handle)
    return end.shared


def lower_end(instance: Instance, shared: Shared) -> int:
    """Give a readable end to an instance; returns its handle."""
    return instance.state.add(CopyEnd(shared, is_readable=True))


def _end(
    instance: Instance, type_: CopyType, handle: int, *, is_readable: bool
) -> CopyEnd:
    found: Any = instance.state.look_up(handle)
    if (
        not isinstance(found, CopyEnd)
        or found.is_readable is not is_readable
        or found.shared.type.is_stream is not type_.is_stream
    ):
        raise RuleBroken(Rule.IS_RIGHT_END, handle)
    if found.shared.type != type_:
        raise RuleBroken(Rule.END_OF_RIGHT_TYPE, handle)
    return found
