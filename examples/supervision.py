"""A component that traps is restarted, until its supervisor gives up."""

import logging
from pathlib import Path

import trio

from airssys import (
    CalleeFailed,
    SystemGaveUp,
    blueprint,
    component,
    open_system,
    render,
)

SHOUT = Path(__file__).with_name("shout.wat")

# Two restarts within a minute are allowed; a third one and the root gives up.
TREE = blueprint(component("shout", SHOUT), restarts=2, period=60)


async def main() -> None:
    try:
        async with open_system(TREE) as system:
            while True:
                print(await system.ask("shout", b"still here"))
                try:
                    await system.ask("shout", b"")  # `shout.wat` traps on that
                except CalleeFailed as failure:
                    print(failure.why)
                await trio.sleep(0.1)  # ends early if the system gives up
                print(render(system.tree()))
    except SystemGaveUp as gave_up:
        for offence in gave_up.chain:
            print(f"{offence.supervisor} gave up on {offence.child}:")
            print(f"  restart {offence.restarts} within {offence.period:g} s")


logging.getLogger("airssys").setLevel(logging.CRITICAL)  # crashes are printed here
trio.run(main)
