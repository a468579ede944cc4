"""One running child: its start handshake, its shielded scope, its end.

A child is one incarnation: a task that runs it once. Its supervisor decides when it starts
and stops (policy); this module is how that decision reaches the task.

The report of its end must not fail: otherwise its supervisor would wait forever. What the
child raised may be of any class, so judging it is guarded as a whole, and nothing else
happens before the report.

Its scope is shielded: a cancellation from outside never reaches it, only `kill` does.
Otherwise Trio would stop siblings in random order. That we asked, and that we killed,
is recorded here before it is done; `CancelScope.cancelled_caught` alone proves neither.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, cast, final, runtime_checkable

import attrs
import trio
from trio.lowlevel import Task, current_task, enable_ki_protection

from airssys.contracts import (
    BrutalKill,
    ExitReason,
    Shutdown,
    TraceContext,
    find_fatal,
    is_a,
    leaves_of,
)
from airssys.nursery.restarts import exit_reason, unjudged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

GRACE: Final = 1.0
"""Seconds that a cancelled child has before it is reported as unstopped."""
PROMPT_PASSES: Final = 5
"""Scheduler passes that a child has to end in, however short its shutdown time is."""


class Incarnation(Protocol):
    """What a child does, once.

    One that is ready in its first step, or fails there, says so as `starts_at_once`.
    One that can be ready without a task has a method `begin`, see `Beginning`.
    One that may end in the middle of a message has the trace of that as `trace`, which is
    None if there was none.
    """

    async def run(self, ready: Callable[[], None]) -> None:
        """Start, call `ready`, then work until done or asked to stop.

        Being cancelled is being killed: it must give everything back and leave.

        Raises:
            Stop: it ends on purpose.
            CapacityReached: there was no capacity to start it.
            BaseException: it crashed, or the program is to end.
        """
        ...

    def stop_soon(self) -> bool:
        """Ask it to finish what it is doing and to return; may be called at any time.

        Returns:
            Whether it will return; otherwise it is cancelled, which does not count as a kill.
        """
        ...


@runtime_checkable
class Commander(Protocol):
    """An incarnation that has children of its own."""

    def note_kill_above(self) -> None:
        """Note that a supervisor above was killed; this one is cancelled next.

        OTP's would stop its children, with all the time that they may take. It has none,
        so they are cancelled, but by a supervisor that stops them.
        """
        ...

    async def wait_until_all_cancelled(self) -> None:
        """Wait until all below have been cancelled or have ended; takes no time."""
        ...


class Beginning(Protocol):
    """How an incarnation becomes ready without a task, in the step of its supervisor.

    Most children wait for something to do, for which they need no task, and to
    start one takes longer than all else.
    """

    def begin(self, ready: Callable[[], None], go_on: Callable[[], None]) -> bool:
        """Call `ready` now, if that needs no task; otherwise nothing has happened.

        It must not fail. `run` does not call `ready` again.

        Args:
            ready: as for `run`.
            go_on: to be called once, when there is something to do: has `run` called,
                in a task whose context is a copy of that of the caller.

        Returns:
            Whether it is ready. Otherwise `run` is called now.
        """
        ...

    def rouse(self) -> None:
        """Call `go_on` now, unless it was called; the child was cancelled."""
        ...


class Supervision(Protocol):
    """What a child reports to."""

    def child_ready(self, child: Child) -> None: ...
    def child_ended(self, child: Child, reason: ExitReason) -> None: ...


@final
@attrs.define(eq=False)
class Child:
    """One incarnation of a child; started once."""

    _path: str
    _incarnation: Incarnation
    _start_timeout: float
    """Seconds to become ready in, from now on."""
    _supervision: Supervision
    _scope: trio.CancelScope | None = attrs.field(init=False, default=None)
    """Around all that it does; None until it has a task, or is cancelled."""
    _nursery: trio.Nursery | None = attrs.field(init=False, default=None)
    """Where its task is to run; None once it was started."""
    _ended: trio.Event | None = attrs.field(init=False, default=None)
    """Set when it ends; None until a task waits for that."""
    is_ready: bool = attrs.field(init=False, default=False)
    asked: bool = attrs.field(init=False, default=False)
    """We asked it to stop or killed it, before it had ended."""
    reason: ExitReason | None = attrs.field(init=False, default=None)
    """How it ended; None while it lives."""
    fatal: BaseException | None = attrs.field(init=False, default=None)
    """What it raised that must leave the tree: KeyboardInterrupt, SystemExit."""
    _is_cut_off: bool = attrs.field(init=False, default=False)
    """We cancelled it because it could not be asked."""
    _task: Task | None = attrs.field(init=False, default=None)
    _killed: bool = attrs.field(init=False, default=False)

    def _make_scope(self) -> trio.CancelScope:
        if self.is_ready or getattr(self._incarnation, "starts_at_once", False):
            return trio.CancelScope(shield=True)  # Trio keeps each deadline for a while
        deadline = trio.current_time() + self._start_timeout
        return trio.CancelScope(deadline=deadline, shield=True)

    def start(self, nursery: trio.Nursery) -> None:
        """Start it; it reports when it is ready, perhaps at once, and when it has ended."""
        self._nursery = nursery
        begin: Callable[..., bool] | None = getattr(self._incarnation, "begin", None)
        if begin is None or not begin(self._note_ready, self._start_task):
            self._start_task()

    def _start_task(self) -> None:
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            nursery.start_soon(self._live, name=f"airssys {self._path}")

    @property
    def trace(self) -> TraceContext | None:
        """The trace of the message in progress when it ended, if there was one."""
        # To look for a protocol's members takes longer than the rest of a report.
        trace: TraceContext | None = getattr(self._incarnation, "trace", None)
        return trace

    def runs_caller(self) -> bool:
        """Say whether the task that calls is this child's, or one below it."""
        task: Task | None = current_task()
        while task is not None and task is not self._task:
            nursery = task.parent_nursery
            task = None if nursery is None else nursery.parent_task
        return task is not None

    def ask_to_stop(self) -> None:
        """Ask it to finish what it is doing and to end; asking again does nothing."""
        if self.reason is None and not self.asked:
            self.asked = True
            if not self._incarnation.stop_soon():
                self._is_cut_off = True
                self._cancel()

    def kill(self, *, asked: bool = True) -> None:
        """Cancel it: it ends at its next unshielded checkpoint.

        Args:
            asked: its supervisor wants its end; otherwise it is a failure like others.
        """
        if self.reason is None:
            self.asked |= asked
            self._killed = True
            self._cancel()

    def _cancel(self) -> None:
        if self._scope is None:
            self._scope = self._make_scope()
        self._scope.cancel()
        if self.is_ready and self._nursery is not None:
            cast("Beginning", self._incarnation).rouse()

    async def fall(self, *, is_kill: bool) -> None:
        """Cancel it, because its supervisor was killed or one further above.

        Returns when it has ended; or when all below it have been cancelled too, and some
        passes of the scheduler were not enough. That takes no time.

        Args:
            is_kill: its own supervisor was killed; otherwise that one stops it.
        """
        below = self._incarnation if isinstance(self._incarnation, Commander) else None
        if self.reason is None and below is not None:
            below.note_kill_above()
        if self.reason is None and not is_kill:
            self.asked = self._is_cut_off = True
            self._cancel()
        else:
            self.kill()
        if self.reason is None and below is not None:
            await below.wait_until_all_cancelled()
        for _ in range(PROMPT_PASSES):
            if self.reason is None:
                await trio.lowlevel.checkpoint()

    async def wait_ended(self) -> ExitReason:
        """Wait for its end, and say how it ended."""
        while self.reason is None:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
        return self.reason

    async def stop(self, shutdown: Shutdown, grace: float = GRACE) -> ExitReason | None:
        """Ask, wait, kill, as its shutdown time says (OTP rule 40).

        Returns:
            How it ended; None if it still lives a grace after being killed.
        """
        await stop_all((self,), shutdown, grace)
        return self.reason

    @enable_ki_protection
    async def _live(self) -> None:
        error: BaseException | None = None
        self._task = current_task()
        if self._scope is None:
            self._scope = self._make_scope()
        try:
            with self._scope:
                await self._incarnation.run(self._note_ready)
        except BaseException as raised:  # noqa: BLE001, ASYNC103  # its supervisor decides
            error = raised
        self._note_end(error)

    def _note_ready(self) -> None:
        self.is_ready = True
        if self._scope is not None and self._scope.deadline != math.inf:
            self._scope.deadline = math.inf
        self._supervision.child_ready(self)

    def _note_end(self, error: BaseException | None) -> None:
        try:
            self.reason = reason = self._judge(error)
        except BaseException as problem:  # noqa: BLE001, ASYNC103  # see the head of this file
            self.reason = reason = unjudged(error)
            if self.fatal is None:
                self.fatal = find_fatal(problem)
        if self._ended is not None:
            self._ended.set()
        self._supervision.child_ended(self, reason)

    def _judge(self, error: BaseException | None) -> ExitReason:
        was_cut_off = self._scope is not None and self._scope.cancelled_caught
        is_ours = self._killed or self._is_cut_off
        if error is not None:
            error = _without_cancellation(error)
            self.fatal = find_fatal(error)
        elif was_cut_off and not is_ours:
            seconds = f"{self._start_timeout:g} s"
            error = TimeoutError(f"was not ready within {seconds}")
        return exit_reason(
            error,
            asked=self.asked,
            killed=self._killed and was_cut_off,
            ready=self.is_ready,
        )


async def stop_all(
    children: Collection[Child], shutdown: Shutdown, grace: float = GRACE
) -> list[Child]:
    """Ask all, wait, kill those left, as their common shutdown time says (OTP rule 40).

    Returns:
        Those that still live a grace after being killed.
    """
    if not isinstance(shutdown, BrutalKill):
        for child in children:
            child.ask_to_stop()
        for _ in range(PROMPT_PASSES if shutdown <= 0 else 0):
            await trio.lowlevel.checkpoint()
        await still_alive(children, shutdown)
    for child in children:
        child.kill()
    return await still_alive(children, grace)


async def still_alive(children: Iterable[Child], grace: float) -> list[Child]:
    """Wait until all have ended, at most `grace` seconds; return those that have not."""
    waited_for = [child for child in children if child.reason is None]
    with trio.move_on_after(grace):
        for child in waited_for:
            await child.wait_ended()
    return [child for child in waited_for if child.reason is None]


def _without_cancellation(error: BaseException) -> BaseException:
    """Turn a cancellation that is not ours into an error of the one that let it out.

    A group goes on without those in it.
    """
    if not issubclass(type(error), BaseExceptionGroup):
        return _stray(error) if is_a(error, trio.Cancelled) else error
    leaves = tuple(leaves_of(error))
    rest = tuple(each for each in leaves if not is_a(each, trio.Cancelled))
    if len(rest) == len(leaves):
        return error
    if not rest:
        return _stray(error)
    if len(rest) == 1:
        return rest[0]
    group = BaseExceptionGroup("errors beside a cancellation", rest)
    group.__cause__ = error
    return group


def _stray(error: BaseException) -> RuntimeError:
    problem = RuntimeError("let a cancellation escape that was not its own")
    problem.__cause__ = error
    return problem
