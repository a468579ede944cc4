"""The distributed trace a message belongs to, in terms of W3C Trace Context.

airssys records no spans. It passes the context on from message to message, unchanged,
as the standard requires of a participant that does not trace. A tracer at the edge, or
in a handler, sets and reads it.
"""

from __future__ import annotations

import re
from typing import Final, final

import attrs

from ._checking import shown

_PARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?P<more>-.*)?"
)
_MEMBER: Final = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
MAX_PARENT_CHARACTERS: Final = 512
MAX_STATE_MEMBERS: Final = 32
MAX_STATE_CHARACTERS: Final = 512
"""The number that the standard requires everyone to pass on."""


def _check_parent(_: object, __: attrs.Attribute[str], value: str) -> None:
    if problem := parent_problem(value):
        raise ValueError(f"traceparent {shown(value)} {problem}")


def _check_state(_: object, __: attrs.Attribute[str], value: str) -> None:
    if problem := state_problem(value):
        raise ValueError(f"tracestate {shown(value)} {problem}")


def parent_problem(value: object) -> str | None:
    """Return what is wrong with a traceparent, or None if it is valid."""
    if not isinstance(value, str):
        return f"is {type(value).__name__}, not str"
    if len(value) > MAX_PARENT_CHARACTERS:
        return f"has more than {MAX_PARENT_CHARACTERS} characters"
    found = _PARENT.fullmatch(value)
    if found is None:
        return "is not of the form 00-<32 hex digits>-<16 hex digits>-<2 hex digits>"
    if found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return "has a version that does not exist"
    if not found["trace"].strip("0") or not found["span"].strip("0"):
        return "has an id that is all zeros"
    return None


def state_problem(value: object) -> str | None:
    """Return what is wrong with a tracestate, or None if it is valid or empty."""
    if not isinstance(value, str):
        return f"is {type(value).__name__}, not str"
    if len(value) > MAX_STATE_CHARACTERS:
        return f"has more than {MAX_STATE_CHARACTERS} characters"
    members = [text for each in value.split(",") if (text := each.strip(" \t"))]
    if len(members) > MAX_STATE_MEMBERS:
        return f"has more than {MAX_STATE_MEMBERS} members"
    if any(_MEMBER.fullmatch(member) is None for member in members):
        return "is not a list of key=value, joined by commas"
    keys = [member.partition("=")[0] for member in members]
    if len(set(keys)) < len(keys):
        return "names a key twice"
    return None


@final
@attrs.frozen
class TraceContext:
    """The trace that a message belongs to, and the span that sent it.

    Raises:
        ValueError: one of the two does not conform to the standard.
    """

    traceparent: str = attrs.field(validator=_check_parent)
    """E.g. `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`."""
    tracestate: str = attrs.field(default="", validator=_check_state)
    """What tracers add for their own use, as `key=value,...`; often empty."""

    def __str__(self) -> str:
        return self.traceparent

    @property
    def trace_id(self) -> str:
        """The trace: 32 hexadecimal digits."""
        return self.traceparent[3:35]

    @property
    def span_id(self) -> str:
        """The span that sent the message: 16 hexadecimal digits."""
        return self.traceparent[36:52]

    @property
    def is_sampled(self) -> bool:
        """Whether the tracer that began the trace may have recorded it."""
        return bool(int(self.traceparent[53:55], 16) & 1)
