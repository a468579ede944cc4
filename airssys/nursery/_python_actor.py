"""Behaviour by Python code: an async function, or a class made afresh for each start.

    async def handle(context: ActorContext, envelope: Envelope) -> bytes | None: ...

    class Counter:
        def __init__(self, *arguments): ...          # spec.arguments
        async def started(self, context): ...        # optional, before it is ready
        async def handle(self, context, envelope): ...
        async def stopped(self, context): ...        # optional, when it ends on purpose
        async def health(self, context): ...         # a HealthStatus; if it is probed

What `handle` returns answers the asker. An exception is a crash: the message in hand
becomes a dead letter and the supervisor decides. At the deadline of its envelope, or when
its asker stops waiting, `handle` is cancelled, and the actor lives on with the next
message.

Python cannot be interrupted: a handler ends at its next unshielded checkpoint, and one
that keeps the thread keeps it from everybody. Such a handler is named by an event.
"""

from __future__ import annotations

import inspect
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, final

from trio.lowlevel import disable_ki_protection

from airssys.contracts import (
    ActorSpec,
    ComponentInfo,
    Envelope,
    HandlerHeldThread,
    HealthStatus,
    InternalError,
)
from airssys.messaging import ActorSubscriber

from ._actor_context import ActorContext

if TYPE_CHECKING:
    import trio

    from airssys.messaging import Mailbox

    from ._surroundings import Surroundings

_T = TypeVar("_T")
_Handle: TypeAlias = Callable[
    ["ActorContext", Envelope], Coroutine[Any, Any, bytes | None]
]


@final
class PythonBehaviour:
    """One incarnation of Python code."""

    def __init__(
        self, spec: ActorSpec, surroundings: Surroundings, mailbox: Mailbox
    ) -> None:
        self._spec, self._surroundings = spec, surroundings
        self._mailbox = mailbox
        self._subscriber = ActorSubscriber(spec.id, surroundings.publishing)
        self._context = ActorContext(spec.id, surroundings, self._subscriber, mailbox)
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
        """Let the code handle a message.

        At its deadline it is cancelled, or when its asker stops waiting.

        Raises:
            TypeError: it returned something else than bytes or None.
            Exception: what it raised.
        """
        if self._handle is None:
            raise InternalError("this behaviour was not started, or is closed")
        context = self._context
        context.wants_to_stash = False
        context.trace = envelope.trace
        reply = envelope.reply
        if reply is not None:
            reply.on_abandoned = scope.cancel
        try:
            answer: object = await _watch_slices(
                _unprotected(self._handle, context, envelope),
                self._surroundings.held_thread_after,
                self._report_handle,
                None if envelope.deadline is None else (scope, envelope.deadline),
            )
        finally:
            if reply is not None:
                reply.on_abandoned = None
        if context.wants_to_stash:
            self._mailbox.stash()
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
        """Let go of the code; end its subscriptions.

        What it set aside is left to the next incarnation.
        """
        self._subscriber.close()
        self._code = self._handle = None
        self._mailbox.unstash_all()
        self._context.close()

    async def _call_hook(self, name: str) -> object:
        self._context.trace = None
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
