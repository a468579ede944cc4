"""Errors about the codec of a message, found when it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts.values import PREFIXES

from ._messages import InvalidMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts.values import ComponentId

_PREFIXES_SHOWN: Final = ", ".join(
    f"0x{prefix:04X} ({name})" for prefix, name in PREFIXES.items()
)


@final
class CodecNotTaken(InvalidMessage):
    """The target does not accept messages in this codec."""

    def __init__(
        self,
        target: ComponentId,
        content_type: str | None,
        takes: Sequence[str],
        common: str | None,
    ) -> None:
        self.target, self.content_type = target, content_type
        self.takes = tuple(takes)
        """The codecs that the target accepts, the preferred one first."""
        self.common = common
        """One of them that the sender accepts too; any, if the sender accepts all; or
        None."""
        named = "names no codec" if content_type is None else f"is {content_type:.80}"
        listed = ", ".join(self.takes)
        problem = f"{target} accepts {listed}, but the message {named}"
        if common is None:
            advice = "They have no codec in common: put an actor between them that has"
        else:
            advice = f"Both know {common}: use it, and name it in content_type"
        super().__init__(problem, advice)


@final
class MessageTooShort(InvalidMessage):
    """The payload is too short for the prefix that it must begin with."""

    def __init__(self, actor: ComponentId, actual: int) -> None:
        self.actor, self.actual = actor, actual
        """`actor` expects a prefix; `actual`: the number of bytes in the payload."""
        problem = f"payloads of {actor} begin with 2 bytes of prefix, not {actual}"
        super().__init__(problem, f"Begin it with one of {_PREFIXES_SHOWN}")


@final
class UnknownPrefix(InvalidMessage):
    """The payload does not begin with a known prefix."""

    def __init__(self, actor: ComponentId, prefix: int) -> None:
        self.actor, self.prefix = actor, prefix
        problem = (
            f"payloads of {actor} begin with a prefix, but 0x{prefix:04X} is not one"
        )
        super().__init__(problem, f"Begin it with one of {_PREFIXES_SHOWN}")


@final
class PrefixContradicted(InvalidMessage):
    """The content type of a message does not match its prefix."""

    def __init__(self, target: ComponentId, content_type: str, prefix: str) -> None:
        self.target, self.content_type, self.prefix = target, content_type, prefix
        """`prefix` is the name of its codec."""
        problem = f"the message is {content_type:.80}, but its prefix says {prefix}"
        super().__init__(problem, "Leave the content type out, or correct one of them")
