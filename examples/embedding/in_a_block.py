"""A system inside a Trio program of your own, which is cancelled from outside.

However the block of `open_system` ends, the tree stops in order first: the child that
was started last stops first. Only then does the cancellation go on.
"""

from pathlib import Path

import trio

from airssys import ActorContext, Envelope, actor, blueprint, component, open_system

SHOUT = Path(__file__).parents[1] / "shout.wat"


class Clerk:
    """A Python actor that prints when it starts and stops."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def started(self, _: ActorContext) -> None:
        print(f"{self.name} is ready")

    async def handle(self, context: ActorContext, envelope: Envelope) -> bytes | None:
        return await context.ask("shout", envelope.payload)

    async def stopped(self, _: ActorContext) -> None:
        await trio.sleep(0.1)  # it may take its time: see `shutdown=` of `actor`
        print(f"{self.name} has stopped")


async def serve() -> None:
    tree = blueprint(
        component("shout", SHOUT),
        actor("first", Clerk, "first"),
        actor("second", Clerk, "second"),
    )
    async with open_system(tree) as system:
        while True:
            print(await system.ask("second", b"tick"))
            await trio.sleep(0.2)


async def main() -> None:
    with trio.move_on_after(0.5) as scope:
        await serve()
    print(f"back in the program, cancelled: {scope.cancelled_caught}")


trio.run(main)
