"""A component that crashes continues from its last checkpoint, instead of from scratch."""

import logging
from pathlib import Path

import trio

from airssys import (
    CalleeFailed,
    blueprint,
    component,
    open_system,
)

TALLY = Path(__file__).with_name("tally.wat")

tally = component(
    "tally",
    TALLY,
    start_from="snapshot",
    checkpoint_every={"messages": 2},
    restart_from="checkpoint",
    backoff={"first": 0.0},
)
TREE = blueprint(tally)


async def main() -> None:
    async with open_system(TREE) as system:
        for _ in range(2):
            print(await system.ask("tally", b"count this"))
        await trio.sleep(0.5)  # a checkpoint is taken while the component is idle
        for attempt in ("first", "second"):
            try:
                await system.ask("tally", b"")  # `tally.wat` traps on that
            except CalleeFailed:
                print(f"the {attempt} crash")
            # After the second one in a row it begins again: the checkpoint itself may
            # be what makes it crash.
            print(await system.ask("tally", b"count this"))


logging.getLogger("airssys").setLevel(logging.CRITICAL)  # crashes are printed here
trio.run(main)
