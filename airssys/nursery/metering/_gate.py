"""The account of one actor, at work for one incarnation.

A sender that is delayed takes its place at once and sleeps until its turn; if it is
cancelled, it gives it back. So however many wait, each wakes once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NoReturn, final

import trio

from airssys.contracts import (
    AtTheLimit,
    QuotaExceeded,
    QuotaReached,
    StoppedByQuota,
)
from airssys.security.quotas import Reservation, Shortage

from ._names import MEMORY, MESSAGES, PART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airssys.contracts import ComponentId, EventSink
    from airssys.security.quotas import Account, Warned

_MOST_AT_ONCE: Final = 128


@final
class QuotaGate:
    """The account of an actor, at work for one incarnation."""

    def __init__(
        self,
        account: Account,
        actor: ComponentId,
        events: EventSink,
        note_refused: Callable[[Shortage], None],
    ) -> None:
        self.account, self._actor, self._events = account, actor, events
        self._note_refused = note_refused
        self.credit = 0
        """Messages that were taken and not sent yet."""
        self._portion = 1
        if account.parent is None:
            self._portion = _portion(account, MESSAGES)
        self._in_use: dict[str, int] = {}
        """Amounts that end with this incarnation."""
        self.note_end: Callable[[StoppedByQuota], None] = lambda _: None
        """Called when the actor has to end, whatever it does with the error."""

    def report(self, warned: Iterable[Warned]) -> None:
        """Report the shares that were reached."""
        for each in warned:
            self._events(
                QuotaReached(
                    each.account, each.quota, each.share, each.limit, self._actor
                )
            )

    def refuse(self, short: Shortage) -> NoReturn:
        """Refuse what there is no room for.

        Raises:
            QuotaExceeded: always, or
            StoppedByQuota: if that is what the quota declares.
        """
        self.report(short.warned)
        self._note_refused(short)
        if short.action is AtTheLimit.END:
            error = StoppedByQuota(short.account, short.quota, short.limit)
            self.note_end(error)
            raise error
        raise QuotaExceeded(
            short.account, short.quota, short.wanted, short.limit, short.wait
        )

    def take(self, quota: str, amount: int = 1) -> Reservation:
        """Take something now.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        found = self.account.reserve({quota: amount}, trio.current_time())
        if isinstance(found, Shortage):
            self.refuse(found)
        if found.warned:
            self.report(found.warned)
        return found

    def take_message(self) -> None:
        """Take one message now, and perhaps the next ones with it.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        short = self._refill()
        if short is not None:
            self.refuse(short)
        self.credit -= 1

    def has_room(self) -> bool:
        """Whether one message can be sent without waiting."""
        short = self._refill()
        if short is not None:
            self.report(short.warned)
        return short is None

    def _refill(self) -> Shortage | None:
        """See that there is a message to send, unless there is no room."""
        if self.credit:
            return None
        now, account, portion = trio.current_time(), self.account, self._portion
        if portion > 1 and not account.has_room({MESSAGES: portion}, now):
            portion = 1
        found = account.reserve({MESSAGES: portion}, now)
        if isinstance(found, Shortage):
            return found
        self.credit = portion
        if found.warned:
            self.report(found.warned)
        return None

    @property
    def only_delays(self) -> bool:
        """Whether no message is refused here or above, but only delayed."""
        account: Account | None = self.account
        while account is not None:
            is_limited = MESSAGES in account.quotas
            if is_limited and account.action(MESSAGES) is not AtTheLimit.DELAY:
                return False
            account = account.parent
        return True

    def charge(self, used: dict[str, int]) -> None:
        """Count what was used already."""
        warned = self.account.charge(used, trio.current_time())
        if warned:
            self.report(warned)

    async def wait_to_send(self, messages: int = 1, most: float = math.inf) -> float:
        """Take messages, waiting as long as it is declared; returns for how long.

        Args:
            messages: How many; a burst is taken for more than that.
            most: Seconds that it may take.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        if messages == 1 and self.credit:
            self.credit -= 1
            return 0.0
        now = trio.current_time()
        found = self.account.reserve_ahead({MESSAGES: messages}, now)
        if isinstance(found, Shortage):
            self.refuse(found)
        reservation, wait = found
        with reservation:
            if reservation.warned:
                self.report(reservation.warned)
            if wait > most:
                raise QuotaExceeded(self.account.name, MESSAGES, messages, most, wait)
            if wait:
                await trio.sleep(wait)
        return wait

    def keep(self, quota: str, amount: int) -> None:
        """Take an amount for as long as this incarnation lasts.

        Raises:
            QuotaExceeded, StoppedByQuota: there is no room.
        """
        self.take(quota, amount).commit()
        self._in_use[quota] = self._in_use.get(quota, 0) + amount

    def keep_at_most(self, quota: str, amount: int) -> None:
        """Give back what of an amount is not in use any more."""
        kept = self._in_use.get(quota, 0)
        if kept > amount:
            self._in_use[quota] = amount
            self.account.give_back(quota, kept - amount)

    def keep_memory(self, amount: int) -> None:
        """Take the memory of a guest from those above; its own is its engine's business.

        Raises:
            QuotaExceeded: there is no room.
        """
        above, now = self.account.parent, trio.current_time()
        if above is not None:
            found = above.reserve({MEMORY: amount}, now)
            if isinstance(found, Shortage):
                self.refuse(found)
            self.report(found.warned)
            found.commit()
        own = self.account.meter(MEMORY)
        if own is not None:
            own.take(amount, now)
        self._in_use[MEMORY] = amount

    def close(self) -> None:
        """Give back what this incarnation had in use."""
        in_use, self._in_use = self._in_use, {}
        for quota, amount in in_use.items():
            self.account.give_back(quota, amount)


def _portion(account: Account, quota: str) -> int:
    """How much of a quota may be counted at once."""
    meter = account.meter(quota)
    if meter is None:
        return _MOST_AT_ONCE
    return max(1, min(_MOST_AT_ONCE, int(meter.limit) // PART))
