"""An engine for a system that needs one later: its blueprint names no component.

Whatever keeps an engine open must be entered and left in one task, so a task of its own
does both, when the first component is to be loaded and when the system has ended.
"""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from airssys.contracts import Artifact, ComponentLoader, LoadedComponent


@final
class LateLoader:
    """Loads components, and opens the engine for the first of them."""

    def __init__(
        self,
        open_loader: Callable[[], AbstractAsyncContextManager[ComponentLoader]],
        nursery: trio.Nursery,
    ) -> None:
        self._open_loader, self._nursery = open_loader, nursery
        self._loader: ComponentLoader | None = None
        self._lock = trio.Lock()
        self._is_over = trio.Event()

    async def load(self, artifact: Artifact) -> LoadedComponent:
        """Load a component; errors as of the loader, and of opening it."""
        async with self._lock:
            if self._loader is None:
                # The first import of the engine takes a third of a second.
                await trio.to_thread.run_sync(importlib.import_module, "airssys.wasm")
                self._loader = await self._nursery.start(self._keep)
        return await self._loader.load(artifact)

    @enable_ki_protection
    async def _keep(self, *, task_status: trio.TaskStatus[ComponentLoader]) -> None:
        async with self._open_loader() as loader:
            task_status.started(loader)
            with trio.CancelScope(shield=True):  # guests that stop in order need it
                await self._is_over.wait()

    def close(self) -> None:
        """Have the engine closed; the nursery waits for that."""
        self._is_over.set()


@asynccontextmanager
async def late_loader(
    open_loader: Callable[[], AbstractAsyncContextManager[ComponentLoader]],
) -> AsyncIterator[LateLoader]:
    """Provide a loader whose engine is opened when it is needed."""
    error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        loader = LateLoader(open_loader, nursery)
        try:
            yield loader
        except trio.Cancelled:
            raise
        except BaseException as raised:  # noqa: BLE001  # a nursery would wrap it
            error = raised
        finally:
            loader.close()
    if error is not None:
        raise error
