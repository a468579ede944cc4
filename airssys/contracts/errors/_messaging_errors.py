"""Errors of requests, topics and broadcasts; all are `MessagingError`s."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, final

from ._base import Fault
from ._messages import InvalidMessage, MessagingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airssys.contracts.values import ComponentId

_NAMED: Final = 20
"""The most targets that the text of one error names."""


@final
class Unavailable(MessagingError):
    """A known actor does not run; the message was not begun.

    When its supervisor gives up or stops, this is the answer to the messages queued for
    it, and to those sent to it afterwards.
    """

    fault = Fault.ACTOR
    advice = "It was not handled: send it again when the actor runs again, if it does"

    def __init__(self, target: ComponentId, why: str) -> None:
        self.target, self.why = target, why
        """`why` says how and when that happened."""
        super().__init__(target, why)

    def __str__(self) -> str:
        return self._with_advice(f"{self.target} is not running: {self.why}")


@final
class BadTopic(InvalidMessage):
    """A topic or a pattern of topics is not valid."""

    advice = (
        "Write up to 16 segments joined by dots; in a pattern '*' is one segment, "
        "'#' the rest"
    )


@final
class BroadcastFailed(MessagingError):
    """A broadcast did not reach all targets.

    `failures` says why, by target: of a component's broadcast the first hundred, and
    `more` is the number of the others.
    """

    advice = "Send it again to these only; all others have received it"

    def __init__(
        self, failures: Mapping[ComponentId, MessagingError], more: int = 0
    ) -> None:
        self.failures, self.more = dict(failures), more
        super().__init__(self.failures, more)

    def __str__(self) -> str:
        named = islice(self.failures.items(), _NAMED)
        which = "; ".join(f"{each}: {why}" for each, why in named)
        count = len(self.failures) + self.more
        rest = f"; and {count - _NAMED} more" if count > _NAMED else ""
        return self._with_advice(f"{count} not reached: {which}{rest}")


@final
class TooManyRequests(MessagingError):
    """The actor has as many open requests as it may have; this one was not made."""

    advice = "Wait for callbacks, or raise Limits.open_requests"

    def __init__(self, actor: ComponentId, limit: int) -> None:
        self.actor, self.limit = actor, limit
        super().__init__(actor, limit)

    def __str__(self) -> str:
        return self._with_advice(f"{self.actor} already has {self.limit} open requests")


@final
class RequestCancelled(MessagingError):
    """The request was cancelled by the actor that had made it."""

    advice = "Nothing is wrong; if an answer still comes, it becomes a dead letter"

    def __init__(self, target: ComponentId, correlation_id: str) -> None:
        self.target, self.correlation_id = target, correlation_id
        super().__init__(target, correlation_id)

    def __str__(self) -> str:
        return self._with_advice(f"the request to {self.target} was cancelled")
