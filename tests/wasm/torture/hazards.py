"""One scenario for each thing that has once crashed, hung or corrupted a process."""

import gc
import sys
import threading
import warnings
import weakref

import trio
from bench import (
    LANE,
    SUSPENSION_POINTS,
    TARGET,
    Bench,
    Services,
    acting_at_host_calls,
    envelope,
    in_a_host_call,
    is_waiting,
    make,
    run_scenarios,
    say,
    what_is_raised_by,
)

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    EngineMisused,
    EngineSettings,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.wasm import _c_api as c, open_runtime
from airssys.wasm.engine._fiber import CallbackFailed
from airssys.wasm.lane.core import c_api as core
from airssys.wasm.values._types import Ok
from wat_guests.component import Guest


def ask(bench, store, payload=b"question", answer=b"answer"):
    call = bench.message(store, payload)
    bench.poll_until(call, is_waiting)
    assert bench.take_arguments(call)[1] == payload
    bench.answer(call, Ok(answer))
    bench.drive(call)
    assert bench.take_result(call) == Ok(answer)
    call.close()


def addresses(ledger):
    stores = ledger.stores.values()
    return [each.future for each in stores] + [each.pointer for each in stores]


def never_inside(ledger, inside, delete):
    def checked(address):
        if threading.get_ident() in ledger.inside and address in inside:
            raise AssertionError("freed on the stack of a guest")
        delete(address)

    return checked


def garbage_collected_inside_a_callback():
    """Calls, stores and engines become garbage on the stack of another guest; what
    belongs to the same engine is only deleted when that guest is off the stack."""
    bench = Bench()
    inside = []
    for name in ("future_delete", "store_delete"):
        for api in (c, core):
            checked = never_inside(bench.engine.ledger, inside, getattr(api, name))
            setattr(api, name, checked)
    store = bench.store(bench.component("asker"), TARGET)
    for name, make_point in SUSPENSION_POINTS.items():
        if name == "engine_closed":
            continue
        for maker in (Bench, lambda: bench):
            say(" ", name, "of the same engine" if maker is not Bench else "of another")
            cycle = [make_point(maker())]
            cycle.append(cycle)
            inside[:] = addresses(bench.engine.ledger)
            garbage = weakref.ref(cycle[0])
            del cycle
            with acting_at_host_calls(gc.collect), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ask(bench, store)
            assert garbage() is None
    store.close()
    bench.engine.close()
    assert not bench.engine.ledger.stores


def garbage_collected_at_every_allocation():
    bench = Bench()
    store = bench.store(bench.component("asker"), TARGET)
    gc.set_threshold(1)
    for make_point in SUSPENSION_POINTS.values():
        cycle = [make_point(Bench())]
        cycle.append(cycle)
        del cycle
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ask(bench, store)
    bench.engine.close()


def finalisers_of_users_inside_a_callback():
    """A user's __del__ may try anything there; it is refused or does no harm."""
    bench = Bench()
    component = bench.component("asker")
    store = bench.store(component, TARGET)
    outcomes = {}

    class Meddler:
        def __init__(self, name, meddle):
            self.name, self.meddle, self.cycle = name, meddle, self

        def __del__(self):
            outcomes[self.name] = what_is_raised_by(self.meddle)

    def attempts(call):
        other = in_a_host_call(bench)
        third = in_a_host_call(bench)
        return {
            "close the call": call.close,
            "close the store": store.close,
            "close the engine": bench.engine.close,
            "poll the call": lambda: call.poll(bench.owner),
            "begin a call": lambda: bench.message(store),
            "close another call": other.call.close,
            "close another store": third.store.close,
            "make a store": lambda: bench.new_store(component).close(),
            "drive another guest": lambda: ask(
                bench, bench.store(component, TARGET), b"inner"
            ),
        }

    harmless = {
        "close another call",
        "close another store",
        "make a store",
        "drive another guest",
    }
    if LANE == "own":  # no guest is run below a frame of Python
        harmless.remove("drive another guest")
    gc.disable()
    for name in attempts(bench.message(bench.store(component, TARGET))):
        say(" ", name)
        call = bench.message(store, b"question")
        Meddler(name, attempts(call)[name])
        with acting_at_host_calls(gc.collect):
            bench.poll_until(call, is_waiting)
        bench.take_arguments(call)
        bench.answer(call, Ok(b"answer"))
        bench.drive(call)
        assert bench.take_result(call) == Ok(b"answer")
        call.close()
        wanted = type(None) if name in harmless else EngineMisused
        assert type(outcomes[name]) is wanted, repr(outcomes[name])
    bench.engine.close()


def polled_at_the_limit_of_recursion():
    """However few frames are left, a callback must find the ones it needs."""
    bench = Bench()
    component = bench.component("asker")

    def poll_below(frames, call):
        if frames:
            return poll_below(frames - 1, call)
        return bench.poll_until(call, is_waiting)

    limit = sys.getrecursionlimit()
    failed = succeeded = 0
    for frames in range(limit - 80, limit):
        store = bench.store(component, TARGET)
        call = bench.message(store, b"x")
        raised = what_is_raised_by(poll_below, frames, call)
        assert type(raised) in {type(None), RecursionError, CallbackFailed}, raised
        if raised is None:
            succeeded += 1
            bench.take_arguments(call)
            bench.answer(call, Ok(b"y"))
            bench.drive(call)
        else:
            failed += 1
        store.close()
    assert failed > 5
    assert succeeded > 5
    bench.engine.close()


def answers_that_wasmtime_frees_twice_if_slots_are_stale():
    """Lists, texts and errors in the result slot, one after the other."""
    bench = Bench()
    echo = bench.store(bench.component("echo"))
    for size in (0, 1, 100, 10_000, 0, 5):
        for take in (True, False):
            call = bench.message(echo, b"z" * size)
            bench.drive(call)
            if take:
                assert bench.take_result(call) == Ok(b"z" * size)
                again = what_is_raised_by(bench.take_result, call)
                assert type(again) is EngineMisused, repr(again)
            if size != 100:
                call.close()
    asker = bench.store(bench.component("asker"), TARGET)
    for size in (0, 1, 1000, 0, 7):
        ask(bench, asker, b"q" * size, b"a" * size)
    bench.engine.close()


def arguments_are_read_once():
    bench = Bench()
    handles = in_a_host_call(bench)
    assert bench.take_arguments(handles.call)[1] == b"question"
    again = bench.take_arguments(handles.call)
    assert again == [] if LANE != "own" else again[1] == b"question"
    bench.answer(handles.call, Ok(b"answer"))
    bench.drive(handles.call)
    bench.engine.close()


def arguments_never_taken():
    """Answered blindly, many times: what the guest passed is freed once."""
    bench = Bench()
    store = bench.store(bench.component("log-flood"))
    call = bench.message(store)
    for _ in range(1000):
        bench.poll_until(call, is_waiting)
        bench.answer(call)
    call.close()
    bench.engine.close()


def memory_of_a_call_stays_put():
    """Frames are used again, garbage is collected, and no call reads another's."""
    bench = Bench()
    component = bench.component("echo")
    calls = {}
    for number in range(200):
        payload = b"%d" % number * (1 + number * 7 % 300)
        calls[payload] = bench.message(bench.store(component), payload)
        if number % 3 == 0:
            calls.pop(payload).close()
        gc.collect(0)
    for payload, call in calls.items():
        bench.drive(call)
        assert bench.take_result(call) == Ok(payload)
        call.close()
    bench.engine.close()


def a_parked_ticker_wakes_for_an_endless_loop():
    bench = Bench()
    call = bench.message(bench.store(bench.component("loop")))
    deadline = threading.Event()
    while not bench.engine.ticker.parked:
        assert not deadline.wait(0.005)
    for _ in range(3):
        assert not call.poll(bench.owner)
    bench.engine.close()


def a_guest_stack_above_the_fiber_stack():
    """wasmtime aborts the process over these settings; they must not reach it."""
    mib = 1 << 20
    for settings in (
        {"guest_stack_bytes": 4 * mib},
        {"guest_stack_bytes": 2 * mib, "fiber_stack_bytes": 2 * mib},
        {"guest_stack_bytes": 0},
        {"guest_stack_bytes": -1},
        {"guest_stack_bytes": 2**70},
        {"fiber_stack_bytes": 2**70},
        {"fiber_stack_bytes": 4096},
        {"fiber_stack_bytes": "big"},
        {"guest_stack_bytes": 1e6},
        {"guest_stack_bytes": True},
        {"tick": 0},
        {"tick": float("nan")},
        {"tick": float("inf")},
        {"tick": "5"},
        {"worker_threads": 0},
        {"thread_payload_bytes": -1},
    ):
        raised = what_is_raised_by(lambda each=settings: EngineSettings(**each))
        assert type(raised) is ValueError, (settings, raised)
    for limits in (
        {"memory_bytes": -1},
        {"memory_bytes": 2**64},
        {"table_elements": -1},
        {"table_elements": 2**64},
        {"fuel": 0},
        {"fuel": 2**64},
        {"execution_time": float("nan")},
        {"host_call_bytes": 2**64},
    ):
        raised = what_is_raised_by(lambda each=limits: Limits(**each))
        assert type(raised) is ValueError, (limits, raised)


EXTREMES = (
    {"guest_stack_bytes": 64 << 10, "fiber_stack_bytes": 576 << 10},
    {"guest_stack_bytes": 512 << 10, "fiber_stack_bytes": 1 << 20},
    {"guest_stack_bytes": 64 << 20, "fiber_stack_bytes": 128 << 20},
    {"tick": 0.001, "worker_threads": 1},
    {"tick": 0.1, "worker_threads": 64},
)


def settings_at_their_limits():
    async def use(settings):
        async with open_runtime(EngineSettings(**settings)) as loader:
            guest = await make(loader, "asker", TARGET)
            assert await guest.handle_message(envelope(b"x")) == b"x"
            guest.close()
            guest = await make(loader, "trap-stack-exhausted")
            try:
                await guest.handle_message(envelope())
                raise AssertionError("an endless recursion ended")
            except GuestTrapped as trap:
                reason = trap.reason
            assert reason is TrapReason.STACK_EXHAUSTED
            guest.close()

    for settings in EXTREMES:
        say(" ", str(settings))
        trio.run(use, settings)


DEEP_HOST_CALLS = """
(func $deeper
  (call $host-services.current-time (i32.const 64))
  (call $deeper))
"""


def host_functions_at_the_bottom_of_the_guests_stack():
    """A guest recurs until its stack is used up, calling the host on each level."""
    guest = Guest(
        name="deep-calls",
        does="calls the host on every level of an endless recursion",
        fields=DEEP_HOST_CALLS,
        exports={"handle-message": "(call $deeper)\n(call $none)"},
    )
    for settings in EXTREMES[:2]:
        trio.run(recur, settings, guest)


async def recur(settings, guest):
    deepest = 0

    def asked():
        nonlocal deepest
        deepest += 1
        gc.collect(0)

    async with open_runtime(EngineSettings(**settings)) as loader:
        component = await loader.load(Artifact.from_text(guest.wat()))
        instance = await component.instantiate(Limits(), Services(asked))
        await instance.initialize(ComponentConfig())
        try:
            await instance.handle_message(envelope())
            raise AssertionError("an endless recursion ended")
        except GuestTrapped as trap:
            reason = trap.reason
        assert reason is TrapReason.STACK_EXHAUSTED, reason
        assert deepest > 100
        instance.close()


def failures_in_threads_stay_with_their_own_call():
    """Many threads fail at once; each call gets its own exception."""
    bench = Bench()
    component = bench.component("asker")

    class Mine(BaseException):
        pass

    def fail():
        raise Mine(threading.get_ident())

    wrong = []

    def fail_often():
        for _ in range(100):
            store = bench.store(component, TARGET)
            call = bench.message(store, b"x")
            error = what_is_raised_by(bench.poll_until, call, is_waiting)
            if type(error) is not Mine or error.args != (threading.get_ident(),):
                wrong.append(error)
            store.close()

    sys.setswitchinterval(1e-6)
    with acting_at_host_calls(fail):
        threads = [threading.Thread(target=fail_often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:3]
    bench.engine.close()


def warnings_that_are_errors():
    """With -W error a warning must not keep the rest from being closed."""
    gc.collect()  # what scenarios before this one have left
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    bench = Bench()
    component = bench.component("echo")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            store = bench.store(component)
            call = bench.message(store, b"x")
            del store, call
            gc.collect()
    sys.unraisablehook = hook
    assert not bench.engine.ledger.stores
    bench.engine.close()


def two_large_messages_to_one_guest_at_once():
    """Both begin in a worker thread: the second is refused, not let in."""

    large = b"x" * 1_100_000

    async def main():
        async with open_runtime(EngineSettings()) as loader:
            guest = await make(loader, "echo", host_call_bytes=1 << 21)
            outcomes = []

            async def send():
                try:
                    outcomes.append(await guest.handle_message(envelope(large)))
                except EngineMisused as refusal:
                    outcomes.append(refusal)

            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(send)
            answers = [each for each in outcomes if each == large]
            refusals = [each for each in outcomes if type(each) is EngineMisused]
            assert (len(answers), len(refusals)) == (1, 4), refusals
            assert await guest.handle_message(envelope(b"y")) == b"y"
            guest.close()

    for _ in range(10):
        trio.run(main)


def the_runtime_is_left_while_guests_run_elsewhere():
    """Calls of tasks outside the block end with an error of ours; if a worker polls
    one of them at that moment, it is the leaving that is refused."""

    async def main():
        outcomes = []

        async def call(guest, payload):
            try:
                await guest.handle_message(envelope(payload))
                outcomes.append("answered")
            except BaseException as error:
                outcomes.append(type(error).__name__)
                if not isinstance(error, Exception):
                    raise

        async def leave(nursery):
            async with open_runtime(EngineSettings(tick=0.001)) as loader:
                for name, payload in (("loop", b""), ("sleep", b"50"), ("flood", b"")):
                    guest = await make(loader, name)
                    nursery.start_soon(call, guest, payload)
                await trio.sleep(0.02)

        async with trio.open_nursery() as nursery:
            try:
                await leave(nursery)
            except EngineMisused as refusal:
                say(" ", "refused:", str(refusal))
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        say(" ", *outcomes)
        assert len(outcomes) == 3

    trio.run(main)


run_scenarios(
    {
        each.__name__: each
        for each in (
            garbage_collected_inside_a_callback,
            garbage_collected_at_every_allocation,
            finalisers_of_users_inside_a_callback,
            polled_at_the_limit_of_recursion,
            answers_that_wasmtime_frees_twice_if_slots_are_stale,
            arguments_are_read_once,
            arguments_never_taken,
            memory_of_a_call_stays_put,
            a_parked_ticker_wakes_for_an_endless_loop,
            a_guest_stack_above_the_fiber_stack,
            settings_at_their_limits,
            host_functions_at_the_bottom_of_the_guests_stack,
            failures_in_threads_stay_with_their_own_call,
            warnings_that_are_errors,
            two_large_messages_to_one_guest_at_once,
            the_runtime_is_left_while_guests_run_elsewhere,
        )
    }
)
