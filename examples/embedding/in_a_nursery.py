"""A system as one task of a nursery that your program has opened."""

from pathlib import Path

import trio

from airssys import blueprint, component, serve

SHOUT = Path(__file__).parents[1] / "shout.wat"


async def main() -> None:
    async with trio.open_nursery() as nursery:
        # The system is ready when this returns, and stops in order on cancellation.
        system = await nursery.start(serve, blueprint(component("shout", SHOUT)))
        print(await system.ask("shout", b"from a nursery"))
        nursery.cancel_scope.cancel()


trio.run(main)
