"""What waits to be recorded: bounded, fair between actors, and no count is lost.

The theory. Each decision is one entry, as long as there is room and its actor has not
taken more than its share. What has no room is merged: for each actor and verb there is
one count of what was allowed and one of what was denied. So what an actor does can
neither fill the queue nor keep the decisions of others out of it, and what is in the
queue never takes more than its bound and one small entry for each actor and verb. A count
says less than an entry (the resources are not in it), but none is lost.

What was taken to be written stays here until that was confirmed.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, TypeAlias, final

from airssys.contracts import Access, Decision

from ._records import Change, Noted, shortened

if TYPE_CHECKING:
    from airssys.contracts import ComponentId

_SHARES: Final = 8
"""An actor may have one part of the queue, of this number."""
_EACH: Final = 600
"""Bytes of an entry besides its texts, about."""
_Key: TypeAlias = "tuple[ComponentId, str, str, bool]"


@final
class AuditQueue:
    """What waits to be recorded.

    Args:
        most_records: That wait, besides those that are merged.
        most_bytes: That these take, about.
    """

    def __init__(self, most_records: int, most_bytes: int) -> None:
        self._most = most_bytes
        self._least = -(-most_bytes // most_records)
        """What an entry counts for at least; so one number bounds both."""
        self._waiting: deque[Noted] = deque()
        self._taken: deque[Noted] = deque()
        self._by_actor: Counter[ComponentId] = Counter()
        self._merged: dict[_Key, Noted] = {}
        self._used = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken) + len(self._merged)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another entry."""
        return self._used + self._least > self._most

    @property
    def has_room(self) -> bool:
        """Whether at least half of it is free again."""
        return 2 * self._used <= self._most

    def add(self, noted: Noted) -> bool:
        """Add an entry; False: it was merged into a count."""
        noted = shortened(noted)
        what, weight = noted.what, self._weight(noted)
        has_room = self._used + weight <= self._most
        if isinstance(what, Decision):
            share = self._most // _SHARES
            if not has_room or self._by_actor[what.actor] + weight > share:
                self._merge(noted, what)
                return False
        elif isinstance(what, Change) and not has_room:
            self._merge_change(noted, what)
            return False
        self._note(noted, weight)
        self._waiting.append(noted)
        return True

    def take(self, most: int) -> list[Noted]:
        """Take some to be written, the oldest first; then `confirm` how many were."""
        while self._waiting and len(self._taken) < most:
            self._taken.append(self._waiting.popleft())
        if not self._waiting:
            for key in list(self._merged)[: most - len(self._taken)]:
                noted = self._merged.pop(key)
                self._note(noted, self._weight(noted))
                self._taken.append(noted)
        return list(self._taken)

    def confirm(self, count: int) -> None:
        """Forget the first of those that were taken; the others wait again."""
        for _ in range(count):
            noted = self._taken.popleft()
            self._note(noted, -self._weight(noted))
        self._waiting.extendleft(reversed(self._taken))
        self._taken.clear()

    def _note(self, noted: Noted, weight: int) -> None:
        self._used += weight
        if isinstance(noted.what, Decision):
            self._by_actor[noted.what.actor] += weight
            if not self._by_actor[noted.what.actor]:
                del self._by_actor[noted.what.actor]

    def _weight(self, noted: Noted) -> int:
        what = noted.what
        if isinstance(what, Decision):
            texts = len(what.access.resource) + len(what.rule)
        else:
            texts = len(what.change if isinstance(what, Change) else what.text)
        return max(self._least, _EACH + 4 * texts)

    def _merge(self, noted: Noted, what: Decision) -> None:
        access = what.access
        key = (what.actor, access.kind, access.verb, what.allowed)
        found = self._merged.get(key)
        before = 0 if found is None else getattr(found.what, "times", 0)
        # Neither resource nor sender: they are those of many.
        merged = Decision(
            what.actor,
            what.incarnation,
            Access(access.kind, access.verb),
            what.allowed,
            "several",
            before + what.times,
        )
        self._merged[key] = Noted(noted.time, merged, is_merged=True)

    def _merge_change(self, noted: Noted, what: Change) -> None:
        key = (what.actor, "", "", True)
        found = self._merged.get(key)
        last = None if found is None else found.what
        times, cancelled = what.times, what.cancelled
        if isinstance(last, Change):
            times, cancelled = times + last.times, cancelled + last.cancelled
        merged = Change(what.actor, what.change, cancelled, times)
        self._merged[key] = Noted(noted.time, merged, is_merged=True)
