"""Actors that would wait for each other in a cycle, by asks and by full mailboxes."""

from itertools import pairwise

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from airssys.contracts import CalleeFailed, ComponentId, RequestWouldDeadlock

KINDS = ("ask", "send", "both")


def wait_for(world, kind, index, waiter, target):
    """Make one actor wait for another: for its answer, or for room in its mailbox."""
    if kind == "ask" or (kind == "both" and index % 2):
        return world.ask(target, waiter, b"ask")
    return world.broker.send(world.letter(target, waiter, b"send"))


@pytest.fixture
def ring(served, names):
    """Open the mailboxes of a ring of this length, all of them full."""

    def open_ring(length):
        outside = ComponentId.parse("outside")
        for name in names[:length]:
            served.open(name, 1)
            served.broker.tell(served.letter(name, outside, b"first"))
        return names[:length]

    return open_ring


@pytest.mark.parametrize("length", range(1, 6))
@pytest.mark.parametrize("kind", KINDS)
async def test_the_wait_that_closes_a_cycle_is_refused(
    served, ring, nursery, length, kind
):
    actors, ended = ring(length), []

    async def wait(index, waiter, target):
        await wait_for(served, kind, index, waiter, target)
        ended.append(waiter)

    async with trio.open_nursery() as waits:
        for index, pair in enumerate(pairwise(actors)):
            waits.start_soon(wait, index, *pair)
        await wait_all_tasks_blocked()
        before = served.broker.waits.edges()
        assert before == set(pairwise(actors))
        with pytest.raises(RequestWouldDeadlock) as refused:
            await wait_for(served, kind, length, actors[-1], actors[0])
        assert refused.value.path == (actors[-1], *actors)
        assert served.broker.waits.edges() == before
        assert served.registry.find(actors[0]).statistics().blocked_senders == 0
        waits.cancel_scope.cancel()
    assert ended == []
    served.assert_at_rest()


@pytest.mark.parametrize("length", range(2, 6))
async def test_a_refused_actor_can_answer_and_the_cycle_dissolves(
    served, names, nursery, length
):
    """Each actor asks the next before it answers; the last one is refused, and says so."""
    actors = names[:length]

    async def ask_on(own, following):
        mailbox = served.registry.find(own)
        letter = await mailbox.take()
        try:
            answer = await served.ask(following, own, letter.payload)
        except RequestWouldDeadlock as refused:
            letter.reply.answer(b"%d steps" % (len(refused.path) - 1))
        else:
            letter.reply.answer(answer)
        mailbox.release()

    for own in actors:
        served.open(own)
    for own, following in zip(actors, [*actors[1:], actors[0]], strict=True):
        nursery.start_soon(ask_on, own, following)
    outside = ComponentId.parse("outside")
    answer = await served.ask(actors[0], outside, waiter=None)
    assert answer == b"%d steps" % length


@pytest.mark.parametrize("count", [2, 3])
async def test_independent_asks_that_together_form_a_cycle(
    served, names, nursery, count
):
    """All begin at once, as handlers of messages from outside: exactly one is refused."""
    actors, ends = names[:count], []

    async def ask(own, following):
        try:
            await served.ask(following, own)
        except RequestWouldDeadlock:
            ends.append("refused")
            served.remove(own)
        except CalleeFailed:
            ends.append("failed")
            served.remove(own)

    for own in actors:
        served.open(own)
    async with trio.open_nursery() as asks:
        for own, following in zip(actors, [*actors[1:], actors[0]], strict=True):
            asks.start_soon(ask, own, following)
    assert ends == ["refused"] + ["failed"] * (count - 1)


@pytest.mark.parametrize("count", [2, 3])
async def test_several_waits_of_one_actor_all_count(served, names, count):
    a, *others = names[: count + 1]
    async with trio.open_nursery() as asks:
        for name in (a, *others):
            served.open(name)
        for other in others:
            asks.start_soon(served.ask, other, a)
            asks.start_soon(served.ask, other, a)
        await wait_all_tasks_blocked()
        for other in others:
            with pytest.raises(RequestWouldDeadlock):
                await served.ask(a, other)
            served.registry.find(other).take_nowait().reply.answer(b"")
            with pytest.raises(RequestWouldDeadlock):
                await served.ask(a, other)
        asks.cancel_scope.cancel()


async def test_a_wait_that_timed_out_is_not_a_part_of_a_cycle(
    served, names, nursery, serve_echo, autojump_clock
):
    a, b, *_ = names
    served.open(b)
    with trio.move_on_after(3):
        await served.ask(b, a, timeout=10)
    nursery.start_soon(serve_echo, served.open(a))
    assert await served.ask(a, b, b"x") == b"x"


def test_telling_never_waits_and_so_is_never_part_of_a_cycle(world, names):
    a, b, *_ = names
    world.open(a)
    world.open(b)
    for target, sender in ((a, b), (b, a), (a, a)):
        world.broker.tell(world.letter(target, sender))
    world.assert_at_rest()
