"""Typed messages that are right; `make mypy` checks this file."""

import dataclasses
from typing import Any, assert_type

import attrs
import trio

from airssys import (
    ActorContext,
    AskOptions,
    Envelope,
    Portal,
    Priority,
    Ref,
    SendOptions,
    System,
    TraceContext,
    actor,
    blueprint,
    component,
    handlers,
    on_message,
    topology,
)


@attrs.frozen
class Order:
    item: str


@dataclasses.dataclass
class Cancel:
    number: int


@attrs.frozen
class Look:
    number: int


@attrs.frozen
class Receipt:
    number: int


@actor(codecs=["msgpack", "json"], mailbox=10)
class Clerk:
    """Has a handler for each type of message, and one for everything else."""

    def __init__(self, name: str = "nobody") -> None:
        self.name = name

    @on_message
    async def order(self, context: ActorContext, order: Order) -> Receipt:
        return Receipt(1)

    @on_message
    async def cancel(self, context: ActorContext, cancel: Cancel) -> None:
        self.name = ""

    @on_message
    async def look(self, context: ActorContext, look: Look) -> Order | None:
        return None

    async def rest(self, context: ActorContext, envelope: Envelope) -> bytes | None:
        return envelope.payload

    handle = handlers(order, cancel, look, otherwise=rest)


class Other(Clerk):
    """Adds to what it inherits."""

    @on_message
    async def receipt(self, context: ActorContext, receipt: Receipt) -> list[int]:
        return [receipt.number]

    handle = handlers(Clerk.order, receipt)  # type: ignore[assignment]  # it takes others


class Large:
    """Has more handlers than type checkers can tell apart."""

    @on_message
    async def order(self, context: ActorContext, order: Order) -> Receipt:
        return Receipt(1)

    handle = handlers(*[order] * 11)


class Quick:
    """Has plain handlers, which never wait, and an async one among them."""

    @on_message
    def order(self, context: ActorContext, order: Order) -> Receipt:
        return Receipt(1)

    @on_message
    def cancel(self, context: ActorContext, cancel: Cancel) -> None:
        pass

    @on_message
    async def look(self, context: ActorContext, look: Look) -> Order | None:
        return None

    @on_message
    def receipt(self, context: ActorContext, receipt: Receipt) -> list[int] | None:
        return [receipt.number]

    def rest(self, context: ActorContext, envelope: Envelope) -> bytes | None:
        return envelope.payload

    handle = handlers(order, cancel, look, receipt, otherwise=rest)


# What a decorator was put above stays what it was.
assert_type(Clerk().name, str)


@component("worker.wasm", codecs="borsh", prefixed=True)
class Worker:
    """A component whose payloads begin with a prefix."""


@topology
class App:
    """A whole system."""

    clerk = Clerk
    worker = Worker
    source = component("source.wasm", sends="application/json")


a_blueprint = blueprint(
    actor("clerk", Clerk, "name"), actor("other", Other), actor("quick", Quick)
)


async def buy(system: System, context: ActorContext) -> Receipt:
    """Ask, send and tell."""
    clerk = system.ref("clerk", Clerk)
    assert_type(clerk, Ref[Clerk])
    assert_type(await clerk.ask(Order("tea")), Receipt)
    assert_type(await clerk.ask(Look(1), timeout=2, priority="high"), Order | None)
    await clerk.ask(Cancel(1))
    clerk.tell(Cancel(1), ttl=5)
    await clerk.send(Order("tea"))
    assert_type(await context.ref("other", Other).ask(Receipt(2)), list[int])
    assert_type(await system.ref("large", Large, codec="json").ask(Order("a")), Any)
    quick = system.ref("quick", Quick)
    assert_type(await quick.ask(Order("tea")), Receipt)
    assert_type(await quick.ask(Cancel(1)), None)
    assert_type(await quick.ask(Look(1)), Order | None)
    assert_type(await quick.ask(Receipt(1)), list[int] | None)
    quick.tell(Cancel(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clerk.send, Order("tea"))
        nursery.start_soon(clerk.ask, Order("tea"))
    return await sell(clerk)


async def use_options(system: System, context: ActorContext, portal: Portal) -> None:
    """Give each option, of each kind."""
    trace = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    system.tell(
        "a", b"", content_type=None, priority="low", ttl=1, key="k", trace=trace
    )
    await context.send("a", b"", priority=Priority.HIGH, ttl=0.5, key=b"k", trace="00-")
    await context.ask("a", b"", timeout=2, retries=3, content_type="text/plain")
    portal.tell("a", b"", priority=None, ttl=None, key=None, trace=None)
    portal.send("a", b"", ttl=1.5)
    assert_type(portal.ask("a", b"", timeout=1, retries=1, key="k"), bytes | None)
    kept: SendOptions = {"priority": "high", "ttl": 5}
    system.tell("a", b"", **kept)
    portal.send("a", b"", **kept)
    asked = AskOptions(timeout=2, retries=1)
    await system.ask("a", b"", **asked)
    clerk = system.ref("clerk", Clerk)
    clerk.tell(Cancel(1), priority="low", ttl=1, key="k", trace=trace)
    await clerk.ask(Cancel(1), timeout=None, priority="high", key="k", retries=2)


async def sell(clerk: Ref[Clerk]) -> Receipt:
    """Take a ref."""
    return await clerk.ask(Order("tea"))
