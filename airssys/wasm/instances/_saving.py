"""Snapshots of one component: fresh images to compare with, and work in pieces.

A fresh image is made once for each set of limits, of an instance that is never called and
that has no host. It takes as much memory as the memories of a fresh instance, without
what is zero.
"""

from __future__ import annotations

import hashlib
from copy import copy
from typing import TYPE_CHECKING, Final, TypeVar, final

import trio

from airssys.contracts import (
    GuestFailed,
    SnapshotRefused,
    is_a,
)
from airssys.wasm.host import HostCalled

from ._turns import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from airssys.contracts import ComponentConfig
    from airssys.wasm.lane.snapshots import FreshImage, Snapshot

    from ._turns import Turns

T = TypeVar("T")

_HOW: Final = b"airssys snapshot 1 "
"""Changed with what a snapshot of a component holds."""
_MOST_IMAGES: Final = 4
_MOST_STARTS: Final = 64
_PART: Final = 4
"""Pieces are done for this part of a tick at a time."""


async def in_pieces(turns: Turns, pieces: Generator[None, None, T]) -> T:
    """Do something long in this thread, in turns with the guests; returns its result."""
    while True:
        await turns.next_slice()
        began = now()
        try:
            while now() - began < turns.tick / _PART:
                next(pieces)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            turns.spent += now() - began


def identity(digest: str) -> bytes:
    """Return what a snapshot says of the component with that SHA-256."""
    return hashlib.sha256(_HOW + digest.encode()).digest()


def without_host(error: GuestFailed) -> SnapshotRefused:
    """Return what to raise for the failure of an instance that had no host."""
    if is_a(error.__cause__, HostCalled):
        problem = f"it calls the host while it starts: {error.__cause__}"
        return SnapshotRefused(problem, "Have it do so when it gets a message")
    return SnapshotRefused(f"it does not start without a host ({error})")


@final
class FreshImages:
    """The fresh images of one component, by the limits of an instance."""

    def __init__(self) -> None:
        self._images: dict[tuple[int, int], FreshImage] = {}
        self._lock = trio.Lock()

    async def find(
        self, limits: tuple[int, int], make: Callable[[], Awaitable[FreshImage]]
    ) -> FreshImage:
        """Return the image for these limits; it is made by the first who wants it."""
        async with self._lock:
            if limits not in self._images:
                if len(self._images) >= _MOST_IMAGES:
                    self._images.clear()
                self._images[limits] = await make()
            return self._images[limits]


@final
class StartStates:
    """Snapshots of one component that has just been initialised, by its configuration."""

    def __init__(self) -> None:
        self._found: dict[ComponentConfig, Snapshot | SnapshotRefused] = {}
        self._lock = trio.Lock()

    async def find(
        self, config: ComponentConfig, make: Callable[[], Awaitable[Snapshot]]
    ) -> Snapshot:
        """Return the snapshot for a configuration; made by the first who wants it.

        Raises:
            SnapshotRefused: It cannot be made, and is not tried again.
        """
        async with self._lock:
            found = self._found.get(config)
            if found is None:
                if len(self._found) >= _MOST_STARTS:
                    self._found.clear()
                try:
                    found = await make()
                except SnapshotRefused as error:
                    found = error
                self._found[config] = found
        if isinstance(found, SnapshotRefused):
            raise copy(found)
        return found
