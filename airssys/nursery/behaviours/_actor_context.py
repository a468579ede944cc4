"""What the code of a Python actor may do: reach others, set messages aside, end itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import current_task, enable_ki_protection

from airssys.contracts import (
    ComponentId,
    EngineMisused,
    Lag,
)
from airssys.messaging import ActorSubscriber
from airssys.nursery.shared import ENDED, SelfMessages

from ._gates import OPEN, Gates
from ._message_arguments import as_id, as_payload
from ._messenger import Messenger

if TYPE_CHECKING:
    from trio.lowlevel import Task

    from airssys.contracts import ActorEnded, StoppedByQuota, TraceContext
    from airssys.messaging import Mailbox
    from airssys.nursery.shared import SelfMessage, Shared, Timer, Watch

    from ._gates import AnySubscriber


@final
class _Belongings:
    """What ends with one incarnation: timers, watches, and messages to itself."""

    __slots__ = ("post", "timers", "watches")

    def __init__(self, mailbox: Mailbox) -> None:
        self.post = SelfMessages(mailbox)
        self.timers: dict[Timer, None] = {}
        self.watches: dict[ComponentId, Watch] = {}


@final
class ActorContext(Messenger):
    """What a Python actor is given: its own name, and the ways to reach others.

    Whatever belongs to the present message, its deadline, its trace and the caller that waits for
    it, belongs to the task that handles it and to the tasks in its nurseries. A task
    beside it, e.g. in a nursery of the program, may use the context too: what it asks
    has its own time, and the actor does not wait because of it.
    """

    def __init__(
        self,
        self_id: ComponentId,
        shared: Shared,
        mailbox: Mailbox,
        gates: Gates = OPEN,
    ) -> None:
        self.self_id = self_id
        """The actor's own name; the sender of all it sends."""
        broker = gates.broker(shared.broker)
        super().__init__(self_id, self_id, broker, gates.publishing(shared.publishing))
        self._mailbox, self._gates, self._topics = mailbox, gates, shared.publishing
        self._subscriber: AnySubscriber | None = None
        """None before it is needed; few actors subscribe themselves."""
        self._timers, self._watches = shared.timers, shared.watches
        self._own: _Belongings | None = None
        """None before it has any; few actors do, and there are many."""
        self._has_ended = False
        self._task: Task | None = None
        """Where the code of the actor is called; None: in the steps of other tasks."""
        self._has_begun = False
        """Its code may be called. Before that, any task that uses the context belongs to it."""
        self.is_in_step = False
        """Its code runs now, in the step of some other task, which cannot go on meanwhile."""
        self.has_wishes = False
        """One of these three, so that most messages need one look."""
        self.ended_by: StoppedByQuota | None = None
        """The quota by which its actor ends."""
        self.wants_to_stash = False
        """`stash` was called for the present message."""
        self.wants_to_stop = False
        """`stop` was called."""
        self._stop_asked: trio.Event | None = None
        """None before it is read; few actors read it, and there are many."""
        self._heard_stop = False

    @property
    def stop_asked(self) -> trio.Event:
        """Set when the actor is asked to stop, for handlers that take long.

        Whatever it does when its shutdown time is over is cancelled.
        """
        if self._stop_asked is None:
            self._stop_asked = trio.Event()
            if self._heard_stop:
                self._stop_asked.set()
        return self._stop_asked

    def note_stop_asked(self) -> None:
        """Let the code know that the actor is asked to stop."""
        self._heard_stop = True
        if self._stop_asked is not None:
            self._stop_asked.set()

    def stash(self) -> None:
        """Set the present message aside, to be handled again later.

        It is set aside when the handler returns, whose answer is then ignored; if the
        handler raises, it is not. As many messages may be set aside as may queue.

        Raises:
            StashFull: there are too many already.
            RuntimeError: the calling task is not the one that handles it, or a child
                of that.
        """
        if not self.is_handling():
            raise RuntimeError(
                f"a task beside the handler of {self.self_id} set aside the message that "
                "it handles: only the handler may do that"
            )
        self._mailbox.check_stash()
        self.wants_to_stash = self.has_wishes = True

    def unstash_all(self) -> None:
        """Put what was set aside back at the head of the queue, in order.

        The next incarnation finds it there without this being called.
        """
        self._mailbox.unstash_all()

    @enable_ki_protection
    def subscribe(self, pattern: str, *, lag: Lag | None = None) -> None:
        """Handle what is published to matching topics from now on.

        Such a message has a `topic`. Subscriptions end with this incarnation: subscribe
        in `started`.

        Args:
            pattern: segments joined by dots; `*` is any one of them, `#` the rest.
            lag: what happens to a message when the mailbox is full, for this and all
                other subscriptions of the actor. At first it is lost (DROP_NEWEST).

        Raises:
            BadTopic: it is not a valid pattern.
            ValueError: `lag` is DROP_OLDEST, which would lose what others sent.
        """
        self._own_subscriber().subscribe(pattern, lag)

    @enable_ki_protection
    def unsubscribe(self, pattern: str) -> None:
        """End the subscription of exactly this pattern; what is queued stays.

        Raises:
            BadTopic: the actor is not subscribed to it.
        """
        self._own_subscriber().unsubscribe(pattern)

    def _own_subscriber(self) -> AnySubscriber:
        if self._subscriber is None:
            own = ActorSubscriber(self.self_id, self._topics)
            self._subscriber = self._gates.subscriber(own)
            if self._has_ended:
                self._subscriber.close()
        return self._subscriber

    def end_subscriptions(self) -> None:
        """End all that it has subscribed itself to."""
        if self._subscriber is not None:
            self._subscriber.close()

    @enable_ki_protection
    def send_after(self, seconds: float, payload: bytes) -> Timer:
        """Send a message to this actor itself, later; it ends with this incarnation.

        It carries the present trace on.

        Raises:
            ValueError: the seconds are not a finite number from 0.
            InvalidMessage: the payload is not bytes.
        """
        return self._start_timer(seconds, payload, repeat=False)

    @enable_ki_protection
    def send_every(self, seconds: float, payload: bytes) -> Timer:
        """Send a message to this actor itself again and again, until it ends.

        The first one comes after that many seconds; less than a millisecond is taken as
        one from the second on. Beats that were missed are left out, and so are those
        that come while the last message waits for room.

        Raises:
            ValueError: the seconds are not a finite number above 0.
            InvalidMessage: the payload is not bytes.
        """
        return self._start_timer(seconds, payload, repeat=True)

    @enable_ki_protection
    def watch(self, target: ComponentId | str) -> None:
        """Get a message when an actor has ended, once; at once if it is not there.

        The message is from that actor and of the content type `ENDED`; its payload is
        the kind of the end, e.g. `crash`, or `absent` if no actor of that name is there.
        In `started`, siblings that start later are not there yet: watch them later, e.g.
        at the first message.
        An actor that starts again has to be watched again. Watching twice is watching once.
        It ends with this incarnation.

        Raises:
            InvalidMessage: the target is not a valid name.
        """
        wanted = as_id(target)
        self._check_open()
        own = self._belongings()
        if wanted not in own.watches:
            watch = self._watches.add(wanted, self._note_end)
            if watch.is_pending:
                own.watches[wanted] = watch

    @enable_ki_protection
    def unwatch(self, target: ComponentId | str) -> None:
        """Watch no more; a message that is queued already stays.

        Raises:
            InvalidMessage: the target is not a valid name.
        """
        unwanted = as_id(target)
        watch = None if self._own is None else self._own.watches.pop(unwanted, None)
        if watch is not None:
            self._watches.discard(watch)

    @property
    def trace(self) -> TraceContext | None:
        """The trace of the present message. It goes on in what the actor sends.

        A tracer may set another one, with a span of its own, until the next message.
        """
        return None if self.trace_in_hand is None else self._carried_on()

    @trace.setter
    def trace(self, trace: TraceContext | None) -> None:
        if not self.is_handling():
            raise RuntimeError(
                f"a task beside the handler of {self.self_id} set the trace of the "
                "message that it handles: give what this task sends a trace=... instead"
            )
        self.trace_in_hand = trace

    def begin(self, task: Task | None) -> None:
        """Note that the code of the actor is called in this task from now on.

        None: in no task of its own, but in the steps of others.
        """
        self._task, self._has_begun = task, True

    def is_handling(self) -> bool:
        """Say whether the calling task is the actor at work, or one of its children."""
        if self.is_in_step:
            return True
        task = current_task()
        return task is self._task or not self._has_begun or self._is_above(task)

    def _is_above(self, task: Task) -> bool:
        while (nursery := task.parent_nursery) is not None:
            task = nursery.parent_task
            if task is self._task:
                return True
        return False

    def _useless_after(self) -> float | None:
        handled = self._mailbox.in_hand
        return None if handled is None else handled.deadline

    def _carried_on(self) -> TraceContext | None:
        return self.trace_in_hand if self.is_handling() else None

    def close(self) -> None:
        """End all timers and watches: this incarnation has ended."""
        self._has_ended = True
        if self._own is not None:
            self._own.post.close()
            for timer in tuple(self._own.timers):
                timer.cancel()
            for target in tuple(self._own.watches):
                self.unwatch(target)

    def _belongings(self) -> _Belongings:
        if self._own is None:
            self._own = _Belongings(self._mailbox)
        return self._own

    def _start_timer(self, seconds: float, payload: bytes, *, repeat: bool) -> Timer:
        self._check_open()
        trace = None if repeat else self.trace
        data = as_payload(payload)
        send = partial(self._send_to_self, self.self_id, data, trace=trace)
        timers = self._belongings().timers
        return self._timers.start(seconds, send, timers, repeat=repeat)

    def _note_end(self, end: ActorEnded) -> None:
        self._belongings().watches.pop(end.actor, None)
        word = "absent" if end.reason is None else end.reason.kind.value
        self._send_to_self(end.actor, word.encode(), ENDED)

    def _send_to_self(
        self,
        sender: ComponentId,
        payload: bytes,
        content_type: str | None = None,
        trace: TraceContext | None = None,
    ) -> SelfMessage:
        envelope = self._broker.sign(
            self.self_id, sender, payload, content_type=content_type, trace=trace
        )
        return self._belongings().post.put(envelope)

    def _check_open(self) -> None:
        if self._has_ended:
            raise EngineMisused(f"{self.self_id}: this incarnation has ended")

    def stop(self) -> None:
        """End this actor after the present message.

        Its supervisor sees a shutdown: a permanent actor is started again, a transient
        one is not.
        """
        self.wants_to_stop = self.has_wishes = True
