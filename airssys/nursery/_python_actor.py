"""Behaviour by Python code: an async function, or a class made afresh for each start.

    async def handle(context: ActorContext, envelope: Envelope) -> bytes | None: ...

    class Counter:
        def __init__(self, *arguments): ...          # spec.arguments
        async def started(self, context): ...        # optional, before it is ready
        async def handle(self, context, envelope): ...
        async def stopped(self, context): ...        # optional, when it ends on purpose
        async def health(self, context): ...         # a HealthStatus; if it is probed

What `handle` returns answers the asker. An exception is a crash: the message in hand
becomes a dead letter and the supervisor decides. At the deadline of its envelope
`handle` is cancelled, and the actor lives on with the next message.

Python cannot be interrupted: a handler ends at its next unshielded checkpoint, and one
that keeps the thread keeps it from everybody. Such a handler is named by an event.
"""

from __future__ import annotations

import inspect
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from airssys.contracts import (
    ActorSpec,
    ComponentId,
    ComponentInfo,
    EngineMisused,
    Envelope,
    HandlerHeldThread,
    HealthStatus,
    InternalError,
)

from ._as_message import as_id, as_payload
from ._own_post import OwnPost
from ._watches import ENDED

if TYPE_CHECKING:
    from airssys.contracts import ActorEnded
    from airssys.messaging import Mailbox

    from ._own_post import Parcel
    from ._surroundings import Surroundings
    from ._timers import Timer
    from ._watches import Watch

ASK_TIMEOUT: Final = 5.0
"""Seconds that an ask waits unless told otherwise, as in OTP's gen_server."""

_T = TypeVar("_T")
_Handle: TypeAlias = Callable[
    ["ActorContext", Envelope], Coroutine[Any, Any, bytes | None]
]


@final
class ActorContext:
    """What a Python actor is given: its own name, and the ways to reach others."""

    def __init__(
        self, self_id: ComponentId, surroundings: Surroundings, mailbox: Mailbox
    ) -> None:
        self.self_id = self_id
        """The actor's own name; the sender of all it sends."""
        self._broker = surroundings.broker
        self._timers, self._watches = surroundings.timers, surroundings.watches
        self._post = OwnPost(mailbox)
        self._own_timers: set[Timer] = set()
        self._own_watches: dict[ComponentId, Watch] = {}
        self.wants_to_stop = False
        """`stop` was called."""
        self.stop_asked = trio.Event()
        """Set when the actor is asked to stop, for handlers that take long; whatever it
        does when its shutdown time is over is cancelled."""

    @enable_ki_protection
    def tell(self, target: ComponentId | str, payload: bytes) -> None:
        """Deliver a message now or not at all; never waits.

        Raises:
            MailboxFull, TargetNotFound: it was not delivered.
            InvalidMessage: the target is no name, or the payload no bytes.
        """
        broker = self._broker
        broker.tell(broker.sign(as_id(target), self.self_id, as_payload(payload)))

    @enable_ki_protection
    async def send(self, target: ComponentId | str, payload: bytes) -> None:
        """Deliver a message, waiting for room.

        Raises:
            TargetNotFound: nobody of that name is there.
            RequestWouldDeadlock: the target waits for this actor.
            InvalidMessage: the target is no name, or the payload no bytes.
        """
        broker, me = self._broker, self.self_id
        await broker.send(broker.sign(as_id(target), me, as_payload(payload)))

    @enable_ki_protection
    async def ask(
        self,
        target: ComponentId | str,
        payload: bytes,
        *,
        timeout: float = ASK_TIMEOUT,  # noqa: ASYNC109 (part of the message, not only a wait)
    ) -> bytes | None:
        """Ask and wait for the answer, at most so many seconds.

        Raises:
            AskTimedOut, CalleeFailed, TargetNotFound: there is no answer.
            RequestWouldDeadlock: the target waits for this actor.
            InvalidMessage: the target is no name, or the payload no bytes.
        """
        me = self.self_id
        return await self._broker.ask(
            as_id(target), me, as_payload(payload), timeout=timeout, waiter=me
        )

    @enable_ki_protection
    def send_after(self, seconds: float, payload: bytes) -> Timer:
        """Send a message to this actor itself, later; it ends with this incarnation.

        Raises:
            ValueError: the seconds are no finite number from 0.
            InvalidMessage: the payload is no bytes.
        """
        return self._start_timer(seconds, payload, repeat=False)

    @enable_ki_protection
    def send_every(self, seconds: float, payload: bytes) -> Timer:
        """Send a message to this actor itself again and again, until it ends.

        The first one comes after so many seconds. Beats that were missed are left out,
        and so are those that come while the last message waits for room.

        Raises:
            ValueError: the seconds are no finite number above 0.
            InvalidMessage: the payload is no bytes.
        """
        return self._start_timer(seconds, payload, repeat=True)

    @enable_ki_protection
    def watch(self, target: ComponentId | str) -> None:
        """Get a message when an actor has ended, once; at once if it is not there.

        The message is from that actor and of the content type `ENDED`; its payload is
        the kind of the end, e.g. `crash`, or `absent` if nobody of that name is there.
        Whoever starts again is to be watched again. Watching twice is watching once.
        It ends with this incarnation.

        Raises:
            InvalidMessage: the target is no name.
        """
        wanted = as_id(target)
        self._check_open()
        if wanted not in self._own_watches:
            watch = self._watches.add(wanted, self._note_end)
            if watch.is_pending:
                self._own_watches[wanted] = watch

    @enable_ki_protection
    def unwatch(self, target: ComponentId | str) -> None:
        """Watch no more; a message that is queued already stays.

        Raises:
            InvalidMessage: the target is no name.
        """
        watch = self._own_watches.pop(as_id(target), None)
        if watch is not None:
            self._watches.discard(watch)

    def close(self) -> None:
        """End all timers and watches: this incarnation has ended."""
        self._post.close()
        for timer in tuple(self._own_timers):
            timer.cancel()
        for target in tuple(self._own_watches):
            self.unwatch(target)

    def _start_timer(self, seconds: float, payload: bytes, *, repeat: bool) -> Timer:
        self._check_open()
        send = partial(self._send_to_self, self.self_id, as_payload(payload))
        return self._timers.start(seconds, send, self._own_timers, repeat=repeat)

    def _note_end(self, end: ActorEnded) -> None:
        self._own_watches.pop(end.actor, None)
        word = "absent" if end.reason is None else end.reason.kind.value
        self._send_to_self(end.actor, word.encode(), ENDED)

    def _send_to_self(
        self, sender: ComponentId, payload: bytes, content_type: str | None = None
    ) -> Parcel:
        sign = self._broker.sign
        me = self.self_id
        return self._post.put(sign(me, sender, payload, content_type=content_type))

    def _check_open(self) -> None:
        if self._post.is_closed:
            raise EngineMisused(f"{self.self_id}: this incarnation has ended")

    def stop(self) -> None:
        """End this actor after the message in hand.

        Its supervisor sees a shutdown: a permanent actor is started again, a transient
        one is not.
        """
        self.wants_to_stop = True


@final
class PythonBehaviour:
    """One incarnation of Python code."""

    def __init__(
        self, spec: ActorSpec, surroundings: Surroundings, mailbox: Mailbox
    ) -> None:
        self._spec, self._surroundings = spec, surroundings
        self._context = ActorContext(spec.id, surroundings, mailbox)
        self._code: object = None
        self._handle: _Handle | None = None
        self._report_handle = partial(self._report_held, "handle")

    @property
    def wants_to_end(self) -> bool:
        """Whether the actor called `context.stop`."""
        return self._context.wants_to_stop

    async def start(self) -> None:
        """Make the instance, if it is a class, and let it start.

        Raises:
            TypeError: a class without an async method `handle`.
            Exception: what its `__init__` or `started` raised.
        """
        behaviour = self._spec.behaviour
        if inspect.isclass(behaviour):
            self._code = _make(behaviour, self._spec.arguments)
            self._handle = getattr(self._code, "handle", None)
            if self._handle is None:
                raise TypeError(f"{behaviour.__name__} has no method `handle`")
        else:
            self._handle = behaviour
        await self._call_hook("started")
        info = ComponentInfo(self._spec.id, self._spec.id.name, "", "unknown")
        self._surroundings.infos[self._spec.id] = info

    async def handle(self, envelope: Envelope, scope: trio.CancelScope) -> bytes | None:
        """Let the code handle a message; at its deadline it is cancelled.

        Raises:
            TypeError: it returned something else than bytes or None.
            Exception: what it raised.
        """
        if self._handle is None:
            raise InternalError("this behaviour was not started, or is closed")
        answer: object = await _watch_slices(
            _unprotected(self._handle, self._context, envelope),
            self._surroundings.held_thread_after,
            self._report_handle,
            None if envelope.deadline is None else (scope, envelope.deadline),
        )
        if answer is None or isinstance(answer, bytes):
            return answer
        kind = type(answer).__name__
        raise TypeError(f"handle returned {kind}; return bytes or None")

    async def health(self) -> HealthStatus:
        """Ask the code how it is.

        Raises:
            TypeError: it returned something else than a HealthStatus.
            Exception: what it raised.
        """
        told: object = await self._call_hook("health")
        if isinstance(told, HealthStatus):
            return told
        raise TypeError(f"health returned {type(told).__name__}; return a HealthStatus")

    def hear_stop(self) -> None:
        """Let the code hear that it is asked to stop."""
        self._context.stop_asked.set()

    async def stop(self) -> None:
        """Let the code say goodbye."""
        await self._call_hook("stopped")

    def close(self) -> None:
        """Let go of the code."""
        self._code = self._handle = None
        self._context.close()

    async def _call_hook(self, name: str) -> object:
        hook = getattr(self._code, name, None)
        if hook is None:
            return None
        return await _watch_slices(
            _unprotected(hook, self._context),
            self._surroundings.held_thread_after,
            partial(self._report_held, name),
        )

    def _report_held(self, method: str, seconds: float) -> None:
        name = getattr(self._spec.behaviour, "__qualname__", "?")
        held = f"{name}.{method}" if inspect.isclass(self._spec.behaviour) else name
        event = HandlerHeldThread(self._spec.id, held, seconds)
        self._surroundings.events(event)


@disable_ki_protection
def _make(behaviour: type[Any], arguments: tuple[Any, ...]) -> object:
    return behaviour(*arguments)


# Ctrl-C may interrupt the user's code, and nothing else of an actor.
@disable_ki_protection
async def _unprotected(code: Callable[..., Awaitable[_T]], *arguments: object) -> _T:
    return await code(*arguments)


@types.coroutine
def _watch_slices(
    call: Coroutine[Any, Any, _T],
    limit: float,
    report: Callable[[float], None],
    cut: tuple[trio.CancelScope, float] | None = None,
) -> Generator[Any, Any, _T]:
    """Run a coroutine, reporting each slice between two checkpoints above a limit.

    Steps the coroutine by hand, as an `await` would: what it waits does not count, only
    what it held the thread for. When it suspends for the first time, the scope of `cut`
    gets its deadline: a call that never suspends pays nothing for having one.
    """
    clock = time.perf_counter
    step: Callable[[Any], Any] = call.send
    sent: Any = None
    while True:
        began = clock()
        try:
            trap = step(sent)
        except StopIteration as finished:
            result: _T = finished.value
            return result
        finally:
            if (held := clock() - began) > limit:
                report(held)
        if cut is not None:
            scope, deadline = cut
            scope.deadline, cut = deadline, None
        try:
            sent, step = (yield trap), call.send
        except BaseException as error:  # noqa: BLE001, ASYNC103 (thrown into the call instead)
            sent, step = error, call.throw
