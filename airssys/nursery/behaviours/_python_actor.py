"""Behaviour by Python code: a function, or a class made afresh for each start.

    async def handle(context: ActorContext, envelope: Envelope) -> bytes | None: ...

    class Counter:
        def __init__(self, *arguments): ...          # spec.arguments
        async def started(self, context): ...        # optional, before it is ready
        async def handle(self, context, envelope): ...
        async def before_restart(self, context, reason): ...   # optional, it failed
        async def stopped(self, context): ...        # optional, when it ends on purpose
        async def health(self, context): ...         # a HealthStatus; if it is probed

What `handle` returns answers the asker. An exception is a crash: the present message
becomes a dead letter and the supervisor decides. At the deadline of its envelope, or when
its asker stops waiting, `handle` is cancelled, and the actor goes on with the next
message.

`handle` may be a plain function, or a plain method. It cannot wait then, so it runs to its
end in one step: in its actor's context, but in the step of whichever task has the message
handled. The task of the actor stays parked, unless it has to raise what `handle` raised.
The same holds for an async function without an `await`, for it cannot wait either.

Each hook has a time and is cut off then: `started` has that of the start, `stopped` that
of the shutdown, `before_restart` has `hook_timeout`, and so has `stopped` if the shutdown
time is infinite. `before_restart` is called when the actor failed and its restart type, or
what its error asks for, says that another incarnation is to follow: on the instance that
failed, with an `ExitReason`, when its message has been dealt with. The supervisor may
still give up, and it waits no longer than that. One that is stopped for a restart of its
siblings is called at `stopped`, as always when it is asked to end.

Python cannot be interrupted: a handler ends at its next unshielded checkpoint, and one
that keeps the thread keeps it from all others. Such a handler is named by an event.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast, final

import trio
from trio.lowlevel import current_task, disable_ki_protection

from airssys.contracts import (
    ActorSpec,
    ComponentInfo,
    Envelope,
    ExitReason,
    HandlerHeldThread,
    HealthStatus,
    HookFailed,
    InternalError,
    Unanswered,
    is_a,
    is_plain,
    kind_name,
    never_waits,
    not_awaited,
    plain_bytes,
)

from ._actor_context import ActorContext
from ._gates import open_gates
from ._held_thread import HeldThreadWatch

if TYPE_CHECKING:
    from airssys.contracts import ReplySlot, StoppedByQuota
    from airssys.messaging import AtOnce, Mailbox
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Authority
    from airssys.security.quotas import Account

    from ._behaviour import Keeper

_T = TypeVar("_T")
_Handle: TypeAlias = Callable[
    ["ActorContext", Envelope], Coroutine[Any, Any, bytes | None]
]
_Plain: TypeAlias = Callable[["ActorContext", Envelope], Any]
Enter: TypeAlias = Callable[..., object]
"""Calls a function with some arguments, in another context."""

_BEGUN: Final = Unanswered.BEGUN


@final
class PythonBehaviour:
    """One incarnation of Python code."""

    __slots__ = (
        "_code",
        "_context",
        "_enter",
        "_failure",
        "_gates",
        "_handle",
        "_lateness",
        "_mailbox",
        "_plain",
        "_shared",
        "_spec",
        "_watch",
        "handle_at_once",
        "is_cut_off",
        "is_plain",
        "starts_at_once",
        "wants_to_end",
    )

    is_spent = False

    def __init__(
        self,
        spec: ActorSpec,
        shared: Shared,
        mailbox: Mailbox,
        authority: Authority | None = None,
        account: Account | None = None,
    ) -> None:
        self._spec, self._shared = spec, shared
        self._mailbox = mailbox
        self._gates = gates = open_gates(spec.id, shared, mailbox, authority, account)
        self._context = ActorContext(spec.id, shared, mailbox, gates)
        if gates.quota is not None:
            gates.quota.note_end = self._note_end
        self._enter: Enter
        """Calls a function in the context of the actor, while its task is parked or is not
        there yet. Set by `begin` or `start`."""
        self.wants_to_end = False
        """The actor called `context.stop`."""
        self.starts_at_once = not inspect.isclass(spec.behaviour)
        self._code: object = None
        self._handle: _Handle | None = None
        self._plain: _Plain | None = None
        """The handler, if it never waits, as a plain function; then there is no other."""
        self._lateness = shared.lateness
        self._failure: BaseException | None = None
        """What it raised in another task's step."""
        self.is_plain, self.is_cut_off = False, True
        self.handle_at_once: AtOnce | None = None
        """Only of a plain function: a coroutine cannot go on in another task than it began
        in."""
        self._watch: HeldThreadWatch
        """Of its task. Set by `enter_task` or `start`."""

    def begin(self, enter: Enter) -> None:
        """Be ready without a task; only one that starts at once."""
        self._set_handler(self._spec.behaviour, enter)
        self._context.begin(None)
        self._note_info()

    def enter_task(self) -> None:
        """Be called in the present task from now on."""
        self._begin_to_watch()
        self._context.begin(current_task())
        if self.is_plain:
            self._enter = current_task().context.run

    async def start(self) -> None:
        """Make the instance, if it is a class, and let it start.

        Raises:
            TypeError: a class without an async method `handle`.
            Exception: what its `__init__` or `started` raised.
        """
        behaviour = self._spec.behaviour
        if inspect.isclass(behaviour):
            self._code = _make(behaviour, self._spec.arguments)
            handle = getattr(self._code, "handle", None)
            if handle is None:
                raise TypeError(f"{behaviour.__name__} has no method `handle`")
        else:
            handle = behaviour
        self._begin_to_watch()
        task = current_task()
        self._set_handler(handle, task.context.run)
        self._context.begin(task)
        await self._call_hook("started")
        self._note_info()

    def _begin_to_watch(self) -> None:
        shared, report = self._shared, self._report_handler
        self._watch = HeldThreadWatch(shared.lateness, shared.charges, report)
        self._watch.pause()

    def _set_handler(self, handle: Callable[..., Any], enter: Enter) -> None:
        is_async = never_waits(handle)
        if is_async or is_plain(handle):
            self._plain = _as_plain(handle) if is_async else handle
            self.handle_at_once = self._handle_in_step
            self.is_plain, self.is_cut_off = True, False
            self._enter = enter
        else:
            self._handle = handle

    def _note_info(self) -> None:
        info = ComponentInfo(self._spec.id, self._spec.id.name, "", "unknown")
        self._shared.infos[self._spec.id] = info

    def watched(self, serving: Coroutine[Any, Any, None]) -> Awaitable[None]:
        """Note who holds the thread while the mailbox is served."""
        return self._watch.run(serving)

    # Ctrl-C may interrupt the user's code, and nothing else of an actor.
    @disable_ki_protection
    async def handle(
        self, envelope: Envelope, scope: trio.CancelScope | None
    ) -> bytes | None:
        """Let the code handle a message.

        At its deadline it is cancelled, or when its asker stops waiting.

        Raises:
            TypeError: it returned something else than bytes or None.
            Exception: what it raised.
        """
        if self._handle is None:
            return self._handle_plainly(envelope)
        context, watch = self._context, self._watch
        context.trace_in_hand = envelope.trace
        watch.is_on = watch.was_on = True
        reply = None if scope is None else self._end_in(scope, envelope)
        try:
            answer: object = await self._handle(context, envelope)
            if answer is not None or context.has_wishes:
                answer = self._conclude(answer)
        finally:
            watch.is_on, watch.cut = False, None
            if context.has_wishes:
                self._drop_wishes()
            if reply is not None:
                reply.on_abandoned = None
        return answer if type(answer) is bytes else None

    def _end_in(self, scope: trio.CancelScope, envelope: Envelope) -> ReplySlot | None:
        """Have a message end with its deadline, or when its asker stops waiting."""
        if envelope.deadline is not None:
            self._watch.cut = (scope, envelope.deadline)
        if (reply := envelope.reply) is not None:
            reply.on_abandoned = scope.cancel
        return reply

    def _handle_plainly(self, envelope: Envelope) -> bytes | None:
        """Let a plain function handle a message in the actor's own task.

        Raises:
            Exception: what it raised, now or in another task's step.
        """
        if self._plain is None:
            raise InternalError("this behaviour was not started, or is closed")
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        watch = self._watch
        watch.is_on = watch.was_on = True
        try:
            return self._handle_here(envelope)
        finally:
            watch.is_on = False

    def _handle_in_step(
        self, envelope: Envelope, _: object
    ) -> bytes | Unanswered | None:
        """Let a handler that never waits handle a message in another task's step."""
        began, context, lateness = time.perf_counter(), self._context, self._lateness
        if began > lateness.due:
            lateness.note()
        context.is_in_step, context.trace_in_hand = True, envelope.trace
        answer: Any
        try:
            answer = self._enter(_call, self._plain, context, envelope)
            if answer is not None or context.has_wishes:
                answer = self._conclude(answer)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # `handle` raises it
            self._note_failure(error)
            answer = _BEGUN
        context.is_in_step = False
        if (held := time.perf_counter() - began) > lateness.limit:
            self._judge(began, held)
        done: bytes | Unanswered | None = answer
        return done

    def handle_queued(
        self, most: int, began: float, until: float, keeper: Keeper
    ) -> int:
        """Let a handler that never waits handle what is queued in another task's step."""
        context, mailbox, lateness = self._context, self._mailbox, self._lateness
        if began > lateness.due:
            lateness.note()
        context.is_in_step = True
        messages = most
        try:
            messages = cast(
                "int", self._enter(self._handle_each, most, began, until, keeper)
            )
        except BaseException as error:  # noqa: BLE001, ASYNC103  # Ctrl-C, between two messages
            self._note_failure(error)
        context.is_in_step = False
        if self._failure is None:
            if mailbox.in_hand is not None:
                mailbox.finish()
        elif mailbox.in_hand is None:
            failure, self._failure = self._failure, None
            self._shared.end_by(failure)
        return messages

    # Ctrl-C may interrupt the user's code, and nothing else of an actor.
    @disable_ki_protection
    def _handle_each(  # noqa: C901  # every message would pay for a call
        self, most: int, began: float, until: float, keeper: Keeper
    ) -> int:
        mailbox, context, clock = self._mailbox, self._context, time.perf_counter
        take, handle = mailbox.take_next, self._plain
        messages, now = 0, began
        if handle is None:
            raise InternalError("this behaviour was not started, or is closed")
        while messages < most and mailbox.taker is not None:
            envelope = take()
            if envelope is None:
                break
            messages += 1
            reply = envelope.reply
            is_bound = (
                reply is not None
                or envelope.deadline is not None
                or envelope.expires_at is not None
            )
            if is_bound and keeper.is_too_late(envelope):
                continue
            context.trace_in_hand, began = envelope.trace, now
            try:
                answer = handle(context, envelope)
                if answer is not None or context.has_wishes:
                    answer = self._conclude(answer)
            except BaseException as error:  # noqa: BLE001, ASYNC103  # `handle` raises it
                self._note_failure(error)
                now = clock()
                break  # noqa: ASYNC104  # as above
            if is_bound and mailbox.in_hand is not None:
                in_time = reply is None or reply.answer(answer)
                keeper.note_handled(in_time=in_time)
            now = clock()
            if now >= until or self.wants_to_end:
                break
        if (held := now - began) > self._lateness.limit:
            self._judge(began, held)
        return messages

    def _judge(self, began: float, held: float) -> None:
        """Report who held the thread, unless others did."""
        lateness = self._lateness
        self._shared.charges.add(began, held)
        if (held := held - lateness.since_noted()) > lateness.limit:
            self._report_held("handle", held, lateness.lookout.seen_since(began))

    def _conclude(self, answer: object) -> bytes | Unanswered | None:
        """Do what the handler asked for in its context, and check what it returned.

        Returns:
            The answer; `BEGUN` if the message was set aside, which ends it.

        Raises:
            TypeError: it returned something else than bytes or None.
            StoppedByQuota: a quota ends the actor, and its handler caught that.
        """
        context = self._context
        if context.has_wishes:
            if context.ended_by is not None:
                raise context.ended_by
            self.wants_to_end = context.has_wishes = context.wants_to_stop
            if context.wants_to_stash:
                context.wants_to_stash = False
                self._mailbox.stash()
                return _BEGUN
        if answer is None or type(answer) is bytes:
            return answer
        return _checked_answer(self._plain, answer)

    def _note_failure(self, error: BaseException) -> None:
        self._failure = error
        self._drop_wishes()

    def _note_end(self, error: StoppedByQuota) -> None:
        """Note that the actor ends by a quota, even if its handler catches the error."""
        self._context.ended_by, self._context.has_wishes = error, True

    def _drop_wishes(self) -> None:
        """Forget what the handler asked for, except that its actor ends."""
        context = self._context
        context.wants_to_stash, context.ended_by = False, None
        self.wants_to_end = context.has_wishes = context.wants_to_stop

    def _handle_here(self, envelope: Envelope) -> bytes | None:
        """Call a handler that never waits in the actor's own task.

        Raises:
            TypeError: it returned something else than bytes or None.
            Exception: what it raised.
        """
        context = self._context
        context.trace_in_hand = envelope.trace
        try:
            answer = self._conclude(_call(self._plain, context, envelope))
        finally:
            self._drop_wishes()
        return None if isinstance(answer, Unanswered) else answer

    async def renewed(self) -> PythonBehaviour:
        """Go on: Python code that was cut off can be called again."""
        return self

    async def health(self) -> HealthStatus:
        """Ask the code how it is.

        Raises:
            TypeError: it returned something else than a HealthStatus.
            Exception: what it raised.
        """
        try:
            status: object = await self._call_hook("health")
        finally:
            self._watch.pause()
        if type(status) is HealthStatus:
            return status
        raise TypeError(f"health returned {kind_name(status)}; return a HealthStatus")

    def note_stop_asked(self) -> None:
        """Notify the code that it is asked to stop."""
        self._context.note_stop_asked()

    @property
    def prepares_for_restarts(self) -> bool:
        """Whether the code has a hook for it."""
        return hasattr(self._code, "before_restart")

    async def before_restart(self, reason: ExitReason) -> None:
        """Let the code put things in order after it failed; reports its own failures."""
        try:
            await self._call_in_time("before_restart", reason)
        except Exception as error:  # noqa: BLE001  # the first failure is what counts
            self._report_failed("before_restart", error)

    async def stop(self) -> None:
        """Let the code say goodbye.

        Raises:
            Exception: what it raised.
        """
        if self._spec.shutdown == math.inf:
            await self._call_in_time("stopped")
        else:  # which the supervisor keeps
            await self._call_hook("stopped")

    def close(self) -> None:
        """Let go of the code; end its subscriptions.

        What it set aside is left to the next incarnation.
        """
        self._context.end_subscriptions()
        self._gates.close()
        self._code = self._handle = self._plain = None
        self.handle_at_once = self._failure = None
        self._mailbox.unstash_all()
        self._context.close()

    async def _call_in_time(self, name: str, *arguments: object) -> None:
        if not hasattr(self._code, name):
            return
        seconds = self._spec.hook_timeout
        with trio.move_on_after(seconds) as scope:
            await self._call_hook(name, *arguments)
        if scope.cancelled_caught:
            error = TimeoutError(f"cut off after {seconds:g} s (hook_timeout)")
            self._report_failed(name, error)

    def _report_failed(self, hook: str, error: Exception) -> None:
        self._shared.events(HookFailed(self._spec.id, hook, error))

    async def _call_hook(self, name: str, *arguments: object) -> object:
        self._context.trace_in_hand = None
        hook = getattr(self._code, name, None)
        if hook is None:
            return None
        report = partial(self._report_held, name)
        shared = self._shared
        watch = HeldThreadWatch(shared.lateness, shared.charges, report)
        try:
            return await watch.run(_unprotected(hook, self._context, *arguments))
        finally:
            self.wants_to_end = self._context.wants_to_stop

    def _report_handler(self, seconds: float, where: str) -> None:
        self._report_held("handle", seconds, where)

    def _report_held(self, method: str, seconds: float, where: str) -> None:
        name = getattr(self._spec.behaviour, "__qualname__", "?")
        held = f"{name}.{method}" if inspect.isclass(self._spec.behaviour) else name
        event = HandlerHeldThread(self._spec.id, held, seconds, where)
        self._shared.events(event)


def _plain_answer(answer: object) -> bytes:
    if is_a(answer, bytes):
        return plain_bytes(cast("bytes", answer))
    kind = kind_name(answer)
    raise TypeError(f"handle returned {kind}; return bytes or None")


# Ctrl-C may interrupt the user's code, and nothing else of an actor.
@disable_ki_protection
def _call(function: _Plain | None, context: ActorContext, envelope: Envelope) -> object:
    if function is None:
        raise InternalError("this behaviour was not started, or is closed")
    return function(context, envelope)


def _as_plain(handle: _Handle) -> _Plain:
    """Make a plain function of an async one that never waits."""

    def call(context: ActorContext, envelope: Envelope) -> object:
        try:
            handle(context, envelope).send(None)
        except StopIteration as finished:
            return finished.value
        raise InternalError("an async function without an await has waited")

    call.__wrapped__ = handle  # type: ignore[attr-defined]  # as functools.wraps, for less
    return call


def _checked_answer(function: object, answer: object) -> bytes:
    if inspect.isawaitable(answer) and is_plain(function):
        raise not_awaited(function, answer)
    return _plain_answer(answer)


@disable_ki_protection
def _make(behaviour: type[Any], arguments: tuple[Any, ...]) -> object:
    return behaviour(*arguments)


@disable_ki_protection
async def _unprotected(code: Callable[..., Awaitable[_T]], *arguments: object) -> _T:
    return await code(*arguments)
