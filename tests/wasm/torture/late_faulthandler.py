"""faulthandler takes the signals when an engine already runs; traps stay errors."""

import faulthandler

import trio
from bench import Services, envelope, make, say, source

from airssys.contracts import EngineSettings, GuestTrapped, Limits
from airssys.wasm import open_runtime
from wat_guests.failing import BROKEN_PROMISES, WAYS_TO_TRAP

MOMENTS = "imnacdhsp"


async def call_all(guest):
    await guest.handle_message(envelope(b"x"))
    await guest.handle_callback(envelope(b"x"))
    await guest.metadata()
    await guest.health()
    await guest.shutdown()


async def trap_everywhere(loader, name):
    trapped = 0
    for moment in MOMENTS:
        try:
            guest = await make(
                loader, name, config=moment.encode(), execution_time=0.01
            )
            await call_all(guest)
        except GuestTrapped:
            trapped += 1
    return trapped


async def main():
    async with open_runtime(EngineSettings(tick=0.001)) as loader:
        echo = await make(loader, "echo")
        faulthandler.enable()
        assert await echo.handle_message(envelope(b"x")) == b"x"
        for reason in (*WAYS_TO_TRAP, *BROKEN_PROMISES):
            say(" ", reason)
            assert await trap_everywhere(loader, f"trap-{reason}") >= 3
        for reason in WAYS_TO_TRAP:
            say(" ", reason, "while it starts")
            component = await loader.load(source(f"trap-{reason}-start"))
            try:
                await component.instantiate(Limits(execution_time=0.01), Services())
            except GuestTrapped:
                continue
            raise AssertionError("it did not trap")
        assert await echo.handle_message(envelope(b"x")) == b"x"
    say("survived")


trio.run(main)
