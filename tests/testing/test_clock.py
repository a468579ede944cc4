"""The clock jumps over waiting, and waits for threads."""

import threading
import time
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from airssys.contracts import Artifact, EngineSettings
from airssys.testing import steady_clock
from airssys.wasm import open_runtime
from pace import PATIENCE, Stopwatch
from wasm_support import wrap_compilers

SHOUT = Path(__file__).resolve().parents[2] / "examples" / "shout.wat"


def run(main, clock=None):
    return trio.run(main, clock=clock or steady_clock())


def test_waiting_takes_no_time():
    async def main():
        before = trio.current_time()
        await trio.sleep(3600)
        return trio.current_time() - before

    watch = Stopwatch()
    assert run(main) == pytest.approx(3600)
    assert watch.seconds() < 5


async def held_by_a_thread():
    released = threading.Event()
    threading.Timer(0.05, released.set).start()
    with trio.move_on_after(10):
        await trio.to_thread.run_sync(released.wait)
    return trio.current_time() >= 10


def test_time_stands_still_while_a_thread_works():
    assert not run(held_by_a_thread)
    # The reason for this clock: Trio's own jumps.
    assert run(held_by_a_thread, MockClock(autojump_threshold=0))


def test_it_jumps_again_after_the_thread():
    async def main():
        for _ in range(3):
            await trio.to_thread.run_sync(time.monotonic)
            await trio.sleep(1000)
        return trio.current_time()

    assert run(main) == pytest.approx(3000)


def test_an_abandoned_thread_does_not_delay_the_test():
    released = threading.Event()

    async def main():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def leave():
                    await trio.to_thread.run_sync(released.wait, abandon_on_cancel=True)

                nursery.start_soon(leave)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        await trio.sleep(1000)
        return trio.current_time()

    try:
        assert run(main) == pytest.approx(1000)
    finally:
        released.set()


def test_tasks_that_wait_for_all_to_be_blocked_come_first():
    async def main():
        order = []
        async with trio.open_nursery() as nursery:

            async def sleeper():
                await trio.sleep(1)
                order.append("slept")

            nursery.start_soon(sleeper)
            await trio.testing.wait_all_tasks_blocked(0.01)
            order.append("settled")
        return order

    assert run(main) == ["settled", "slept"]


async def compile_within(seconds):
    """Say whether a real component was compiled before a deadline."""
    with trio.move_on_after(seconds):
        async with open_runtime(EngineSettings(), cache_directory=None) as loader:
            await loader.load(Artifact.at(SHOUT))
        return True
    return False


def test_a_real_compile_does_not_meet_a_deadline(monkeypatch):
    assert run(lambda: compile_within(0.001))
    # With a clock that jumps over threads it does; the compiler is held, or it could be
    # done before the clock gets to jump.
    held = threading.Event()

    def holding(original):
        def compile_late(*arguments):
            held.wait(PATIENCE)
            return original(*arguments)

        return compile_late

    wrap_compilers(monkeypatch, holding)
    assert not run(lambda: compile_within(0.001), MockClock(autojump_threshold=0))
    held.set()
