"""SIGINT and SIGTERM while a program runs. The first one decides its exit status.

Theory. Our handlers are installed from the first line of `run` on, so Trio installs
none of its own. What they do depends on the state of the program:

* Before Trio runs, nothing needs to be stopped in order: `SystemExit` is raised.
* While Trio starts and ends, nothing may be raised inside it: the signal is noted, and
  handled as soon as that is possible.
* While the system runs, Trio is asked to call back soon. A second SIGINT also raises
  KeyboardInterrupt if it interrupts code that may be interrupted (a handler that blocks
  the thread).
* Once `run` has decided the exit status, a further signal ends the process at once,
  with that status. The interpreter removes its handlers before it has ended, so signals
  are ignored during its last steps.

If the program catches that `SystemExit` and continues, the next signal finds the
handlers that were installed before `run`.

Two signals that arrive before the first is handled are handled in the order of their
numbers, SIGINT first: neither the kernel nor the interpreter records another order.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, final

import trio
from trio.lowlevel import currently_ki_protected

from airssys.contracts import contexts_of, is_a

from .events import would_block

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

_PATIENCE: Final = 1.0
"""Seconds that a program that ends waits for its last message to be read."""
_SERVED: Final = (signal.SIGINT, signal.SIGTERM)


class Ended(SystemExit):
    """The exit status of the program is decided."""


@final
class ServeBeforeSleep(trio.abc.Instrument):
    """Handles signals that the interpreter failed to handle.

    CPython 3.11 may lose the note that a signal waits for its handler if the signal
    comes while another thread requests the interpreter; the signal is then handled with
    the next one. So this checks for waiting signals each time before the program
    sleeps.
    """

    def before_io_wait(self, timeout: float) -> None:
        """Handle waiting signals; setting an empty mask makes the interpreter check."""
        if timeout > 0:
            signal.pthread_sigmask(signal.SIG_BLOCK, ())


@final
class Signals:
    """Handles the signals of a program, as a context manager around all it does.

    A signal that is ignored stays ignored, as shells require for background programs. A
    signal that has a handler in C, of a program that embeds Python, is left to that
    handler, because it could not be restored. Outside the main thread no signals are
    handled.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        """The signal that decides how the program ends."""
        self._count = self._noted = 0
        self._act: Callable[[int, FrameType | None], None] = self._do_nothing
        self._status = 0
        self._before: dict[int, Any] = {}
        self._program: CodeType | None = None
        """The outermost frame; code outside of it runs while Python exits."""

    @property
    def exit_status(self) -> int | None:
        """128 plus the number of the first signal, like shells; None without one."""
        return None if self.first is None else 128 + self.first

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._program = _outermost(sys._getframe())  # noqa: SLF001  # of us
            self._serve()
            self._act = self._exit
            if self.first is not None:
                self._exit(self.first, None)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, Ended):
            self._restore()
            if error is not None or self.first is None:
                return
            # It came after everything else, and the former handlers have not seen it.
            self._serve()
            self._exit(self.first, None)
        self._act = self._exit_if_ending

    def hold(self) -> None:
        """Note signals from now on, and do nothing about them."""
        self._act = self._do_nothing

    def call(self, note: Callable[[], None]) -> None:
        """Call `note` for each signal, soon, as a task of this Trio run."""
        token = trio.lowlevel.current_trio_token()

        def call_notes() -> None:
            while self._noted < self._count:
                self._noted += 1
                note()

        def call_soon(number: int, _: FrameType | None) -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(call_notes)
            is_second = self._count > 1 and number == signal.SIGINT
            if is_second and not currently_ki_protected():
                raise KeyboardInterrupt

        self._act = call_soon
        call_notes()

    def end(self, status: int, why: str = "") -> NoReturn:
        """Write the reason, and exit with a status that no later signal changes.

        Raises:
            SystemExit: Always.
        """
        self._status, self._act = status, self._exit_at_once
        # The stream may be closed, broken or missing.
        with suppress(OSError, ValueError, AttributeError):
            if not would_block(sys.stderr, _PATIENCE):
                sys.stderr.write(why)
                sys.stderr.flush()
            sys.stdout.flush()
        raise Ended(status)

    def _serve(self) -> None:
        # Called after the functions that the program itself registers.
        atexit.register(self._ignore)
        for number in _SERVED:
            handler = signal.getsignal(number)
            former = getattr(handler, "__self__", None)
            if isinstance(former, Signals):  # it belongs to a run that has ended
                handler = former._before[number]  # noqa: SLF001  # of the same class
            if handler is not None and handler is not signal.SIG_IGN:
                self._before[number] = handler
                signal.signal(number, self._on_signal)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        atexit.unregister(self._ignore)

    def _ignore(self) -> None:
        for number in self._before:
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self.first is None:
            self.first = number
        self._act(number, frame)

    def _exit(self, number: int, _: FrameType | None) -> None:
        self._status, self._act = 128 + number, self._exit_if_ending
        raise Ended(self._status)

    def _do_nothing(self, _: int, __: FrameType | None) -> None:
        pass

    def _exit_at_once(self, _: int, __: FrameType | None) -> None:
        os._exit(self._status)

    def _exit_if_ending(self, number: int, frame: FrameType | None) -> None:
        """End the process, unless the program has caught the exit and continues."""
        if _outermost(frame) is self._program and not _is_being_ended():
            self._restore()
            signal.raise_signal(number)
        else:
            os._exit(self._status)


def _outermost(frame: FrameType | None) -> CodeType | None:
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return None if frame is None else frame.f_code


def _is_being_ended() -> bool:
    """Say whether the current code runs because the program is exiting."""
    error = sys.exception()
    return error is not None and any(is_a(each, Ended) for each in contexts_of(error))
