"""The same component and the same actor with grants and without: what each kind allows.

A component holds nothing by default. What it is refused is an event, and the guest gets
the error of that call. A Python actor is restricted only if it has `can=`.
"""

from pathlib import Path

from wasmtime import wat2wasm

from airssys import (
    ActorContext,
    Envelope,
    Grant,
    NotGranted,
    System,
    actor,
    blueprint,
    component,
    run,
)
from airssys.building import encode_component
from airssys.security import (
    ask,
    broadcast,
    clock,
    custom,
    publish,
    see,
    send,
    store,
    subscribe,
)
from airssys.security.capabilities import Kind, define_kind
from airssys.security.patterns import NamePattern

HERE = Path(__file__).parent
DRAWER = define_kind(Kind("drawer", {"open": NamePattern.parse}))
"""A kind of this program: its own host functions would ask for it."""
GRANTS: dict[str, Grant] = {
    "send": send("shelf"),
    "ask": ask("shelf"),
    "broadcast": broadcast("shelf"),
    "publish": publish("news.#"),
    "subscribe": subscribe("news.#"),
}


def guest(name: str) -> bytes:
    """Make a component from a core module in text form."""
    texts = [(HERE / f"{part}.wat").read_text() for part in (name, "common")]
    return encode_component(bytes(wat2wasm(f"(module {''.join(texts)})")))


async def clerk(context: ActorContext, envelope: Envelope) -> bytes:
    """Do what the message names."""
    try:
        await act(context, envelope.payload.decode())
    except NotGranted as error:
        return str(error).encode()
    return b"done"


async def act(context: ActorContext, word: str) -> None:
    match word:
        case "send":
            await context.send("shelf", b"")
        case "ask":
            await context.ask("shelf", b"")
        case "broadcast":
            outcomes = await context.broadcast(["shelf"], b"")
            for error in filter(None, outcomes.values()):
                raise error
        case "publish":
            await context.publish("news.today", b"")
        case "subscribe":
            context.subscribe("news.*")
        case _:
            raise ValueError(word)


async def shelf(_: ActorContext, __: Envelope) -> bytes:  # noqa: ASYNC124  # handlers are async
    return b"a book"


async def main(system: System) -> None:
    for word in GRANTS:
        for name in ("clerk", "trainee"):
            print((await system.ask(name, word.encode()) or b"").decode())
    for name in ("diary", "blank"):
        print(f"{name}: {(await system.ask(name, b'Dear diary') or b'').decode()}")
    for drawer in ("front", "safe"):
        print(
            drawer, system.grants("clerk").allows("drawer", "open", f"local/{drawer}/0")
        )


if __name__ == "__main__":
    diary = guest("diary")
    run(
        blueprint(
            actor("shelf", shelf),
            actor(
                "clerk",
                clerk,
                can=[*GRANTS.values(), custom("drawer", "open", "front")],
            ),
            actor("trainee", clerk, can=[]),
            component("diary", diary, can=[store("last"), clock(), see("*")]),
            component("blank", diary),
        ),
        main,
        log="error",  # each denial is a warning
    )
