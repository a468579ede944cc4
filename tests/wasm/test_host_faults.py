"""What the host's own functions, values and destructors do cannot leave a guest half called.

Whatever they raise, and however it can be shown, the instance is spent and is not entered
again; what is raised to end the program comes out, and the instance is spent as well.
"""

from pathlib import Path

import pytest

from airssys.contracts import Artifact, GuestSpent, GuestTrapped, TrapReason
from airssys.wasm.host import interfaces_of
from airssys.wasm.loading._any_instance import load_any
from airssys.wasm.values._types import STRING, List, Number
from wasm_support import HOST, ScriptedServices, echo_component, envelope

THING = "test:things/host#thing"


def raises(*_):
    raise LookupError("the session is closed")


def recurses(*_):
    return recurses() + 1


def returns_nonsense(*_):
    return object()


def raises_a_deep_group(*_):
    error = ValueError("deep")
    for _ in range(600):
        error = ExceptionGroup("group", [error])
    raise error


def ends(*_):
    raise SystemExit(7)


FAULTS = [raises, recurses, returns_nonsense, raises_a_deep_group]
ANY = pytest.mark.parametrize("fault", [*FAULTS, ends])
NAMES = ("__str__", "__repr__", "__bool__", "__eq__", "__hash__")


def odd_error(fault):
    members = {**dict.fromkeys(NAMES, fault), "__class__": property(fault)}
    return type("Odd", (ValueError,), members)("odd")


async def is_spent_by(fault, call):
    """See that a call fails, and that the instance is not entered again."""
    with pytest.raises((GuestTrapped, SystemExit)) as caught:
        await call()
    if fault is ends:
        assert caught.type is SystemExit
    else:
        assert caught.value.reason is TrapReason.HOST_ERROR
    with pytest.raises(GuestSpent):
        await call()


@ANY
async def test_an_error_that_cannot_be_shown(guests, fault):
    calls = []

    class Services(ScriptedServices):
        async def ask(self, *_):
            calls.append(1)
            raise odd_error(fault)

    guest = await guests.start("asker", services=Services())
    await is_spent_by(fault, lambda: guest.handle_message(envelope()))
    assert guest.spent.reason is TrapReason.HOST_ERROR
    assert len(calls) == 1


async def echo(guests, wit, answer):
    artifact = Artifact.from_text(echo_component(wit))
    host = interfaces_of({f"{HOST}#echo-0": answer})
    component = await load_any(guests.loader, artifact, host)
    instance = await component.instantiate()
    guests.started.append(instance)
    return instance


@ANY
async def test_the_same_in_a_component_of_any_world(guests, fault):
    calls = []

    def answer(value):
        calls.append(1)
        raise odd_error(fault)

    instance = await echo(guests, STRING, answer)
    await is_spent_by(fault, lambda: instance.call("run-0", "x"))
    assert len(calls) == 1


def odd_value(fault):
    names = (*NAMES, "__len__", "__iter__", "__index__", "__float__", "encode")
    return type("Odd", (), dict.fromkeys(names, fault))()


@ANY
@pytest.mark.parametrize(
    ("wit", "given"),
    [(STRING, "x"), (Number.U32, 1), (List(Number.U16), [1]), (List(STRING), ["x"])],
)
async def test_an_answer_that_fits_no_type(guests, fault, wit, given):
    value = odd_value(fault)
    instance = await echo(guests, wit, lambda _: value)
    with pytest.raises((GuestTrapped, SystemExit)) as caught:
        await instance.call("run-0", given)
    assert caught.type is SystemExit or caught.value.reason is TrapReason.HOST_ERROR
    assert fault is ends or caught.type is GuestTrapped
    with pytest.raises(GuestSpent):
        await instance.call("run-0", given)


class Thing:
    def __init__(self, number):
        self.number = number


@ANY
async def test_destructors_when_an_instance_is_closed(guests, monkeypatch, fault):
    destroyed = []

    def destroy(thing):
        destroyed.append(thing.number)
        if thing.number == 1:
            raise odd_error(fault) if fault is not ends else SystemExit(7)

    functions = dict.fromkeys(
        (f"test:things/host#{name}" for name in ("make", "look", "take")), print
    )
    artifact = Artifact.at(Path(__file__).parent / "things.wat")
    component = await load_any(
        guests.loader, artifact, interfaces_of(functions, {THING: destroy})
    )
    given_back = []
    monkeypatch.setattr(
        type(guests.loader.runtime.maps), "give_back", given_back.append
    )
    instance = await component.instantiate()
    await instance.call("keep-two", Thing(1), Thing(2), 0)
    if fault is ends:
        with pytest.raises(SystemExit):
            instance.close()
    else:
        instance.close()
    assert sorted(destroyed) == [1, 2]
    assert len(given_back) == 1
    instance.close()
    assert sorted(destroyed) == [1, 2]
