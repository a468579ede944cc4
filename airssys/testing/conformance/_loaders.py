"""What every loader of components must do.

async def test_it():
await examine_loaders(open_loader, good=Artifact.at("echo.wasm"), bad=...)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import trio

from airssys.contracts import (
    Artifact,
    ComponentLoader,
    ComponentRefused,
    Limits,
)
from airssys.testing.fakes import FakeServices

from ._questions import holds, name_of, raising, same

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from airssys.contracts import HostServices

Question: TypeAlias = Callable[[ComponentLoader, Artifact, Artifact], Awaitable[None]]
"""A requirement for a loader, with a valid artifact and an invalid one."""


async def _what_is_loaded_makes_instances(
    loader: ComponentLoader, good: Artifact, bad: Artifact
) -> None:
    component = await loader.load(good)
    services = cast("HostServices", FakeServices())
    first = await component.instantiate(Limits(), services)
    second = await component.instantiate(Limits(), services)
    try:
        holds(first is not second)
        same((first.spent, second.spent), (None, None))
    finally:
        second.close()
        first.close()
    holds(first.spent)


async def _the_same_artifact_is_the_same_component(
    loader: ComponentLoader, good: Artifact, bad: Artifact
) -> None:
    found: list[object] = []

    async def load() -> None:
        found.append(await loader.load(good))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(load)
        nursery.start_soon(load)
    holds(found[0] is found[1])
    holds(await loader.load(good) is found[0])


async def _what_cannot_be_run_is_refused_and_the_rest_goes_on(
    loader: ComponentLoader, good: Artifact, bad: Artifact
) -> None:
    for _ in range(2):
        with raising(ComponentRefused):
            await loader.load(bad)
    await loader.load(good)


async def _a_cancelled_load_leaves_the_loader_as_it_was(
    loader: ComponentLoader, good: Artifact, bad: Artifact
) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await loader.load(good)
    await loader.load(good)


LOADER_QUESTIONS: Final[tuple[Question, ...]] = (
    _what_is_loaded_makes_instances,
    _the_same_artifact_is_the_same_component,
    _what_cannot_be_run_is_refused_and_the_rest_goes_on,
    _a_cancelled_load_leaves_the_loader_as_it_was,
)
"""For parametrizing a test; each takes a fresh loader and two artifacts."""


async def examine_loaders(
    open_loader: Callable[[], AbstractAsyncContextManager[ComponentLoader]],
    *,
    good: Artifact,
    bad: Artifact,
) -> None:
    """Check every requirement, each with a loader of its own.

    Args:
        open_loader: Opens a loader.
        good: An artifact that it can load.
        bad: An artifact that cannot be run.

    Raises:
        AssertionError: A requirement is not met; a note names it.
    """
    for question in LOADER_QUESTIONS:
        try:
            async with open_loader() as loader:
                await question(loader, good, bad)
        except BaseException as error:
            error.add_note(name_of(question))
            raise
