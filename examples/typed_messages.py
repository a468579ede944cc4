"""Orders and receipts as values, between two actors; then the same as bytes of JSON.

Needs the extra `typed`: pip install 'airssys[typed]'.
"""

import json

import attrs

from airssys import (
    ActorContext,
    CalleeFailed,
    CodecNotTaken,
    System,
    actor,
    blueprint,
    handlers,
    on_message,
    run,
)


@attrs.frozen
class Order:
    item: str
    count: int = 1


@attrs.frozen
class Take:
    item: str
    count: int


@attrs.frozen
class Receipt:
    text: str
    left: int


class Store:
    """Has a handler for each type of message, and handles no bytes."""

    def __init__(self) -> None:
        self.stock = {"tea": 5}

    @on_message
    async def take(self, context: ActorContext, take: Take) -> int:
        self.stock[take.item] -= take.count
        return self.stock[take.item]

    handle = handlers(take)


class Shop:
    """Asks the store; type checkers know the type of the answer."""

    @on_message
    async def order(self, context: ActorContext, order: Order) -> Receipt:
        left = await context.ref("store", Store).ask(Take(order.item, order.count))
        return Receipt(f"{order.count} {order.item}", left)

    handle = handlers(order)


async def main(system: System) -> None:
    shop = system.ref("shop", Shop)
    receipt = await shop.ask(Order("tea", 2))
    print(f"{receipt.text}, and {receipt.left} are left")

    # What other programs send: JSON or MessagePack, with the name of the type.
    order = json.dumps({"_type": "Order", "item": "tea"}).encode()
    answer = await system.ask("shop", order, content_type="application/json")
    print("as JSON:", (answer or b"").decode())

    wrong = json.dumps({"_type": "Order", "item": "tea", "count": "two"}).encode()
    try:
        await system.ask("shop", wrong, content_type="application/json")
    except CalleeFailed as failure:
        print("not understood:", failure.error)
    try:
        system.tell("shop", order, content_type="application/cbor")
    except CodecNotTaken as refusal:
        print("refused; both know", refusal.common)


if __name__ == "__main__":
    run(blueprint(actor("store", Store), actor("shop", Shop)), main)
