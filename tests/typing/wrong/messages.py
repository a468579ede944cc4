"""Typed messages that are wrong; `# E:` names the errors that mypy must have for a line."""

import attrs

from airssys import (
    ActorContext,
    Envelope,
    System,
    actor,
    component,
    handlers,
    on_message,
)


@attrs.frozen
class Order:
    item: str


@attrs.frozen
class Look:
    number: int


class Clerk:
    @on_message
    async def order(self, context: ActorContext, order: Order) -> str:
        return order.item

    @on_message
    async def look(self, context: ActorContext, look: Look) -> Order | None:
        return None

    handle = handlers(order, look)


# Handlers that could not handle a message.
class Wrong:
    @on_message  # E: type-var
    def not_async(self, context: ActorContext, order: Order) -> str:
        return ""

    @on_message  # E: type-var
    async def too_few(self, context: ActorContext) -> str:
        return ""

    async def rest(self, context: ActorContext, envelope: Envelope) -> str:
        return ""

    @on_message
    async def right(self, context: ActorContext, order: Order) -> str:
        return ""

    handle = handlers(right, otherwise=rest)  # E: arg-type


@actor
class Unlisted:  # E: type-var
    @on_message
    async def order(self, context: ActorContext, order: Order) -> str:
        return ""


@component("a.wasm", codecs=3)  # E: call-overload
class WrongCodec: ...


@actor(sends="json")  # E: call-overload
class WrongWord(Clerk): ...


def take(order: Order) -> None: ...


async def buy(system: System) -> None:
    clerk = system.ref("clerk", Clerk)

    # Messages without a handler.
    await clerk.ask("tea")  # E: call-overload
    await clerk.ask(b"tea")  # E: call-overload
    await clerk.ask(Order)  # E: call-overload
    clerk.tell(3)  # E: arg-type
    await clerk.send(None)  # E: arg-type

    # Answers of another type.
    take(await clerk.ask(Order("tea")))  # E: arg-type
    take(await clerk.ask(Look(1)))  # E: arg-type
    (await clerk.ask(Order("tea"))).sort()  # E: attr-defined

    # What is said of a message.
    await clerk.ask(Order("tea"), timeout="soon")  # E: call-overload
    clerk.tell(Order("tea"), priority="urgent")  # E: arg-type

    # Refs without handlers.
    system.ref("clerk", Order)  # E: type-var
    system.ref("clerk", Unlisted)  # E: type-var
    system.ref("clerk", Clerk("a"))  # E: arg-type, call-arg
    system.ref("clerk", Clerk, codec=3)  # E: arg-type
