"""No call enters a store that is entered: refused before C sees it."""

import contextlib
import threading

from bench import (
    LANE,
    TARGET,
    Bench,
    acting_at_host_calls,
    is_waiting,
    run_scenarios,
    say,
)

from airssys.contracts import EngineMisused
from airssys.wasm import _c_api as c
from airssys.wasm.lane.core import c_api as core
from airssys.wasm.values._types import Ok

LEDGER_CALLS = {"future_delete", "store_delete"}
"""Made by the ledger, whatever the lane."""


class Busy:
    """A store in the middle of a message, and all that one may try to do to it."""

    def __init__(self, bench):
        self.bench = bench
        self.component = bench.component("asker")
        self.store = bench.store(self.component, TARGET)
        self.call = None

    def begin(self):
        self.call = self.bench.message(self.store, b"x")

    def finish(self):
        self.bench.poll_until(self.call, is_waiting)
        assert self.bench.take_arguments(self.call)[1] == b"x"
        self.bench.answer(self.call, Ok(b"y"))
        self.bench.drive(self.call)
        assert self.bench.take_result(self.call) == Ok(b"y")
        self.call.close()

    def attempts(self):
        code, bench, store, call = (
            self.component.code,
            self.bench,
            self.store,
            self.call,
        )
        linker, owner = bench.runtime.linker, bench.owner
        attempts = {
            "store.call": lambda: bench.message(store, b"z"),
            "store.instantiate": lambda: store.instantiate(
                linker, code.pointer, owner=owner
            ),
            "store.call_and_poll": lambda: bench.short_message(store, b"z"),
            "store.refuel": lambda: store.refuel(10**9),
            "store.limit": lambda: store.limit(1 << 30, 1 << 20, 1, 1),
            "store.close": store.close,
            "engine.close": bench.engine.close,
        }
        if call is not None:
            attempts |= {
                "call.poll": lambda: call.poll(owner),
                "call.close": call.close,
                "call.answer": lambda: bench.answer(call, Ok(b"early")),
                "call.take_result": lambda: bench.take_result(call),
                "call.take_arguments": lambda: bench.take_arguments(call),
            }
        return attempts


def outcome_in(runs_in, attempt):
    """What an attempt raises, in this thread or in another one."""
    outcome = []

    def run():
        try:
            attempt()
        except BaseException as error:  # noqa: BLE001  # all are reported
            outcome.append(error)
        else:
            outcome.append(None)

    if runs_in == "this thread":
        run()
    else:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    return outcome[0]


@contextlib.contextmanager
def acting_inside(name, act):
    """Act once, when a function of C is just about to be entered."""
    api = c if LANE != "own" or name in LEDGER_CALLS else core
    original = getattr(api, name)
    todo = [act]

    def entered(*arguments):
        if todo:
            todo.pop()()
        return original(*arguments)

    setattr(api, name, entered)
    try:
        yield
    finally:
        setattr(api, name, original)
    assert not todo, f"{name} was never called"


@contextlib.contextmanager
def acting_on_the_guests_stack(act):
    todo = [act]
    with acting_at_host_calls(lambda: todo and todo.pop()()):
        yield


def refused(where, runs_in, busy):
    wrong = []
    for name, attempt in busy.attempts().items():
        say(" ", where, "from", runs_in, name)
        outcome = outcome_in(runs_in, attempt)
        if type(outcome) is not EngineMisused:
            wrong.append((where, runs_in, name, outcome))
    assert not wrong, wrong


def from_a_callback():
    """Re-entry from a host function, and another thread at that moment."""
    for runs_in in ("this thread", "another thread"):
        busy = Busy(Bench(tick=0.1))
        busy.begin()
        where = "in a callback"
        failed = []

        def act(busy=busy, where=where, runs_in=runs_in, failed=failed):
            try:
                refused(where, runs_in, busy)
            except AssertionError as error:
                failed.append(error)

        with acting_on_the_guests_stack(act):
            busy.finish()
        assert not failed, failed
        busy.bench.engine.close()


def while_another_thread_is_in():
    """At each entry into C, another thread tries everything."""
    entries = {
        "func_call_async": lambda busy: busy.begin(),
        "context_set_fuel": lambda busy: busy.store.refuel(10**9),
        "store_limiter": lambda busy: busy.store.limit(1 << 30, 1 << 20, 1, 1),
        "instance_get_func": lambda busy: busy.begin(),
    }
    if LANE == "own":  # functions are found when an instance is made
        del entries["instance_get_func"]
    for name, enter in entries.items():
        busy = Busy(Bench())
        with acting_inside(
            name, lambda busy=busy, name=name: refused(name, "another thread", busy)
        ):
            enter(busy)
        busy.store.close()
        busy.bench.engine.close()
    in_instantiation()
    in_closing()


def in_instantiation():
    busy = Busy(Bench())
    name, code = "linker_instantiate_async", busy.component.code
    if LANE == "own":
        name = "instance_pre_instantiate"
    linker, owner = busy.bench.runtime.linker, busy.bench.owner
    busy.store = busy.bench.new_store(busy.component)
    with acting_inside(name, lambda: refused(name, "another thread", busy)):
        call = busy.store.instantiate(linker, code.pointer, owner=owner)
        busy.bench.drive(call)
    call.close()
    busy.store.close()
    busy.bench.engine.close()


def in_closing():
    """Closing twice at once does nothing the second time, or is refused."""
    for name in ("future_delete", "store_delete"):
        busy = Busy(Bench())
        busy.begin()
        busy.bench.poll_until(busy.call, is_waiting)
        attempts = busy.attempts()
        outcomes = {}

        def act(attempts=attempts, outcomes=outcomes):
            for attempted, attempt in attempts.items():
                say(" ", "in a deletion", attempted)
                outcomes[attempted] = outcome_in("another thread", attempt)

        with acting_inside(name, act):
            busy.store.close()
        wrong = {
            name: outcome
            for name, outcome in outcomes.items()
            if type(outcome) is not EngineMisused
            and not (name == "call.close" and outcome is None)
        }
        assert not wrong, wrong
        busy.bench.engine.close()


def by_a_stranger():
    bench = Bench()
    busy = Busy(bench)
    busy.begin()
    stranger = object()
    with_stranger = {
        "poll": lambda: busy.call.poll(stranger),
        "answer": lambda: busy.call.answer(
            stranger, bench.host_marshaller(busy.call), Ok(b"")
        ),
    }
    bench.poll_until(busy.call, is_waiting)
    for name, attempt in with_stranger.items():
        say(" ", name)
        assert type(outcome_in("this thread", attempt)) is EngineMisused
    bench.take_arguments(busy.call)
    bench.answer(busy.call, Ok(b"y"))
    bench.drive(busy.call)
    bench.engine.close()


def after_closing():
    """Every use of what is closed is refused; closing again does nothing."""
    for close in ("call", "store", "engine"):
        bench = Bench()
        busy = Busy(bench)
        busy.begin()
        bench.poll_until(busy.call, is_waiting)
        closable = {"call": busy.call, "store": busy.store, "engine": bench.engine}
        closable[close].close()
        closable[close].close()
        tried = {"call.poll", "call.answer", "call.take_result"}
        if close != "call":
            tried |= {"store.call", "store.call_and_poll", "store.instantiate"}
            tried |= {"store.limit", "store.refuel"}
        for name in sorted(tried):
            say(" ", close, "closed,", name)
            outcome = outcome_in("this thread", busy.attempts()[name])
            assert type(outcome) is EngineMisused, repr(outcome)
        for each in closable.values():
            each.close()


def an_old_call_has_no_say():
    """A call that has ended leaves the next call of its store alone."""
    bench = Bench()
    store = bench.store(bench.component("echo"))
    for leave in ("taken and closed", "closed", "left"):
        say(" ", leave)
        old = bench.message(store, b"old" * 100)
        bench.drive(old)
        if leave == "taken and closed":
            assert bench.take_result(old) == Ok(b"old" * 100)
        if leave != "left":
            old.close()
        new = bench.message(store, b"new" * 100)
        for attempt in (
            lambda old=old: old.poll(bench.owner),
            lambda old=old: bench.take_result(old),
        ):
            assert type(outcome_in("this thread", attempt)) is EngineMisused
        old.close()
        old = None
        bench.drive(new)
        assert bench.take_result(new) == Ok(b"new" * 100)
        new.close()
    bench.engine.close()


run_scenarios(
    {
        scenario.__name__: scenario
        for scenario in (
            from_a_callback,
            while_another_thread_is_in,
            by_a_stranger,
            after_closing,
            an_old_call_has_no_say,
        )
    }
)
