"""Runs one system as a whole program, from start to exit status."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from airssys.contracts import (
    USER_CACHE,
    AuditFailed,
    Blueprint,
    ComponentRefused,
    DefinitionError,
    InternalError,
    Randomness,
    StartFailed,
    SystemGaveUp,
    UserCache,
    WallClock,
    is_wholly,
    keyword_renamed,
    lines_of_mistakes,
    one_line,
    text_of,
)
from airssys.nursery import HELD_THREAD_AFTER

from ._log_levels import LogLevels, shown_log
from ._open_system import SystemManager, open_system
from ._signals import ServeBeforeSleep, Signals
from ._wiring import LoaderOpener, open_wasm_loader

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from airssys.security.audit import AuditLog

    from ._system import System

EXIT_OK: Final = 0
"""The main function returned."""
EXIT_REFUSED: Final = 1
"""The definition has mistakes, or a component cannot be loaded."""
EXIT_GAVE_UP: Final = 70
"""The root supervisor gave up or did not start (EX_SOFTWARE of sysexits.h)."""
EXIT_INTERRUPTED: Final = 130
"""SIGINT, as shells report it: 128 + 2."""
EXIT_TERMINATED: Final = 143
"""SIGTERM: 128 + 15."""

_T = TypeVar("_T")


@keyword_renamed("chance", "rng")
def run(  # noqa: PLR0913  # keywords with defaults
    blueprint: Blueprint | type[object],
    main: Callable[[System], Awaitable[_T]] | None = None,
    *,
    log: LogLevels | None = None,
    cache_directory: str | Path | UserCache | None = USER_CACHE,
    open_loader: LoaderOpener = open_wasm_loader,
    wall_clock: WallClock = time.time_ns,
    randomness: Randomness = os.urandom,
    held_thread_after: float = HELD_THREAD_AFTER,
    rng: random.Random | None = None,
    audit: AuditLog | None = None,
) -> _T | None:
    """Run a blueprint as a program, under Trio, until `main` returns or a signal comes.

    On SIGINT or SIGTERM `main` is cancelled and the tree stops in order; a second
    signal cancels the whole tree at once. Exit statuses: `EXIT_OK`, `EXIT_REFUSED`,
    `EXIT_GAVE_UP`, `EXIT_INTERRUPTED`, `EXIT_TERMINATED`. Ignored signals, those with
    handlers in C and those of other threads stay as they are. Returns what `main` does.

    Args:
        blueprint: What to run, or a topology: a class that makes a blueprint.
        main: An async function that gets the system. None: run until a signal comes.
        log: The log level to show, from `trace` to `error`, or `off`; or one for each
            actor: `{"greeter": "debug", "*": "warning"}`. None: as configured.
        cache_directory: As in `open_system`.
        open_loader: As in `open_system`.
        wall_clock: As in `open_system`.
        randomness: As in `open_system`.
        held_thread_after: As in `open_system`.
        rng: As in `open_system`.
        audit: As in `open_system`.

    Raises:
        SystemExit: With the exit status, if not 0; the reason is on stderr.
        ValueError: `log` is not a level; or what `main` raised.
    """
    with shown_log(log), Signals() as signals:
        with _mistakes_end(signals):
            opening = open_system(
                blueprint,
                cache_directory=cache_directory,
                open_loader=open_loader,
                wall_clock=wall_clock,
                randomness=randomness,
                held_thread_after=held_thread_after,
                rng=rng,
                audit=audit,
            )
        return _run(_Program(opening, signals), main or _run_until_signal)


@contextmanager
def _mistakes_end(signals: Signals) -> Iterator[None]:
    """End the program with a line for each mistake, if the definition has any."""
    try:
        yield
    except DefinitionError as error:
        lines = lines_of_mistakes(error.mistakes)
        signals.end(EXIT_REFUSED, "".join(f"{line}\n" for line in lines))


def _run(program: _Program, main: Callable[[System], Awaitable[_T]]) -> _T | None:
    signals = program.signals
    signals.hold()
    result: _T | None = None
    try:
        result = trio.run(program.run, main, instruments=[ServeBeforeSleep()])
    except (SystemGaveUp, StartFailed) as error:
        if not program.was_interrupted:
            signals.end(EXIT_GAVE_UP, f"{text_of(error)}\n")
    except (ComponentRefused, AuditFailed) as error:
        lines = [text_of(error), *getattr(error, "__notes__", ())]
        signals.end(EXIT_REFUSED, "".join(f"{one_line(line)}\n" for line in lines))
    except BaseException as error:  # noqa: ASYNC103  # outside Trio
        if not is_wholly(error, KeyboardInterrupt):
            raise
        signals.end(signals.exit_status or EXIT_INTERRUPTED)
    if signals.exit_status is not None:
        signals.end(signals.exit_status)
    return result


async def _run_until_signal(_: System) -> NoReturn:
    await trio.sleep_forever()
    raise InternalError("sleeping for ever does not return")


@final
class _Program:
    """One run of a program, and the signals that it got."""

    def __init__(self, opening: SystemManager, signals: Signals) -> None:
        self._opening, self.signals = opening, signals
        self._everything = trio.CancelScope()
        self._notes = 0
        self.was_interrupted = False
        """Whether a signal ended it, and not a failure that came before."""

    @enable_ki_protection
    async def run(self, main: Callable[[System], Awaitable[_T]]) -> _T | None:
        result: _T | None = None
        self.signals.call(self._note_signal)
        try:
            with self._everything:
                async with self._opening as system:
                    result = await _unprotected(main, system)
        finally:
            self.signals.hold()
        return result

    def _note_signal(self) -> None:
        self._notes += 1
        if self._notes == 1 and not self._opening.has_failed:
            self.was_interrupted = True
            self._everything.cancel()
        else:
            self._opening.cancel_now()


@disable_ki_protection
async def _unprotected(main: Callable[[System], Awaitable[_T]], system: System) -> _T:
    return await main(system)


async def serve(
    blueprint: Blueprint | type[object],
    *,
    task_status: trio.TaskStatus[System] = trio.TASK_STATUS_IGNORED,
    **settings: Any,  # noqa: ANN401  # passed on to `open_system`
) -> None:
    """Run a blueprint until this task is cancelled; then stop the tree in order.

        system = await nursery.start(serve, blueprint)

    `nursery.start` returns the system when it is ready. To pass settings, use
    `functools.partial`.

    Args:
        blueprint: What to run, or a topology.
        task_status: Trio's; gets the system when it is ready.
        settings: Keywords of `open_system`.

    Raises:
        DefinitionError, ComponentRefused, StartFailed, SystemGaveUp: as `open_system`.
    """
    async with open_system(blueprint, **settings) as system:
        task_status.started(system)
        await trio.sleep_forever()
