"""Opens what guests need, and closes it after the last of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from ._component_loader import Loader
from .cache import open_cache
from .engine import Ticker, TicksMaker
from .host import forget_names
from .instances import Runtime
from .values import forget_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from airssys.contracts import EngineSettings

    from .instances import Turns


@asynccontextmanager
async def open_runtime(
    settings: EngineSettings,
    *,
    cache_directory: Path | None = None,
    make_ticks: TicksMaker = Ticker,
) -> AsyncIterator[Loader]:
    """Open what guests need, and yield what loads them.

    Guests must be closed before it is left; those that are not are closed for them, in
    the middle of a call if need be: its task gets `EngineMisused` or `GuestSpent`.

    Args:
        settings: how guests are run.
        cache_directory: where compiled components are kept from run to run; made if it
            is not there. Without it each run compiles anew. What is kept there bears
            a mark by a secret of the user, which is made if it is not there. If one of
            them cannot be used, a warning says so and each run compiles anew.
        make_ticks: makes what ends the slices of guests; for tests.

    Raises:
        PermissionError: others could write to the cache directory, or that of the
            secret.
    """
    cache = None if cache_directory is None else open_cache(cache_directory, settings)
    runtime = Runtime(settings, make_ticks)
    error: BaseException | None = None
    keeper = trio.CancelScope()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(_keep, runtime.turns, keeper)
            # Guests still need their turns while a cancelled system stops in order.
            keeper.shield = True
            try:
                yield Loader(runtime, cache)
            except trio.Cancelled:
                raise
            except BaseException as raised:  # noqa: BLE001  # a nursery would wrap it
                error = raised
            finally:
                keeper.cancel()
    finally:
        async with runtime.turns.without_workers():  # noqa: ASYNC102  # shielded in there
            runtime.engine.close()
        forget_names()
        forget_rows()
    if error is not None:
        raise error


async def _keep(  # noqa: ASYNC128  # the keeper calls it
    turns: Turns, scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]
) -> None:
    with scope:
        await turns.keep(task_status=task_status)
