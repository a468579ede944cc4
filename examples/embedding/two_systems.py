"""Two systems side by side: their actors have the same names and never meet.

Each has an engine, a tree and a broker of its own. What connects them is your program.
"""

from pathlib import Path

import trio

from airssys import ActorContext, Envelope, actor, blueprint, component, open_system

SHOUT = Path(__file__).parents[1] / "shout.wat"


async def whisper(context: ActorContext, envelope: Envelope) -> bytes:
    return (await context.ask("shout", envelope.payload) or b"").lower()


async def main() -> None:
    shout = component("shout", SHOUT)
    quiet = blueprint(shout, actor("whisper", whisper))
    async with open_system(blueprint(shout)) as left, open_system(quiet) as right:
        print(await left.ask("shout", b"Hello"), await right.ask("whisper", b"Hello"))


trio.run(main)
