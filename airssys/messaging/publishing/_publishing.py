"""One message to many: to a list of actors, or to all subscribers of its topic.

Mailboxes that have room get it at once. Then the sender waits for those that have none,
all together, so that a full one does not keep it from the others. Each delivery is a
message of its own and passes gates and mailbox like any other. Only the lag policy of
its subscriber decides what happens to a published message that finds no room.

A message that a subscriber does not get is a dead letter. The publisher gets no error:
it does not know its subscribers.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from typing import (
    TYPE_CHECKING,
    Final,
    Generic,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    final,
)

import attrs
import trio
from trio.lowlevel import (
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    enable_ki_protection,
)

from airssys.contracts import (
    TOPIC_TYPE,
    BadTopic,
    ComponentId,
    DeadReason,
    Envelope,
    Lag,
    MessagingError,
    NotGranted,
    TraceContext,
    is_a,
    text_of,
)
from airssys.messaging.mailboxes import JointWait
from airssys.messaging.routing import Broker

from ._portions import Floor, LongWork
from ._topics import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence


MAX_PATTERNS: Final = 1000
"""Subscriptions that one actor may have."""


Delivery: TypeAlias = "Callable[[], Awaitable[None]]"
"""Delivers one message as soon as there is room for it."""

Target = TypeVar("Target")


@final
@attrs.define(eq=False)
class Outcomes(Generic[Target]):
    """Which targets a broadcast did not reach."""

    targets: dict[Target, None]
    """All of them, each once, in the order in which they were named."""
    _most: float
    refused: dict[Target, MessagingError] = attrs.field(init=False, factory=dict)
    """The first of those that did not get it, and why."""
    more: int = attrs.field(init=False, default=0)
    """How many others did not get it."""
    _bug: Exception | None = attrs.field(init=False, default=None)

    def note(self, target: Target, error: Exception) -> None:
        """Note that a target does not get it."""
        if not is_a(error, MessagingError):
            self._bug = error if self._bug is None else self._bug
        elif len(self.refused) < self._most:
            self.refused[target] = cast("MessagingError", error)
        else:
            self.more += 1

    def check(self) -> None:
        """Raise an error that is not a refusal: a gate has a bug."""
        if self._bug is not None:
            raise self._bug


class Subscriber(Protocol):
    """Gets what is published to some topics."""

    @property
    def id(self) -> ComponentId:
        """The target of what it gets."""
        ...

    def offer(self, envelope: Envelope, joint_wait: JointWait, /) -> Delivery | None:
        """Take a message now, lose it, or let it wait in a joint wait.

        Returns what its publisher has to await besides the joint wait, if anything. That
        raises no error of its own.
        """
        ...


@final
@attrs.define(eq=False, repr=False)
class Publishing:
    """The topics of one system."""

    broker: Broker
    subscriptions: Subscriptions[Subscriber] = attrs.field(
        init=False, factory=Subscriptions
    )

    _floor: Floor = attrs.field(init=False, factory=Floor)
    """For what is sent to many."""
    _named: dict[ComponentId, NamedSubscriber] = attrs.field(init=False, factory=dict)
    """Names that are subscribed to something. Invariant: as in `subscriptions`."""

    def subscriber_named(self, id: ComponentId) -> NamedSubscriber:  # noqa: A002  # as in the contracts
        """Return what a name is subscribed as; it need not be subscribed yet."""
        return self._named.get(id) or NamedSubscriber(id, self)

    def enter(self, named: NamedSubscriber, pattern: str) -> None:
        """Count one more subscription of a name to a pattern.

        Raises:
            BadTopic: it is not a valid pattern.
        """
        self.subscriptions.add(pattern, named)
        named.counts[pattern] += 1
        self._named[named.id] = named

    def withdraw(self, named: NamedSubscriber, pattern: str) -> bool:
        """Count one less; False if there was none. The last one ends it."""
        if named.counts[pattern] == 0:
            return False
        named.counts[pattern] -= 1
        if named.counts[pattern] == 0:
            del named.counts[pattern]
            self.subscriptions.remove(pattern, named)
        if not named.counts:
            del self._named[named.id]
        return True

    def disconnect(self, named: NamedSubscriber) -> None:
        """End all subscriptions of a name; new ones may be made."""
        self.subscriptions.remove_all(named)
        named.counts.clear()
        self._named.pop(named.id, None)

    @enable_ki_protection
    async def publish(
        self,
        sender: ComponentId,
        topic: str,
        payload: bytes,
        trace: TraceContext | None = None,
        *,
        is_held_up: bool = True,
    ) -> None:
        """Send a payload to all current subscribers of a topic; there need not be any.

        A checkpoint. If it is cancelled, some of them may have it. `is_held_up`: its
        sender can do nothing else while it waits for room.

        Raises:
            BadTopic: it is not a valid topic.
        """
        await checkpoint_if_cancelled()
        kind = TOPIC_TYPE + topic if isinstance(topic, str) else None
        joint_wait = JointWait(holds_up=is_held_up)
        slow: list[Delivery] = []
        # Signed once: only the first field, the target, differs.
        _, *rest = self.broker.sign(
            sender, sender, payload, content_type=kind, trace=trace
        )
        subscribed = self.subscriptions
        try:
            with self._floor.work() as work:
                for subscriber in subscribed.find(topic):
                    if work.is_due():
                        await work.pause()
                    if work.has_paused and subscriber not in subscribed:
                        continue  # it has left meanwhile
                    envelope = tuple.__new__(Envelope, (subscriber.id, *rest))
                    if (delivery := subscriber.offer(envelope, joint_wait)) is not None:
                        slow.append(delivery)
            await self._wait(joint_wait, slow)
        finally:
            joint_wait.leave()

    @enable_ki_protection
    async def broadcast(  # noqa: PLR0913  # what a broadcast consists of
        self,
        sender: ComponentId,
        targets: Iterable[Target],
        payload: bytes,
        identify: Callable[[Target], ComponentId],
        *,
        content_type: str | None = None,
        trace: TraceContext | None = None,
        is_held_up: bool = True,
        most_errors: float = math.inf,
    ) -> Outcomes[Target]:
        """Send a payload to each of some actors, once, waiting for room as `send` does.

        A checkpoint. If it is cancelled, some of them may have it. Reading the targets
        comes first; what that raises is passed on.

        Args:
            sender: in whose name.
            targets: each gets it once. Name very many by texts: the collector skips them.
            payload: the message.
            identify: returns the identity that a target stands for, or refuses the target
                by a `MessagingError`.
            content_type: the codec of the payload.
            trace: the distributed trace that it belongs to.
            is_held_up: as for `publish`.
            most_errors: after this many refusals the others are only counted.
        """
        await checkpoint_if_cancelled()
        joint_wait = JointWait(holds_up=is_held_up)
        sign = partial(self.broker.sign, content_type=content_type, trace=trace)
        try:
            with self._floor.work() as work:
                outcomes = Outcomes(await _each_once(targets, work), most_errors)
                for target in outcomes.targets:
                    if work.is_due():
                        await work.pause()
                    note = partial(outcomes.note, target)
                    try:
                        envelope = sign(identify(target), sender, payload)
                        self.broker.join(joint_wait, envelope, note)
                    except MessagingError as error:
                        # The traceback would keep the frames, once for each of many.
                        note(error.with_traceback(None))
            await self._wait(joint_wait)
        finally:
            joint_wait.leave()
        outcomes.check()
        return outcomes

    async def _wait(self, joint_wait: JointWait, slow: Sequence[Delivery] = ()) -> None:
        """Wait until no message has to be waited for any more; a checkpoint."""
        if joint_wait.is_empty and not slow:
            await cancel_shielded_checkpoint()
        elif not slow:
            await joint_wait.wait()
        elif joint_wait.is_empty and len(slow) == 1:
            await slow[0]()
        else:
            await _wait_for_both(joint_wait, slow)


async def _wait_for_both(joint_wait: JointWait, slow: Sequence[Delivery]) -> None:
    try:
        async with trio.open_nursery() as nursery:
            for delivery in slow:
                nursery.start_soon(delivery)
            await joint_wait.wait()
    except BaseExceptionGroup as group:
        if group.split(trio.Cancelled)[1] is not None:
            raise
        # Cancelled, each for itself: to handlers it is one cancellation, and no group.
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None  # noqa: ASYNC123  # all of them say the same


async def _each_once(targets: Iterable[Target], work: LongWork) -> dict[Target, None]:
    each: dict[Target, None] = {}
    for target in targets:
        if work.is_due():
            await work.pause()
        each[target] = None
    return each


@final
class NamedSubscriber:
    """What one name is subscribed to; a message comes to it once.

    That is its address, for as long as the name is taken, and each of its incarnations.
    """

    def __init__(self, id: ComponentId, publishing: Publishing) -> None:  # noqa: A002  # as in the contracts
        self.id = id
        self.lag = Lag.DROP_NEWEST
        self.counts: Counter[str] = Counter()
        """How many have subscribed it to each pattern; none is below 1."""
        self._publishing, self._broker = publishing, publishing.broker

    def offer(self, envelope: Envelope, joint_wait: JointWait) -> None:
        """Put a message into the mailbox now or later, as the lag policy says.

        The mailbox's own policy for messages without room does not apply.
        """
        broker, give_up = self._broker, partial(self._give_up, envelope)
        try:
            if self.lag is Lag.BLOCK:
                broker.join(joint_wait, envelope, give_up, always_waits=True)
                return
            if broker.offer(envelope):
                return
        except MessagingError as error:
            give_up(error)
            return
        if self.lag is Lag.DISCONNECT:
            self._publishing.disconnect(self)
        why = "it was published, and there was no room"
        broker.dead_letter(envelope, why, reason=DeadReason.NO_ROOM)

    def _give_up(self, envelope: Envelope, error: Exception) -> None:
        why = f"it was published, and refused: {text_of(error)}"
        self._broker.dead_letter(envelope, why)


@final
class ActorSubscriber:
    """Subscribes a name to topics until it is closed, e.g. for one incarnation."""

    __slots__ = ("_has_ended", "_own", "_publishing", "id")

    def __init__(self, id: ComponentId, publishing: Publishing) -> None:  # noqa: A002  # as in the contracts
        self.id = id
        self._publishing = publishing
        self._own: dict[str, NamedSubscriber] | None = None
        """The patterns that it has subscribed its name to; None before the first."""
        self._has_ended = False

    def subscribe(self, pattern: str, lag: Lag | None = None) -> None:
        """Get what is published to matching topics from now on.

        Raises:
            BadTopic: it is not a valid pattern.
            NotGranted: it has `MAX_PATTERNS` already, or this incarnation has ended.
            ValueError: `lag` is DROP_OLDEST, or not a `Lag`; nothing was changed.
        """
        lag = None if lag is None else Lag(lag)
        if lag is Lag.DROP_OLDEST:
            raise ValueError(
                "an actor cannot drop the oldest message: its mailbox also holds "
                "what others sent (choose another Lag)"
            )
        if self._has_ended:
            raise NotGranted(f"this incarnation of {self.id} has ended")
        named = self._publishing.subscriber_named(self.id)
        if self._own is None:
            self._own = {}
        if self._own.get(pattern) is not named:
            if len(named.counts) >= MAX_PATTERNS:
                raise NotGranted(f"{self.id} has {MAX_PATTERNS} subscriptions already")
            self._publishing.enter(named, pattern)
            self._own[pattern] = named
        named.lag = lag or named.lag

    def unsubscribe(self, pattern: str) -> None:
        """End the subscription of exactly this pattern.

        Raises:
            BadTopic: it is not a valid pattern, or the actor is not subscribed to it.
        """
        named = None if self._own is None else self._own.pop(pattern, None)
        if named is None or not self._publishing.withdraw(named, pattern):
            raise BadTopic(f"{self.id} is not subscribed to {pattern!r:.80}")

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns that it is subscribed to by itself."""
        return tuple(self._own or ())

    def close(self) -> None:
        """End its subscriptions for good; doing it again does nothing."""
        self._has_ended = True
        own, self._own = self._own, None
        for pattern, named in (own or {}).items():
            self._publishing.withdraw(named, pattern)
