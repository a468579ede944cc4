"""What programs hand in as a message, made what a message consists of, or refused."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import trio

from airssys.contracts import (
    RESERVED_TYPES,
    ComponentId,
    InvalidMessage,
    Priority,
    PriorityWord,
    TraceContext,
    choices,
    is_a,
    kind_name,
    plain_bytes,
    plain_text,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airssys.contracts import CheckedOptions

Key = TypeVar("Key", str, bytes)

# Each message in a mailbox keeps them, and its bytes of payload alone are counted.
_MOST_TYPE: Final = 255
_MOST_KEY: Final = 1024


def as_id(target: object) -> ComponentId:
    """Read a name, a `ComponentId` or its text.

    Raises:
        InvalidMessage: it is not a valid name; also a ValueError.
    """
    if type(target) is ComponentId:
        return target
    is_plain = type(target) is str  # most are, and are not checked further
    if not is_plain and not is_a(target, str):
        kind = kind_name(target)
        advice = "Give a ComponentId, or its text"
        raise InvalidMessage(f"the target is {kind}, no name", advice)
    try:
        return _parse(target if is_plain else plain_text(cast("str", target)))
    except ValueError as error:
        raise InvalidMessage(f"the target is not a valid name: {error}") from None


# Programs use few names, and reading one costs as much as waking a task.
# They are kept for all systems of this process, some kilobytes each at most.
_parse = lru_cache(maxsize=1024)(ComponentId.parse)


def as_payload(payload: bytes) -> bytes:
    """Take a payload; what is like bytes but may change is copied.

    Raises:
        InvalidMessage: it is not like bytes.
    """
    if type(payload) is bytes:
        return payload
    given: object = payload
    if isinstance(given, bytes):
        # Not by its buffer: from Python 3.12 on a class may have code for that.
        return bytes.__getitem__(given, slice(None))
    if isinstance(given, bytearray):
        return bytes(bytearray.__getitem__(given, slice(None)))
    try:
        return bytes(memoryview(payload))
    except (TypeError, ValueError, BufferError):
        kind = type(payload).__name__
        advice = "Encode it: text by str.encode, the rest e.g. by json or msgpack"
        raise InvalidMessage(f"the payload is {kind}, no bytes", advice) from None


def as_content_type(content_type: str | None) -> str | None:
    """Take a content type.

    Raises:
        InvalidMessage: it is neither None nor text that UTF-8 can hold, longer than
            255 bytes, or one that only the host sets.
    """
    if content_type is None:
        return None
    try:
        content_type = plain_text(content_type)
        encoded = content_type.encode().lower()
    except (TypeError, ValueError):
        advice = "Give text, e.g. 'application/msgpack', or None"
        kind = kind_name(content_type)
        problem = f"the content type is {kind}, no text that UTF-8 can hold"
        raise InvalidMessage(problem, advice) from None
    if len(encoded) > _MOST_TYPE:
        problem = f"the content type has {len(encoded)} bytes, more than {_MOST_TYPE}"
        raise InvalidMessage(problem, "Give a codec, and what matters of it")
    if encoded.startswith(RESERVED_TYPES.encode()):
        problem = f"the content type {content_type!r:.80} is set by the host alone"
        raise InvalidMessage(problem, "Publish it, or name a codec")
    return content_type


def as_priority(priority: PriorityWord | None) -> Priority | None:
    """Take a priority, or its word.

    Raises:
        InvalidMessage: it is none.
    """
    if priority is None or type(priority) is Priority:
        return priority
    try:
        return Priority(priority)
    except ValueError:
        problem = f"{shown(priority)} is not a valid priority"
        advice = f"{choices(Priority, priority)}, or None".capitalize()
        raise InvalidMessage(problem, advice) from None


def as_key(key: str | bytes) -> str | bytes:
    """Take the key of a message.

    Raises:
        InvalidMessage: it is neither str nor bytes, or longer than 1024.
    """
    given: object = key
    if is_a(given, str):
        return _short(plain_text(cast("str", given)))
    if is_a(given, bytes):
        return _short(plain_bytes(cast("bytes", given)))
    problem = f"the key is {kind_name(given)}, no str or bytes"
    raise InvalidMessage(problem, "Give the key of a message as text or bytes")


def _short(key: Key) -> Key:
    if len(key) <= _MOST_KEY:
        return key
    problem = f"the key has a length of {len(key)}, more than {_MOST_KEY}"
    raise InvalidMessage(problem, "Give a shorter one, such as a digest of it")


def as_expiry(ttl: float | None) -> float | None:
    """Turn seconds to live into Trio time; None if there is no end to them.

    Raises:
        InvalidMessage: it is not a number of seconds, 0 or more.
    """
    seconds = math.inf if ttl is None else _as_seconds(ttl, "ttl")
    return None if seconds == math.inf else trio.current_time() + seconds


def as_timeout(timeout: float) -> float:
    """Take how long to wait; `math.inf`: as long as it takes.

    Raises:
        InvalidMessage: it is not a number of seconds, 0 or more.
    """
    if type(timeout) is float and timeout >= 0:
        return timeout
    return _as_seconds(timeout, "timeout")


def _as_seconds(value: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        advice = "Give seconds, 0 or more"
        kind = type(value).__name__
        problem = f"the {name} ({kind}) is not a number of seconds"
        raise InvalidMessage(problem, advice)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def as_trace(trace: TraceContext | str | None) -> TraceContext | None:
    """Take a trace context, or the text of its traceparent.

    Raises:
        InvalidMessage: it is none.
    """
    if trace is None or type(trace) is TraceContext:
        return trace
    try:
        return TraceContext(trace)
    except ValueError as error:
        advice = "Give a TraceContext, the text of a traceparent, or None"
        raise InvalidMessage(f"the trace is none: {error}", advice) from None


def as_retries(retries: int) -> int:
    """Take how often to ask again.

    Raises:
        InvalidMessage: it is not a whole number from 0.
    """
    if type(retries) is int and retries >= 0:
        return retries
    kind = type(retries).__name__
    problem = f"the retries ({kind}) are not a whole number from 0"
    raise InvalidMessage(problem, "Give a whole number, 0 or more")


_FIELDS: Final[dict[str, tuple[str, Callable[[Any], object]]]] = {
    "content_type": ("content_type", as_content_type),
    "priority": ("priority", as_priority),
    "ttl": ("expires_at", as_expiry),
    "key": ("key", as_key),
    "trace": ("trace", as_trace),
}
"""For each option that is written on the envelope: the field, and how it is checked."""

SEND_OPTIONS: Final = frozenset(_FIELDS)
ASK_OPTIONS: Final = SEND_OPTIONS - {"ttl"} | {"timeout", "retries"}
"""`ask` reads the last two itself."""


def check_options(
    call: str, allowed: frozenset[str], options: Mapping[str, object]
) -> CheckedOptions:
    """Turn the options of a message into fields of its envelope.

    Args:
        call: the method that was called, for the error.
        allowed: the options that it takes.
        options: as they were given; None is the same as leaving an option out.

    Raises:
        TypeError: the method has no such option.
        InvalidMessage: an option has a value that it cannot have.
    """
    checked: dict[str, object] = {}
    for name, value in options.items():
        if name not in allowed:
            known = ", ".join(sorted(allowed))
            raise TypeError(
                f"{call}() got an unexpected keyword argument {name!r}: use {known}"
            )
        if value is not None:
            field, check = _FIELDS[name]
            checked[field] = check(value)
    return cast("CheckedOptions", checked)
