"""Opening a system, and the one way in which it ends.

Theory. The body of `async with open_system(...)` runs in the caller's task, the tree in
a nursery of ours. However the body ends (it returns, raises, is cancelled from outside,
is interrupted by Ctrl-C, or is cancelled by us because the root gave up), the same
steps follow: note how, shield everything from outside, stop the tree in order within
`stop_timeout`, cancel what is left of it, and only then let the noted exception go on,
as the same object. It never travels through our nursery, which would wrap it.

Ctrl-C. Whatever this library runs is protected from KeyboardInterrupt, except for the
code of Python actors; so one arises in the body, in a handler, or, when neither runs,
in the main task's next checkpoint. Each way is one of the endings above. If it is the
second one, the tree is cancelled at once.
"""

from __future__ import annotations

import os
import time
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    Blueprint,
    Randomness,
    WallClock,
    as_blueprint,
    check,
    is_a,
    leaves_of,
    stop_time,
)
from airssys.nursery import HELD_THREAD_AFTER

from ._event_fanout import EVENTS_KEPT, EventFanout, EventStream
from ._given import steady_chance, steady_clock, steady_randomness
from ._root import Root
from ._system import System
from ._wiring import (
    LoaderOpener,
    Parts,
    load_components,
    open_wasm_loader,
    wire,
    with_cache,
)

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType


def open_system(  # noqa: PLR0913  # keywords with defaults
    blueprint: Blueprint | type[object],
    *,
    cache_directory: str | Path | None = None,
    open_loader: LoaderOpener = open_wasm_loader,
    wall_clock: WallClock = time.time_ns,
    randomness: Randomness = os.urandom,
    held_thread_after: float = HELD_THREAD_AFTER,
    chance: random.Random | None = None,
) -> Opening:
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
            is not there, for its owner alone. None: nothing is kept, and each run
            compiles anew. That is the default because what is kept is code that will be
            run: a program says itself whether and where it leaves such files. The
            user's own directory is `airssys.wasm.user_cache_directory()`.
        open_loader: what opens the engine for components; with another one than this
            library's, `cache_directory` cannot be given.
        wall_clock: nanoseconds since 1970, for messages and guests.
        randomness: what correlation ids are made of; it must not be guessable.
        held_thread_after: seconds that a Python handler may hold the Trio thread
            without being named by an event.
        chance: where the jitter of back-offs comes from; with one of a known seed they
            are always the same.

    Raises:
        DefinitionError: the blueprint cannot be run.
        PermissionError: others can reach the cache directory.
        ComponentRefused: a component cannot be loaded.
        StartFailed: an actor did not become ready.
        SystemGaveUp: the root supervisor ran out of restarts; the block was cancelled.
    """
    whole = as_blueprint(blueprint)
    check(whole)
    opener = with_cache(open_loader, cache_directory)
    return Opening(whole, opener, wall_clock, randomness, held_thread_after, chance)


@final
class Opening(AbstractAsyncContextManager["System"]):
    """One system from its opening to its end; entered once."""

    def __init__(
        self,
        blueprint: Blueprint,
        open_loader: LoaderOpener,
        wall_clock: WallClock,
        randomness: Randomness,
        held_thread_after: float,
        chance: random.Random | None = None,
    ) -> None:
        self._blueprint, self._open_loader = blueprint, open_loader
        self._wall_clock = steady_clock(wall_clock, self._end_by)
        self._randomness = steady_randomness(randomness, self._end_by)
        self._chance = steady_chance(chance, self._end_by)
        self._held_thread_after = held_thread_after
        self._events = EventFanout(self._end_by)
        self._guard = trio.CancelScope()
        self._body_scope = trio.CancelScope()
        self._services_scope = trio.CancelScope()
        self._services_ended = trio.Event()
        self._root: Root | None = None
        self._system: System | None = None
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

    def hurry(self) -> None:
        """Cancel the whole tree at once, however far its stopping has come."""
        self._body_scope.cancel()
        if self._root is not None:
            self._root.kill()

    @asynccontextmanager
    @enable_ki_protection
    async def _live(self) -> AsyncIterator[System]:
        with self._guard:
            async with load_components(
                self._blueprint, self._open_loader
            ) as components:
                parts = wire(
                    self._blueprint,
                    components,
                    self._events,
                    wall_clock=self._wall_clock,
                    randomness=self._randomness,
                    held_thread_after=self._held_thread_after,
                    on_escape=self._note_escape,
                    end_by=self._end_by,
                    chance=self._chance,
                )
                async with trio.open_nursery() as nursery:
                    self._root = root = Root(parts.root, self._body_scope.cancel)
                    try:
                        await nursery.start(self._run_services, parts)
                        # Not before: Trio would wait for ever for a shielded task
                        # whose start was cancelled.
                        self._services_scope.shield = True
                        root.start(nursery)
                        await root.wait_ready()
                        if root.failure() is None:
                            with self._body_scope:
                                system = self._system = System(parts, self._events)
                                yield system
                    except BaseException as error:  # noqa: BLE001, ASYNC103 (raised at the end)
                        self._error = error
                    # From here on only we decide how long it takes.
                    self._guard.shield = True
                    await self._stop(root)
        self._events.close()
        if self._system is not None:
            self._system.end_subscriptions()
        self._raise_outcome(root)

    @enable_ki_protection
    async def _run_services(  # noqa: ASYNC128  # the broker calls it
        self, parts: Parts, *, task_status: trio.TaskStatus[None]
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
        if root.is_started:
            root.ask_to_stop()
            with trio.move_on_after(stop_time(self._blueprint)):
                await self._outlast(root.ended)
            root.kill()
            await self._outlast(root.ended)
        self._services_scope.cancel()
        await self._outlast(self._services_ended)

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
            self.hurry()
        self._is_ending = True

    def _end_by(self, error: BaseException) -> None:
        """End the block and the tree, in order; then this error comes out.

        Code that raises it again and again, while the tree stops, hurries nobody.
        """
        if self._fatal is None and not isinstance(error, trio.Cancelled):
            self._fatal, self._is_ending = error, True
            self._body_scope.cancel()

    def _raise_outcome(self, root: Root) -> None:
        failure = self._interrupt or self._fatal or root.failure()
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
