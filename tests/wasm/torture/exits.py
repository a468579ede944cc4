"""The interpreter exits while calls are in flight; nothing was closed."""

import sys
import threading
import types

import trio
import trio.lowlevel
from bench import (
    LANE,
    SUSPENSION_POINTS,
    Bench,
    acting_at_host_calls,
    envelope,
    make,
    say,
)

from airssys.contracts import Artifact, EngineSettings
from airssys.wasm import open_runtime

KEPT = []
"""Alive until the very end, as whatever a module keeps."""


def calls_suspended():
    KEPT.extend(make_point(Bench()) for make_point in SUSPENSION_POINTS.values())


def calls_in_a_cycle():
    for make_point in SUSPENSION_POINTS.values():
        cycle = [make_point(Bench())]
        cycle.append(cycle)


def keep_polling(bench, call):
    while not call.poll(bench.owner):
        if call.host_call is not None:
            bench.take_arguments(call)
            bench.answer(call, (1, 2) if call.host_call.results else None)


def polls_in_threads():
    """Some spend their time in the guest, the others mostly in callbacks."""
    bench = Bench()
    for name in ("loop", "log-flood", "log-flood"):
        store = bench.store(bench.component(name))
        call = bench.message(store)
        call.poll(bench.owner)
        KEPT.append(call)
        threading.Thread(target=keep_polling, args=(bench, call), daemon=True).start()


def big_component():
    functions = "\n".join(
        f"(func (param i64) (result i64) {'(i64.mul (local.get 0) ' * 200}"
        f"(i64.const {number}){')' * 200})"
        for number in range(2000)
    )
    return f"(component (core module {functions}))"


def compiles_in_threads():
    bench = Bench()
    artifact = Artifact.from_text(big_component())
    compiling = threading.Event()
    thread = threading.Thread(
        target=lambda: (compiling.set(), bench.compile(artifact)), daemon=True
    )
    KEPT.append(bench)
    thread.start()
    compiling.wait()


async def keep_echoing(guest):
    while True:
        await guest.handle_message(envelope(b"x" * 1_100_000))


async def busy_program(reached):
    """Guests that wait, that take turns, and that are polled by workers."""
    async with open_runtime(EngineSettings(tick=0.002)) as loader:
        KEPT.append(loader)
        async with trio.open_nursery() as nursery:
            for name, payload in (
                ("sleep", b"1000000"),
                ("loop", b""),
                ("loop", b""),
                ("log-flood", b""),
            ):
                guest = await make(loader, name, execution_time=1000)
                KEPT.append(guest)
                nursery.start_soon(guest.handle_message, envelope(payload))
            KEPT.append(await make(loader, "echo", host_call_bytes=8_000_000))
            nursery.start_soon(keep_echoing, KEPT[-1])
            await trio.sleep(0.05)
            # On the own lane a worker has nothing to move that takes long.
            while LANE != "own" and not loader.runtime.engine.polling:  # noqa: ASYNC110
                await trio.sleep(0.001)
            reached()
            await trio.sleep_forever()


def loop_abandoned():
    """A host loop that runs Trio as a guest, and simply stops."""
    todo, wake = [], threading.Event()
    done = threading.Event()

    def run_soon(function):
        todo.append(function)
        wake.set()

    trio.lowlevel.start_guest_run(
        busy_program,
        done.set,
        run_sync_soon_threadsafe=run_soon,
        done_callback=KEPT.append,
    )
    while not done.is_set():
        wake.wait()
        wake.clear()
        while todo and not done.is_set():
            todo.pop(0)()


WAIT = threading.Event().wait
"""Not looked up by name where names may be gone already."""


class SlowToDie:
    def __del__(self, wait=WAIT):
        wait(0.5)


def a_thread_in_a_callback():
    """It waits for the interpreter's lock on a guest's stack when there is no more
    interpreter, and Python ends the thread there."""
    bench = Bench()
    call = bench.message(bench.store(bench.component("log-flood")))
    inside = threading.Event()

    def act(wait=WAIT):
        inside.set()
        wait(0.1)

    KEPT.append(acting_at_host_calls(act))
    KEPT[-1].__enter__()  # and never left
    threading.Thread(target=keep_polling, args=(bench, call), daemon=True).start()
    inside.wait()
    # A module that no frame uses is torn down while the thread wakes up.
    sys.modules["last"] = types.ModuleType("last")
    sys.modules["last"].kept = SlowToDie()


def end():
    pass


def exit_with_7():
    sys.exit(7)


def fail():
    raise ZeroDivisionError("on purpose")


STATES = {
    each.__name__: each
    for each in (
        calls_suspended,
        calls_in_a_cycle,
        polls_in_threads,
        compiles_in_threads,
        loop_abandoned,
        a_thread_in_a_callback,
    )
}
ENDS = {each.__name__: each for each in (end, exit_with_7, fail)}

if __name__ == "__main__":
    STATES[sys.argv[1]]()
    say("survived")
    ENDS[sys.argv[2]]()
