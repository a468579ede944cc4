"""The accounts of one system, by the names of their actors and supervisors.

An account belongs to a name and outlives incarnations, so that a restart, other code or
the restart of a supervisor does not begin anew. When a name is given up, its account is
kept until nothing is in use any more: then a fresh one is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from ._accounts import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airssys.contracts import Quota

_FEW: Final = 64
"""Accounts without actors that are kept without looking whether they are idle."""


@final
class Accounts:
    """What the actors of one system use.

    Args:
        now: The present time.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._actors: dict[str, Account] = {}
        self._supervisors: dict[str, Account] = {}
        self._left: dict[str, None] = {}
        """The names that were given up."""
        self._look_at = _FEW

    def open(
        self,
        name: str,
        quotas: Mapping[str, Quota] | None,
        above: Sequence[tuple[str, Mapping[str, Quota]]] = (),
    ) -> Account | None:
        """Return the account of an actor; None if no quota is declared for it.

        Args:
            name: Its name, which no other actor has.
            quotas: Its own quotas; None: it has none.
            above: The paths and quotas of those supervisors above that have some, the
                nearest last.
        """
        parent: Account | None = None
        for path, sums in above:
            parent = self._supervisor(path, sums, parent)
        known = self._actors.get(name)
        if known is None and parent is None and quotas is None:
            return None
        self._left.pop(name, None)
        if known is None:
            self._actors[name] = known = Account(name, parent=parent)
        known.declare(quotas or {})
        known.move(parent, self.now())
        return known

    def find(self, name: str) -> Account | None:
        """Return the account of an actor; None if it has none."""
        return self._actors.get(name)

    def find_supervisor(self, path: str) -> Account | None:
        """Return the account of a supervisor with quotas, by its path."""
        return self._supervisors.get(path)

    def release(self, name: str) -> None:
        """Note that a name was given up."""
        if name not in self._actors:
            return
        self._left[name] = None
        if len(self._left) >= self._look_at:
            now = self.now()
            for each in tuple(self._left):
                if self._actors[each].is_idle(now):
                    del self._actors[each], self._left[each]
            self._look_at = 2 * len(self._left) + _FEW

    def _supervisor(
        self, path: str, quotas: Mapping[str, Quota], parent: Account | None
    ) -> Account:
        known = self._supervisors.get(path)
        if known is None:
            known = self._supervisors[path] = Account(path, parent=parent)
        known.declare(quotas)
        known.move(parent, self.now())
        return known
