"""What `change_specs` changed holds until the system ends, whatever is restarted."""

import attrs
import pytest
import trio

from airssys.contracts import (
    MAX_DEPTH,
    Directive,
    Done,
    Intensity,
    Refusal,
    RestartType,
    Strategy,
    TaskSpec,
    find_spec_mistakes,
)
from airssys.nursery import Administration, SupervisorCell

from .stage import acting, dynamic, group, short, worker

A, B, C = (worker(name) for name in "abc")
SUB = group(A, B, name="sub")
MIDDLE = group(SUB, C, name="middle")
TREE = group(MIDDLE, restarts=9)


def admin_of(stage, *path):
    def find():
        found = stage.supervisor
        for name in path:
            found = found.roster.find(name).cell.present
        return found

    return Administration(find)


async def restart(stage, *path):
    *above, name = path
    admin = admin_of(stage, *above)
    await admin.terminate_child(name)
    await admin.restart_child(name)


def names(stage, *path):
    which = admin_of(stage, *path).which_children()
    return [short(info.child) for info in reversed(which)]


@pytest.mark.parametrize("level", [("middle",), ("middle", "sub")])
async def test_a_change_outlives_restarts_of_that_supervisor_and_those_above(
    level, autojump_clock
):
    async with acting(TREE) as stage:
        changed = attrs.evolve(
            SUB, children=(B,), strategy=Strategy.ONE_FOR_ALL, intensity=Intensity(7, 1)
        )
        assert await admin_of(stage, "middle", "sub").change_specs(changed) == Done()
        await restart(stage, *level)
        assert names(stage, "middle", "sub") == ["b"]
        kept = find_spec(stage)
        assert (kept.strategy, kept.intensity) == (changed.strategy, changed.intensity)
        assert kept == changed
        await restart(stage, *level)
        assert find_spec(stage) == changed


def find_spec(stage):
    """All that know the specification of `sub` agree."""
    root = stage.supervisor.spec
    middle = stage.supervisor.roster.find("middle")
    sub = middle.cell.present.roster.find("sub")
    (from_root,) = root.children
    assert from_root == middle.spec == middle.cell.present.spec
    assert from_root.children[0] == sub.spec == sub.cell.present.spec
    return sub.spec


async def test_how_a_supervisor_is_restarted_is_for_the_one_above_it(autojump_clock):
    async with acting(TREE) as stage:
        own = attrs.evolve(
            SUB, restart=RestartType.TEMPORARY, intensity=Intensity(7, 1)
        )
        await admin_of(stage, "middle", "sub").change_specs(own)
        kept = find_spec(stage)
        assert (kept.restart, kept.intensity) == (SUB.restart, own.intensity)
        above = attrs.evolve(
            MIDDLE, children=(attrs.evolve(SUB, restart=RestartType.TRANSIENT), C)
        )
        await admin_of(stage, "middle").change_specs(above)
        kept = find_spec(stage)
        assert (kept.restart, kept.intensity) == (RestartType.TRANSIENT, own.intensity)


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_change_above_that_says_nothing_new_of_it_leaves_it_as_it_is(
    is_restarted, autojump_clock
):
    async with acting(TREE) as stage:
        changed = attrs.evolve(SUB, children=(B,))
        await admin_of(stage, "middle", "sub").change_specs(changed)
        if is_restarted:
            await restart(stage, "middle")
        wanted = attrs.evolve(MIDDLE, children=(SUB,))
        await admin_of(stage, "middle").change_specs(wanted)
        await restart(stage, "middle", "sub")
        assert names(stage, "middle", "sub") == ["b"]
        assert find_spec(stage) == changed


async def test_a_change_above_that_says_something_new_holds_from_its_next_start(
    autojump_clock,
):
    async with acting(TREE) as stage:
        await admin_of(stage, "middle", "sub").change_specs(
            attrs.evolve(SUB, children=(B,))
        )
        newer = attrs.evolve(SUB, children=(A,))
        await admin_of(stage, "middle").change_specs(
            attrs.evolve(MIDDLE, children=(newer, C))
        )
        assert names(stage, "middle", "sub") == ["b", "a"]  # it runs on
        await restart(stage, "middle", "sub")
        assert names(stage, "middle", "sub") == ["a"]
        assert find_spec(stage) == newer


async def test_a_changed_template_outlives_restarts(autojump_clock):
    pool = dynamic(worker("w"), name="pool")
    async with acting(group(pool)) as stage:
        changed = attrs.evolve(
            pool, template=worker("w", restart=RestartType.TEMPORARY), max_children=1
        )
        assert await admin_of(stage, "pool").change_specs(changed) == Done()
        await restart(stage, "pool")
        found = stage.supervisor.roster.find("pool")
        assert found.spec == found.cell.present.spec == changed
        assert stage.supervisor.spec.children == (changed,)


async def test_a_child_that_was_added_takes_its_changes_with_it(autojump_clock):
    async with acting(group(group(name="middle"), restarts=9)) as stage:
        middle = admin_of(stage, "middle")
        await middle.start_child(SUB)
        sub = admin_of(stage, "middle", "sub")
        await sub.change_specs(attrs.evolve(SUB, children=(B,)))
        assert middle.get_spec("sub").children == (B,)
        await middle.terminate_child("sub")
        await middle.delete_child("sub")
        await middle.start_child(SUB)
        assert names(stage, "middle", "sub") == ["a", "b"]
        await restart(stage, "middle")
        assert names(stage, "middle") == []


async def test_a_child_of_another_kind_is_started_as_what_it_is_now(autojump_clock):
    runs = []

    async def work():
        runs.append("task")
        await trio.sleep_forever()

    task = TaskSpec(name="sub", function=work)
    for before, after in ((SUB, task), (task, SUB), (task, dynamic(name="sub"))):
        runs.clear()
        async with acting(group(before)) as stage:
            assert await stage.admin.change_specs(group(after)) == Done()
            await restart(stage, "sub")
            assert stage.presences() == ["sub:running"]
            assert runs == ["task"]
            found = stage.supervisor.roster.find("sub")
            is_group = isinstance(found.cell, SupervisorCell)
            assert is_group == (after is not task)


class Unequal:
    """An object that cannot be compared."""

    def __eq__(self, other):
        raise ValueError("these cannot be compared")

    __hash__ = object.__hash__


async def test_arguments_that_cannot_be_compared_do_not_matter(autojump_clock):
    sub = group(worker("a", arguments=(Unequal(),)), name="sub")
    async with acting(group(sub)) as stage:
        other = attrs.evolve(sub, children=(worker("a", arguments=(Unequal(),)),))
        assert await admin_of(stage, "sub").change_specs(other) == Done()
        assert await stage.admin.change_specs(group(other)) == Done()
        assert stage.presences() == ["sub:running"]


@pytest.mark.parametrize("below", [SUB, dynamic(worker("w"), name="sub")])
async def test_a_running_supervisor_says_why_it_becomes_nothing_else(
    below, autojump_clock
):
    task = TaskSpec(name="sub", function=print)
    async with acting(group(below)) as stage:
        for wanted in (SUB, dynamic(worker("w"), name="sub"), A, task):
            answer = await admin_of(stage, "sub").change_specs(wanted)
            if type(wanted) is type(below):
                assert answer == Done()
                continue
            (mistake,) = answer.mistakes
            assert answer.why is Refusal.INVALID_SPEC
            assert mistake.found.startswith(f"a {type(wanted).__name__} for a running")
            assert f"give a {type(below).__name__}" in mistake.hint
            assert stage.supervisor.roster.find("sub").spec == below


async def test_a_template_that_would_be_too_deep_is_refused_when_it_is_given(
    autojump_clock,
):
    pool, deep = dynamic(group(name="g"), name="pool"), group(name="g")
    for n in range(MAX_DEPTH - 2):
        deep = group(deep, name=f"g{n}")
    async with acting(group(pool)) as stage:
        wanted = attrs.evolve(pool, template=deep)
        assert find_spec_mistakes(wanted) == []
        answer = await admin_of(stage, "pool").change_specs(wanted)
        assert answer.why is Refusal.INVALID_SPEC


@pytest.mark.parametrize("on_error", [(), ((Exception, Directive.RESTART),)])
async def test_a_child_whose_arguments_were_let_go_is_not_started_without_them(
    on_error, autojump_clock
):
    once = worker("a", arguments=(1,), restart=RestartType.TEMPORARY)
    always = attrs.evolve(once, restart=RestartType.PERMANENT, on_error=on_error)
    async with acting(dynamic(once, restarts=9)) as stage:
        await stage.admin.start_from_template(2)
        assert await stage.admin.change_specs(dynamic(always, restarts=9)) == Done()
        await stage.admin.start_from_template(3)
        await stage.crash("a/1")
        await stage.crash("a/2")
        assert stage.presences() == ["a/2:running"]
        assert stage.arguments == [
            ("a/1", "(1, 2)"),
            ("a/2", "(1, 3)"),
            ("a/2", "(1, 3)"),
        ]
