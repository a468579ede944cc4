"""Asking again when the target crashed or stopped instead of answering.

Each try is a message of its own: the one that was lost is a dead letter, and the target
may have handled it as far as it got. So an ask is repeated only if its sender allows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import trio

from airssys.contracts import (
    CalleeFailed,
    MessagingError,
    NoAnswer,
    TargetNotFound,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Try(Protocol):
    """Asks once, for at most `timeout` seconds."""

    def __call__(self, *, timeout: float) -> Awaitable[bytes | None]: ...


FIRST_PAUSE: Final = 0.01
"""Seconds before the first retry; each later pause is twice as long."""
LONGEST_PAUSE: Final = 1.0


async def ask_again(ask: Try, retries: int, timeout: float) -> bytes | None:
    """Ask, and ask again, after a pause, if the target crashes or stops.

    While the target is being restarted, its name may be missing. Later tries wait for it
    to come back; the first one does not. An actor that answers with an error is not asked
    again.

    Args:
        ask: asks once.
        retries: how often to ask again, 0 or more.
        timeout: seconds for all tries and pauses together.

    Raises:
        CalleeFailed, Unavailable, TargetNotFound: the error of the last try.
        MessagingError: what else `ask` raised.
    """
    deadline = trio.current_time() + timeout
    number, left = 0, timeout
    while True:
        try:
            return await ask(timeout=left)
        except (CalleeFailed, Unavailable, TargetNotFound) as error:
            pause = min(FIRST_PAUSE * 2.0 ** min(number, 10), LONGEST_PAUSE)
            left = deadline - trio.current_time() - pause
            if number >= retries or left <= 0 or not _may_pass(error, number):
                raise
        await trio.sleep(pause)
        number += 1


def _may_pass(error: MessagingError, number: int) -> bool:
    """Return whether another try may succeed."""
    if isinstance(error, CalleeFailed):
        return error.reason is not NoAnswer.REFUSED
    return number > 0 or isinstance(error, Unavailable)
