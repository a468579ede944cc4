"""Names that are given to children made from templates are never given twice."""

import pytest
import trio

from airssys.contracts import Done, Refusal, Refused, SupervisorSpec
from airssys.nursery.children._given_names import GivenNames

from .stage import acting, dynamic, group, worker


def test_numbers_of_one_stem_go_on():
    names = GivenNames()
    for number in (1, 2, 3):
        assert names.next_number("w/") == names.next_number("w/") == number
        names.give("w/")
    assert names.next_number("v/") == 1


@pytest.mark.parametrize(
    "name", ["w/0", "w/01", "w/4", "w/", "w/" + "9" * 5000, "v/1", "w/x", "w/²", ""]
)
def test_what_was_not_given_is_not_over(name):
    names = GivenNames()
    for _ in range(3):
        names.give("w/")
    assert not names.is_over(name)


def test_a_name_is_over_when_its_child_is_gone():
    names = GivenNames()
    for _ in range(12):
        names.give("w/")
    names.note_present("w/12")
    assert names.is_present("w/12")
    assert not names.is_over("w/12")
    names.note_gone("w/12")
    names.note_gone("w/12")
    assert not names.is_present("w/12")
    assert names.is_over("w/12")
    assert names.is_over("w/1")


def two_levels(**options):
    pool = dynamic(worker("w"), name="pool", restarts=0, **options)
    return group(group(pool, name="inner", restarts=0), restarts=9)


def find(stage, *path):
    found = stage.supervisor
    for name in path:
        found = found.roster.find(name).cell.present
    return found


async def made(stage, *path):
    from airssys.nursery import Administration

    admin = Administration(lambda: find(stage, *path))
    return (await admin.start_from_template()).child, admin


@pytest.mark.parametrize("level", ["the pool", "the one above it"])
async def test_a_name_is_not_given_again_after_a_restart(level, autojump_clock):
    async with acting(two_levels()) as stage:
        first, admin = await made(stage, "inner", "pool")
        if level == "the pool":
            await stage.crash("w/1")  # inner gives up with it: it allows no restart
        else:
            await stage.admin.terminate_child("inner")
            await stage.admin.restart_child("inner")
        second, _ = await made(stage, "inner", "pool")
        assert (first, second) == ("local/w/1", "local/w/2")
        # A context kept from the first one does no harm, and is not unknown either.
        assert await admin.terminate_child(first) == Done(first)
        assert stage.living() == ["w/2"]


async def test_two_supervisors_with_one_template_do_not_share_names(autojump_clock):
    pools = [dynamic(worker("w"), name=name) for name in ("p", "q")]
    async with acting(SupervisorSpec(name="root", children=tuple(pools))) as stage:
        first, p = await made(stage, "p")
        second, q = await made(stage, "q")
        assert (first, second) == ("local/w/1", "local/w/2")
        # OTP: a process that lives elsewhere is not found, a dead one is as good as stopped.
        assert await q.terminate_child(first) == Refused(Refusal.NOT_FOUND, first)
        assert stage.living() == ["w/1", "w/2"]
        await p.terminate_child(first)
        assert await q.terminate_child(first) == Done(first)


async def test_a_wrong_start_uses_no_number_up(autojump_clock):
    async with acting(dynamic(worker("w"), max_children=1)) as stage:
        await stage.admin.start_from_template()
        for _ in range(3):
            refused = await stage.admin.start_from_template()
            assert refused.why is Refusal.MAX_CHILDREN
        await stage.admin.terminate_child("local/w/1")
        assert (await stage.admin.start_from_template()).child == "local/w/2"
        await trio.lowlevel.checkpoint()
