"""What actors exchange: a payload, and the envelope that the host puts it into."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypedDict, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._identity import ComponentId
    from ._overflow import Priority, PriorityWord
    from ._trace import TraceContext


ERROR_TYPE: Final = "application/vnd.airssys.error"
"""Content type of a callback without an answer. Its payload is UTF-8: a line with
`cancelled` or a case of `messaging-error` (WIT), then a text for people."""


RESERVED_TYPES: Final = "application/vnd.airssys."
"""The start of content types that only the host sets, so they can be trusted."""

TOPIC_TYPE: Final = "application/vnd.airssys.topic; topic="
"""Content type of a published message, followed by its topic."""


class Lag(enum.Enum):
    """What happens to a published message when a subscriber has no room for it."""

    BLOCK = "block"
    """The publisher waits for room."""
    DROP_OLDEST = "drop-oldest"
    """The message that has waited longest is lost. Not for actors; see `subscribe`."""
    DROP_NEWEST = "drop-newest"
    """This one is lost."""
    DISCONNECT = "disconnect"
    """This one is lost, and the subscriber gets no more messages."""


class ReplySlot(Protocol):
    """The right to answer one ask, once; any holder may use it.

    A second answer or failure, or one after the asker has stopped waiting, does nothing
    and returns False.
    """

    on_abandoned: Callable[[], object] | None
    """Called when the asker stops waiting before its time is up. The handler of the
    message sets it for as long as it handles the message."""

    @property
    def is_abandoned(self) -> bool:
        """Whether the asker stopped waiting without an answer."""
        ...

    def answer(self, payload: bytes | None) -> bool:
        """Wake the asker with this answer (None: handled, without a result)."""
        ...

    def fail(self, error: Exception) -> bool:
        """Wake the asker with this error."""
        ...


class Envelope(NamedTuple):
    """One message in transit, with the sender that the host has verified.

    A NamedTuple and not an attrs class because one is made for every message: creating
    it takes a third of the time of a frozen attrs instance.
    """

    target: ComponentId
    """The actor that the message is for."""
    sender: ComponentId
    """The actor that sent it; set by the host, never by the sender."""
    payload: bytes
    content_type: str | None = None
    """The codec of the payload, if its sender named one."""
    correlation_id: str | None = None
    """Identifies the ask or request that this message is, or answers."""
    reply_to: ComponentId | None = None
    deadline: float | None = None
    """Trio time after which the outcome is not needed; None: never. A message that was
    not begun by then is not handled. A call that has begun continues in a component,
    within its limits, and is cancelled in a Python actor."""
    sent_at_ns: int = 0
    """Wall clock time when the host made it, in nanoseconds since 1970."""
    reply: ReplySlot | None = None
    """Present while an asker waits for the answer."""
    priority: Priority | None = None
    """What happens to it when there is no room; None: its sender named no priority."""
    expires_at: float | None = None
    """Trio time after which it need not be handled any more; None: never. Handling that
    has begun is not interrupted."""
    key: str | bytes | None = None
    """Messages with one key go to the same member of a pool that routes by key."""
    trace: TraceContext | None = None
    """The distributed trace that it belongs to."""

    @property
    def topic(self) -> str | None:
        """The topic it was published to; None if it was not published."""
        kind = self.content_type
        if kind is None or not kind.startswith(TOPIC_TYPE):
            return None
        return kind.removeprefix(TOPIC_TYPE)

    def is_unwanted(self, now: float) -> bool:
        """Say whether handling it has no use any more, at a Trio time."""
        deadline, expires_at, reply = self.deadline, self.expires_at, self.reply
        return (
            (deadline is not None and deadline <= now)
            or (expires_at is not None and expires_at <= now)
            or (reply is not None and reply.is_abandoned)
        )


@final
class Callback(Envelope):
    """How a request ended, delivered to the actor that made it.

    Its sender is the actor that was asked; its correlation id is that of the request.
    Its payload is the answer or, with the content type `ERROR_TYPE`, the reason there
    is none.
    """

    __slots__ = ()


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
