"""Asynchronous guests as plain values: guests are generators here, wasm is not run.

With `AIRSSYS_SUITES`, a working copy of WebAssembly/component-model, streams and futures
are also compared with the reference itself, over random operations.
"""

import importlib.util
import os
import sys
from pathlib import Path

import attrs
import pytest
from hypothesis import example, given, strategies as st

from airssys.wasm.lane import tasks as t
from airssys.wasm.lane.abi import ComponentState, Rule, RuleBroken
from airssys.wasm.lane.components import CopyType
from airssys.wasm.values import STRING, Number

SUITES = os.environ.get("AIRSSYS_SUITES")
BYTES = CopyType(True, Number.U8)
ONE = CopyType(False, Number.U8)
SYNC, PLAIN = t.Kind(False, False, False), t.Kind(True, False, False)
CALLBACK, STACKFUL = t.Kind(True, True, True), t.Kind(True, True, False)
EXIT, YIELD, WAIT = 0, 1, 2


class Buffer:
    def __init__(self, length, values=()):
        self.length, self.progress, self.values = length, 0, list(values)

    def read(self, count):
        self.progress += count
        return self.values[self.progress - count : self.progress]

    def write(self, values):
        self.progress += len(values)
        self.values += values


class Fake:
    """A core function: a generator that yields steps of built-ins, or None to give way."""

    def __init__(self, generator):
        self.generator, self.given = generator, None

    def poll(self):
        given, self.given = self.given, None
        try:
            return self.generator.send(given)
        except StopIteration as end:
            value = end.value
            return value if isinstance(value, tuple) else (value or 0,)

    def answer(self, results):
        self.given = results[0] if results else None


@attrs.define(eq=False)
class Function:
    """A lifted function; `core` and `callback` take the world and core values."""

    instance: t.Instance
    kind: t.Kind
    core: object
    callback: object = None
    post_return: object = None

    def lower_parameters(self, values, task):
        return tuple(values)
        yield

    def lift_result(self, cores, task):
        return cores


@attrs.define(eq=False)
class Import:
    """A lowered function."""

    instance: t.Instance
    to: object
    is_async_lowered: bool = True
    is_async: bool = True

    def lift_parameters(self, cores, subtask):
        return cores

    def lower_result(self, value, cores, subtask):
        return () if self.is_async_lowered else (value,)

    def call(self, on_start, on_resolve):
        if isinstance(self.to, Function):
            caller = self.instance.state
            return (yield from t.begin_call(self.to, on_start, on_resolve, caller))
        return self.to(on_start, on_resolve)


class World:
    """A store with as many component instances as are asked for."""

    def __init__(self):
        self.scheduler = t.Scheduler(self.begin)
        self.results = []

    def begin(self, thread, function, arguments):
        return Fake(function(*arguments))

    def instance(self):
        return t.Instance(ComponentState(None))

    @property
    def task(self):
        return self.scheduler.current.task

    def call(self, function, *values):
        steps = t.begin_call(function, lambda: values, self.results.append, None)
        self.scheduler.start(steps)

    def run(self, most=10_000):
        """Go on until nothing can."""
        for _ in range(most):
            if self.scheduler.is_idle:
                if not self.scheduler.pick():
                    return
            elif not self.scheduler.go_on():
                pass
        raise AssertionError("it never ends")

    def returns(self, value, returns=None):
        t.check_returns(self.task, returns)
        self.task.resolve((value,))


def broken(rule, act, *arguments, **options):
    with pytest.raises(RuleBroken) as error:
        act(*arguments, **options)
    assert error.value.rule is rule


def steps_break(rule, steps):
    broken(rule, next, steps)


# ---------------------------------------------------------------- tasks


def test_a_callback_is_called_with_one_event_after_the_other_until_it_exits():
    world = World()
    instance = world.instance()
    seen = []

    def core(number):
        return YIELD
        yield

    def callback(*event):
        seen.append(event)
        if len(seen) == 2:
            world.returns(7)
            return EXIT
        return YIELD
        yield

    world.call(Function(instance, CALLBACK, core, callback), 1)
    world.run()
    assert (seen, world.results) == ([(0, 0, 0)] * 2, [(7,)])
    assert (instance.threads, instance.exclusive) == ([], None)
    assert instance.state.may_enter


def test_a_guest_waits_for_two_host_functions_at_once():
    world = World()
    instance = world.instance()
    pending, seen = [], []

    def host(on_start, on_resolve):
        pending.append((on_start(), on_resolve))
        return lambda: None

    def core():
        handles = []
        for number in (1, 2):
            packed = yield t.call_lowered(Import(instance, host), (number,))
            assert packed & 15 == 1
            handles.append(packed >> 4)
        (both,) = t.new_set(instance)
        for handle in handles:
            t.join(instance, handle, both)
        return WAIT | both << 4

    def callback(code, handle, state):
        seen.append((code, state))
        t.drop_subtask(instance, handle)
        if len(seen) == 2:
            world.returns(5)
            return EXIT
        return WAIT | 3 << 4
        yield

    world.call(Function(instance, CALLBACK, core, callback))
    world.run()
    assert [given for given, _ in pending] == [(1,), (2,)]
    assert not world.results
    for _, resolve in reversed(pending):
        resolve((0,))
        world.run()
    assert (seen, world.results) == ([(1, 2), (1, 2)], [(5,)])


def test_a_task_with_a_callback_enters_when_the_one_before_waits_not_in_its_middle():
    world = World()
    instance = world.instance()
    order = []

    def core(number):
        order.append(("core", number))
        yield from ()
        yield t.give_way(instance, is_cancellable=False)
        order.append(("after", number))
        return YIELD

    def callback(*_):
        order.append(("callback", 0))
        world.returns(0)
        return EXIT
        yield

    function = Function(instance, CALLBACK, core, callback)
    world.call(function, 1)
    world.call(function, 2)
    world.run()
    assert order[:2] == [("core", 1), ("after", 1)]
    assert ("core", 2) in order[2:]
    assert len(world.results) == 2


def test_backpressure_holds_back_new_tasks_only():
    world = World()
    instance = world.instance()

    def core():
        instance.press(1)
        yield t.give_way(instance, is_cancellable=False)
        world.returns(1)
        return ()

    function = Function(instance, STACKFUL, core)
    world.call(function)
    world.run()
    world.call(function)
    world.run()
    assert world.results == [(1,)]
    assert instance.entering == 1
    instance.press(-1)
    world.run()
    assert len(world.results) == 2


def test_a_guest_calls_another_and_gets_its_result():
    world = World()
    caller, callee = world.instance(), world.instance()

    def inner(number):
        yield t.give_way(callee, is_cancellable=False)
        world.returns(number + 1)
        return ()

    imported = Import(caller, Function(callee, STACKFUL, inner), is_async_lowered=False)

    def outer(number):
        found = yield t.call_lowered(imported, (number,))
        world.returns(found * 2)
        return ()

    world.call(Function(caller, STACKFUL, outer), 20)
    world.run()
    assert world.results == [(42,)]


def states_of_calls(*calls):
    """Let a guest call another one, and return the state after its last call."""
    world = World()
    caller, callee = world.instance(), world.instance()

    def outer():
        for kind, core in calls:
            function = Function(callee, kind, lambda core=core: core(world, callee))
            packed = yield t.call_lowered(Import(caller, function), ())
        world.returns(packed & 0xF)
        return ()

    world.call(Function(caller, STACKFUL, outer))
    world.run()
    return world.results


def test_a_wait_with_an_event_that_is_there_already_does_not_give_way():
    def waits(world, instance):
        (ends,) = t.new_ends(instance, BYTES)
        reads, writes = ends & 0xFFFF_FFFF, ends >> 32
        for handle, buffer in ((reads, Buffer(1)), (writes, Buffer(1, [7]))):
            yield t.copy(
                instance,
                BYTES,
                handle,
                lambda buffer=buffer: buffer,
                is_readable=handle == reads,
                is_async=True,
            )
        (found,) = t.new_set(instance)
        t.join(instance, reads, found)
        code = yield t.wait_with_set(instance, found, lambda _: 0, is_cancellable=False)
        assert code == t.EventCode.STREAM_READ
        world.returns(0)
        return ()

    assert states_of_calls((STACKFUL, waits)) == [(2,)]  # it has returned


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_new_task_starts_if_the_one_that_keeps_it_out_has_nothing_to_wait_for(
    is_ready,
):
    def keeps_out(world, instance):
        world.task.resolve((0,))
        if is_ready:
            yield t.give_way(instance, is_cancellable=False)
        else:
            (found,) = t.new_set(instance)
            yield t.wait_with_set(instance, found, None, is_cancellable=False)
        return EXIT

    def waits(_world, instance):
        (found,) = t.new_set(instance)
        yield t.wait_with_set(instance, found, None, is_cancellable=False)

    found = states_of_calls((CALLBACK, keeps_out), (CALLBACK, waits))
    assert found == [(int(is_ready),)]  # 0: starting, 1: started


@pytest.mark.parametrize("starts", [True, False])
def test_a_subtask_that_is_cancelled_says_how_far_it_had_come(starts):
    world = World()
    caller, callee = world.instance(), world.instance()
    callee.press(0 if starts else 1)

    def inner():
        (found,) = t.new_set(callee)
        code = yield t.wait_with_set(callee, found, lambda _: 0, is_cancellable=True)
        assert code == t.EventCode.TASK_CANCELLED
        t.cancel_task(world.task)
        return ()

    imported = Import(caller, Function(callee, STACKFUL, inner))

    def outer():
        packed = yield t.call_lowered(imported, ())
        handle = packed >> 4
        found = yield t.cancel_subtask(caller, handle, is_async=False)
        t.drop_subtask(caller, handle)
        world.returns(found)
        return ()

    world.call(Function(caller, STACKFUL, outer))
    world.run()
    assert world.results == [(4 if starts else 3,)]


# ---------------------------------------------------------------- rules of tasks


def run_broken(rule, kind, core, callback=None):
    world = World()
    instance = world.instance()
    world.call(
        Function(
            instance,
            kind,
            lambda: core(world, instance),
            callback and (lambda *_: callback(world, instance)),
        )
    )
    broken(rule, world.run)


def ends(value):
    return lambda world, instance: iter_of(lambda: value)


def iter_of(act):
    return act()
    yield


def test_what_a_task_may_not_do_when_it_returns():
    def twice(world, instance):
        world.returns(1)
        world.returns(2)
        yield

    def itself(world, instance):
        world.returns(1)
        yield

    def another(world, instance):
        world.returns(1, "another type")
        yield

    def cancels(world, instance):
        t.cancel_task(world.task)
        yield

    run_broken(Rule.RETURNS_RIGHT_TYPE, STACKFUL, another)
    run_broken(Rule.RETURNS_ONCE, STACKFUL, twice)
    run_broken(Rule.RETURNS, STACKFUL, ends(()))
    run_broken(Rule.IS_ASYNCHRONOUS, PLAIN, itself)
    run_broken(Rule.IS_ASYNCHRONOUS, PLAIN, cancels)
    run_broken(Rule.CANCELS_IF_ASKED, STACKFUL, cancels)


def test_a_task_may_not_end_with_what_it_was_lent():
    def keeps(world, instance):
        world.task.scope.borrows = 1
        world.returns(1)
        yield

    def keeps_cancelled(world, instance):
        world.task.scope.borrows = 1
        world.task.state = type(world.task.state).CANCEL_DELIVERED
        t.cancel_task(world.task)
        yield

    run_broken(Rule.BORROWS_RETURNED, STACKFUL, keeps)
    run_broken(Rule.BORROWS_RETURNED, STACKFUL, keeps_cancelled)


@pytest.mark.parametrize("code", [3, 15])
def test_a_code_of_a_callback_that_has_no_meaning(code):
    run_broken(Rule.CALLBACK_CODE_KNOWN, CALLBACK, ends(code))


def test_a_callback_that_waits_with_what_is_not_a_set():
    run_broken(Rule.HANDLE_KNOWN, CALLBACK, ends(WAIT | 9 << 4))

    def with_an_end(world, instance):
        t.new_ends(instance, BYTES)
        return WAIT | 1 << 4
        yield

    run_broken(Rule.IS_WAITABLE_SET, CALLBACK, with_an_end)


def test_a_task_that_is_not_asynchronous_may_not_block():
    def waits(world, instance):
        (found,) = t.new_set(instance)
        yield t.wait_with_set(instance, found, lambda _: 0, is_cancellable=False)
        return (0,)

    run_broken(Rule.MAY_BLOCK, SYNC, waits)


def test_an_instance_is_not_entered_again_by_what_it_calls():
    world = World()
    around = ComponentState(None)
    one, other = (t.Instance(ComponentState(around)) for _ in range(2))

    def calls(caller, function):
        yield t.call_lowered(Import(caller, function), ())
        return (0,)

    back = Function(one, PLAIN, lambda: iter_of(lambda: 0))
    there = Function(other, PLAIN, lambda: calls(other, back))
    world.call(Function(one, PLAIN, lambda: calls(one, there)))
    broken(Rule.MAY_ENTER, world.run)


@pytest.mark.parametrize("by", [-1, 2**16])
def test_backpressure_has_bounds(by):
    broken(Rule.BACKPRESSURE_IN_RANGE, World().instance().press, by)


def test_nothing_may_be_done_in_realloc_or_post_return():
    instance = World().instance()
    instance.state.may_leave = False
    task = t.Task(STACKFUL, instance, None, None)
    for act in (
        lambda: t.check_returns(task, None),
        lambda: t.cancel_task(task),
        lambda: t.new_set(instance),
        lambda: next(t.wait_with_set(instance, 1, None, is_cancellable=False)),
        lambda: t.poll_set(instance, task, 1, None, is_cancellable=False),
        lambda: t.drop_set(instance, 1),
        lambda: t.join(instance, 1, 0),
        lambda: next(t.cancel_subtask(instance, 1, is_async=False)),
        lambda: t.drop_subtask(instance, 1),
        lambda: t.new_ends(instance, BYTES),
        lambda: next(copy(instance, 1, Buffer(0))),
        lambda: next(cancel(instance, 1)),
        lambda: t.drop_end(instance, BYTES, 1, is_readable=True),
        lambda: next(t.give_way(instance, is_cancellable=False)),
        lambda: next(t.call_lowered(Import(instance, None), ())),
    ):
        broken(Rule.MAY_LEAVE, act)


# ---------------------------------------------------------------- rules of waitables


def test_what_may_not_be_done_with_sets():
    instance = World().instance()
    t.new_ends(instance, BYTES)
    (found,) = t.new_set(instance)
    for act in (
        lambda handle: t.drop_set(instance, handle),
        lambda handle: t.join(instance, 1, handle),
        lambda handle: t.poll_set(instance, None, handle, None, is_cancellable=False),
        lambda handle: next(
            t.wait_with_set(instance, handle, None, is_cancellable=False)
        ),
    ):
        broken(Rule.IS_WAITABLE_SET, act, 2)
        broken(Rule.HANDLE_KNOWN, act, 99)
    broken(Rule.IS_WAITABLE, t.join, instance, found, 0)
    t.join(instance, 1, found)
    broken(Rule.SET_EMPTY, t.drop_set, instance, found)


def test_a_set_is_not_dropped_while_a_task_waits_with_it():
    instance = World().instance()
    (found,) = t.new_set(instance)
    next(t.wait_with_set(instance, found, None, is_cancellable=False))
    broken(Rule.SET_NOT_WAITED_FOR, t.drop_set, instance, found)


def test_what_a_task_waits_for_by_itself_is_not_moved_nor_cancelled():
    instance = World().instance()
    t.new_ends(instance, BYTES)
    (found,) = t.new_set(instance)
    next(copy(instance, 1, Buffer(1), is_async=False))
    broken(Rule.NOT_WAITED_FOR, t.join, instance, 1, found)
    steps_break(Rule.END_COPYING, cancel(instance, 1))


def test_what_is_in_a_set_is_not_waited_for_by_itself():
    world = World()
    instance = world.instance()
    (found,) = t.new_set(instance)
    subtask = t.Subtask()
    handle = instance.state.add(subtask)
    t.new_ends(instance, BYTES)
    for each in (handle, 3, 4):
        t.join(instance, each, found)
    steps_break(Rule.NOT_IN_A_SET, t.cancel_subtask(instance, handle, is_async=False))
    steps_break(Rule.NOT_IN_A_SET, copy(instance, 3, Buffer(1), is_async=False))
    finish(copy(instance, 3, Buffer(1)))
    steps_break(Rule.NOT_IN_A_SET, cancel(instance, 3, is_async=False))
    steps_break(
        Rule.NOT_IN_A_SET,
        copy(instance, 4, Buffer(1), is_readable=False, is_async=False),
    )


def test_what_may_not_be_done_with_subtasks():
    instance = World().instance()
    subtask = t.Subtask()
    handle = instance.state.add(subtask)
    t.new_ends(instance, BYTES)
    broken(Rule.IS_SUBTASK, t.drop_subtask, instance, 2)
    steps_break(Rule.IS_SUBTASK, t.cancel_subtask(instance, 2, is_async=True))
    finish(t.cancel_subtask(instance, handle, is_async=True))
    steps_break(Rule.CANCELLED_ONCE, t.cancel_subtask(instance, handle, is_async=True))
    broken(Rule.SUBTASK_RESOLVED, t.drop_subtask, instance, handle)
    seen = t.Subtask()
    seen.note_cancelled()
    seen.see()
    steps_break(
        Rule.SUBTASK_NOT_RESOLVED,
        t.cancel_subtask(instance, instance.state.add(seen), is_async=True),
    )


# ---------------------------------------------------------------- streams and futures


def copy(instance, handle, buffer, *, type_=BYTES, is_readable=True, is_async=True):
    return t.copy(
        instance,
        type_,
        handle,
        lambda: buffer,
        is_readable=is_readable,
        is_async=is_async,
    )


def cancel(instance, handle, *, type_=BYTES, is_readable=True, is_async=True):
    return t.cancel_copy(
        instance, type_, handle, is_readable=is_readable, is_async=is_async
    )


def finish(steps):
    try:
        next(steps)
    except StopIteration as end:
        return end.value[0]
    raise AssertionError("it waits")


def test_a_stream_copies_as_much_as_both_have_room_for():
    instance = World().instance()
    assert t.new_ends(instance, BYTES) == (1 | 2 << 32,)
    reader = Buffer(3)
    assert finish(copy(instance, 1, reader)) == t.BLOCKED
    writer = Buffer(5, b"hello")
    assert finish(copy(instance, 2, writer, is_readable=False)) == 3 << 4
    assert bytes(reader.values) == b"hel"
    assert finish(cancel(instance, 1)) == 2 | 3 << 4
    t.drop_end(instance, BYTES, 2, is_readable=False)
    assert finish(copy(instance, 1, Buffer(1))) == 1
    steps_break(Rule.END_IDLE, copy(instance, 1, Buffer(1)))


def test_a_future_is_written_once_and_dropped_after_that():
    instance = World().instance()
    t.new_ends(instance, ONE)
    broken(Rule.FUTURE_WRITTEN, t.drop_end, instance, ONE, 2, is_readable=False)
    t.new_ends(instance, ONE)
    reader = Buffer(1)
    assert finish(copy(instance, 2, reader, type_=ONE)) == t.BLOCKED
    written = copy(instance, 3, Buffer(1, [9]), type_=ONE, is_readable=False)
    assert finish(written) == 0
    assert reader.values == [9]
    steps_break(
        Rule.END_IDLE,
        copy(instance, 3, Buffer(1, [9]), type_=ONE, is_readable=False),
    )
    t.drop_end(instance, ONE, 3, is_readable=False)


def test_what_may_not_be_done_with_ends():
    instance = World().instance()
    t.new_ends(instance, BYTES)
    steps_break(Rule.IS_RIGHT_END, copy(instance, 2, Buffer(1)))
    steps_break(Rule.IS_RIGHT_END, copy(instance, 1, Buffer(1), type_=ONE))
    text = CopyType(True, STRING)
    steps_break(Rule.END_OF_RIGHT_TYPE, copy(instance, 1, Buffer(1), type_=text))
    steps_break(Rule.IS_RIGHT_END, cancel(instance, 2))
    steps_break(Rule.END_OF_RIGHT_TYPE, cancel(instance, 1, type_=text))
    steps_break(Rule.END_COPYING, cancel(instance, 1))
    broken(Rule.IS_RIGHT_END, t.drop_end, instance, BYTES, 2, is_readable=True)
    broken(Rule.END_OF_RIGHT_TYPE, t.drop_end, instance, text, 1, is_readable=True)
    finish(copy(instance, 1, Buffer(1)))
    steps_break(Rule.END_IDLE, copy(instance, 1, Buffer(1)))
    broken(Rule.END_NOT_COPYING, t.drop_end, instance, BYTES, 1, is_readable=True)


def test_which_ends_may_be_given_away():
    instance, other = World().instance(), World().instance()
    (found,) = t.new_set(instance)
    t.new_ends(instance, BYTES)
    broken(Rule.IS_RIGHT_END, t.lift_end, instance, BYTES, 3)
    broken(Rule.END_OF_RIGHT_TYPE, t.lift_end, instance, CopyType(True, None), 2)
    t.join(instance, 2, found)
    broken(Rule.NOT_IN_A_SET, t.lift_end, instance, BYTES, 2)
    t.join(instance, 2, 0)
    finish(copy(instance, 2, Buffer(1)))
    broken(Rule.END_IDLE, t.lift_end, instance, BYTES, 2)
    finish(cancel(instance, 2))
    assert t.lower_end(other, t.lift_end(instance, BYTES, 2)) == 1
    broken(Rule.HANDLE_KNOWN, t.lift_end, instance, BYTES, 2)


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("reads_first", [True, False])
def test_an_instance_copies_plain_values_only_to_itself(is_stream, reads_first):
    instance = World().instance()
    text = CopyType(is_stream, STRING)
    t.new_ends(instance, text)

    def begin(is_readable):
        handle, buffer = 1 if is_readable else 2, Buffer(1, ["x"])
        return copy(instance, handle, buffer, type_=text, is_readable=is_readable)

    finish(begin(reads_first))
    steps_break(Rule.NOT_COPIED_TO_ITSELF, begin(not reads_first))


def test_a_buffer_is_not_longer_than_any_list():
    t.check_buffer(2**28 - 1)
    broken(Rule.BUFFER_NOT_TOO_LONG, t.check_buffer, 2**28)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["read", "write", "cancel read", "cancel write", "drop", "take"]
        ),
        st.integers(0, 4),
    ),
    max_size=30,
)


class Ours:
    """Both ends of a stream, operated like the reference's."""

    def __init__(self):
        self.instance = World().instance()
        t.new_ends(self.instance, BYTES)
        self.written, self.got = 0, []

    def do(self, what, size):
        handles = {"read": 1, "write": 2}
        word = what.rpartition(" ")[2]
        end = self.instance.state.look_up(handles.get(word, 1))
        try:
            match what:
                case "read":
                    buffer = Buffer(size, [])
                    buffer.values = self.got
                    return finish(copy(self.instance, 1, buffer))
                case "write":
                    values = range(self.written, self.written + size)
                    buffer = Buffer(size, values)
                    found = finish(copy(self.instance, 2, buffer, is_readable=False))
                    self.written += size
                    return found
                case "take":
                    return [
                        tuple(each.take_event()) if each.has_event() else None
                        for each in map(self.instance.state.look_up, (1, 2))
                    ]
                case "drop":
                    if size == 4:
                        end.shared.drop()
                    return None
                case _:
                    return finish(
                        cancel(self.instance, handles[word], is_readable=word == "read")
                    )
        except RuleBroken:
            return "trap"


class Theirs:
    """The reference's, without its threads."""

    def __init__(self, module):
        self.m = module
        shared = module.SharedStreamImpl(module.U8Type())
        self.ends = [module.ReadableStreamEnd(shared), module.WritableStreamEnd(shared)]
        self.written, self.got = 0, []

    def do(self, what, size):
        m = self.m
        word = what.rpartition(" ")[2]
        place = int(word == "write")
        end = self.ends[place]
        code = m.EventCode.STREAM_WRITE if place else m.EventCode.STREAM_READ
        match what:
            case "take":
                return [
                    tuple(map(int, each.get_pending_event()))
                    if each.has_pending_event()
                    else None
                    for each in self.ends
                ]
            case "drop":
                if size == 4:
                    self.ends[0].shared.drop()
                return None
            case "cancel read" | "cancel write":
                if end.state is not m.CopyState.COPYING:
                    return "trap"
                end.state = m.CopyState.CANCELLING_COPY
                # The suites want the second part, other than the reference.
                if (
                    not end.has_pending_event()
                    or end.shared.pending_buffer is end.buffer
                ):
                    end.shared.cancel()
                return int(end.get_pending_event()[2])
        if end.state is not m.CopyState.IDLE:
            return "trap"
        return self._copy(end, place, code, size)

    def _copy(self, end, place, code, size):
        m = self.m
        values = range(self.written, self.written + size) if place else self.got
        self.written += size if place else 0
        buffer = ReferenceBuffer(m.U8Type(), size, values)

        def event(result, reclaim):
            reclaim()
            done = result == m.CopyResult.DROPPED
            end.state = m.CopyState.DONE if done else m.CopyState.IDLE
            return code, place + 1, result | buffer.progress << 4

        def on_copy(reclaim):
            end.set_pending_event(lambda: event(m.CopyResult.COMPLETED, reclaim))

        def on_copy_done(result):
            end.set_pending_event(lambda: event(result, lambda: None))

        end.state, end.buffer = m.CopyState.COPYING, buffer
        end.copy(object(), buffer, on_copy, on_copy_done)
        return int(end.get_pending_event()[2]) if end.has_pending_event() else t.BLOCKED


class ReferenceBuffer(Buffer):
    def __init__(self, type_, length, values):
        super().__init__(length)
        self.t, self.values = type_, values

    def remain(self):
        return self.length - self.progress

    def is_zero_length(self):
        return not self.length


@given(OPERATIONS)
@example([("write", 2), ("read", 3), ("take", 0)])
def test_what_is_written_is_read_in_order_and_once(operations):
    ours = Ours()
    for what, size in operations:
        ours.do(what, size)
    assert ours.got == sorted(set(ours.got))
    assert all(value < ours.written for value in ours.got)


@pytest.mark.skipif(SUITES is None, reason="AIRSSYS_SUITES names no working copy")
@given(OPERATIONS)
def test_streams_do_what_those_of_the_reference_do(operations):
    ours, theirs = Ours(), Theirs(reference())
    for what, size in operations:
        assert ours.do(what, size) == theirs.do(what, size), what
    assert ours.got == list(theirs.got)


def reference():
    if "reference_definitions" not in sys.modules:
        path = Path(SUITES) / "design" / "mvp" / "canonical-abi" / "definitions.py"
        spec = importlib.util.spec_from_file_location("reference_definitions", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["reference_definitions"] = module
        spec.loader.exec_module(module)
    return sys.modules["reference_definitions"]
