"""Three components in a row: each marks a parcel and sends it to the next."""

from pathlib import Path

import trio
from wasmtime import wat2wasm

from airssys import ActorContext, Envelope, System, actor, blueprint, component, run
from airssys.building import encode_component
from airssys.security import send

HERE = Path(__file__).parent


def guest(name: str) -> bytes:
    """Make a component from a core module in text form."""
    texts = [(HERE / f"{part}.wat").read_text() for part in (name, "common")]
    return encode_component(bytes(wat2wasm(f"(module {''.join(texts)})")))


relay = guest("relay")
arrived = trio.Event()


async def customer(context: ActorContext, envelope: Envelope) -> None:  # noqa: ASYNC124  # handlers are async
    print(f"{envelope.payload.decode()}, from the {envelope.sender.name}")
    if envelope.payload.startswith(b"the last"):
        arrived.set()


async def main(system: System) -> None:
    for self_message in (b"a book", b"a pen", b"the last one"):
        await system.send("packer", self_message)
    await arrived.wait()


if __name__ == "__main__":
    run(
        blueprint(
            component("packer", relay, data="weigher: packed", can=send("weigher")),
            component("weigher", relay, data="driver: weighed", can=send("driver")),
            component(
                "driver", relay, data="customer: delivered", can=send("customer")
            ),
            actor("customer", customer),
        ),
        main,
    )
