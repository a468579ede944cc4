"""A system as one task of a nursery that your program has opened."""

from pathlib import Path

import trio

from airssys import blueprint, component, serve

SHOUT = Path(__file__).parents[1] / "shout.wat"


async def main() -> None:
    async with trio.open_nursery() as nursery:
        # Ready when this returns; stopped in order when the nursery is cancelled.
        system = await nursery.start(serve, blueprint(component("shout", SHOUT)))
        print(await system.ask("shout", b"from a nursery"))
        nursery.cancel_scope.cancel()


trio.run(main)
