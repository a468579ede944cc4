"""Typed handlers that are plain functions, alone and among async ones."""

import attrs
import pytest
import trio
import trio.testing

from airssys import (
    CalleeFailed,
    NotUnderstood,
    actor,
    blueprint,
    handlers,
    on_message,
    open_system,
)
from airssys.contracts import NO_BACKOFF, ComponentId, Envelope, is_plain, never_waits

from .clerk import Cancel, Look, Order, Receipt


class Plain:
    """All of its handlers are plain functions."""

    def __init__(self):
        self.orders = []

    @on_message
    def order(self, context, order: Order) -> Receipt:
        self.orders.append(order)
        return Receipt(len(self.orders), order.item)

    @on_message
    def cancel(self, context, cancel: Cancel) -> None:
        self.orders.pop(cancel.number - 1)

    @on_message
    def look(self, context, look: Look) -> Order | None:
        known = 0 < look.number <= len(self.orders)
        return self.orders[look.number - 1] if known else None

    def rest(self, context, envelope):
        return envelope.payload.upper()

    handle = handlers(order, cancel, look, otherwise=rest)


class Mixed(Plain):
    """One of them is async."""

    @on_message
    async def look(self, context, look: Look) -> Order | None:
        await trio.lowlevel.checkpoint()
        return Plain.look(self, context, look)

    handle = handlers(Plain.order, Plain.cancel, look, otherwise=Plain.rest)


class Overridden(Plain):
    """One of them is async, and is not listed again."""

    @on_message
    async def look(self, context, look: Look) -> Order | None:
        await trio.lowlevel.checkpoint()
        return Plain.look(self, context, look)


@attrs.frozen
class Wait:
    pass


class Careless:
    @on_message
    def wait(self, context, wait: Wait) -> None:
        return trio.sleep(1)  # noqa: ASYNC105 (on purpose)

    handle = handlers(wait)


KINDS = [Plain, Mixed, Overridden]


def plan(kind):
    return blueprint(actor("clerk", kind, backoff=NO_BACKOFF))


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_handler_answers(kind):
    async with open_system(plan(kind)) as system:
        clerk = system.ref("clerk", kind)
        await trio.testing.wait_all_tasks_blocked()
        assert await clerk.ask(Order("tea", 2)) == Receipt(1, "tea")
        clerk.tell(Order("pie"))
        assert await clerk.ask(Look(2)) == Order("pie")
        assert await clerk.ask(Look(9)) is None
        assert await clerk.ask(Cancel(1)) is None
        assert await clerk.ask(Look(1)) == Order("pie")
        assert await system.ask("clerk", b"other") == b"OTHER"
        with pytest.raises(CalleeFailed) as refused:
            await system.ask("clerk", b"{", content_type="application/json")
        assert type(refused.value.error) is NotUnderstood


@pytest.mark.parametrize("kind", KINDS)
async def test_they_can_be_called_directly(kind):
    instance = kind()
    answer = instance.handle(None, _envelope(b"a"))
    assert (answer if kind is Plain else await answer) == b"A"
    assert await kind.handle(instance, None, _envelope(b"b")) == b"B"


@pytest.mark.parametrize("kind", KINDS)
def test_only_if_all_are_plain_is_the_whole(kind):
    assert is_plain(kind().handle) is (kind is Plain)


async def test_one_that_returns_an_awaitable_is_named():
    async with open_system(plan(Careless)) as system:
        with pytest.raises(CalleeFailed) as failed:
            await system.ref("clerk", Careless).ask(Wait())
    line = Careless.wait.__code__.co_firstlineno
    text = (
        "Careless.wait returned a coroutine, but is a plain function: write `async def`"
    )
    assert f"{text} at {__file__}:{line}" in str(
        failed.value.__cause__ or failed.value.error
    )


def _envelope(payload):
    someone = ComponentId("local", "someone", "0")
    return Envelope(someone, someone, payload)


class Eager:
    """All of its handlers are async, and none waits."""

    def __init__(self, steps):
        self.steps = steps

    @on_message
    async def look(self, context, look: Look) -> Order | None:
        self.steps.append(trio.lowlevel.current_task().name)
        return Order(f"pie {look.number}")

    @on_message
    def cancel(self, context, cancel: Cancel) -> None:
        self.steps.append(trio.lowlevel.current_task().name)

    handle = handlers(look, cancel)


class Patient(Eager):
    """One of them waits, as a subclass has it."""

    async def look(self, context, look: Look) -> Order | None:
        await trio.lowlevel.checkpoint()
        return await super().look(context, look)


@pytest.mark.parametrize("kind", [Eager, Patient])
async def test_async_handlers_that_never_wait_are_served_as_plain_ones(kind):
    steps = []
    async with open_system(blueprint(actor("clerk", kind, steps))) as system:
        await trio.testing.wait_all_tasks_blocked()
        clerk = system.ref("clerk", kind)
        assert await clerk.ask(Look(3)) == Order("pie 3")
        is_here = steps == [trio.lowlevel.current_task().name]
        assert is_here is (kind is Eager)
        clerk.tell(Cancel(1))
        await trio.testing.wait_all_tasks_blocked()
        assert ("Dispatcher.serve" in steps[1]) is (kind is Eager)


def test_whether_they_wait_is_a_matter_of_the_instance():
    """An instance may have got another method, which may wait."""
    eager, changed = Eager([]), Eager([])
    changed.look = Patient([]).look
    assert never_waits(eager.handle)
    assert not never_waits(changed.handle)
    assert not never_waits(Patient([]).handle)


async def test_one_that_never_waits_can_still_be_awaited():
    envelope = _envelope(b'{"_type": "Look", "number": 1}')._replace(
        content_type="application/json"
    )
    answer = await Eager([]).handle(None, envelope)
    assert b"pie 1" in answer
