"""A system inside an asyncio program: Trio is a guest of its event loop.

Both loops share one thread, which a portal would block. Instead, a function starts a
task on Trio's side and returns an asyncio future for its answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import outcome
import trio

from airssys import System, blueprint, component, open_system

SHOUT = Path(__file__).parents[1] / "shout.wat"


def start_trio(
    main: Callable[[], Awaitable[None]],
) -> asyncio.Future[outcome.Outcome[None]]:
    """Run a Trio program in the asyncio loop; the future is done when it has ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[outcome.Outcome[None]] = loop.create_future()
    trio.lowlevel.start_guest_run(
        main,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        done_callback=ended.set_result,
    )
    return ended


def ask(
    system: System, token: trio.lowlevel.TrioToken, text: bytes
) -> asyncio.Future[bytes]:
    """Ask from asyncio's side."""
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def in_trio() -> None:
        try:
            answer.set_result(await system.ask("shout", text) or b"")
        except Exception as error:
            answer.set_exception(error)

    token.run_sync_soon(partial(trio.lowlevel.spawn_system_task, in_trio))
    return answer


async def main() -> None:
    ready: asyncio.Future[tuple[System, trio.lowlevel.TrioToken]]
    ready = asyncio.get_running_loop().create_future()
    done = trio.Event()

    async def host() -> None:
        async with open_system(blueprint(component("shout", SHOUT))) as system:
            ready.set_result((system, trio.lowlevel.current_trio_token()))
            await done.wait()

    ended = start_trio(host)
    system, token = await ready
    print(await asyncio.gather(*(ask(system, token, w) for w in (b"from", b"asyncio"))))
    token.run_sync_soon(done.set)
    (await ended).unwrap()


asyncio.run(main())
