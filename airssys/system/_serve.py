"""A system as a task of a nursery that somebody else has opened."""

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
    """Run a blueprint until this task is cancelled; then the tree stops in order.

        system = await nursery.start(serve, blueprint)

    `nursery.start` returns the system when it is ready. To give settings as well, use
    `functools.partial`.

    Args:
        blueprint: what to run, or a topology.
        task_status: Trio's; told of the system when it is ready.
        settings: as keywords of `open_system`.

    Raises:
        DefinitionError, ComponentRefused, StartFailed, SystemGaveUp: as `open_system`.
    """
    async with open_system(blueprint, **settings) as system:
        task_status.started(system)
        await trio.sleep_forever()
