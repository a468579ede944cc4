"""Opening a system, and the one way in which it ends.

Theory. The body of `async with open_system(...)` runs in the caller's task. Everything
else, from loading the components to the end of the tree, runs in one task of ours, the
keeper, which nothing from outside can cancel or interrupt. However the body ends (it
returns, raises, is cancelled from outside, is interrupted by Ctrl-C, or is cancelled by
us because the root gave up), the same steps follow: note how, have the keeper stop the
tree in order within `stop_timeout`, cancel what is left of it, and only then let the
noted exception go on, as the same object. It never travels through a nursery of ours,
which would wrap it.

Ctrl-C. Whatever this library runs is protected from KeyboardInterrupt, except for the
code of Python actors; so one arises in the body, in a handler, or, when neither runs,
in the main task's next checkpoint. That is why the keeper is a task of its own: the
caller's, which may be the main task, only waits for it, and so an interrupt finds no
half-opened nursery whatever the moment it comes at. Each way is one of the endings
above. If it is the second one, the tree is cancelled at once.
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
    Randomness,
    UserCache,
    WallClock,
    as_blueprint,
    check,
    is_a,
    keyword_renamed,
    leaves_of,
    stop_time,
)
from airssys.nursery import HELD_THREAD_AFTER

from ._given import steady_chance, steady_clock, steady_randomness
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
) -> SystemManager:
    """Run a blueprint for as long as a block lasts.

        async with open_system(blueprint) as system:
            print(await system.ask("greeter", b"world"))

    The block begins when every component is loaded and every actor is ready. When it
    is left, in whatever way, the tree stops in reverse order, within its shutdown times
    and within `stop_timeout` and `stop_budget` as a whole; what is left then is cancelled. Only
    then does the block's own exception or cancellation go on, unchanged.

    Args:
        blueprint: what to run, or a topology: a class that makes one.
        cache_directory: where compiled components are kept from run to run; made if it
            is not there, for its owner alone. By default that is the user's own,
            `airssys.wasm.user_cache_directory()`. None: nothing is kept, and each run
            compiles anew. If it cannot be used (a full disk, say), a warning says so
            and nothing is kept.
        open_loader: what opens the engine for components; with another one than this
            library's, `cache_directory` cannot be given.
        wall_clock: nanoseconds since 1970, for messages and guests.
        randomness: what correlation ids are made of; it must not be guessable.
        held_thread_after: seconds that a Python handler may hold the Trio thread
            without being named by an event.
        rng: where the jitter of back-offs comes from; with one of a known seed they
            are always the same.

    Raises:
        DefinitionError: the blueprint cannot be run.
        PermissionError: others can reach the cache directory that was named.
        ComponentRefused: a component cannot be loaded.
        StartFailed: an actor did not become ready.
        SystemGaveUp: the root supervisor ran out of restarts; the block was cancelled.
    """
    whole = as_blueprint(blueprint)
    check(whole)
    opener = with_cache(open_loader, cache_directory)
    return SystemManager(whole, opener, wall_clock, randomness, held_thread_after, rng)


@final
class SystemManager(AbstractAsyncContextManager["System"]):
    """One system from its opening to its end; entered once."""

    def __init__(
        self,
        blueprint: Blueprint,
        open_loader: LoaderOpener,
        wall_clock: WallClock,
        randomness: Randomness,
        held_thread_after: float,
        rng: random.Random | None = None,
    ) -> None:
        self._blueprint, self._open_loader = blueprint, open_loader
        self._wall_clock = steady_clock(wall_clock, self._end_by)
        self._randomness = steady_randomness(randomness, self._end_by)
        self._chance = steady_chance(rng, self._end_by)
        self._held_thread_after = held_thread_after
        self._events = EventFanout(self._end_by)
        self._keeper_scope = trio.CancelScope(shield=True)
        """Cancelled only while there is no root yet, which would be stopped in order."""
        self._body_scope = trio.CancelScope()
        self._services_scope = trio.CancelScope()
        self._services_ended = trio.Event()
        self._is_decided = trio.Event()
        """The system is ready, or will not be."""
        self._is_left = trio.Event()
        """The body has ended, or will not begin."""
        self._kept = trio.Event()
        """The keeper has done all it had to do."""
        self._root: Root | None = None
        self._system: System | None = None
        self._failure: BaseException | None = None
        """What went wrong in the keeper: while it loaded, or a bug."""
        self._error: BaseException | None = None
        """How the block ended, if not by returning or by our cancelling it."""
        self._interrupt: KeyboardInterrupt | None = None
        """The last one that came while the tree stopped."""
        self._fatal: BaseException | None = None
        """What code of the program raised to end it, in a step that must not fail."""
        self._is_ending = False
        """Somebody in the tree, or Ctrl-C while it stopped, wished to end the program."""
        self._lifetime = self._live()

    # The interpreter calls these from the caller's frame, where Ctrl-C may strike.
    @enable_ki_protection
    async def __aenter__(self) -> System:
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
        """Listen to what happens, from before the first event; see `EventStream`."""
        return self._events.listen(capacity)

    @property
    def has_failed(self) -> bool:
        """Whether the root gave up or did not start, or something was not loaded."""
        failed = self._root is not None and self._root.failure() is not None
        return failed or self._failure is not None or self._fatal is not None

    def cancel_now(self) -> None:
        """Cancel the whole tree at once, however far its stopping has come."""
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
            rng=self._chance,
        )
        if self._is_left.is_set():
            return
        # From here on the keeper is not cancelled: there is something to stop in order.
        self._root = root = Root(parts.root, self._body_scope.cancel)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run_services, parts)
            root.start(nursery)
            await root.wait_ready()
            if root.failure() is None and not self._is_left.is_set():
                self._system = System(parts, self._events)
                self._is_decided.set()
                await self._is_left.wait()
            await self._stop(root)

    @enable_ki_protection
    async def _run_services(  # noqa: ASYNC128  # the broker calls it
        self, parts: Wired, *, task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            with self._services_scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(parts.sleepers.serve)
                    await nursery.start(parts.replacer.serve)
                    await nursery.start(parts.timers.serve)
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

    async def _outlast(self, event: trio.Event) -> None:
        """Wait for an event, through whatever interrupts come meanwhile."""
        while not event.is_set():
            try:
                await event.wait()
            except KeyboardInterrupt as interrupt:
                self._interrupt = interrupt
                self._note_escape(interrupt)

    def _note_escape(self, error: BaseException) -> None:
        """Note one wish to end the program; at the second one all is cancelled."""
        if isinstance(error, trio.Cancelled):
            return
        if self._is_ending or _is_exit(self._error):
            self.cancel_now()
        self._is_ending = True

    def _end_by(self, error: BaseException) -> None:
        """End the block and the tree, in order; then this error comes out.

        Code that raises it again and again, while the tree stops, hurries nobody.
        """
        if self._fatal is None and not isinstance(error, trio.Cancelled):
            self._fatal, self._is_ending = error, True
            self._body_scope.cancel()

    def _raise_outcome(self) -> None:
        failure = self._interrupt or self._fatal or self._failure
        if failure is None and self._root is not None:
            failure = self._root.failure()
        if failure is None or _is_exit(self._error):
            failure = self._error
        elif self._error is not None and is_a(self._error, Exception):
            with suppress(Exception):  # its class may refuse it
                failure.__context__ = self._error
        if failure is not None:
            raise failure


def _is_exit(error: BaseException | None) -> bool:
    """Say whether an error ends the program, at any depth."""
    if error is None:
        return False
    exits = (KeyboardInterrupt, SystemExit)
    return any(is_a(each, exits) for each in leaves_of(error))
