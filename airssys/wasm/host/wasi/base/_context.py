"""What one instance has of WASI: made with it, closed with it."""

from __future__ import annotations

import functools
import math
import random
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar, final

import trio

from airssys.contracts import Access, LogLevel, NotGranted, TrapReason
from airssys.wasm.host import ContextWithTasks, StopGuest

from ._clocks import MonotonicClock
from ._log_lines import LogLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import Grant, HostServices, Limits, Permissions

MOST_HANDLES: Final = 1000
"""Resources that the host has given to one instance and it has not dropped."""

Part = TypeVar("Part")
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

    def check_access(self, access: Access) -> NoReturn:
        """Refuse; see `check`."""
        self.check(access.kind, access.verb, access.resource)

    def holds_any(self, kind: str, *verbs: str) -> bool:  # as of `Permissions`
        """Return False."""
        return False

    def hold(self, access: Access, cancel: Callable[[], object]) -> None:
        """Do nothing: nothing can be in progress."""

    def release(self, hold: object) -> None:
        """Do nothing."""

    def allows(self, access: Access) -> bool:  # as of `Permissions`
        """Return False."""
        return False

    def grants_of(self, kind: str) -> tuple[Grant, ...]:  # as of `Permissions`
        """Return none."""
        del kind
        return ()

    def finest(self, kind: str, verb: str) -> float:  # as of `Permissions`
        """Return infinity: it may know no time."""
        return math.inf


@final
class WasiContext(ContextWithTasks):
    """What the functions of WASI get first."""

    def __init__(self, services: HostServices | None, limits: Limits) -> None:
        super().__init__()
        self.services, self.limits = services, limits
        self.permissions: Permissions = (
            _Nothing() if services is None else services.permissions
        )
        self._denied: dict[tuple[str, str, str], int] = {}
        """What was denied, and reported, by the version of the permissions."""
        self._finest: dict[str, tuple[int, float]] = {}
        self._options: dict[tuple[str, str, str], tuple[int, str | None]] = {}
        self._seeded: dict[str, random.Random] = {}
        self.monotonic = MonotonicClock(lambda: self.finest("monotonic"))
        self.stdout = self._lines("stdout", LogLevel.INFO)
        self.stderr = self._lines("stderr", LogLevel.WARN)
        self.insecure = random.Random(0)  # noqa: S311  # its functions are named so
        """Numbers for a guest that may have no others; the same in each instance."""
        self._handles = 0
        self.changed = trio.Event()
        """Is set, and replaced, when something has changed that a guest may wait for."""
        self._parts: dict[str, object] = {}

    def note_changed(self) -> None:
        """Wake the guest if it waits: what it waits for may have become ready."""
        changed, self.changed = self.changed, trio.Event()
        changed.set()

    def note_task_failed(self, error: Exception) -> None:
        """As of `ContextWithTasks`; also wakes the guest."""
        super().note_task_failed(error)
        self.note_changed()

    def keep(self, name: str, make: Callable[[WasiContext], Part]) -> Part:
        """What one package of interfaces has for each instance, made when first needed.

        It is closed with the instance if it is a `ContextPart`.
        """
        if name not in self._parts:
            self._parts[name] = make(self)
        found: Part = self._parts[name]  # type: ignore[assignment]  # made by `make`
        return found

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
            self._note_denied(asked)
            return False
        return True

    def may_access(self, access: Access) -> bool:
        """As `may`, for an access with details; each of those that is allowed is recorded."""
        asked = (access.kind, access.verb, f"{access.resource} {access.details}")
        if self._denied.get(asked) == self.permissions.version:
            return False
        try:
            self.permissions.check_access(access)
        except NotGranted:
            self._note_denied(asked)
            return False
        return True

    def _note_denied(self, asked: tuple[str, str, str]) -> None:
        if len(self._denied) >= _MOST_DENIED:  # the guest chooses some of the names
            self._denied.clear()
        self._denied[asked] = self.permissions.version

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

    def option(self, kind: str, verb: str, name: str) -> str | None:
        """What a grant says beside what it allows, such as `fixed` of a clock.

        None: no grant of this verb says anything of the kind. That one does is recorded
        as an access that is allowed.
        """
        asked, version = (kind, verb, name), self.permissions.version
        known, found = self._options.get(asked, (-1, None))
        if known != version:
            found = self._read_option(kind, verb, name)
            self._options[asked] = version, found
        return found

    def _read_option(self, kind: str, verb: str, name: str) -> str | None:
        for grant in self.permissions.grants_of(kind):
            value = dict(grant.limits).get(name)
            if value is None or verb not in grant.verbs:
                continue
            if self.may_access(Access(kind, verb, "0", ((name, value),))):
                return value
        return None

    def seeded(self, verb: str) -> random.Random | None:
        """The numbers of a grant with a seed; None: there is no such grant."""
        seed = self.option("random", verb, "seed")
        if seed is None or self.services is None:
            return None
        if seed not in self._seeded:
            text = f"{seed} {self.services.self_id}"
            self._seeded[seed] = random.Random(text)  # noqa: S311  # it was asked for
        return self._seeded[seed]

    def count_network(self, size: int) -> None:
        """Count bytes that were sent or received, for the quota of the component."""
        meter = getattr(self.services, "meter", None)
        if meter is not None:
            meter.note_network(size)

    def count_handle(self) -> None:
        """Count a resource that is given to the guest.

        Raises:
            StopGuest: it holds too many.
            Exception: a task that works for it has failed.
        """
        if self.task_failure is not None:
            raise self.task_failure
        if self._handles >= MOST_HANDLES:
            text = f"it holds {MOST_HANDLES} resources of WASI, and wants another"
            raise StopGuest(TrapReason.HOST_ALLOCATION_LIMIT, text)
        self._handles += 1

    def release_handle(self) -> None:
        """Count a resource that the guest has dropped."""
        self._handles -= 1

    def close(self) -> None:
        """End its tasks, and log what was written without the end of a line."""
        self.end_tasks()
        for each in tuple(self._parts.values()):
            if isinstance(each, ContextPart):
                each.close()
        self.stdout.close()
        self.stderr.close()


class ContextPart:
    """What one package of interfaces has for each instance; closed with it."""

    def __init__(self, context: WasiContext) -> None:
        self.context = context

    def close(self) -> None:
        """Close what is open."""


@final
class Scoped:
    """Something in progress under a grant: it ends when that is taken away.

    Args:
        context: of the instance.
        access: what must stay allowed.
        end: ends it; called once, and not after `release`.
    """

    __slots__ = ("_hold", "_permissions", "access")

    def __init__(
        self, context: WasiContext, access: Access, end: Callable[[], object]
    ) -> None:
        self._permissions, self.access = context.permissions, access
        self._hold = self._permissions.hold(access, end)

    def release(self) -> None:
        """Note that it is over."""
        self._permissions.release(self._hold)


class Held:
    """A resource that a guest holds.

    Args:
        context: of its instance.
        parent: what it is made from, which must not be dropped before it.
    """

    __slots__ = ("children", "context", "parent")

    def __init__(self, context: WasiContext, parent: Held | None = None) -> None:
        context.count_handle()
        self.context, self.parent = context, parent
        self.children = 0
        if parent is not None:
            parent.children += 1

    def let_go(self) -> None:
        """Do what is to be done when the guest does not hold it any more."""


def take_back(thing: Held) -> None:
    """Take a resource that the guest has given back to the host, which keeps it.

    Raises:
        StopGuest: what was made from it is still held.
    """
    if thing.children:
        kind = type(thing).__name__
        text = f"it let go of a {kind} before {thing.children} of what was made from it"
        raise StopGuest(TrapReason.OTHER, text)
    thing.context.release_handle()
    if thing.parent is not None:
        thing.parent.children -= 1


def release(thing: Held) -> None:
    """Let go of a resource that the guest has dropped.

    Raises:
        StopGuest: what was made from it is still held.
    """
    take_back(thing)
    thing.let_go()
