"""Typed messages, end to end."""

import json

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings, strategies as st

from airssys import (
    AskTimedOut,
    BadAnswer,
    CalleeFailed,
    CodecNotTaken,
    Codecs,
    DefinitionError,
    Fault,
    InvalidMessage,
    MailboxFull,
    MessageFailed,
    NoAnswer,
    NotEncodable,
    NotUnderstood,
    TargetNotFound,
    UnhandledMessage,
    actor,
    blueprint,
    component,
    handlers,
    on_message,
    open_system,
)
from airssys.contracts import (
    JSON_TYPE,
    MSGPACK_TYPE,
    NO_BACKOFF,
    ActorSpec,
    ComponentId,
    as_blueprint,
    walk,
)
from airssys.security import everything
from wasm_support import GUESTS

from .clerk import Cancel, Clerk, Do, Look, Open, Order, Receipt, Rush
from .records import PLAIN

pytestmark = pytest.mark.measured

CODECS = ["msgpack", "json", "application/json; charset=utf-8"]


def plan(kind=Clerk, *arguments, others=(), **options):
    options.setdefault("backoff", NO_BACKOFF)
    return blueprint(actor("clerk", kind, *arguments, **options), *others)


@pytest.mark.parametrize("codec", CODECS)
async def test_an_ask_has_what_the_handler_returns(codec):
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk, codec=codec)
        assert await clerk.ask(Order("tea", 2)) == Receipt(1, "tea")
        assert await clerk.ask(Order("pie")) == Receipt(2, "pie")
        assert await clerk.ask(Look(1)) == Order("tea", 2)
        assert await clerk.ask(Look(9)) is None
        assert await clerk.ask(Cancel(1)) is None
        assert await clerk.ask(Look(1)) == Order("pie")


async def test_tell_and_send_deliver_in_order():
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk)
        clerk.tell(Order("a"))
        await clerk.send(Order("b"))
        clerk.tell(Order("c"), priority="high", ttl=5)
        assert (await clerk.ask(Look(2), priority="high")) == Order("b")
        assert (await clerk.ask(Order("d"))).number == 4


async def test_an_actor_has_refs_too():
    async def buyer(context, envelope):
        receipt = await context.ref("clerk", Clerk).ask(Order("tea"))
        return receipt.item.encode()

    async with open_system(plan(others=(actor("buyer", buyer),))) as system:
        assert await system.ask("buyer", b"") == b"tea"


async def test_what_the_broker_says_of_any_message_it_says_of_these():
    async with open_system(plan(mailbox=1)) as system:
        missing = system.ref("nobody", Clerk)
        with pytest.raises(TargetNotFound):
            missing.tell(Order("tea"))
        clerk = system.ref("clerk", Clerk)
        with pytest.raises(AskTimedOut) as late:
            await clerk.ask(Do("hang"), timeout=0.01)
        assert late.value.waited == pytest.approx(0.01)
        clerk.tell(Order("a"))
        with pytest.raises(MailboxFull):
            clerk.tell(Order("b"))


@pytest.mark.parametrize("message", [Receipt(1, "a"), Rush("a"), "a", None, Order])
async def test_a_message_without_a_handler_is_refused_with_what_there_is(message):
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk)
        for act in (clerk.tell, clerk.send, clerk.ask):
            with pytest.raises(UnhandledMessage) as caught:
                await act(message)
            assert caught.value.handles == ("Cancel", "Do", "Look", "Order")
            assert caught.value.kind == type(message).__qualname__
            assert caught.value.fault is Fault.SENDER


async def test_a_message_that_cannot_be_written_is_not_sent():
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk)
        with pytest.raises(NotEncodable):
            clerk.tell(Order(object()))
        assert system.mailbox("clerk").handled == 0


async def test_a_field_of_another_type_is_reported_to_the_asker():
    async with open_system(plan()) as system:
        with pytest.raises(CalleeFailed) as caught:
            await system.ref("clerk", Clerk).ask(Order("tea", "two"))
        assert caught.value.reason is NoAnswer.REFUSED
        error = caught.value.error
        assert type(error) is NotUnderstood
        assert error.actor == "Clerk"
        assert error.problems[-1].endswith("@ $.count")


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"{", "this is not valid application/json"),
        (b"[]", "list in place of an object"),
        (b"{}", "an object without _type"),
        (b'{"_type":"Nope"}', "'Nope' as _type"),
        (b'{"_type":["Order"]}', "list as _type"),
        (b'{"_type":"Order"}', "required field missing @ $.item"),
        (b'{"_type":"Order","item":5,"count":"x"}', "@ $.item"),
    ],
)
async def test_bad_input_is_reported_to_the_asker_and_the_actor_keeps_running(
    payload, problem
):
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk)
        await clerk.ask(Order("tea"))
        with system.events() as events:
            with pytest.raises(CalleeFailed, match="Clerk handles") as caught:
                await system.ask("clerk", payload, content_type=JSON_TYPE)
            assert problem in str(caught.value.error)
            event = await anext(events)
        assert type(event) is MessageFailed
        assert event.error is caught.value.error
        assert await clerk.ask(Look(1)) == Order("tea")  # the same incarnation


@pytest.mark.parametrize("levels", [500, 1000, 1020, 100_000])
@pytest.mark.parametrize("place", ["_type", "item", "none"])
async def test_what_is_very_deep_is_reported_too(levels, place):
    deep = b"\x91" * levels + b"\xc0"
    payload = {
        "_type": b"\x81\xa5_type" + deep,
        "item": b"\x82\xa5_type\xa5Order\xa4item" + deep,
        "none": deep,
    }[place]
    async with open_system(plan()) as system:
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("clerk", payload, content_type=MSGPACK_TYPE)
        assert type(caught.value.error) is NotUnderstood


class Calm(Clerk):
    """Cannot be made to crash by a message that is of its type."""

    @on_message
    async def cancel(self, context: object, cancel: Cancel) -> None:
        del self.orders[cancel.number :]


@settings(max_examples=25, deadline=None)
@given(
    inputs=st.lists(
        st.tuples(
            st.binary(max_size=30)
            | PLAIN.map(lambda plain: json.dumps(plain).encode())
            | st.fixed_dictionaries(
                {"_type": st.sampled_from(["Order", "Cancel", "Look", "Nope"])},
                optional={"item": PLAIN, "count": PLAIN, "number": PLAIN},
            ).map(lambda plain: json.dumps(plain).encode()),
            st.sampled_from([JSON_TYPE, MSGPACK_TYPE]),
        ),
        max_size=10,
    )
)
def test_whatever_comes_the_actor_lives(inputs):
    """Each is answered, or refused with `NotUnderstood`."""
    errors = []

    async def main():
        async with open_system(plan(Calm, restart="temporary")) as system:
            for payload, kind in inputs:
                try:
                    await system.ask("clerk", payload, content_type=kind)
                except CalleeFailed as failure:
                    errors.append(failure)
            await system.ref("clerk", Calm).ask(Look(1))
            assert system.mailbox("clerk").handled == len(inputs) - len(errors) + 1

    trio.run(main)
    assert {type(e.error) for e in errors} <= {NotUnderstood}
    assert {e.reason for e in errors} <= {NoAnswer.REFUSED}


async def test_a_handler_that_crashes_is_a_crash_as_any():
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk)
        await clerk.ask(Order("tea"))
        with pytest.raises(CalleeFailed) as caught:
            await clerk.ask(Do("crash"))
        assert caught.value.reason is NoAnswer.CRASHED
        assert await clerk.ask(Look(1)) is None  # another incarnation


async def test_an_answer_of_another_type_is_reported():
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk)
        for lie in ("lie", "answer nothing"):
            with pytest.raises(BadAnswer) as caught:
                await clerk.ask(Do(lie))
            assert caught.value.wanted == "str"
            assert caught.value.fault is Fault.ACTOR
        assert await clerk.ask(Do("well")) == "well"


async def test_an_answer_that_cannot_be_written_is_a_crash():
    async with open_system(plan()) as system:
        with pytest.raises(CalleeFailed) as caught:
            await system.ref("clerk", Clerk).ask(Do("answer nonsense"))
        assert caught.value.reason is NoAnswer.CRASHED
        assert type(caught.value.error) is NotEncodable


async def test_the_answer_comes_in_the_codec_of_the_question():
    async with open_system(plan()) as system:
        question = b'{"_type": "Order", "item": "tea", "more": "is ignored"}'
        answer = await system.ask("clerk", question, content_type=JSON_TYPE)
        assert json.loads(answer) == {"number": 1, "item": "tea"}


def spec_of(*arguments, **options):
    ((_, spec),) = [
        (path, spec)
        for path, spec in walk(as_blueprint(plan(*arguments, **options)).root)
        if isinstance(spec, ActorSpec)
    ]
    return spec


def test_typed_handlers_declare_what_they_read():
    assert spec_of().codecs == Codecs(takes=(MSGPACK_TYPE, JSON_TYPE))
    assert spec_of(codecs="json").codecs == Codecs(takes=(JSON_TYPE,))
    assert spec_of(Open, []).codecs is None


async def test_other_codecs_are_refused_at_send():
    async with open_system(plan(codecs="json")) as system:
        with pytest.raises(CodecNotTaken) as caught:
            system.ref("clerk", Clerk).tell(Order("tea"))
        assert caught.value.common == JSON_TYPE
        with pytest.raises(CodecNotTaken):
            await system.ask("clerk", b"tea")


async def test_without_that_declaration_the_actor_refuses_them_itself():
    spec = ActorSpec(id=ComponentId.parse("clerk"), behaviour=Clerk)
    async with open_system(blueprint(spec)) as system:
        for kind in (None, "text/plain"):
            with pytest.raises(CalleeFailed) as caught:
                await system.ask("clerk", b"tea", content_type=kind)
            assert type(caught.value.error) is NotUnderstood


async def test_one_method_may_take_everything_else():
    kept = []
    others = [
        (b"tea", None),
        (b"{}", JSON_TYPE),
        (b'{"_type":"Nope"}', JSON_TYPE),
        (b"x", "text/plain"),
    ]
    async with open_system(plan(Open, kept)) as system:
        for payload, kind in others:
            assert await system.ask("clerk", payload, content_type=kind) == b"kept"
        with pytest.raises(CalleeFailed):
            await system.ask("clerk", b"{", content_type=JSON_TYPE)
        assert await system.ref("clerk", Open).ask(Order("a")) == Receipt(0, "nothing")
    assert kept == others


async def test_watches_and_timers_come_to_that_method(autojump_clock):
    kept = []
    async with open_system(plan(Open, kept)) as system:
        clerk = system.ref("clerk", Open)
        await clerk.ask(Do("watch"))
        await clerk.ask(Do("wait"))
        await trio.sleep(2)
    assert [payload for payload, _ in kept] == [b"absent", b"now"]


async def test_or_are_reported_without_it(autojump_clock):
    async with open_system(plan()) as system:
        clerk = system.ref("clerk", Clerk)
        await clerk.ask(Do("wait"))
        with system.events() as events:
            assert type(await anext(events)) is MessageFailed
        assert await clerk.ask(Do("well")) == "well"


async def test_a_ref_may_describe_a_guest():
    """A class whose handlers are never called says what a component answers."""

    class Echo:
        @on_message
        async def order(self, context: object, order: Order) -> Order: ...

        handle = handlers(order)

    echo = component("echo", GUESTS / "echo.wat", codecs=["msgpack", "json"])
    async with open_system(blueprint(echo)) as system:
        for codec in ("json", "msgpack"):
            ref = system.ref("echo", Echo, codec=codec)
            assert await ref.ask(Order("tea", 3)) == Order("tea", 3)


@pytest.mark.parametrize("way", ["ask", "send", "request"])
async def test_a_guest_sends_typed_messages_too(way):
    """Their type is in the payload, and their codec is the one that it declares."""
    guest = component("guest", GUESTS / "calls.wat", sends="json", can=everything())
    order = '{"_type":"Order","item":"tea"}'
    call = f"host-messaging.{way}\nlocal/clerk/0\n{order}".encode()
    async with open_system(plan(others=(guest,))) as system:
        answer = await system.ask("guest", call)
        assert answer.startswith(b"ok")
        assert way != "ask" or answer == b'ok:{"number":1,"item":"tea"}'
        assert await system.ref("clerk", Clerk).ask(Look(1)) == Order("tea")


async def test_and_gets_what_is_wrong_with_them():
    guest = component("guest", GUESTS / "calls.wat", sends="json", can=everything())
    call = b'host-messaging.ask\nlocal/clerk/0\n{"_type":"Order","item":5}'
    async with open_system(plan(others=(guest,))) as system:
        answer = await system.ask("guest", call)
        assert answer.startswith(b"err:delivery-failed:")
        assert b"expected str, not int @ $.item" in answer


class Unfit:
    @on_message
    def order(self, context: object, order: Order) -> str:
        yield

    handle = handlers(order)


async def test_a_ref_is_for_classes_with_handlers_and_for_our_codecs():
    async with open_system(plan()) as system:
        with pytest.raises(TypeError, match="Receipt has no `handle"):
            system.ref("clerk", Receipt)
        with pytest.raises(DefinitionError, match="order yields"):
            system.ref("clerk", Unfit)
        with pytest.raises(InvalidMessage, match="'borsh'"):
            system.ref("clerk", Clerk, codec="borsh")
        with pytest.raises(InvalidMessage, match="not a valid name"):
            system.ref("not a name/", Clerk)
        assert repr(system.ref("clerk", Clerk)) == "<Ref to local/clerk/0 as Clerk>"


@attrs.frozen
class Ping:
    pass


async def test_setting_aside_works_in_typed_handlers():
    class Sleepy:
        def __init__(self):
            self.is_awake = False

        @on_message
        async def order(self, context: object, order: Order) -> str:
            if not self.is_awake:
                context.stash()
            return order.item

        @on_message
        async def ping(self, context: object, ping: Ping) -> None:
            self.is_awake = True
            context.unstash_all()

        handle = handlers(order, ping)

    async with open_system(plan(Sleepy)) as system, trio.open_nursery() as nursery:
        clerk = system.ref("clerk", Sleepy)
        answers = []

        async def ask():
            answers.append(await clerk.ask(Order("tea")))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert answers == []
        await clerk.ask(Ping())
        await trio.testing.wait_all_tasks_blocked()
        assert answers == ["tea"]
