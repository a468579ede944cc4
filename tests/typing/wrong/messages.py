"""Typed messages that are wrong; `# E:` names the errors that mypy must have for a line."""

import attrs

from airssys import (
    ActorContext,
    Envelope,
    Portal,
    SendOptions,
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
    def too_many(self, context: ActorContext, order: Order, other: Order) -> str:
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


class Plain:
    @on_message
    def order(self, context: ActorContext, order: Order) -> str:
        return ""

    def rest(self, context: ActorContext, envelope: Envelope) -> str:
        return ""

    handle = handlers(order, otherwise=rest)  # E: arg-type


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
    take(await system.ref("plain", Plain).ask(Order("")))  # E: arg-type
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

    # Options of a typed message.
    await clerk.ask(Order("tea"), timeout="soon")  # E: call-overload
    await clerk.ask(Order("tea"), ttl=5)  # E: call-overload, call-overload
    await clerk.ask(Look(1), content_type="json")  # E: call-overload, call-overload
    clerk.tell(Order("tea"), priority="urgent")  # E: arg-type
    clerk.tell(Order("tea"), timeout=5)  # E: call-arg
    await clerk.send(Order("tea"), content_type="text/plain")  # E: call-arg

    # Options of a message of bytes.
    system.tell("clerk", b"", prority="low")  # E: call-arg
    system.tell("clerk", b"", priority="urgent")  # E: arg-type
    system.tell("clerk", b"", retries=2)  # E: call-arg
    system.tell("clerk", b"", "text/plain")  # E: arg-type, call-arg
    await system.send("clerk", b"", ttl="soon")  # E: arg-type
    await system.ask("clerk", b"", ttl=5)  # E: call-arg
    await system.ask("clerk", b"", timeout=None)  # E: arg-type
    await system.ask("clerk", b"", retries="often")  # E: arg-type
    Portal(system).tell("clerk", b"", key=3)  # E: arg-type
    Portal(system).ask("clerk", b"", ttl=5)  # E: call-arg


def forward(system: System, options: SendOptions) -> None:
    # Options that are kept, and then given to another method.
    system.tell("clerk", b"", **options)
    Portal(system).ask("clerk", b"", **options)  # E: misc  # pyright finds none
    options["prority"] = "low"  # E: typeddict-unknown-key


async def look_up(system: System) -> None:
    clerk = system.ref("clerk", Clerk)
    await clerk.ask(Look(1), retries=2, key="k")

    # Refs without handlers.
    system.ref("clerk", Order)  # E: type-var
    system.ref("clerk", Unlisted)  # E: type-var
    system.ref("clerk", Clerk("a"))  # E: arg-type, call-arg
    system.ref("clerk", Clerk, codec=3)  # E: arg-type
