"""What the host gives to guests beside our world, or instead of it: one value for both."""

import gc
import logging

import pytest
import trio.lowlevel

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    ComponentRefused,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.testing import FakeServices
from airssys.wasm import (
    CORE_INTERFACES,
    Err,
    FunctionKind,
    Host,
    HostFunction,
    HostInterface,
    Ok,
    load_any,
    open_runtime,
)
from airssys.wasm.host import bind_all
from airssys.wasm.lane.core import CoreHost
from airssys.wasm.values import STRING, Number, Own, Result, function
from wasm_support import HOST, echo_component, envelope, open_guests, shop_guest

TILL = "acme:shop/till@1.2.0"
PRICE = function(item=Number.U32, to=Number.U32)


def till(price, name=TILL, **options):
    return HostInterface(name, {"price": price}, **options)


@pytest.fixture(params=["own", "wasmtime"])
async def guests(request):
    """Both lanes: what an actor's guest is given does not depend on it."""
    async with open_guests(lane=request.param) as opened:
        yield opened


async def start(guests, *host, imported="acme:shop/till@1.2.3", **guest):
    """Start an actor's guest that asks for prices."""
    text = shop_guest(imported, **guest)
    artifact = Artifact.from_text(text, "the shop").given(host)
    component = await guests.loader.load(artifact)
    instance = await component.instantiate(Limits(), FakeServices("shop"))
    guests.started.append(instance)
    await instance.initialize(ComponentConfig())
    return instance


async def ask(guest, item):
    (price,) = await guest.handle_message(envelope(bytes([item])))
    return price


def twice(_context, item):
    return 2 * item


async def twice_later(_context, item):
    await trio.lowlevel.checkpoint()
    return 2 * item


KINDS = {
    "at once": twice,
    "waiting": twice_later,
    "instant": HostFunction(twice, kind=FunctionKind.INSTANT),
    "stated": HostFunction(twice, type=PRICE),
    "tried first": HostFunction(
        twice_later, at_once=lambda _, item: 3 * item if item > 5 else None
    ),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_actors_guest_is_given_functions_of_each_kind(guests, kind):
    guest = await start(guests, till(KINDS[kind]))
    assert await ask(guest, 5) == 10
    assert await ask(guest, 6) == (18 if kind == "tried first" else 12)


async def test_a_context_is_made_for_each_instance_and_closed_with_it(guests):
    made, closed = [], []

    def make(services, limits):
        made.append((services.self_id.name, limits.memory_bytes, [0]))
        return made[-1][-1]

    def count(context, item):
        context[0] += item
        return context[0]

    given = till(count, make_context=make, close_context=closed.append)
    one, other = await start(guests, given), await start(guests, given)
    assert [await ask(one, 3), await ask(one, 3), await ask(other, 4)] == [3, 6, 4]
    assert [name for name, *_ in made] == ["shop", "shop"]
    assert made[0][1] == Limits().memory_bytes
    assert closed == []
    one.close()
    one.close()
    assert closed == [[6]]
    assert await ask(other, 1) == 5


async def test_without_a_context_of_its_own_a_function_gets_the_services(guests):
    guest = await start(guests, till(lambda services, _: len(services.self_id.name)))
    assert await ask(guest, 0) == 4


async def test_contexts_are_closed_when_one_of_them_cannot_be_made(guests):
    closed = []

    def fail(_services, _limits):
        raise OSError("the drawer is locked")

    first = HostInterface(
        "acme:shop/first@1.0.0",
        make_context=lambda *_: "first",
        close_context=closed.append,
    )
    with pytest.raises(GuestTrapped, match="the drawer is locked") as caught:
        await start(guests, first, till(twice, make_context=fail))
    assert caught.value.reason is TrapReason.HOST_ERROR
    assert closed == ["first"]
    gc.collect()
    assert not guests.runtime.engine.ledger.stores


async def test_an_error_in_closing_a_context_is_logged(guests, caplog):
    def fail(_context):
        raise OSError("it sticks")

    closed = []
    one = till(twice, make_context=lambda *_: 1, close_context=fail)
    two = HostInterface("a:b/c", make_context=lambda *_: 2, close_context=closed.append)
    guest = await start(guests, two, one)
    with caplog.at_level(logging.WARNING, "airssys"):
        guest.close()
    assert "closing a context of acme:shop/till@1.2.0 failed" in caplog.text
    assert closed == [2]


# -- who gives what


MATCHES = [
    ("acme:shop/till@1.2.0", "acme:shop/till@1.2.0"),
    ("acme:shop/till@1.2.0", "acme:shop/till@1.2.9"),
    ("acme:shop/till@1.2.9", "acme:shop/till@1.2.0"),
    ("acme:shop/till@0.2.1", "acme:shop/till@0.2.0"),
    ("acme:shop/till", "acme:shop/till"),
]
OTHERS = [
    ("acme:shop/till@1.2.0", "acme:shop/till@1.3.0"),
    ("acme:shop/till@1.2.0", "acme:shop/till@2.2.0"),
    ("acme:shop/till@1.2.0", "acme:shop/till"),
    ("acme:shop/till", "acme:shop/till@1.2.0"),
    ("acme:shop/till@1.2.0", "acme:shop/till@1.2.0-rc.1"),
    ("acme:shop/till@1.2.0", "acme:shop/drawer@1.2.0"),
    ("acme:shop/till@1.2.0", "acme:shop/till@11.2.0"),
]


@pytest.mark.parametrize(("given", "imported"), MATCHES)
async def test_versions_with_the_same_major_and_minor_number_match(
    guests, given, imported
):
    guest = await start(guests, till(twice, given), imported=imported)
    assert await ask(guest, 4) == 8


@pytest.mark.parametrize(("given", "imported"), OTHERS)
async def test_other_names_and_versions_do_not(guests, given, imported):
    with pytest.raises(
        ComponentRefused, match="which this host does not provide"
    ) as caught:
        await start(guests, till(twice, given), imported=imported)
    same = given.partition("@")[0] == imported.partition("@")[0]
    assert (f"the host gives {given}" in str(caught.value)) is same


async def test_a_later_patch_of_our_own_world_is_given_too(guests):
    text = shop_guest(TILL).replace("core/errors@1.0.0", "core/errors@1.0.7")
    assert "@1.0.7" in text
    artifact = Artifact.from_text(text, "later").given([till(twice)])
    component = await guests.loader.load(artifact)
    instance = await component.instantiate(Limits(), FakeServices())
    instance.close()


async def test_what_the_host_does_not_give_is_refused(guests):
    with pytest.raises(
        ComponentRefused, match=r"acme:shop/till@1.2.3.*this host does not provide"
    ):
        await start(guests)
    with pytest.raises(ComponentRefused, match=r"till@1.2.3#price, which this host"):
        await start(guests, HostInterface(TILL, {"pay": twice}))
    resource = '(export "drawer" (type (sub resource)))'
    with pytest.raises(ComponentRefused, match=r"till@1.2.3#drawer, which this host"):
        await start(guests, till(twice), resource=resource)


async def test_other_types_than_stated_are_refused(guests):
    stated = till(HostFunction(twice, type=PRICE))
    with pytest.raises(ComponentRefused, match="with other types than the host gives"):
        await start(guests, stated, kind="u16")
    assert await ask(await start(guests, till(twice), kind="u16"), 4) == 8


@pytest.mark.parametrize(
    "host",
    [
        (till(twice), till(twice, "acme:shop/till@1.2.7")),
        (till(twice), till(twice)),
        (till(twice), HostInterface("airssys:core/storage@1.0.3")),
    ],
)
async def test_one_import_is_given_by_one_interface(guests, host):
    with pytest.raises(ComponentRefused, match="which are for the same imports"):
        await start(guests, *host)


async def test_what_is_given_is_part_of_what_is_kept_in_the_cache(tmp_path, guests):
    """Code that was checked with one host is not taken as checked with another."""
    artifact = Artifact.from_text(shop_guest("acme:shop/till@1.2.3"), "the shop")
    stated = till(HostFunction(twice, type=PRICE))
    for round_ in ("compiled", "found"):
        async with open_runtime(
            guests.runtime.settings, cache_directory=tmp_path / "cache"
        ) as loader:
            component = await loader.load(artifact.given([stated]))
            instance = await component.instantiate(Limits(), FakeServices())
            assert await ask(instance, 4) == 8, round_
            instance.close()
            with pytest.raises(ComponentRefused, match="this host does not provide"):
                await loader.load(artifact)
            other = function(item=Number.U32, to=Number.U16)
            with pytest.raises(ComponentRefused, match="with other types"):
                await loader.load(
                    artifact.given([till(HostFunction(twice, type=other))])
                )


async def test_resources_are_given_to_actors_too(guests):
    dropped = []
    given = till(twice, resources={"drawer": dropped.append})
    guest = await start(
        guests, given, resource='(export "drawer" (type (sub resource)))'
    )
    assert await ask(guest, 4) == 8
    assert guest._store._open.handles is not None


# -- answers and errors


class OutOfStock(Exception):
    def __init__(self, item):
        self.item = item


async def echo(guests, act, wit, **options):
    host = HostInterface(HOST, {"echo-0": act}, **options)
    artifact = Artifact.from_text(echo_component(wit))
    component = await load_any(guests.loader, artifact, [host])
    instance = await component.instantiate()
    guests.started.append(instance)
    return instance


def sell(_context, asked):
    if asked.value > 5:
        raise OutOfStock(asked.value)
    return asked.value


async def sell_later(context, asked):
    return sell(context, asked)


SELLS = {
    "at once": sell,
    "waiting": sell_later,
    "instant": HostFunction(sell, kind=FunctionKind.INSTANT),
    "tried first": HostFunction(sell_later, at_once=sell),
}
STOCK = Result(Number.U32, STRING)
ERRORS = {OutOfStock: lambda error: f"no {error.item} left"}


@pytest.mark.parametrize("kind", SELLS)
async def test_exceptions_become_the_error_of_the_interface(guests, kind):
    instance = await echo(guests, SELLS[kind], STOCK, errors=ERRORS)
    assert await instance.call("run-0", Ok(5)) == Ok(5)
    assert await instance.call("run-0", Ok(6)) == Err("no 6 left")
    assert instance.spent is None


@pytest.mark.parametrize("kind", SELLS)
async def test_an_error_that_the_interface_does_not_have_spends(guests, kind):
    instance = await echo(guests, SELLS[kind], STOCK, errors={KeyError: str})
    with pytest.raises(GuestTrapped, match="OutOfStock") as caught:
        await instance.call("run-0", Ok(6))
    assert caught.value.reason is TrapReason.HOST_ERROR


async def test_the_first_class_that_fits_decides(guests):
    errors = {LookupError: lambda _: "lookup", KeyError: lambda _: "key"}

    def fail(_context, _asked):
        raise KeyError

    instance = await echo(guests, fail, STOCK, errors=errors)
    assert await instance.call("run-0", Ok(1)) == Err("lookup")


async def test_where_the_type_has_no_error_an_exception_is_not_an_answer(guests):
    def fail(_context, _value):
        raise OutOfStock(1)

    instance = await echo(guests, fail, Number.U32, errors=ERRORS)
    with pytest.raises(GuestTrapped, match="OutOfStock"):
        await instance.call("run-0", 1)


# -- what is not a function of its kind


@pytest.mark.parametrize(
    ("act", "options"),
    [
        (twice, {"kind": FunctionKind.WAITING}),
        (twice_later, {"kind": FunctionKind.INSTANT}),
        (twice_later, {"kind": FunctionKind.AT_ONCE}),
        (twice, {"at_once": twice}),
        (twice, {"longest": lambda _: 1}),
        (twice, {"type": function(drawer=Own("drawer"))}),
        (twice, {"type": function(to=Own("drawer"))}),
    ],
)
def test_a_function_is_of_its_kind(act, options):
    with pytest.raises(ValueError, match=r"host function|leave the type out"):
        HostFunction(act, **options)


# -- one value for both lanes, and for any world


def test_the_kinds_are_known_by_full_name():
    kinds = {}
    for interface in CORE_INTERFACES:
        kinds |= interface.kinds
    storage = "airssys:core/storage@1.0.0"
    assert kinds[f"{storage}#get"] is FunctionKind.AT_ONCE
    instant = bind_all(CORE_INTERFACES).instant(kinds)
    assert {
        name for name, kind in kinds.items() if kind is FunctionKind.INSTANT
    } == set(instant)


async def test_the_core_lane_takes_the_same_value():
    table = bind_all(CORE_INTERFACES)
    contexts = table.contexts()
    contexts.open(FakeServices("me"), Limits())
    name = "airssys:core/host-messaging@1.0.7#self-id"  # another patch, the same one
    host = CoreHost(table.instant([name]))
    assert host.instant[name](contexts.objects) == ("local", "me", "0")


async def test_our_world_is_one_of_those_that_a_component_of_any_world_may_have(guests):
    artifact = Artifact.from_text(shop_guest(TILL), "the shop")
    host = [*CORE_INTERFACES, till(twice)]
    component = await load_any(guests.loader, artifact, host)
    instance = await component.instantiate(services=FakeServices())
    guests.started.append(instance)
    lifecycle = "airssys:core/component-lifecycle@1.0.0"
    assert await instance.call(f"{lifecycle}#health") == "healthy"


async def test_the_old_way_works_for_one_version(guests):
    with pytest.warns(DeprecationWarning, match="HostInterface"):
        host = Host({f"{HOST}#echo-0": lambda value: value + 1})
    artifact = Artifact.from_text(echo_component(Number.U32))
    instance = await (await load_any(guests.loader, artifact, host)).instantiate()
    guests.started.append(instance)
    assert await instance.call("run-0", 7) == 8
