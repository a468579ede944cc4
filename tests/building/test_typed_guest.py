"""Typed messages between Python actors and a real Python guest, in both directions."""

import faulthandler
from pathlib import Path

import attrs
import pytest

from airssys import (
    CalleeFailed,
    CodecNotTaken,
    actor,
    blueprint,
    component,
    handlers,
    on_message,
    open_system,
)
from airssys.building import build

GUEST = Path(__file__).with_name("guests") / "seller.py"


@attrs.frozen
class Order:
    item: str
    count: int


@attrs.frozen
class Take:
    item: str
    count: int


@attrs.frozen
class Receipt:
    kind: str
    codec: str
    left: int


class Store:
    @on_message
    async def take(self, context: object, take: Take) -> int:
        return 5 - take.count

    handle = handlers(take)


class Seller:
    """What the guest answers; its methods are never called."""

    @on_message
    async def order(self, context: object, order: Order) -> Receipt: ...

    handle = handlers(order)


@pytest.fixture(scope="module")
def seller(built_before):
    pytest.importorskip("componentize_py")
    faulthandler.cancel_dump_traceback_later()  # building takes long, once
    return build(GUEST, cache_directory=built_before).path


@pytest.mark.slow
async def test_a_guest_is_asked_and_asks_with_values(seller, compiled_before):
    limits = {"execution_time": 20.0}
    guest = component("seller", seller, codecs="json", limits=limits)
    tree = blueprint(guest, actor("store", Store))
    async with open_system(tree, cache_directory=compiled_before) as system:
        ref = system.ref("seller", Seller, codec="json")
        receipt = await ref.ask(Order("tea", 2), timeout=60)
        assert receipt == Receipt("Order", "application/json", 3)
        with pytest.raises(CodecNotTaken):
            await system.ref("seller", Seller).ask(Order("tea", 2))
        with pytest.raises(CalleeFailed, match="NotUnderstood: Store handles"):
            await ref.ask(Order("tea", "two"), timeout=60)
        assert await ref.ask(Order("tea", 1), timeout=60) == Receipt(
            "Order", "application/json", 4
        )
