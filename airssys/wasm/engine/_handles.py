"""The host's resources that a guest may hold: Python objects, by number.

The theory. A guest never sees an object, only a handle; wasmtime keeps the handles of
each store, each with the number that we gave it. So all we need is one table for each
store, from numbers to objects:

* *own* to the guest: the object is in the table until the guest returns it as an own
  (then it belongs to the host again), drops it (then its destructor is called), or its
  store closes (the same). The host may give one object several times, to one guest or
  to several; then the destructor is called once, when the last of them drops it.
* *borrow* to the guest: the object is in the table for the length of a call. wasmtime
  cannot lend outside of a call it knows, so the host makes an own of its own, which the
  call may borrow from, and takes it back afterwards.
* *borrow* to the host: a lookup in the table.

A destructor is the host's code and may do anything, so it does not run on the guest's
stack: the drop is recorded, and `drop_noted` calls destructors before the next host
function and after the call.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias, final

import attrs

from airssys.contracts import find_fatal, repr_of

Destructor: TypeAlias = Callable[[Any], object]
_LOG: Final = logging.getLogger("airssys")
_LAST: Final = 2**32


@final
class Owners:
    """How often each object of one host is owned by guests; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], int] = {}

    def add(self, kind: str, thing: object) -> None:
        """Record one more owner of an object."""
        place = kind, id(thing)
        with self._lock:
            self._counts[place] = self._counts.get(place, 0) + 1

    def remove(self, kind: str, thing: object) -> bool:
        """Record one owner less; returns whether it was the last."""
        place = kind, id(thing)
        with self._lock:
            left = self._counts.pop(place, 1) - 1
            if left:
                self._counts[place] = left
        return not left


@final
@attrs.frozen
class HostResources:
    """The kinds of resources of one world, in the order of their numbers."""

    destructors: Mapping[str, Destructor | None]
    """By the name of the resource; None where nothing needs to be done."""
    kinds: Mapping[str, str] = attrs.field(factory=dict)
    """Aliases of resources, by name: the host's own names."""
    owners: Mapping[str, Owners] = attrs.field(eq=False, repr=False)
    """The counts of owners, by the host's own name of a resource."""

    @owners.default
    def _count_anew(self) -> Mapping[str, Owners]:
        return {self.kind_of(name): Owners() for name in self.destructors}

    def kind_of(self, resource: str) -> str:
        """Return the host's own name of a resource."""
        return self.kinds.get(resource, resource)

    def note_owner(self, resource: str, thing: object) -> None:
        """Record one more owner of an object."""
        kind = self.kind_of(resource)
        self.owners[kind].add(kind, thing)

    def note_owner_gone(self, resource: str, thing: object) -> bool:
        """Record one owner less of an object; returns whether there are none left."""
        kind = self.kind_of(resource)
        return self.owners[kind].remove(kind, thing)

    def number_of(self, resource: str) -> int:
        """Return the number that identifies this kind of resource for wasmtime."""
        kinds = dict.fromkeys(map(self.kind_of, self.destructors))
        return list(kinds).index(self.kind_of(resource))


class HeldThings:
    """The host's objects that the guest of one store holds, by number."""

    __slots__ = ("_last", "_noted", "_resources", "_taken", "_things")

    def __init__(self, resources: HostResources, noted: list[int]) -> None:
        self._resources = resources
        self._noted = noted
        """Numbers of what the guest has dropped."""
        self._things: dict[int, tuple[str, object]] = {}
        self._taken: list[tuple[str, object]] = []
        """Resources returned in a value that is being read."""
        self._last = 0

    def __len__(self) -> int:
        return len(self._things)

    def accept(self) -> None:
        """Accept the resources in a value, after the whole value was read."""
        taken, self._taken = self._taken, []
        for name, thing in taken:
            self._is_last(name, thing)

    def end_call(self) -> None:
        """Take back what was lent for the call."""
        raise NotImplementedError

    def drop_noted(self) -> None:
        """Call the destructors of what the guest has dropped.

        An exception of a destructor is passed on; the others are called next time.
        """
        while self._noted:
            entry = self._things.pop(self._noted.pop(0), None)
            if entry is not None:
                self._destroy(*entry)

    def close(self) -> None:
        """Call the destructors of everything that is left, after the store was closed.

        Raises:
            BaseException: What one of them raised to end the program, after all were
                called.
        """
        self._noted.clear()
        # What was made later goes first: it may belong to what was made before.
        left, self._taken = [*reversed(self._things.values()), *self._taken], []
        self._things = {}
        fatal: BaseException | None = None
        for name, thing in left:
            try:
                self._destroy(name, thing)
            except BaseException as error:  # noqa: BLE001, ASYNC103  # the others must be destroyed too
                fatal = find_fatal(error) if fatal is None else fatal
                _report(name, error)
        if fatal is not None:
            raise fatal

    def _destroy(self, name: str, thing: object) -> None:
        destructor = self._resources.destructors[name]
        if not self._is_last(name, thing) or destructor is None:
            return
        whose = f"the destructor of a {name}"
        refuse_awaitable(destructor(thing), whose, "a destructor cannot wait")

    def _is_last(self, name: str, thing: object) -> bool:
        """Record one owner less of an object; returns whether there are none left."""
        return self._resources.note_owner_gone(name, thing)

    def _new_number(self) -> int:
        while True:
            self._last = (self._last + 1) % _LAST
            if self._last not in self._things:
                return self._last


def refuse_awaitable(answer: object, whose: str, advice: str) -> None:
    """Check that a result is not an awaitable, which would not be awaited.

    Raises:
        TypeError: It is an awaitable.
    """
    if not inspect.isawaitable(answer):
        return
    if inspect.iscoroutine(answer):
        answer.close()
    kind = type(answer).__name__
    raise TypeError(f"{whose} returned a {kind}, which is never awaited: {advice}")


def _report(name: str, error: BaseException) -> None:
    """Log the failure of a destructor; the program's own handlers may fail too."""
    with suppress(Exception):
        _LOG.warning("the destructor of a %s failed: %s", name, repr_of(error))
