"""The standard streams of one instance: given bytes and its log, or those of the process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, final

from .base import ROOM, Held, Input, Output, StreamClosed, StreamFailed
from .files import code_of, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import LogLines, WasiContext

_STREAMS: Final = {"stdout": 1, "stderr": 2}


@final
class _Given:
    """Standard input, which all handles of it share."""

    def __init__(self, context: WasiContext) -> None:
        services = context.services
        config = None if services is None else services.config
        self._context = context
        self._is_passed = config is not None and config.passes_stdio
        self._left = (config and config.stdin) or b""
        self._is_at_end = self._is_reading = False
        self._failure: StreamFailed | None = None

    def is_ready(self) -> bool:
        """Whether no thread is reading."""
        return not self._is_reading

    @property
    def has_ended(self) -> bool:
        """Whether there is and will be nothing to read, or to report."""
        is_over = self._is_at_end or not self._is_passed
        return is_over and not self._left and self._failure is None

    def read(self, most: int) -> bytes:
        """Return what there is; begin to read if that is nothing.

        Raises:
            StreamClosed: it has ended.
            StreamFailed: it could not be read; then it has ended.
        """
        if self.has_ended:
            raise StreamClosed
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._left:
            found, self._left = self._left[:most], self._left[most:]
            return found
        if not self._is_reading:
            self._is_reading = True
            self._context.start_task(self._read_on)
        return b""

    async def _read_on(self) -> None:
        try:
            self._left = await in_thread(lambda: os.read(0, ROOM))
        except OSError as error:
            self._left, self._failure = b"", _failure(error)
        finally:
            self._is_reading = False
            self._is_at_end = not self._left
            self._context.note_changed()


@final
class StandardInput(Input):
    """A guest's handle of standard input."""

    __slots__ = ("_given",)

    def __init__(self, context: WasiContext) -> None:
        super().__init__(context)
        self._given = context.keep("stdin", _Given)

    def is_ready(self) -> bool:
        """Whether a read has an answer now."""
        return self._given.is_ready()

    def read(self, most: int) -> bytes:
        """Return what there is; without a grant it has ended.

        Raises:
            StreamClosed: it has ended.
            StreamFailed: it could not be read.
        """
        if not self.context.may("streams", "stdin"):
            raise StreamClosed
        return self._given.read(most)

    @property
    def has_ended(self) -> bool:
        """As of `Input`."""
        return self._given.has_ended


@final
class LogOutput(Output):
    """A guest's handle of standard output or standard error, which go to its log."""

    __slots__ = ("lines",)

    def __init__(self, context: WasiContext, lines: LogLines) -> None:
        super().__init__(context)
        self.lines = lines

    def room(self) -> int:
        """Return the most there is: what is too much is dropped."""
        return ROOM

    def write(self, data: bytes) -> None:
        """Log what it ends the lines of."""
        self.lines.write(data)

    def is_flushed(self) -> bool:
        """Return True."""
        return True


@final
class PassedOutput(Output):
    """A guest's handle of standard output or standard error of the process."""

    __slots__ = ("_error", "_is_writing", "_name")

    def __init__(self, context: WasiContext, name: str) -> None:
        super().__init__(context)
        self._name = name
        self._is_writing = False
        self._error: StreamClosed | StreamFailed | None = None

    def room(self) -> int:
        """Return all or nothing: one piece is written at a time.

        Raises:
            StreamClosed: no one reads it any more.
            StreamFailed: it could not be written.
        """
        if self._error is not None:
            error, self._error = self._error, StreamClosed()
            raise error
        return 0 if self._is_writing else ROOM

    def remember(self, error: StreamClosed | StreamFailed) -> None:
        """Keep it for the next call."""
        self._error = error

    def write(self, data: bytes) -> None:
        """Have a thread write it; without a grant it is gone."""
        if self.context.may("streams", self._name):
            self._is_writing = True
            self.context.start_task(lambda: self._write_on(data))

    async def _write_on(self, data: bytes) -> None:
        stream = _STREAMS[self._name]
        try:
            await in_thread(lambda: _write_all(stream, data))
        except BrokenPipeError:
            self._error = StreamClosed()
        except OSError as error:
            self._error = _failure(error)
        finally:
            self._is_writing = False
            self.context.note_changed()

    def is_flushed(self) -> bool:
        """Whether all was written.

        Raises:
            StreamClosed, StreamFailed: as of `room`.
        """
        return self.room() > 0


def _failure(error: OSError) -> StreamFailed:
    return StreamFailed(f"a standard stream: {error}", "files", code_of(error))


def _write_all(stream: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(stream, left) :]


def output(name: str) -> Callable[[WasiContext], Held]:
    """Make the function that gives a handle of standard output or error."""

    def get(context: WasiContext) -> Held:
        services = context.services
        if services is not None and services.config.passes_stdio:
            return PassedOutput(context, name)
        lines: LogLines = getattr(context, name)
        return LogOutput(context, lines)

    return get
