"""Actors whose components are given functions of the program's own."""

import pytest

from airssys import actor, blueprint, component, open_system
from airssys.contracts import (
    Artifact,
    ComponentId,
    ComponentRefused,
    DefinitionError,
    Done,
)
from airssys.security import ask
from airssys.wasm import HostInterface
from wasm_support import shop_guest

TILL = "acme:shop/till@1.2.0"
SHOP = Artifact.from_text(shop_guest("acme:shop/till@1.2.3"), "the shop")


def till(price):
    return HostInterface(TILL, {"price": price})


DOUBLE = till(lambda _services, item: 2 * item)
TRIPLE = till(lambda _services, item: 3 * item)


async def test_each_component_has_what_it_is_given():
    """The same code with different hosts, in one system."""
    tree = blueprint(
        component("double", SHOP, host=[DOUBLE]),
        component("triple", SHOP, host=(TRIPLE,)),
    )
    async with open_system(tree) as system:
        assert await system.ask("double", b"\x05") == b"\x0a"
        assert await system.ask("triple", b"\x05") == b"\x0f"


async def test_a_function_may_wait_for_other_actors():
    async def answer(context, envelope):
        return bytes([envelope.payload[0] + 1])

    async def price(services, item):
        target = ComponentId.parse("list")
        (found,) = await services.messages.ask(target, bytes([item]), 5.0)
        return found

    shop = component("shop", SHOP, host=[till(price)], can=ask("list"))
    tree = blueprint(actor("list", answer), shop)
    async with open_system(tree) as system:
        assert await system.ask("shop", b"\x05") == b"\x06"


async def test_without_it_the_system_does_not_open():
    with pytest.raises(ComponentRefused, match=r"acme:shop/till@1.2.3"):
        async with open_system(blueprint(component("shop", SHOP))):
            raise AssertionError("it opened")


async def test_a_restart_gets_a_new_context():
    made, closed = [], []

    def make(services, limits):
        made.append(services.self_id.name)
        return made

    def price(context, item):
        if item == 7:
            raise OSError("the till is stuck")
        return item

    given = HostInterface(
        TILL, {"price": price}, make_context=make, close_context=closed.append
    )
    async with open_system(blueprint(component("shop", SHOP, host=[given]))) as system:
        with pytest.raises(Exception, match="shop"):
            await system.ask("shop", b"\x07")
        assert await system.ask("shop", b"\x01") == b"\x01"
        assert made == ["shop", "shop"]
        assert len(closed) == 1
    assert len(closed) == 2


async def test_new_code_is_given_what_the_old_one_had_unless_it_says_otherwise():
    tree = blueprint(component("shop", SHOP, host=[DOUBLE]))
    newer = Artifact.from_text(shop_guest("acme:shop/till@1.2.4"), "the newer shop")
    async with open_system(tree) as system:
        assert isinstance(await system.replace("shop", newer), Done)
        assert await system.ask("shop", b"\x05") == b"\x0a"
        assert isinstance(await system.replace("shop", newer.given([TRIPLE])), Done)
        assert await system.ask("shop", b"\x05") == b"\x0f"


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("till", r"'till' is not a list of interfaces \[root\.shop\.host\]"),
        (
            [DOUBLE, "till"],
            r"'till' is not a valid interface \[root\.shop\.host\[1\]\]",
        ),
        ([HostInterface], r"is not a valid interface \[root\.shop\.host\[0\]\]"),
    ],
)
async def test_what_is_not_an_interface_is_a_mistake(host, text):
    with pytest.raises(DefinitionError, match=text):
        async with open_system(blueprint(component("shop", SHOP, host=host))):
            pass


async def test_what_only_has_a_name_is_refused_when_it_is_loaded():
    class Named:
        name = TILL

    with pytest.raises(ComponentRefused, match="is not a HostInterface"):
        async with open_system(blueprint(component("shop", SHOP, host=[Named()]))):
            pass
