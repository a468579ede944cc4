"""Accounts: the meters of a component, and of each supervisor above it.

What a component uses is used by the whole subtree that it stands in. So an account has a
parent, and something is taken from all accounts up the tree, or from none: `reserve`
checks every meter first and takes then, in one step that nothing can come between. What
was reserved is either committed, or rolled back, once.

There are three ways to take something:

* `reserve` takes what there is room for, or nothing.
* `reserve_ahead` takes a rate that will have room later, and says in how many seconds.
  What comes after it waits longer. So those that wait need no line, and each wakes
  once.
* `charge` takes what was used already, such as time. The account may then be in debt,
  and the actor that used it waits until it is not (`owed`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import QUOTA_RULES, AtTheLimit

from ._meters import Amount, Meter, Rate, check_amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airssys.contracts import Quota

WARNINGS: Final = (0.8, 0.95)
"""Shares of a limit that are reported when they are reached."""
_REARMED: Final = 0.5
"""A share is reported again after no more than this was in use."""
_SEVERITY: Final = {AtTheLimit.DELAY: 0, AtTheLimit.REFUSE: 1, AtTheLimit.END: 2}


@final
@attrs.frozen
class Shortage:
    """There is no room for what was wanted."""

    account: str
    quota: str
    wanted: int
    used: float
    limit: float
    wait: float
    """Seconds until there is room; inf if there never is by itself."""
    action: AtTheLimit = AtTheLimit.REFUSE
    """What this account declares for it."""
    warned: tuple[Warned, ...] = ()
    """That the quota is used up, if it was not reported yet."""


@final
@attrs.frozen
class Warned:
    """A quota reached one of the shares of its limit that are reported."""

    account: str
    quota: str
    share: float
    limit: float = 0


@final
class Reservation:
    """What was taken, until it is committed or rolled back."""

    __slots__ = ("_is_open", "_taken", "warned")

    def __init__(
        self, taken: tuple[tuple[Meter, int], ...], warned: tuple[Warned, ...]
    ) -> None:
        self._taken = taken
        self._is_open = True
        self.warned = warned
        """The warnings that this reservation has led to, for the first time."""

    def commit(self) -> None:
        """Keep what was taken; nothing happens twice."""
        self._is_open = False

    def roll_back(self) -> None:
        """Give back what was taken, unless it was committed; nothing happens twice."""
        if self._is_open:
            self._is_open = False
            for meter, amount in self._taken:
                meter.give_back(amount)

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.roll_back()


@final
class Account:
    """The meters of one component or supervisor.

    Args:
        name: Of the component, or the path of the supervisor.
        meters: Those that there are from the beginning, by the names of their quotas.
        parent: The account of the next supervisor above that has one.
        quotas: What is limited; a meter is made when it is first used.
    """

    def __init__(
        self,
        name: str,
        meters: Mapping[str, Meter] | None = None,
        parent: Account | None = None,
        quotas: Mapping[str, Quota] | None = None,
    ) -> None:
        self.name, self.parent = name, parent
        self.meters: dict[str, Meter] = dict(meters or {})
        self.quotas: Mapping[str, Quota] = quotas or {}
        self._warned: dict[str, float] = {}

    def declare(self, quotas: Mapping[str, Quota]) -> None:
        """Go by other quotas from now on; what is in use stays so."""
        if quotas is self.quotas or quotas == self.quotas:
            return
        self.quotas = quotas
        for name, meter in tuple(self.meters.items()):
            if name in quotas:
                meter.change(int(quotas[name].limit), quotas[name].burst)
            elif isinstance(meter, Amount):
                meter.change(math.inf, None)  # what is in use may be limited again
            else:
                del self.meters[name]

    def meter(self, quota: str) -> Meter | None:
        """Return the meter of a quota; None if it is not limited here."""
        found = self.meters.get(quota)
        if found is None and quota in self.quotas:
            declared = self.quotas[quota]
            limit = int(declared.limit)
            is_rate = QUOTA_RULES[quota].is_rate
            found = Rate(limit, declared.burst) if is_rate else Amount(limit)
            self.meters[quota] = found
        return found

    def action(self, quota: str) -> AtTheLimit:
        """Return what is declared to happen at the limit of a quota."""
        declared = self.quotas.get(quota)
        if declared is not None and declared.at_limit is not None:
            return declared.at_limit
        rule = QUOTA_RULES.get(quota)
        return AtTheLimit.REFUSE if rule is None else rule.actions[0]

    def has_room(self, wanted: Mapping[str, int], now: float) -> bool:
        """Whether `reserve` would take these amounts; nothing is noted.

        Raises:
            ValueError: an amount is negative, or not a whole number.
        """
        return not any(m.wait_for(n, now) for _, _, m, n in self._meters_of(wanted))

    def reserve(self, wanted: Mapping[str, int], now: float) -> Reservation | Shortage:
        """Take amounts by the names of their quotas, here and up the tree, or nothing.

        A quota that an account has no meter for is not limited there. What is short is
        noted as reported: the caller reports what is in `warned`. `has_room` only asks.

        Raises:
            ValueError: an amount is negative, or not a whole number.
        """
        worst: tuple[int, float, Account, str, Meter, int] | None = None
        taken = self._meters_of(wanted)
        for account, quota, meter, amount in taken:
            wait = meter.wait_for(amount, now)
            if wait:
                rank = (_SEVERITY[account.action(quota)], wait)
                if worst is None or rank > worst[:2]:
                    worst = (*rank, account, quota, meter, amount)
        if worst is not None:
            _, wait, account, quota, meter, amount = worst
            return account._shortage(quota, meter, amount, wait, now)  # noqa: SLF001  # of the same class
        return self._take(taken, now)

    def reserve_ahead(
        self, wanted: Mapping[str, int], now: float
    ) -> tuple[Reservation, float] | Shortage:
        """Take rates that will have room later, and say in how many seconds.

        If any account that has no room does not declare a delay, or there never will
        be room, nothing is taken.

        Raises:
            ValueError: an amount is negative, or not a whole number.
        """
        found = self.reserve(wanted, now)
        if isinstance(found, Reservation):
            return found, 0.0
        if found.action is not AtTheLimit.DELAY or found.wait == math.inf:
            return found
        taken = self._meters_of(wanted)
        for account, quota, meter, amount in taken:
            # The one with the longest wait is not the only one that may be short.
            if amount > meter.limit:
                short = account._shortage(quota, meter, amount, math.inf, now)  # noqa: SLF001  # of the same class
                return attrs.evolve(short, warned=(*found.warned, *short.warned))
        reservation = self._take(taken, now)
        reservation.warned = (*reservation.warned, *found.warned)
        return reservation, found.wait

    def charge(self, used: Mapping[str, int], now: float) -> tuple[Warned, ...]:
        """Count what was used already, whether there was room or not.

        Raises:
            ValueError: an amount is negative, or not a whole number.
        """
        return self._take(self._meters_of(used), now).warned

    def owed(self, quotas: Iterable[str], now: float) -> Shortage | None:
        """Return the longest debt of some quotas, here or up the tree, if there is one."""
        found = self.reserve(dict.fromkeys(quotas, 0), now)
        return found if isinstance(found, Shortage) else None

    def give_back(self, quota: str, amount: int) -> None:
        """Give back an amount that was committed, here and up the tree.

        Raises:
            ValueError: the amount is negative, or not a whole number.
        """
        check_amount(amount)
        for account in self._upwards():
            meter = account.meters.get(quota)
            if meter is not None:
                meter.give_back(amount)

    def move(self, parent: Account | None, now: float) -> None:
        """Stand below another account; what is in use is in use there."""
        if parent is self.parent:
            return
        amounts = {
            name: round(meter.used(now))
            for name, meter in self.meters.items()
            if isinstance(meter, Amount)
        }
        if self.parent is not None:
            for name, amount in amounts.items():
                self.parent.give_back(name, amount)
        self.parent = parent
        if parent is not None:
            parent.charge(amounts, now)

    def is_idle(self, now: float) -> bool:
        """Whether nothing is in use: then another account could take its place."""
        return not any(meter.used(now) > 0 for meter in self.meters.values())

    def usage(self, now: float) -> dict[str, tuple[float, float]]:
        """Say for each quota how much is in use, and the limit."""
        return {
            quota: (meter.used(now), meter.limit)
            for quota, meter in self.meters.items()
        }

    def full_usage(self, now: float) -> dict[str, tuple[float, float]]:
        """Say it also for those quotas of which nothing was ever used."""
        for quota in self.quotas:
            self.meter(quota)
        return self.usage(now)

    def _meters_of(
        self, wanted: Mapping[str, int]
    ) -> list[tuple[Account, str, Meter, int]]:
        found: list[tuple[Account, str, Meter, int]] = []
        for quota, amount in wanted.items():
            check_amount(amount)
            account: Account | None = self
            while account is not None:
                meter = account.meters.get(quota) or account.meter(quota)
                if meter is not None:
                    found.append((account, quota, meter, amount))
                account = account.parent
        return found

    @staticmethod
    def _take(taken: list[tuple[Account, str, Meter, int]], now: float) -> Reservation:
        for _, _, meter, amount in taken:
            meter.take(amount, now)
        warned = [
            warning
            for account, quota, meter, _ in taken
            if (warning := account.note_share(quota, meter, now)) is not None
        ]
        kept = tuple((meter, amount) for _, _, meter, amount in taken)
        return Reservation(kept, tuple(warned))

    def _upwards(self) -> Iterator[Account]:
        account: Account | None = self
        while account is not None:
            yield account
            account = account.parent

    def _shortage(
        self, quota: str, meter: Meter, amount: int, wait: float, now: float
    ) -> Shortage:
        used, limit, action = meter.used(now), meter.limit, self.action(quota)
        warned: tuple[Warned, ...] = ()
        if self._warned.get(quota, 0.0) < 1:
            self._warned[quota] = 1.0
            warned = (Warned(self.name, quota, 1.0, limit),)
        return Shortage(self.name, quota, amount, used, limit, wait, action, warned)

    def note_share(self, quota: str, meter: Meter, now: float) -> Warned | None:
        """Note how much of a quota is used; a warning if it came to another share."""
        limit = meter.limit
        share = meter.used(now) / limit if 0 < limit < math.inf else 0.0
        if share < WARNINGS[0]:
            if share <= _REARMED and quota in self._warned:
                del self._warned[quota]
            return None
        reached = max(one for one in WARNINGS if share >= one)
        if reached <= self._warned.get(quota, 0.0):
            return None
        self._warned[quota] = reached
        return Warned(self.name, quota, reached, limit)
