"""Instances on either lane: how long it takes to make one, and what it takes up."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import trio

from airssys.contracts import (
    BRUTAL_KILL,
    Artifact,
    EngineSettings,
    HostServices,
    Limits,
)
from airssys.dsl import blueprint, component
from airssys.system import open_system
from airssys.wasm import open_runtime
from measuring.engine_room import RawInstances
from measuring.guests import MESSAGE, guest_file, lend, open_shop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts import Guest, LoadedComponent
    from measuring.guests import Shop

Act: TypeAlias = Callable[[], Awaitable[object]]
Fastest: TypeAlias = Callable[[dict[str, Act]], Awaitable[dict[str, float]]]
_ACTORS: Final = 100
_INSTANCES: Final = 1000
_ROUNDS: Final = 20
_KEEPER: Final = (
    Path(__file__).resolve().parents[2] / "tests" / "building" / "guests" / "keeper.py"
)
_NO_SERVICES: Final = cast("HostServices", object())


def python_guest(cache: Path) -> Path:
    """Build the Python guest that is measured; what is built is kept."""
    from airssys.building import build  # noqa: PLC0415  # an extra that may be missing

    cache.chmod(0o700)
    return build(_KEEPER, cache_directory=cache / "built").path


async def time_making(
    guest: Path | None, fastest: Fastest, lanes: Sequence[str]
) -> dict[str, float]:
    """Time instances, and actors unless a guest is given; in seconds."""
    async with AsyncExitStack() as stack:
        if guest is not None:
            return await _time_guest(guest, fastest, lanes, stack)
        shops: dict[str, Shop] = {}
        for lane in lanes:
            settings = EngineSettings(lane=lane)
            shops[lane] = await stack.enter_async_context(open_shop("echo", settings))
        acts: dict[str, Act] = {}
        for lane, shop in shops.items():
            acts[f"instance, {lane}"] = _making(shop.component)
            acts[f"first instance, {lane}"] = _initializing(shop)
        found = await fastest(acts)
        for lane in shops:
            found[f"bare instance, {lane}"] = float("inf")
            found[f"start of an actor, {lane}"] = float("inf")
        for _ in range(_ROUNDS):
            for lane, shop in shops.items():
                await _time_starts(found, lane, shop)
        return found


async def _time_guest(
    guest: Path, fastest: Fastest, lanes: Sequence[str], stack: AsyncExitStack
) -> dict[str, float]:
    acts: dict[str, Act] = {}
    compiled = guest.parent.parent / "compiled"
    for lane in lanes:
        settings = EngineSettings(lane=lane)
        opening = open_runtime(settings, cache_directory=compiled)
        loader = await stack.enter_async_context(opening)
        acts[f"instance, {lane}"] = _making(await loader.load(Artifact.at(guest)))
    return await fastest(acts)


def _making(component: LoadedComponent) -> Act:
    async def make() -> None:
        (await component.instantiate(Limits(), _NO_SERVICES)).close()

    return make


def _initializing(shop: Shop) -> Act:
    async def make() -> None:
        (await shop.guest()).close()

    return make


async def _time_starts(found: dict[str, float], lane: str, shop: Shop) -> None:
    """Time a round of bare instances, and of actors."""
    bare = RawInstances(shop.component)
    began = process_time()
    bare.make(_ACTORS)
    _keep_least(found, f"bare instance, {lane}", process_time() - began)
    bare.close()
    actors = (
        component(f"actor-{n}", guest_file("echo"), shutdown=BRUTAL_KILL)
        for n in range(_ACTORS)
    )
    opening = open_system(blueprint(*actors), open_loader=lambda _: lend(shop.loader))
    began = process_time()
    async with opening:
        _keep_least(found, f"start of an actor, {lane}", process_time() - began)


def _keep_least(found: dict[str, float], name: str, took: float) -> None:
    found[name] = min(found[name], took / _ACTORS)


async def bytes_and_maps(settings: EngineSettings) -> tuple[float, float]:
    """Return what one instance that has answered adds to this process."""
    async with open_shop("echo", settings) as shop:
        kept = [await _answered(shop) for _ in range(50)]
        gc.collect()
        before = _resident(), _maps()
        kept += [await _answered(shop) for _ in range(_INSTANCES)]
        gc.collect()
        after = _resident(), _maps()
        await trio.lowlevel.checkpoint()
        for guest in kept:
            guest.close()
    grown = [
        (more - less) / _INSTANCES for less, more in zip(before, after, strict=True)
    ]
    return grown[0], grown[1]


async def _answered(shop: Shop) -> Guest:
    guest = await shop.guest()
    await guest.handle_message(MESSAGE)
    return guest


def _resident() -> int:
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise LookupError("the kernel does not say how much memory is resident")


def _maps() -> int:
    return Path("/proc/self/maps").read_text().count("\n")
