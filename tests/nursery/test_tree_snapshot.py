"""The tree as data and as a drawing."""

import trio

from airssys.contracts import SupervisorSpec
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
