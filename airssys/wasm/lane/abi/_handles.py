"""Handles: the numbers by which core modules know resources, one table an instance.

The theory. Each component instance has a table of its own. An entry says which resource
it is (`resource`), what stands for it where it is defined (`representation`, an i32),
and whether the instance *owns* it or has it *borrowed* for one call. Three rules keep a
resource alive as long as it may be used:

* what is lent cannot be given away or dropped: `lends` counts the calls it is lent to,
  and each such call returns it when it ends (`CallScope.end`);
* what was borrowed must be let go before the call ends that borrowed it;
* the owner alone has a destructor to run.

To the component instance that defines a resource its handles mean the representation
itself; so it is given that, and no entry, when something is lent to it.

The two flags of an instance say whether it may be entered (it, and whatever is around
it, is not in the middle of a call) and whether it may leave (it is not just making room
or cleaning up for the host).

The source is `CanonicalABI.md` of WebAssembly/component-model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from ._context import Rule, RuleBroken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST: Final = 2**28
"""Entries of one table, the unused first one included."""


class Entry:
    """One handle: of a resource, or (in a subclass) of what a guest can wait for."""

    __slots__ = ("borrowed_for", "lends", "representation", "resource")

    def __init__(
        self, resource: str, representation: int, borrowed_for: CallScope | None
    ) -> None:
        self.resource = resource
        self.representation = representation
        self.borrowed_for = borrowed_for
        """The call that it is borrowed for; None: it is owned."""
        self.lends = 0


@final
class ComponentState:
    """What the canonical ABI keeps of one component instance."""

    __slots__ = ("_entries", "_free", "may_enter", "may_leave", "most", "parent")

    def __init__(self, parent: ComponentState | None, most: int = _MOST) -> None:
        self.parent = parent
        self.may_enter = self.may_leave = True
        self.most = min(most, _MOST)
        self._entries: list[Entry | None] = [None]
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._entries) - 1 - len(self._free)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry in self._entries if entry is not None)

    # ---------------------------------------------------- the table

    def add(self, entry: Entry) -> int:
        """Give an entry a number; those that are free again come first.

        Raises:
            RuleBroken: the table is full.
        """
        if self._free:
            number = self._free.pop()
            self._entries[number] = entry
            return number
        number = len(self._entries)
        if number >= self.most:
            raise RuleBroken(Rule.TABLE_HAS_ROOM, number)
        self._entries.append(entry)
        return number

    def find(self, number: int, resource: str) -> Entry:
        """Look up a handle, which must be of this resource.

        Raises:
            RuleBroken: there is no such handle, or it is one of something else.
        """
        entry = self.look_up(number)
        if entry.resource != resource:
            raise RuleBroken(Rule.HANDLE_OF_RIGHT_TYPE, number)
        return entry

    def look_up(self, number: int) -> Entry:
        """Look up a handle of anything.

        Raises:
            RuleBroken: there is no such handle.
        """
        entry = self._entries[number] if number < len(self._entries) else None
        if entry is None:
            raise RuleBroken(Rule.HANDLE_KNOWN, number)
        return entry

    def take(self, number: int, resource: str) -> Entry:
        """Remove a handle that nothing is lent from.

        Raises:
            RuleBroken: there is no such handle, or it is lent.
        """
        entry = self.find(number, resource)
        if entry.lends:
            raise RuleBroken(Rule.HANDLE_NOT_LENT, number)
        self.remove(number)
        return entry

    def remove(self, number: int) -> None:
        """Remove a handle that was found."""
        self._entries[number] = None
        self._free.append(number)

    def contents(self) -> tuple[int, list[tuple[int, Entry]], list[int]]:
        """Return how many numbers were ever used, those that are, and those free again."""
        entries = [(n, e) for n, e in enumerate(self._entries) if e is not None]
        return len(self._entries) - 1, entries, list(self._free)

    def restore(
        self, count: int, entries: Iterable[tuple[int, Entry]], free: Iterable[int]
    ) -> None:
        """Have what another table had, whose `contents` these are."""
        self._entries = [None] * (count + 1)
        for number, entry in entries:
            self._entries[number] = entry
        self._free = list(free)

    # ---------------------------------------------------- entering and leaving

    def check_may_leave(self) -> None:
        """See that its code may call out of it now.

        Raises:
            RuleBroken: it may not.
        """
        if not self.may_leave:
            raise RuleBroken(Rule.MAY_LEAVE, "in realloc or post-return")

    def enter(self, caller: ComponentState | None) -> list[ComponentState]:
        """Enter it from another instance, or from the host; returns what to `leave`.

        Raises:
            RuleBroken: it, or one around it, is in the middle of a call.
        """
        outside = set(caller.around()) if caller is not None else set()
        entered = [one for one in self.around() if one not in outside]
        if not all(one.may_enter for one in entered):
            raise RuleBroken(Rule.MAY_ENTER, "it is in the middle of a call")
        for one in entered:
            one.may_enter = False
        return entered

    def around(self) -> Iterator[ComponentState]:
        """Give this instance, the one that it stands in, and so on."""
        one: ComponentState | None = self
        while one is not None:
            yield one
            one = one.parent


def leave(entered: list[ComponentState]) -> None:
    """Let instances be entered again, as their call is over."""
    for one in entered:
        one.may_enter = True


@final
class CallScope:
    """What one call has lent and borrowed."""

    __slots__ = ("_lent", "borrows")

    def __init__(self) -> None:
        self.borrows = 0
        self._lent: list[Entry] = []

    def lend(self, entry: Entry) -> None:
        """Lend what an entry stands for to this call."""
        entry.lends += 1
        self._lent.append(entry)

    def end(self) -> None:
        """Return what was lent.

        Raises:
            RuleBroken: something that was borrowed is still there.
        """
        lent, self._lent = self._lent, []
        for entry in lent:
            entry.lends -= 1
        if self.borrows:
            raise RuleBroken(Rule.BORROWS_RETURNED, f"{self.borrows} of them")


def lift_own(state: ComponentState, number: int, resource: str) -> int:
    """Take a resource that an instance gives away; returns its representation.

    Raises:
        RuleBroken: it has no such handle, does not own it, or has lent it.
    """
    if state.find(number, resource).borrowed_for is not None:
        raise RuleBroken(Rule.HANDLE_OWNED, number)
    return state.take(number, resource).representation


def lift_borrow(
    state: ComponentState, number: int, resource: str, scope: CallScope
) -> int:
    """Look up a resource that an instance lends to a call; returns its representation.

    Raises:
        RuleBroken: it has no such handle.
    """
    entry = state.find(number, resource)
    scope.lend(entry)
    return entry.representation


def lower_own(state: ComponentState, representation: int, resource: str) -> int:
    """Give a resource to an instance; returns its handle.

    Raises:
        RuleBroken: its table is full.
    """
    return state.add(Entry(resource, representation, None))


def lower_borrow(
    state: ComponentState, representation: int, resource: str, scope: CallScope
) -> int:
    """Lend a resource that another instance defines, for one call of this one.

    Raises:
        RuleBroken: its table is full.
    """
    number = state.add(Entry(resource, representation, scope))
    scope.borrows += 1
    return number


def drop(state: ComponentState, number: int, resource: str) -> int | None:
    """Let a handle go; returns the representation if that was the owner's.

    If a representation is returned, the caller must run the resource's destructor.

    Raises:
        RuleBroken: there is no such handle, or it is lent.
    """
    entry = state.take(number, resource)
    if entry.borrowed_for is None:
        return entry.representation
    entry.borrowed_for.borrows -= 1
    return None
