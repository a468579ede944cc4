"""A pool that grows with its load, keeps the order of each account, and is shrunk at the end."""

import trio

from airssys import ActorContext, Envelope, System, actor, pool, run, topology

NAMES = ("anna", "bert", "carl", "dora", "emil")
BOOKINGS = 20
"""Of each account."""


def account(envelope: Envelope) -> bytes:
    return envelope.payload.partition(b":")[0]


@pool(
    size={"minimum": 1, "maximum": 4, "grow_above": 3},
    routing="consistent-hash",
    key=account,
    topics="bookings.#",
    lag="block",
)
@actor(mailbox=50)
class Ledger:
    """Each account is kept by one member at a time, in the order of its bookings."""

    async def handle(self, context: ActorContext, envelope: Envelope) -> None:
        name, _, amount = envelope.payload.decode().partition(":")
        await trio.sleep(0.002)
        await context.send("auditor", f"{name} {amount}".encode())


@actor
class Auditor:
    """Checks that the bookings of each account came in order."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {}

    async def handle(self, context: ActorContext, envelope: Envelope) -> None:
        name, amount = envelope.payload.decode().split()
        self.seen.setdefault(name, []).append(int(amount))
        count = sum(map(len, self.seen.values()))
        if count == BOOKINGS * len(NAMES):
            ordered = all(amounts == sorted(amounts) for amounts in self.seen.values())
            text = f"{count} bookings, in order: {ordered}"
            await context.publish("audited", text.encode())


@topology
class App:
    auditor = Auditor
    ledger = Ledger


async def main(system: System) -> None:
    with system.subscribe("audited") as audited:
        for amount in range(BOOKINGS):
            for name in NAMES:
                await system.publish("bookings.new", f"{name}:{amount}".encode())
        print("members:", len(system.pool("ledger").members))
        print("resized:", await system.resize("ledger", 1))
        print((await anext(audited)).payload.decode())


if __name__ == "__main__":
    run(App, main)
