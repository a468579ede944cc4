"""Accounts: the meters of a component, and of each supervisor above it.

What a component uses is used by the whole subtree that it stands in. So an account has a
parent, and something is taken from all accounts up the tree, or from none: `reserve`
checks every meter first and takes then, in one step that nothing can come between. What
was reserved is either committed, or rolled back, once.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, final

import attrs

from ._meters import Meter, check_amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WARNINGS: Final = (0.8, 0.95)
"""Shares of a limit that are reported when they are reached."""


@final
class AtTheLimit(enum.Enum):
    """What happens to a component that wants more than there is."""

    REFUSE = "refuse"
    """It gets the typed error of its call."""
    DELAY = "delay"
    """It waits until there is room; if there never will be, it is refused."""
    END = "end"
    """Its instance is stopped."""


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


@final
@attrs.frozen
class Warned:
    """A quota reached one of the shares of its limit that are reported."""

    account: str
    quota: str
    share: float


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
    """The meters of one component or supervisor."""

    def __init__(
        self, name: str, meters: Mapping[str, Meter], parent: Account | None = None
    ) -> None:
        self.name, self.parent = name, parent
        self.meters: Mapping[str, Meter] = dict(meters)
        self._warned: dict[str, float] = {}

    def reserve(self, wanted: Mapping[str, int], now: float) -> Reservation | Shortage:
        """Take amounts by the names of their quotas, here and up the tree, or nothing.

        A quota that an account has no meter for is not limited there.

        Raises:
            ValueError: an amount is negative, or not a whole number.
        """
        taken: list[tuple[Account, str, Meter, int]] = []
        worst: Shortage | None = None
        for quota, amount in wanted.items():
            check_amount(amount)
            for account in self._upwards():
                meter = account.meters.get(quota)
                if meter is None:
                    continue
                taken.append((account, quota, meter, amount))
                wait = meter.wait_for(amount, now)
                if wait and (worst is None or wait > worst.wait):
                    used, limit = meter.used(now), meter.limit
                    worst = Shortage(account.name, quota, amount, used, limit, wait)
        if worst is not None:
            return worst
        for _, _, meter, amount in taken:
            meter.take(amount, now)
        warned = [
            warning
            for account, quota, meter, _ in taken
            if (warning := account.note_share(quota, meter, now)) is not None
        ]
        kept = tuple((meter, amount) for _, _, meter, amount in taken)
        return Reservation(kept, tuple(warned))

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

    def usage(self, now: float) -> dict[str, tuple[float, float]]:
        """Say for each quota how much is in use, and the limit."""
        return {
            quota: (meter.used(now), meter.limit)
            for quota, meter in self.meters.items()
        }

    def _upwards(self) -> Iterator[Account]:
        account: Account | None = self
        while account is not None:
            yield account
            account = account.parent

    def note_share(self, quota: str, meter: Meter, now: float) -> Warned | None:
        """Note how much of a quota is used; a warning if it came to another share."""
        share = meter.used(now) / meter.limit if meter.limit else 0.0
        reached = max((one for one in WARNINGS if share >= one), default=0.0)
        before = self._warned.get(quota, 0.0)
        self._warned[quota] = reached
        return Warned(self.name, quota, reached) if reached > before else None
