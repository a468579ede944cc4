"""A program in a process of its own, for tests of signals; run by `test_run`.

    python programs.py <way>

It prints what happens as lines; the test reads them and sends signals.
"""

import math
import signal
import sys

import trio

import airssys
from airssys import ActorSpec, Blueprint, ComponentId, Intensity, SupervisorSpec, run


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Worker:
    def __init__(self, goodbye=0.0):
        self.goodbye = goodbye

    async def started(self, context):
        self.name = context.self_id.name
        say(f"start {self.name}")

    async def handle(self, context, envelope):
        match envelope.payload:
            case b"crash":
                raise ValueError("on purpose")
            case b"spin":
                say("spinning")
                while True:
                    pass
            case b"interrupt":
                signal.raise_signal(signal.SIGINT)

    async def stopped(self, context):
        try:
            say(f"stopping {self.name}")
            await trio.sleep(self.goodbye)
        except trio.Cancelled:
            say(f"cut off {self.name}")
            raise
        say(f"stop {self.name}")


def plan(goodbye=0.0):
    children = tuple(
        ActorSpec(
            id=ComponentId.parse(name),
            behaviour=Worker,
            arguments=(goodbye,),
            shutdown=math.inf,
        )
        for name in "ab"
    )
    intensity = Intensity(0, 60.0)
    return Blueprint(
        root=SupervisorSpec(name="root", children=children, intensity=intensity)
    )


async def wait(system):
    say("ready")
    await trio.sleep_forever()


async def answer(system):
    return 42


async def fail(system):
    raise OSError("the body's own")


async def give_up(system):
    system.tell("a", b"crash")
    await trio.sleep_forever()


async def spin(system):
    serve = signal.getsignal(signal.SIGINT)

    def serve_aloud(number, frame):
        serve(number, frame)
        say("served")

    signal.signal(signal.SIGINT, serve_aloud)
    system.tell("a", b"spin")
    await trio.sleep_forever()


async def interrupted_handler(system):
    system.tell("a", b"interrupt")
    await trio.sleep_forever()


async def cancels_itself(system):
    with trio.move_on_after(0.01):
        await wait(system)
    say("went on")


def plain(main, goodbye=0.0):
    """Not `run` but `trio.run`, where Ctrl-C is Trio's own."""

    async def program():
        async with airssys.open_system(plan(goodbye)) as system:
            await main(system)

    trio.run(program)


def in_thread():
    import threading

    thread = threading.Thread(target=lambda: say(run(plan(), answer)))
    thread.start()
    thread.join()


async def busy_body(system):
    say("ready")
    while True:
        pass


WAYS = {
    "answer": lambda: say(run(plan(), answer)),
    "fail": lambda: run(plan(), fail),
    "give-up": lambda: run(plan(), give_up),
    "wait": lambda: run(plan(), wait),
    "no-main": lambda: run(plan()),
    "slow": lambda: run(plan(999.0), wait),
    "spin": lambda: run(plan(), spin),
    "cancels-itself": lambda: run(plan(), cancels_itself),
    "in-thread": in_thread,
    "plain": lambda: plain(wait),
    "plain-slow": lambda: plain(wait, 999.0),
    "plain-spin": lambda: plain(spin),
    "plain-busy-body": lambda: plain(busy_body),
    "plain-handler": lambda: plain(interrupted_handler),
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
