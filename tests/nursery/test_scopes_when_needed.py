"""An actor has a cancel scope for its messages from the first that may be cut off."""

import math

import pytest
import trio
import trio.testing

from airssys.contracts import (
    AskTimedOut,
    ComponentId,
    DeadLetter,
    MessageFailed,
    RestartType,
    StartFailed,
)
from airssys.nursery import find_actor

from .company import python, running


class Scene:
    """What an actor has handled; `wait` is a message that takes long."""

    def __init__(self):
        self.handled, self.cut_off = [], []

    async def handle(self, context, envelope):
        try:
            if envelope.payload == b"wait":
                await trio.sleep(100)
        except trio.Cancelled:
            self.cut_off.append(envelope.payload)
            raise
        self.handled.append(envelope.payload)
        return envelope.payload


@pytest.mark.parametrize("before", [0, 1, 300])
async def test_the_first_ask_is_cut_off_in_time(autojump_clock, before):
    scene = Scene()
    async with running(python("a", scene.handle)) as (system, watch):
        for number in range(before):
            system.tell("a", b"%d" % number)
        with pytest.raises(AskTimedOut):
            await system.ask("a", b"wait", timeout=1)
        await trio.testing.wait_all_tasks_blocked()
        assert scene.cut_off == [b"wait"]
        assert await system.ask("a", b"after") == b"after"
        assert scene.handled == [*(b"%d" % n for n in range(before)), b"after"]
        assert len(watch.of(MessageFailed)) + len(watch.of(DeadLetter)) == 1


async def test_asks_and_tells_keep_their_order_when_the_scope_is_opened(autojump_clock):
    scene = Scene()
    async with running(python("a", scene.handle)) as (system, _):
        async with trio.open_nursery() as nursery:
            for number in range(10):
                system.tell("a", b"%d" % number)
            nursery.start_soon(system.ask, "a", b"ask")
            await trio.lowlevel.checkpoint()
            for number in range(10, 20):
                system.tell("a", b"%d" % number)
        await trio.testing.wait_all_tasks_blocked()
    tells = [each for each in scene.handled if each != b"ask"]
    assert tells == [b"%d" % number for number in range(20)]
    assert scene.handled.count(b"ask") == 1


@pytest.mark.parametrize("drain", [False, True])
@pytest.mark.parametrize("has_scope", [False, True])
async def test_one_that_was_woken_for_a_message_handles_it_and_then_ends(
    autojump_clock, drain, has_scope
):
    scene = Scene()
    rules = {"drain": drain, "restart": RestartType.TEMPORARY}
    async with running(python("a", scene.handle, **rules)) as (system, watch):
        if has_scope:
            assert await system.ask("a", b"first") == b"first"
            scene.handled.clear()
        await trio.testing.wait_all_tasks_blocked()
        child = find_actor(system._root, ComponentId.parse("a")).child
        system.tell("a", b"last", ttl=60)  # wakes it, and may end without being handled
        child.ask_to_stop()
        await trio.testing.wait_all_tasks_blocked()
        assert scene.handled == [b"last"]
        assert watch.of(DeadLetter) == []
        assert child.reason is not None


async def test_a_function_needs_no_time_to_start(autojump_clock):
    async def echo(context, envelope):
        return envelope.payload

    async with running(python("a", echo, start_timeout=1e-9)) as (system, _):
        await trio.sleep(1000)
        assert await system.ask("a", b"here", timeout=math.inf) == b"here"


async def test_a_class_that_starts_too_slowly_is_cut_off(autojump_clock):
    class Slow(Scene):
        async def started(self, context):
            await trio.sleep(100)

    began = trio.current_time()
    with pytest.raises(StartFailed, match="was not ready within 5 s"):
        async with running(python("a", Slow, start_timeout=5)):
            pass
    assert trio.current_time() - began == pytest.approx(5)
