"""One publisher and three listeners: an actor, the program itself, and a slow one."""

from airssys import ActorContext, Envelope, Lag, System, actor, blueprint, run


class Till:
    """Counts the orders of its country that were paid."""

    def __init__(self, country: str) -> None:
        self.country, self.count = country, 0

    async def started(self, context: ActorContext) -> None:
        context.subscribe(f"orders.{self.country}.paid")

    async def handle(self, context: ActorContext, envelope: Envelope) -> bytes:
        if envelope.topic is not None:
            self.count += 1
        return f"{self.count} paid in {self.country}".encode()


async def shop(context: ActorContext, envelope: Envelope) -> None:
    await context.publish("orders.fr.paid", envelope.payload)
    await context.publish("orders.it.cancelled", envelope.payload)


async def main(system: System) -> None:
    slow = system.subscribe("#", capacity=1, lag=Lag.DROP_OLDEST)
    with system.subscribe("orders.*.*") as orders:
        system.tell("shop", b"a book")
        system.tell("shop", b"a pen")
        for _ in range(4):
            order = await anext(orders)
            print(f"{order.topic}: {order.payload.decode()}")
    print("the slow one has", (await anext(slow)).topic, "and missed", slow.dropped)
    answer = await system.ask("till", b"how many?")
    print((answer or b"").decode())


if __name__ == "__main__":
    run(blueprint(actor("shop", shop), actor("till", Till, "fr")), main)
