"""Two components publish; each of three others hears what matches its pattern."""

from pathlib import Path

from wasmtime import wat2wasm

from airssys import System, blueprint, component, run
from airssys.building import encode_component

HERE = Path(__file__).parent
TILLS = {"french": "orders.fr.*", "paid": "orders.*.paid", "all": "orders.#"}


def guest(name: str) -> bytes:
    """Make a component of a core module in text."""
    texts = [(HERE / f"{part}.wat").read_text() for part in (name, "common")]
    return encode_component(bytes(wat2wasm(f"(module {''.join(texts)})")))


shop, till = guest("shop"), guest("till")


async def main(system: System) -> None:
    with system.subscribe("orders.#") as orders:
        for name, order in (
            ("paris", b"a book"),
            ("rome", b"a pen"),
            ("paris", b"a map"),
        ):
            await system.send(name, order)
            heard = await anext(orders)
            print(f"{heard.topic}: {heard.payload.decode()}")
    for name, pattern in TILLS.items():
        count = await system.ask(name, b"")
        print(f"{name} ({pattern}): {(count or b'').decode()}")


if __name__ == "__main__":
    run(
        blueprint(
            *(component(name, till, data=text) for name, text in TILLS.items()),
            component("paris", shop, data="orders.fr.paid"),
            component("rome", shop, data="orders.it.returned"),
        ),
        main,
    )
