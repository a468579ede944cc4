"""How many bytes the texts of an event take, which may be of any length."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING

from airssys.contracts import (
    ChildExited,
    ChildStartFailed,
    DeadLetter,
    HookFailed,
    Logged,
    MessageFailed,
    SnapshotFailed,
    SupervisorGaveUp,
)

if TYPE_CHECKING:
    from airssys.contracts import Event

_arguments = BaseException.args.__get__  # type: ignore[attr-defined]  # a C descriptor
"""Read `args` of an error, whatever its class defines under that name."""


def text_bytes(event: Event) -> int:
    """Count the bytes of an event beyond the fixed size of each event."""
    match event:
        case Logged(message=message, context=context):
            return _size(message) + sum(_size(k) + _size(v) for k, v in context)
        case DeadLetter(why=why, payload=payload):
            return _size(why) + len(payload)
        case (
            MessageFailed(error=error)
            | HookFailed(error=error)
            | SnapshotFailed(error=error)
        ):
            return _error_bytes(error)
        case ChildExited(reason=reason) | ChildStartFailed(reason=reason):
            return 0 if reason.error is None else _error_bytes(reason.error)
        case SupervisorGaveUp(exceeded=exceeded):
            return _size(exceeded.reason)
        case _:
            return 0


def _error_bytes(error: BaseException) -> int:
    """Count an error's text without its causes; calls none of its code."""
    return sum(map(_size, _arguments(error)))


def _size(value: object) -> int:
    return getsizeof(value) if type(value) in {str, bytes} else 0
