"""A component, ready to run: it makes instances, fresh ones and restored ones."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Protocol, final

import attrs
import trio

from airssys.contracts import GuestFailed, SnapshotRefused
from airssys.wasm.lane.snapshots import Snapshot

from ._instance import Instance
from ._runtime import Code, CoreProgram, Runtime
from ._saving import without_host

if TYPE_CHECKING:
    from airssys.contracts import (
        ComponentConfig,
        GuestSnapshot,
        HostServices,
        Limits,
    )


class StateCache(Protocol):
    """Keeps snapshots on disk."""

    def find_state(self, digest: str, most: int) -> bytes | None:
        """Read the one under this digest, with pages of up to `most` bytes."""
        ...

    def keep_state(self, digest: str, snapshot: bytes) -> None:
        """Write one; if that fails, it is not kept."""
        ...


@final
@attrs.frozen
class Component:
    """A component, ready to run (the port `LoadedComponent`)."""

    runtime: Runtime = attrs.field(repr=False)
    code: Code
    cache: StateCache | None = attrs.field(default=None, repr=False)
    """Where it keeps its state after `initialize`."""

    async def instantiate(self, limits: Limits, services: HostServices) -> Instance:
        """Make a fresh instance.

        Raises:
            GuestTrapped: Its start function trapped, or it needs more than `limits`.
            CapacityReached: The kernel has no more memory maps.
        """
        self.runtime.check_room(self.code.maps)
        instance = Instance(self.runtime, self.code, limits, services)
        try:
            await instance.start()
        except BaseException:
            instance.close()
            raise
        return instance

    async def restore(
        self, snapshot: GuestSnapshot | bytes, limits: Limits, services: HostServices
    ) -> Instance:
        """Make an instance that continues from a snapshot, instead of `initialize`.

        Args:
            snapshot: What `Instance.snapshot` returned, here or in another process.
            limits: What the instance may use.
            services: What it may do.

        Raises:
            SnapshotRefused: It is damaged, of another component, or does not fit.
            GuestTrapped: As of `instantiate`.
            CapacityReached: As of `instantiate`.
        """
        instance = await self.instantiate(limits, services)
        try:
            await instance.restore(snapshot)
        except BaseException:
            instance.close()
            raise
        return instance

    async def initial_snapshot(self, config: ComponentConfig) -> Snapshot:
        """Return a snapshot of an instance that has just been initialised.

        That instance has no host: it can neither send messages nor store anything, and
        lines that it logs are dropped. The snapshot is kept, in memory and in the cache
        directory.

        Args:
            config: What `initialize` gets.

        Raises:
            SnapshotRefused: It calls the host before it has been initialised, or its
                state is something that a snapshot cannot hold.
            CapacityReached: There is no room for that instance.
        """
        program = self.code.core
        if program is None:
            raise SnapshotRefused("it runs whole, by wasmtime's component API")
        make = functools.partial(self._find_start, program, config)
        return await program.starts.find(config, make)

    async def _find_start(
        self, program: CoreProgram, config: ComponentConfig
    ) -> Snapshot:
        """Find the snapshot on disk, or take it and keep it there."""
        text = f"{program.identity.hex()} {attrs.astuple(config)}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        readers, cache = self.runtime.readers, self.cache
        if cache is not None:
            find = functools.partial(
                _read_start, cache, digest, config.limits.snapshot_bytes
            )
            kept = await trio.to_thread.run_sync(find, limiter=readers)
            if kept is not None and kept.component == program.identity:
                return kept
        taken = await self._make_start(config)
        if cache is not None:
            keep = functools.partial(_keep_start, cache, digest, taken)
            await trio.to_thread.run_sync(keep, limiter=readers)
        return taken

    async def _make_start(self, config: ComponentConfig) -> Snapshot:
        self.runtime.check_room(self.code.maps)
        instance = Instance(self.runtime, self.code, config.limits, None)
        try:
            await instance.start()
            await instance.initialize(config)
            return await instance.snapshot()
        except GuestFailed as error:
            raise without_host(error) from error
        finally:
            instance.close()


def _read_start(cache: StateCache, digest: str, most: int) -> Snapshot | None:
    written = cache.find_state(digest, most)
    if written is None:
        return None
    try:
        return Snapshot.from_bytes(written, most)
    except SnapshotRefused:  # taken by another version
        return None


def _keep_start(cache: StateCache, digest: str, taken: Snapshot) -> None:
    cache.keep_state(digest, taken.to_bytes())
