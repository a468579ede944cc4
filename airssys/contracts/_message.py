"""What travels between actors: a payload, and the envelope the host signs it into."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ._identity import ComponentId
    from ._overflow import Priority


class ReplySlot(Protocol):
    """The right to answer one ask, once; whoever holds it may use it.

    Answering or failing it a second time, or after its asker has gone, does nothing
    but return False.
    """

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
    """Trio time after which nobody waits for the outcome; None: never."""
    sent_at_ns: int = 0
    """Wall clock when the host signed it, nanoseconds since 1970."""
    reply: ReplySlot | None = None
    """Present while somebody waits for the answer."""
    priority: Priority | None = None
    """What becomes of it when there is no room; None: its sender named none."""
    expires_at: float | None = None
    """Trio time after which it need not be handled any more; None: never. Once it is
    being handled, it is not cut off, as it is at its deadline."""
