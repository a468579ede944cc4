"""A component with a manifest: what it asks for, what it gets, and how that is replaced."""

from pathlib import Path

import trio

from airssys import Grant, Refused, System, blueprint, component, open_system
from airssys.security import ask, send

HERE = Path(__file__).parent

tally = component("tally", "tally.toml", can=[send("reports/daily"), ask("*")])


async def main() -> None:
    async with open_system(blueprint(tally)) as system:
        print(await system.ask("tally", b"count this"))
        print("it may send to", *(grant.resource for grant in held(system)))
        answer = await system.replace("tally", HERE / "tally-2.toml")
        if isinstance(answer, Refused):
            print(answer.mistakes[0].found)
        await system.replace("tally", HERE / "tally-2.toml", can=ask("calendar"))
        print("now it may ask", *(grant.resource for grant in held(system)))


def held(system: System) -> tuple[Grant, ...]:
    return system.grants("tally").held


trio.run(main)
