"""A component asks another one, which traps while answering; both continue."""

import logging
from pathlib import Path

from wasmtime import wat2wasm

from airssys import System, blueprint, component, run
from airssys.building import encode_component
from airssys.security import ask

HERE = Path(__file__).parent


def guest(name: str) -> bytes:
    """Make a component from a core module in text form."""
    texts = [(HERE / f"{part}.wat").read_text() for part in (name, "common")]
    return encode_component(bytes(wat2wasm(f"(module {''.join(texts)})")))


async def main(system: System) -> None:
    with system.dead_letters() as dead:
        for question in (b"12/3", b"1/0", b"9/3"):
            answer = await system.ask("clerk", question)
            print(question.decode(), "=", (answer or b"").decode())
        letter = await anext(dead)
        print(f"never handled: {letter.payload.decode()}, {letter.reason.value}")
    print("the divider was restarted", system.tree().children[0].restarts, "time")


if __name__ == "__main__":
    logging.getLogger("airssys").setLevel(logging.ERROR)  # the trap is shown above
    run(
        blueprint(
            component("divider", guest("divider")),
            component("clerk", guest("clerk"), can=ask("divider")),
        ),
        main,
    )
