"""Which member has least to do, at a cost that does not grow with their number. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar, final

T = TypeVar("T")


@final
class Loads(Generic[T]):
    """How much each of some members has to do.

    Members of equal load stand in the order in which they got it, so that those that
    have nothing to do take turns.
    """

    def __init__(self) -> None:
        self.total = 0
        self._load_of: dict[T, int] = {}
        # A plain dict would be slow to find its first key after many deletions.
        self._with_load: dict[int, OrderedDict[T, None]] = {}
        """By load, none empty."""
        self._least = 0
        """No load is below it."""

    def __len__(self) -> int:
        return len(self._load_of)

    def of(self, member: T) -> int:
        """Return the load of a member; 0 of one that is not known."""
        return self._load_of.get(member, 0)

    def set(self, member: T, load: int) -> None:
        """Take note of a member's load, 0 or more; a member may be new."""
        if self._load_of.get(member) == load:
            return
        self.remove(member)
        self._load_of[member] = load
        self._with_load.setdefault(load, OrderedDict())[member] = None
        self._least = min(self._least, load)
        self.total += load

    def remove(self, member: T) -> None:
        """Forget a member, if it is known."""
        load = self._load_of.pop(member, None)
        if load is None:
            return
        self.total -= load
        equals = self._with_load[load]
        del equals[member]
        if not equals:
            del self._with_load[load]

    def least(self) -> T:
        """Return a member than which none has less to do.

        Raises:
            LookupError: there are no members.
        """
        if not self._load_of:
            raise LookupError("there are no members")
        # As often as loads have risen by one, and no more often.
        while self._least not in self._with_load:
            self._least += 1
        return next(iter(self._with_load[self._least]))
