"""A whole program: one system, from start to exit status."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from airssys.contracts import (
    Blueprint,
    InternalError,
    Randomness,
    StartFailed,
    SystemGaveUp,
    WallClock,
)
from airssys.nursery import HELD_THREAD_AFTER

from ._open_system import Opening, open_system
from ._wiring import LoaderOpener, open_wasm_loader

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from ._system import System

EXIT_OK: Final = 0
"""The main function returned."""
EXIT_GAVE_UP: Final = 70
"""The root supervisor gave up or did not start (EX_SOFTWARE of sysexits.h)."""
EXIT_INTERRUPTED: Final = 130
"""SIGINT, as shells say it: 128 + 2."""
EXIT_TERMINATED: Final = 143
"""SIGTERM: 128 + 15."""

_T = TypeVar("_T")


def run(  # noqa: PLR0913  # keywords with defaults
    blueprint: Blueprint | type[object],
    main: Callable[[System], Awaitable[_T]] | None = None,
    *,
    cache_directory: str | Path | None = None,
    open_loader: LoaderOpener = open_wasm_loader,
    wall_clock: WallClock = time.time_ns,
    randomness: Randomness = os.urandom,
    held_thread_after: float = HELD_THREAD_AFTER,
    chance: random.Random | None = None,
) -> _T | None:
    """Run a blueprint as a program, under Trio, until `main` returns or a signal comes.

    On SIGINT or SIGTERM `main` is cancelled and the tree stops in order; a second one,
    of either, cancels the whole tree at once. Exit statuses: 0 (`EXIT_OK`), 70
    (`EXIT_GAVE_UP`), 130 (`EXIT_INTERRUPTED`), 143 (`EXIT_TERMINATED`). A signal that
    was ignored stays so, and one that a program in C which embeds Python handles stays
    its own; in a thread that is not the main one none is served.

    Args:
        blueprint: what to run, or a topology: a class that makes one.
        main: an async function, given the system; without it, run until a signal.
        cache_directory: as in `open_system`.
        open_loader: as in `open_system`.
        wall_clock: as in `open_system`.
        randomness: as in `open_system`.
        held_thread_after: as in `open_system`.
        chance: as in `open_system`.

    Returns:
        What `main` returned.

    Raises:
        SystemExit: with the exit status, if it is not 0. Why goes to stderr.
        Exception: what `main` raised, and what `open_system` raises before it starts.
    """
    opening = open_system(
        blueprint,
        cache_directory=cache_directory,
        open_loader=open_loader,
        wall_clock=wall_clock,
        randomness=randomness,
        held_thread_after=held_thread_after,
        chance=chance,
    )
    return _run(_Program(opening), main or _run_until_signal)


def _run(program: _Program, main: Callable[[System], Awaitable[_T]]) -> _T | None:
    try:
        result = trio.run(program.run, main)
    except (SystemGaveUp, StartFailed) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_GAVE_UP) from error
    except KeyboardInterrupt:
        raise SystemExit(program.exit_status or EXIT_INTERRUPTED) from None
    if program.exit_status is not None:
        raise SystemExit(program.exit_status)
    return result


async def _run_until_signal(_: System) -> NoReturn:
    await trio.sleep_forever()
    raise InternalError("sleeping for ever does not return")


@final
class _Program:
    """One run of a program, and the signals that it got."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._everything = trio.CancelScope()
        self.exit_status: int | None = None
        """By the first signal; None if none came."""

    @enable_ki_protection
    async def run(self, main: Callable[[System], Awaitable[_T]]) -> _T | None:
        result: _T | None = None
        with self._served_signals(), self._everything:
            async with self._opening as system:
                result = await _unprotected(main, system)
        return result

    @contextmanager
    def _served_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        token = trio.lowlevel.current_trio_token()
        trios_own = signal.getsignal(signal.SIGINT)
        seen: list[int] = []

        def on_signal(number: int, frame: FrameType | None) -> None:
            seen.append(number)
            token.run_sync_soon(self._note_signal, number)
            # A handler that holds the thread can only be interrupted: Trio knows how.
            if len(seen) > 1 and number == signal.SIGINT and callable(trios_own):
                trios_own(number, frame)

        # A shell has programs in the background ignore SIGINT; so it is to stay. None is
        # a handler of a program in C that embeds Python: it could not be put back.
        before = {
            number: signal.signal(number, on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(number) not in {signal.SIG_IGN, None}
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note_signal(self, number: int) -> None:
        if self.exit_status is None:
            self.exit_status = 128 + number
            self._everything.cancel()
        else:
            self._opening.hurry()


@disable_ki_protection
async def _unprotected(main: Callable[[System], Awaitable[_T]], system: System) -> _T:
    return await main(system)
