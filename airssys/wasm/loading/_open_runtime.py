"""Opens what guests need, and closes it after the last guest."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import USER_CACHE, UserCache
from airssys.wasm.cache import chosen_cache
from airssys.wasm.engine import Ticker, TicksMaker
from airssys.wasm.host import CORE_INTERFACES, forget_names
from airssys.wasm.host.wasi import (
    RUN,
    WASI_INTERFACES,
    HandlerProgram,
    ProgramComponent,
)
from airssys.wasm.host.wasi.http import HandlerComponent, is_handler
from airssys.wasm.instances import Runtime, forget_rows

from ._any_instance import load_any
from ._component_loader import Loader, given_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from airssys.contracts import Artifact, EngineSettings


@asynccontextmanager
@enable_ki_protection
async def open_runtime(
    settings: EngineSettings,
    *,
    cache_directory: str | Path | UserCache | None = USER_CACHE,
    make_ticks: TicksMaker = Ticker,
    report: Callable[[str], None] | None = None,
) -> AsyncIterator[Loader]:
    """Open the engine for guests, and yield a loader.

    Guests should be closed before this is left. The others are closed then, even during
    a call: its task gets `EngineMisused` or `GuestSpent`.

    Args:
        settings: How guests are run.
        cache_directory: Where compiled components are kept between runs, by default in
            the user's cache directory. It is created if it does not exist, and so is a
            secret of the user, which marks its files. If one cannot be used, a warning
            is logged. None, or after a warning: each run compiles again.
        make_ticks: Makes what ends the slices of guests; for tests.
        report: Called in Trio's thread with a line for people when compiling a
            component takes more than a second; must not raise.

    Raises:
        PermissionError: Other users can access the given cache directory, or that of
            its secret.
    """
    cache = chosen_cache(cache_directory, settings)
    runtime = Runtime(settings, make_ticks)
    try:
        async with _guests_moved(runtime):
            yield Loader(runtime, cache, report, _load_program)
    finally:
        async with runtime.turns.without_workers():  # noqa: ASYNC102  # shielded in there
            try:
                runtime.engine.close()
            finally:
                runtime.turns.end()
        forget_names()
        forget_rows()


async def _load_program(loader: Loader, artifact: Artifact) -> ProgramComponent:
    """Load a component that exports `wasi:cli/run`, or handles requests.

    Raises:
        ComponentRefused: it cannot be run here.
    """
    given = given_to(artifact, [each.name for each in WASI_INTERFACES])
    component = await load_any(loader, artifact, (*CORE_INTERFACES, *given))
    handles = next(filter(is_handler, component.world.exports), None)
    if handles is not None:
        handler = HandlerComponent(component, handles)
        return ProgramComponent(handler, [RUN], artifact.label, HandlerProgram)
    return ProgramComponent(component, list(component.world.exports), artifact.label)


@asynccontextmanager
@enable_ki_protection
async def _guests_moved(runtime: Runtime) -> AsyncIterator[None]:
    """Have guests moved in their lines; an error of the block is raised as it is."""
    error: BaseException | None = None
    keeper = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        try:
            await nursery.start(_keep, runtime, keeper)
            # Guests still need their turns while a cancelled system stops in order.
            keeper.shield = True
            yield
        except trio.Cancelled:
            raise
        except BaseException as raised:  # noqa: BLE001  # a nursery would wrap it
            error = raised
        finally:
            keeper.cancel()
        while nursery.child_tasks:  # waiting for the keeper could be interrupted
            await trio.lowlevel.cancel_shielded_checkpoint()
    if error is not None:
        raise error


@enable_ki_protection
async def _keep(  # noqa: ASYNC128  # the keeper calls it
    runtime: Runtime, scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]
) -> None:
    with scope:
        work = runtime.turns.keep(task_status=task_status)
        await runtime.background.keep(work)
