"""What a sender may say about one message, as keyword arguments.

Each method that sends takes one of these as `**options`, so that an option is described
and typed in one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from ._overflow import (
        Priority,
        PriorityWord,
    )
    from ._trace import TraceContext


class MessageOptions(TypedDict, total=False):
    """Options of every message."""

    priority: PriorityWord | None
    """`low`, `normal`, `high` or `critical`: which of the target's overflow policies
    applies if its mailbox is full. Some policies, by default that of `low`, drop the
    message without an error. Priority does not change the order of messages."""
    key: str | bytes | None
    """Messages with the same key go to the same member of a pool that routes by key.
    It is ignored if the target is an actor."""
    trace: TraceContext | str | None
    """The distributed trace of the message, or its traceparent. Messages that are sent
    while it is handled continue the trace. An actor need not pass it: its messages
    continue the trace of the message that it is handling."""


class SendOptions(MessageOptions, total=False):
    """Options of `tell` and `send`."""

    content_type: str | None
    """The codec of the payload, for example `application/msgpack`."""
    ttl: float | None
    """Seconds after which the message need not be handled. If it has not been taken from
    the mailbox by then, it becomes a dead letter. It has no effect once the message is
    being handled."""


class AskOptions(MessageOptions, total=False):
    """Options of `ask`."""

    content_type: str | None
    """The codec of the payload, for example `application/msgpack`."""
    timeout: float
    """Seconds for delivery and answer together; 5 by default. An actor that asks never
    waits beyond the deadline of the message that it is handling."""
    retries: int
    """How often to ask again, within the timeout, if the target crashes or stops instead
    of answering; 0 by default. The target may then handle the message twice."""


class TypedSendOptions(MessageOptions, total=False):
    """Options of `Ref.tell` and `Ref.send`, which choose the content type themselves."""

    ttl: float | None
    """Seconds, as in `SendOptions`."""


class TypedAskOptions(MessageOptions, total=False):
    """Options of `Ref.ask`, which chooses the content type itself."""

    timeout: float | None
    """Seconds, as in `AskOptions`; None for the default."""
    retries: int
    """As in `AskOptions`."""


class CheckedOptions(TypedDict, total=False):
    """The options of a message as fields of its envelope, after they were checked."""

    content_type: str | None
    priority: Priority | None
    expires_at: float | None
    """Trio time."""
    key: str | bytes | None
    trace: TraceContext | None
