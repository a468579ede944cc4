"""Opening a system, and the one way in which it ends.

Theory. The body of `async with open_system(...)` runs in the caller's task. Everything
else, from loading the components to the end of the tree, runs in one task of ours, the
keeper, which nothing from outside can cancel or interrupt. However the body ends (it
returns, raises, is cancelled from outside, is interrupted by Ctrl-C, or is cancelled by
us because the root gave up), the same steps follow: remember how it ended, have the
keeper stop the tree in order within `stop_timeout`, cancel what is left of it, and only
then continue with the remembered exception, which is the same object. It does not pass
through a nursery of ours, which would wrap it.

Ctrl-C. The code of this library is protected from KeyboardInterrupt, but the code of
Python actors is not. So the interrupt is raised in the body, in a handler or, if
neither runs, at the next checkpoint of the main task. That is why the keeper is a task
of its own: the caller's task, which may be the main task, only waits for the keeper, so
an interrupt never finds a half-opened nursery. Each case is one of the endings above. A
second interrupt cancels the whole tree at once.
"""

from __future__ import annotations

import os
import time
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    USER_CACHE,
    Blueprint,
    EngineMisused,
    Randomness,
    UserCache,
    WallClock,
    as_blueprint,
    check,
    check_all,
    few_full_collections,
    is_a,
    keyword_renamed,
    leaves_of,
    stop_time,
)
from airssys.nursery import HELD_THREAD_AFTER
from airssys.security.policies import grant_mistakes

from ._given import steady_clock, steady_randomness, steady_rng
from ._root import Root
from ._system import System
from ._wiring import (
    Components,
    LoaderOpener,
    Wired,
    load_components,
    open_wasm_loader,
    wire,
    with_cache,
)
from .events import EVENTS_KEPT, EventFanout, EventStream

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from airssys.security.audit import AuditLog

    from .events import Auditor


@keyword_renamed("chance", "rng")
def open_system(  # noqa: PLR0913  # keywords with defaults
    blueprint: Blueprint | type[object],
    *,
    cache_directory: str | Path | UserCache | None = USER_CACHE,
    open_loader: LoaderOpener = open_wasm_loader,
    wall_clock: WallClock = time.time_ns,
    randomness: Randomness = os.urandom,
    held_thread_after: float = HELD_THREAD_AFTER,
    rng: random.Random | None = None,
    audit: AuditLog | None = None,
    tune_gc: bool = True,
) -> SystemManager:
    """Run a blueprint for as long as a block lasts.

        async with open_system(blueprint) as system:
            print(await system.ask("greeter", b"world"))

    The block begins when every component is loaded and every actor is ready. However it
    is left, the tree stops in reverse order, within its shutdown times, `stop_timeout`
    and `stop_budget`; what is left then is cancelled. Only then does the block's own
    exception or cancellation continue, unchanged.

    Args:
        blueprint: What to run, or a topology; what components may do is in their `can=`.
        cache_directory: Where compiled components are kept between runs. It is created
            for its owner alone if it does not exist. By default it is the user's own,
            `airssys.wasm.user_cache_directory()`. None: each run compiles again. If the
            directory cannot be used (a full disk, say), a warning is logged.
        open_loader: Opens the engine. `cache_directory` is for the default one only.
        wall_clock: Nanoseconds since 1970, for messages and guests.
        randomness: For correlation ids; must be unguessable.
        held_thread_after: Seconds for which a handler may block Trio without an event.
        rng: Where the jitter of back-offs comes from; a fixed seed repeats them.
        audit: Where decisions about accesses of restricted actors are recorded, if at all.
        tune_gc: Full collections of garbage are rare in this process until it is open.

    Raises:
        AuditFailed: The audit log is damaged, or cannot be opened or completed.
        DefinitionError: The blueprint cannot be run.
        PermissionError: Other users can access the cache directory that was given.
        ComponentRefused: A component cannot be loaded.
        StartFailed: An actor did not become ready.
        SystemGaveUp: The root supervisor used up its restarts; the block was cancelled.
    """
    whole = as_blueprint(blueprint)  # another loader may find its files elsewhere
    check_it = check_all if open_loader is open_wasm_loader else check
    check_it(whole, grant_mistakes)
    opener = with_cache(open_loader, cache_directory)
    given = whole, opener, wall_clock, randomness, held_thread_after, rng
    return SystemManager(*given, audit=audit, tune_gc=tune_gc)


@final
class SystemManager(AbstractAsyncContextManager["System"]):
    """One system from its opening to its end; entered once."""

    def __init__(  # noqa: PLR0913  # what open_system was given
        self,
        blueprint: Blueprint,
        open_loader: LoaderOpener,
        wall_clock: WallClock,
        randomness: Randomness,
        held_thread_after: float,
        rng: random.Random | None = None,
        *,
        audit: AuditLog | None = None,
        tune_gc: bool = True,
    ) -> None:
        self._tune_gc = tune_gc
        self._blueprint, self._open_loader = blueprint, open_loader
        self._wall_clock = steady_clock(wall_clock, self._end_by)
        self._randomness = steady_randomness(randomness, self._end_by)
        self._rng = steady_rng(rng, self._end_by)
        self._held_thread_after = held_thread_after
        self._auditor = None if audit is None else self._auditor_for(audit)
        self._events = EventFanout(self._end_by)
        self._keeper_scope = trio.CancelScope(shield=True)
        """Cancelled only while there is no root; later the root is stopped in order."""
        self._body_scope = trio.CancelScope()
        self._services_scope = trio.CancelScope()
        self._services_ended = trio.Event()
        self._is_decided = trio.Event()
        """The system is ready, or will not be."""
        self._is_left = trio.Event()
        """The body has ended, or will not begin."""
        self._kept = trio.Event()
        """The keeper has finished."""
        self._root: Root | None = None
        self._system: System | None = None
        self._failure: BaseException | None = None
        """What went wrong in the keeper: an error while loading, or a bug."""
        self._error: BaseException | None = None
        """How the block ended, unless it returned or was cancelled by us."""
        self._interrupt: KeyboardInterrupt | None = None
        """The last interrupt that came while the tree stopped."""
        self._fatal: BaseException | None = None
        """What code raised to end the program, in a step that must not fail."""
        self._is_ending = False
        """Code in the tree, or Ctrl-C while it stopped, has asked to end the program."""
        self._lifetime = self._live()

    def _auditor_for(self, audit: AuditLog) -> Auditor:
        from .events import Auditor  # noqa: PLC0415  # few programs have an audit log

        return Auditor(audit, self._wall_clock, self._end_by)

    # The interpreter calls these in the caller's frame, where Ctrl-C may interrupt
    # them.
    @enable_ki_protection
    async def __aenter__(self) -> System:
        _check_trio()
        return await self._lifetime.__aenter__()

    @enable_ki_protection
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._lifetime.__aexit__(kind, error, traceback)  # noqa: ASYNC102  # it shields itself

    def listen(self, capacity: int = EVENTS_KEPT) -> EventStream:
        """Listen to events, starting before the first one; see `EventStream`."""
        return self._events.listen(capacity)

    @property
    def has_failed(self) -> bool:
        """Whether the root gave up or did not start, or loading failed."""
        failed = self._root is not None and self._root.failure() is not None
        return failed or self._failure is not None or self._fatal is not None

    def cancel_now(self) -> None:
        """Cancel the whole tree at once, even while it is stopping."""
        self._body_scope.cancel()
        if self._root is not None:
            self._root.kill()

    @asynccontextmanager
    @enable_ki_protection
    async def _live(self) -> AsyncIterator[System]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep, name="airssys system")
            try:
                await self._is_decided.wait()
                if self._system is not None:
                    with self._body_scope:
                        yield self._system
            except BaseException as error:  # noqa: BLE001, ASYNC103 (raised at the end)
                self._error = error
            self._leave()
            with trio.CancelScope(shield=True):
                await self._outlast(self._kept)
            while nursery.child_tasks:  # waiting for the keeper could be interrupted
                await trio.lowlevel.cancel_shielded_checkpoint()
        self._events.close()
        if self._system is not None:
            self._system.end_subscriptions()
        self._raise_outcome()

    def _leave(self) -> None:
        """Have the keeper stop the tree, or not start it."""
        self._is_left.set()
        if self._root is None:
            self._keeper_scope.cancel()
        else:
            self._root.stop_waiting()

    @enable_ki_protection
    async def _keep(self) -> None:
        """Open, keep and stop everything; raises nothing."""
        try:
            with self._keeper_scope:
                if self._auditor is not None:
                    await self._auditor.open()
                async with load_components(
                    self._blueprint, self._open_loader
                ) as components:
                    await self._keep_tree(components)
        except BaseException as error:  # noqa: BLE001, ASYNC103 (the caller's task raises it)
            self._failure = error
        finally:
            self._body_scope.cancel()
            self._is_decided.set()
            self._kept.set()

    async def _keep_tree(self, components: Components) -> None:
        parts = wire(
            self._blueprint,
            components,
            self._events,
            wall_clock=self._wall_clock,
            randomness=self._randomness,
            held_thread_after=self._held_thread_after,
            on_fatal=self._note_escape,
            end_by=self._end_by,
            rng=self._rng,
            recorder=self._auditor,
        )
        if self._is_left.is_set():
            return
        # From here on the keeper is not cancelled, because the tree must be stopped in
        # order.
        self._root = root = Root(parts.root, self._body_scope.cancel)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run_services, parts)
            if self._auditor is not None:
                self._auditor.attach(parts.authorities)
                nursery.start_soon(self._auditor.serve)
            root.start(nursery)
            with few_full_collections(wanted=self._tune_gc):
                await root.wait_ready()
            if root.failure() is None and not self._is_left.is_set():
                self._system = System(parts, self._events)
                self._is_decided.set()
                await self._is_left.wait()
            await self._stop(root)
        if self._auditor is not None:
            self._auditor.check_end()

    @enable_ki_protection
    async def _run_services(  # noqa: ASYNC128  # the broker calls it
        self, parts: Wired, *, task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            with self._services_scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(parts.sleepers.serve)
                    nursery.start_soon(parts.replacer.serve)
                    nursery.start_soon(parts.timers.serve)
                    nursery.start_soon(parts.expiries.serve)
                    nursery.start_soon(parts.dispatcher.serve)
                    # When this has come second in a pass, they serve.
                    await trio.lowlevel.checkpoint()
                    await parts.broker.run(task_status=task_status)
        finally:
            self._services_ended.set()

    async def _stop(self, root: Root) -> None:
        root.ask_to_stop()
        with trio.move_on_after(stop_time(self._blueprint)):
            await root.ended.wait()
        root.kill()
        await root.ended.wait()
        self._services_scope.cancel()
        await self._services_ended.wait()
        if self._auditor is not None:
            await self._auditor.finish(stop_time(self._blueprint))

    async def _outlast(self, event: trio.Event) -> None:
        """Wait for an event, even if interrupts arrive meanwhile."""
        while not event.is_set():
            try:
                await event.wait()
            except KeyboardInterrupt as interrupt:
                self._interrupt = interrupt
                self._note_escape(interrupt)

    def _note_escape(self, error: BaseException) -> None:
        """Note a request to end the program; the second one cancels everything."""
        if is_a(error, trio.Cancelled):
            return
        if self._is_ending or _is_exit(self._error):
            self.cancel_now()
        self._is_ending = True

    def _end_by(self, error: BaseException) -> None:
        """End the block and the tree in order, then raise this error.

        If code raises it repeatedly while the tree stops, the tree still stops in
        order.
        """
        if self._fatal is None and not is_a(error, trio.Cancelled):
            self._fatal, self._is_ending = error, True
            self._body_scope.cancel()

    def _first_failure(self) -> BaseException | None:
        for failure in (self._interrupt, self._fatal, self._failure):
            if failure is not None:  # it may be of a class that refuses to be a bool
                return failure
        return None if self._root is None else self._root.failure()

    def _raise_outcome(self) -> None:
        failure = self._first_failure()
        if failure is None or _is_exit(self._error):
            failure = self._error
        elif self._error is not None and is_a(self._error, Exception):
            with suppress(Exception):  # its class may refuse it
                failure.__context__ = self._error
        if failure is not None:
            raise failure


def _check_trio() -> None:
    """Check that Trio runs this task, before anything fails without it.

    Raises:
        EngineMisused: another event loop runs this task.
    """
    try:
        trio.lowlevel.current_task()
    except (RuntimeError, AttributeError):
        problem = "airssys runs in Trio, and this task does not"
        error = EngineMisused(problem)
        error.advice = 'Use trio.run, or with anyio anyio.run(..., backend="trio")'
        raise error from None


def _is_exit(error: BaseException | None) -> bool:
    """Say whether an error ends the program, at any depth."""
    if error is None:
        return False
    exits = (KeyboardInterrupt, SystemExit)
    return any(is_a(each, exits) for each in leaves_of(error))
