"""What one instance has of WASI: made with it, closed with it."""

from __future__ import annotations

import functools
import math
import random
from typing import TYPE_CHECKING, Final, NoReturn, final

from airssys.contracts import LogLevel, NotGranted, TrapReason
from airssys.wasm.host import StopGuest

from ._clocks import MonotonicClock
from ._streams import LogLines

if TYPE_CHECKING:
    from airssys.contracts import Access, HostServices, Limits, Permissions

MOST_HANDLES: Final = 1000
"""Resources that the host has given to one instance and it has not dropped."""

_MOST_DENIED: Final = 256
"""Denials that are remembered, so that they are not reported again."""


@final
class _Nothing:
    """The permissions of a component that belongs to no actor (implements `Permissions`)."""

    version = 0

    def check(self, kind: str, verb: str, resource: str = "") -> NoReturn:
        """Refuse.

        Raises:
            NotGranted: always.
        """
        raise NotGranted(f"{kind} {verb} {resource} is not granted")

    def allows(self, access: Access) -> bool:  # as of `Permissions`
        """Return False."""
        return False

    def finest(self, kind: str, verb: str) -> float:  # as of `Permissions`
        """Return infinity: it may know no time."""
        return math.inf


@final
class WasiContext:
    """What the functions of WASI get first."""

    def __init__(self, services: HostServices | None, limits: Limits) -> None:
        self.services, self.limits = services, limits
        self.permissions: Permissions = (
            _Nothing() if services is None else services.permissions
        )
        self._denied: dict[tuple[str, str, str], int] = {}
        """What was denied, and reported, by the version of the permissions."""
        self._finest: dict[str, tuple[int, float]] = {}
        self.monotonic = MonotonicClock(lambda: self.finest("monotonic"))
        self.stdout = self._lines("stdout", LogLevel.INFO)
        self.stderr = self._lines("stderr", LogLevel.WARN)
        self.insecure = random.Random(0)  # noqa: S311  # its functions are named so
        """Numbers for a guest that may have no others; the same in each instance."""
        self._handles = 0

    def _lines(self, name: str, level: LogLevel) -> LogLines:
        may_write = functools.partial(self.may, "streams", name)
        return LogLines(name, level, may_write, self.services)

    def may(self, kind: str, verb: str, resource: str = "") -> bool:
        """Whether an access is allowed; a denial is reported once, until that changes."""
        asked, version = (kind, verb, resource), self.permissions.version
        if self._denied.get(asked) == version:
            return False
        try:
            self.permissions.check(kind, verb, resource)
        except NotGranted:
            if len(self._denied) >= _MOST_DENIED:  # the guest chooses some of the names
                self._denied.clear()
            self._denied[asked] = version
            return False
        return True

    def finest(self, clock: str) -> float:
        """The number of seconds that a clock may be exact to; inf: it may not be read.

        That is reported as any denial is.
        """
        version = self.permissions.version
        known, seconds = self._finest.get(clock, (-1, 0.0))
        if known != version:
            seconds = self.permissions.finest("clock", clock)
            self._finest[clock] = version, seconds
        if seconds == math.inf:
            self.may("clock", clock, "0")
        return seconds

    def count_handle(self) -> None:
        """Count a resource that is given to the guest.

        Raises:
            StopGuest: it holds too many.
        """
        if self._handles >= MOST_HANDLES:
            text = f"it holds {MOST_HANDLES} resources of WASI, and wants another"
            raise StopGuest(TrapReason.HOST_ALLOCATION_LIMIT, text)
        self._handles += 1

    def release_handle(self) -> None:
        """Count a resource that the guest has dropped."""
        self._handles -= 1

    def close(self) -> None:
        """Log what was written without the end of a line."""
        self.stdout.close()
        self.stderr.close()


class Held:
    """A resource that a guest holds."""

    __slots__ = ("context",)

    def __init__(self, context: WasiContext) -> None:
        context.count_handle()
        self.context = context


def release(thing: Held) -> None:
    """Let go of a resource that the guest has dropped."""
    thing.context.release_handle()
