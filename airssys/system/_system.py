"""A running system, as the surrounding program uses it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    MIB,
    Artifact,
    ComponentId,
    Grant,
    InvalidMessage,
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
from airssys.security.authority import Grants, find_authority

from ._asgi import AsgiApp
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
    from collections.abc import Iterable, Mapping

    from airssys.contracts import (
        ActorEnded,
        Answer,
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
    """The actors of one blueprint while they run; created by `open_system`.

    Targets are names: a `ComponentId`, or its text, e.g. `greeter`.
    """

    def __init__(self, parts: Wired, events: EventFanout) -> None:
        super().__init__(OUTSIDE, None, parts.broker, parts.publishing)
        self._parts = parts
        self._registry, self._quarantine = parts.registry, parts.quarantine
        self._root, self._events = parts.root, events
        self._subscriptions: dict[Subscription, None] = {}
        """The actors that have not ended."""
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
        """Listen to messages published to matching topics from now on.

            with system.subscribe("orders.*.paid") as paid:
                async for message in paid:
                    print(message.topic, message.payload)

        Args:
            pattern: Segments joined by dots; `*` is any one of them, `#` the rest.
            capacity: Messages kept for a listener that does not keep up, 1 or more.
            lag: What happens when there are more.
            patience: Seconds above 0 that publishers wait with `Lag.BLOCK` while the
                listener takes nothing. After that a `ListenerStalled` reports it, and
                it loses messages until it takes one again. `math.inf`: for ever.
            kept_bytes: Bytes of payload that are kept, 1 or more; a single message
                always has room.

        Raises:
            BadTopic: The pattern is not valid.
            ValueError: A value is below 1, not a valid time, or not a `Lag`.
        """
        if capacity < 1 or kept_bytes < 1:
            raise ValueError("capacity and kept_bytes must be 1 or more")
        if not patience > 0:
            text = f"patience must be a number of seconds above 0, not {patience!r}"
            raise ValueError(text)
        made = Subscription(
            OUTSIDE,
            self._parts.publishing,
            capacity,
            Lag(lag),
            patience=patience,
            kept_bytes=kept_bytes,
            events=self._events.emit,
            on_end=self._forget_subscription,
        )
        self._parts.publishing.subscriptions.add(pattern, made)
        self._subscriptions[made] = None
        if self._has_ended:
            made.end()
        return made

    def _forget_subscription(self, ended: Subscription) -> None:
        self._subscriptions.pop(ended, None)

    def end_subscriptions(self) -> None:
        """Let each subscription yield what it kept, and then end."""
        self._has_ended = True
        for subscription in tuple(self._subscriptions):
            subscription.end()

    def find(self, name: ComponentId | str) -> ComponentId | None:
        """Return the identity of an actor, or None if it cannot be reached now.

        Raises:
            InvalidMessage: The name is not valid.
        """
        wanted = as_id(name)
        return wanted if wanted in self._registry else None

    def mailbox(self, name: ComponentId | str) -> MailboxStatistics:
        """Return the counts of an actor's mailbox: what is in it, and what was removed.

        For a pool, the sum over all its members, including former members.

        Raises:
            TargetNotFound: There is no actor of that name.
            InvalidMessage: The name is not valid.
        """
        return self._registry.find(as_id(name)).statistics()

    def pool(self, name: ComponentId | str) -> PoolStatus:
        """Return how many members a pool has, and their load.

        Raises:
            TargetNotFound: There is no pool of that name.
            InvalidMessage: The name is not valid.
        """
        wanted = as_id(name)
        pool = find_pool(self._root, wanted)
        if pool is None:
            raise TargetNotFound(wanted)
        return pool.status()

    @enable_ki_protection
    async def resize(self, name: ComponentId | str, members: int) -> Answer:
        """Change the number of members of a pool, and wait until new ones are ready.

        A pool with a rule continues by its rule from there, perhaps at once. Members
        that are removed get no more messages when this returns, but may still be
        handling one. Cancelling the waiting task does not undo the request.

        Returns:
            `Done`; or `Refused`: there is no such pool, it may not have that many
            members, or a member did not start.

        Raises:
            InvalidMessage: The name is not valid.
        """
        wanted = as_id(name)
        pool = find_pool(self._root, wanted)
        if pool is None:
            return Refused(Refusal.NOT_FOUND, str(wanted))
        return await pool.resize(members).wait()

    def tree(self) -> TreeNode:
        """Return a snapshot of all supervisors and actors, and of which actor waits."""
        return take_snapshot(self._root, self.waits(), self._parts.accounts)

    def usage(self, name: ComponentId | str) -> Mapping[str, tuple[float, float]]:
        """Return how much an actor, or all below a supervisor, use of their quotas.

        By the names of the quotas: what is in use, and the limit. Of a rate that is what
        is missing from the full bucket, and the burst; more than the limit is a debt.

        Args:
            name: An actor, or the path of a supervisor, e.g. `root/workers`.

        Raises:
            TargetNotFound: There is no such actor.
            InvalidMessage: No quota limits it, or the name is not valid.
        """
        accounts, now = self._parts.accounts, trio.current_time()
        is_path = isinstance(name, str) and name.split("/")[0] == "root"
        account = accounts.find_supervisor(name) if isinstance(name, str) else None
        if account is None and not (is_path and str(name).count("/") != 2):  # noqa: PLR2004  # a name has two
            wanted = as_id(name)
            account = accounts.find(wanted.text)
            if account is None and not is_path and wanted not in self._registry:
                raise TargetNotFound(wanted)
        if account is None:
            hint = "Declare some by quotas=, or mind the spelling"
            raise InvalidMessage(f"no quota limits {name}", hint)
        return account.full_usage(now)

    def waits(self) -> tuple[Waiting, ...]:
        """Return which actor waits for which now, and what for."""
        return who_waits(self._parts.broker)

    @enable_ki_protection
    async def replace(
        self,
        name: ComponentId | str,
        artifact: Artifact | Path | str,
        *,
        can: Grant | Iterable[Grant] | None = None,
    ) -> Answer:
        """Replace the code of a component while the system runs.

        The new instance is loaded, started and probed while the old one continues. It
        takes over between two messages; queued messages stay queued. Stored data stays,
        and if both codes export `state-handover`, the state is handed over. A component
        that restarts from checkpoints keeps its state if the code is the same. Restarts
        run the new code until the supervisor itself is restarted: then it starts what
        the blueprint says.

        The new code may do what the old code may do, with everything that was cut from
        its grants since, unless `can` says what it may do instead.

        If the new code has a manifest, it may do what that asks for and the topology
        grants; if this is more than the old code may do, it is refused, with the
        difference, unless `can` is passed.

        Cancelling the waiting task does not undo the request.

        Args:
            name: The component.
            artifact: The new code: an artifact, or the path of it or of its manifest,
                relative to the current directory. Of a manifest, only the code and
                what it asks for are taken over.
            can: What the new code may do, within the bounds above it.

        Returns:
            `Done`; or `Refused`, and the old code continues: it is not a component, is
            not running, is already being replaced, the new code was refused, failed to
            start or is unhealthy, or the state could not be handed over.

        Raises:
            InvalidMessage: The name is not valid.
        """
        wanted = as_id(name)
        slot = find_actor(self._root, wanted)
        if slot is None:
            return Refused(Refusal.NOT_FOUND, str(wanted))
        if can is not None:
            can = (can,) if isinstance(can, Grant) else tuple(can)
        if isinstance(artifact, (str, Path)):
            artifact = Artifact.at(artifact)
        return await self._replacer.replace(slot, artifact, can).wait()

    @enable_ki_protection
    async def watch(self, name: ComponentId | str) -> ActorEnded:
        """Wait for the end of an actor's current incarnation, or of its next one.

        If there is no actor of that name, that is reported at once.

        Raises:
            InvalidMessage: The name is not valid.
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

    def grants(self, name: ComponentId | str) -> Grants:
        """Return what an actor may do, to read and change it.

        Raises:
            NotGranted: Nothing restricts the actor, or there is no such actor.
            ValueError: The name is not valid.
        """
        authority = find_authority(self._parts.authorities, name)
        parts = self._parts
        return Grants(authority, parts.authorities, parts.expiries.note)

    def asgi(self, name: ComponentId | str) -> AsgiApp:
        """Return an ASGI application by which a component handles requests of HTTP.

        It may be mounted in any ASGI server that runs on Trio. While the component is
        restarted, or if there is none of that name, requests are answered with 503.

            await hypercorn.trio.serve(system.asgi("shop"), config)

        Raises:
            InvalidMessage: The name is not valid.
        """
        return AsgiApp(partial(self._parts.handlers.get, as_id(name)))

    @property
    def quarantine(self) -> Quarantine:
        """The messages that crashed actors whose `poison` is `QUARANTINE`."""
        return self._quarantine

    def supervisor(self, path: str) -> Administration:
        """Administer the children of a supervisor, e.g. `root/workers`.

        Whether it exists is checked at each request, not here.
        """
        return Administration(
            partial(find_supervisor, self._root, path), self._replacer
        )

    def events(
        self, capacity: int = EVENTS_KEPT, kept_bytes: int = EVENT_BYTES
    ) -> EventStream:
        """Listen to events from now on; see `EventStream`.

        Args:
            capacity: The number of events kept for a listener that does not keep up.
            kept_bytes: The bytes of text in them that are kept in total.

        Raises:
            ValueError: One of them is below 1.
        """
        return self._events.listen(capacity, kept_bytes)

    def dead_letters(
        self, capacity: int = DEAD_LETTERS_KEPT, kept_bytes: int = DEAD_LETTER_BYTES
    ) -> DeadLetterStream:
        """Listen to dead letters from now on, with their payloads.

        Args:
            capacity: The number kept for a listener that does not keep up.
            kept_bytes: The bytes of payload that are kept in total.

        Raises:
            ValueError: One of them is below 1.
        """
        return self._events.dead_letters.listen(capacity, kept_bytes)
