"""Every kind of exception in every callback, raised on the stack of a running guest."""

import contextlib
import gc
import sys

import trio
from bench import (
    LANE,
    TARGET,
    Bench,
    envelope,
    in_a_host_call_answered,
    is_waiting,
    make,
    run_scenarios,
    say,
    what_is_raised_by,
)
from callback_steps import AT_EPOCHS, CALLBACKS, Steps, body_of, calls_of

from airssys.contracts import EngineSettings, GuestSpent, GuestTrapped, TrapReason
from airssys.wasm import open_runtime
from airssys.wasm.engine._fiber import CallbackFailed
from airssys.wasm.fallback._call import Call
from airssys.wasm.lane.core import CoreInstance


class Unknown(BaseException):
    """Not known to any handler."""


def a_real_cancelled():
    async def be_cancelled():
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as cancelled:
                return cancelled

    return trio.run(be_cancelled)


EXCEPTIONS = (
    ValueError("a plain one"),
    MemoryError(),
    RecursionError("too deep"),
    StopIteration(),
    AttributeError(),
    ExceptionGroup("several", [ValueError()]),
    Unknown("a BaseException"),
    BaseExceptionGroup("several", [Unknown()]),
    KeyboardInterrupt(),
    SystemExit(7),
    GeneratorExit(),
    a_real_cancelled(),
)


@contextlib.contextmanager
def raised_in_host_callback(error):
    def note(self, host_call, count):
        raise error

    original = Call.note
    Call.note = note
    try:
        yield
    finally:
        Call.note = original


@contextlib.contextmanager
def raised_in_continuation(error):
    def fail(self):
        if sys._getframe(1).f_code.co_name == "is_answered":
            raise error
        return original.__get__(self)

    original = Call.__dict__["answered"]
    Call.answered = property(fail, original.__set__)
    try:
        yield
    finally:
        Call.answered = original


@contextlib.contextmanager
def raised_in_a_function_of_the_shim(error):
    def ask(self, *_):
        raise error

    original = CoreInstance.ask
    CoreInstance.ask = ask
    try:
        yield
    finally:
        CoreInstance.ask = original


PLACES = (raised_in_host_callback, raised_in_continuation)
PLACES_ON_LANE = PLACES if LANE == "wasmtime" else (raised_in_a_function_of_the_shim,)


async def ask_with(place, error):
    async with open_runtime(EngineSettings()) as loader:
        bystander = await make(loader, "asker", config=TARGET)
        guest = await make(loader, "asker", config=TARGET)
        try:
            with place(error):
                await guest.handle_message(envelope(b"x"))
        except BaseException as raised:  # noqa: BLE001  # that is the point
            check_failure(raised, error)
        assert guest.spent is not None
        try:
            await guest.handle_message(envelope(b"x"))
            raise AssertionError("a spent guest was entered")
        except GuestSpent:
            guest.close()
        assert await bystander.handle_message(envelope(b"y")) == b"y"
        bystander.close()
        ledger = loader.runtime.engine.ledger
        assert not ledger.stores
        assert not ledger.inside


def check_failure(caught, error):
    if isinstance(error, Exception):
        assert isinstance(caught, GuestTrapped), repr(caught)
        assert caught.reason is TrapReason.HOST_ERROR
        assert caught.__cause__ is error, repr(caught.__cause__)
    else:
        assert caught is error, repr(caught)


def in_trio():
    for place in PLACES_ON_LANE:
        for error in EXCEPTIONS:
            say(place.__name__, repr(error))
            trio.run(ask_with, place, error)


def poll_to_the_callback(bench, call, place):
    """A slice may end before the guest gets there."""
    if place is not raised_in_continuation:
        bench.poll_until(call, is_waiting)
    else:
        bench.poll_until(call, lambda _: False)


def by_hand():
    """Without Trio, and the call dropped instead of closed in half of the cases."""
    bench = Bench()
    for place in PLACES_ON_LANE:
        for number, error in enumerate(EXCEPTIONS * 2):
            say(place.__name__, repr(error))
            handles = in_a_host_call_answered(bench)
            call = handles.call
            if place is not raised_in_continuation:
                call.close()
                call = bench.message(bench.store(handles.component, TARGET), b"x")
            with place(error):
                raised = what_is_raised_by(poll_to_the_callback, bench, call, place)
            if type(raised) is CallbackFailed:
                raised = raised.__cause__
            assert raised is error, repr(raised)
            assert not bench.engine.polling
            assert not bench.engine.ledger.inside
            if number % 2:
                call._store.close()
            error.__traceback__ = error.__context__ = None
            del call, handles
            gc.collect()
    bench.engine.close()


def at_each_step():
    """An exception out of nowhere, as from the handler of a signal."""
    bench = Bench()
    for callback, guest in ((CALLBACKS[0], "asker"), *((e, "loop") for e in AT_EPOCHS)):
        component = bench.component(guest)
        steps = Steps(callback)
        call = bench.message(bench.store(component, TARGET), b"x")
        with steps.traced():
            bench.poll_until(call, lambda _, steps=steps: steps.taken)
        body = body_of(callback)
        calls = calls_of(callback)
        assert {calls[at] for at in calls.keys() & set(steps.offsets)} <= set(body)
        # What follows the last call leaves the body: no handler of a signal runs there.
        last = max(at for at, place in enumerate(steps.offsets) if place in calls)
        guarded = [at for at in range(last + 1) if steps.lines[at] in body]
        assert {steps.lines[at] for at in guarded} >= {body[0], body[-1]}
        for at in guarded:
            call = bench.message(bench.store(component, TARGET), b"x")
            with Steps(callback, at, strike).traced():
                raised = what_is_raised_by(bench.poll_until, call, lambda _: False)
            assert type(raised) is Unknown, (at, steps.lines[at], raised)
            assert not bench.engine.ledger.inside
            call._store.close()
    bench.engine.close()


def strike():
    raise Unknown


run_scenarios(
    {each.__name__: each for each in (in_trio, by_hand, at_each_step)},
)
