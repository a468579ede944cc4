"""All that is wrong with the typed handlers of a class, at once, each with its place."""

import sys
from pathlib import Path

import pytest
import trio

from airssys import (
    ActorSpec,
    DefinitionError,
    StartFailed,
    actor,
    blueprint,
    handlers,
    on_message,
    open_system,
)
from airssys.contracts import ComponentId, find_mistakes
from airssys.typed import handler_mistakes
from pace import finished

from . import wrong_clerks
from .clerk import Clerk, Open, Order, Receipt

FILE = Path(wrong_clerks.__file__)
PLANTED = [
    (number, text.partition("# ! ")[2])
    for number, text in enumerate(FILE.read_text("utf-8").splitlines(), 1)
    if "# ! " in text and not text.startswith('"')
]
SPLIT = FILE.read_text("utf-8").splitlines().index("class WithoutHandle:")


def found_in(kind):
    return find_mistakes(blueprint(actor("clerk", kind)))


def test_every_planted_mistake_is_found():
    planted = [each for each in PLANTED if each[0] < SPLIT]
    assert len(planted) == 14
    found = [m for m in found_in(wrong_clerks.Many) if m.line]
    for line, text in planted:
        reported = [m for m in found if line < m.line <= line + 2]
        assert any(text in f"{m.found} ({m.hint})" for m in reported), (
            line,
            text,
            reported,
        )


def test_and_no_other():
    lines = {line for line, _ in PLANTED}
    others = [
        m
        for m in found_in(wrong_clerks.Many)
        if m.file == str(FILE) and not {m.line - 1, m.line - 2} & lines
    ]
    assert others == []
    assert [m.found for m in found_in(wrong_clerks.Many) if m.file != str(FILE)] == [
        "'a name' is not a method of Many"
    ]


def test_each_has_a_hint_and_its_place_in_the_tree():
    for mistake in found_in(wrong_clerks.Many):
        assert mistake.hint
        assert mistake.path == "$.root.children[0].behaviour"


def test_a_handler_without_a_list_gets_the_line_to_write():
    (mistake,) = found_in(wrong_clerks.WithoutHandle)
    assert mistake.hint == "write handle = handlers(order) below them"
    assert mistake.line == PLANTED[-1][0] + 1


def test_arguments_are_checked_as_well():
    assert [m.path for m in found_in(Open)] == ["$.root.children[0].arguments"]


def test_a_handler_may_be_decorated_elsewhere():
    """Its annotations are read where they were written."""

    class Wrapped:
        order = on_message(wrong_clerks.passed_on)
        handle = handlers(order)

    assert found_in(Wrapped) == []
    answer = trio.run(answer_of, Wrapped, Order("tea"))
    assert answer == Receipt(3, "tea")


async def answer_of(kind, message):
    async with open_system(blueprint(actor("clerk", kind))) as system:
        return await system.ref("clerk", kind).ask(message)


def test_what_is_defined_later_is_found_later():
    """A first look that came too early is not the last one."""

    class Early:
        @on_message
        async def order(self, context: object, order: Order) -> None: ...

        handle = handlers(order)

    Early.order.__annotations__["order"] = "Late"
    assert len(found_in(Early)) == 1
    globals()["Late"] = Order
    try:
        assert found_in(Early) == []
    finally:
        del globals()["Late"]


def test_a_function_from_elsewhere_is_not_a_handler():
    class Borrowing:
        handle = handlers(Clerk.order, otherwise=Open.rest)

    assert [m.found for m in found_in(Borrowing)] == [
        f"{name} is not a method of {Borrowing.__qualname__}"
        for name in ("Clerk.order", "Open.rest")
    ]


def test_nothing_is_wrong_with_what_is_right():
    assert found_in(Clerk) == []
    assert handler_mistakes(Clerk) == []
    assert handler_mistakes("no class") == []
    assert handler_mistakes(Order) == []


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({"codecs": "json"}, []),
        ({"codecs": ["application/JSON; charset=utf-8", "msgpack"]}, []),
        ({"codecs": ["json", "borsh", "a/b"]}, [".codecs"]),
        ({"prefixed": True}, [".prefixed"]),
        ({"codecs": 3}, [".codecs"]),
    ],
)
def test_codecs_that_the_handlers_do_not_read_are_found(options, ends):
    found = find_mistakes(blueprint(actor("clerk", Clerk, **options)))
    assert [m.path for m in found] == [f"$.root.children[0]{end}" for end in ends]
    open_ = find_mistakes(blueprint(actor("clerk", Open, [], **options)))
    assert len(open_) == (options == {"codecs": 3})


async def test_a_spec_by_hand_does_not_start():
    id_ = ComponentId.parse("clerk")
    spec = ActorSpec(id=id_, behaviour=wrong_clerks.Many, restart=RESTART)
    with pytest.raises(StartFailed) as caught:
        async with open_system(blueprint(spec)):
            pass
    assert type(caught.value.reason.error) is DefinitionError
    assert len(caught.value.reason.error.mistakes) > 12


RESTART = ActorSpec(id=ComponentId.parse("a"), behaviour=Clerk).restart


WITHOUT_EXTRA = """
import sys

sys.modules |= {"msgpack": None}

import attrs, trio
from airssys import *

@attrs.frozen
class Order:
    item: str

class Clerk:
    @on_message
    async def order(self, context, order: Order) -> str: ...
    handle = handlers(order)

async def plain(context, envelope):
    return envelope.payload

async def main(system):
    print(await system.ask("plain", b"x", content_type="application/json"))
    try:
        system.ref("plain", Clerk)
    except ExtraMissing as error:
        print(error)

run(blueprint(actor("plain", plain, codecs="json")), main)
try:
    open_system(blueprint(actor("clerk", Clerk)))
except DefinitionError as error:
    for mistake in error.mistakes:
        print(mistake.found, "|", mistake.hint)
"""


def test_without_the_extra_all_else_works_and_errors_say_what_to_install():
    done = finished([sys.executable, "-c", WITHOUT_EXTRA])
    assert not done.stderr
    plain, ref, mistake = done.stdout.splitlines()
    assert plain == "b'x'"
    for reported in (ref, mistake):
        assert "typed messages need the package msgpack" in reported
        assert "pip install 'airssys[typed]'" in reported
