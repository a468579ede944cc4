"""Errors of typed messages, between a value and its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from ._base import AirssysError, Fault
from ._messages import InvalidMessage, MessagingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts.values import ComponentId


@final
class NotUnderstood(InvalidMessage):
    """An actor with typed handlers got a message that it cannot read; it still runs.

    The asker gets it as the `error` of a `CalleeFailed`.
    """

    advice = "Send one of these, as its handler's annotation says"

    def __init__(
        self, actor: str, handles: Sequence[str], problems: Sequence[str]
    ) -> None:
        self.actor = actor
        """The actor's class."""
        self.handles, self.problems = tuple(handles), tuple(problems)
        """The types that it handles, and everything that is wrong with the message,
        with the path where there is one."""
        listed = ", ".join(self.handles)
        super().__init__(f"{actor} handles {listed}; found: {'; '.join(self.problems)}")


@final
class UnhandledMessage(InvalidMessage):
    """A message was passed to a typed ref whose actor has no handler for it."""

    def __init__(self, target: ComponentId, kind: str, handles: Sequence[str]) -> None:
        self.target, self.kind, self.handles = target, kind, tuple(handles)
        """`kind` is the type of the message; a subclass is another type."""
        listed = ", ".join(self.handles)
        problem = f"{target} handles {listed}, but not {kind}"
        super().__init__(problem, "Send one of these, or write a handler for it")


@final
class NotEncodable(InvalidMessage):
    """A typed message, or an answer, cannot be written in a codec."""

    def __init__(self, kind: str, content_type: str, problem: str) -> None:
        self.kind, self.content_type = kind, content_type
        text = f"this {kind} cannot be written as {content_type}: {problem}"
        super().__init__(text, "Give its fields values of their types")


@final
class BadAnswer(MessagingError):
    """The answer to a typed ask is not of its handler's type."""

    fault = Fault.ACTOR
    advice = "Fix the handler, or the class that the ref was made for"

    def __init__(
        self, target: ComponentId, wanted: str, problems: Sequence[str]
    ) -> None:
        self.target, self.wanted, self.problems = target, wanted, tuple(problems)
        super().__init__(target, wanted, self.problems)

    def __str__(self) -> str:
        problems = "; ".join(self.problems)
        text = f"the answer of {self.target} is not a valid {self.wanted}: {problems}"
        return self._with_advice(text)


@final
class ExtraMissing(AirssysError):
    """A package that an extra of airssys installs is missing."""

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        self.purpose, self.package, self.extra = purpose, package, extra
        self.advice = f"Install it: pip install 'airssys[{extra}]'"
        super().__init__(purpose, package, extra)

    def __str__(self) -> str:
        return self._with_advice(f"{self.purpose} need the package {self.package}")
