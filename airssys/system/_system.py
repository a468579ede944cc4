"""A running system, as the program around it sees it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    MIB,
    ComponentId,
    Lag,
    Refusal,
    Refused,
    TargetNotFound,
)
from airssys.messaging import who_waits
from airssys.nursery import (
    Administration,
    Messenger,
    TreeNode,
    as_id,
    find_actor,
    find_pool,
    find_supervisor,
    take_snapshot,
)

from .events import (
    DEAD_LETTER_BYTES,
    DEAD_LETTERS_KEPT,
    EVENT_BYTES,
    EVENTS_KEPT,
    PATIENCE,
    DeadLetterStream,
    EventFanout,
    EventStream,
    Subscription,
)

if TYPE_CHECKING:
    from airssys.contracts import (
        ActorEnded,
        Answer,
        Artifact,
        PoolStatus,
        Waiting,
    )
    from airssys.messaging import MailboxStatistics, Quarantine

    from ._wiring import Wired

MESSAGES_KEPT: Final = 1000
"""Messages that a subscription keeps for a listener that does not keep up."""
MESSAGE_BYTES_KEPT: Final = 16 * MIB
"""Bytes of payload that it keeps."""

OUTSIDE: Final = ComponentId("local", "outside")
"""The sender of messages that no actor sent."""


@final
class System(Messenger):
    """The actors of one blueprint while they run; `open_system` makes it.

    Targets are names: a `ComponentId`, or its text, e.g. `greeter`.
    """

    def __init__(self, parts: Wired, events: EventFanout) -> None:
        super().__init__(OUTSIDE, None, parts.broker, parts.publishing)
        self._registry, self._quarantine = parts.registry, parts.quarantine
        self._root, self._events = parts.root, events
        self._subscriptions: dict[Subscription, None] = {}
        """Those that have not ended."""
        self._has_ended = False
        self._replacer, self._watches = parts.replacer, parts.watches

    @enable_ki_protection
    def subscribe(
        self,
        pattern: str,
        *,
        capacity: int = MESSAGES_KEPT,
        lag: Lag = Lag.DROP_OLDEST,
        patience: float = PATIENCE,
        kept_bytes: int = MESSAGE_BYTES_KEPT,
    ) -> Subscription:
        """Listen to what is published to matching topics from now on.

            with system.subscribe("orders.*.paid") as paid:
                async for message in paid:
                    print(message.topic, message.payload)

        Args:
            pattern: segments joined by dots; `*` is any one of them, `#` the rest.
            capacity: messages kept for a listener that does not keep up, 1 or more.
            lag: what happens when there are more.
            patience: seconds above 0 that publishers wait with `Lag.BLOCK` while the
                listener takes nothing. Then it is named by a `ListenerStalled`, and
                loses messages until it takes one again; `math.inf`: they wait for ever.
            kept_bytes: bytes of payload that are kept, 1 or more; a single message
                always finds room.

        Raises:
            BadTopic: it is no pattern.
            ValueError: the capacity or `kept_bytes` is below 1, the patience no time, or the lag none.
        """
        if capacity < 1 or kept_bytes < 1:
            raise ValueError("a subscription keeps 1 message or more, and 1 byte")
        if not patience > 0:
            raise ValueError(f"the patience of a subscription is no time: {patience!r}")
        made = Subscription(
            OUTSIDE,
            self._publishing,
            capacity,
            Lag(lag),
            patience=patience,
            kept_bytes=kept_bytes,
            events=self._events.emit,
            on_end=self._forget_subscription,
        )
        self._publishing.subscriptions.add(pattern, made)
        self._subscriptions[made] = None
        if self._has_ended:
            made.end()
        return made

    def _forget_subscription(self, ended: Subscription) -> None:
        self._subscriptions.pop(ended, None)

    def end_subscriptions(self) -> None:
        """Let each subscription hand out what it kept, and then end."""
        self._has_ended = True
        for subscription in tuple(self._subscriptions):
            subscription.end()

    def find(self, name: ComponentId | str) -> ComponentId | None:
        """Return the identity of an actor that can be reached now, None if it cannot.

        Raises:
            InvalidMessage: the name is none.
        """
        wanted = as_id(name)
        return wanted if wanted in self._registry else None

    def mailbox(self, name: ComponentId | str) -> MailboxStatistics:
        """Count what is in the mailbox of an actor, and what became of the rest.

        Those of all members of a pool together, also of members that are gone.

        Raises:
            TargetNotFound: nobody of that name is there.
            InvalidMessage: the name is none.
        """
        return self._registry.find(as_id(name)).statistics()

    def pool(self, name: ComponentId | str) -> PoolStatus:
        """Say how many members a pool has, and what they have to do.

        Raises:
            TargetNotFound: there is no pool of that name.
            InvalidMessage: the name is none.
        """
        wanted = as_id(name)
        pool = find_pool(self._root, wanted)
        if pool is None:
            raise TargetNotFound(wanted)
        return pool.status()

    @enable_ki_protection
    async def resize(self, name: ComponentId | str, members: int) -> Answer:
        """Give a pool another number of members, and wait until new ones are ready.

        One that has a rule goes on by it from there, perhaps at once. Those that it
        gives up get no more messages when this returns, but may still handle one.
        Cancelling the one who waits does not take the request back.

        Returns:
            `Done`; or `Refused`: there is no such pool, it may not have so many
            members, or one did not start.

        Raises:
            InvalidMessage: the name is none.
        """
        wanted = as_id(name)
        pool = find_pool(self._root, wanted)
        if pool is None:
            return Refused(Refusal.NOT_FOUND, str(wanted))
        return await pool.resize(members).wait()

    def tree(self) -> TreeNode:
        """Look at all supervisors and actors as they are now, and at who waits."""
        return take_snapshot(self._root, self.waits())

    def waits(self) -> tuple[Waiting, ...]:
        """Look at who waits for whom now, and what for."""
        return who_waits(self._broker)

    @enable_ki_protection
    async def replace(self, name: ComponentId | str, artifact: Artifact) -> Answer:
        """Put new code in the place of a component while the system runs.

        The new instance is loaded, started and asked how it is while the old one goes
        on. It takes over between two messages; what is queued stays queued. What is in
        the store stays, and if both codes export `state-handover`, state is handed over.
        Restarts run the new code, until the supervisor is restarted itself: it starts
        what the blueprint says.

        Cancelling the one who waits does not take the request back.

        Returns:
            `Done`; or `Refused`, and the old code goes on: it is no component, does not
            run, is being replaced already, the new code was refused, failed to start or
            is unhealthy, or the state could not be handed over.

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

    @property
    def quarantine(self) -> Quarantine:
        """The messages that crashed actors whose `poison` is `QUARANTINE`."""
        return self._quarantine

    def supervisor(self, path: str) -> Administration:
        """Administer the children of a supervisor, e.g. `root/workers`.

        Whether there is one is found out at each request, not here.
        """
        return Administration(
            partial(find_supervisor, self._root, path), self._replacer
        )

    def events(
        self, capacity: int = EVENTS_KEPT, kept_bytes: int = EVENT_BYTES
    ) -> EventStream:
        """Listen to what happens from now on; see `EventStream`.

        Args:
            capacity: how many events are kept for a listener that does not keep up.
            kept_bytes: how many bytes of text in them are kept for it in total.

        Raises:
            ValueError: one of them is below 1.
        """
        return self._events.listen(capacity, kept_bytes)

    def dead_letters(
        self, capacity: int = DEAD_LETTERS_KEPT, kept_bytes: int = DEAD_LETTER_BYTES
    ) -> DeadLetterStream:
        """Listen to dead letters from now on, with their payloads.

        Args:
            capacity: how many are kept for a listener that does not keep up.
            kept_bytes: how many bytes of payload are kept for it in total.

        Raises:
            ValueError: one of them is below 1.
        """
        return self._events.dead_letters.listen(capacity, kept_bytes)
