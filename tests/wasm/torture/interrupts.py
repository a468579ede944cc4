"""SIGINT in the middle of callbacks ends as KeyboardInterrupt, whatever it hits."""

import os
import random
import signal
import sys
import threading
import time

import trio
from bench import TARGET, envelope, make, say
from callback_steps import CALLBACKS, Steps

from airssys.contracts import EngineSettings
from airssys.wasm import open_runtime
from airssys.wasm.instances._turns import Turns


def strike():
    signal.raise_signal(signal.SIGINT)


async def ask_once(steps):
    async with open_runtime(EngineSettings()) as loader:
        guest = await make(loader, "asker", config=TARGET)
        try:
            with steps.traced():
                assert await guest.handle_message(envelope(b"x")) == b"x"
                await trio.lowlevel.checkpoint()
        finally:
            guest.close()
            ledger = loader.runtime.engine.ledger
    assert not ledger.stores


def count_steps(callback):
    steps = Steps(callback)
    trio.run(ask_once, steps)
    assert steps.taken > 10, "the callback was not traced"
    return steps.taken


def in_each_step(callback):
    for at in range(count_steps(callback)):
        steps = Steps(callback, at, strike)
        try:
            trio.run(ask_once, steps)
        except KeyboardInterrupt:
            continue
        raise AssertionError(f"SIGINT was lost at step {at}, line {steps.lines[at]}")


def at_random(rounds):
    """Interrupt programs whose guests call the host all the time, from a thread."""
    rng = random.Random(0)
    armed = threading.Event()
    done = False

    def killer():
        while not done:
            if armed.wait(0.01):
                time.sleep(rng.uniform(0, 0.005))  # noqa: TID251  # a thread
                armed.clear()
                os.kill(os.getpid(), signal.SIGINT)

    async def main(ledgers):
        async with open_runtime(EngineSettings(tick=0.001)) as loader:
            ledgers.append(loader.runtime.engine.ledger)
            guest = await make(loader, "host-call-count", execution_time=60)
            asker = await make(loader, "asker", config=TARGET)
            armed.set()
            try:
                while True:
                    await asker.handle_message(envelope(b"x"))
                    await guest.handle_message(envelope(b"300"))
            finally:
                armed.clear()

    thread = threading.Thread(target=killer, daemon=True)
    thread.start()
    interrupted = 0
    while interrupted < rounds:
        ledgers = []
        try:
            trio.run(main, ledgers)
        except KeyboardInterrupt:
            interrupted += 1
        assert not ledgers[0].stores
    done = True
    thread.join()


def in_the_keeper():
    """Where guests are moved in their line, in a task of the runtime's own."""
    move, struck, raised = Turns._serve_one_line, [], []

    def strike_and_move(turns):
        if not struck:
            struck.append(True)
            strike()
        move(turns)

    async def main():
        async with open_runtime(EngineSettings(tick=0.001)) as loader:
            guests = [await make(loader, "loop", execution_time=60) for _ in range(2)]
            # Not before: on a busy machine a guest stands in a line while it is made.
            Turns._serve_one_line = strike_and_move
            async with trio.open_nursery() as nursery:
                nursery.start_soon(guests[0].handle_message, envelope())
                try:
                    await guests[1].handle_message(envelope())
                except KeyboardInterrupt as interrupt:
                    raised.append(interrupt)
                    nursery.cancel_scope.cancel()

    trio.run(main)
    assert struck, "none stood in a line"
    assert raised, "the interrupt was not raised in the main task"


def uncaught():
    """Left to Python, which ends such a program in its own documented way."""
    trio.run(ask_once, Steps(CALLBACKS[0], 5, strike))


def main():
    scenario, *arguments = sys.argv[1:]
    if scenario == "each-step":
        for callback in CALLBACKS:
            say(f"SIGINT at each step of {callback}")
            in_each_step(callback)
    elif scenario == "at-random":
        say("one SIGINT at a random moment")
        at_random(int(arguments[0]))
    elif scenario == "keeper":
        say("SIGINT in the keeper of the runtime")
        in_the_keeper()
    else:
        say("uncaught")
        uncaught()
    say("survived")


main()
