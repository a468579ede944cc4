"""The tree as data and as a drawing."""

import trio
import trio.lowlevel

from airssys.contracts import ComponentId, SupervisorSpec, Waiting
from airssys.nursery import TreeNode, render

from .company import component, python, running


async def nothing(context, envelope):
    pass


async def test_the_tree_of_a_running_system(autojump_clock):
    async def slow(context, envelope):
        await trio.sleep(1)

    inner = SupervisorSpec(name="inner", children=(python("slow", slow, mailbox=7),))
    async with running(component("c"), inner, python("n", nothing)) as (system, _):
        for _ in range(3):
            system.tell("slow", b"")
        system.tell("c", b"trap")
        await trio.sleep(0.2)
        tree = system.tree()
        assert render(tree) == (
            "root (supervisor) running\n"
            "├─ local/c/0 (component) running, restarts 1\n"
            "├─ inner (supervisor) running\n"
            "│  └─ local/slow/0 (actor) running, mailbox 2/7\n"
            "└─ local/n/0 (actor) running"
        )
        assert [node.name for node in tree.walk()] == [
            "root",
            "local/c/0",
            "inner",
            "local/slow/0",
            "local/n/0",
        ]
        assert tree.find("local/slow/0").capacity == 7
        assert tree.find("nobody") is None
    assert {node.state for node in system.tree().walk()} == {"stopped"}


def test_an_empty_supervisor_is_one_line():
    assert render(TreeNode("root", "supervisor", "running")) == (
        "root (supervisor) running"
    )


class Relay:
    """Waits as the message says: for an answer, or for room."""

    async def handle(self, context, envelope):
        way, _, target = envelope.payload.decode().partition(" ")
        match way:
            case "ask":
                await context.ask(target, b"", timeout=60)
            case "send":
                await context.send(target, b"")
            case "sleep":
                await trio.sleep(10)


def waiting(waiter, target, **numbers):
    waiter, target = map(ComponentId.parse, (waiter, target))
    return Waiting(waiter, target, **numbers)


async def test_which_actor_waits_for_which_is_seen_as_data_and_in_the_tree(
    autojump_clock,
):
    actors = [python(name, Relay, mailbox=1) for name in "abc"]
    async with running(*actors) as (system, _), trio.open_nursery() as nursery:

        async def ask():
            await system.ask("a", b"ask c", timeout=60)

        assert system.waits() == ()
        system.tell("c", b"sleep")
        await trio.lowlevel.checkpoint()
        nursery.start_soon(ask)
        await trio.sleep(0.1)
        system.tell("b", b"send c")
        await trio.sleep(0.1)
        assert system.waits() == (
            waiting("a", "c", for_answer=1),
            waiting("b", "c", for_room=1),
            waiting("outside", "a", for_answer=1),
        )
        tree = system.tree()
        assert render(tree) == (
            "root (supervisor) running\n"
            "├─ local/a/0 (actor) running, waits for local/c/0 (answer)\n"
            "├─ local/b/0 (actor) running, waits for local/c/0 (room)\n"
            "└─ local/c/0 (actor) running, mailbox 1/1, blocked: local/b/0"
        )
        (wait,) = tree.find("local/a/0").waits_for
        assert (wait.target.name, wait.for_answer, wait.for_room) == ("c", 1, 0)
        nursery.cancel_scope.cancel()
    assert system.waits() == ()


async def test_several_waits_of_one_are_shown_together(autojump_clock):
    async def many(context, envelope):
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(context.ask, "c", b"sleep")
            await trio.sleep(0.1)
            for _ in range(2):
                nursery.start_soon(context.send, "c", b"")

    async with running(python("c", Relay, mailbox=1), python("m", many)) as (system, _):
        system.tell("m", b"")
        await trio.sleep(1)
        assert system.waits() == (waiting("m", "c", for_answer=2, for_room=2),)
        assert "waits for local/c/0 (2 answers, room for 2)" in render(system.tree())
