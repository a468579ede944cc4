"""Two components publish; three others each receive what matches their pattern."""

from pathlib import Path

from wasmtime import wat2wasm

from airssys import System, blueprint, component, run
from airssys.building import encode_component
from airssys.security import publish, subscribe

HERE = Path(__file__).parent
TILLS = {"french": "orders.fr.*", "paid": "orders.*.paid", "all": "orders.#"}


def guest(name: str) -> bytes:
    """Make a component from a core module in text form."""
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
            received = await anext(orders)
            print(f"{received.topic}: {received.payload.decode()}")
    for name, pattern in TILLS.items():
        count = await system.ask(name, b"")
        print(f"{name} ({pattern}): {(count or b'').decode()}")


if __name__ == "__main__":
    run(
        blueprint(
            *(
                component(name, till, data=text, can=subscribe(text))
                for name, text in TILLS.items()
            ),
            component("paris", shop, data="orders.fr.paid", can=publish("orders.fr.#")),
            component("rome", shop, data="orders.it.returned", can=publish("orders.#")),
        ),
        main,
    )
