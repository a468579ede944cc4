"""Classes whose typed handlers are wrong; `# !` gives the text for the line below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from airssys import handlers, on_message

from . import elsewhere
from .clerk import Cancel, Order, Receipt

if TYPE_CHECKING:
    from airssys import ActorContext

    from .nowhere import Nothing


@attrs.frozen
class Tagged:
    _type: str


@attrs.frozen
class Strange:
    number: complex


def renamed(kind: type) -> type:
    """Make another class of that name."""
    return attrs.make_class(kind.__name__, ["a"])


OtherOrder = renamed(Order)


async def _passed_on(self: object, context: ActorContext, order: Order) -> Receipt:
    return Receipt(3, order.item)


passed_on = elsewhere.decorate(_passed_on)


class Many:
    """As much wrong as possible."""

    # ! yields
    @on_message
    def yields(self, context: ActorContext, order: Order) -> Receipt:
        yield

    # ! no type for its message
    @on_message
    async def no_message(self, context: ActorContext, order) -> Receipt: ...

    # ! no type for its answer
    @on_message
    async def no_answer(self, context: ActorContext, order: Cancel): ...

    # ! cannot be read: name 'Nothing'
    @on_message
    async def unknown(self, context: ActorContext, order: Nothing) -> Receipt: ...

    # ! is not a message type
    @on_message
    async def number(self, context: ActorContext, order: int) -> Receipt: ...

    # ! is not a message type
    @on_message
    async def anything(self, context: ActorContext, order: Any) -> Receipt: ...

    # ! handles Order, like yields
    @on_message
    async def again(self, context: ActorContext, order: Order) -> Receipt: ...

    # ! another class named Order
    @on_message
    async def other(self, context: ActorContext, order: OtherOrder) -> Receipt: ...

    # ! a field _type
    @on_message
    async def tagged(self, context: ActorContext, order: Tagged) -> Receipt: ...

    # ! complex
    @on_message
    async def strange(self, context: ActorContext, order: Strange) -> None: ...

    # ! cannot be called
    @on_message
    async def few(self, context: ActorContext) -> None: ...

    # ! is listed, but is not a handler
    async def unmarked(self, context: ActorContext, order: Receipt) -> None: ...

    # ! but `handle` does not list it
    @on_message
    async def forgotten(self, context: ActorContext, order: Receipt) -> None: ...

    # ! yields
    def rest(self, context: ActorContext, envelope: object) -> None:
        yield

    handle = handlers(
        yields,
        no_message,
        no_answer,
        unknown,
        number,
        anything,
        again,
        other,
        tagged,
        strange,
        few,
        unmarked,
        "a name",
        otherwise=rest,
    )


class WithoutHandle:
    """Marks a handler, and does not list it."""

    # ! write handle = handlers(order)
    @on_message
    async def order(self, context: ActorContext, order: Order) -> Receipt: ...
