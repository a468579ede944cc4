"""Saves one instance, and writes a snapshot over a fresh one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import EngineMisused, Limits, SnapshotRefused, repr_of
from airssys.wasm.lane.core import CoreStore, StateReader, StateWriter
from airssys.wasm.lane.snapshots import Snapshot

from ._runtime import Code, Runtime
from ._saving import in_pieces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airssys.contracts import GuestSnapshot
    from airssys.wasm.lane.snapshots import FreshImage

    from ._runtime import CoreProgram


@final
@attrs.frozen(eq=False)
class Saved:
    """An instance that is saved or restored; it must not be called meanwhile."""

    runtime: Runtime
    code: Code
    store: object
    limits: Limits
    shares: tuple[int, int]
    """The limit of each memory and table."""

    def program(self) -> tuple[CoreProgram, CoreStore]:
        """Return what it runs.

        Raises:
            SnapshotRefused: it does not run on the own lane.
        """
        program, store = self.code.core, self.store
        if program is None or not isinstance(store, CoreStore):
            why = self.code.why_whole
            problem = "it runs whole, by wasmtime's component API"
            raise SnapshotRefused(
                f"{problem}, because {why}" if why else problem,
                "" if why else 'Choose EngineSettings(lane="own")',
            )
        return program, store


async def take(
    saved: Saved, make_fresh: Callable[[], Awaitable[FreshImage]]
) -> Snapshot:
    """Take a snapshot.

    Args:
        saved: the instance.
        make_fresh: makes another one, to compare with, if there was none so far.

    Raises:
        SnapshotRefused: something cannot go along.
    """
    program, store = saved.program()
    reader = StateReader(store.instance)
    fresh = await program.images.find(saved.shares, make_fresh)
    pieces = reader.take(fresh, program.identity, saved.limits.snapshot_bytes)
    return await in_pieces(saved.runtime.turns, pieces)


async def put(saved: Saved, snapshot: GuestSnapshot | bytes) -> None:
    """Write a snapshot over a fresh instance.

    Raises:
        SnapshotRefused: it does not fit.
        EngineMisused: the instance was called before.
    """
    program, store = saved.program()
    turns = saved.runtime.turns
    if not store.is_fresh:
        raise EngineMisused("only an instance that was never called can be restored")
    if isinstance(snapshot, bytes):
        # In a worker: inflating takes several milliseconds a megabyte.
        read = partial(Snapshot.from_bytes, snapshot, saved.limits.snapshot_bytes)
        snapshot = await turns.in_worker(read)
    if not isinstance(snapshot, Snapshot):
        raise SnapshotRefused(f"{repr_of(snapshot, 80)} is not a snapshot")
    if snapshot.component != program.identity:
        raise SnapshotRefused("it belongs to another component")
    await in_pieces(turns, StateWriter(store.instance, snapshot).put())


async def read_fresh(saved: Saved) -> FreshImage:
    """Read a fresh instance."""
    reader = StateReader(saved.program()[1].instance)
    return await in_pieces(saved.runtime.turns, reader.fresh_image())
