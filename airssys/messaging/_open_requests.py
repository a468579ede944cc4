"""Requests: asks whose answer comes later, as a callback.

An actor that makes a request goes on at once. The outcome is put into its mailbox as a
`Callback`, exactly once: with the answer, with the failure of the target, at the
deadline, or because it was cancelled. A request is *open* until its callback was taken,
so that the limit on open requests bounds the callbacks in a mailbox too.

Requests belong to one incarnation. When that ends they are forgotten, because the next
one has not made them. A later answer is a dead letter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast, final

import attrs
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    ERROR_TYPE,
    MIB,
    Callback,
    ComponentId,
    DeliveryFailed,
    Envelope,
    InvalidMessage,
    MessagingError,
    RequestCancelled,
    TooManyRequests,
    TraceContext,
    is_a,
    text_of,
)

from .mailboxes import Mailbox
from .routing import Broker

if TYPE_CHECKING:
    from .requests import PendingRequests


_MOST_TEXT: Final = 4000
"""Characters of an error in a callback."""


@final
@attrs.define(eq=False)
class Request:
    """One request: the right to answer it (a `ReplySlot`), once."""

    _requests: OpenRequests = attrs.field(repr=False)
    asker: ComponentId
    target: ComponentId
    correlation_id: str
    timeout: float
    """Seconds; for the text of its callback."""
    trace: TraceContext | None = None
    """Goes on in its callback."""
    is_over: bool = attrs.field(init=False, default=False)
    """Its callback was made, or it is not wanted any more."""
    is_abandoned: bool = attrs.field(init=False, default=False)
    """Its asker wants no answer any more: it cancelled it, or has ended."""
    on_abandoned: Callable[[], object] | None = attrs.field(
        init=False, repr=False, default=None
    )
    """As in `ReplySlot`."""
    _why_late: str = attrs.field(init=False, default="it had been answered before")

    @enable_ki_protection
    def answer(self, payload: bytes | None) -> bool:
        """Make the callback with this answer; False, and a dead letter, if it is over."""
        size = len(payload or b"")
        if not self.is_over and not self._requests.has_room(size):
            self._why_late = "there was no room for it among its asker's callbacks"
            text = f"{self.target} answered {size} bytes, more than there is room for"
            self.fail(DeliveryFailed(text, "Take callbacks, or raise request_bytes"))
        elif self._requests.end(self, payload or b""):
            return True
        if payload is not None:
            self._requests.pending.report_late_answer(self, payload, self._why_late)
        return False

    @enable_ki_protection
    def fail(self, error: Exception) -> bool:
        """Make the callback with this error; False if it is over."""
        return self._requests.end(self, _text_of_failure(error), ERROR_TYPE)

    def give_up(self, error: Exception) -> None:
        """Make the callback with this error; an answer may still come, too late."""
        if self.fail(error):
            self._why_late = "the answer came after its request was over"

    def abandon(self) -> None:
        """Notify the handler of the message that no answer is wanted."""
        self.is_abandoned = True
        self._requests.pending.farewells.tell(self)

    def forget(self) -> None:
        """Make no callback any more."""
        self.is_over = True
        self.abandon()
        self._why_late = "the answer came after its asker had ended"


@final
@attrs.define(eq=False, repr=False)
class OpenRequests:
    """The requests of one incarnation of an actor."""

    _broker: Broker
    _mailbox: Mailbox
    """The actor's own; callbacks go there."""
    _limit: int
    """How many may be open."""
    _most_bytes: int = 16 * MIB
    """Bytes of answers that may wait in the mailbox, unless it is one."""
    _waiting_bytes: int = attrs.field(init=False, default=0)
    """Of the callbacks in the mailbox. Errors are short."""
    _open: dict[str, Request] = attrs.field(init=False, factory=dict)
    """By correlation id. Invariant: one that is over has a callback in the mailbox."""

    @property
    def count(self) -> int:
        """How many there are, also of those whose callback waits in the mailbox."""
        return len(self._open)

    @property
    def pending(self) -> PendingRequests:
        """Where they wait, with the asks and requests of all others."""
        return self._broker.pending

    @property
    def in_hand(self) -> Envelope | None:
        """What the actor handles now."""
        return self._mailbox.in_hand

    @enable_ki_protection
    def request(
        self,
        target: ComponentId,
        payload: bytes,
        timeout: float,
        *,
        content_type: str | None = None,
    ) -> str:
        """Deliver a message now or not at all, and have its answer as a callback.

        Args:
            target: the actor or pool to ask.
            payload: the question.
            timeout: seconds until the callback comes in any case, 0 or more.
            content_type: the codec of the payload.

        Returns:
            The correlation id that the callback will have.

        Raises:
            TooManyRequests: as many are open as may be.
            MessagingError: a gate refused it, or the target does not accept it.
            TargetNotFound: there is no actor or pool of that name.
            MailboxFull: there is no room.
            ValueError: the timeout is negative or NaN.
        """
        me = self._mailbox.owner
        if len(self._open) >= self._limit:
            raise TooManyRequests(me, self._limit)
        deadline = self.pending.deadline_after(timeout)
        id = self.pending.fresh_id()  # noqa: A001  # as in the contracts
        handled = self._mailbox.in_hand
        trace = None if handled is None else handled.trace
        request = Request(self, me, target, id, timeout, trace)
        envelope = self._broker.sign(
            target,
            me,
            payload,
            content_type=content_type,
            correlation_id=id,
            deadline=None if deadline == math.inf else deadline,
            reply=request,
            trace=trace,
        )
        self._open[id] = request
        self.pending.watch(request, deadline)
        self._tell(envelope, request)
        return id

    def _tell(self, envelope: Envelope, request: Request) -> None:
        try:
            self._broker.tell(envelope)
        except BaseException:
            self._withdraw(request)
            raise

    @enable_ki_protection
    def cancel(self, request_id: str) -> None:
        """Give up on a request: its callback says so.

        If its target has not begun with it, it never does. A Python handler is cut off;
        a guest goes on, and its answer is a dead letter, unless its component has
        `on_abandoned="cancel"`.

        Raises:
            InvalidMessage: no such request waits for its answer.
        """
        request = self._open.get(request_id)
        if request is None or request.is_over:
            problem = f"no request {request_id!r:.80} waits for an answer"
            advice = "Cancel a request of your own, before it is answered"
            raise InvalidMessage(problem, advice)
        request.give_up(RequestCancelled(request.target, request_id))
        request.abandon()

    def has_room(self, size: int) -> bool:
        """Return whether an answer of this size may wait among the callbacks."""
        waiting = self._waiting_bytes
        return not waiting or waiting + size <= self._most_bytes

    @enable_ki_protection
    def note_taken(self, callback: Callback) -> None:
        """Count the request of a callback as open no longer."""
        if callback.correlation_id is not None:
            request = self._open.pop(callback.correlation_id, None)
            if request is not None:
                self._waiting_bytes -= len(callback.payload)

    @enable_ki_protection
    def close(self) -> None:
        """Forget all: their incarnation has ended. Doing it again does nothing.

        While code is replaced there are two incarnations; the other keeps its own.
        """
        ids: set[str | None] = set(self._open)
        for request in tuple(self._open.values()):
            self._withdraw(request)
        self._waiting_bytes = 0
        for callback in self._mailbox.remove_callbacks(ids):
            self._broker.dead_letter(callback, "its actor ended before it was handled")

    def end(
        self, request: Request, payload: bytes, content_type: str | None = None
    ) -> bool:
        """Put the callback of a request into the mailbox; False if it is over."""
        if request.is_over:
            return False
        request.is_over = True
        self.pending.forget(request)
        envelope = self._broker.sign(
            request.asker,
            request.target,
            payload,
            content_type=content_type,
            correlation_id=request.correlation_id,
            trace=request.trace,
        )
        callback = Callback._make(envelope)
        self._waiting_bytes += len(payload)
        if not self._mailbox.put_callback(callback):
            self._waiting_bytes -= len(payload)
            del self._open[request.correlation_id]
            self._broker.dead_letter(callback, "its actor was stopped")
        return True

    def _withdraw(self, request: Request) -> None:
        request.forget()
        self.pending.forget(request)
        self._open.pop(request.correlation_id, None)


def _text_of_failure(error: Exception) -> bytes:
    case = "delivery-failed"
    if is_a(error, MessagingError):
        case = cast("MessagingError", error).case
    if is_a(error, RequestCancelled):
        case = "cancelled"
    return f"{case}\n{text_of(error)[:_MOST_TEXT]}".encode(errors="replace")
