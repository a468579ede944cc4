"""A running system, as the program around it sees it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import ComponentId, Refusal, Refused
from airssys.nursery import (
    ASK_TIMEOUT,
    Administration,
    TreeNode,
    as_content_type,
    as_id,
    as_payload,
    find_actor,
    find_supervisor,
    take_snapshot,
)

from ._event_fanout import EVENTS_KEPT, EventFanout, EventStream

if TYPE_CHECKING:
    from airssys.contracts import ActorEnded, Answer, Artifact, Envelope

    from ._wiring import Parts

OUTSIDE: Final = ComponentId("local", "outside")
"""The sender of messages that no actor sent."""


@final
class System:
    """The actors of one blueprint while they run; `open_system` makes it.

    Targets are names: a `ComponentId`, or its text, e.g. `greeter`.
    """

    def __init__(self, parts: Parts, events: EventFanout) -> None:
        self._broker, self._registry = parts.broker, parts.registry
        self._root, self._events = parts.root, events
        self._replacer, self._watches = parts.replacer, parts.watches

    @enable_ki_protection
    def tell(
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
    ) -> None:
        """Deliver a message now or not at all; never waits.

        Raises:
            MailboxFull: there is no room.
            TargetNotFound: nobody of that name is there.
            InvalidMessage: the target is no name, the payload no bytes, or the
                content type no text.
        """
        self._broker.tell(self._sign(target, payload, content_type))

    @enable_ki_protection
    async def send(
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        content_type: str | None = None,
    ) -> None:
        """Deliver a message as soon as there is room.

        Raises:
            TargetNotFound: nobody of that name is there.
            InvalidMessage: the target is no name, the payload no bytes, or the
                content type no text.
        """
        await self._broker.send(self._sign(target, payload, content_type))

    @enable_ki_protection
    async def ask(
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        timeout: float = ASK_TIMEOUT,  # noqa: ASYNC109 (part of the message, not only a wait)
        content_type: str | None = None,
    ) -> bytes | None:
        """Deliver a message and wait for the answer.

        Args:
            target: whom to ask.
            payload: the question.
            timeout: seconds for delivery and answer together.
            content_type: the codec of the payload.

        Returns:
            The answer; None if there was nothing to say.

        Raises:
            AskTimedOut: no answer came in time.
            CalleeFailed: it crashed, was stopped, or answered with an error.
            TargetNotFound: nobody of that name is there.
            InvalidMessage: the target is no name, the payload no bytes, or the
                content type no text.
        """
        return await self._broker.ask(
            as_id(target),
            OUTSIDE,
            as_payload(payload),
            timeout=timeout,
            content_type=as_content_type(content_type),
            waiter=None,
        )

    def _sign(
        self, target: ComponentId | str, payload: bytes, content_type: str | None
    ) -> Envelope:
        return self._broker.sign(
            as_id(target),
            OUTSIDE,
            as_payload(payload),
            content_type=as_content_type(content_type),
        )

    def find(self, name: ComponentId | str) -> ComponentId | None:
        """Return the identity of an actor that can be reached now, None if it cannot.

        Raises:
            InvalidMessage: the name is none.
        """
        wanted = as_id(name)
        return wanted if wanted in self._registry.ids() else None

    def tree(self) -> TreeNode:
        """Look at all supervisors and actors as they are now."""
        return take_snapshot(self._root)

    @enable_ki_protection
    async def replace(self, name: ComponentId | str, artifact: Artifact) -> Answer:
        """Put new code in the place of a component while the system runs.

        The new instance is loaded, started and asked how it is while the old one goes
        on. It takes over between two messages; what is queued stays queued. State goes
        over only as far as it is kept in the store. Restarts run the new code, until
        the supervisor is restarted itself: it starts what the blueprint says.

        Cancelling the one who waits does not take the request back.

        Returns:
            `Done`; or `Refused`, and the old code goes on: it is no component, does not
            run, is being replaced already, or the new code was refused, failed to start
            or is unhealthy.

        Raises:
            InvalidMessage: the name is none.
        """
        wanted = as_id(name)
        slot = find_actor(self._root, wanted)
        if slot is None:
            return Refused(Refusal.NOT_FOUND, str(wanted))
        return await self._replacer.replace(slot, artifact).wait()

    @enable_ki_protection
    async def watch(self, name: ComponentId | str) -> ActorEnded:
        """Wait for the end of an actor: of the incarnation that is there, or comes next.

        If nobody of that name is there, that is the answer, at once.

        Raises:
            InvalidMessage: the name is none.
        """
        ends: list[ActorEnded] = []
        is_over = trio.Event()

        def note(end: ActorEnded) -> None:
            ends.append(end)
            is_over.set()

        watch = self._watches.add(as_id(name), note)
        try:
            await is_over.wait()
        finally:
            self._watches.discard(watch)
        return ends[0]

    def supervisor(self, path: str) -> Administration:
        """Administer the children of a supervisor, e.g. `root/workers`.

        Whether there is one is found out at each request, not here.
        """
        return Administration(
            partial(find_supervisor, self._root, path), self._replacer
        )

    def events(self, capacity: int = EVENTS_KEPT) -> EventStream:
        """Listen to what happens from now on; see `EventStream`."""
        return self._events.listen(capacity)
