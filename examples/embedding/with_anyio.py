"""A system inside an anyio program, on the Trio backend."""

from pathlib import Path

import anyio

from airssys import System, blueprint, component, open_system

SHOUT = Path(__file__).parents[1] / "shout.wat"


async def ask(system: System, word: str, answers: list[bytes]) -> None:
    answers.append(await system.ask("shout", word.encode()) or b"")


async def main() -> None:
    answers: list[bytes] = []
    async with open_system(blueprint(component("shout", SHOUT))) as system:
        async with anyio.create_task_group() as tasks:
            for word in ("from", "any", "io"):
                tasks.start_soon(ask, system, word, answers)
        with anyio.move_on_after(0.05):
            await anyio.sleep_forever()
    print(sorted(answers))


anyio.run(main, backend="trio")
