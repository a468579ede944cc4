"""A process with a live engine forks: the child may only let go of it."""

import gc
import os
import sys
import threading
import traceback
import warnings

from bench import (
    SUSPENSION_POINTS,
    TARGET,
    Bench,
    in_a_host_call,
    run_scenarios,
    say,
    what_is_raised_by,
)

from airssys.contracts import EngineMisused
from airssys.wasm.values._types import Ok


def in_a_child(act):
    """Fork, act in the child, and let it end as Python programs do."""
    with warnings.catch_warnings():
        # Since Python 3.12 it warns of what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, f"the child ended with {status}"
        return
    try:
        act()
    except BaseException:  # noqa: BLE001  # the parent's code must not run on here
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.exit(0)


def attempts(bench, handles):
    store, call, owner = handles.store, handles.call, bench.owner
    return {
        "poll": lambda: call.poll(owner),
        "call.close": call.close,
        "store.call": lambda: bench.message(store, b"z"),
        "store.refuel": lambda: store.refuel(1),
        "store.close": store.close,
        "engine.check": bench.engine.check,
        "engine.close": bench.engine.close,
        "new store": lambda: bench.begin_instance(handles.component),
    }


def refuse_all(bench, handles):
    for name, attempt in attempts(bench, handles).items():
        refusal = what_is_raised_by(attempt)
        assert type(refusal) is EngineMisused, (name, refusal)
        assert "fork" in str(refusal)
        assert "open a new system in the child" in str(refusal)


def go_on(bench, handles):
    bench.take_arguments(handles.call)
    bench.answer(handles.call, Ok(b"answer"))
    bench.drive(handles.call)
    assert bench.take_result(handles.call) == Ok(b"answer")


def used_in_the_child():
    bench = Bench()
    handles = in_a_host_call(bench)
    in_a_child(lambda: refuse_all(bench, handles))
    go_on(bench, handles)
    bench.engine.close()


def dropped_in_the_child():
    for name, make_point in SUSPENSION_POINTS.items():
        say(" ", name)
        kept = [make_point(Bench())]

        def let_go(kept=kept):
            kept.clear()
            gc.collect()

        in_a_child(let_go)
        kept[0].engine.close()


def left_alone_in_the_child():
    bench = Bench()
    handles = in_a_host_call(bench)
    in_a_child(lambda: None)
    go_on(bench, handles)
    bench.engine.close()


def a_new_engine_in_the_child():
    old = Bench()
    handles = in_a_host_call(old)

    def use_another():
        bench = Bench()
        store = bench.store(bench.component("asker"), TARGET)
        handles = in_a_host_call(bench)
        go_on(bench, handles)
        store.close()
        bench.engine.close()

    in_a_child(use_another)
    go_on(old, handles)
    old.engine.close()


def while_the_ticker_is_inside_its_lock():
    """The child must not wait for a lock that no thread of its own will release."""
    kept = [in_a_host_call(Bench())]
    engine = kept[0].engine
    locked, unlock = threading.Event(), threading.Event()

    def hold(condition):
        with condition:
            locked.set()
            unlock.wait()

    thread = threading.Thread(target=hold, args=(engine.ticker._wake._cond,))
    thread.start()
    locked.wait()
    del engine

    def let_go():
        kept.clear()
        gc.collect()

    in_a_child(let_go)
    unlock.set()
    thread.join()
    kept[0].engine.close()


def while_a_thread_polls():
    bench = Bench()
    store = bench.store(bench.component("loop"))
    call = bench.message(store)
    stop = threading.Event()

    def poll():
        while not stop.is_set():
            call.poll(bench.owner)

    thread = threading.Thread(target=poll)
    thread.start()
    for _ in range(20):
        in_a_child(lambda: None)
    stop.set()
    thread.join()
    bench.engine.close()


run_scenarios(
    {
        each.__name__: each
        for each in (
            used_in_the_child,
            dropped_in_the_child,
            left_alone_in_the_child,
            a_new_engine_in_the_child,
            while_the_ticker_is_inside_its_lock,
            while_a_thread_polls,
        )
    }
)
