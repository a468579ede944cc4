"""What travels between actors: a payload, and the envelope the host signs it into."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._identity import ComponentId
    from ._overflow import Priority
    from ._trace import TraceContext


ERROR_TYPE: Final = "application/vnd.airssys.error"
"""Content type of a callback that brings no answer. Its payload is UTF-8: a line with
`cancelled` or a case of `messaging-error` (WIT), and then a text for people."""


RESERVED_TYPES: Final = "application/vnd.airssys."
"""What content types that only the host sets begin with: a message is what it says."""

TOPIC_TYPE: Final = "application/vnd.airssys.topic; topic="
"""Content type of a published message, followed by its topic."""


class Lag(enum.Enum):
    """What becomes of a published message when a subscriber has no room for it."""

    BLOCK = "block"
    """The publisher waits for room."""
    DROP_OLDEST = "drop-oldest"
    """The one that has waited longest is lost; not for actors, see `subscribe`."""
    DROP_NEWEST = "drop-newest"
    """This one is lost."""
    DISCONNECT = "disconnect"
    """This one is lost, and the subscriber gets no more."""


class ReplySlot(Protocol):
    """The right to answer one ask, once; whoever holds it may use it.

    Answering or failing it a second time, or after its asker has gone, does nothing
    but return False.
    """

    on_abandoned: Callable[[], object] | None
    """Called when its asker stops waiting of its own accord, before its time is up; set
    by whoever handles the message, as long as it does."""

    @property
    def is_abandoned(self) -> bool:
        """Whether its asker stopped waiting without an answer."""
        ...

    def answer(self, payload: bytes | None) -> bool:
        """Wake the asker with this answer (None: handled, nothing to say)."""
        ...

    def fail(self, error: Exception) -> bool:
        """Wake the asker with this error."""
        ...


class Envelope(NamedTuple):
    """One message on its way, signed by the host.

    A NamedTuple and not an attrs class because one is made for every message: it
    costs a third of a frozen attrs instance to create.
    """

    target: ComponentId
    """The actor that the message is for."""
    sender: ComponentId
    """The actor that sent it; set by the host, never by the sender itself."""
    payload: bytes
    content_type: str | None = None
    """The codec of the payload, if its sender named one."""
    correlation_id: str | None = None
    """Names the ask or request that this message is, or answers."""
    reply_to: ComponentId | None = None
    deadline: float | None = None
    """Trio time after which nobody waits for the outcome; None: never. A message that
    was not begun by then is not handled. What was begun goes on in a component, by its
    own limits, and is cancelled in a Python actor."""
    sent_at_ns: int = 0
    """Wall clock when the host signed it, nanoseconds since 1970."""
    reply: ReplySlot | None = None
    """Present while somebody waits for the answer."""
    priority: Priority | None = None
    """What becomes of it when there is no room; None: its sender named none."""
    expires_at: float | None = None
    """Trio time after which it need not be handled any more; None: never. Once it is
    being handled, it is not cut off."""
    key: str | bytes | None = None
    """Messages of one key to one pool go to the same member, if it routes by keys."""
    trace: TraceContext | None = None
    """The distributed trace that it belongs to."""

    @property
    def topic(self) -> str | None:
        """What it was published under; None if it was not published."""
        kind = self.content_type
        if kind is None or not kind.startswith(TOPIC_TYPE):
            return None
        return kind.removeprefix(TOPIC_TYPE)

    def is_unwanted(self, now: float) -> bool:
        """Say whether nobody has use for its being handled any more, at a Trio time."""
        deadline, expires_at, reply = self.deadline, self.expires_at, self.reply
        return (
            (deadline is not None and deadline <= now)
            or (expires_at is not None and expires_at <= now)
            or (reply is not None and reply.is_abandoned)
        )


@final
class Callback(Envelope):
    """How a request ended, on its way to the actor that had made it.

    Its sender is the actor that was asked, its correlation id that of the request. The
    payload is the answer, or with the content type `ERROR_TYPE` why there is none.
    """

    __slots__ = ()
