"""Runs a system as a task in a nursery that the caller has opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ._open_system import open_system

if TYPE_CHECKING:
    from airssys.contracts import Blueprint

    from ._system import System


async def serve(
    blueprint: Blueprint | type[object],
    *,
    task_status: trio.TaskStatus[System] = trio.TASK_STATUS_IGNORED,
    **settings: Any,  # noqa: ANN401  # passed on to `open_system`
) -> None:
    """Run a blueprint until this task is cancelled; then stop the tree in order.

        system = await nursery.start(serve, blueprint)

    `nursery.start` returns the system when it is ready. To pass settings, use
    `functools.partial`.

    Args:
        blueprint: What to run, or a topology.
        task_status: Trio's; gets the system when it is ready.
        settings: Keywords of `open_system`.

    Raises:
        DefinitionError, ComponentRefused, StartFailed, SystemGaveUp: as `open_system`.
    """
    async with open_system(blueprint, **settings) as system:
        task_status.started(system)
        await trio.sleep_forever()
