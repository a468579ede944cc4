"""What the cases are compared with: the same by plain Trio, written by hand."""

from __future__ import annotations

import itertools
import logging
import traceback
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio
import trio.testing
from measuring.ratios import check_count
from trio.lowlevel import Abort, checkpoint, current_task, reschedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from perf.suite.timing import Measure

_LOG: Final = logging.getLogger("airssys.perf")
RING: Final = 100
FAN: Final = 100
_ROOM: Final = 1000
PAYLOAD: Final = bytes(64)


@asynccontextmanager
async def bounded_channel() -> AsyncIterator[Measure]:
    """`async for` over a memory channel fed by `await send()`."""
    handled = 0
    post, letters = trio.open_memory_channel[bytes](_ROOM)

    async def receive() -> None:
        nonlocal handled
        async for _ in letters:
            handled += 1

    async def send(count: int) -> float:
        wanted = handled + count
        began = perf_counter()
        for _ in range(count):
            await post.send(PAYLOAD)
        while handled < wanted:
            await checkpoint()
        took = perf_counter() - began
        check_count("messages through a channel", handled, wanted)
        return took

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        yield send
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def slot() -> AsyncIterator[Measure]:
    """A question and its answer, by two tasks that reschedule each other."""
    asking: list[trio.lowlevel.Task] = []
    server: trio.lowlevel.Task

    async def serve() -> None:
        nonlocal server
        server = current_task()
        while True:
            await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.SUCCEEDED)
            reschedule(asking.pop())

    async def ask(count: int) -> float:
        me = current_task()
        began = perf_counter()
        for _ in range(count):
            asking.append(me)
            reschedule(server)
            await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.FAILED)
        return perf_counter() - began

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await trio.testing.wait_all_tasks_blocked()
        yield ask
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def ring() -> AsyncIterator[Measure]:
    """A hundred tasks that hand a number on through channels."""
    channels = [trio.open_memory_channel[int](1) for _ in range(RING)]
    done = trio.Event()

    async def node(letters: trio.MemoryReceiveChannel[int], number: int) -> None:
        following = channels[(number + 1) % RING][0]
        async for left in letters:
            if left:
                await following.send(left - 1)
            else:
                done.set()

    async def hop(count: int) -> float:
        nonlocal done
        done = trio.Event()
        began = perf_counter()
        await channels[0][0].send(count)
        await done.wait()
        return perf_counter() - began

    async with trio.open_nursery() as nursery:
        for number, (_, letters) in enumerate(channels):
            nursery.start_soon(node, letters, number)
        yield hop
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def fan() -> AsyncIterator[Measure]:
    """One task that puts a number into a hundred channels, each with a task behind it."""
    channels = [trio.open_memory_channel[int](10) for _ in range(FAN)]
    left, done = 0, trio.Event()

    async def node(letters: trio.MemoryReceiveChannel[int]) -> None:
        nonlocal left
        async for _ in letters:
            left -= 1
            if not left:
                done.set()

    async def deliver(count: int) -> float:
        nonlocal left, done
        began = perf_counter()
        for _ in range(rounds(count)):
            left, done = FAN, trio.Event()
            for post, _ in channels:
                post.send_nowait(1)
            await done.wait()
        return (perf_counter() - began) * count / (rounds(count) * FAN)

    async with trio.open_nursery() as nursery:
        for _, letters in channels:
            nursery.start_soon(node, letters)
        yield deliver
        nursery.cancel_scope.cancel()


def rounds(count: int) -> int:
    """Return how often all tasks of a fan are sent something, for that many deliveries."""
    return max(1, count // FAN)


async def _answer(
    letters: trio.MemoryReceiveChannel[trio.Event | None],
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    task_status.started()
    async for answered in letters:
        if answered is None:
            raise ValueError
        answered.set()


async def _supervise(letters: trio.MemoryReceiveChannel[trio.Event | None]) -> None:
    """Start it again in a nursery of its own each time, and log its traceback."""
    while True:
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(_answer, letters)
        except* ValueError as errors:
            _LOG.warning("crashed: %s", "".join(traceback.format_exception(errors)))


@asynccontextmanager
async def crash() -> AsyncIterator[Measure]:
    """A task that crashes is started anew by the one around it, and answers."""
    post, letters = trio.open_memory_channel[trio.Event | None](100)

    async def crash_and_ask(count: int) -> float:
        began = perf_counter()
        for _ in range(count):
            post.send_nowait(None)
            answered = trio.Event()
            post.send_nowait(answered)
            await answered.wait()
        return perf_counter() - began

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_supervise, letters)
        yield crash_and_ask
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def spawn() -> AsyncIterator[Measure]:
    """Tasks, each with a channel of its own, until all of them wait for a message."""

    async def spawn_all(count: int) -> float:
        left, done = count, trio.Event()

        async def idle(letters: trio.MemoryReceiveChannel[bytes]) -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set()
            async for _ in letters:
                pass

        posts = []
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in itertools.repeat(None, count):
                post, letters = trio.open_memory_channel[bytes](10)
                posts.append(post)
                nursery.start_soon(idle, letters)
            await done.wait()
            took = perf_counter() - began
            nursery.cancel_scope.cancel()
        return took

    yield spawn_all
