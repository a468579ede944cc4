"""Trio itself breaks while guests wait, take turns and are polled by workers."""

import sys

import trio
import trio.lowlevel
from bench import LANE, TARGET, Services, envelope, make, say

from airssys.contracts import EngineSettings
from airssys.wasm import open_runtime

KEPT = []


async def fail_soon():
    raise ZeroDivisionError("a system task broke, on purpose")


def break_a_system_task():
    """Trio cancels everything and then says what it thinks of it."""
    trio.lowlevel.spawn_system_task(fail_soon)


def break_the_scheduler():
    """Trio stops where it is, and the tasks are garbage."""

    async def wait_badly():
        def refuse_badly(_):
            raise ZeroDivisionError("an abort function broke, on purpose")

        with trio.move_on_after(0):
            await trio.lowlevel.wait_task_rescheduled(refuse_badly)

    trio.lowlevel.spawn_system_task(wait_badly)


BREAKS = {each.__name__: each for each in (break_a_system_task, break_the_scheduler)}


async def wait_for_ever(*_):
    await trio.sleep_forever()


async def keep_echoing(guest):
    while True:
        await guest.handle_message(envelope(b"x" * 1_100_000))


async def program(crash):
    async with open_runtime(EngineSettings(tick=0.002)) as loader:
        guests = {
            "sleep": b"1000000",
            "asker": b"x",
            "loop": b"",
            "flood": b"",
            "log-flood": b"",
        }
        services = Services()
        services.ask = wait_for_ever
        async with trio.open_nursery() as nursery:
            for name, payload in guests.items():
                guest = await make(loader, name, TARGET, services, execution_time=1000)
                KEPT.append(guest)
                nursery.start_soon(guest.handle_message, envelope(payload))
            KEPT.append(await make(loader, "echo", host_call_bytes=8_000_000))
            nursery.start_soon(keep_echoing, KEPT[-1])
            await trio.sleep(0.05)
            # On the own lane a worker has nothing to move that takes long.
            while LANE != "own" and not loader.runtime.engine.polling:  # noqa: ASYNC110
                await trio.sleep(0.001)
            crash()
            await trio.sleep_forever()


def main():
    crash = BREAKS[sys.argv[1]]
    try:
        trio.run(program, crash)
    finally:
        if "drop" in sys.argv:
            KEPT.clear()
        say("survived")


main()
