"""xoscar: actors on asyncio, in a pool without further processes."""

from __future__ import annotations

import asyncio
import socket
from time import perf_counter
from typing import TYPE_CHECKING

import xoscar
from serving import serve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SIZE = 100


class Echo(xoscar.Actor):
    """It answers what it is asked."""

    def echo(self, message: bytes) -> bytes:
        """Answer."""
        return message


class Node(xoscar.Actor):
    """It hands a number on to the next."""

    following = None

    def follow(self, following: object) -> None:
        """Learn who is next."""
        self.following = following

    async def hop(self, left: int) -> None:
        """Hand it on, less one."""
        if left:
            await self.following.hop.tell(left - 1)
        else:
            Seen.done.set()


class Leaf(xoscar.Actor):
    """It counts down what all of them share."""

    def count(self, _: int) -> None:
        """Count."""
        Seen.left -= 1
        if not Seen.left:
            Seen.done.set()


class Seen:
    """What the actors have done, which are in this process."""

    left = 0
    done = asyncio.Event()


async def _make(kind: type, address: str, count: int) -> list[object]:
    return [await xoscar.create_actor(kind, address=address) for _ in range(count)]


async def tell(address: str, count: int) -> float:
    """Tell one actor, until all is handled."""
    (one,) = await _make(Echo, address, 1)
    payload = bytes(64)
    began = perf_counter()
    for _ in range(count):
        await one.echo.tell(payload)
    await one.echo(payload)
    return perf_counter() - began


async def ask(address: str, count: int) -> float:
    """Ask one actor, one question after the other."""
    (one,) = await _make(Echo, address, 1)
    payload = bytes(64)
    began = perf_counter()
    for _ in range(count):
        await one.echo(payload)
    return perf_counter() - began


async def ring(address: str, count: int) -> float:
    """Hand a number on."""
    nodes = await _make(Node, address, SIZE)
    for number, node in enumerate(nodes):
        await node.follow(nodes[(number + 1) % SIZE])
    Seen.done = asyncio.Event()
    began = perf_counter()
    await nodes[0].hop.tell(count)
    await Seen.done.wait()
    return perf_counter() - began


async def fan(address: str, count: int) -> float:
    """Tell a hundred, until all have handled it."""
    leaves = await _make(Leaf, address, SIZE)
    rounds = max(1, count // SIZE)
    began = perf_counter()
    for _ in range(rounds):
        Seen.left, Seen.done = SIZE, asyncio.Event()
        for leaf in leaves:
            await leaf.count.tell(1)
        await Seen.done.wait()
    return (perf_counter() - began) * count / (rounds * SIZE)


async def spawn(address: str, count: int) -> float:
    """Make actors."""
    began = perf_counter()
    await _make(Echo, address, count)
    return perf_counter() - began


def _case(run: Callable[[str, int], Awaitable[float]]) -> Callable[[int], float]:
    async def in_pool(count: int) -> float:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        pool = await xoscar.create_actor_pool(address, n_process=0)
        async with pool:
            return await run(pool.external_address, count)

    return lambda count: asyncio.run(in_pool(count))


if __name__ == "__main__":
    serve(
        "xoscar", {each.__name__: _case(each) for each in (tell, ask, ring, fan, spawn)}
    )
