"""A program whose main thread does not use Trio; the system runs in another thread."""

import queue
import threading
from pathlib import Path

import trio

from airssys import Portal, blueprint, component, open_system

SHOUT = Path(__file__).parents[1] / "shout.wat"


async def host(ready: queue.Queue[Portal], done: trio.Event) -> None:
    async with open_system(blueprint(component("shout", SHOUT))) as system:
        ready.put(Portal(system))
        await done.wait()


def main() -> None:
    ready: queue.Queue[Portal] = queue.Queue()
    done = trio.Event()
    trios = threading.Thread(target=trio.run, args=(host, ready, done))
    trios.start()
    portal = ready.get()
    print(portal.ask("shout", b"from another thread"))
    portal.call_soon(done.set)
    trios.join()


main()
