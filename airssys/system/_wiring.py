"""Connects the parts of one system; the only module that knows all of them."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, final

import attrs
import trio

from airssys.contracts import (
    USER_CACHE,
    Artifact,
    Blueprint,
    ComponentId,
    ComponentLoader,
    ComponentRefused,
    ComponentSpec,
    EngineSettings,
    Event,
    HandlerGuest,
    LoadedComponent,
    Randomness,
    UserCache,
    WallClock,
    find_fatal,
    text_of,
    walk,
)
from airssys.messaging import (
    Admission,
    Broker,
    Publishing,
    Quarantine,
    Registry,
    Sleepers,
)
from airssys.nursery import (
    Declared,
    Dispatcher,
    Expiries,
    Replacer,
    Shared,
    Slot,
    SupervisorCell,
    Timers,
    Watches,
    cell_maker,
    pool_opener,
)
from airssys.security.authority import Authorities
from airssys.security.quotas import Accounts
from airssys.storage import MemoryStorage

from ._late_loader import late_loader
from .events import log_notice

if TYPE_CHECKING:
    import random

    from airssys.contracts import EventSink, SupervisorSpec
    from airssys.security.authority import Recorder

    from .events import EventFanout

LoaderOpener: TypeAlias = Callable[
    [EngineSettings], AbstractAsyncContextManager[ComponentLoader]
]
"""Opens the loader for components, and closes it after the last component ended."""


def open_wasm_loader(
    settings: EngineSettings,
    *,
    cache_directory: Path | UserCache | None = USER_CACHE,
) -> AbstractAsyncContextManager[ComponentLoader]:
    """Open the engine that runs WebAssembly.

    Imported here because a system of only Python actors needs no engine.

    Args:
        settings: How guests are run.
        cache_directory: As in `open_system`.
    """
    from airssys.wasm import open_runtime  # noqa: PLC0415 (see above)

    return open_runtime(settings, cache_directory=cache_directory, report=log_notice)


def with_cache(
    open_loader: LoaderOpener, cache_directory: str | Path | UserCache | None
) -> LoaderOpener:
    """Make the loader of this library keep compiled components in a directory.

    Raises:
        ValueError: It is another loader, which does not accept a directory.
    """
    if open_loader is not open_wasm_loader:
        if cache_directory is None or isinstance(cache_directory, UserCache):
            return open_loader
        raise ValueError(
            "cache_directory needs this library's loader: "
            "pass it to your open_loader instead"
        )
    if isinstance(cache_directory, str):
        cache_directory = Path(cache_directory)
    return functools.partial(open_wasm_loader, cache_directory=cache_directory)


@final
@attrs.frozen
class Wired:
    """The parts of one system that others need to see."""

    broker: Broker
    registry: Registry
    sleepers: Sleepers
    publishing: Publishing
    quarantine: Quarantine
    timers: Timers
    watches: Watches
    replacer: Replacer
    authorities: Authorities
    accounts: Accounts
    expiries: Expiries
    handlers: dict[ComponentId, HandlerGuest]
    dispatcher: Dispatcher
    root: Slot
    """The cell of the root supervisor, which has not been started yet."""


@final
@attrs.frozen
class Components:
    """What was loaded, and what loads more."""

    loaded: Mapping[Artifact, LoadedComponent]
    loader: ComponentLoader | None


def wire(  # noqa: PLR0913 (a part's every need from outside)
    blueprint: Blueprint,
    components: Components,
    events: EventFanout,
    *,
    wall_clock: WallClock,
    randomness: Randomness,
    held_thread_after: float,
    on_fatal: Callable[[BaseException], None],
    end_by: Callable[[BaseException], None],
    rng: random.Random | None,
    recorder: Recorder | None,
) -> Wired:
    """Make the parts of one system; starts nothing."""
    admission = Admission(Registry())
    broker = Broker(
        admission, events=events.emit, wall_clock=wall_clock, randomness=randomness
    )
    shared = Shared(
        broker=broker,
        registry=broker.registry,
        events=events.emit,
        wall_clock=wall_clock,
        components=dict(components.loaded),
        loader=components.loader,
        storage=MemoryStorage(),
        held_thread_after=held_thread_after,
        on_fatal=on_fatal,
        end_by=end_by,
        recorder=recorder,
    )

    def emit(event: Event) -> None:
        events.emit(event)
        shared.watches.note(event)

    return _parts(shared, _root_slot(blueprint.root, shared, emit, rng))


def _parts(shared: Shared, root: Slot) -> Wired:
    return Wired(
        broker=shared.broker,
        registry=shared.registry,
        sleepers=shared.sleepers,
        publishing=shared.publishing,
        quarantine=shared.quarantine,
        timers=shared.timers,
        watches=shared.watches,
        replacer=Replacer(shared),
        authorities=shared.authorities,
        accounts=shared.accounts,
        expiries=shared.expiries,
        handlers=shared.handlers,
        dispatcher=shared.dispatcher,
        root=root,
    )


def _root_slot(
    spec: SupervisorSpec, shared: Shared, emit: EventSink, rng: random.Random | None
) -> Slot:
    declared, open_pool = Declared(spec), pool_opener(shared)
    make_cell = cell_maker(shared)
    cell = SupervisorCell(declared, spec.name, make_cell, emit, rng, open_pool)
    return Slot(declared, cell)


@asynccontextmanager
async def load_components(
    blueprint: Blueprint, open_loader: LoaderOpener
) -> AsyncIterator[Components]:
    """Load every artifact of a blueprint concurrently, and keep the engine meanwhile.

    Without components no engine is opened until one is added.

    Raises:
        ComponentRefused: A component cannot be run here. It is the first one in the
            order of the blueprint, with a note for each of the others.
    """
    artifacts: dict[Artifact, str] = {}
    for _, spec in walk(blueprint.root):
        if isinstance(spec, ComponentSpec):
            origin = spec.origin
            where = f"{origin.file}:{origin.line}" if origin else ""
            artifacts.setdefault(spec.artifact, where)
    if not artifacts:
        opener = functools.partial(open_loader, blueprint.engine)
        async with late_loader(opener) as late:
            yield Components({}, late)
        return
    async with open_loader(blueprint.engine) as loader:
        loaded = await _load_all(loader, artifacts)
        yield Components(loaded, loader)


async def _load_all(
    loader: ComponentLoader, artifacts: Mapping[Artifact, str]
) -> Mapping[Artifact, LoadedComponent]:
    loaded: dict[Artifact, LoadedComponent] = {}
    errors: dict[Artifact, Exception] = {}

    async def load(artifact: Artifact) -> None:
        try:
            loaded[artifact] = await loader.load(artifact)
        except Exception as error:  # noqa: BLE001 (raised below, in order)
            if isinstance(error, ComponentRefused):
                error.where = artifacts[artifact]
            errors[artifact] = error

    try:
        async with trio.open_nursery() as nursery:
            for artifact in artifacts:
                nursery.start_soon(load, artifact)
    except BaseExceptionGroup as group:
        # Only cancellation and Ctrl-C get here; they continue unchanged.
        raise find_fatal(group) or group from None
    if errors:
        first, *others = (errors[a] for a in artifacts if a in errors)
        for other in others:
            first.add_note(f"and: {text_of(other)}")
        raise first
    return loaded
