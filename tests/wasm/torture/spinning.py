"""Guests that spin where the host once could not get away from them.

In its start function, in `realloc`, in a function and in `post-return` a guest spins for
ever. It must give way at each tick, with no frame of Python on its stack. While it runs the
interpreter lock must be free, because otherwise the ticker could not end its slice, and
the process would hang.
"""

import threading

import trio
from bench import run_scenarios, say

from airssys.contracts import (
    Artifact,
    EngineSettings,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.wasm import load_any, open_runtime

PLACES = ("start", "realloc", "function", "post")
SPIN = "(loop (br 0)) (unreachable)"
TEXT = """(component (core module $m
  (memory (export "m") 1) (data (i32.const 8) "\\64\\00\\00\\00\\01\\00\\00\\00")
  (func $start {start}) (start $start)
  (func (export "r") (param i32 i32 i32 i32) (result i32) {realloc})
  (func (export "f") (param i32 i32) (result i32) {function})
  (func (export "p") (param i32) {post}))
 (core instance $i (instantiate $m))
 (func (export "f") (param "x" string) (result string) (canon lift
  (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))
  (post-return (core func $i "p")))))"""
HARMLESS = {
    "start": "",
    "realloc": "(i32.const 64)",
    "function": "(i32.const 8)",
    "post": "",
}


class Onlooker:
    """A thread that needs the interpreter lock while a guest is being polled."""

    def __init__(self, engine):
        self.engine, self.seen, self.inside = engine, 0, False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._ended.wait(0.0005):
            if self.engine.polling:
                self.seen += 1
                self.inside = self.inside or bool(self.engine.ledger.inside)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


async def run(where, tick, spin_until):
    async with open_runtime(EngineSettings(tick=tick), cache_directory=None) as loader:
        text = TEXT.format(**HARMLESS | {where: SPIN})
        component = await load_any(loader, Artifact.from_text(text))
        with Onlooker(loader.runtime.engine) as onlooker:
            await spin_until(component)
        assert onlooker.seen, "the interpreter lock was held"
        ledger = loader.runtime.engine.ledger
        assert not ledger.stores
        assert not ledger.inside


async def the_limit(component):
    """It is stopped, while others have their turns."""
    passes = 0

    async def others():
        nonlocal passes
        while True:
            await trio.lowlevel.checkpoint()
            passes += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        try:
            guest = None
            guest = await component.instantiate(Limits(execution_time=0.4))
            await guest.call("f", "x")
            raise AssertionError("it did not spin")
        except GuestTrapped as error:
            assert error.reason is TrapReason.TIME_LIMIT, error
        if guest is not None:
            guest.close()
        nursery.cancel_scope.cancel()
    assert passes, "no other task had a turn"


async def it_is_dropped(component):
    guest = None
    with trio.move_on_after(0.05) as scope:
        guest = await component.instantiate(Limits())
        await guest.call("f", "x")
    assert scope.cancelled_caught
    if guest is not None:
        assert guest.spent is not None
        guest.close()


def scenario(where):
    def spin():
        for tick in (0.005, 0.03):  # in a short slice, and in a long one
            for spin_until in (the_limit, it_is_dropped):
                say(" ", where, f"{tick:g}", spin_until.__name__)
                trio.run(run, where, tick, spin_until)

    return spin


run_scenarios({where: scenario(where) for where in PLACES})
