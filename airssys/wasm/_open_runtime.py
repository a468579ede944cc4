"""Opens what guests need, and closes it after the last of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from airssys.contracts import USER_CACHE, UserCache

from ._component_loader import Loader
from .cache import chosen_cache
from .engine import Ticker, TicksMaker
from .host import forget_names
from .instances import Runtime
from .values import forget_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from airssys.contracts import EngineSettings

    from .instances import Turns


@asynccontextmanager
async def open_runtime(
    settings: EngineSettings,
    *,
    cache_directory: Path | UserCache | None = USER_CACHE,
    make_ticks: TicksMaker = Ticker,
    report: Callable[[str], None] | None = None,
) -> AsyncIterator[Loader]:
    """Open what guests need, and yield what loads them.

    Guests must be closed before it is left; those that are not are closed for them, in
    the middle of a call if need be: its task gets `EngineMisused` or `GuestSpent`.

    Args:
        settings: how guests are run.
        cache_directory: where compiled components are kept from run to run; made if it
            is not there; by default in the user's own cache directory. None: each run
            compiles anew. What is kept there bears a mark by a secret of the user,
            which is made if it is not there. If one of them cannot be used, a warning
            says so and each run compiles anew.
        make_ticks: makes what ends the slices of guests; for tests.
        report: called in Trio's thread with a line for people when compiling a
            component takes more than a second; must not raise.

    Raises:
        PermissionError: others could write to the cache directory that was named, or
            to that of its secret.
    """
    cache = chosen_cache(cache_directory, settings)
    runtime = Runtime(settings, make_ticks)
    error: BaseException | None = None
    keeper = trio.CancelScope()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(_keep, runtime.turns, keeper)
            # Guests still need their turns while a cancelled system stops in order.
            keeper.shield = True
            try:
                yield Loader(runtime, cache, report)
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
