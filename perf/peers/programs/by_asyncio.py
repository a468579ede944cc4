"""Plain asyncio, written by hand: tasks and queues."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from serving import serve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SIZE = 100


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def tell(count: int) -> float:
    """Put into a bounded queue, until all is handled."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(1000)
    payload = bytes(64)

    async def receive() -> None:
        while True:
            await queue.get()
            queue.task_done()

    task = asyncio.create_task(receive())
    began = perf_counter()
    for _ in range(count):
        await queue.put(payload)
    await queue.join()
    took = perf_counter() - began
    await _cancel([task])
    return took


async def ask(count: int) -> float:
    """Ask a task by a queue and a future, one question after the other."""
    queue: asyncio.Queue[tuple[bytes, asyncio.Future[bytes]]] = asyncio.Queue()
    loop, payload = asyncio.get_running_loop(), bytes(64)

    async def answer() -> None:
        while True:
            question, future = await queue.get()
            future.set_result(question)

    task = asyncio.create_task(answer())
    began = perf_counter()
    for _ in range(count):
        future: asyncio.Future[bytes] = loop.create_future()
        queue.put_nowait((payload, future))
        await future
    took = perf_counter() - began
    await _cancel([task])
    return took


async def ring(count: int) -> float:
    """Hand a number on."""
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(1) for _ in range(SIZE)]
    done = asyncio.Event()

    async def node(number: int) -> None:
        own, following = queues[number], queues[(number + 1) % SIZE]
        while True:
            if left := await own.get():
                await following.put(left - 1)
            else:
                done.set()

    tasks = [asyncio.create_task(node(n)) for n in range(SIZE)]
    began = perf_counter()
    await queues[0].put(count)
    await done.wait()
    took = perf_counter() - began
    await _cancel(tasks)
    return took


async def fan(count: int) -> float:
    """Put into a hundred queues, until all have handled it."""
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(10) for _ in range(SIZE)]
    left, done = 0, asyncio.Event()

    async def leaf(queue: asyncio.Queue[int]) -> None:
        nonlocal left
        while True:
            await queue.get()
            left -= 1
            if not left:
                done.set()

    tasks = [asyncio.create_task(leaf(queue)) for queue in queues]
    rounds = max(1, count // SIZE)
    began = perf_counter()
    for _ in range(rounds):
        left = SIZE
        done.clear()
        for queue in queues:
            queue.put_nowait(1)
        await done.wait()
    took = perf_counter() - began
    await _cancel(tasks)
    return took * count / (rounds * SIZE)


async def spawn(count: int) -> float:
    """Start tasks, each with a queue, until all of them wait."""
    left, done = count, asyncio.Event()

    async def idle(queue: asyncio.Queue[bytes]) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()
        await queue.get()

    began = perf_counter()
    tasks = [asyncio.create_task(idle(asyncio.Queue(10))) for _ in range(count)]
    await done.wait()
    took = perf_counter() - began
    await _cancel(tasks)
    return took


async def crash(count: int) -> float:
    """Crash what a task runs, run it again by hand, and have its answer."""
    queue: asyncio.Queue[asyncio.Event | None] = asyncio.Queue()

    async def answer() -> None:
        while True:
            answered = await queue.get()
            if answered is None:
                raise ValueError
            answered.set()

    async def supervise() -> None:
        while True:
            try:
                await answer()
            except ValueError:
                continue

    task = asyncio.create_task(supervise())
    began = perf_counter()
    for _ in range(count):
        queue.put_nowait(None)
        answered = asyncio.Event()
        queue.put_nowait(answered)
        await answered.wait()
    took = perf_counter() - began
    await _cancel([task])
    return took


def _case(run: Callable[[int], Awaitable[float]]) -> Callable[[int], float]:
    return lambda count: asyncio.run(run(count))


if __name__ == "__main__":
    serve(
        "",
        {each.__name__: _case(each) for each in (tell, ask, ring, fan, spawn, crash)},
    )
