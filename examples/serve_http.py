"""A component that handles requests of HTTP, with one grant and without it.

`open.wat` asks for the time of day, and answers 403 if it may not know it. Each request is
made as an ASGI server makes it; with `listen="127.0.0.1:8080"` the component serves by
itself.
"""

from pathlib import Path
from typing import Any

import trio

from airssys import System, blueprint, http_handler, run
from airssys.security import clock

OPEN = Path(__file__).with_name("open.wat")


async def get(system: System, name: str) -> int:
    """Ask a handler for `/`; returns the status."""
    statuses: list[int] = []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asked = iter([{"type": "http.request"}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await trio.sleep_forever()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        statuses.append(message.get("status", 0))

    await system.asgi(name)(scope, receive, send)
    return statuses[0]


async def main(system: System) -> None:
    print("served:", await get(system, "granted"))
    print("denied:", await get(system, "denied"))


granted = http_handler("granted", OPEN, can=[clock()])
run(blueprint(granted, http_handler("denied", OPEN)), main)
