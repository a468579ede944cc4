"""Counts what a guest uses after it was used, in portions.

The guest's next slice waits until nothing is owed any more. A portion is at most a
sixty-fourth of the smallest quota, so that counting costs little, and so does what is
used beyond a quota.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

import trio

from airssys.contracts import KIB, AtTheLimit, QuotaExceeded, StoppedByQuota

from ._names import CALLS, KEPT, LOGS, NETWORK, PART, TIME

if TYPE_CHECKING:
    from airssys.security.quotas import Account

    from ._gate import QuotaGate

_MOST_CALLS: Final = 64
_MOST_BYTES: Final = 256 * KIB
_MOST_MS: Final = 5
"""What a guest may use before it is counted, where the quotas are large."""
_SECOND: Final = 1000


@final
class GuestMeter:
    """Counts what a guest computes, and what it has the host do, after it was done.

    The driver of the guest's calls reads `is_over` before each slice, and pauses.
    """

    __slots__ = (
        "_bytes",
        "_calls",
        "_carried",
        "_gate",
        "_logged",
        "_most_bytes",
        "_most_calls",
        "_most_carried",
        "_most_seconds",
        "_paused_by",
        "_seconds",
        "is_over",
    )

    def __init__(self, gate: QuotaGate) -> None:
        self._gate, account = gate, gate.account
        self._calls = self._bytes = self._logged = self._carried = 0
        self._seconds = 0.0
        self._most_calls = _least(account, CALLS, _MOST_CALLS)
        self._most_bytes = _least(account, KEPT, _MOST_BYTES)
        self._most_carried = _least(account, NETWORK, _MOST_BYTES)
        self._most_seconds = _least(account, TIME, _MOST_MS) / 1000
        quotas = [CALLS, KEPT, LOGS, NETWORK]
        if _is_short_of_time(account):
            quotas.append(TIME)
        self._paused_by = tuple(quotas)
        """The quotas whose debts it waits for."""
        self.is_over = False
        """Whether it has to pause before the guest goes on."""

    def note_call(self, size: int) -> None:
        """Count a call to the host, and the bytes that it makes the host keep."""
        self._calls += 1
        self._bytes += size
        if self._calls >= self._most_calls or self._bytes >= self._most_bytes:
            self._settle()

    def note_time(self, seconds: float) -> None:
        """Count what a slice took."""
        self._seconds += seconds
        if self._seconds >= self._most_seconds:
            self._settle()

    def note_network(self, size: int) -> None:
        """Count bytes that it sent or received."""
        self._carried += size
        if self._carried >= self._most_carried:
            self._settle()

    def note_line(self, size: int) -> bool:
        """Count a line that is to be logged; False if it is to be dropped.

        Raises:
            StoppedByQuota: that is what happens at the limit.
        """
        gate = self._gate
        if gate.account.action(LOGS) is AtTheLimit.DELAY:
            self._logged += size
            self._settle()
            return True
        try:
            gate.take(LOGS, size).commit()
        except QuotaExceeded:
            return False
        return True

    def _settle(self) -> None:
        gate, milliseconds = self._gate, int(self._seconds * 1000)
        self._seconds -= milliseconds / 1000
        used = {
            CALLS: self._calls,
            KEPT: self._bytes,
            LOGS: self._logged,
            NETWORK: self._carried,
            TIME: milliseconds,
        }
        self._calls = self._bytes = self._logged = self._carried = 0
        gate.charge({quota: amount for quota, amount in used.items() if amount})
        owed = gate.account.owed(self._paused_by, trio.current_time())
        if owed is not None:
            self.is_over = True
            gate.report(owed.warned)

    async def pause(self) -> None:
        """Wait until nothing is owed any more.

        Raises:
            StoppedByQuota: that is what happens at the limit, or it never will be.
        """
        while True:
            owed = self._gate.account.owed(self._paused_by, trio.current_time())
            if owed is None:
                self.is_over = False
                return
            if owed.action is AtTheLimit.END or owed.wait == math.inf:
                raise StoppedByQuota(owed.account, owed.quota, owed.limit)
            self._gate.report(owed.warned)
            await trio.sleep(owed.wait)


def _least(account: Account, quota: str, most: int) -> int:
    """How much of a quota may be used before it is counted."""
    above: Account | None = account
    while above is not None:
        declared = above.quotas.get(quota)
        if declared is not None:
            most = max(1, min(most, int(declared.limit) // PART))
        above = above.parent
    return most


def _is_short_of_time(account: Account) -> bool:
    """Whether a guest can use more than its time; alone it has a second each second."""
    own = account.quotas.get(TIME)
    if own is not None and own.limit < _SECOND:
        return True
    above = account.parent
    while above is not None:
        if TIME in above.quotas:
            return True
        above = above.parent
    return False
