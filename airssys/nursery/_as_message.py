"""What programs hand in as a message, made what a message consists of, or refused."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, TypeAlias

import trio

from airssys.contracts import ComponentId, InvalidMessage, Priority

PriorityWord: TypeAlias = Priority | Literal["low", "normal", "high", "critical"]


def as_id(target: object) -> ComponentId:
    """Read a name, a `ComponentId` or its text.

    Raises:
        InvalidMessage: it is no name; also a ValueError.
    """
    if type(target) is ComponentId:
        return target
    if not isinstance(target, str):
        kind = type(target).__name__
        advice = "Give a ComponentId, or its text"
        raise InvalidMessage(f"the target is {kind}, no name", advice)
    try:
        return _parse(target)
    except ValueError as error:
        raise InvalidMessage(f"the target is no name: {error}") from None


# Programs use few names, and reading one costs as much as waking a task.
_parse = lru_cache(maxsize=1024)(ComponentId.parse)


def as_payload(payload: bytes) -> bytes:
    """Take a payload; what is like bytes but may change is copied.

    Raises:
        InvalidMessage: it is not like bytes.
    """
    if type(payload) is bytes:
        return payload
    try:
        return bytes(memoryview(payload))
    except (TypeError, ValueError, BufferError):
        kind = type(payload).__name__
        advice = "Encode it: text by str.encode, the rest e.g. by json or msgpack"
        raise InvalidMessage(f"the payload is {kind}, no bytes", advice) from None


def as_content_type(content_type: str | None) -> str | None:
    """Take a content type.

    Raises:
        InvalidMessage: it is neither None nor text that UTF-8 can hold.
    """
    if content_type is None:
        return None
    try:
        content_type.encode()
    except (AttributeError, ValueError):
        advice = "Give text, e.g. 'application/msgpack', or None"
        kind = type(content_type).__name__
        problem = f"the content type is {kind}, no text that UTF-8 can hold"
        raise InvalidMessage(problem, advice) from None
    return content_type


def as_priority(priority: PriorityWord | None) -> Priority | None:
    """Take a priority, or its word.

    Raises:
        InvalidMessage: it is none.
    """
    if priority is None or isinstance(priority, Priority):
        return priority
    try:
        return Priority(priority)
    except ValueError:
        advice = "Give 'low', 'normal', 'high', 'critical', or None"
        kind = type(priority).__name__
        raise InvalidMessage(f"the priority is {kind}, none of ours", advice) from None


def as_expiry(ttl: float | None) -> float | None:
    """Turn seconds to live into Trio time; None if there is no end to them.

    Raises:
        InvalidMessage: it is no number of seconds, 0 or more.
    """
    if ttl is None or ttl == math.inf:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not ttl >= 0:
        advice = "Give seconds, 0 or more, or None"
        kind = type(ttl).__name__
        problem = f"the ttl ({kind}) is no number of seconds"
        raise InvalidMessage(problem, advice)
    return trio.current_time() + ttl
