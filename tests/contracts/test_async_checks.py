"""What is awaited must be async; a handler may be async or a plain function."""

import functools
from collections.abc import Awaitable
from unittest.mock import AsyncMock

import pytest
import trio

from airssys import (
    DefinitionError,
    actor,
    blueprint,
    open_system,
    supervisor,
    task,
    topology,
)
from airssys.contracts import (
    ActorSpec,
    ComponentId,
    TaskSpec,
    check,
    find_spec_mistakes,
    is_plain,
    never_waits,
)


def sync(*arguments): ...


async def fine(*arguments): ...


def says_so(*arguments) -> Awaitable[None]:
    return fine(*arguments)


@functools.wraps(fine)
def wrapped(*arguments):
    return fine(*arguments)


class Methods:
    def sync(self, *arguments): ...
    async def fine(self, *arguments): ...

    @staticmethod
    def of_class(*arguments): ...


class Sync:
    def __call__(self, *arguments): ...


class Fine:
    async def __call__(self, *arguments): ...


class Odd:
    def __getattr__(self, name):
        raise ZeroDivisionError(name)


WRONG = [
    sync,
    lambda *_: None,
    functools.partial(functools.partial(sync, 1), 2),
    Methods().sync,
    Methods.of_class,
    Sync(),
    functools.partial(Sync()),
]
RIGHT = [
    fine,
    says_so,
    wrapped,
    functools.partial(fine, 1),
    Methods().fine,
    Fine(),
    AsyncMock(),
    trio.sleep,
    print,  # what a function in C returns cannot be seen
]


def an_actor(behaviour):
    return ActorSpec(id=ComponentId.parse("a"), behaviour=behaviour)


@pytest.mark.parametrize("code", WRONG)
def test_a_sync_function_is_reported_where_it_stands(code):
    (mistake,) = find_spec_mistakes(TaskSpec(name="t", function=code))
    assert mistake.path == "$.function"
    assert "is not an async function" in mistake.found


@pytest.mark.parametrize("code", WRONG)
def test_a_handler_may_be_a_plain_function(code):
    assert is_plain(code)
    assert find_spec_mistakes(an_actor(code)) == []
    assert find_spec_mistakes(an_actor(type("Made", (), {"handle": code}))) == []


@pytest.mark.parametrize("code", RIGHT)
def test_what_may_be_awaited_is_not_taken_for_a_plain_function(code):
    assert not is_plain(code)


async def waits(self, *arguments):
    await fine()


async def waits_for_each(self, *arguments):
    async for _ in arguments:
        pass


async def enters(self, *arguments):
    async with arguments[0]:
        pass


async def collects(self, *arguments):
    return [each async for each in arguments[0]]


async def yields_later(self, *arguments):
    yield b""


@pytest.mark.parametrize(
    "code", [waits, waits_for_each, enters, collects, yields_later, sync, says_so, len]
)
def test_what_may_wait_or_is_not_async_is_not_taken_for_what_never_waits(code):
    assert not never_waits(code)
    assert not never_waits(code.__get__(object()) if hasattr(code, "__get__") else code)


def test_an_async_function_without_an_await_never_waits():
    async def makes_another(*arguments):
        async def inner():
            await fine()

        return inner

    assert all(map(never_waits, (fine, makes_another, fine.__get__(object()))))


def yields(*arguments):
    yield b""


@pytest.mark.parametrize(
    "code", [yields, functools.partial(yields), type("Made", (), {"handle": yields})]
)
def test_a_handler_that_yields_is_a_mistake(code):
    (mistake,) = find_spec_mistakes(an_actor(code))
    assert (mistake.path, mistake.found) == ("$.behaviour", "yields yields")


@pytest.mark.parametrize("code", [*RIGHT, Odd])
def test_what_is_async_or_may_be_is_not_a_mistake(code):
    assert find_spec_mistakes(an_actor(code)) == []
    assert find_spec_mistakes(TaskSpec(name="t", function=code)) == []


def test_an_object_that_breaks_when_it_is_inspected_is_left_to_its_start():
    for spec in (an_actor(Odd()), TaskSpec(name="t", function=Odd())):
        assert "is not an async" not in str(find_spec_mistakes(spec))


@pytest.mark.parametrize("name", ["started", "before_restart", "stopped", "health"])
@pytest.mark.parametrize("kind", [lambda f: f, staticmethod, classmethod])
def test_so_are_the_methods_of_an_actor(name, kind):
    methods = {"handle": fine, name: kind(sync)}
    (mistake,) = find_spec_mistakes(an_actor(type("Made", (), methods)))
    assert mistake.path == "$.behaviour"
    assert mistake.found == f"Made.{name} is not an async function"
    assert find_spec_mistakes(an_actor(type("Made", (), {name: kind(fine)}))) == []


def test_by_hand_and_as_a_topology_it_is_the_same_mistake():
    with pytest.raises(DefinitionError, match="sync is not an async function"):
        check(blueprint(supervisor("s", task("t", sync), actor("a", fine))))

    @topology
    class App:
        timer = task("timer", sync)
        a = actor("a", sync)

    with pytest.raises(DefinitionError) as caught:
        open_system(App)
    assert str(caught.value).count("sync is not an async function") == 1
