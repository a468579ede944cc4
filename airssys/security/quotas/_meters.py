"""Meters: how much of something was used, and whether there is room for more.

Two kinds of things are counted. An *amount* is there until it is given back: bytes in a
store, open requests. A *rate* is used up and comes back by itself: messages, bytes a
second. A rate is a token bucket: it fills at its rate up to its burst, so that a window
has no edge at which twice as much would pass.

Amounts and rates are whole numbers without an upper end, and no amount may be negative:
nothing overflows or wraps. Time is whatever clock the caller has; it never goes back for
a meter, whatever the caller says.
"""

from __future__ import annotations

import math
from typing import Protocol, final


class Meter(Protocol):
    """Something that is counted."""

    limit: float

    def wait_for(self, amount: int, now: float) -> float:
        """Say in how many seconds there is room for so much: 0 now, inf never."""
        ...

    def take(self, amount: int, now: float) -> None:
        """Count so much as used, for which there is room."""
        ...

    def give_back(self, amount: int) -> None:
        """Count so much as not used after all."""
        ...

    def used(self, now: float) -> float:
        """Say how much is in use."""
        ...

    def change(self, limit: float, burst: int | None) -> None:
        """Go by another limit from now on; what is in use stays so."""
        ...


def check_amount(amount: int) -> int:
    """See that an amount is a whole number and not negative.

    Raises:
        ValueError: it is not.
    """
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 0:
        msg = f"{amount!r} is not a valid amount: a whole number from 0 on"
        raise ValueError(msg)
    return amount


@final
class Amount:
    """What stays in use until it is given back."""

    __slots__ = ("_used", "limit")

    def __init__(self, limit: int) -> None:
        self.limit: float = check_amount(limit)
        self._used = 0

    def wait_for(self, amount: int, now: float) -> float:
        """Say whether there is room: 0, or inf because there is no known time."""
        del now
        return 0.0 if self._used + amount <= self.limit else math.inf

    def take(self, amount: int, now: float) -> None:
        """Count so much as used."""
        del now
        self._used += amount

    def give_back(self, amount: int) -> None:
        """Count so much as free again; what was never taken cannot be given back."""
        self._used = max(0, self._used - amount)

    def used(self, now: float) -> float:
        """Say how much is in use."""
        del now
        return self._used

    def change(self, limit: float, burst: int | None) -> None:
        """Go by another limit from now on."""
        del burst
        self.limit = limit


@final
class Rate:
    """What comes back by itself: so much a second, up to a burst."""

    __slots__ = ("_at", "_left", "limit", "per_second")

    def __init__(self, per_second: int, burst: int | None = None) -> None:
        self.per_second: float = check_amount(per_second)
        self.limit: float = check_amount(per_second if burst is None else burst)
        self._left = float(self.limit)
        self._at = -math.inf

    def _fill(self, now: float) -> float:
        if now > self._at:
            if self._at > -math.inf:
                gained = (now - self._at) * self.per_second
                self._left = min(float(self.limit), self._left + gained)
            self._at = now
        return self._left

    def wait_for(self, amount: int, now: float) -> float:
        """Say in how many seconds the bucket has so much; inf if it never can."""
        if amount > self.limit:
            return math.inf
        missing = amount - self._fill(now)
        if missing <= 0:
            return 0.0
        return missing / self.per_second if self.per_second else math.inf

    def take(self, amount: int, now: float) -> None:
        """Take so much out of the bucket."""
        self._left = self._fill(now) - amount

    def give_back(self, amount: int) -> None:
        """Put so much back; the bucket does not run over."""
        self._left = min(float(self.limit), self._left + amount)

    def used(self, now: float) -> float:
        """Say how much is missing from the full bucket."""
        return self.limit - self._fill(now)

    def change(self, limit: float, burst: int | None) -> None:
        """Go by another rate and burst from now on; what was used stays used."""
        used = self.limit - self._left
        self.per_second = limit
        self.limit = limit if burst is None else burst
        self._left = self.limit - used
