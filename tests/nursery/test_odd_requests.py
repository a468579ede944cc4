"""Whatever a supervisor is asked for, by whatever name, there is a typed answer at once."""

import math

import pytest
import trio

from airssys.contracts import (
    ActorSpec,
    Artifact,
    ChildInfo,
    ComponentId,
    Done,
    DynamicSupervisorSpec,
    Ignored,
    Refused,
    Started,
    SupervisorSpec,
)
from pace import PATIENCE

from .company import python, running

ANSWERS = (Started, Ignored, Done, Refused)
ODD = [
    *(None, True, 3, -1, math.nan, b"x", [], {}, object(), ComponentId, ActorSpec),
    *("", "/", "nobody", "root", "local/a/0", "a/b/c/d", "\ud800", "x" * 10_000),
    ComponentId("local", "a"),
    Artifact.from_text("nonsense"),
]
PATHS = ["root", "root/s", "root/d", "root/e", "root/s/local/a/0", "", "/", 3, None]
REQUESTS = [
    *("start_child", "terminate_child", "restart_child", "delete_child"),
    *("change_specs", "start_from_template"),
]


async def echo(context, envelope):
    return envelope.payload


def tree():
    return (
        SupervisorSpec(name="s", children=(python("a", echo),)),
        DynamicSupervisorSpec(name="d", template=python("t", echo), max_children=2),
        DynamicSupervisorSpec(name="e"),
    )


async def check(admin, odd):
    for request in REQUESTS:
        with trio.fail_after(PATIENCE):
            assert isinstance(await getattr(admin, request)(odd), ANSWERS)
    with trio.fail_after(PATIENCE):
        assert isinstance(await admin.replace_child(odd, odd), ANSWERS)
    assert isinstance(admin.which_child(odd), ChildInfo | None)
    admin.get_spec(odd)
    assert admin.count_children().specs == len(admin.which_children())


@pytest.mark.parametrize("path", PATHS)
async def test_every_request_is_answered_by_a_value(path, autojump_clock):
    async with running(*tree()) as (system, _):
        for odd in ODD:
            await check(system.supervisor(path), odd)
        assert len(system.tree().children) >= 2


async def test_afterwards_too(autojump_clock):
    async with running(*tree()) as (system, _):
        admins = [system.supervisor(path) for path in PATHS]
    for admin in admins:
        for odd in ODD:
            await check(admin, odd)
