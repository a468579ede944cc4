"""An actor with typed handlers, and its messages."""

import dataclasses

import attrs
import trio

from airssys import ActorContext, Envelope, handlers, on_message


@attrs.frozen
class Order:
    item: str
    count: int = 1


@attrs.frozen
class Rush(Order):
    hours: int = 1


@dataclasses.dataclass
class Cancel:
    number: int


@attrs.frozen
class Look:
    number: int


@attrs.frozen
class Do:
    what: str


@attrs.frozen
class Receipt:
    number: int
    item: str


class Clerk:
    def __init__(self) -> None:
        self.orders: list[Order] = []

    @on_message
    async def order(self, context: ActorContext, order: Order) -> Receipt:
        self.orders.append(order)
        return Receipt(len(self.orders), order.item)

    @on_message
    async def cancel(self, context: ActorContext, cancel: Cancel) -> None:
        self.orders.pop(cancel.number - 1)

    @on_message
    async def look(self, context: ActorContext, look: Look) -> Order | None:
        known = 0 < look.number <= len(self.orders)
        return self.orders[look.number - 1] if known else None

    @on_message
    async def do(self, context: ActorContext, do: Do) -> str:
        match do.what:
            case "crash":
                raise ValueError("on purpose")
            case "hang":
                await trio.sleep_forever()
            case "lie":
                return 5  # type: ignore[return-value]  # on purpose
            case "answer nothing":
                return None  # type: ignore[return-value]  # on purpose
            case "answer nonsense":
                return object()  # type: ignore[return-value]  # on purpose
            case "watch":
                context.watch("nobody")
            case "wait":
                context.send_after(1, b"now")
        return do.what

    handle = handlers(order, cancel, look, do)


class Open(Clerk):
    """Takes anything, and overrides a handler without listing it again."""

    def __init__(self, kept: list[tuple[bytes, str | None]]) -> None:
        super().__init__()
        self.kept = kept

    @on_message
    async def order(self, context: ActorContext, order: Order) -> Receipt:
        return Receipt(0, "nothing")

    async def rest(self, context: ActorContext, envelope: Envelope) -> bytes | None:
        self.kept.append((envelope.payload, envelope.content_type))
        return b"kept"

    handle = handlers(Clerk.order, Clerk.cancel, Clerk.do, Clerk.look, otherwise=rest)
