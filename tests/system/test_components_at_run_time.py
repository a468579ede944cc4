"""Components that the blueprint does not name are loaded when they are added."""

from pathlib import Path

import pytest
import trio
import trio.lowlevel

from airssys import (
    Refused,
    Started,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    supervisor,
)
from airssys.contracts import Refusal

GUESTS = Path(__file__).resolve().parents[1] / "guests"
ECHO = GUESTS / "echo.wat"


async def plain(context, envelope):
    return b""


WITHOUT = blueprint(
    actor("plain", plain), supervisor("workers"), dynamic_supervisor("many")
)
WITH = blueprint(
    component("shout", GUESTS / "state.wat"),
    supervisor("workers"),
    dynamic_supervisor("many"),
)


@pytest.mark.parametrize("path", ["root/workers", "root/many"])
@pytest.mark.parametrize("tree", [WITHOUT, WITH])
async def test_a_component_is_loaded_and_started(tree, path):
    async with open_system(tree) as system:
        workers = system.supervisor(path)
        for name in ("one", "two"):
            answer = await workers.start_child(component(name, ECHO))
            assert answer == Started(f"local/{name}/0")
            assert await system.ask(name, b"hello") == b"hello"


async def test_all_components_below_a_supervisor_are_loaded():
    async with open_system(WITHOUT) as system:
        child = supervisor("below", component("one", ECHO), actor("a", plain))
        answer = await system.supervisor("root/workers").start_child(child)
        assert answer == Started("below")
        assert await system.ask("one", b"hello") == b"hello"


@pytest.mark.parametrize("tree", [WITHOUT, WITH])
@pytest.mark.parametrize(
    ("file", "words"),
    [("gone.wat", "gone.wat"), ("malformed.wat", "malformed.wat: ")],
)
async def test_one_that_cannot_be_loaded_is_refused_and_says_why(tree, file, words):
    async with open_system(tree) as system:
        workers = system.supervisor("root/workers")
        answer = await workers.start_child(component("one", GUESTS / file))
        assert isinstance(answer, Refused)
        assert answer.why is Refusal.START_FAILED
        assert words in str(answer.reason)
        assert not workers.which_children()
        assert await workers.start_child(component("one", ECHO)) == Started(
            "local/one/0"
        )


async def test_a_wrong_specification_loads_nothing():
    async with open_system(WITHOUT) as system:
        wrong = component("one", GUESTS / "gone.wat", mailbox=0)
        answer = await system.supervisor("root/workers").start_child(wrong)
        assert answer.why is Refusal.INVALID_SPEC


async def test_the_engine_is_not_opened_while_it_is_not_needed():
    opened = []

    def open_loader(settings):
        opened.append(settings)
        raise RuntimeError("no engine")

    async with open_system(WITHOUT, open_loader=open_loader) as system:
        assert await system.ask("plain", b"") == b""
        assert not opened
        answer = await system.supervisor("root/workers").start_child(
            component("one", ECHO)
        )
        assert "no engine" in str(answer.reason)


async def test_trio_runs_on_while_a_component_is_loaded():
    """No step of loading holds the thread: another task goes on all the while."""
    async with open_system(WITHOUT) as system, trio.open_nursery() as nursery:
        steps = 0

        async def step():
            nonlocal steps
            while True:
                await trio.lowlevel.checkpoint()
                steps += 1

        nursery.start_soon(step)
        await system.supervisor("root/workers").start_child(component("one", ECHO))
        assert steps > 10
        nursery.cancel_scope.cancel()
